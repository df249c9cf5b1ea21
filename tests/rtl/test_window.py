"""The window memory on Verilator, held against a dictionary."""

from __future__ import annotations

import pytest

from sim.bench import simulate


@pytest.mark.parametrize("depth", [32, 100])
def test_window(depth: int) -> None:
    assert simulate("hao_window", "cocotb_window", parameters={"WinDepth": depth}, settings={"HAO_WIN_DEPTH": str(depth)}) == 2
