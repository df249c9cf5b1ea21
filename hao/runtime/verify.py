"""Verification as a list of cases: frames of a network, or random programs for a design, each held against what it must give."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hao.compiler.compile import compile_in_full
from hao.compiler.random_program import RandomProgram, random_program
from hao.engine.config import EngineConfig
from hao.engine.image import ProgramImage
from hao.errors import EngineMismatch, HaoError, SimulationError
from hao.ir.graph import Graph
from hao.ir.reference import Tensor, execute
from hao.report.verification import Case, Failure
from hao.runtime.csim import CsimEngine
from hao.runtime.rtl import RtlEngine, RtlResult
from hao.runtime.timing import DramTiming
from hao.runtime.verdict import Program, judge, program_of
from hao.runtime.waveform import first_wrong, record, stopped_at

Picture = npt.NDArray[np.uint8]
Tell = Callable[[Case], None]

DEFECTS = (SimulationError, EngineMismatch)
"""What a case may find; any other error ends the verification."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is common to all cases.

    Attributes:
        config: the engine.
        timing: of the DRAM, stalls included.
        artefacts: where waveforms of failures go; None for none.
    """

    config: EngineConfig
    timing: DramTiming
    artefacts: Path | None = None


def _case(name: str, engine: str, work: Callable[[], tuple[int, int | None]], rescue: Callable[[HaoError], str] = lambda _: "") -> Case:
    """Time ``work``, which returns values compared and cycles, and turn a defect into a failure; ``rescue`` makes its waveform."""
    start = time.perf_counter()
    try:
        compared, cycles = work()
    except DEFECTS as error:
        seconds = time.perf_counter() - start
        try:
            failure = Failure.of(error, rescue(error))
        except HaoError as second:
            failure = Failure.of(error).model_copy(update={"hint": f"{error.hint}; no waveform: {second.message}"})
        return Case(name=name, engine=engine, equal=False, compared=0, seconds=seconds, failure=failure)
    return Case(name=name, engine=engine, equal=True, compared=compared, cycles=cycles, seconds=time.perf_counter() - start)


@dataclass(slots=True, eq=False)
class _Frame:
    """One picture of a network on one engine; remembers the result, so that a waveform can be cut out of it."""

    plan: Plan
    image: ProgramImage
    reference: Mapping[str, Tensor]
    picture: Picture
    engine: RtlEngine | CsimEngine
    result: RtlResult | None = None

    def run(self) -> tuple[int, int | None]:
        frame, program = self.image.pack_input(self.picture), program_of(self.image)
        result = self.engine.run(program, frame)
        self.result = result if isinstance(result, RtlResult) else None
        verdict = judge(self.engine.name, self.image, result, self.reference)
        verdict.require_equal()
        return verdict.compared, result.cycles

    def waveform(self, name: str, error: HaoError) -> str:
        if self.plan.artefacts is None or not isinstance(self.engine, RtlEngine):
            return ""
        window = stopped_at(error.message) if self.result is None else first_wrong(self.image, self.result, self.reference)
        if window is None:
            return ""
        path = self.plan.artefacts / f"{name}-{window.tensor}.vcd"
        return str(record(self.image, self.image.pack_input(self.picture), self.plan.timing, window, path))


def verify_network(graph: Graph, plan: Plan, pictures: Sequence[Picture], engines: Sequence[str]) -> Iterator[Case]:
    """Every picture on every engine, as cases come out.

    Args:
        graph: a legal integer graph.
        plan: what is common.
        pictures: ``(C, H, W)`` unsigned bytes.
        engines: of ``csim`` and ``rtl``.

    Raises:
        CompileError: the network does not fit the engine.
        BuildError, MissingTool: an engine cannot be built.
        DataError: a picture does not fit the network.
    """
    made = compile_in_full(graph, plan.config)
    built: dict[str, RtlEngine | CsimEngine] = {}
    for index, picture in enumerate(pictures):
        reference = execute(made.graph, picture)
        for name in engines:
            if name not in built:
                built[name] = RtlEngine(plan.config, plan.timing) if name == "rtl" else CsimEngine(plan.config)
            frame = _Frame(plan, made.image, reference, picture, built[name])
            label = f"{graph.name}-{index}"
            yield _case(label, name, frame.run, lambda error, frame=frame, label=label: frame.waveform(label, error))  # type: ignore[misc]


def _run_program(program: RandomProgram, engine: RtlEngine) -> tuple[int, int | None]:
    taps, output, scratch = program.expected()
    sizes = (len(program.input), program.output_bytes, program.scratch_bytes)
    loadable = Program(program.image, program.program_offset, program.program_count, program.config.digest(), *sizes)
    result = engine.run(loadable, program.input, clear=True)
    difference = taps.difference(result.taps)
    if difference is not None:
        raise EngineMismatch(f"rtl differs from the executor: {difference}", "hao fuzz --programs shrinks such a program")
    if output != result.output[: len(output)] or scratch != result.scratch[: len(scratch)]:
        raise EngineMismatch("rtl differs from the executor in the memory it leaves", "hao fuzz --programs shrinks such a program")
    return 16 * len(taps) + len(output) + len(scratch), result.cycles


def verify_design(plan: Plan, programs: int, seed: int, length: int = 40) -> Iterator[Case]:
    """Random programs on the RTL of a design against the executor, as cases come out.

    Args:
        plan: what is common.
        programs: how many.
        seed: they follow from it.
        length: instructions of each, about.

    Raises:
        BuildError, MissingTool: the RTL cannot be built.
    """
    engine = RtlEngine(plan.config, plan.timing)
    for index in range(programs):
        program = random_program(seed + index, plan.config, length)
        yield _case(f"program-{seed + index}", "rtl", lambda program=program: _run_program(program, engine))  # type: ignore[misc]
