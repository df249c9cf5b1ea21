"""The requantization lanes on Verilator, held against Python integers."""

from __future__ import annotations

import pytest

from sim.bench import BENCHES, simulate


@pytest.mark.parametrize("lanes", [8, 16])
def test_requant(lanes: int) -> None:
    ran = simulate(
        "hao_requant_bench", "cocotb_requant", parameters={"NumLanes": lanes}, sources=[BENCHES / "hao_requant_bench.sv"], seed=7
    )
    assert ran == 4
