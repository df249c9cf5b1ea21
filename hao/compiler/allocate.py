"""Addresses for buffers: each lives from its first to its last draft; two that live at once do not overlap."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np

from hao.compiler.drafts import Buffer, Draft, Space
from hao.engine.config import EngineConfig


class Policy(Enum):
    """Which free place a buffer takes.

    OLDEST: the one whose last use lies farthest back (overlap of units). TIGHT: the smallest gap that fits (dense packing).
    """

    OLDEST = "oldest"
    TIGHT = "tight"


@dataclass(frozen=True, slots=True)
class Failure:
    """A buffer that found no place: the step that needs it, the memory, words asked for and words free."""

    step: int
    owner: str
    space: Space
    words: int
    free: int
    draft: int


class _Arena:
    def __init__(self, size: int, policy: Policy) -> None:
        self._size, self._policy = size, policy
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
        yield from (int(edge) for edge in edges[:64] if edge <= last)

    def place(self, buffer: Buffer, at: int) -> int | None:
        """Give ``buffer``, first used by draft ``at``, an address; None and the free words are known when nothing fits."""
        self._live = [other for other in self._live if other.last >= at]
        fitting = [(low, high) for low, high in self._gaps() if high - low >= buffer.words]
        if not fitting:
            return sum(high - low for low, high in self._gaps())
        if self._policy is Policy.TIGHT and not (buffer.local and buffer.space is Space.WINDOW):
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


def allocate(drafts: Sequence[Draft], config: EngineConfig, policy: Policy) -> Failure | None:
    """Set the address of every buffer that ``drafts`` touch; the first that fits nowhere ends it."""
    sizes = {Space.FEATURE: config.fm_words, Space.WINDOW: config.win_depth, Space.DISPLACEMENT: config.disp_entries}
    arenas = {space: _Arena(size, policy) for space, size in sizes.items()}
    for at, draft in enumerate(drafts):
        for buffer in draft.touches:
            if buffer.first != at:
                continue
            free = arenas[buffer.space].place(buffer, at)
            if free is not None:
                return Failure(buffer.step, buffer.owner, buffer.space, buffer.words, free, at)
    return None
