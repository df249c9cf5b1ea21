"""hao_feature_memory: all clients at once, every cycle compared with a memory in Python; and nobody starves."""

from __future__ import annotations

import os
import random
from collections import deque
from typing import Any

import cocotb
from cocotb.triggers import ReadOnly, RisingEdge
from streams import start

WORDS = int(os.environ.get("HAO_FM_WORDS", "256"))
PX = int(os.environ.get("HAO_PX", "2"))
LATENCY = 3
CLIENTS, WRITERS, LANES = 4, 3, 16
SLOTS = (PX, PX, 1, 1)

Read = list[int | None]
Scatter = tuple[list[int], list[int], int, int]


def random_read(rng: random.Random, client: int, hot: int) -> Read:
    """Addresses of a request by slot (None: not enabled), in different banks."""
    while True:
        made: Read = [rng.randrange(hot) if rng.random() < 0.8 else None for _ in range(SLOTS[client])]
        if client >= 2:
            made = [rng.randrange(hot)]
        banks = [address % PX for address in made if address is not None]
        if len(set(banks)) == len(banks):
            return made


def random_write(rng: random.Random, hot: int) -> Scatter:
    """Four addresses of one bank, which lane takes which, which are written, and the data."""
    bank = rng.randrange(PX)
    places = [rng.randrange(hot // PX) * PX + bank for _ in range(4)]
    mask = rng.choice((0xFFFF, rng.getrandbits(16), 1 << rng.randrange(16)))
    return places, [rng.randrange(4) for _ in range(LANES)], mask, rng.getrandbits(128)


def pack(values: list[int], width: int) -> int:
    """Values side by side, the first lowest."""
    return sum(value << width * k for k, value in enumerate(values))


class Bench:
    """Drives all clients, one request each in flight until it is granted, and checks every answer."""

    def __init__(self, dut: Any, rng: random.Random, hot: int) -> None:
        self.dut, self.rng, self.hot = dut, rng, hot
        self.memory = [0] * WORDS
        self.reads: list[Read | None] = [None] * CLIENTS
        self.writes: list[Scatter | None] = [None] * WRITERS
        self.answers: deque[dict[int, list[int]]] = deque([{} for _ in range(LATENCY)])
        self.waited = [0] * (CLIENTS + WRITERS)
        self.longest = [0] * (CLIENTS + WRITERS)
        self.compared, self.together = 0, 0

    def drive(self, read_rate: float, write_rate: float) -> None:
        """Offer new requests where none waits."""
        for c in range(CLIENTS):
            if self.reads[c] is None and self.rng.random() < read_rate:
                self.reads[c] = random_read(self.rng, c, self.hot)
        for w in range(WRITERS):
            if self.writes[w] is None and self.rng.random() < write_rate:
                self.writes[w] = random_write(self.rng, self.hot)
        slots = [[None] * PX if r is None else [*r, *[None] * (PX - len(r))] for r in self.reads]
        flat = [address for client in slots for address in client]
        dut = self.dut
        dut.rd_valid_i.value = pack([int(r is not None) for r in self.reads], 1)
        dut.rd_en_i.value = pack([int(a is not None) for a in flat], 1)
        dut.rd_addr_i.value = pack([a or 0 for a in flat], 16)
        idle: Scatter = ([0] * 4, [0] * LANES, 0, 0)
        scatters = [w or idle for w in self.writes]
        dut.wr_valid_i.value = pack([int(w is not None) for w in self.writes], 1)
        dut.wr_addr_i.value = pack([pack(s[0], 16) for s in scatters], 64)
        dut.wr_sel_i.value = pack([pack(s[1], 2) for s in scatters], 32)
        dut.wr_mask_i.value = pack([s[2] for s in scatters], 16)
        dut.wr_data_i.value = pack([s[3] for s in scatters], 128)

    def sample(self) -> None:
        """Check this cycle's answers, then take note of what was granted; reads see the writes of earlier cycles."""
        dut = self.dut
        expected = self.answers.popleft()
        valid = int(dut.rsp_valid_o.value)
        assert valid == sum(1 << c for c in expected), f"answers to {valid:04b}, not to {sorted(expected)}"
        for client, words in expected.items():
            data = int((dut.dense_data_o if client == 0 else dut.other_data_o).value)
            for slot, word in enumerate(words):
                found = data >> 128 * slot & (1 << 128) - 1
                assert found == word, f"client {client}, slot {slot}: {found:032x}, not {word:032x}"
                self.compared += 1
        self._grant(int(dut.rd_ready_o.value), int(dut.wr_ready_o.value))

    def _grant(self, readers: int, writers: int) -> None:
        answer: dict[int, list[int]] = {}
        banks: list[int] = []
        for c in range(CLIENTS):
            read = self.reads[c]
            self._count(c, read is not None, bool(readers >> c & 1))
            if read is not None and readers >> c & 1:
                answer[c] = [0 if address is None else self.memory[address] for address in read]
                banks += [address % PX for address in read if address is not None]
                self.reads[c] = None
        assert len(set(banks)) == len(banks), "two reads of one bank"
        self.together += len(answer) > 1
        self.answers.append(answer)
        written: list[int] = []
        for w in range(WRITERS):
            scatter = self.writes[w]
            self._count(CLIENTS + w, scatter is not None, bool(writers >> w & 1))
            if scatter is not None and writers >> w & 1:
                places, select, mask, data = scatter
                written.append(places[0] % PX)
                for lane in range(LANES):
                    if mask >> lane & 1:
                        field = 0xFF << 8 * lane
                        self.memory[places[select[lane]]] = self.memory[places[select[lane]]] & ~field | data & field
                self.writes[w] = None
        assert len(set(written)) == len(written), "two writes of one bank"

    def _count(self, who: int, asks: bool, granted: bool) -> None:
        self.waited[who] = self.waited[who] + 1 if asks and not granted else 0
        self.longest[who] = max(self.longest[who], self.waited[who])

    async def run(self, cycles: int, read_rate: float, write_rate: float) -> None:
        """Run for ``cycles``."""
        for _ in range(cycles):
            self.drive(read_rate, write_rate)
            await ReadOnly()
            self.sample()
            await RisingEdge(self.dut.clk_i)

    async def fill(self) -> None:
        """Write every word, so that nothing unknown is read."""
        for address in range(WORDS):
            self.writes[0] = ([address] * 4, [0] * LANES, 0xFFFF, self.rng.getrandbits(128))
            await self.run(1, 0.0, 0.0)


@cocotb.test()
async def reads_what_was_written(dut: Any) -> None:
    """Random traffic over all the memory and over few words, where reads and writes meet."""
    rng = random.Random(cocotb.RANDOM_SEED)
    await start(dut)
    bench = Bench(dut, rng, WORDS)
    await bench.fill()
    for hot, read_rate, write_rate in ((WORDS, 0.5, 0.5), (4 * PX, 0.7, 0.7), (4 * PX, 0.2, 0.9), (WORDS, 0.9, 0.1)):
        bench.hot = hot
        await bench.run(1500, read_rate, write_rate)
    await bench.run(20, 0.0, 0.0)
    assert bench.compared > 2000
    if PX == 2:
        assert bench.together > 100, "reads of different banks were not granted together"


@cocotb.test()
async def nobody_starves(dut: Any) -> None:
    """With every client asking in every cycle, each is served within a bound."""
    await start(dut)
    bench = Bench(dut, random.Random(cocotb.RANDOM_SEED), WORDS)
    await bench.fill()
    await bench.run(3000, 1.0, 1.0)
    # DENSE takes turns with the three others, which take turns among themselves; writers take turns
    assert bench.longest[0] <= 1, bench.longest
    assert max(bench.longest[1:CLIENTS]) <= 6, bench.longest
    assert max(bench.longest[CLIENTS:]) <= 2, bench.longest
    assert bench.compared > 3000
