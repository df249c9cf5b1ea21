"""Judges faults of the RTL on one model of the whole engine that holds all of them (:mod:`hao.mutation.schemata`).

Every fault runs random programs, networks, frames that end before their time and a soak with faults of its own on an engine, and is held
against the reference value by value. Where all values are right, cycles and all other counters are held against the sound engine's.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hao.boards import load_board
from hao.codegen.rtl import PACKAGE_FILE, render_package, rtl_sources
from hao.compiler.compile import compile_graph
from hao.compiler.random_program import random_program
from hao.engine.config import CI_CONFIGS, EngineConfig
from hao.errors import SimulationError
from hao.fuzz.aborts import Quiet, abort_frames
from hao.fuzz.case import Case, draw_case
from hao.fuzz.engines import TIMEOUT_CYCLES, Fleet
from hao.fuzz.outcome import Outcome
from hao.fuzz.outcome import Verdict as End
from hao.fuzz.programs import ProgramCase, draw_program, run_program
from hao.fuzz.soak import Saboteur, Work, soak
from hao.ir.builder import random_image
from hao.ir.random_graph import random_graph
from hao.mutation.mutant import Mutant, Verdict
from hao.mutation.python_runner import in_child
from hao.mutation.schemata import CHOICE_FILE, switched
from hao.mutation.verilog_faults import verilog_mutants
from hao.runtime.cache import BuildPlan
from hao.runtime.rtl import RtlEngine, RtlResult
from hao.runtime.timing import DramTiming
from hao.runtime.verilated import build_model, plan_model

SMALL, LARGE = "8x8x1", "16x16x2"
"""The engine that judges all faults, and the one that judges what the other does not see: both ends of every parameter."""
SEED, PROGRAMS, NETWORKS, FRAMES = 2026, 40, 60, 60
ENDED, ENDS = 6, 5
"""Programs whose frames are ended before their time, and how often each (`tests/rtl/test_aborted_frames.py`)."""
LONGEST_CYCLES = 30_000
"""Of a trial."""
_TIMEOUT_CYCLES, _CPU_SECONDS = 120_000, 90


@dataclass(frozen=True, slots=True, eq=False)
class Faulty:
    """The RTL with all faults in it.

    Attributes:
        sources: SystemVerilog by file name.
        faults: by number, those that are in it.
        left_out: those that no number can choose.
    """

    sources: Mapping[str, bytes]
    faults: Mapping[int, Mutant]
    left_out: Sequence[Mutant]


def faulty_sources() -> Faulty:
    """All RTL with every fault that the tool can make and a number can choose."""
    sources: dict[str, bytes] = {}
    faults: dict[int, Mutant] = {}
    left_out: list[Mutant] = []
    for path in rtl_sources():
        text = path.read_text(encoding="utf-8")
        found = verilog_mutants(f"accel/rtl/{path.name}", text)
        first = len(faults) + len(left_out) + 1
        changed, numbers = switched(text, list(enumerate(found, first)))
        sources[path.name] = changed.encode()
        faults |= {number: found[number - first] for number in numbers}
        left_out += [mutant for number, mutant in enumerate(found, first) if number not in faults]
    return Faulty(sources, faults, left_out)


def plan_faulty(faulty: Faulty, config: EngineConfig) -> BuildPlan:
    """Plan the model of the engine that holds all faults."""
    package = {PACKAGE_FILE: render_package().encode()}
    files = {f"rtl/{name}": text for name, text in {**package, **faulty.sources}.items()}
    return plan_model(files, config.parameters(), config.digest64())


class _Engine(RtlEngine):
    """The model with the faults, or the sound one, whose counters are kept."""

    def __init__(self, library: Path, config: EngineConfig, timing: DramTiming, fleet: EngineFleet) -> None:
        self.config, self.timing, self._timeout, self._library = config, timing, fleet.timeout_cycles, library
        self._fleet = fleet

    def run(self, *arguments: Any, **named: Any) -> RtlResult:
        result = super().run(*arguments, **named)
        self._fleet.counted = repr(result.counters)
        return result


class EngineFleet(Fleet):
    """The RTL of one configuration from a given library.

    Attributes:
        timeout_cycles: after which a frame is given up.
        counted: all counters of the last frame.
    """

    def __init__(self, library: Path) -> None:
        super().__init__(("rtl",))
        self._library, self.timeout_cycles, self.counted = library, TIMEOUT_CYCLES, ""

    def rtl(self, config: str, timing: DramTiming) -> RtlEngine:
        """A fresh engine of the library."""
        return _Engine(self._library, self.configs[config], timing, self)

    def trial(self, case: Case | ProgramCase) -> tuple[Outcome, str]:
        """Run a case; what came of it, and the first 16 digits of the SHA-256 of all counters that its frame left."""
        self.counted = ""
        outcome = self.run(case) if isinstance(case, Case) else run_program(self, case)
        return outcome, hashlib.sha256(self.counted.encode()).hexdigest()[:16]


def trials(config: str) -> list[Case | ProgramCase]:
    """Programs and networks for an engine of ``CI_CONFIGS``, always the same."""
    board, only = load_board("ultra96v2"), {config: CI_CONFIGS[config]}
    drawn: list[Case | ProgramCase] = [draw_program(SEED, index, only, board) for index in range(PROGRAMS)]
    return drawn + [draw_case(SEED, index, [config], board) for index in range(NETWORKS)]


def quiet_programs(config: str) -> list[Quiet]:
    """Programs whose frames are ended before their time, always the same."""
    return [Quiet.of(random_program(9100 + index, CI_CONFIGS[config], 10)) for index in range(ENDED)]


class EngineJury:
    """Programs, networks and a soak with known ends, and what comes of a fault of the RTL.

    Args:
        config: a name of ``CI_CONFIGS``.

    Raises:
        BuildError, MissingTool: the model cannot be built.
        SimulationError: without any fault a case is wrong.
    """

    def __init__(self, config: str = SMALL) -> None:
        self.faulty = faulty_sources()
        self.library = build_model(plan_faulty(self.faulty, CI_CONFIGS[config]))
        self._fleet = EngineFleet(self.library)
        self._graph = random_graph(12, 8, max_size=12, max_channels=24)
        self._image = compile_graph(self._graph, CI_CONFIGS[config])
        self._trials: list[tuple[Case | ProgramCase, str]] = []
        for case in trials(config):
            outcome, counters = self._fleet.trial(case)
            if outcome.verdict is End.FAILED:
                raise SimulationError(f"case {case.name} fails without any fault: {outcome.message}", "mend that first")
            if outcome.verdict is End.EQUAL and outcome.cycles <= LONGEST_CYCLES:
                self._trials.append((case, counters))
        self._fleet.timeout_cycles = _TIMEOUT_CYCLES
        self._ended = quiet_programs(config)
        if not (self._soaks() and self._recovers()):
            raise SimulationError("the soak or a frame behind an end fails without any fault", "mend that first")

    def _soaks(self) -> bool:
        rng = np.random.default_rng(3)
        work = [Work.of(self._image, self._graph, random_image(self._graph.nodes[0].shape, rng)) for _ in range(5)]  # type: ignore[attr-defined]
        timing = DramTiming.of_board(load_board("ultra96v2"), 30, 3)
        with Saboteur(self.library, timing, 1 << 22) as board:
            board.rng, board.memory_bytes, board.longest = rng, 1 << 22, 3000
            return soak(board, self._image, work, FRAMES, timeout_cycles=_TIMEOUT_CYCLES).passed

    def _recovers(self) -> bool:
        return abort_frames(self.library, self._ended, ENDS, 1, _TIMEOUT_CYCLES).passed

    def _seen_by(self) -> str:
        """Name of the trial that is wrong; ``~`` and its name where only counters differ."""
        other = ""
        for case, wanted in self._trials:
            outcome, counters = self._fleet.trial(case)
            if outcome.verdict is not End.EQUAL:
                return case.name
            other = other or (f"~{case.name}" if counters != wanted else "")
        if not self._recovers():
            return "ended frames"
        return other if self._soaks() else "soak"

    def judge(self, number: int) -> tuple[Verdict, str]:
        """What came of a fault, and the trial that saw it (of other counts: the first where they differ)."""
        said = in_child(chosen(number, self._seen_by), _CPU_SECONDS)
        if said is None:
            return Verdict.CRASHED, ""
        if said.startswith("~"):
            return Verdict.OTHER, said[1:]
        return (Verdict.KILLED if said else Verdict.SURVIVED), said


def chosen(number: int, work: Callable[[], str]) -> Callable[[], str]:
    """``work`` in a folder of its own, where models that hold faults choose ``number``."""

    def inside() -> str:
        with tempfile.TemporaryDirectory(prefix="fault-") as folder:
            os.chdir(folder)
            Path(CHOICE_FILE).write_text(f"{number}\n", encoding="utf-8")
            said = work()
            os.chdir("/")
            return said

    return inside
