"""The event queue of the cycle model, and the feature memory's read ports as streams whose rates add up."""

from __future__ import annotations

import heapq
from collections.abc import Callable

DENSE, FILL, ADD, STORE = range(4)
"""Readers of the feature memory, in the order of its ports."""
_SMALL = 1e-6


class Clock:
    """Events in order of time; those of one cycle in the order in which they were asked for."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Callable[[int], None]]] = []
        self._number = 0
        self.now = 0

    def at(self, cycle: int, event: Callable[[int], None]) -> None:
        """Call ``event`` with the time, in ``cycle``, or now where that has passed."""
        self._number += 1
        heapq.heappush(self._heap, (cycle if cycle > self.now else self.now, self._number, event))

    def run(self) -> None:
        """Until nothing is left to happen."""
        heap = self._heap
        while heap:
            self.now, _, event = heapq.heappop(heap)
            event(self.now)


class FeatureReads:
    """Who reads the feature memory and how fast: DENSE against one of the others where they meet in a bank, others in turn.

    A stream is an amount of requests and a demand, in requests a cycle, that it has when nobody is in its way.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._left = [0.0] * 4
        self._demand = [0.0] * 4
        self._half = [False] * 4
        self._need = 1.0
        self._words = [0.0] * 4  # to the window, a request
        self._rate = [0.0] * 4
        self._done: list[Callable[[int], None] | None] = [None] * 4
        self._stamp = 0
        self._version = 0

    def start(
        self,
        now: int,
        reader: int,
        requests: float,
        demand: float,
        half: bool,
        done: Callable[[int], None],
        words: float = 0.0,
        need: float = 1.0,
    ) -> None:
        """Begin a stream.

        Args:
            now: its first cycle.
            reader: DENSE, FILL, ADD or STORE.
            requests: positive.
            demand: requests a cycle, at most 1.
            half: a request keeps one of two banks, not all banks.
            done: called in the cycle after its last request.
            words: that a request brings to the window, whose one write port DENSE and FILL share.
            need: share of DENSE's requests that read anything; the others lie outside the map.
        """
        self._advance(now)
        self._words[reader] = words
        if reader == DENSE:
            self._need = need
        self._left[reader], self._demand[reader], self._half[reader], self._done[reader] = requests, demand, half, done
        self._replan(now)

    def feed(self, now: int, reader: int, words: float) -> None:
        """From now on a request of ``reader`` brings ``words`` to the window."""
        if self._demand[reader]:
            self._advance(now)
            self._words[reader] = words
            self._replan(now)

    def _advance(self, now: int) -> None:
        passed = now - self._stamp
        if passed:
            for reader in range(4):
                if self._demand[reader]:
                    self._left[reader] -= self._rate[reader] * passed
            self._stamp = now

    def _replan(self, now: int) -> None:
        dense, others = self._demand[DENSE], self._demand[1:]
        if dense and others[0] and self._words[DENSE]:
            ours, theirs = self._words[DENSE], self._words[FILL]
            granted = _share([dense * ours, others[0] * theirs], 1.0)
            dense, others[0] = granted[0] / ours, granted[1] / theirs
        total = sum(others)
        if not total:
            self._rate = [dense, 0.0, 0.0, 0.0]
        else:
            meet = 0.0
            if dense:
                both = self._half[DENSE]
                meet = sum(demand * (0.5 if both and half else 1.0) for demand, half in zip(others, self._half[1:], strict=True)) / total
                meet *= self._need
            ceiling = 1.0 if not dense else max(1 / (1 + meet), min(1.0, (1 - dense) / meet if meet else 1.0))
            granted = _share(others, ceiling) if total > ceiling else others
            free = max(1 / (1 + meet), 1 - meet * sum(granted))
            self._rate = [min(dense, free), *granted]
        first, soonest = -1, 0.0
        for reader in range(4):
            if self._demand[reader]:
                wait = max(0.0, self._left[reader]) / self._rate[reader]
                if first < 0 or wait < soonest:
                    first, soonest = reader, wait
        self._version += 1
        if first >= 0:
            version = self._version
            self._clock.at(now + int(soonest + 1 - _SMALL), lambda at: self._finish(at, version))

    def _finish(self, now: int, version: int) -> None:
        if version != self._version:
            return
        self._advance(now)
        ended = [reader for reader in range(4) if self._demand[reader] and self._left[reader] <= _SMALL]
        told = [self._done[reader] for reader in ended]
        for reader in ended:
            self._demand[reader] = 0.0
        self._replan(now)
        for done in told:
            assert done is not None
            done(now)


def _share(demands: list[float], ceiling: float) -> list[float]:
    """Equal shares of ``ceiling``, nobody more than it asks for."""
    granted = [0.0] * len(demands)
    left, open_ = ceiling, [index for index, demand in enumerate(demands) if demand]
    while open_:
        share = left / len(open_)
        small = [index for index in open_ if demands[index] <= share]
        if not small:
            for index in open_:
                granted[index] = share
            break
        for index in small:
            granted[index] = demands[index]
            left -= demands[index]
            open_.remove(index)
    return granted
