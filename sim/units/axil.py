"""AXI4-Lite master for cocotb benches, with random gaps on every channel."""

from __future__ import annotations

import random
from typing import Any

import cocotb
from cocotb.triggers import ReadOnly, RisingEdge


class AxiLite:
    """Drives the ``s_axil_*`` ports of ``dut``.

    Args:
        stall: probability of a gap in any cycle on any channel.
    """

    def __init__(self, dut: Any, rng: random.Random, stall: float = 0.3) -> None:
        self._dut, self._rng, self._stall = dut, rng, stall
        for name in ("awvalid", "wvalid", "bready", "arvalid", "rready", "awaddr", "wdata", "wstrb", "araddr"):
            self._port(name).value = 0

    def _port(self, name: str) -> Any:
        return getattr(self._dut, f"s_axil_{name}")

    async def _gap(self) -> None:
        while self._rng.random() < self._stall:
            await RisingEdge(self._dut.clk_i)

    async def _send(self, channel: str, **payload: int) -> None:
        await self._gap()
        for name, value in payload.items():
            self._port(name).value = value
        self._port(f"{channel}valid").value = 1
        taken = False
        while not taken:
            await ReadOnly()
            taken = bool(self._port(f"{channel}ready").value)
            await RisingEdge(self._dut.clk_i)
        self._port(f"{channel}valid").value = 0

    async def _receive(self, channel: str, payload: str) -> tuple[int, int]:
        await self._gap()
        self._port(f"{channel}ready").value = 1
        while True:
            await ReadOnly()
            valid = bool(self._port(f"{channel}valid").value)
            value, response = int(self._port(payload).value), int(self._port(f"{channel}resp").value)
            await RisingEdge(self._dut.clk_i)
            if valid:
                self._port(f"{channel}ready").value = 0
                return value, response

    async def write(self, address: int, value: int, strobe: int = 15) -> None:
        """One write; address and data arrive in any order. The response must be OKAY."""
        data = cocotb.start_soon(self._send("w", wdata=value, wstrb=strobe))
        await self._send("aw", awaddr=address)
        await data
        _, response = await self._receive("b", "bresp")
        assert response == 0

    async def read(self, address: int) -> int:
        """One read. The response must be OKAY."""
        await self._send("ar", araddr=address)
        value, response = await self._receive("r", "rdata")
        assert response == 0
        return value
