"""A solver that is missing, crashes, is killed, overruns or stops early: a clear answer each time, and no claim."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hao.errors import MissingTool, SearchError
from hao.search import solver
from hao.search.decompose import judge
from hao.search.precision import narrowed, read_table, undominated
from hao.search.verify import damage_by_table
from tests.search.brute import random_space


def _script(path: Path, body: str) -> str:
    path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    path.chmod(0o755)
    return str(path)


def test_missing_solver_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HAO_CBC", str(tmp_path / "absent"))
    with pytest.raises(MissingTool, match="CBC is not at"):
        judge(random_space(8))


@pytest.mark.parametrize("body", ["echo out of memory; exit 3", "kill -9 $$"])
def test_crashed_or_killed_solver_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, body: str) -> None:
    monkeypatch.setenv("HAO_CBC", _script(tmp_path / "cbc", body))
    with pytest.raises(SearchError, match="the solver ended with status"):
        judge(random_space(8))


def test_overrunning_solver_is_ended_by_us(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HAO_CBC", _script(tmp_path / "cbc", "exec sleep 60"))
    monkeypatch.setattr(solver, "_GRACE", 0.2)
    found = judge(random_space(8), seconds=0.3)
    assert found.status == "unknown"
    assert found.answer is None


def test_table_of_perturbations(tmp_path: Path) -> None:
    path = tmp_path / "table.json"
    path.write_text('{"layers": {"a": {"4": 0.5, "8": 0.0}}}', encoding="utf-8")
    assert read_table(path) == {"a": {4: 0.5, 8: 0.0}}
    path.write_text('{"layers": [{"name": "a", "sensitivity": {"4": 0.5, "8": 0.0}, "bits": 8}], "network": "n"}', encoding="utf-8")
    assert read_table(path) == {"a": {4: 0.5, 8: 0.0}}
    assert damage_by_table(path, {"a": 4}) == 0.5
    wrongs = (
        '{"layers": [{"name": "a", "sensitivity": {}}]}', '{"layers": {"a": {"9": 1}}}', '{"layers": {"a": {"4": -1}}}',
        '{"layers": {"a": {}}}', "[]", "{",
    )  # fmt: skip
    for wrong in wrongs:
        path.write_text(wrong, encoding="utf-8")
        with pytest.raises(SearchError, match=r"perturbations|cannot be used"):
            read_table(path)


def test_dominated_widths_are_left_out() -> None:
    assert undominated({2: 9.0, 3: 4.0, 4: 1.0, 5: 0.9, 6: 0.5, 7: 0.1, 8: 0.0}) == {4: 1.0, 8: 0.0}
    assert undominated({2: 3.0, 3: 1.0, 4: 0.0}) == {4: 0.0}
    assert undominated({4: 0.0, 8: 0.0}) == {4: 0.0}


def test_narrowing_rounds_to_the_coarser_grid() -> None:
    weights = np.array([[-127, -9, -8, -7, 0, 7, 8, 9, 127]])
    assert narrowed(weights, 8, 4).tolist() == [[-112, -16, 0, 0, 0, 0, 16, 16, 112]]
