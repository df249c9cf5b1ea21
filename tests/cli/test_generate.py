"""``hao generate``: every target for a board, errors by name, nothing half-written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hao.cli.generate import TARGETS, read_design
from hao.cli.main import invoke
from hao.codegen.tcl_project import MANIFEST
from hao.engine.config import CI_CONFIGS
from hao.errors import BoardError, ConfigurationError, UsageError
from hao.resources import shared

ENTRY = {"vitis-hls": "hao_project.tcl", "rtl-ip": "package_ip.tcl", "vivado": "build.tcl"}


@pytest.mark.parametrize("target", ENTRY)
def test_every_target_is_written_and_repeats_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str], target: str) -> None:
    arguments = ["generate", "8x8x1", "--target", target, "--board", "kv260", "--out", str(tmp_path / "p")]
    assert invoke(arguments) == 0
    said = capsys.readouterr().out
    manifest = json.loads((tmp_path / "p" / MANIFEST).read_text())
    assert manifest["target"] == target
    assert manifest["digest"] in said
    assert ENTRY[target] in said.splitlines()[-1]
    there = {str(path.relative_to(tmp_path / "p")) for path in (tmp_path / "p").rglob("*") if path.is_file()}
    assert there == {*manifest["files"], MANIFEST}
    assert manifest["settings"]["digest"] == CI_CONFIGS["8x8x1"].digest()
    assert "xck26-sfvc784-2LV-c" in (tmp_path / "p" / ENTRY[target]).read_text()
    assert invoke(arguments) == 0
    assert "unchanged" in capsys.readouterr().out


def test_a_device_that_is_too_small_is_said_to_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["generate", "16x16x2", "--target", "vivado", "--board", "kv260", "--out", str(tmp_path / "p")]) == 0
    assert "warning: 16x16x2 needs 149 BRAM36 of 144 on kv260" in capsys.readouterr().out
    assert invoke(["generate", "16x16x2", "--target", "vivado", "--board", "ultra96v2", "--out", str(tmp_path / "q")]) == 0
    assert "warning" not in capsys.readouterr().out
    board = tmp_path / "mine.toml"
    text = (shared("boards") / "ultra96v2.toml").read_text()
    board.write_text(text.replace("dsp = 360", "dsp = 240").replace("bram36 = 216", "bram36 = 100"))
    assert invoke(["bitstream", "16x16x2", "--board", str(board), "--out", str(tmp_path / "r")]) == BoardError.exit_code
    assert "does not fit: 16x16x2 needs 360 DSP of 240, 149 BRAM36 of 100" in capsys.readouterr().err
    assert not (tmp_path / "r").exists()
    archive = tmp_path / "a.tar.gz"
    assert invoke(["bitstream", "16x16x2", "--board", "kv260", "--out", str(tmp_path / "s"), "--archive", str(archive)]) == 0
    assert "it fits only if the tool takes UltraRAM" in capsys.readouterr().out


def test_the_c_driver_is_a_target(tmp_path: Path) -> None:
    assert set(TARGETS) == {*ENTRY, "c-driver"}
    assert invoke(["generate", "8x8x1", "--target", "c-driver", "--out", str(tmp_path / "p")]) == 0
    assert f"{CI_CONFIGS['8x8x1'].digest64() >> 32:08X}" in (tmp_path / "p" / "hao_regs.h").read_text()


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"--target": "quartus"}, UsageError.exit_code, "no target 'quartus'"),
        ({"--board": "pynq-z2"}, BoardError.exit_code, "DSP48E1"),
        ({"--board": "zu99"}, BoardError.exit_code, "no board called 'zu99'"),
        ({"design": "3x3x3"}, ConfigurationError.exit_code, "no configuration '3x3x3'"),
    ],
)
def test_what_does_not_exist_is_refused_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, str], code: int, words: str
) -> None:
    options = {"--target": "vivado", "--board": "ultra96v2", "--out": str(tmp_path / "p"), **changes}
    design = options.pop("design", "8x8x1")
    assert invoke(["generate", design, *(part for pair in options.items() for part in pair)]) == code
    assert words in capsys.readouterr().err
    assert not (tmp_path / "p").exists()


def test_a_design_file_gives_the_parameters(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text(json.dumps({"pi": 8, "fm_words": 8192, "win_depth": 256, "wb_words": 2048}))
    assert read_design(str(path)) == CI_CONFIGS["8x16x2"]


@pytest.mark.parametrize(("text", "words"), [("{", "cannot be read"), ('{"pi": 7}', "pi must be one of"), ('{"pj": 8}', "pj")])
def test_a_bad_design_file_says_what_is_wrong(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "mine.json"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=words):
        read_design(str(path))
