"""Frames that end before their time: whatever ends them, the next frame computes and counts exactly what it does otherwise.

The memory behaves alike in every cycle here (no refresh, no turn-around, no stalls), so the cycles and all other counters of a frame
follow from the program alone, but for whose turn it is where two wait for the same bank or bus: ``SLACK`` cycles. State that an end
leaves behind shows as another value or another count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

import numpy as np

from hao.boards import load_board
from hao.compiler.random_program import RandomProgram
from hao.engine.isa import BaseSelect
from hao.engine.regs import OFFSETS
from hao.engine.taps import TapTrace
from hao.errors import BusError, EngineFault, EngineReset, HaoError
from hao.fuzz.programs import loadable
from hao.runtime.driver import SOFT_RESET, START, Counters, Driver
from hao.runtime.rtl import split_taps
from hao.runtime.simulated import SimulatedBoard
from hao.runtime.timing import DramTiming


class Abort(StrEnum):
    """What ends a frame."""

    SOFT_RESET = "reset by register"
    HARD_RESET = "reset by wire"
    READ_REFUSED = "read refused"
    WRITE_REFUSED = "write refused"
    NO_END = "program without END"


REPORTED: dict[Abort, type[HaoError]] = {
    Abort.SOFT_RESET: EngineReset,
    Abort.HARD_RESET: EngineReset,
    Abort.READ_REFUSED: BusError,
    Abort.WRITE_REFUSED: BusError,
    Abort.NO_END: EngineFault,
}
SLACK = 4
_MEMORY_BYTES, _REST_CYCLES = 1 << 23, 300


def even_timing() -> DramTiming:
    """The board's DRAM without refresh, turn-around and stalls: an access takes the same time whenever it comes."""
    return replace(DramTiming.of_board(load_board("ultra96v2")), refresh=0, turnaround=0)


