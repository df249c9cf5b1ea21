"""The LUT multiplier gives the product of every pair of operands."""

from __future__ import annotations

from typing import Any

import cocotb
from cocotb.triggers import RisingEdge, with_timeout
from streams import start


@cocotb.test()
async def every_pair(dut: Any) -> None:
    """All 512 x 256 pairs."""
    await start(dut)
    await with_timeout(RisingEdge(dut.done_o), 2, "ms")
    await RisingEdge(dut.clk_i)
    assert int(dut.compared_o.value) == 512 * 256
    assert int(dut.wrong_o.value) == 0
