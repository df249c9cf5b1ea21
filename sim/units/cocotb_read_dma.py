"""hao_read_dma: two clients' words through random bursts, latencies and stalls, against the memory they come from."""

from __future__ import annotations

import os
import random
from typing import Any

import cocotb
from cocotb.triggers import ReadOnly, RisingEdge
from streams import reset, start

MAX_BURST = int(os.environ.get("HAO_MAX_BURST", "64"))
OUTSTANDING = int(os.environ.get("HAO_OUTSTANDING", "4"))


def word_at(address: int) -> int:
    """The 16 bytes that lie at ``address``: a value that names its address."""
    return (address // 16 * 0x9E3779B97F4A7C15F39CC0605CEDC834) % (1 << 128)


class Memory:
    """AXI read slave that answers in order; remembers every burst and checks its form."""

    def __init__(self, dut: Any, rng: random.Random, stall: float, errors: float = 0.0) -> None:
        self.dut, self.rng, self.stall, self.errors = dut, rng, stall, errors
        self.waiting: list[tuple[int, int]] = []
        self.bursts: list[tuple[int, int]] = []
        self.beats, self.faults, self.peak = 0, 0, 0

    async def run(self) -> None:
        """Serve until the test ends."""
        dut, rng = self.dut, self.rng
        active: tuple[int, int] | None = None
        done = 0
        while True:
            dut.m_axi_arready.value = int(rng.random() >= self.stall)
            if active is None and self.waiting and rng.random() >= self.stall:
                active, done = self.waiting[0], 0
            beat = active is not None and rng.random() >= self.stall
            dut.m_axi_rvalid.value = int(beat)
            if active is not None and beat:
                bad = rng.random() < self.errors
                dut.m_axi_rdata.value = word_at(active[0] + 16 * done)
                dut.m_axi_rlast.value = int(done == active[1] - 1)
                dut.m_axi_rresp.value = 2 if bad else 0
                self.faults += bad
            await ReadOnly()
            if int(dut.m_axi_arvalid.value) and int(dut.m_axi_arready.value):
                self._accept(int(dut.m_axi_araddr.value), int(dut.m_axi_arlen.value) + 1)
            if active is not None and beat:
                assert int(dut.m_axi_rready.value), "a beat had to wait"
                self.beats += 1
                done += 1
                if done == active[1]:
                    self.waiting.pop(0)
                    active = None
            await RisingEdge(dut.clk_i)

    def _accept(self, address: int, beats: int) -> None:
        assert address % 16 == 0
        assert 1 <= beats <= MAX_BURST
        assert address // 4096 == (address + 16 * beats - 1) // 4096, "a burst crosses 4 KiB"
        self.waiting.append((address, beats))
        self.bursts.append((address, beats))
        self.peak = max(self.peak, len(self.waiting))
        assert len(self.waiting) <= OUTSTANDING


async def client(dut: Any, index: int, requests: list[tuple[int, int]], stall: float, rng: random.Random) -> int:
    """Ask for every (address, words) and check the words that come; returns how many were compared."""

    async def ask() -> None:
        for address, words in requests:
            while rng.random() < stall:
                await RisingEdge(dut.clk_i)
            dut.req_addr_i[index].value = address
            dut.req_words_i[index].value = words
            set_bit(dut.req_valid_i, index, 1)
            taken = False
            while not taken:
                await ReadOnly()
                taken = bool(int(dut.req_ready_o.value) >> index & 1)
                await RisingEdge(dut.clk_i)
            set_bit(dut.req_valid_i, index, 0)

    cocotb.start_soon(ask())
    compared = 0
    for address, words in requests:
        for k in range(words):
            taken = False
            while not taken:
                offered = rng.random() >= stall
                set_bit(dut.out_ready_i, index, int(offered))
                await ReadOnly()
                taken = offered and bool(int(dut.out_valid_o.value) >> index & 1)
                if taken:
                    assert int(dut.out_data_o[index].value) == word_at(address + 16 * k), (index, hex(address), k)
                    compared += 1
                await RisingEdge(dut.clk_i)
    set_bit(dut.out_ready_i, index, 0)
    return compared


STATE: dict[str, int] = {}


def set_bit(port: Any, index: int, value: int) -> None:
    """Change one bit of a vector that several coroutines drive."""
    STATE[port._name] = STATE.get(port._name, 0) & ~(1 << index) | value << index
    port.value = STATE[port._name]


def requests_of(rng: random.Random, count: int, longest: int) -> list[tuple[int, int]]:
    """Random requests, some of them ending or beginning at a 4 KiB boundary."""
    made = []
    for _ in range(count):
        words = rng.randint(1, longest)
        address = 16 * rng.randrange(1 << 20) | (rng.getrandbits(4) << 36)
        if rng.random() < 0.4:
            address = (address & ~4095) + 4096 - 16 * rng.choice((1, 2, words, max(1, words - 1)))
        made.append((address, words))
    return made


@cocotb.test()
async def delivers_every_word(dut: Any) -> None:
    """Both clients at once, at several rates of bus and clients."""
    rng = random.Random(cocotb.RANDOM_SEED)
    await start(dut)
    for bus_stall, fetch_stall, load_stall in ((0.0, 0.0, 0.0), (0.4, 0.2, 0.2), (0.0, 0.8, 0.6), (0.7, 0.0, 0.0)):
        STATE.clear()
        await reset(dut)
        memory = Memory(dut, rng, bus_stall)
        server = cocotb.start_soon(memory.run())
        fetch, load = requests_of(rng, 6, 80), requests_of(rng, 10, 200)
        tasks = [cocotb.start_soon(client(dut, 0, fetch, fetch_stall, rng)), cocotb.start_soon(client(dut, 1, load, load_stall, rng))]
        compared = [await task for task in tasks]
        assert compared == [sum(words for _, words in fetch), sum(words for _, words in load)]
        assert memory.beats == sum(compared)
        await ReadOnly()
        assert int(dut.idle_o.value)
        if bus_stall == 0.0 and load_stall == 0.0:
            assert memory.peak == OUTSTANDING, "requests do not overlap"
        await RisingEdge(dut.clk_i)
        server.cancel()


@cocotb.test()
async def fetch_does_not_wait_for_a_long_load(dut: Any) -> None:
    """A short request of client 0 passes a long one of client 1 after the bursts on their way."""
    rng = random.Random(cocotb.RANDOM_SEED)
    STATE.clear()
    await start(dut)
    memory = Memory(dut, rng, 0.0)
    server = cocotb.start_soon(memory.run())
    load = cocotb.start_soon(client(dut, 1, [(0x10000, 3000)], 0.0, rng))
    for _ in range(400):
        await RisingEdge(dut.clk_i)
    before = memory.beats
    assert await client(dut, 0, [(0x4000, 4)], 0.0, rng) == 4
    assert memory.beats - before <= (OUTSTANDING + 1) * MAX_BURST + 8
    assert await load == 3000
    server.cancel()


@cocotb.test()
async def reports_errors_and_drains(dut: Any) -> None:
    """Every error response pulses; draining stops requests and ends when the bus owes nothing."""
    rng = random.Random(cocotb.RANDOM_SEED)
    STATE.clear()
    await start(dut)
    memory = Memory(dut, rng, 0.3, errors=0.1)
    server = cocotb.start_soon(memory.run())
    faults = 0

    async def count() -> None:
        nonlocal faults
        while True:
            await ReadOnly()
            faults += int(dut.fault_o.value)
            await RisingEdge(dut.clk_i)

    cocotb.start_soon(count())
    load = cocotb.start_soon(client(dut, 1, [(0x2000, 2000)], 0.1, rng))
    while memory.beats < 300:
        await RisingEdge(dut.clk_i)
    dut.drain_i.value = 1
    load.cancel()
    set_bit(dut.out_ready_i, 1, 0)
    for _ in range(100 * OUTSTANDING * MAX_BURST):
        await ReadOnly()
        idle = bool(dut.idle_o.value)
        await RisingEdge(dut.clk_i)
        if idle:
            break
    assert idle and not memory.waiting
    asked = len(memory.bursts)
    dut.clear_i.value = 1
    dut.req_valid_i.value = 0
    await RisingEdge(dut.clk_i)
    dut.clear_i.value = 0
    dut.drain_i.value = 0
    for _ in range(50):
        await RisingEdge(dut.clk_i)
    assert len(memory.bursts) == asked, "the request survived the clearing"
    assert faults == memory.faults > 0
    memory.errors = 0.0
    assert await client(dut, 1, [(0x9000, 150)], 0.2, rng) == 150
    server.cancel()
