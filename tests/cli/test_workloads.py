"""Whole frames of the workloads that no other test runs: equal on every engine, and within the cycles asked of them."""

from __future__ import annotations

import pytest

from hao.cli.run import Options, measure
from hao.cli.tables import make_console


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("network", "limit"),
    [("codenet-1x-b", 650_000), ("codenet-1x-c", 2_800_000), ("mobilenetv2-1.0", 780_000), ("ultranet", 440_000)],
)
def test_a_frame_is_equal_and_fast_enough(network: str, limit: int) -> None:
    report, _, runs = measure(Options(network, "random", plain=True), make_console())
    for run in runs.values():
        run.verdict.require_equal()
    assert set(runs) == {"csim", "rtl"}
    assert report.weights.kind == "random"
    assert report.cycles is not None and report.cycles <= limit
    assert all(layer.equal and layer.compared > 0 for layer in report.layers)
    assert all(layer.unit_cycles == layer.compute + sum(layer.stalls.values()) for layer in report.layers)
