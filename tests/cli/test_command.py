"""The command line: quick, and every failure is one clear line with its own exit code."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hao.cli.main import invoke
from hao.errors import HaoError, error_classes

ROOT = Path(__file__).resolve().parents[2]


def test_every_error_has_an_exit_code_of_its_own() -> None:
    codes = [cls.exit_code for cls in error_classes()]
    assert len(codes) == len(set(codes)) >= 20
    assert all(0 < code < 128 for code in codes)


def test_the_page_of_exit_codes_is_the_code() -> None:
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \|", (ROOT / "docs" / "exit-codes.md").read_text(encoding="utf-8"), re.M)
    assert {name: int(code) for code, name in rows} == {cls.__name__: cls.exit_code for cls in error_classes()}


def test_an_error_prints_one_line_and_its_hint() -> None:
    assert str(HaoError("what", "do this")) == "what\n  do this"
    assert str(HaoError("what")) == "what"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["boards", "nope"], 15, "there is no board called 'nope'"),
        (["no-such-command"], 2, "No such command"),
        (["boards", "--no-such-option"], 2, "No such option"),
        (["boards"], 0, ""),
        (["boards", "ultra96v1"], 0, ""),
    ],
)
def test_exit_codes(arguments: list[str], code: int, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(arguments) == code
    error = capsys.readouterr().err
    assert words in error
    assert "Traceback" not in error
    assert (error == "") == (code == 0)


def test_help_takes_at_most_half_a_second() -> None:
    best = 10.0
    for _ in range(5):
        start = time.perf_counter()
        done = subprocess.run([sys.executable, "-m", "hao.cli", "--help"], capture_output=True, text=True, check=True)
        best = min(best, time.perf_counter() - start)
    assert "doctor" in done.stdout
    assert best <= 0.5


def test_the_command_line_imports_no_heavy_package() -> None:
    code = "import sys, hao.cli.main; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    loaded = set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())
    assert "typer" in loaded
    assert loaded & {"numpy", "torch", "matplotlib", "pydantic", "skimage", "scipy", "jinja2", "PIL"} == set()
