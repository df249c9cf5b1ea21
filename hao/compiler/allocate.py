"""Addresses for buffers: each lives from its first to its last draft; two that live at once do not overlap."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from hao.compiler.drafts import Buffer, Draft, Space
from hao.engine.config import EngineConfig


class Policy(IntEnum):
    """Which free place a buffer takes.

    OLDEST: the one whose last use lies farthest back (overlap of units). TIGHT: the smallest gap that fits (dense packing).
    MIXED: the former for buffers of one stripe, the latter for those that stay.
    """

    OLDEST = 0
    MIXED = 1
    TIGHT = 2


_ROUNDS = 40
_EDGES = 24
"""Places between two buffers that are looked at."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A buffer that found no place: the step that needs it, the memory, words asked for and words free, and the steps whose
    buffers are in the way."""

    step: int
    owner: str
    space: Space
    words: int
    free: int
    draft: int
    others: frozenset[int]


class _Touched:
    """When each address was last used: runs of equal age, in order."""

    def __init__(self, size: int) -> None:
        self._starts, self._ages = [0], [-1]
        self._size = size

    def set(self, start: int, words: int, age: int) -> None:
        """Note that ``words`` addresses from ``start`` on are used until ``age``."""
        stop = start + words
        low, high = bisect_left(self._starts, start), bisect_left(self._starts, stop)
        tail = [] if stop >= self._size or (high < len(self._starts) and self._starts[high] == stop) else [(stop, self._ages[high - 1])]
        self._starts[low:high] = [start, *(place for place, _ in tail)]
        self._ages[low:high] = [age, *(old for _, old in tail)]

    def latest(self, start: int, words: int) -> int:
        """The latest use in ``words`` addresses from ``start`` on."""
        return max(self._ages[bisect_right(self._starts, start) - 1 : bisect_left(self._starts, start + words)])

    def edges(self, low: int, high: int) -> list[int]:
        """Addresses after ``low`` and before ``high`` at which a run begins, the first few."""
        first = bisect_right(self._starts, low)
        return self._starts[first : min(first + _EDGES, bisect_left(self._starts, high))]


class _Arena:
    def __init__(self, size: int, policies: Mapping[int, Policy]) -> None:
        self._size, self._policies = size, policies
        self._live: list[Buffer] = []
        self._touched = _Touched(size)

    def _gaps(self) -> list[tuple[int, int]]:
        gaps, at = [], 0
        for buffer in self._live:
            if buffer.address > at:
                gaps.append((at, buffer.address))
            at = max(at, buffer.address + buffer.words)
        if at < self._size:
            gaps.append((at, self._size))
        return gaps

    def _candidates(self, low: int, high: int, words: int) -> Iterable[int]:
        last = high - words
        yield low
        yield last
        yield from (edge for edge in self._touched.edges(low, high) if edge <= last)

    def place(self, buffer: Buffer, at: int) -> int | None:
        """Give ``buffer``, first used by draft ``at``, an address; None and the free words are known when nothing fits."""
        self._live = [other for other in self._live if other.last >= at]
        fitting = [(low, high) for low, high in self._gaps() if high - low >= buffer.words]
        if not fitting:
            return sum(high - low for low, high in self._gaps())
        policy = self._policies.get(buffer.step, Policy.OLDEST)
        rotates = buffer.local if buffer.space is Space.WINDOW else policy is Policy.OLDEST or (policy is Policy.MIXED and buffer.local)
        if not rotates:
            low, high = min(fitting, key=lambda gap: (gap[1] - gap[0], gap[0]))
            # what stays grows from the top, what comes and goes from the bottom: neither cuts the other's room in two
            start = low if buffer.local else high - buffer.words
        else:
            starts = [start for low, high in fitting for start in self._candidates(low, high, buffer.words)]
            start = min(starts, key=lambda place: (self._touched.latest(place, buffer.words), place))
        # the slack word of feature memory makes the virtual base of row 0 even
        odd = buffer.space is Space.FEATURE and (start - buffer.row0 * buffer.width) % 2
        buffer.address = start + int(odd)
        self._touched.set(start, buffer.words, buffer.last)
        buffer_end = Buffer(buffer.space, buffer.words, buffer.owner, buffer.step, first=buffer.first, last=buffer.last, address=start)
        self._live.append(buffer_end)
        self._live.sort(key=lambda other: other.address)
        return None

    def steps(self) -> frozenset[int]:
        """Steps of the buffers that live now."""
        return frozenset(buffer.step for buffer in self._live)


def _allocate(drafts: Sequence[Draft], config: EngineConfig, policies: Mapping[int, Policy]) -> Failure | None:
    sizes = {Space.FEATURE: config.fm_words, Space.WINDOW: config.win_depth, Space.DISPLACEMENT: config.disp_entries}
    arenas = {space: _Arena(size, policies) for space, size in sizes.items()}
    for at, draft in enumerate(drafts):
        for buffer in draft.touches:
            if buffer.first != at:
                continue
            arena = arenas[buffer.space]
            free = arena.place(buffer, at)
            if free is not None:
                return Failure(buffer.step, buffer.owner, buffer.space, buffer.words, free, at, arena.steps())
    return None


def pack(drafts: Sequence[Draft], config: EngineConfig) -> Failure | None:
    """Set the address of every buffer that ``drafts`` touch, as tightly as possible; the first that finds no place ends it."""
    return _allocate(drafts, config, {draft.step: Policy.TIGHT for draft in drafts})


def spread(drafts: Sequence[Draft], config: EngineConfig) -> Failure | None:
    """Set the addresses so that units overlap; where that leaves no room, what is in the way is packed more tightly.

    Succeeds whenever :func:`pack` does.
    """
    policies: dict[int, Policy] = {}
    for _ in range(_ROUNDS):
        failure = _allocate(drafts, config, policies)
        if failure is None:
            return None
        loose = [step for step in {failure.step, *failure.others} if policies.get(step, Policy.OLDEST) < Policy.TIGHT]
        if not loose:
            break
        for step in loose:
            policies[step] = Policy(policies.get(step, Policy.OLDEST) + 1)
    return pack(drafts, config)
