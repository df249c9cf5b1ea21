"""Board files: complete, sourced, and refused by name when they are wrong."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from hao.boards import board_names, load_board, read_board
from hao.errors import BoardError
from hao.resources import shared

FAMILY = (
    "aup-zu3", "kv260", "pynq-z2", "slice-16", "slice-2", "slice-3-4", "slice-4", "slice-5-8", "slice-8", "ultra96v1", "ultra96v2",
    "zcu102", "zcu104",
)  # fmt: skip
ZU3EG = ("aup-zu3", "ultra96v1", "ultra96v2")


def test_all_boards_are_known() -> None:
    assert board_names() == FAMILY


@pytest.mark.parametrize("name", board_names())
def test_a_board_is_called_like_its_file_and_every_number_has_a_source(name: str) -> None:
    board = load_board(name, only_supported=False)
    assert board.name == name
    sourced = {field.strip() for source in board.sources for field in source.fields.split(",")}
    numbers = {f"{section}.{key}" for section in ("resources", "clock", "ports", "dram") for key in getattr(board, section).model_dump()}
    missing = {number for number in numbers if number not in sourced and number.split(".")[0] not in sourced}
    assert missing == set()
    assert {"part", "board_part", "family", "dsp_kind"} <= sourced
    known = numbers | {section.split(".")[0] for section in numbers} | {"part", "board_part", "family", "dsp_kind"}
    assert sourced <= known


@pytest.mark.parametrize("name", ZU3EG)
def test_zu3eg_figures(name: str) -> None:
    board = load_board(name)
    assert board.resources.model_dump() == {"dsp": 360, "lut": 70560, "ff": 141120, "bram36": 216, "uram": 0}
    assert board.clock.engine_mhz == 250
    assert abs(board.clock.ps.output_mhz - 250) < 0.25
    if name != "aup-zu3":
        assert 12.7 < board.sustained_bytes_per_cycle < 12.8
    assert board.frames_per_second(1_250_000) == 200


def test_an_unknown_board_lists_the_known_ones() -> None:
    with pytest.raises(BoardError) as caught:
        load_board("zu99")
    assert "zu99" in caught.value.message
    assert "ultra96v2" in caught.value.hint


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("dsp = 360", "dsp = -1", "resources.dsp"),
        ("dsp = 360", "", "resources.dsp"),
        ("dsp = 360", "dsp = 360\ndps = 1", "resources.dps"),
        ("engine_mhz = 250.0", 'engine_mhz = "fast"', "clock.engine_mhz"),
        ("engine_mhz = 250.0", "engine_mhz = 300.0", "the dividers give 249.997 MHz, not the 300 MHz"),
        ("dividers = [6, 1]", "dividers = [64, 1]", "dividers are 1 to 63"),
        ('dsp_kind = "DSP48E2"', 'dsp_kind = "DSP48E1"', "say why not in `unsupported`"),
        ('part = "xczu3eg-sbva484-1-i"', 'part = "xc; exec rm"', "part"),
        ("[resources]", "[resources", "cannot be read"),
    ],
)
def test_a_malformed_board_file_names_the_field(tmp_path: Path, old: str, new: str, words: str) -> None:
    text = (shared("boards") / "ultra96v2.toml").read_text(encoding="utf-8")
    path = tmp_path / "mine.toml"
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(BoardError, match=words):
        read_board(path)


def test_a_board_file_of_the_users_own_is_read(tmp_path: Path) -> None:
    text = (shared("boards") / "ultra96v2.toml").read_text(encoding="utf-8")
    text = text.replace("engine_mhz = 250.0", "engine_mhz = 187.5").replace("dividers = [6, 1]", "dividers = [8, 1]")
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    assert load_board(str(path)).clock.engine_mhz == 187.5
    assert tomllib.loads(text)["clock"]["engine_mhz"] == 187.5


def test_a_board_without_the_engines_multipliers_is_refused_with_its_reason() -> None:
    with pytest.raises(BoardError, match="DSP48E1"):
        load_board("pynq-z2")
    assert load_board("pynq-z2", only_supported=False).ports.axi == "AXI3"


def test_the_list_and_one_board_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    from hao.cli.main import invoke

    assert invoke(["boards"]) == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in FAMILY)
    assert invoke(["boards", "pynq-z2"]) == 0
    shown = capsys.readouterr().out
    assert "does not run here" in shown
    assert "clock.ps.dividers: (10, 1)" in shown
