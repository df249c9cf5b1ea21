"""Fronts, hyper-volume, predictor and search algorithms on the committed tables."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from hao.cli.pareto import Options, run_pareto
from hao.errors import DataError, ModelError, SearchError
from hao.models.searchable import members, parse
from hao.report.front import interval
from hao.search.algorithms import ALGORITHMS
from hao.search.compare import BUDGETS, LEVELS, compare, joint_against_sequential, make_task, rank_quality
from hao.search.costed import TRAINED, read_costed
from hao.search.pareto import distance, front, hypervolume
from hao.search.predictor import Predictor
from hao.search.tabular import read_rows

BOARD = "slice-2"


def test_front_and_volume_by_hand() -> None:
    points = [(4.0, 50.0), (2.0, 40.0), (3.0, 39.0), (1.0, 10.0), (2.0, 40.0)]
    assert front(points) == [(1.0, 10.0), (2.0, 40.0), (4.0, 50.0)]
    assert hypervolume(points, (5.0, 0.0)) == 4 * 10 + 3 * 30 + 1 * 10
    assert hypervolume([(6.0, 90.0)], (5.0, 0.0)) == 0
    assert distance(points, front(points), (1.0, 1.0)) == 0
    assert distance([(2.0, 40.0)], [(2.0, 43.0), (6.0, 40.0)], (1.0, 1.0)) == 3.5


def test_wilson_interval() -> None:
    low, high = interval(90.0, 100)
    assert (round(low, 2), round(high, 2)) == (82.56, 94.48)


def test_members_are_different_and_named() -> None:
    every = members()
    assert len(set(every)) == len(every) == 3942
    assert all(parse(member.name) == member == member.canonical() for member in every)
    with pytest.raises(ModelError, match="is no architecture"):
        parse("w16-none-none-b4")


def test_tables_are_whole() -> None:
    rows = read_rows(TRAINED)
    assert len(rows) >= 300
    costed = read_costed()
    for board in BUDGETS:
        assert {row.name for row in costed if row.board == board} == {row.name for row in rows}


@pytest.mark.parametrize("name", ALGORITHMS)
def test_algorithms_pay_once_and_keep_to_the_budget(name: str) -> None:
    task = make_task(BOARD, budget=24)
    first = list(ALGORITHMS[name](task, random.Random(5)))
    assert len(first) == len(set(first)) == 24
    assert set(first) <= set(task.members)
    assert first == list(ALGORITHMS[name](task, random.Random(5)))


def test_comparison_reports_every_algorithm() -> None:
    found = compare(make_task(BOARD, budget=18), seeds=2)
    assert set(found["algorithms"]) == set(ALGORITHMS)
    assert all(0 < row["volume"]["100%"] <= 1 for row in found["algorithms"].values())


def test_joint_is_never_slower_and_boards_differ() -> None:
    pairs = joint_against_sequential()
    assert {(pair.board, pair.at_least) for pair in pairs} == {(board, level) for board in BUDGETS for level in LEVELS}
    for pair in pairs:
        assert pair.joint_cycles <= pair.sequential_cycles
        assert min(pair.joint_accuracy, pair.sequential_accuracy) >= pair.at_least
        assert (pair.joint_cycles == pair.sequential_cycles) >= pair.same
    assert 0 < sum(pair.same for pair in pairs) < len(pairs)
    assert len({pair.joint for pair in pairs if pair.at_least == LEVELS[2]}) > 1
    assert len({pair.joint_engine for pair in pairs}) > 2


def test_predictor_ranks_unseen_members_better_than_sizes_do() -> None:
    found = rank_quality(read_rows(TRAINED), repeats=3)
    assert found["predictor"]["128"]["mean"] > found["predictor"]["16"]["mean"]
    assert found["predictor"]["128"]["mean"] > max(found["parameters"], found["macs"])
    with pytest.raises(SearchError, match="too few"):
        Predictor().fit([], [])


def test_predictor_keeps_to_percents() -> None:
    rows = [np.array([float(n), 1.0]) for n in range(12)]
    found = Predictor().fit(rows, [100.0 - n for n in range(12)]).predict([*rows, np.array([-1e6, 1.0])])
    assert found.min() >= 0
    assert found.max() <= 100
    assert np.abs(found[:12] - [100.0 - n for n in range(12)]).max() < 2


def test_pareto_writes_its_files(tmp_path: Path) -> None:
    assert run_pareto(Options(BOARD, tmp_path), Console(quiet=True)) == 0
    assert (tmp_path / f"{BOARD}.png").stat().st_size > 5000
    assert (tmp_path / f"{BOARD}.csv").read_text(encoding="utf-8").startswith("name,cycles")
    assert "plotly" in (tmp_path / f"{BOARD}.html").read_text(encoding="utf-8")[:20000].lower()
    with pytest.raises(SearchError, match="no member was solved"):
        run_pareto(Options("kv260", tmp_path), Console(quiet=True))
    damaged = tmp_path / "damaged.csv"
    damaged.write_text("name,seed\nw8,1\n", encoding="utf-8")
    with pytest.raises(DataError, match="no table of trained members"):
        run_pareto(Options(BOARD, tmp_path, damaged), Console(quiet=True))
