"""Every reproducer that was ever found stays equal on every engine; open ones lie under ``open`` and are expected to fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from hao.fuzz.engines import ENGINES, Fleet
from hao.fuzz.outcome import Outcome, Verdict
from hao.fuzz.programs import ProgramCase, run_program
from hao.fuzz.reproducer import load_reproducer

FOLDER = Path(__file__).parent / "reproducers"
CLOSED, OPEN = sorted(FOLDER.glob("*.json")), sorted(FOLDER.glob("open/*.json"))


def replay(path: Path) -> Outcome:
    case, config = load_reproducer(path)
    fleet = Fleet(ENGINES, {case.config: config})
    return run_program(fleet, case) if isinstance(case, ProgramCase) else fleet.run(case)


@pytest.mark.parametrize("path", CLOSED, ids=lambda path: path.stem)
def test_closed(path: Path) -> None:
    outcome = replay(path)
    assert outcome.verdict is not Verdict.FAILED, outcome.message
    assert outcome.compared > 0 or outcome.verdict is Verdict.REFUSED


if OPEN:

    @pytest.mark.xfail(strict=True, reason="open; once it passes, move it one folder up")
    @pytest.mark.parametrize("path", OPEN, ids=lambda path: path.stem)
    def test_open(path: Path) -> None:
        outcome = replay(path)
        assert outcome.verdict is not Verdict.FAILED, outcome.message


def test_there_is_something_to_replay() -> None:
    assert CLOSED
