"""Searching real networks: tables, proof, compilation and verification of the design."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from hao.boards import Board, load_board
from hao.cli.networks import load_network
from hao.compiler.compile import compile_in_full
from hao.cost.cycles import estimate_cycles
from hao.engine.config import ULTRA96
from hao.ir.graph import Conv, Graph
from hao.search.design import Design
from hao.search.engines import Grid
from hao.search.find import Found, find
from hao.search.planner import compile_design
from hao.search.precision import read_table
from hao.search.problem import frame_cycles
from hao.search.space import Request
from hao.search.verify import synthesized

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


def test_area_of_the_hand_made_engine_is_its_synthesis(graph: Graph, board: Board) -> None:
    """Where the configuration found has a committed synthesis, that is what the limits are held against."""
    own = {name: (getattr(ULTRA96, name),) for name in ("pi", "po", "px", "dw_lanes", "fm_words", "win_depth", "wb_words")}
    frame = {name: getattr(ULTRA96, name) for name in ("pb_words", "lm_entries", "disp_entries", "row_bytes")}
    found = find(graph, board, Request(grid=Grid(**own, frames=(frame,))), names=("digits", "", "ultra96v2"))
    assert found.design is not None
    assert found.design.configuration == ULTRA96
    assert found.verification is not None
    assert found.verification.area is not None
    for name, figure in found.design.area.items():
        assert found.verification.area[name] == pytest.approx(figure.value, rel=0.1)
    assert synthesized(ULTRA96.model_copy(update={"fm_words": 512})) is None


def test_perturbations_of_traces_are_the_objective(graph: Graph, board: Board, tmp_path: Path) -> None:
    """With traces for widths, the least perturbation under a cap on cycles; the verification sums the file itself."""
    layers = [node.name for node in graph.nodes if isinstance(node, Conv)]
    table = {name: {4: float(n + 1), 8: 0.0} for n, name in enumerate(layers)}
    path = tmp_path / "traces.json"
    path.write_text(json.dumps({"layers": [{"name": n, "sensitivity": row} for n, row in table.items()]}), encoding="utf-8")
    widths = read_table(path)
    free = find(graph, board, Request(grid=SMALL, widths=widths, damage=1e9), names=("digits", "", "ultra96v2"))
    least = find(graph, board, Request(grid=SMALL, widths=widths, damage=0.0), names=("digits", "", "ultra96v2"))
    assert free.outcome.answer is not None
    assert least.outcome.answer is not None
    assert least.outcome.answer.damage == 0 < free.outcome.answer.damage
    assert least.outcome.answer.cycles > free.outcome.answer.cycles
    cap = (free.outcome.answer.cycles + least.outcome.answer.cycles) / 2
    request = Request("perturbation", widths, None, cap, grid=SMALL)
    some = find(graph, board, request, names=("digits", "", "ultra96v2"), perturbations=path)
    assert some.outcome.answer is not None
    assert 0 < some.outcome.answer.damage <= free.outcome.answer.damage
    assert some.outcome.answer.cycles <= cap
    assert some.verification is not None
    assert some.verification.damage == some.outcome.answer.damage


def test_optimum_is_proven_and_verified(found: Found) -> None:
    assert found.outcome.status == "optimal"
    assert found.outcome.gap == 0
    assert found.verification is not None
    assert not found.verification.violations
    assert found.verification.damage == 0
    assert set(found.verification.highest) == {"fm_words", "win_depth", "wb_words", "pb_words"}


def test_prediction_is_near_the_program(found: Found) -> None:
    assert found.verification is not None
    assert found.outcome.answer is not None
    assert found.outcome.answer.cycles == pytest.approx(found.verification.cycles.cycles, rel=0.15)


def test_the_fastest_image_is_the_design(found: Found, graph: Graph, board: Board) -> None:
    """The compiler's own mapping and the hand-made engine are tried too, so that no design is slower than what needs no search."""
    assert found.design is not None
    tried = [trial.cycles for trial in found.trials if trial.cycles is not None]
    assert {trial.mapping for trial in found.trials} >= {"of the program", "of the compiler"}
    assert found.design.cycles.value == min(tried)
    own = compile_in_full(graph, found.design.configuration)
    plain = estimate_cycles(own.assembled.program, found.design.configuration, board, own.assembled.offset).cycles
    assert found.design.cycles.value <= plain
    again = found.design.model_copy(update={"order": "compiler"})
    assert compile_design(graph, again.configuration, again.order, again.segments).image.digest == own.image.digest


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


class _Stop:
    """Interrupts the tables after some of them."""

    def __init__(self, after: int) -> None:
        self.left = after

    def tell(self, what: str, done: int, total: int) -> None:
        self.left -= what == "tables"
        if self.left < 0:
            raise KeyboardInterrupt


def test_interrupted_tables_are_not_walked_again(
    graph: Graph, board: Board, found: Found, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.setenv("HAO_CACHE", str(tmp_path))
    request, names = Request(grid=SMALL), ("digits", "", "ultra96v2")
    with pytest.raises(KeyboardInterrupt):
        find(graph, board, request, names=names, progress=_Stop(5).tell)
    assert len(list((tmp_path / "segments").iterdir())) == 5
    again = find(graph, board, request, names=names)
    assert 5 <= again.space.counts["kept_tables"] < again.space.counts["tables"]
    assert again.space.problem == found.space.problem
    assert again.design == found.design
    for path in (tmp_path / "segments").iterdir():
        path.write_text("[[1, 2", encoding="utf-8")
    damaged = find(graph, board, request, names=names)
    assert damaged.space.counts["kept_tables"] == 0
    assert damaged.design == found.design
    other = find(graph, load_board("slice-2"), request, names=("digits", "", "slice-2"))
    assert other.space.counts["kept_tables"] == other.space.counts["tables"]
