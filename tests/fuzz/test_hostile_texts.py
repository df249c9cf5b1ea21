"""Board files, reports and pages: damaged, absurd, or with text that wants to be executed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hao.boards import Board, load_board, read_board
from hao.cli.main import invoke
from hao.errors import BoardError, DataError
from hao.report.page import render_page
from hao.report.schema import EngineReport, LayerReport, Report, Weights, read_report, write_report
from hao.resources import shared
from tests.fuzz.hostile import ABSURD, DEEP, mutated, places, replaced

LIMITS = settings(max_examples=200, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
BOARD = (shared("boards") / "ultra96v2.toml").read_bytes()
DIGEST = "0" * 64
EVIL = "<script>alert(1)</script>\"'{{ 7 * 7 }}"


def report(text: str = "digits") -> Report:
    layer = LayerReport(name=text, operator=text, shape=(1, 1, 1), bits=8, signed=False, compared=1, equal=True)
    engine = EngineReport(equal=True, compared=1, digest=DIGEST, seconds=1)
    return Report(
        network=text, board=text, configuration=text, image=text,
        configuration_digest=DIGEST, weights=Weights(kind="random", digest=DIGEST),
        clock_mhz=250, host_ms=0, macs=1, engines={"reference": engine, text: engine}, layers=(layer,), prediction=text, hao_version=text,
    )  # fmt: skip


RECORD = json.loads(report().model_dump_json())


@LIMITS
@given(mutated(BOARD))
def test_damaged_boards(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "own.toml"
    path.write_bytes(data)
    try:
        board = read_board(path)
    except BoardError as error:
        assert error.exit_code == 15 and "own.toml" in error.message
        return
    assert isinstance(board, Board) and board.sustained_bytes_per_cycle > 0


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 100_000,
        "a = " + "9" * 6000,
        "a = {" * 5000,
        "[a" + ".a" * 20_000 + "]",
        "a = 1e999",
        "\ufeff",
        "a = nan",
        'a = "\\ud800"',
    ],
    ids=lambda text: text[:8],
)
def test_boards_that_are_no_boards(tmp_path: Path, text: str) -> None:
    path = tmp_path / "own.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BoardError, match=r"own\.toml"):
        read_board(path)


@pytest.mark.parametrize("value", ["inf", "nan", "-1", "0", "1e400", '"x"'])
def test_rates_that_are_no_rates(tmp_path: Path, value: str) -> None:
    lines = BOARD.decode().splitlines()
    at = next(index for index, line in enumerate(lines) if line.startswith("sustained_share"))
    path = tmp_path / "own.toml"
    path.write_text("\n".join([*lines[:at], f"sustained_share = {value}", *lines[at + 1 :]]))
    with pytest.raises(BoardError, match="sustained_share"):
        read_board(path)


@pytest.mark.parametrize("name", ["../boards/ultra96v2", "/etc/passwd", "ultra96v2\n", "", "*", "ultra96v2\0", "Ultra96V2"])
def test_boards_are_found_by_name_alone(name: str) -> None:
    with pytest.raises(BoardError):
        load_board(name)


@LIMITS
@given(st.sampled_from(places(RECORD)), st.sampled_from(ABSURD))
def test_forged_reports(tmp_path: Path, at: tuple[Any, ...], value: Any) -> None:
    path = tmp_path / "report.json"
    path.write_text(json.dumps(replaced(RECORD, at, value)))
    try:
        read = read_report(path)
    except DataError as error:
        assert error.exit_code == 4 and "report.json" in error.message
        return
    write_report(read, path)
    assert read_report(path) == read


@LIMITS
@given(mutated(json.dumps(RECORD).encode()))
def test_damaged_reports(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "report.json"
    path.write_bytes(data)
    try:
        read_report(path)
    except DataError as error:
        assert "report.json" in error.message


@pytest.mark.parametrize("text", [DEEP, "9" * 6000, "null", "", "{}", '{"version": 2}'])
def test_reports_that_are_no_reports(tmp_path: Path, text: str) -> None:
    path = tmp_path / "report.json"
    path.write_text(text)
    with pytest.raises(DataError):
        read_report(path)


def test_a_page_shows_text_and_runs_none() -> None:
    page = render_page(report(EVIL), {EVIL: b"png"})
    assert page.count("&lt;script&gt;") >= 5
    assert "<script>alert" not in page
    assert "{{ 7 * 7 }}" in page and "49" not in page.split("{{ 7 * 7 }}")[0][-20:]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["run", "../../etc/passwd"], 13),
        (["run", "digits", "--weights", "/etc/passwd"], 5),
        (["run", "digits", "--weights", "/dev/null"], 5),
        (["run", "digits", "--weights", "random:-1"], 13),
        (["run", "digits", "--configuration", "$(id)"], 2),
        (["run", "digits", "--image", "/dev/null"], 4),
        (["run", "digits", "--engines", "rtl;id"], 2),
        (["run", "digits", "--board", "../x.toml"], 15),
        (["schema", "../x"], 2),
        (["boards", "[/]"], 15),
    ],
    ids=str,
)
def test_commands_refuse_by_name(arguments: list[str], code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(arguments) == code
    error = capsys.readouterr().err
    assert error.startswith("hao: ") and "Traceback" not in error and len(error.splitlines()) <= 3
