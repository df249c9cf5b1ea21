"""The committed judgement of the cycle model: it belongs to this model, was not chosen, and still holds on a small set."""

from __future__ import annotations

from itertools import islice

import numpy as np

from hao.boards import load_board
from hao.compiler.compile import compile_graph
from hao.cost.cycles import estimate_cycles, published_error
from hao.cost.judged import Row, drawn_config, model_digest, read_judged, seeds
from hao.engine.config import CI_CONFIGS
from hao.ir.graph import Input
from hao.ir.random_graph import random_graph
from hao.runtime.rtl import RtlEngine
from hao.runtime.timing import DramTiming
from hao.runtime.verdict import program_of

_MEND = "look with `python benchmarks/cycle_model.py explain`, mend the model or the RTL, then judge again (docs/cycle-model.md)"


def test_the_judgement_is_of_this_model() -> None:
    assert read_judged().model == model_digest(), _MEND


def test_the_networks_follow_from_the_commit() -> None:
    judged = read_judged()
    for label in {row.configuration for row in judged.rows if row.network.startswith("random-")}:
        mine = [row.network for row in judged.rows if row.configuration == label and row.network.startswith("random-")]
        could = [f"random-{seed}" for seed in islice(seeds(judged.commit, label), len(mine) + judged.refused)]
        assert len(mine) == len(set(mine)) >= 20
        assert [name for name in could if name in mine] == mine
    for label, parameters in judged.configurations.items():
        assert drawn_config(judged.commit, int(label.removeprefix("drawn-"))).model_dump() == parameters


def test_the_largest_error_is_what_is_published() -> None:
    rows = read_judged().rows
    assert published_error() == max(abs(row.predicted / row.simulated - 1) for row in rows)
    assert published_error() <= 0.03, _MEND


def _recompute(row: Row, engine: RtlEngine) -> Row:
    graph = random_graph(int(row.network.removeprefix("random-")))
    image = compile_graph(graph, CI_CONFIGS[row.configuration])
    shape = next(node.shape for node in graph.nodes if isinstance(node, Input))
    result = engine.run(program_of(image), image.pack_input(np.zeros(shape, np.uint8)), taps=False)
    guess = estimate_cycles(image.program(), image.config, load_board("ultra96v2"), image.manifest.program_offset)
    assert result.cycles is not None
    return Row(row.network, row.configuration, result.cycles, guess.cycles)


def test_the_simulated_engine_still_takes_the_cycles_of_the_fixed_set() -> None:
    rows = read_judged().fixed
    (label,) = {row.configuration for row in rows}
    engine = RtlEngine(CI_CONFIGS[label], DramTiming.of_board(load_board("ultra96v2")))
    found = tuple(_recompute(row, engine) for row in rows)
    assert found == rows and len(rows) >= 3, _MEND
    assert any(row.simulated == row.predicted for row in rows)  # a small program without collisions is exact


def test_a_network_that_was_not_drawn_would_be_noticed() -> None:
    judged = read_judged()
    assert next(iter(seeds("0" * 40, "8x8x1"))) != next(iter(seeds(judged.commit, "8x8x1")))
