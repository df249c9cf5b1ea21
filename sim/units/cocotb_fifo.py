"""hao_fifo, hao_fifo_pair and hao_fifo_ram: everything that enters leaves in order, whatever both sides stall."""

from __future__ import annotations

import os
import random
from typing import Any

import cocotb
from cocotb.triggers import ReadOnly, RisingEdge
from streams import receive, send, start


@cocotb.test()
async def keeps_order(dut: Any) -> None:
    """Random data through random stalls, at three ratios of the two sides' speeds."""
    rng = random.Random(cocotb.RANDOM_SEED)
    await start(dut)
    width = len(dut.in_data_i)
    for stall_in, stall_out in ((0.0, 0.5), (0.5, 0.0), (0.3, 0.3), (0.0, 0.0)):
        sent = [rng.getrandbits(width) for _ in range(600)]

        def drive(item: int) -> None:
            dut.in_data_i.value = item

        task = cocotb.start_soon(send(dut.clk_i, dut.in_valid_i, dut.in_ready_o, drive, sent, stall_in, rng))
        got = await receive(
            dut.clk_i, dut.out_valid_o, dut.out_ready_i, lambda: int(dut.out_data_o.value), len(sent), stall_out, rng
        )
        assert await task == len(sent)
        assert got == sent, f"first difference at {next(i for i, (a, b) in enumerate(zip(got, sent, strict=True)) if a != b)}"


@cocotb.test()
async def holds_its_depth_and_clears(dut: Any) -> None:
    """A buffer that nobody empties takes its depth (and what lies behind it), and is empty after clear."""
    rng = random.Random(cocotb.RANDOM_SEED)
    await start(dut)
    taken, behind = 0, 0
    dut.in_valid_i.value = 1
    for _ in range(2000):
        dut.in_data_i.value = rng.getrandbits(4)
        await ReadOnly()
        if not dut.in_ready_o.value and behind > 8:
            break
        taken += int(dut.in_ready_o.value)
        behind = 0 if dut.in_ready_o.value else behind + 1
        await RisingEdge(dut.clk_i)
    await RisingEdge(dut.clk_i)
    expected = int(os.environ["HAO_CAPACITY"])
    assert taken == expected, f"took {taken} entries, not {expected}"
    dut.clear_i.value = 1
    await RisingEdge(dut.clk_i)
    dut.clear_i.value = 0
    dut.in_valid_i.value = 0
    for _ in range(4):
        await RisingEdge(dut.clk_i)
    await ReadOnly()
    assert not dut.out_valid_o.value
