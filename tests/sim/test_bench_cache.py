"""Benches that another installation built are built again when that installation is gone."""

from __future__ import annotations

from pathlib import Path

import pytest

from sim.bench import forget_lost_tools


@pytest.mark.parametrize("gone", [False, True])
def test_objects_of_an_installation_that_is_gone(tmp_path: Path, gone: bool) -> None:
    tools, built = tmp_path / "venv" / "site-packages", tmp_path / "bench"
    built.mkdir()
    if not gone:
        tools.mkdir(parents=True)
    (built / "verilator.d").write_text(f"verilator.o: {tools}/cocotb/verilator.cpp ../other/site-packages/a.h\n", encoding="utf-8")
    (built / "verilator.o").write_bytes(b"")
    (built / "Vtop.h").write_text("", encoding="utf-8")
    forget_lost_tools(built)
    assert [path.name for path in sorted(built.iterdir())] == (["Vtop.h"] if gone else ["Vtop.h", "verilator.d", "verilator.o"])
