"""hao_window: two writers at once, then nine reads a cycle at every displacement, against a dictionary."""

from __future__ import annotations

import itertools
import os
import random
from typing import Any

import cocotb
from cocotb.triggers import ReadOnly, RisingEdge
from streams import start

from hao.engine.isa import TAPS, WINDOW_BANKS

DEPTH = int(os.environ["HAO_WIN_DEPTH"])
LATENCY = 4

Place = tuple[int, int]


async def write_all(dut: Any, queues: list[list[tuple[Place, int]]], rng: random.Random, idle: float) -> list[int]:
    """Offer both queues on their ports until they are empty; which writer was served in each cycle that served one."""
    served: list[int] = []
    offered = [False, False]
    while any(queues):
        for port, queue in enumerate(queues):
            if queue and not offered[port] and rng.random() >= idle:
                (bank, address), data = queue[0]
                dut.wr_bank_i[port].value, dut.wr_addr_i[port].value, dut.wr_data_i[port].value = bank, address, data
                offered[port] = True
        dut.wr_valid_i.value = offered[0] | offered[1] << 1
        await ReadOnly()
        ready = int(dut.wr_ready_o.value)
        await RisingEdge(dut.clk_i)
        taken = [port for port in (0, 1) if offered[port] and ready >> port & 1]
        assert len(taken) == (1 if any(offered) else 0), "one of the waiting writers is served in every cycle"
        for port in taken:
            queues[port].pop(0)
            offered[port] = False
            served.append(port)
    dut.wr_valid_i.value = 0
    for _ in range(2):
        await RisingEdge(dut.clk_i)
    return served


@cocotb.test()
async def writes_and_reads(dut: Any) -> None:
    """Every word written by either writer is read back by the taps that name it, four cycles later; other taps read zero."""
    rng = random.Random(cocotb.RANDOM_SEED)
    await start(dut)
    held: dict[Place, int] = {}
    queues: list[list[tuple[Place, int]]] = [[], []]
    for bank in range(WINDOW_BANKS):
        for address in range(DEPTH):
            data = rng.getrandbits(128)
            held[bank, address] = data
            queues[rng.randint(0, 1)].append(((bank, address), data))
    await write_all(dut, queues, rng, 0.3)
    compared = 0
    waiting: list[list[int] | None] = [None] * LATENCY
    for cycle in range(3000):
        ask = cycle < 2990 and rng.random() < 0.8
        expected: list[int] | None = None
        dut.rd_valid_i.value = int(ask)
        if ask:
            d, row, column = rng.randint(-8, 8), rng.randint(0, 10), rng.randint(0, 10)
            enabled, together = rng.getrandbits(TAPS), rng.randrange(DEPTH)
            expected = []
            for tap in range(TAPS):
                y, x = row + (tap // 3 - 1) * d, column + (tap % 3 - 1) * d
                place = ((3 * y + x) % WINDOW_BANKS, together if d == 0 else rng.randrange(DEPTH))
                dut.rd_bank_i[tap].value, dut.rd_addr_i[tap].value = place
                expected.append(held[place] if enabled >> tap & 1 else 0)
            dut.rd_en_i.value = enabled
        waiting.append(expected)
        await ReadOnly()
        due = waiting.pop(0)
        assert bool(dut.rd_valid_o.value) == (due is not None), f"cycle {cycle}: an answer at the wrong time"
        if due is not None:
            got = [int(dut.rd_data_o[tap].value) for tap in range(TAPS)]
            assert got == due, f"cycle {cycle}: tap {next(t for t in range(TAPS) if got[t] != due[t])} differs"
            compared += TAPS
        await RisingEdge(dut.clk_i)
    assert compared > 15_000
    dut._log.info("%d taps compared", compared)


@cocotb.test()
async def serves_writers_in_turn(dut: Any) -> None:
    """Two writers that never rest are served alternately."""
    await start(dut)
    queues = [[((port, k % DEPTH), k) for k in range(100)] for port in (0, 1)]
    served = await write_all(dut, queues, random.Random(1), 0.0)
    assert len(served) == 200
    assert all(a != b for a, b in itertools.pairwise(served))
