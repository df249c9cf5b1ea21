"""Dependency counts from exact hazards: what must have completed before an instruction may start.

Completion is in order within a unit, so everything known at the start of an instruction is five counts. Within a unit a
later write never passes an earlier read or write, but a later read may pass an earlier write still on its way: reading what
the own unit wrote needs a count too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from hao.compiler.access import ALL_LANES, Access, ListMemory, accesses
from hao.compiler.memories import Memory, memory_sizes
from hao.engine.config import EngineConfig
from hao.engine.encode import DEPENDENCY_FIELDS, Instruction
from hao.engine.isa import LANES, BaseSelect, Unit
from hao.errors import CompileError

MAX_INSTRUCTIONS = 32767
"""Instructions a unit may run in one program: counts are compared as signed 16-bit differences."""

Counts = npt.NDArray[np.int64]
_UNITS = len(Unit)


def lanes_of(mask: int) -> list[int]:
    """Lane numbers set in ``mask``."""
    return [lane for lane in range(LANES) if mask >> lane & 1]


class History:
    """Last readers and writers of every address: per unit, one more than the sequence number of the latest instruction."""

    def __init__(self, sizes: dict[Memory, int]) -> None:
        self._writers = {
            memory: np.zeros((_UNITS, size, *((LANES,) if memory is Memory.FM else ())), np.int32) for memory, size in sizes.items()
        }
        self._readers = {memory: np.zeros((_UNITS, size), np.int32) for memory, size in sizes.items()}
        self._written: set[tuple[Memory, int]] = set()
        self._read: set[tuple[Memory, int]] = set()

    @staticmethod
    def _part(table: npt.NDArray[np.int32], access: Access) -> npt.NDArray[np.int32]:
        part = table[access.start : access.start + access.length]
        if table.ndim == 2 and access.write and access.lanes != ALL_LANES:
            return part[:, lanes_of(access.lanes)]
        return part

    def needs(self, unit: Unit, touched: Iterable[Access]) -> Counts:
        """Completions of every unit without which ``touched`` would race, shape ``(5,)``."""
        need = np.zeros(_UNITS, np.int64)
        for access in touched:
            for other in range(_UNITS):
                own = other == unit
                if (access.memory, other) in self._written and not (own and access.write):
                    part = self._part(self._writers[access.memory][other], access)
                    need[other] = max(need[other], int(part.max(initial=0)))
                if access.write and not own and (access.memory, other) in self._read:
                    part = self._readers[access.memory][other][access.start : access.start + access.length]
                    need[other] = max(need[other], int(part.max(initial=0)))
        return need

    def record(self, unit: Unit, sequence: int, touched: Iterable[Access]) -> None:
        """Note what instruction ``sequence`` of ``unit`` touches."""
        for access in touched:
            end = access.start + access.length
            if not access.write:
                self._readers[access.memory][unit][access.start : end] = sequence + 1
                self._read.add((access.memory, int(unit)))
                continue
            table = self._writers[access.memory][unit]
            if table.ndim == 2 and access.lanes != ALL_LANES:
                table[access.start : end, lanes_of(access.lanes)] = sequence + 1
            else:
                table[access.start : end] = sequence + 1
            self._written.add((access.memory, int(unit)))


class Clocks:
    """What is known to have completed when each instruction starts, by transitivity."""

    def __init__(self) -> None:
        self._known: list[list[Counts]] = [[] for _ in range(_UNITS)]

    def before(self, unit: Unit) -> Counts:
        """Known to the next instruction of ``unit`` without any count of its own."""
        mine = self._known[unit]
        return mine[-1].copy() if mine else np.zeros(_UNITS, np.int64)

    def length(self, unit: int) -> int:
        """Instructions of ``unit`` so far."""
        return len(self._known[unit])

    def after(self, counts: Counts) -> Counts:
        """Known once ``counts`` instructions of every unit have completed: those, and what they had to know to start."""
        known = counts.copy()
        for unit in range(_UNITS):
            if counts[unit]:
                np.maximum(known, self._known[unit][int(counts[unit]) - 1], out=known)
        return known

    def add(self, unit: Unit, counts: Counts) -> None:
        """Append an instruction with dependency ``counts``."""
        self._known[unit].append(np.maximum(self.before(unit), self.after(counts)))


def _reduced(clocks: Clocks, unit: Unit, need: Counts) -> Counts:
    """Counts that imply ``need``, none of which follows from the others or from the instruction before in the unit."""
    before = clocks.before(unit)
    kept = np.where(need > before, need, 0)
    for other in range(_UNITS):
        if kept[other]:
            rest = kept.copy()
            rest[other] = 0
            if np.maximum(before, clocks.after(rest))[other] >= kept[other]:
                kept = rest
    return kept


def with_dependencies(program: Sequence[Instruction], config: EngineConfig, image: bytes, dram: dict[BaseSelect, int]) -> list[Instruction]:
    """Fill the dependency counts of ``program``.

    Args:
        program: instructions in program order; counts they carry are replaced.
        config: the engine.
        image: bytes at base IMAGE, from which the list memory is loaded.
        dram: bytes behind each base.

    Raises:
        CompileError: a unit runs more than 32767 instructions.
    """
    history, clocks, lists = History(memory_sizes(config, dram)), Clocks(), ListMemory(config, image)
    result: list[Instruction] = []
    for i in program:
        unit = i.unit
        if unit is None:
            result.append(i)
            continue
        touched = accesses(i, config, lists)
        counts = _reduced(clocks, unit, history.needs(unit, touched))
        sequence = clocks.length(unit)
        if sequence >= MAX_INSTRUCTIONS:
            raise CompileError(
                f"the program has more than {MAX_INSTRUCTIONS} {unit.name} instructions", "split the network or use a larger engine"
            )
        clocks.add(unit, counts)
        history.record(unit, sequence, touched)
        lists.run(i)
        result.append(i.replace(**{name: int(counts[u]) for u, name in DEPENDENCY_FIELDS.items()}))
    return result
