"""DENSE, FILL, DW and STORE of the cycle model: what an instruction does to its unit's time."""

from __future__ import annotations

from collections import deque

from hao.cost.dram import bursts
from hao.cost.events import ADD, DENSE, FILL, STORE
from hao.cost.parts import Parts
from hao.cost.walks import Walk, Window, dense_walk
from hao.engine.encode import Instruction
from hao.engine.isa import LANES, WORD_BYTES, Destination, DwMode, Opcode

_QUEUE = 2
"""Accepted DENSE instructions that wait for their way out."""
_PREFETCH = 8
"""Words of each operand that ADD reads ahead."""


class Dense:
    """DENSE: set-up, a queue of two, the walk over operands, the way out."""

    unit = 1

    def __init__(self, parts: Parts) -> None:
        self.parts, self.l = parts, parts.latencies
        self.pending: tuple[Instruction, int] | None = None
        self.waiting: deque[tuple[Walk, int, int]] = deque()  # accepted, not walking: cycle, destination
        self.walking = False
        self.begun = self.walk_end = self.window_end = 0
        self.last = 0.0
        # by instruction: when it was accepted, when its way out begins and when the last result has left the drain buffer
        self.accepted: list[int] = []
        self.starts: list[int] = []
        self.drains: list[int] = []
        self.left = 0  # instructions whose way out has begun
        self.busy = 0

    def take(self, now: int, i: Instruction) -> None:
        """Begin the set-up."""
        self.pending = (i, now + self.l.dense_setup)
        self.parts.clock.at(now + self.l.dense_setup, self._accept)

    def _accept(self, now: int) -> None:
        if self.pending is None or now < self.pending[1] or len(self.accepted) - self.left >= _QUEUE:
            return
        i, _ = self.pending
        self.pending = None
        window = Window(i["in_w"], i["in_h"], i["out_w"], i["y0"], i["y1"], i["kernel"], i["stride"], i["pad"])
        config = self.parts.config
        walk = dense_walk(window, i["n_in"], 8 if i["w8"] else 4, config.pi, config.po, config.px)
        self.waiting.append((walk, now, i["dst"]))
        self.accepted.append(now)
        self.parts.queues.free(self.unit, now + 1)
        self._leave()
        self._walk(now)

    def _leave(self) -> None:
        """Plan when the next accepted instruction begins its way out, once it is known when the one before has drained."""
        number = len(self.starts)
        if number < len(self.accepted) and number <= len(self.drains):
            before = max(self.starts[-1] + self.l.dense_params, self.drains[number - 1]) if number else 0
            self.starts.append(max(self.accepted[number] + self.l.dense_params, before))
            self.parts.clock.at(self.starts[-1], self._left)

    def _left(self, now: int) -> None:
        self.left += 1
        self._accept(now)

    def _walk(self, now: int) -> None:
        if self.walking or not self.waiting:
            return
        walk, accepted, destination = self.waiting.popleft()
        self.walking = True
        first = accepted + max(self.l.dense_first + walk.tile_words, self.l.dense_first_least)
        start = max(now, first, self.walk_end + max(0, round(walk.tile - self.last)))
        self.parts.clock.at(start, lambda at: self._begin(at, walk, destination))

    def _begin(self, now: int, walk: Walk, destination: int) -> None:
        self.last, self.begun = walk.last, now
        # results of the instruction before are in the way: the last pass needs room in the drain buffer
        until = self.starts[len(self.drains)] + walk.drained - walk.room
        cycles = max(walk.cycles, until - now)
        self.busy += round(walk.cycles)
        words = walk.words / walk.beats if destination == Destination.WINDOW else 0.0
        if words and now >= self.window_end:  # nothing of an instruction before is still on its way to the window
            number, late = len(self.drains), round(walk.lead * cycles / walk.cycles) + self.l.dense_sums + self.l.dense_out - 1
            self.parts.clock.at(now + late, lambda at: self._feed(at, number, walk.words / walk.beats))
            words = 0.0
        self.parts.reads.start(
            now, DENSE, walk.beats, walk.beats / cycles, walk.half, lambda at: self._end(at, walk, destination), words, walk.need
        )  # fmt: skip

    def _feed(self, now: int, number: int, words: float) -> None:
        if number == len(self.drains):
            self.parts.reads.feed(now, DENSE, words)

    def _end(self, now: int, walk: Walk, destination: int) -> None:
        self.walking = False
        self.walk_end = now
        stretch = max(1.0, (now - self.begun) / walk.cycles)
        behind = max(walk.behind - walk.last * (stretch - 1), 0.0)
        sums = self.l.dense_sums
        last, through = now - 1 + sums + walk.late + behind, self.begun + walk.lead * stretch + sums + walk.drained
        drained = max(round(last), round(through), self.starts[len(self.drains)] + walk.drained)
        self.parts.queues.done(self.unit, drained + self.l.dense_out)
        if destination == Destination.FEATURE:
            self.parts.writes.add(max(self.begun, drained - walk.cycles), drained, walk.words)
        if destination == Destination.WINDOW:
            self.window_end = drained
        self.drains.append(drained)
        self._leave()
        self._walk(now)


