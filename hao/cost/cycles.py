"""Cycles of a compiled program on an engine and a board, without simulating either.

The model runs the queues, the dependency counts, the rates of the units, bursts and granules of the DRAM, and the readers of
the feature memory that get into one another's way, as events: a few per instruction and per burst. Its constants are pipeline
depths of the RTL (``data/cycles.toml``); ``data/cycles-judged.toml`` says how far it is from the simulated engine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hao.boards import Board
from hao.cost.dram import DramRates
from hao.cost.judged import read_judged
from hao.cost.latencies import latencies
from hao.cost.machine import Machine
from hao.engine.config import EngineConfig
from hao.engine.encode import Instruction
from hao.engine.isa import Opcode, Unit
from hao.errors import CostError


@dataclass(frozen=True, slots=True)
class Interval:
    """One instruction: its unit, its place in the program, and the cycles in which it is taken and completes."""

    unit: Unit
    index: int
    opcode: Opcode
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class CycleEstimate:
    """What the model says about one frame.

    Attributes:
        cycles: from the start register to done.
        error: largest relative error seen on the judging set, a fraction; ``cycles`` is meant as ``± error``.
        busy: cycles in which each unit works, by its name.
        timeline: when every instruction but END is taken and completes, in program order.
    """

    cycles: int
    error: float
    busy: dict[str, int]
    timeline: tuple[Interval, ...]

    @property
    def low(self) -> int:
        """Lower end of the estimate, cycles."""
        return round(self.cycles / (1 + self.error))

    @property
    def high(self) -> int:
        """Upper end of the estimate, cycles."""
        return round(self.cycles / (1 - self.error))


def published_error() -> float:
    """Largest relative error of the model on its judging set, as a fraction.

    Raises:
        CostError: the judgement is missing or malformed.
    """
    judged = read_judged()
    if not judged.rows:
        raise CostError("the cycle model was never judged", "python benchmarks/cycle_model.py judge")
    return judged.largest_error


def run_model(program: Sequence[Instruction], config: EngineConfig, board: Board, program_offset: int = 0) -> Machine:
    """The model itself, run to its end: for those who judge it. Arguments and errors are those of :func:`estimate_cycles`."""
    if not program or program[-1].opcode is not Opcode.END:
        raise CostError("the program does not end with END", "give the whole program of a compiled network")
    constants = latencies()
    machine = Machine(program, config, DramRates.of_board(board), constants, program_offset, constants.refresh_phase)
    machine.run()
    missing = next((number for number, end in enumerate(machine.completed[:-1]) if end < 0), None)
    if missing is not None:
        raise CostError(f"instruction {missing} of the program never completes", "please report it: the cycle model is at fault")
    return machine


def estimate_cycles(program: Sequence[Instruction], config: EngineConfig, board: Board, program_offset: int = 0) -> CycleEstimate:
    """Estimate the cycles of one frame.

    Args:
        program: all instructions, END last.
        config: the engine that the program was compiled for.
        board: the DRAM behind it.
        program_offset: place of the program in the image, bytes (where its bursts are cut).

    Raises:
        CostError: the program is empty, does not end with END, or has a dependency that points forwards.
    """
    machine = run_model(program, config, board, program_offset)
    timeline = tuple(
        Interval(i.unit, n, i.opcode, machine.taken[n], machine.completed[n]) for n, i in enumerate(program) if i.unit is not None
    )
    busy = {Unit(number).name: unit.busy for number, unit in enumerate(machine.units)}
    return CycleEstimate(machine.total, published_error(), busy, timeline)
