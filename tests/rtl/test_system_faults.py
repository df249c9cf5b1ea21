"""Faults seeded into the system modules, one at a time: the benches of `test_system_units` must find each of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from hao.errors import SimulationError
from hao.resources import shared
from sim.bench import BENCHES, simulate

PORTS = ("*_i", "*_o", "m_axi_*", "s_axil_*")
DMA = {"HAO_MAX_BURST": "64", "HAO_OUTSTANDING": "4"}
FM = "hao_feature_memory_bench"
BENCH: dict[str, tuple[str, dict[str, int], dict[str, str]]] = {
    "hao_load": ("cocotb_load", {"RowBytes": 320}, {"HAO_ROW_BYTES": "320"}),
    "hao_read_dma": ("cocotb_read_dma", {"MaxBurst": 64, "Outstanding": 4}, DMA),
    "hao_write_dma": ("cocotb_write_dma", {"MaxBurst": 64, "Outstanding": 4}, DMA),
    "hao_issue": ("cocotb_issue", {"QueueDepth": 5}, {"HAO_DEPTH": "5"}),
    FM: ("cocotb_feature_memory", {"FmWords": 252, "PX": 2}, {"HAO_FM_WORDS": "252", "HAO_PX": "2"}),
}
FAULTS = {
    "burst one word too long": ("hao_read_dma", "hao_burst", "16'(MaxBurst) - 16'", "16'(MaxBurst + 1) - 16'"),
    "room for a burst counted once": ("hao_read_dma", "hao_read_dma", "32'(used_q[c]) + 32'(burst_beats[c])", "32'(used_q[c])"),
    "read errors unseen": ("hao_read_dma", "hao_read_dma", "m_axi_rvalid && m_axi_rresp[1]", "m_axi_rvalid && m_axi_rresp[0]"),
    "drained beats written": ("hao_write_dma", "hao_write_dma", "full_q   <= !drain_i;", "full_q   <= 1'b1;"),
    "done with every burst": ("hao_write_dma", "hao_write_dma", ".in_data_i  (burst_last)", ".in_data_i  (1'b1)"),
    "last beat marked early": ("hao_write_dma", "hao_write_dma", "wlast_q  <= (sent_q ==", "wlast_q  <= (sent_q + 8'd1 >="),
    "dependency off by one": ("hao_issue", "hao_issue", "difference = count - needed;", "difference = count - needed + 16'd1;"),
    "dependency unsigned": ("hao_issue", "hao_issue", "return !difference[DepBits-1];", "return count >= needed;"),
    "dependency on STORE ignored": ("hao_issue", "hao_issue", "reached(done_count_i[UnitStore], header.dep_store)", "1'b1"),
    "row read too early": ("hao_load", "hao_gather_emit", "loaded_i >= lowest_q;", "loaded_i >= lowest_q - RowBits'(1);"),
    "row overwritten": ("hao_load", "hao_gather", "top_q + signed'(RowBits'(Rows));", "top_q + signed'(RowBits'(Rows + 2));"),
    "fill channels swapped": ("hao_load", "hao_gather_emit", "'{instr_i.fill0, instr_i.fill1,", "'{instr_i.fill1, instr_i.fill0,"),
    "right edge one pixel off": ("hao_load", "hao_gather_emit", "col_q < col_limit_q[k]", "col_q <= col_limit_q[k]"),
    "rows of stride 4 not skipped": ("hao_load", "hao_gather", "req_phase_q < instr_q.kernel;", "req_phase_q < 4'd4;"),
    "done before the last word": ("hao_load", "hao_load", "last = current_q.left == 16'd1", "last = current_q.left <= 16'd2"),
    "lane to the wrong plane": (FM, "hao_fm_bank", "IndexBits'(wr_addr_i[wr_sel_i[l]]", "IndexBits'(wr_addr_i[wr_sel_i[l ^ 1]]"),
    "writer starved": (FM, "hao_feature_memory", "turn_wr_q[b] <= {bank_grant[b][1:0], bank_grant[b][2]};", "turn_wr_q[b] <= 3'b001;"),
    "reader starved": (FM, "hao_feature_memory", "dense_first_q <= !dense_first_q;", "dense_first_q <= 1'b1;"),
    "unused slot not zero": (FM, "hao_feature_memory", "dense_en_2_q[s] ? bank_data", "1'b1 ? bank_data"),
}  # fmt: skip
"""Seeded faults: module under test, file, text and what it becomes."""


@pytest.mark.nightly
@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_benches_see(fault: str, tmp_path: Path) -> None:
    top, module, text, wrong = FAULTS[fault]
    good = (shared("accel") / "rtl" / f"{module}.sv").read_text(encoding="utf-8")
    assert good.count(text) == 1, f"the text of {fault!r} is not in {module} once"
    broken = tmp_path / f"{module}.sv"
    broken.write_text(good.replace(text, wrong), encoding="utf-8")
    bench, parameters, settings = BENCH[top]
    sources = [broken, *([BENCHES / f"{top}.sv"] if top == FM else [])]
    with pytest.raises(SimulationError, match=f"tests of {bench} failed"):
        simulate(top, bench, parameters=parameters, public=PORTS, sources=sources, settings=settings)
