"""LOAD and LDI of the cycle model: requests in order, bursts, words one a cycle, rows of the image ahead of their windows."""

from __future__ import annotations

from collections.abc import Callable

from hao.cost.dram import Burst, bursts
from hao.cost.parts import Parts
from hao.engine.encode import Instruction
from hao.engine.isa import WORD_BYTES, Opcode

_RING = 6
"""Rows of the image that the gather unit holds."""
_SPLITTER = 2
"""Requests that the splitter of bursts holds, one at work; it takes one every other cycle at most."""


class Load:
    """LOAD and LDI: requests in order, words in order, one a cycle."""

    unit = 0

    def __init__(self, parts: Parts) -> None:
        self.parts, self.l = parts, parts.latencies
        self.splitter = 0
        self.consumed = 0  # cycle of the last word of the instruction before
        self.busy = 0
        self.rows: Rows | None = None
        self.listed = 0
        self.asking: list[tuple[int, Callable[[int], None]]] = []
        parts.dma.drained = self._drained
        self.requests = 0  # taken by the splitter of bursts, which holds two, and not cut to their ends
        self.accepted = 0

    def take(self, now: int, i: Instruction) -> None:
        """Ask for the words."""
        if i.opcode is Opcode.LDI:
            Rows(self, now, i)
            return
        self._when_free(now + 1, lambda at: self._copy(at, i))

    def _when_free(self, now: int, event: Callable[[int], None]) -> None:
        if self.requests >= _SPLITTER:
            self.asking.append((now, event))
        else:
            self.requests += 1
            self.accepted = max(now, self.accepted + _SPLITTER)
            self.parts.clock.at(self.accepted, event)

    def _drained(self, now: int) -> None:
        self.requests -= 1
        if self.asking:
            earliest, event = self.asking.pop(0)
            self._when_free(max(now + 1, earliest), event)

    def request(self, now: int, address: int, words: int, part: Callable[[int, int, bool], None]) -> None:
        """Queue the bursts of a request accepted in cycle ``now``; ``part(arrival, words, last)`` is called for each."""
        pieces = bursts(address, words, self.parts.config.max_burst)
        for number, (beats, offset) in enumerate(pieces):
            last = number == len(pieces) - 1
            ready = now + self.l.dma_request
            self.parts.dma.ask(ready, 1, Burst(beats, offset, lambda at, beats=beats, last=last: part(at, beats, last), ready, last))  # type: ignore[misc]

    def _copy(self, now: int, i: Instruction) -> None:
        self.parts.queues.free(self.unit, now + 1)
        words, before = i["length"], self.rows
        self.busy += words

        def finish(at: int) -> None:
            """The last word is there: it goes to its memory behind those of the instructions before."""
            if before is not None and before.over is None:
                before.behind.append(finish)
                return
            begun = max(now + 1, self.consumed + 1) + 1
            self.consumed = max(at, begun + words - 1)
            self.parts.queues.done(self.unit, self.consumed + 1)

        def part(at: int, beats: int, last: bool) -> None:
            self.parts.dma.release(at + self.l.load_fifo, 1, beats)
            if last:
                self.parts.clock.at(at + self.l.load_fifo, finish)

        self.request(now, i["dram_offset"] // WORD_BYTES, words, part)


class Rows:
    """One LDI: rows of the image ahead of the windows that read them."""

    def __init__(self, load: Load, now: int, i: Instruction) -> None:
        self.load, self.i, self.l = load, i, load.l
        self.words = -(-i["in_w"] // 4)
        stride, first = i["stride"], i["y0"] * i["stride"] - i["pad"]
        self.last_row = (i["y1"] - 1) * stride - i["pad"] + i["kernel"] - 1
        self.row, self.first = first, first
        self.top = first
        self.filled: dict[int, int] = {}
        self.fill_end = 0
        self.out = i["y0"]
        self.emit_end = 0
        self.pending = self.asked = self.emitting = False
        self.crowd = 0.75 if i["kernel"] == 3 else 0.4
        self.wide = i["kernel"] == 3 and i["channels"] > 1  # two words a pixel
        self.pixel = 2 if i["kernel"] == 3 else 1
        before, load.rows = load.rows, self
        bits = max((i["y0"] * stride).bit_length(), i["y0"].bit_length())
        self.setup = bits + self.l.ldi_setup
        self.base = i["dram_offset"] // WORD_BYTES
        self.next: Rows | None = None
        self.behind: list[Callable[[int], None]] = []  # copies whose words are there and wait
        self.over: int | None = None
        if before is not None and before.over is None:
            before.next = self
            self.taken = now
        else:
            self._start(max(now + 1, 0 if before is None else before.over or 0))

    def _start(self, now: int) -> None:
        self.emit_end = now + self.setup
        self.load.parts.clock.at(now + self.setup, self._request)

    def _request(self, now: int) -> None:
        if self.pending or self.asked:
            return
        i = self.i
        while self.row <= self.last_row:
            if not 0 <= self.row < i["in_h"] or (self.row - self.first) % i["stride"] >= i["kernel"]:
                self.row += 1
                now += 2
                continue
            if self.row >= self.top + _RING:
                return
            self.pending = True
            self.load._when_free(now, self._ask)
            return
        self.asked = True
        self.load.parts.queues.free(self.load.unit, now + 1)
        self._emit()

    def _ask(self, now: int) -> None:
        row = self.row
        self.row += 1
        self.pending = False
        address = self.base + row * (self.i["row_bytes"] // WORD_BYTES)
        self.load.request(now, address, self.words, lambda at, beats, last: self._part(at, beats, last, row))
        self.load.parts.clock.at(now + 2, self._request)

    def _part(self, at: int, beats: int, last: bool, row: int) -> None:
        end = max(self.fill_end, at + self.l.load_fifo - beats) + 2 * beats
        end = max(end, at + self.l.load_fifo + 1)
        self.fill_end = end
        self.load.parts.dma.release(end, 1, beats, 2)
        if last:
            self.filled[row] = end
            self._emit()

    def _emit(self) -> None:
        """Begin the next row of windows when its last row of the image is there."""
        i = self.i
        if self.emitting or self.out >= i["y1"]:
            return
        top = self.out * i["stride"] - i["pad"]
        bottom = min(top + (2 if i["kernel"] == 3 else 0), i["in_h"] - 1)
        filled = self.filled.get(bottom) if bottom >= 0 and top < i["in_h"] else 0
        if filled is None:
            return
        start = max(self.emit_end + self.l.ldi_row, filled + self.l.ldi_loaded)
        self.emitting = True
        end = start + i["out_w"] * self.pixel
        self.load.parts.clock.at(end, lambda at: self._row_end(at, start))

    def _row_end(self, now: int, start: int) -> None:
        """A row has been made, if nobody else wrote to the feature memory meanwhile: those words take a cycle each where banks meet."""
        others = self.load.parts.writes.between(start, now) / self.load.parts.config.px * self.crowd
        self.emit_end = now + round(others)
        self.load.parts.clock.at(self.emit_end, self._moved)

    def _moved(self, now: int) -> None:
        i = self.i
        self.emitting = False
        self.out += 1
        self.top = self.out * i["stride"] - i["pad"]
        self.load.busy += i["out_w"] * self.pixel
        self._request(now + 1)
        if self.out < i["y1"]:
            self._emit()
            return
        self.over = self.emit_end + (self.l.ldi_out_wide if self.wide else self.l.ldi_out)
        self.load.consumed = self.over
        self.load.parts.queues.done(self.load.unit, self.over + 1)
        for finish in self.behind:
            finish(self.over)
        if self.next is not None:
            self.next._start(max(self.next.taken + 1, self.over + 1))
