"""The installed wheel carries templates, RTL, boards and simulation models, and runs from an empty folder."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = {"accel": "*.sv", "boards": "*.toml", "hls_templates": "*.j2", "sim": "*.sv"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    (found,) = folder.glob("hao-*.whl")
    return found


def test_every_tracked_file_of_the_shared_folders_is_in_it(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder, pattern in FOLDERS.items():
        expected = {f"hao/_share/{path.relative_to(ROOT).as_posix()}" for path in (ROOT / folder).rglob(pattern)}
        assert len(expected) >= 2
        assert expected <= names


def test_it_runs_from_an_empty_folder(wheel: Path, tmp_path: Path) -> None:
    site, empty = tmp_path / "site", tmp_path / "empty"
    empty.mkdir()
    zipfile.ZipFile(wheel).extractall(site)
    code = (
        f"import sys; sys.path.insert(0, {str(site)!r})\n"
        "import hao.resources, hao.cli.main\n"
        "from hao.runtime.verilated import board_sources\n"
        "from hao.codegen.rtl import render_package\n"
        "assert 'endpackage' in render_package()\n"
        "assert 'sim/rtl/hao_tb.sv' in board_sources()\n"
        "print(*(hao.resources.shared(name) for name in hao.resources.SHARED_FOLDERS), sep='\\n')\n"
        "sys.exit(hao.cli.main.invoke(['boards', 'ultra96v2']))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=empty, capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert [Path(line) for line in lines[:4]] == [site / "hao" / "_share" / name for name in ("accel", "boards", "hls_templates", "sim")]
    assert "xczu3eg-sbva484-1-i" in done.stdout
