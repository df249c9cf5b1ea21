"""The dense core on Verilator, held against the instruction-level executor."""

from __future__ import annotations

from pathlib import Path

import pytest

from hao.engine.config import CI_CONFIGS
from hao.errors import SimulationError
from hao.resources import shared
from sim.bench import BENCHES, simulate

BENCH = (BENCHES / "hao_dense_bench.sv", BENCHES / "tap_file.cpp")


@pytest.mark.parametrize("name", sorted(CI_CONFIGS))
def test_dense(name: str) -> None:
    config = CI_CONFIGS[name]
    ran = simulate(
        "hao_dense_bench",
        "cocotb_dense",
        parameters={"PI": config.pi, "PO": config.po, "PX": config.px},
        sources=BENCH,
        settings={"HAO_CONFIG": name},
        seed=11,
    )
    assert ran == 4


FAULTS = {
    "lower lane borrows": ("hao_dsp_row", "48'h20000", "48'h0"),
    "products overlap": ("hao_mac_array", "{x[0], 18'b0}", "{x[0], 17'b0}"),
    "weights swap late": ("hao_mac_array", ".b_en_i   (swap_q[K])", ".b_en_i   (swap_q[K] && valid_q[0])"),
    "sums kept from the chunk before": ("hao_accumulator", "ahead_first_i ? '0 :", "(ahead_first_i && ahead_group_i != 5'd9) ? '0 :"),
    "credit too many": ("hao_dense_addr", "credits_q <= CreditWidth'(Credits);", "credits_q <= CreditWidth'(Credits + 1);"),
    "padding read as a pixel": ("hao_dense_addr", "ix[15:0] < place_in_w_q", "ix[15:0] <= place_in_w_q"),
    "bank conflict ignored": ("hao_dense_addr", "in_addr[0][0] == in_addr[PX-1][0]", "1'b0"),
    "tile offered early": ("hao_weight_tile", "Early   = 6", "Early   = 7"),
    "one rounding constant wrong": ("hao_requant", "round[15 + 4*code]", "round[code == 2 ? 22 : 15 + 4*code]"),
    "parameters of the instruction before": ("hao_dense_out", ".use_i   (start)", ".use_i   (start && instr.hi != 16'sd15)"),
}
"""Seeded faults: module, text and what it becomes."""


@pytest.mark.nightly
@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_dense_bench_sees(fault: str, tmp_path: Path) -> None:
    module, text, wrong = FAULTS[fault]
    good = (shared("accel") / "rtl" / f"{module}.sv").read_text(encoding="utf-8")
    assert text in good
    broken = tmp_path / f"{module}.sv"
    broken.write_text(good.replace(text, wrong), encoding="utf-8")
    with pytest.raises(SimulationError, match="tests of cocotb_dense failed"):
        simulate(
            "hao_dense_bench", "cocotb_dense", parameters={"PI": 16, "PO": 16, "PX": 2}, sources=[*BENCH, broken],
            settings={"HAO_CONFIG": "16x16x2"}, seed=11,
        )  # fmt: skip
