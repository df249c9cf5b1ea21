"""The queues of the cycle model: fetch in program order, five units, and the dependency counts between them."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from hao.cost.dram import Burst, Dram, DramRates, bursts
from hao.cost.events import Clock, FeatureReads
from hao.cost.latencies import Latencies
from hao.cost.loads import Load
from hao.cost.parts import Parts
from hao.cost.parts import Unit as Part
from hao.cost.units import Dense, Dw, Fill, Store
from hao.engine.config import EngineConfig
from hao.engine.encode import DEPENDENCY_FIELDS, Instruction
from hao.engine.isa import INSTRUCTION_BYTES, WORD_BYTES, Unit
from hao.errors import CostError

_UNITS = len(Unit)
_COUNTS = 0xFFFF
_WORDS = INSTRUCTION_BYTES // WORD_BYTES
_FIELDS = tuple((int(unit), name) for unit, name in DEPENDENCY_FIELDS.items())


class Machine:
    """One frame on one engine.

    Attributes:
        taken, completed: cycle in which each instruction is taken and completes, in program order; -1 for END.
        total: cycles of the frame, as the engine's own counter has them.
        busy: cycles that each unit works.
    """

    def __init__(
        self, program: Sequence[Instruction], config: EngineConfig, rates: DramRates, latencies: Latencies, offset: int, phase: int
    ) -> None:
        self.program, self.config, self.latencies = program, config, latencies
        self.clock = Clock()
        self.dram = Dram(self.clock, rates, phase)
        self.parts = Parts(self.clock, self, FeatureReads(self.clock), self.dram, config, latencies)
        self.units: tuple[Part, ...] = (Load(self.parts), Dense(self.parts), Fill(self.parts), Dw(self.parts), Store(self.parts))
        self.taken, self.completed = [-1] * len(program), [-1] * len(program)
        self.queue: tuple[deque[tuple[int, int]], ...] = tuple(deque() for _ in range(_UNITS))
        self.ready = [0] * _UNITS
        self.blocked = [False] * _UNITS
        self.planned = [False] * _UNITS
        self.last_take = [-2] * _UNITS
        self.flight: tuple[deque[int], ...] = tuple(deque() for _ in range(_UNITS))
        self.done_at: tuple[list[int], ...] = tuple([] for _ in range(_UNITS))
        self.waiting: dict[tuple[int, int], list[int]] = {}
        self.needs = self._needs()
        self.index = 0
        self.arrivals: list[int] = []
        self.bursts = bursts(offset // WORD_BYTES, _WORDS * len(program), self.parts.dma.longest[0])
        self.dispatched = latencies.start
        self.full = -1
        self.fetching = False
        self.total = 0

    def _needs(self) -> list[tuple[tuple[int, int], ...]]:
        """``(unit, count)`` that must have completed, by instruction, counts not folded."""
        counts = [0] * _UNITS
        needs = []
        for number, i in enumerate(self.program):
            values = i.values
            mine = tuple((unit, counts[unit] - ((counts[unit] - values[name]) & _COUNTS)) for unit, name in _FIELDS if values[name])
            if any(count < 1 for _, count in mine):
                raise CostError(f"instruction {number} of the program waits for one that comes after it", "dependencies point backwards")
            needs.append(mine)
            if i.unit is not None:
                counts[i.unit] += 1
        return needs

    def run(self) -> None:
        """Until the last instruction has completed."""
        for beats, offset in self.bursts:
            first = self.latencies.start + self.latencies.dma_request
            self.parts.dma.ask(first, 0, Burst(beats, offset, lambda at, beats=beats: self._arrive(at, beats), first, False))  # type: ignore[misc]
        self.clock.run()
        last = max([self.dispatched, *(times[-1] for times in self.done_at if times)])
        self.total = last + self.latencies.end

    def _arrive(self, last: int, beats: int) -> None:
        self.arrivals.extend(last + 1 - back for back in range(beats - 1, -1, -1))
        self._fetch()

    def _fetch(self) -> None:
        """Assemble the next instruction, when its words are there, and dispatch it."""
        if self.fetching or self.full >= 0 or self.index >= len(self.program) or len(self.arrivals) < _WORDS * (self.index + 1):
            return
        self.fetching = True
        words = self.arrivals[_WORDS * self.index : _WORDS * (self.index + 1)]
        at = self.dispatched
        for word in words:
            at = max(at + 1, word)
        self.parts.dma.release(at, 0, _WORDS)
        self.clock.at(at + 1, self._dispatch)

    def _dispatch(self, now: int) -> None:
        self.fetching = False
        unit = self.program[self.index].unit
        if unit is not None:
            if len(self.queue[unit]) >= self.config.queue_depth:
                self.full = int(unit)
                return
            self.queue[unit].append((self.index, now))
        self.full = -1
        self.dispatched = now
        self.index += 1
        if unit is not None:
            self._issue(int(unit))
        self._fetch()

    def _issue(self, unit: int) -> None:
        """Plan the cycle in which the unit takes the head of its queue, when everything it waits for is known."""
        if self.planned[unit] or self.blocked[unit] or not self.queue[unit]:
            return
        index, pushed = self.queue[unit][0]
        at = max(pushed + 1, self.last_take[unit] + 1)
        for other, count in self.needs[index]:
            times = self.done_at[other]
            if len(times) < count:
                self.waiting.setdefault((other, count), []).append(unit)
                return
            at = max(at, times[count - 1] + 1)
        self.planned[unit] = True
        self.clock.at(max(at + 1, self.ready[unit]), lambda cycle: self._take(unit, cycle))

    def _take(self, unit: int, now: int) -> None:
        self.planned[unit] = False
        index, _ = self.queue[unit].popleft()
        self.taken[index] = self.last_take[unit] = now
        self.flight[unit].append(index)
        self.blocked[unit] = True
        self.units[unit].take(now, self.program[index])
        if self.full == unit:
            self.full = -1
            self.fetching = True
            self.clock.at(now + 1, self._dispatch)
        self._issue(unit)

    def free(self, unit: int, at: int) -> None:
        """See ``Queues``."""
        self.ready[unit] = at
        self.blocked[unit] = False
        self._issue(unit)

    def done(self, unit: int, at: int) -> None:
        """See ``Queues``."""
        index = self.flight[unit].popleft()
        times = self.done_at[unit]
        at = max(at, times[-1] + 1) if times else at
        self.completed[index] = at
        times.append(at)
        for waiter in self.waiting.pop((unit, len(times)), []):
            self._issue(waiter)
