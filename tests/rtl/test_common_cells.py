"""The common cells under random stalls, by cocotb on Verilator."""

from __future__ import annotations

import pytest

from sim.bench import simulate


@pytest.mark.parametrize(("depth", "fall_through"), [(1, 0), (5, 1)])
def test_fifo(depth: int, fall_through: int) -> None:
    parameters = {"Width": 24, "Depth": depth, "FallThrough": fall_through}
    assert simulate("hao_fifo", "cocotb_fifo", parameters=parameters, settings={"HAO_CAPACITY": str(depth)}) == 2


def test_fifo_pair() -> None:
    assert simulate("hao_fifo_pair", "cocotb_fifo", parameters={"Width": 24}, settings={"HAO_CAPACITY": "2"}) == 2


@pytest.mark.parametrize("depth", [64])
def test_fifo_ram(depth: int) -> None:
    parameters = {"Width": 128, "Depth": depth}
    assert simulate("hao_fifo_ram", "cocotb_fifo", parameters=parameters, settings={"HAO_CAPACITY": str(depth + 4)}) == 2