@dataclass(slots=True)
class AbortReport:
    """Counts of a run.

    Attributes:
        aborted: frames that were ended before their time, by kind.
        compared: bytes of result words and memories of the frames behind them.
        problems: one line for every frame that differed and for every end that was not reported as what it is.
    """

    aborted: Counter[str] = field(default_factory=Counter)
    compared: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Frames were compared and none differed."""
        return self.compared > 0 and not self.problems


class _Board(SimulatedBoard):
    """A board that ends the next frame at a share of its length (1: as late as possible)."""

    kind: Abort | None = None
    share: float = 0.0
    whole: Counters
    instructions: int = 0
    _ended: bool = False

    def mmio_write(self, offset: int, value: int) -> None:
        kind = self.kind
        if offset == OFFSETS["PROGRAM_COUNT"] and kind is Abort.NO_END:
            value = 1 + int(self.share * (self.instructions - 2))
        if offset != OFFSETS["CONTROL"] or value != START or kind is None:
            super().mmio_write(offset, value)
            return
        self.kind = None
        if kind in (Abort.READ_REFUSED, Abort.WRITE_REFUSED):
            write = kind is Abort.WRITE_REFUSED
            self.refuse(write, int(self.share * ((self.whole.write_beats if write else self.whole.read_beats) - 1)), 1)
        super().mmio_write(offset, value)
        if kind in (Abort.SOFT_RESET, Abort.HARD_RESET):
            super().wait_interrupt(max(1, int(self.share * (self.whole.cycles - 8))))
            if kind is Abort.SOFT_RESET:
                super().mmio_write(offset, SOFT_RESET)
            else:
                self.reset()
            self._ended = True

    def wait_interrupt(self, timeout_cycles: int) -> bool:
        # no interrupt comes after a reset: the host need not wait for it
        ended, self._ended = self._ended, False
        return super().wait_interrupt(1 if ended else timeout_cycles)


@dataclass(frozen=True, slots=True, eq=False)
class Quiet:
    """A program and what it leaves: result words, OUTPUT and SCRATCH."""

    program: RandomProgram
    wanted: tuple[TapTrace, bytes, bytes]

    @classmethod
    def of(cls, program: RandomProgram) -> Quiet:
        """By the checking executor."""
        return cls(program, program.expected())


def _frame(board: _Board, driver: Driver, quiet: Quiet, report: AbortReport) -> tuple[Counters, str]:
    """Run a frame; its counters, and what is wrong with its values."""
    words, output, scratch = quiet.wanted
    board.enable_taps(True)
    found = driver.run(quiet.program.input, clear=True)
    counters = driver.counters()
    report.compared += 16 * len(words) + len(output) + len(scratch)
    difference = words.difference(split_taps(board.taps(), 0)[0])
    if difference is None and (found[: len(output)] != output or driver.read(BaseSelect.SCRATCH)[: len(scratch)] != scratch):
        difference = "memory differs"
    return counters, difference or ""


def abort_frames(library: Path, programs: Sequence[Quiet], ends: int, seed: int, timeout_cycles: int = 120_000) -> AbortReport:
    """End frames of random programs in every way, and hold the frame behind each against one on a quiet board.

    Args:
        library: the model of the programs' configuration.
        programs: each runs on a board of its own; END last.
        ends: of every program, in turn of every kind, at random shares of the frame.
        seed: of the shares.
        timeout_cycles: cycles after which a frame counts as hung.
    """
    report, rng, kinds = AbortReport(), np.random.default_rng(seed), list(Abort)
    for number, quiet in enumerate(programs):
        with _Board(library, even_timing(), _MEMORY_BYTES) as board:
            driver, board.instructions = Driver(board, timeout_cycles), quiet.program.program_count
            driver.load(loadable(quiet.program))
            try:
                board.wait_interrupt(_REST_CYCLES)
                _, early = _frame(board, driver, quiet, report)
                board.whole, wrong = _frame(board, driver, quiet, report)
                if early or wrong:
                    report.problems.append(f"program {number}: {early or wrong}")
                    continue
                for turn in range(ends):
                    how = kinds[(turn + number) % len(kinds)], float(rng.random())
                    _end(board, driver, quiet, how, report)
            except HaoError as error:
                report.problems.append(f"program {number}: {type(error).__name__}: {error.message}")
    return report


def _difference(found: Counters, wanted: Counters) -> str:
    """The first counter that differs: at all where it counts instructions or beats, by more than ``SLACK`` where it counts cycles."""
    pairs = [("beats read", 0, found.read_beats, wanted.read_beats), ("beats written", 0, found.write_beats, wanted.write_beats)]
    pairs.append(("cycles", SLACK, found.cycles, wanted.cycles))
    for name, unit in found.units.items():
        sound = wanted.units[name]
        pairs.append((f"instructions of {name}", 0, unit.count, sound.count))
        times = [("busy", unit.busy, sound.busy), ("wait_dep", unit.wait_dep, sound.wait_dep), ("stall", unit.stall, sound.stall)]
        pairs.extend((f"{counter} of {name}", SLACK, a, b) for counter, a, b in times)
    return next((f"{a} {name} instead of {b}" for name, slack, a, b in pairs if abs(a - b) > slack), "")


def _end(board: _Board, driver: Driver, quiet: Quiet, how: tuple[Abort, float], report: AbortReport) -> None:
    board.kind, board.share = how
    name = f"{how[0].value} at {how[1]:.3f}"
    report.aborted[how[0].value] += 1
    try:
        driver.run(quiet.program.input)
        report.problems.append(f"{name}: not reported")
    except HaoError as error:
        if not isinstance(error, REPORTED[how[0]]):
            report.problems.append(f"{name}: reported as {type(error).__name__}: {error.message}")
    board.wait_interrupt(_REST_CYCLES)
    counters, wrong = _frame(board, driver, quiet, report)
    if wrong:
        report.problems.append(f"after {name}: {wrong}")
    elif difference := _difference(counters, board.whole):
        report.problems.append(f"after {name}: {difference}")
