"""The dense core on Verilator, held against the instruction-level executor."""

from __future__ import annotations

import pytest
from hao.engine.config import CI_CONFIGS
from sim.bench import BENCHES, simulate


@pytest.mark.parametrize("name", sorted(CI_CONFIGS))
def test_dense(name: str) -> None:
    config = CI_CONFIGS[name]
    ran = simulate(
        "hao_dense_bench",
        "cocotb_dense",
        parameters={"PI": config.pi, "PO": config.po, "PX": config.px},
        sources=[BENCHES / "hao_dense_bench.sv", BENCHES / "tap_file.cpp"],
        settings={"HAO_CONFIG": name},
        seed=11,
    )
    assert ran == 4
