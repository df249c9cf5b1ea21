"""DRAM and the two DMA sides of the cycle model: bursts in order, granules against the buckets of ``sim/rtl/hao_dram.sv``."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from hao.boards import Board
from hao.cost.events import Clock
from hao.cost.latencies import Latencies
from hao.engine.config import EngineConfig

GRANULE = 64
_WORD = 16
_RUN = 16
"""Granules of one direction while the other one waits."""
_FETCH_WORDS = 64
_FETCH_BURST = 16
_DEPTH_GRANULES = 8
_NEVER = 1 << 62


@dataclass(frozen=True, slots=True)
class DramRates:
    """The memory behind the engine. Times are cycles of its clock, rates 1/256 byte a cycle, depths 1/256 byte."""

    read_latency: int
    write_latency: int
    turnaround: int
    refresh_interval: int
    refresh: int
    peak: int
    sustained: int
    depth: int

    @classmethod
    def of_board(cls, board: Board) -> DramRates:
        """What the simulated board is told of ``board``."""
        dram = board.dram
        depth = int(board.sustained_bytes_per_cycle * dram.refresh_cycles) + _DEPTH_GRANULES * dram.granule_bytes
        return cls(
            dram.read_latency_cycles,
            dram.write_latency_cycles,
            dram.turnaround_cycles,
            dram.refresh_interval_cycles,
            dram.refresh_cycles,
            round(board.peak_bytes_per_cycle * 256),
            round(board.sustained_bytes_per_cycle * 256),
            depth * 256,
        )


class Dram:
    """Grants granules in order of time; a burst is decided as a whole.

    Args:
        clock: the event queue.
        rates: of the board.
        phase: cycles since the last refresh began when the frame starts.
    """

    def __init__(self, clock: Clock, rates: DramRates, phase: int) -> None:
        self.clock, self.rates, self.phase = clock, rates, phase
        self.peak, self.level, self.stamp = 2 * GRANULE * 256, rates.depth, 0
        self.free = 0
        self.writing = False
        self.run = 0
        self.sent = 0
        self.reads: deque[tuple[int, int, int, Callable[[int], None]]] = deque()
        self.writes: deque[tuple[int, int, Callable[[int], None]]] = deque()
        self.planned = False

    def grant(self, at: int) -> int:
        """The first cycle from ``at`` on in which a granule is granted; takes it."""
        rates, cost, peak_depth = self.rates, GRANULE * 256, 2 * GRANULE * 256
        while True:
            passed = at - self.stamp
            peak, level = min(peak_depth, self.peak + rates.peak * passed), min(rates.depth, self.level + rates.sustained * passed)
            if peak < cost or level < cost:
                at += max(-((peak - cost) // rates.peak), -((level - cost) // rates.sustained))
                continue
            place = (at + self.phase) % rates.refresh_interval
            if place >= rates.refresh:
                break
            at += rates.refresh - place
        self.peak, self.level, self.stamp = peak - cost, level - cost, at
        return at

    def read(self, at: int, beats: int, offset: int, done: Callable[[int], None]) -> None:
        """Queue a read burst whose address arrives at ``at``; ``offset`` is its place within a granule, in words."""
        self.reads.append((at + self.rates.read_latency, beats, offset, done))
        self._plan(at)

    def write(self, first: int, beats: int, done: Callable[[int], None]) -> None:
        """Queue a write burst whose beats arrive one a cycle from cycle ``first`` on; called ahead of it."""
        self.writes.append((first + min(beats, 4) - 1, beats, done))
        self._plan(first)

    def _plan(self, at: int) -> None:
        if self.planned or not (self.reads or self.writes):
            return
        self.planned = True
        first = min([queue[0][0] for queue in (self.reads, self.writes) if queue])
        self.clock.at(max(at, first, self.free), self._serve)

    def _serve(self, now: int) -> None:
        self.planned = False
        read = bool(self.reads) and self.reads[0][0] <= now
        write = bool(self.writes) and self.writes[0][0] <= now
        if not (read or write):
            self._plan(now)
            return
        turn = write if not read else (self.run < _RUN if self.writing else self.run >= _RUN) if write else False
        if turn != self.writing:
            self.writing, self.run = turn, 0
            self.free = max(self.free, now) + self.rates.turnaround + 1
        if turn:
            self._serve_write()
        else:
            self._serve_read(now)
        self._plan(now)

    def _serve_read(self, now: int) -> None:
        _, beats, offset, done = self.reads.popleft()
        at, sent, left = max(now, self.free), self.sent, beats
        part = min(4 - offset % 4, left)
        while left:
            at = self.grant(at)
            sent = max(sent, at) + part
            left -= part
            part = min(4, left)
            at += 1
            self.run += 1
        self.free, self.sent = at, sent
        done(sent + 1)

    def _serve_write(self) -> None:
        ready, beats, done = self.writes.popleft()
        at, last = self.free, ready - min(beats, 4) + beats
        for number in range(-(-beats // 4)):
            at = self.grant(max(at, min(last, ready + 4 * number))) + 1
            self.run += 1
        self.free = at
        done(at - 1 + self.rates.write_latency + 2)


@dataclass(slots=True)
class Burst:
    """A read burst: words, place of the first within a granule, and whom to tell the cycle of its last beat, ahead of it.

    ``ready`` is the first cycle in which it can be issued, ``last`` says that it ends its request.
    """

    beats: int
    offset: int
    arrived: Callable[[int], None]
    ready: int
    last: bool


def bursts(address: int, words: int, longest: int) -> list[tuple[int, int]]:
    """Cut a request: ``(words, offset within a granule in words)`` of every burst; ``address`` is in words."""
    made = []
    while words:
        beats = min(longest - address % longest, words)
        made.append((beats, address % 4))
        address, words = address + beats, words - beats
    return made


class ReadDma:
    """Bursts of fetch (first) and LOAD, one address a cycle, at most ``outstanding`` in flight, each with room for its words."""

    def __init__(self, clock: Clock, dram: Dram, config: EngineConfig, latencies: Latencies) -> None:
        self.clock, self.dram = clock, dram
        self.again, self.freed = latencies.dma_again, latencies.dma_room
        self.outstanding = config.outstanding
        self.longest = (min(_FETCH_BURST, config.max_burst), config.max_burst)
        depth = config.max_burst * max(2, config.outstanding)
        self.room = [_FETCH_WORDS, 1 << (depth - 1).bit_length()]
        self.queue: tuple[deque[Burst], deque[Burst]] = (deque(), deque())
        self.leaving: tuple[deque[tuple[int, int, int]], ...] = (deque(), deque())  # words on their way out: from, how many, pace
        self.drained: Callable[[int], None] | None = None
        self.flights = 0
        self.next = 0
        self.free = [0, 0]  # the first cycle in which each client's next burst can be issued
        self.planned = _NEVER

    def ask(self, now: int, client: int, burst: Burst) -> None:
        """Queue a burst of ``client`` (0 fetch, 1 LOAD)."""
        self.queue[client].append(burst)
        self._plan(now)

    def release(self, now: int, client: int, words: int, pace: int = 1) -> None:
        """The client takes ``words`` out of its buffer, one in ``pace`` cycles, the last one in cycle ``now``; told when that is known."""
        self.leaving[client].append((now - pace * words, words, pace))
        self._plan(self.clock.now)

    def _room(self, client: int, now: int, wanted: int) -> int:
        """The first cycle from ``now`` on with room for ``wanted`` words; -1 where nobody knows yet."""
        leaving = self.leaving[client]
        while leaving and leaving[0][0] + leaving[0][1] * leaving[0][2] + self.freed <= now:
            self.room[client] += leaving.popleft()[1]
        short = wanted - self.room[client]
        for start, words, pace in leaving:
            if short <= 0:
                break
            if short <= words:
                return max(now, start + short * pace + self.freed)
            short -= words
        return now if short <= 0 else -1

    def _plan(self, now: int) -> None:
        at = max(now, self.next)
        if at < self.planned:
            self.planned = at
            self.clock.at(at, self._pump)

    def _granted(self, at: int, burst: Burst) -> None:
        self.clock.at(at, self._landed)
        burst.arrived(at)

    def _landed(self, now: int) -> None:
        self.flights -= 1
        self._plan(now + 1)

    def _pump(self, now: int) -> None:
        if now != self.planned:
            return  # planned anew for an earlier cycle
        self.planned = _NEVER
        if self.flights >= self.outstanding:
            return
        for client in (0, 1):
            queue = self.queue[client]
            at = self._room(client, now, queue[0].beats) if queue else -1
            if at >= 0:
                at = max(at, queue[0].ready, self.free[client])
            if at == now:
                self._issue(now, client)
                return
            if at > now:
                self._plan(at)

    def _issue(self, now: int, client: int) -> None:
        burst = self.queue[client].popleft()
        self.room[client] -= burst.beats
        self.flights += 1
        self.next, self.free[client] = now + 1, now + self.again
        self.dram.read(now + 1, burst.beats, burst.offset, lambda at: self._granted(at, burst))
        if client and burst.last and self.drained is not None:
            self.drained(now)
        if self.queue[0] or self.queue[1]:
            self._plan(now + 1)
