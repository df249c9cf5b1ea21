"""Registers, DMA, LOAD and feature memory, each alone, under random stalls (cocotb on Verilator)."""

from __future__ import annotations

import pytest

from sim.bench import BENCHES, simulate

AXI = ("*_i", "*_o", "m_axi_*", "s_axil_*")


def test_registers() -> None:
    digest = 0x0123_4567_89AB_CDEF
    parameters = {"ConfigDigest": f"64'h{digest:016x}"}
    settings = {"HAO_DIGEST": str(digest)}
    assert simulate("hao_regs", "cocotb_regs", parameters=parameters, public=(*AXI,), settings=settings) == 4


@pytest.mark.parametrize(("max_burst", "outstanding"), [(64, 4), (4, 1)])
@pytest.mark.parametrize(("side", "tests"), [("read", 3), ("write", 2)])
def test_dma(side: str, tests: int, max_burst: int, outstanding: int) -> None:
    parameters = {"MaxBurst": max_burst, "Outstanding": outstanding}
    settings = {"HAO_MAX_BURST": str(max_burst), "HAO_OUTSTANDING": str(outstanding)}
    assert simulate(f"hao_{side}_dma", f"cocotb_{side}_dma", parameters=parameters, public=AXI, settings=settings) == tests


@pytest.mark.parametrize("row_bytes", [512, 320])
def test_load_and_gather(row_bytes: int) -> None:
    assert simulate("hao_load", "cocotb_load", parameters={"RowBytes": row_bytes}, settings={"HAO_ROW_BYTES": str(row_bytes)}) == 4


@pytest.mark.parametrize("px", [1, 2])
def test_feature_memory(px: int) -> None:
    words = 250 + px
    wrapper = BENCHES / "hao_feature_memory_bench.sv"
    settings = {"HAO_FM_WORDS": str(words), "HAO_PX": str(px)}
    parameters = {"FmWords": words, "PX": px}
    assert simulate(wrapper.stem, "cocotb_feature_memory", parameters=parameters, sources=[wrapper], settings=settings) == 2


def test_issue() -> None:
    assert simulate("hao_issue", "cocotb_issue", parameters={"QueueDepth": 5}, settings={"HAO_DEPTH": "5"}) == 2