class Fill:
    """FILL: words to the window, one a cycle, requests of ``px`` words ahead of them."""

    unit = 2

    def __init__(self, parts: Parts) -> None:
        self.parts, self.l = parts, parts.latencies
        self.end = 0
        self.busy = 0
        self.pending: deque[tuple[int, int, int]] = deque()  # ready, words, requests
        self.running = False

    def take(self, now: int, i: Instruction) -> None:
        """Prepare, then read."""
        px, rows, width = self.parts.config.px, i["y1"] - i["y0"], i["out_w"]
        words = rows * width
        requests = rows * -(-(width // 2 if i["up"] else width) // px)
        self.pending.append((now + self.l.fill_setup, words, requests))
        self._start(now)

    def _start(self, now: int) -> None:
        if self.running or not self.pending:
            return
        ready, words, _ = self.pending[0]
        start = max(ready, self.end)
        self.running = True
        self.parts.queues.free(self.unit, max(now + 1, ready, start - min(words, self.l.fill_ahead)) + 1)
        self.parts.clock.at(start, self._begin)

    def _begin(self, now: int) -> None:
        _, words, requests = self.pending.popleft()
        self.busy += words
        self.parts.reads.start(now, FILL, requests, requests / words, False, self._end, words / requests)

    def _end(self, now: int) -> None:
        self.running = False
        self.end = now + self.l.fill_gap
        self.parts.queues.done(self.unit, now + self.l.fill_out)
        self._start(now)


class Dw:
    """DW and ADD: parameters, the walk over pixels, the way out."""

    unit = 3

    def __init__(self, parts: Parts) -> None:
        self.parts, self.l = parts, parts.latencies
        self.pace = LANES // parts.config.dw_lanes
        self.start = self.held = 0
        self.end = 0  # the next instruction's first pixel at the earliest
        self.drain = 0  # last word of DW out of the core: ADD waits for it
        self.adding = False
        self.next: tuple[Instruction, int] | None = None
        self.busy = 0

    def take(self, now: int, i: Instruction) -> None:
        """Prepare; begin when the instruction before has no pixels left."""
        if self.adding:
            self.next = (i, now)
        else:
            self._prepared(now, i)

    def _prepared(self, taken: int, i: Instruction) -> None:
        pixels = (i["y1"] - i["y0"]) * i["out_w"]
        ready = max(taken + self.l.dw_setup, self.end)
        if i.opcode is Opcode.ADD:
            self.adding = True
            self.parts.clock.at(ready, lambda at: self._add(at, pixels))
            return
        loaded = max(taken + 1, self.held) + self.l.dw_params
        self.start = max(ready, loaded)
        self.held = self.start + (self.l.dw_held_pair if self.pace == 1 else self.l.dw_held_half + (pixels > 1))
        walk = pixels * self.pace + (1 if self.pace == 1 and pixels % 2 else 0)
        self.end = self.start + walk
        self.busy += walk
        out = self.l.dw_out_pair if self.pace == 1 else self.l.dw_out_half
        if self.pace == 1 and (pixels % 2 == 0 and i["mode"] != DwMode.SUM):
            out += 1
        self.drain = self.end + (self.l.dw_core_pair if self.pace == 1 else self.l.dw_core_half)
        self.parts.writes.add(self.start + out, self.end + out, pixels)
        self.parts.queues.free(self.unit, self.start + 1)
        self.parts.queues.done(self.unit, self.end + out)

    def _add(self, now: int, pixels: int) -> None:
        self.busy += 2 * pixels * self.pace
        self.parts.queues.free(self.unit, now + 1)
        start = max(now, self.drain - self.l.add_first)
        self.parts.clock.at(start, lambda at: self._read(at, pixels))

    def _read(self, now: int, pixels: int) -> None:
        self.parts.reads.start(now, ADD, 2 * pixels, 1 / self.pace, self.parts.config.px == 2, lambda at: self._added(at, pixels))

    def _added(self, now: int, pixels: int) -> None:
        self.adding = False
        self.end = now + self.l.add_gap
        self.parts.queues.done(self.unit, now + (self.l.add_out_half if self.pace > 1 and pixels > _PREFETCH else self.l.add_out_pair))
        if self.next is not None:
            (i, taken), self.next = self.next, None
            self._prepared(taken, i)


class Store:
    """STORE: words to bursts, bursts to DRAM, and the answer."""

    unit = 4

    def __init__(self, parts: Parts) -> None:
        self.parts, self.l = parts, parts.latencies
        self.flights = 0
        self.left: deque[tuple[int, bool]] = deque()  # beats, and whether the burst is its instruction's last
        self.after = 0
        self.reading = False
        self.busy = 0

    def take(self, now: int, i: Instruction) -> None:
        """Read, burst by burst."""
        words = i["length"]
        if not words:
            self.parts.queues.done(self.unit, now + 1)
            self.parts.queues.free(self.unit, now + 1)
            return
        self.busy += words
        parts = bursts(i["dram_offset"] // WORD_BYTES, words, self.parts.config.max_burst)
        self.left.extend((beats, number == len(parts) - 1) for number, (beats, _) in enumerate(parts))
        self.after = now + self.l.store_first
        self._read(self.after)

    def _read(self, now: int) -> None:
        if self.reading or not self.left or self.flights >= self.parts.config.outstanding:
            return
        if now < self.after:
            self.parts.clock.at(self.after, self._read)
            return
        beats, last = self.left.popleft()
        self.reading, self.flights = True, self.flights + 1
        known: list[int] = []
        behind = self.l.store_data + self.parts.dram.rates.write_latency

        def settle(at: int) -> None:
            """The answer comes when the DRAM said, or later where reading the words was held up: when both are known."""
            known.append(at)
            if len(known) > 1:
                self.parts.clock.at(max(known), lambda answered: self._answer(answered, last))

        def read(at: int) -> None:
            self.reading = False
            if last:
                self.parts.queues.free(self.unit, at + 1)
            settle(at + behind)
            self._read(at)

        self.parts.dram.write(now + self.l.store_data, beats, settle)
        self.parts.reads.start(now, STORE, beats, 1.0, self.parts.config.px == 2, read)

    def _answer(self, now: int, last: bool) -> None:
        self.flights -= 1
        if last:
            self.parts.queues.done(self.unit, now + self.l.store_answer)
        self._read(now + self.l.store_again)
