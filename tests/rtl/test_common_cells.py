"""The common cells under random stalls, by cocotb on Verilator."""

from __future__ import annotations

from pathlib import Path

import pytest

from hao.resources import cache_folder, shared
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


def test_a_bench_does_not_need_the_folder_of_its_sources(tmp_path: Path) -> None:
    """What is built in the cache names no file outside of it, so that it can be used again when a clone is gone."""
    text = (shared("accel") / "rtl" / "hao_fifo_pair.sv").read_text(encoding="utf-8")
    for clone in ("first", "second"):
        source = tmp_path / clone / "hao_fifo_pair.sv"
        source.parent.mkdir()
        source.write_text(f"{text}// a copy\n", encoding="utf-8")
        assert simulate("hao_fifo_pair", "cocotb_fifo", parameters={"Width": 24}, settings={"HAO_CAPACITY": "2"}, sources=[source]) == 2
        source.unlink()
    copies = (cache_folder() / "benches").glob("hao_fifo_pair-*/sources/hao_fifo_pair.sv")
    built = [path for path in copies if path.read_text(encoding="utf-8").endswith("// a copy\n")]
    assert built
    parts = [path for each in built for path in each.parents[1].iterdir() if path.suffix in (".mk", ".d", ".vlt", ".dat")]
    assert len(parts) >= 3
    assert not [path.name for path in parts if str(tmp_path) in path.read_text(encoding="utf-8", errors="replace")]
