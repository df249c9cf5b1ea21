"""The generators are worth fuzzing with: reproducible, legal, and spread over everything that the graph can say."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from hao.boards import load_board
from hao.engine.config import CI_CONFIGS
from hao.fuzz.case import draw_case, image_shape
from hao.fuzz.numbers import harden
from hao.fuzz.outcome import general
from hao.fuzz.pictures import PICTURES
from hao.fuzz.programs import draw_program
from hao.fuzz.wild import wild_graph
from hao.ir import graph as ir
from hao.ir.check import ACCUMULATOR_MAX, accumulator_bound, check
from hao.ir.random_graph import random_graph
from hao.ir.serialize import network_digest
from hao.ir.types import value_bounds

BOARD = load_board("ultra96v2")


def test_a_case_follows_from_two_numbers() -> None:
    first, again, other = (draw_case(5, index, tuple(CI_CONFIGS), BOARD) for index in (3, 3, 4))
    assert network_digest(first.graph) == network_digest(again.graph) != network_digest(other.graph)
    assert first.config == again.config and first.timing == again.timing and first.fill == again.fill
    assert np.array_equal(first.pixels, again.pixels)
    program, same = (draw_program(5, 3, CI_CONFIGS, BOARD) for _ in range(2))
    assert program.program.image == same.program.image and program.timing == same.timing


def test_wild_networks_have_what_trained_ones_have_not() -> None:
    kinds: Counter[str] = Counter()
    found: Counter[str] = Counter()
    for seed in range(250):
        graph = wild_graph(seed)
        types = check(graph)
        by_name = {node.name: node for node in graph.nodes}
        outputs = {type(by_name[name]).__name__ for name in graph.outputs}
        found.update(f"output {kind}" for kind in outputs)
        for node in graph.nodes:
            kinds[type(node).__name__] += 1
            found["1x1 map"] += types[node.name].shape[1:] == (1, 1)
            found["odd side"] += types[node.name].shape[1] % 2
            found["off every lane"] += types[node.name].shape[0] % 8 > 0
            found["same input twice"] += len(set(node.inputs)) < len(node.inputs)
            if isinstance(node, ir.DeformConv):
                found[f"displaced by {type(by_name[node.inputs[1]]).__name__}"] += 1
                found["displacement shared"] += sum(each.inputs[1:] == node.inputs[1:] for each in graph.nodes) > 1
            if isinstance(node, ir.Conv):
                found["kernel above the map"] += node.weight.shape[2] > max(types[node.inputs[0]].shape[1:])
                found[f"stride {node.stride}"] += 1
    assert set(kinds) == {
        "Input", "Conv", "DeformConv", "MaxPool", "AvgPool", "Add", "Requantize", "Concat", "Slice", "Shuffle", "Upsample",
    }  # fmt: skip
    assert min(kinds.values()) >= 20, kinds
    for what in ("1x1 map", "odd side", "off every lane", "same input twice", "kernel above the map", "stride 3", "stride 4"):
        assert found[what] >= 10, (what, found)
    for what in ("displacement shared", "displaced by MaxPool", "displaced by Upsample", "displaced by Slice"):
        assert found[what] >= 2, (what, found)
    assert {f"output {kind}" for kind in ("Slice", "Shuffle", "Concat", "Upsample", "MaxPool", "Conv")} <= set(found)


def test_numbers_reach_the_ends_of_the_rules() -> None:
    rng = np.random.default_rng(0)
    seen: Counter[str] = Counter()
    for seed in range(120):
        graph = harden(random_graph(seed, motifs=("residual", "dense")) if seed % 3 == 0 else random_graph(seed), rng, 0.8)
        check(graph)
        bounds = value_bounds(graph)
        for node in graph.nodes:
            rule = getattr(node, "requant", node)
            if hasattr(rule, "bits"):
                seen[f"bits {rule.bits}"] += 1
                seen["one value"] += rule.lo == rule.hi
            if isinstance(node, ir.Conv | ir.DeformConv):
                seen["lowest weight"] += int(node.weight.min()) == -(1 << (node.weight_bits - 1))
                seen["accumulator at its bound"] += int(accumulator_bound(node, bounds[node.inputs[0]]).max()) == ACCUMULATOR_MAX
                seen["no weight"] += not node.weight.any()
                seen["least shift"] += 16 in node.requant.shift
                seen["largest shift"] += 44 in node.requant.shift
            if isinstance(node, ir.Add):
                seen["a factor of 0"] += 0 in (node.m1, node.m2)
    for what in (
        "one value", "lowest weight", "accumulator at its bound", "no weight", "least shift", "largest shift", "a factor of 0",
        *(f"bits {bits}" for bits in range(1, 9)),
    ):  # fmt: skip
        assert seen[what] >= 3, (what, seen)


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 7, 5)])
def test_pictures(name: str, shape: tuple[int, int, int]) -> None:
    picture = PICTURES[name](shape, np.random.default_rng(0))
    assert picture.shape == shape and picture.dtype == np.uint8
    if name in ("zero", "full", "equal"):
        assert picture.min() == picture.max()
    elif shape != (1, 1, 1):
        assert picture.min() < picture.max()


def test_cases_spread() -> None:
    cases = [draw_case(2, index, tuple(CI_CONFIGS), BOARD) for index in range(80)]
    assert {case.config for case in cases} == set(CI_CONFIGS)
    assert {case.origin for case in cases} == {"motifs", "wild", "motifs+numbers", "wild+numbers"}
    assert len({case.timing.stall for case in cases}) == 5
    assert len({case.data for case in cases}) >= 6
    assert all(case.pixels.shape == image_shape(case.graph) for case in cases)


def test_equal_causes_read_alike() -> None:
    first = "conv12: the weights of 16 outputs take 576 words"
    assert general(first) == general("stem1: the weights of 16 outputs take 1024 words") != general("conv12: kernel 17")
