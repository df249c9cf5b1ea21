"""hao_write_dma: words through random bursts and stalls into a memory, and what becomes of bursts that are given up."""

from __future__ import annotations

import os
import random
from typing import Any

import cocotb
from cocotb.triggers import ReadOnly, RisingEdge
from streams import reset, send, start

MAX_BURST = int(os.environ.get("HAO_MAX_BURST", "64"))
OUTSTANDING = int(os.environ.get("HAO_OUTSTANDING", "4"))


class Memory:
    """AXI write slave: takes addresses and data independently and answers in order."""

    def __init__(self, dut: Any, rng: random.Random, stall: float, errors: float = 0.0) -> None:
        self.dut, self.rng, self.stall, self.errors = dut, rng, stall, errors
        self.words: dict[int, int] = {}
        self.addresses: list[tuple[int, int]] = []
        self.data: list[tuple[int, int, bool]] = []
        self.answers = 0
        self.open, self.faults, self.empty, self.beats, self.asked = 0, 0, 0, 0, 0

    async def run(self) -> None:
        """Serve until the test ends."""
        dut, rng = self.dut, self.rng
        while True:
            dut.m_axi_awready.value = int(rng.random() >= self.stall)
            dut.m_axi_wready.value = int(rng.random() >= self.stall)
            answer = self.answers > 0 and rng.random() >= self.stall
            bad = answer and rng.random() < self.errors
            dut.m_axi_bvalid.value = int(answer)
            dut.m_axi_bresp.value = 2 if bad else 0
            await ReadOnly()
            if int(dut.m_axi_awvalid.value) and int(dut.m_axi_awready.value):
                self._accept(int(dut.m_axi_awaddr.value), int(dut.m_axi_awlen.value) + 1)
            if int(dut.m_axi_wvalid.value) and int(dut.m_axi_wready.value):
                strobe = int(dut.m_axi_wstrb.value)
                assert strobe in (0, 0xFFFF)
                self.data.append((int(dut.m_axi_wdata.value), strobe, bool(dut.m_axi_wlast.value)))
                self.beats += 1
            if answer:
                self.answers -= 1
                self.open -= 1
                self.faults += bad
            self._match()
            await RisingEdge(dut.clk_i)

    def _accept(self, address: int, beats: int) -> None:
        assert address % 16 == 0
        assert 1 <= beats <= MAX_BURST
        assert address // 4096 == (address + 16 * beats - 1) // 4096, "a burst crosses 4 KiB"
        self.addresses.append((address, beats))
        self.open += 1
        self.asked += 1
        assert self.open <= OUTSTANDING

    def _match(self) -> None:
        """Bursts whose data is complete are stored and will be answered."""
        while self.addresses and len(self.data) >= self.addresses[0][1]:
            address, beats = self.addresses.pop(0)
            for k in range(beats):
                value, strobe, last = self.data.pop(0)
                assert last == (k == beats - 1), "WLAST is not at the burst's end"
                if strobe:
                    assert address + 16 * k not in self.words, "written twice"
                    self.words[address + 16 * k] = value
                else:
                    self.empty += 1
            self.answers += 1


async def watch(dut: Any, counts: dict[str, int]) -> None:
    """Count pulses."""
    while True:
        await ReadOnly()
        for name in counts:
            counts[name] += int(getattr(dut, name).value)
        await RisingEdge(dut.clk_i)


def request(dut: Any, item: tuple[int, int]) -> None:
    """Put a request on the ports."""
    dut.req_addr_i.value, dut.req_words_i.value = item


def word(dut: Any, item: int) -> None:
    """Put a word on the port."""
    dut.in_data_i.value = item


@cocotb.test()
async def writes_every_word(dut: Any) -> None:
    """Random requests at several rates; every word lies where it should and every request is answered once."""
    rng = random.Random(cocotb.RANDOM_SEED)
    await start(dut)
    for bus_stall, data_stall in ((0.0, 0.0), (0.5, 0.1), (0.1, 0.6)):
        await reset(dut)
        memory, counts = Memory(dut, rng, bus_stall, errors=0.05), {"done_o": 0, "fault_o": 0, "beat_o": 0}
        tasks = [cocotb.start_soon(memory.run()), cocotb.start_soon(watch(dut, counts))]
        requests, base = [], 0x40_0000_0000
        for _ in range(12):
            words = rng.randint(1, 180)
            requests.append((base, words))
            base += 16 * words + 16 * rng.randrange(300)
        data = [rng.getrandbits(128) for _, words in requests for _ in range(words)]
        places = [address + 16 * k for address, words in requests for k in range(words)]
        requests = [(address % (1 << 40), words) for address, words in requests]
        asking = cocotb.start_soon(
            send(dut.clk_i, dut.req_valid_i, dut.req_ready_o, lambda item: request(dut, item), requests, data_stall, rng)
        )
        await send(dut.clk_i, dut.in_valid_i, dut.in_ready_o, lambda item: word(dut, item), data, data_stall, rng)
        assert await asking == len(requests)
        for _ in range(2000):
            await RisingEdge(dut.clk_i)
            if counts["done_o"] == len(requests):
                break
        assert counts["done_o"] == len(requests)
        assert memory.words == dict(zip([place % (1 << 40) for place in places], data, strict=True))
        assert len(memory.words) == len(data) == counts["beat_o"]
        assert counts["fault_o"] == memory.faults
        for task in tasks:
            task.cancel()


@cocotb.test()
async def drains_without_data(dut: Any) -> None:
    """Bursts that are open when draining begins end with empty strobes, and nothing new begins."""
    rng = random.Random(cocotb.RANDOM_SEED)
    await start(dut)
    given_up = 0
    for stop in (3, 17, 60, 111):
        await reset(dut)
        memory = Memory(dut, rng, 0.3)
        server = cocotb.start_soon(memory.run())
        data = [rng.getrandbits(128) for _ in range(400)]
        asking = cocotb.start_soon(
            send(dut.clk_i, dut.req_valid_i, dut.req_ready_o, lambda item: request(dut, item), [(0x3F00, 400)], 0.0, rng)
        )
        feeding = cocotb.start_soon(send(dut.clk_i, dut.in_valid_i, dut.in_ready_o, lambda item: word(dut, item), data, 0.5, rng))
        while memory.beats < stop:
            await RisingEdge(dut.clk_i)
        dut.drain_i.value = 1
        await RisingEdge(dut.clk_i)
        asked = memory.asked + int(dut.m_axi_awvalid.value)
        for _ in range(4000):
            await ReadOnly()
            idle = bool(dut.idle_o.value)
            await RisingEdge(dut.clk_i)
            if idle:
                break
        assert idle
        assert memory.asked <= asked
        assert not memory.addresses and not memory.data and memory.open == 0
        assert all(memory.words[0x3F00 + 16 * k] == data[k] for k in range(len(memory.words))), "words out of place"
        assert len(memory.words) >= stop - 1
        given_up += memory.empty
        feeding.cancel()
        asking.cancel()
        server.cancel()
        dut.in_valid_i.value = 0
        dut.req_valid_i.value = 0
        dut.clear_i.value = 1
        await RisingEdge(dut.clk_i)
        dut.clear_i.value = 0
        dut.drain_i.value = 0
    assert given_up > 0
