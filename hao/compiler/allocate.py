"""Addresses for buffers: each lives from its first to its last draft; two that live at once do not overlap."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

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


class _Arena:
    def __init__(self, size: int, policies: Mapping[int, Policy]) -> None:
        self._size, self._policies = size, policies
        self._live: list[Buffer] = []
        self._touched = np.full(size, -1, np.int64)

    def _gaps(self) -> list[tuple[int, int]]:
        gaps, at = [], 0
        for buffer in self._live:
            if buffer.address > at:
                gaps.append((at, buffer.address))
            at = max(at, buffer.address + buffer.words)
        if at < self._size:
            gaps.append((at, self._size))
        return gaps

    def _score(self, start: int, words: int) -> int:
        return int(self._touched[start : start + words].max(initial=-1))

    def _candidates(self, low: int, high: int, words: int) -> Iterable[int]:
        last = high - words
        yield low
        yield last
        part = self._touched[low:high]
        edges = np.flatnonzero(np.diff(part)) + low + 1
        yield from (int(edge) for edge in edges[:24] if edge <= last)

    def place(self, buffer: Buffer, at: int) -> int | None:
        """Give ``buffer``, first used by draft ``at``, an address; None and the free words are known when nothing fits."""
        self._live = [other for other in self._live if other.last >= at]
        fitting = [(low, high) for low, high in self._gaps() if high - low >= buffer.words]
        if not fitting:
            return sum(high - low for low, high in self._gaps())
        policy = self._policies.get(buffer.step, Policy.OLDEST)
        rotates = buffer.space is Space.WINDOW or policy is Policy.OLDEST or (policy is Policy.MIXED and buffer.local)
        if not rotates:
            start = min(fitting, key=lambda gap: (gap[1] - gap[0], gap[0]))[0]
        else:
            starts = [start for low, high in fitting for start in self._candidates(low, high, buffer.words)]
            start = min(starts, key=lambda place: (self._score(place, buffer.words), place))
        # the slack word of feature memory makes the virtual base of row 0 even
        odd = buffer.space is Space.FEATURE and (start - buffer.row0 * buffer.width) % 2
        buffer.address = start + int(odd)
        self._touched[start : start + buffer.words] = buffer.last
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
        loose = [step for step in (failure.step, *failure.others) if policies.get(step, Policy.OLDEST) < Policy.TIGHT]
        if not loose:
            break
        for step in loose:
            policies[step] = Policy(policies.get(step, Policy.OLDEST) + 1)
    return pack(drafts, config)
