"""The optimum of the integer program is that of trying every point; the decomposition agrees with one program over all engines."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hao.search.decompose import judge, search
from hao.search.problem import Outcome, Problem, damage_of, frame_cycles
from tests.search.brute import Exhaustive, exhaust, random_space

FAST = (8, 11, 13, 19, 48)
"""Seeds of every push: both objectives, ties, one infeasible, at least three limits that bind in all the others."""
LEAST_POINTS, LEAST_BINDING, SPACES, MOST_INFEASIBLE = 10_000, 3, 60, 10


def check(problem: Problem, truth: Exhaustive, found: Outcome) -> None:
    if truth.best is None:
        assert found.status == "infeasible"
        assert found.answer is None
        return
    assert found.status == "optimal"
    assert found.gap == 0
    answer = found.answer
    assert answer is not None
    assert answer.value(problem.objective) == pytest.approx(truth.best, abs=1e-6)
    assert answer.damage == damage_of(problem, answer.widths)
    again = frame_cycles(problem, problem.candidates[answer.candidate], answer.path, answer.widths)
    assert again == pytest.approx(answer.cycles, abs=1e-6)


@pytest.mark.parametrize("seed", FAST)
def test_equals_brute_force(seed: int) -> None:
    problem = random_space(seed)
    truth = exhaust(problem)
    assert truth.points >= LEAST_POINTS
    assert truth.best is None or len(truth.binding) >= LEAST_BINDING
    check(problem, truth, search(problem))
    check(problem, truth, judge(problem))


@pytest.mark.parametrize("seed", FAST)
def test_highs_finds_the_same(seed: int) -> None:
    problem = random_space(seed)
    truth = exhaust(problem)
    check(problem, truth, search(problem, solver="highs"))
    check(problem, truth, judge(problem, solver="highs"))


@pytest.mark.nightly
def test_equals_brute_force_on_fifty_spaces() -> None:
    qualified, infeasible, kinds, tied, seed = 0, 0, set(), 0, 0
    while qualified < SPACES:
        problem = random_space(seed)
        seed += 1
        truth = exhaust(problem)
        if truth.points < LEAST_POINTS or (truth.best is not None and len(truth.binding) < LEAST_BINDING):
            continue
        if truth.best is None and infeasible == MOST_INFEASIBLE:
            continue
        check(problem, truth, search(problem))
        check(problem, truth, judge(problem))
        qualified += 1
        infeasible += truth.best is None
        tied += truth.ties > 1
        kinds.add((problem.objective, truth.best is None))
    assert tied >= 10
    assert len(kinds) == 4


def test_certificate_names_every_engine() -> None:
    problem = random_space(11)
    found = search(problem)
    assert set(found.certificate) == {candidate.name for candidate in problem.candidates}
    assert sum("too large" in why for why in found.certificate.values()) == found.counts["candidates"] - found.counts["fitting"]


def test_a_forgotten_limit_is_noticed() -> None:
    problem = random_space(11)
    truth = exhaust(problem)
    assert "damage" in truth.binding
    found = search(replace(problem, limits=replace(problem.limits, damage=None)))
    assert found.answer is not None
    assert truth.best is not None
    assert found.answer.cycles < truth.best


def test_time_limit_leaves_no_claim() -> None:
    found = search(random_space(2), seconds=0)
    assert found.status == "unknown"
    assert found.answer is None
