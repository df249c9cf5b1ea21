"""``hao synth`` from the command line, on blocks small enough for every run."""

from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path

import pytest

from hao.cli import synth
from hao.cli.main import invoke
from hao.errors import BoardError, ConfigurationError, MissingTool, SynthesisError
from hao.synth import yosys
from hao.synth.report import Synthesis
from hao.synth.sources import Sources

BLOCK = "hao_control"
"""A state machine: no memory, no multiplier, a second or two."""


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HAO_CACHE", str(tmp_path / "cache"))
    return tmp_path


def test_one_block_is_synthesized_once(empty_cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["synth", "8x8x1", "--module", BLOCK, "--json", str(empty_cache / "report.json")]
    assert invoke(arguments) == 0
    text = (empty_cache / "report.json").read_text(encoding="utf-8")
    report = Synthesis.model_validate_json(text)
    assert {"lut", "ff", "dsp", "bram36", "logic_levels", "modules", "tool"} <= set(json.loads(text))
    assert [row.module for row in report.modules] == [BLOCK]
    total = report.total()
    assert (report.lut, report.ff, report.dsp, report.bram36) == (total.lut, total.ff, 0, 0)
    assert report.lut > 0 and report.ff > 0 and report.logic_levels > 0 and report.path_ns > 0
    assert report.tool == yosys.yosys_version()
    said = capsys.readouterr().out
    assert BLOCK in said and "no sign-off" in said

    def refuse(*_: object) -> None:
        raise AssertionError("synthesized again")

    monkeypatch.setattr(yosys, "_run", refuse)
    assert invoke(arguments) == 0
    assert (empty_cache / "report.json").read_text(encoding="utf-8") == text


def test_whole_is_one_block_and_no_larger(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """hao_load holds hao_gather, which holds hao_gather_emit: three rows, or one without the instruction's bits that no block reads."""
    found = []
    for options in ([], ["--whole"]):
        report = tmp_path / f"{len(options)}.json"
        assert invoke(["synth", "8x8x1", "--module", "hao_load", "--json", str(report), *options]) == 0
        found.append(Synthesis.model_validate_json(report.read_text()))
    blocks, whole = found
    assert [row.module for row in blocks.modules] == ["hao_load", "hao_gather", "hao_gather_emit"]
    assert [row.module for row in whole.modules] == ["hao_load"]
    assert (whole.dsp, whole.bram36) == (blocks.dsp, blocks.bram36)
    assert 0.6 * blocks.ff < whole.ff < blocks.ff
    assert 0.8 * blocks.lut < whole.lut < blocks.lut
    capsys.readouterr()


def test_a_changed_source_is_synthesized_anew(empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = []

    def stop(folder: Path, script: str) -> None:
        ran.append(script)
        raise SynthesisError("stopped")

    monkeypatch.setattr(yosys, "_run", stop)
    sources = Sources.load()
    entry = yosys.plan_block(sources, yosys.BlockKey(BLOCK))
    (empty_cache / "cache").mkdir()
    (empty_cache / "cache" / f"{entry.kind}-{entry.digest()[:24]}").mkdir()
    file = sources.modules[BLOCK]
    newer = Sources({**sources.files, file: sources.files[file].replace("endmodule", "logic more;\nendmodule")})
    with pytest.raises(SynthesisError, match="stopped"):
        yosys.synthesize(newer, yosys.BlockKey(BLOCK))
    assert len(ran) == 1


def test_without_yosys_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def absent(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", absent)
    assert invoke(["synth", "8x8x1", "--module", BLOCK]) == MissingTool.exit_code
    said = capsys.readouterr().err
    assert "needs Yosys" in said and "hao[synth]" in said


def test_what_yosys_says_reaches_the_user(empty_cache: Path) -> None:
    sources = Sources.load()
    file = sources.modules[BLOCK]
    broken = Sources({**sources.files, file: sources.files[file].replace("endmodule", "hao_nowhere i_nowhere ();\nendmodule")})
    with pytest.raises(SynthesisError, match="hao_nowhere"):
        yosys.synthesize(broken, yosys.BlockKey(BLOCK))
    assert [path for path in (empty_cache / "cache").iterdir() if path.suffix != ".lock"] == []


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["3x3x3"], ConfigurationError.exit_code, "no configuration '3x3x3'"),
        (["8x8x1", "--module", "hao_absent"], SynthesisError.exit_code, "no module 'hao_absent'"),
        (["8x8x1", "--whole", "--table"], SynthesisError.exit_code, "--whole has none"),
        (["8x8x1", "--board", "zu99"], BoardError.exit_code, "no board called 'zu99'"),
    ],
)
def test_what_does_not_exist_is_refused_by_name(arguments: list[str], code: int, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["synth", *arguments]) == code
    assert words in capsys.readouterr().err


def test_a_model_without_tables_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("hao.synth.calibration.table_path", lambda name: tmp_path / name)
    assert invoke(["synth", "--calibrate"]) == SynthesisError.exit_code
    assert "no synthesis table" in capsys.readouterr().err


def test_too_large_and_too_deep_designs_fail(tmp_path: Path) -> None:
    from hao.boards import load_board
    from tests.synth.test_tables import a_table

    board = load_board("ultra96v2")
    assert synth._verdict(a_table(), board) == 0
    with pytest.raises(SynthesisError, match="DSP: 361 of 360"):
        synth._verdict(a_table(dsp=361), board)
    with pytest.raises(SynthesisError, match="99 logic levels"):
        synth._verdict(a_table(levels=99), board)
