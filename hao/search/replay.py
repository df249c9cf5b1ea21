"""How long a trace takes on an engine: its instructions replayed through the five units, which share the feature memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hao.engine.isa import Unit
from hao.search.rates import GAP, Price, Rates, Work


@dataclass(slots=True)
class Trace:
    """The instructions of a segment: unit, what it costs, layer whose width matters (or -1), and those that must have completed."""

    program: list[tuple[int, int, int, tuple[int, ...]]] = field(default_factory=list)
    layers: list[str] = field(default_factory=list)


class Walker:
    """Replays traces on one engine.

    Args:
        rates: the engine's.
        costs: what the traces' instructions cost; it may grow later.
    """

    def __init__(self, rates: Rates, costs: Mapping[Work, int]) -> None:
        self._rates, self._costs = rates, costs
        self._prices: list[tuple[Price, Price]] = []
        self._walked: dict[tuple[int, tuple[int, ...]], int] = {}

    def cycles(self, trace: Trace, bits: tuple[int, ...]) -> int:
        """Cycles of a segment whose dense layers' weights are stored in ``bits``, 4 or 8 each."""
        key = (id(trace), bits)
        if key not in self._walked:
            new = list(self._costs)[len(self._prices) :]
            self._prices += [(self._rates.price(work, 4), self._rates.price(work, 8)) for work in new]
            self._walked[key] = self._replay(trace, bits)
        return self._walked[key]

    def _replay(self, trace: Trace, bits: tuple[int, ...]) -> int:
        free = [0] * (max(Unit) + 1)
        starts: list[list[int]] = [[] for _ in free]
        ends: list[int] = []
        readers, gathering = _Readers(), _Gathering()
        queued = 0
        for unit, cost, layer, after in trace.program:
            cycles, latency, demand, writes, crowded = self._prices[cost][layer >= 0 and bits[layer] > 4]
            taken = starts[unit]
            if len(taken) >= _QUEUE:  # fetched in order: a full queue holds up all units
                queued = max(queued, taken[-_QUEUE])
            start = max(free[unit], queued)
            for n in after:
                if ends[n] > start:
                    start = ends[n]
            stop = start + cycles
            if demand:
                stop = readers.meet(unit, start, stop, demand, len(ends), free, ends)
            if crowded:
                stop = gathering.begin(start, stop, crowded, len(ends))
            elif writes:
                gathering.meet(unit, start, stop, writes, free, ends)
            taken.append(start)
            free[unit] = stop + GAP
            ends.append(stop + latency)
        return max(ends, default=0)


_QUEUE = 16
"""Instructions that wait at a unit at most."""


class _Readers:
    """Who reads the feature memory: DENSE, and FILL, ADD or STORE; where they meet, both take longer."""

    def __init__(self) -> None:
        self._since, self._until, self._demand, self._newest = [0] * 4, [0] * 4, [0.0] * 4, [-1] * 4

    def meet(self, unit: int, start: int, stop: int, demand: float, number: int, free: list[int], ends: list[int]) -> int:
        """The end of a new reading instruction; those it meets end later."""
        own = _SLOTS[unit]
        for other in (1, 2, 3) if own == 0 else (0,):
            until, theirs = self._until[other], self._demand[other]
            begin = max(start, self._since[other])
            if until > begin and stop > begin and theirs:
                mine, others = _slowed(demand, theirs, dense_first=own == 0)
                # both run until the first of them is done
                shared = min((stop - begin) * (1 + mine), (until - begin) * (1 + others))
                late = round(shared * others / (1 + others))
                stop += round(shared * mine / (1 + mine))
                if late:
                    where = _UNITS[other]
                    if free[where] == until + GAP:  # nothing was put behind it yet
                        free[where] += late
                    ends[self._newest[other]] += late
                    self._until[other] += late
        self._since[own], self._until[own], self._demand[own], self._newest[own] = start, stop, demand, number
        return stop


_SLOTS = {int(Unit.DENSE): 0, int(Unit.FILL): 1, int(Unit.DW): 2, int(Unit.STORE): 3}
_UNITS = (int(Unit.DENSE), int(Unit.FILL), int(Unit.DW), int(Unit.STORE))


class _Gathering:
    """The LDI under way: writes of the other units to the feature memory make it take longer."""

    def __init__(self) -> None:
        self._start = self._stop = 0
        self._number, self._crowded = -1, 0.0
        self._writers: dict[int, tuple[int, int, float]] = {}

    def begin(self, start: int, stop: int, crowded: float, number: int) -> int:
        """The end of a new LDI, with the writers that are under way."""
        late = sum(max(0, min(until, stop) - max(since, start)) * writes for since, until, writes in self._writers.values())
        self._start, self._stop, self._number, self._crowded = start, stop + round(late * crowded), number, crowded
        return self._stop

    def meet(self, unit: int, start: int, stop: int, writes: float, free: list[int], ends: list[int]) -> None:
        """A new writer."""
        self._writers[unit] = (start, stop, writes)
        shared = min(stop, self._stop) - max(start, self._start)
        late = round(shared * writes * self._crowded)
        if shared > 0 and late:
            if free[Unit.LOAD] == self._stop + GAP:
                free[Unit.LOAD] += late
            ends[self._number] += late
            self._stop += late


def _slowed(wanted: float, met: float, *, dense_first: bool) -> tuple[float, float]:
    """By which share two readers of the feature memory take longer while both run: the one asked about, the other.

    DENSE and FILL share one request a cycle; FILL has half of it at least, and DENSE what FILL leaves.
    """
    dense, fill = (wanted, met) if dense_first else (met, wanted)
    if not (dense and fill):
        return 0.0, 0.0
    granted = min(fill, max(0.5, 1.0 - dense))
    left = min(dense, max(0.5, 1.0 - granted))
    slow_dense, slow_fill = dense / left - 1.0, fill / granted - 1.0
    return (slow_dense, slow_fill) if dense_first else (slow_fill, slow_dense)
