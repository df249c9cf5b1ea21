"""LOADs of weights, parameters and lists: three rings on chip, filled in order of use and as early as their space allows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hao.compiler.drafts import Blob
from hao.engine.isa import WORD_BYTES, LoadTarget
from hao.engine.pack import DramBuilder
from hao.errors import CompileError

_LOOKAHEAD = 48
"""Later requests considered for joining one LOAD."""


@dataclass(frozen=True, slots=True)
class Request:
    """Draft ``at`` needs ``blob`` in the ring."""

    at: int
    blob: Blob


@dataclass(frozen=True, slots=True)
class RingLoad:
    """A LOAD to be put before draft ``before``."""

    before: int
    target: LoadTarget
    address: int
    offset: int
    words: int


@dataclass(slots=True, eq=False)
class _Resident:
    blob: Blob
    start: int
    last: int


class Ring:
    """One ring buffer: blobs enter at the head and stay until the head comes round again.

    Args:
        target: the memory.
        words: its size.
        batch: most words that one LOAD brings for several blobs.
        hoist: drafts by which a LOAD may precede its first use.
        dram: where blobs are put when they are first loaded.
        blank: put zeros in their place, to see where LOADs go and how long they take.
    """

    def __init__(self, target: LoadTarget, words: int, batch: int, hoist: int, dram: DramBuilder, blank: bool = False) -> None:
        self._target, self._words, self._batch, self._hoist, self._dram = target, words, batch, hoist, dram
        self._blank = blank
        self._head = 0
        self._resident: list[_Resident] = []
        self._offsets: dict[Blob, int] = {}
        self.loads: list[RingLoad] = []
        self.addresses: dict[int, int] = {}

    def run(self, requests: Sequence[Request]) -> None:
        """Serve the requests, in draft order; fills ``loads`` and ``addresses`` (word by draft).

        Raises:
            CompileError: a blob is larger than the ring.
        """
        for index, request in enumerate(requests):
            held = self._find(request.blob)
            if held is None:
                if request.blob.words > self._words:
                    raise CompileError(
                        f"{request.blob.owner}: {request.blob.words} words do not fit the {self._target.name.lower()} memory",
                        f"it holds {self._words}",
                    )
                self._load(request.at, self._join(requests, index))
                held = self._find(request.blob)
                assert held is not None
            held.last = request.at
            self.addresses[request.at] = held.start % self._words

    def _find(self, blob: Blob) -> _Resident | None:
        return next((r for r in self._resident if r.blob is blob), None)

    def _join(self, requests: Sequence[Request], index: int) -> list[Blob]:
        """The blob asked for and those soon after it that lie, or can be put, behind it in DRAM."""
        batch = [requests[index].blob]
        total = batch[0].words
        for request in requests[index + 1 : index + _LOOKAHEAD]:
            blob = request.blob
            if blob in batch or self._find(blob) is not None:
                continue
            if total + blob.words > self._batch:
                break
            placed, behind = self._offsets.get(blob), self._offsets.get(batch[-1])
            if (placed is None) != (behind is None):
                break
            if placed is not None and behind is not None and placed != behind + batch[-1].words * WORD_BYTES:
                break
            batch.append(blob)
            total += blob.words
        return batch

    def _load(self, at: int, batch: list[Blob]) -> None:
        for blob in batch:
            if blob not in self._offsets:
                data = bytes(blob.words * WORD_BYTES) if self._blank else blob.data()
                assert len(data) == blob.words * WORD_BYTES
                self._offsets[blob] = self._dram.add(data)
        total, start = sum(blob.words for blob in batch), self._head
        # positions count up for ever; what lies a whole ring behind the new head is overwritten
        limit = start + total - self._words
        evicted = [r for r in self._resident if r.start < limit]
        self._resident = [r for r in self._resident if r.start >= limit]
        earliest = max((r.last + 1 for r in evicted), default=0)
        previous = self.loads[-1].before if self.loads else 0
        before = min(at, max(earliest, previous, at - self._hoist))
        self.loads.append(RingLoad(before, self._target, start % self._words, self._offsets[batch[0]], total))
        for blob in batch:
            self._resident.append(_Resident(blob, self._head, before))
            self._head += blob.words
