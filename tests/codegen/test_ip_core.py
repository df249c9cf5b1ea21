"""The sources of the packaged IP core as they lie in the project: the Verilog top and the engine below it fit together."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from hao.boards import load_board
from hao.codegen.rtl_ip import IP_TOP, WRAPPER, plan_rtl_ip
from hao.engine.config import CI_CONFIGS
from hao.resources import shared
from hao.toolchain import build_environment, require_verilator


def complaints(files: Mapping[str, str], folder: Path) -> list[str]:
    """What Verilator says against the core in the files of a project."""
    names = [name for name in files if name.startswith("rtl/")]
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(files[name], encoding="utf-8")
    package = sorted(names, key=lambda name: not name.endswith("_pkg.sv"))
    # the assertions sample the asynchronous reset; accel/waivers.vlt says so of its name inside the engine
    flags = ["--lint-only", "-Wall", "-Wno-SYNCASYNCNET", "--assert", "--top-module", IP_TOP]
    command = [str(require_verilator()), *flags, str(shared("accel") / "waivers.vlt")]
    done = subprocess.run([*command, *package], cwd=folder, env=build_environment(), capture_output=True, text=True, check=False)
    found = [line for line in done.stderr.splitlines() if line.startswith("%")]
    assert bool(found) == bool(done.returncode), done.stderr
    return found


@pytest.mark.parametrize("name", ["8x8x1", pytest.param("16x16x2", marks=pytest.mark.nightly)])
def test_the_core_elaborates_without_a_warning(name: str, tmp_path: Path) -> None:
    assert complaints(plan_rtl_ip(CI_CONFIGS[name], load_board("ultra96v2")).files, tmp_path) == []


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("    .m_axi_rlast(m_axi_rlast),\n", "", "PINMISSING"),
        ("output wire [39:0]  m_axi_araddr", "output wire [31:0]  m_axi_araddr", "WIDTHEXPAND"),
        pytest.param(".s_axil_wstrb(s_axil_wstrb)", ".s_axil_wstrobe(s_axil_wstrb)", "PINNOTFOUND", marks=pytest.mark.nightly),
        pytest.param(".FmWords", ".FmWord", "Parameter not found", marks=pytest.mark.nightly),
    ],
)
def test_a_seeded_fault_in_the_top_is_found(old: str, new: str, rule: str, tmp_path: Path) -> None:
    files = dict(plan_rtl_ip(CI_CONFIGS["8x8x1"], load_board("ultra96v2")).files)
    assert old in files[WRAPPER]
    files[WRAPPER] = files[WRAPPER].replace(old, new)
    assert any(rule in line for line in complaints(files, tmp_path))
