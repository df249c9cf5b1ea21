"""The published study: its tables follow from the committed cells, the cells from the sources as they are."""

from __future__ import annotations

import ast
import copy
import json
from pathlib import Path

import pytest

from benchmarks.quant import codenet_ptq, study
from benchmarks.quant.plots import plot
from benchmarks.quant.tables import DOCS, RESULTS, all_tables, documentation
from benchmarks.quant.tasks import TASKS

PUBLISHED = json.loads(RESULTS.read_text(encoding="utf-8"))
CELLS = {task: study.read_cells(study.lines_of(task)) for task in TASKS if task in PUBLISHED}


def test_tables_follow_from_the_cells_and_the_documentation_from_them(tmp_path: Path) -> None:
    assert all_tables() == PUBLISHED
    text = DOCS.read_text(encoding="utf-8")
    assert documentation(PUBLISHED, text) == text
    changed = copy.deepcopy(PUBLISHED)
    changed["digits"]["mixed"]["uniform @ 3"]["loss"][0] += 0.01
    assert documentation(changed, text) != text
    assert plot(PUBLISHED["digits"], "digits", tmp_path).stat().st_size > 10_000


@pytest.mark.parametrize("task", CELLS)
def test_cells_belong_to_the_sources_as_they_are(task: str) -> None:
    assert {cell["sources"] for cell in CELLS[task].values()} == {study.digest(task)}, (
        f"sources changed: python -m benchmarks.quant.study check {task}, then stamp or run it"
    )
    whole = {key.split("/")[0] for key in CELLS[task]}
    assert len(whole) == PUBLISHED[task]["seeds"] <= TASKS[task].seeds
    assert set(CELLS[task]) == {f"{seed}/{part}" for seed in whole for part in TASKS[task].keys}


def test_settings_of_codenet_belong_to_the_sources_as_they_are() -> None:
    rows = codenet_ptq.read_rows()
    assert ("codenet-1x-b" in PUBLISHED) == bool(rows)
    assert {row["sources"] for row in rows.values()} <= {codenet_ptq.digest()}


def test_prose_does_not_count_and_code_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in study.SOURCES:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text((study.ROOT / name).read_text(encoding="utf-8"), encoding="utf-8")
    before = study.digest("digits")
    monkeypatch.setattr(study, "ROOT", tmp_path)
    assert study.digest("digits") == before
    file = tmp_path / study.SOURCES[0]
    text = file.read_text(encoding="utf-8")
    file.write_text("# said differently\n" + text, encoding="utf-8")
    assert study.digest("digits") == before
    file.write_text(text.replace("RATIOS = (0.2,", "RATIOS = (0.3,"), encoding="utf-8")
    assert study.digest("digits") != before


def test_digests_do_not_depend_on_what_a_version_of_python_shows() -> None:
    tree = ast.parse("def f(x):\n    return x\n")
    shown = study._dump(tree)
    assert "[]" not in shown and "None" not in shown and "type_params" not in shown
    assert shown != study._dump(ast.parse("def f(x):\n    return -x\n"))
    cell = next(iter(CELLS["shapes64"].values()))
    assert cell["sources"] == study.digest("shapes64") != study.digest("digits")  # computed by Python 3.12, held by any


def test_rows_are_spread_over_processes_and_time_ends_them() -> None:
    rows = [(2, k) for k in range(7)]
    assert sorted(study.spread(pow, rows, 3)) == [2**k for k in range(7)]
    assert list(study.spread(pow, rows, 1)) == [2**k for k in range(7)]
    assert not list(study.spread(pow, rows, 1, minutes=0)) and len(list(study.spread(pow, rows, 2, minutes=0))) == 2


def test_differences_are_found() -> None:
    cell = next(iter(CELLS["digits"].values()))
    assert not list(study.differences(cell, copy.deepcopy(cell)))
    other = copy.deepcopy(cell)
    other["mixed"]["uniform @ 3"][1] += 1e-5
    (line,) = study.differences(cell, other)
    assert line.startswith("/mixed/uniform @ 3/1:")


@pytest.mark.nightly
def test_one_cell_computed_again_is_the_same() -> None:
    """Drawn by the digest. To the digit where torch and instruction set are those that the cell names, else its losses to a tenth."""
    cells = CELLS["digits"]
    key = study.drawn("digits", cells)
    kept, found = cells[key], study.compute("digits", key, Path("build/data"))
    if kept["machine"] == found["machine"]:
        assert not list(study.differences(kept, found))
    else:
        assert found["float"][0] == pytest.approx(kept["float"][0], abs=0.1)
        assert found["mixed"]["uniform @ 8"][0] == pytest.approx(kept["mixed"]["uniform @ 8"][0], abs=0.1)
