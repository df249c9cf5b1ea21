"""Frames back to back through the driver while faults are injected at random: no wrong frame, no hang, every fault reported.

Between driver and board sits a :class:`Saboteur`. When the driver starts a frame that was chosen for a fault, it does what goes wrong
on a board: an address that leads out of the memory, a buffer that ends too early (so that the error comes at any beat), a memory that
refuses a few beats anywhere in the frame, an instruction damaged in memory, a second start, a reset by register or by wire at any
cycle. The host reads registers at random times besides, and its clock stops in the middle of an access. Faults cost their frame and
nothing else: each must be reported by the error that belongs to it, and every other frame must be right.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from hao.engine.image import ProgramImage
from hao.engine.isa import INSTRUCTION_BYTES
from hao.engine.regs import OFFSETS
from hao.errors import BusError, EngineFault, EngineReset, EngineTimeout, HaoError
from hao.ir.graph import Graph
from hao.ir.reference import execute, outputs
from hao.runtime.device import BASE_ALIGNMENT
from hao.runtime.driver import SOFT_RESET, START, Driver
from hao.runtime.simulated import MEMORY_BASE, SimulatedBoard
from hao.runtime.verdict import program_of

_OFFSETS = tuple(OFFSETS.values())
_GATES = (0, 0, 3, 40, 400)
"""Most cycles for which the host holds back a handshake, drawn for every frame."""


class Sabotage(StrEnum):
    """What goes wrong with a frame."""

    NOTHING = "nothing"
    READ_AWAY = "read address outside the memory"
    WRITE_AWAY = "write address outside the memory"
    READ_SHORT = "memory ends inside the input"
    WRITE_SHORT = "memory ends inside the output"
    BAD_OPCODE = "instruction damaged"
    READ_REFUSED = "slave error on a read"
    WRITE_REFUSED = "slave error on a write"
    START_TWICE = "started while busy"
    RESET = "reset in mid-frame"
    HARD_RESET = "hardware reset in mid-frame"


EXPECTED: dict[Sabotage, type[HaoError]] = {
    Sabotage.READ_AWAY: BusError,
    Sabotage.WRITE_AWAY: BusError,
    Sabotage.READ_SHORT: BusError,
    Sabotage.WRITE_SHORT: BusError,
    Sabotage.BAD_OPCODE: EngineFault,
    Sabotage.READ_REFUSED: BusError,
    Sabotage.WRITE_REFUSED: BusError,
    Sabotage.START_TWICE: EngineFault,
    Sabotage.RESET: EngineReset,
    Sabotage.HARD_RESET: EngineReset,
}


class Saboteur(SimulatedBoard):
    """A simulated board that does the next frame the harm that ``plan`` names.

    Attributes:
        plan: harm of the next start; ``NOTHING`` after it.
        memory_bytes: size of the DRAM.
        rng: of cycles, beats and opcodes.
        longest: cycles after which a reset comes at the latest.
        input_bytes, output_bytes: of the program; set by :func:`soak`. Its buffers must not reach the last of them in the memory.
    """

    plan: Sabotage = Sabotage.NOTHING
    rng: np.random.Generator
    memory_bytes: int
    longest: int = 2000
    input_bytes: int = 0
    output_bytes: int = 0
    _damage: tuple[int, int] | None = None
    _beats: tuple[int, int] = (0, 0)

    def mmio_write(self, offset: int, value: int) -> None:
        """As the board; a start is preceded or followed by the planned harm."""
        if offset != OFFSETS["CONTROL"] or value != START or self.plan is Sabotage.NOTHING:
            super().mmio_write(offset, value)
            return
        plan, self.plan = self.plan, Sabotage.NOTHING
        self._before(plan)
        if plan is Sabotage.START_TWICE:
            self.gate(0)  # or the first frame is over before the second start
        super().mmio_write(offset, value)
        if plan is Sabotage.START_TWICE:
            super().mmio_write(offset, value)
        elif plan is Sabotage.RESET:
            super().wait_interrupt(int(self.rng.integers(1, self.longest)))
            super().mmio_write(offset, SOFT_RESET)
        elif plan is Sabotage.HARD_RESET:
            super().wait_interrupt(int(self.rng.integers(1, self.longest)))
            self.reset()

    def wait_interrupt(self, timeout_cycles: int) -> bool:
        """As the board, but the host goes away and comes back to read registers at random, which must not matter."""
        for _ in range(int(self.rng.integers(0, 5))):
            slice_cycles = min(timeout_cycles, int(self.rng.integers(1, 600)))
            if super().wait_interrupt(slice_cycles):
                return True
            timeout_cycles -= slice_cycles
            self.mmio_read(int(self.rng.choice(_OFFSETS)))
        return super().wait_interrupt(max(timeout_cycles, 1))

    def _before(self, plan: Sabotage) -> None:
        base = "INPUT" if plan in (Sabotage.READ_AWAY, Sabotage.READ_SHORT) else "OUTPUT"
        if plan in (Sabotage.READ_AWAY, Sabotage.WRITE_AWAY):
            super().mmio_write(OFFSETS[f"{base}_HI"], 0xFF)
        elif plan in (Sabotage.READ_SHORT, Sabotage.WRITE_SHORT):
            self._shorten(base, self.input_bytes if base == "INPUT" else self.output_bytes)
        elif plan in (Sabotage.READ_REFUSED, Sabotage.WRITE_REFUSED):
            moved = (self.mmio_read(OFFSETS["READ_BEATS"]), self.mmio_read(OFFSETS["WRITE_BEATS"]))  # of the frame before
            self._beats = max(self._beats[0], moved[0]), max(self._beats[1], moved[1])
            write = plan is Sabotage.WRITE_REFUSED
            self.refuse(write, int(self.rng.integers(max(1, self._beats[write]))), int(self.rng.integers(1, 5)))
        elif plan is Sabotage.BAD_OPCODE:
            which = int(self.rng.integers(self.mmio_read(OFFSETS["PROGRAM_COUNT"])))
            at = self._address("PROGRAM") + which * INSTRUCTION_BYTES
            self._damage = at, int(self._bytes()[at])
            self._bytes()[at] = 0x5A

    def _address(self, name: str) -> int:
        """Offset in the DRAM of what an address register points to."""
        low, high = (self.mmio_read(OFFSETS[f"{name}_{half}"]) for half in ("LO", "HI"))
        return (high << 32 | low) - MEMORY_BASE

    def _shorten(self, base: str, size: int) -> None:
        """Move a base register so near to the end of the memory that not all of ``size`` bytes fit; what does fit is copied along."""
        inside = BASE_ALIGNMENT * int(self.rng.integers((size - 1) // BASE_ALIGNMENT + 1))
        old, new = self._address(base), self.memory_bytes - inside
        self._bytes()[new:] = self._bytes()[old : old + inside].copy()
        super().mmio_write(OFFSETS[f"{base}_LO"], MEMORY_BASE + new & 0xFFFF_FFFF)
        super().mmio_write(OFFSETS[f"{base}_HI"], MEMORY_BASE + new >> 32)

    def _bytes(self) -> npt.NDArray[np.uint8]:
        pointer = self._lib.hao_sim_memory(self._handle)
        return np.ctypeslib.as_array(pointer, (self.memory_bytes,))

    def mend(self) -> None:
        """Put a damaged instruction right, and refuse nothing any more."""
        self.refuse(write=False, after=0, beats=0)
        self.refuse(write=True, after=0, beats=0)
        if self._damage is not None:
            at, value = self._damage
            self._bytes()[at] = value
            self._damage = None


@dataclass(frozen=True, slots=True)
class Work:
    """A picture as the program reads it, and what the reference says that the outputs are."""

    frame: bytes
    wanted: Mapping[str, npt.NDArray[np.int32]]

    @classmethod
    def of(cls, image: ProgramImage, graph: Graph, pixels: npt.NDArray[np.uint8]) -> Work:
        """The work of one picture of a network."""
        return cls(image.pack_input(pixels), outputs(graph, execute(graph, pixels)))

    def compared(self, image: ProgramImage, found: bytes) -> int:
        """Values compared; 0 when one of them is wrong."""
        got = image.unpack_output(found)
        right = got.keys() == self.wanted.keys() and all(np.array_equal(got[name], value) for name, value in self.wanted.items())
        return sum(value.size for value in self.wanted.values()) if right else 0


@dataclass(slots=True)
class SoakReport:
    """Counts of a soak.

    Attributes:
        frames: begun; ``right`` of them gave the wanted bytes, ``wrong`` others; ``lost`` ended in a reported fault.
        injected, reported: faults by kind; a fault is reported when its frame ended in the error that belongs to it.
        harmless: injected too late or where the program does not look, so that the frame was right all the same, by kind.
        unexpected: messages of any other error.
        compared: values of outputs held against the reference.
    """

    frames: int = 0
    right: int = 0
    wrong: int = 0
    lost: int = 0
    compared: int = 0
    cycles: int = 0
    injected: Counter[str] = field(default_factory=Counter)
    reported: Counter[str] = field(default_factory=Counter)
    harmless: Counter[str] = field(default_factory=Counter)
    unexpected: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Every frame was right or its fault reported, and something was compared."""
        return self.compared > 0 and not self.wrong and not self.unexpected and self.right + self.lost == self.frames


