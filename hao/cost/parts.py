"""What the units of the cycle model share."""

from __future__ import annotations

from collections import deque
from typing import Protocol

from hao.cost.dram import Dram, ReadDma
from hao.cost.events import Clock, FeatureReads
from hao.cost.latencies import Latencies
from hao.engine.config import EngineConfig
from hao.engine.encode import Instruction


class Queues(Protocol):
    """What a unit tells the queues in front of it."""

    def free(self, unit: int, at: int) -> None:
        """The unit can take its next instruction from cycle ``at`` on."""

    def done(self, unit: int, at: int) -> None:
        """The unit's oldest instruction completes in cycle ``at``."""


class FeatureWrites:
    """Words that DENSE and DW write to the feature memory, so that LDI, which needs every cycle of its port, knows who is in its way."""

    def __init__(self) -> None:
        self._recent: deque[tuple[float, float, float]] = deque(maxlen=64)

    def add(self, start: float, end: float, words: int) -> None:
        """``words`` were, or will be, written evenly between two times."""
        self._recent.append((start, max(end, start + 1), words / max(end - start, 1)))

    def between(self, start: float, end: float) -> float:
        """Words written in a span of time."""
        return sum(max(0.0, min(end, last) - max(start, first)) * rate for first, last, rate in self._recent)


class Parts:
    """What all units share."""

    def __init__(self, clock: Clock, queues: Queues, reads: FeatureReads, dram: Dram, config: EngineConfig, latencies: Latencies) -> None:
        self.clock, self.queues, self.reads, self.dram, self.config, self.latencies = clock, queues, reads, dram, config, latencies
        self.writes = FeatureWrites()
        self.dma = ReadDma(clock, dram, config, latencies)


class Unit(Protocol):
    """A unit of the engine.

    Attributes:
        busy: cycles in which it works, so far.
    """

    busy: int

    def take(self, now: int, i: Instruction) -> None:
        """Take an instruction in cycle ``now``; it tells the queues when the next one may come, and when this one is done."""
