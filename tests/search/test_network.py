"""Searching real networks: tables, proof, compilation and verification of the design."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hao.boards import Board, load_board
from hao.cli.networks import load_network
from hao.engine.config import ULTRA96
from hao.ir.graph import Graph
from hao.search.design import Design
from hao.search.engines import Grid
from hao.search.find import Found, find
from hao.search.planner import compile_design
from hao.search.problem import frame_cycles
from hao.search.space import Request

SMALL = Grid(fm_words=(1024, 4096), win_depth=(128,), wb_words=(512, 1024))


@pytest.fixture(scope="module")
def graph() -> Graph:
    return load_network("digits").graph


@pytest.fixture(scope="module")
def board() -> Board:
    return load_board("ultra96v2")


@pytest.fixture(scope="module")
def found(graph: Graph, board: Board) -> Found:
    return find(graph, board, Request(grid=SMALL), names=("digits", "", "ultra96v2"))


def test_hand_made_engine_is_a_member() -> None:
    assert ULTRA96 in set(Grid().configurations())


def test_optimum_is_proven_and_verified(found: Found) -> None:
    assert found.outcome.status == "optimal"
    assert found.outcome.gap == 0
    assert found.verification is not None
    assert not found.verification.violations
    assert found.verification.damage == 0
    assert set(found.verification.highest) == {"fm_words", "win_depth", "wb_words", "pb_words"}


def test_prediction_is_near_the_program(found: Found) -> None:
    assert found.verification is not None
    assert found.design is not None
    assert found.design.cycles.value == pytest.approx(found.verification.cycles.cycles, rel=0.15)


def test_design_survives_its_file(found: Found, graph: Graph) -> None:
    design = found.design
    assert design is not None
    again = Design.model_validate_json(design.model_dump_json())
    assert again == design
    image = compile_design(graph, again.configuration, again.order, again.segments).image
    assert found.compilation is not None
    assert image.digest == found.compilation.image.digest


def test_optimum_is_no_worse_than_any_single_engine(found: Found) -> None:
    """Every candidate on its own, without pruning, reaches no less than the proven optimum."""
    answer, problem = found.outcome.answer, found.space.problem
    assert answer is not None
    for candidate in problem.candidates[::7]:
        singles = [c for c in problem.allowed(candidate) if c.stop == c.start + 1 and not c.bits]
        if len({c.start for c in singles}) == problem.steps:
            path = [min((c for c in singles if c.start == at), key=lambda c: c.cycles) for at in range(problem.steps)]
            assert frame_cycles(problem, candidate, path, answer.widths) >= answer.cycles - 1e-6


def test_impossible_limits_are_explained(graph: Graph, board: Board) -> None:
    tiny = board.model_copy(update={"resources": board.resources.model_copy(update={"dsp": 100, "bram36": 20})})
    found = find(graph, tiny, Request(grid=SMALL), names=("digits", "", "ultra96v2"))
    assert found.outcome.status == "infeasible"
    assert found.conflict is not None
    sentence = found.conflict.sentence(found.space.problem.limits)
    assert "dsp from 100 to 152" in sentence
    assert "bram36 from 20" in sentence
    assert "perturbation" not in sentence


def test_least_perturbation_under_a_cap(graph: Graph, board: Board, found: Found) -> None:
    assert found.outcome.answer is not None
    request = replace(Request(grid=SMALL), objective="perturbation", cycles=found.outcome.answer.cycles * 1.01)
    kind = find(graph, board, request, names=("digits", "", "ultra96v2"))
    assert kind.outcome.status == "optimal"
    assert kind.outcome.answer is not None
    assert kind.outcome.answer.damage == 0