def soak(
    board: Saboteur,
    image: ProgramImage,
    work: Sequence[Work],
    frames: int,
    *,
    chance: float = 0.25,
    timeout_cycles: int = 5_000_000,
    listen: Callable[[SoakReport], None] | None = None,
) -> SoakReport:
    """Run ``frames`` frames in turn, a share ``chance`` of them with a fault.

    Args:
        board: with its random generator and size of memory set.
        image: the program.
        work: frames with their wanted outputs; taken in turn.
        frames: how many to begin.
        chance: of a fault.
        timeout_cycles: cycles after which a frame counts as hung.
        listen: told of the report after every frame.

    Raises:
        ConfigurationMismatch, ImageFormatError, SimulationError: see ``Driver.load``.
    """
    driver, report = Driver(board, timeout_cycles), SoakReport()
    driver.load(program_of(image))
    board.input_bytes, board.output_bytes = image.manifest.input.size, image.manifest.output_bytes
    kinds = list(EXPECTED)
    start = board.cycles
    for index in range(frames):
        plan = kinds[int(board.rng.integers(len(kinds)))] if board.rng.random() < chance else Sabotage.NOTHING
        _frame(driver, board, image, work[index % len(work)], plan, report)
        report.cycles = board.cycles - start
        if listen is not None:
            listen(report)
    return report


def _frame(driver: Driver, board: Saboteur, image: ProgramImage, item: Work, plan: Sabotage, report: SoakReport) -> None:
    report.frames += 1
    board.plan = plan
    board.gate(int(board.rng.choice(_GATES)), int(board.rng.integers(1, 1 << 63)))
    if plan is not Sabotage.NOTHING:
        report.injected[plan.value] += 1
    try:
        found = driver.run(item.frame)
    except EngineTimeout as error:
        report.unexpected.append(f"hang: {error.message}")
    except HaoError as error:
        if plan is not Sabotage.NOTHING and isinstance(error, EXPECTED[plan]):
            report.reported[plan.value] += 1
            report.lost += 1
        else:
            report.unexpected.append(f"{plan.value}: {type(error).__name__}: {error.message}")
    else:
        compared = item.compared(image, found)
        report.compared += compared
        if compared:
            report.right += 1
            if plan is not Sabotage.NOTHING:
                report.harmless[plan.value] += 1
        else:
            report.wrong += 1
    finally:
        board.plan = Sabotage.NOTHING
        board.mend()
