"""The simulated board's SystemVerilog is free of warnings."""

from __future__ import annotations

import subprocess
from pathlib import Path

from hao.resources import shared
from hao.toolchain import build_environment, require_verilator


def test_verilator_has_nothing_to_say() -> None:
    sources = sorted((shared("sim") / "rtl").glob("*.sv"))
    assert len(sources) >= 5
    engine = Path(__file__).parent / "rtl" / "hao_engine.sv"
    command = [
        str(require_verilator()), "--lint-only", "-Wall", "-Wno-SYNCASYNCNET", "--assert", "--top-module", "hao_tb",
        *map(str, sources), str(engine),
    ]  # fmt: skip
    done = subprocess.run(command, env=build_environment(), capture_output=True, text=True, check=False)
    # the copy engine has the real one's parameters and uses few of them
    warnings = [line for line in done.stderr.splitlines() if line.startswith("%Warning") and engine.name not in line]
    assert warnings == []
    assert "syntax error" not in done.stderr
