"""FILL, the window and unit DW on Verilator, held against the executor."""

from __future__ import annotations

import pytest

from sim.bench import BENCHES, simulate

SOURCES = [BENCHES / "hao_dw_bench.sv", BENCHES / "tap_file.cpp"]


@pytest.mark.parametrize(("px", "lanes"), [(1, 8), (1, 16), (2, 8), (2, 16)])
def test_dw(px: int, lanes: int) -> None:
    settings = {"HAO_PX": str(px), "HAO_DW_LANES": str(lanes), "HAO_PROGRAMS": "12"}
    ran = simulate("hao_dw_bench", "cocotb_dw", parameters={"PX": px, "DwLanes": lanes}, sources=SOURCES, settings=settings, seed=3)
    assert ran == 6
