"""Every rule of the integer graph: a legal network broken in one place is refused, and the node is named."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from hao.errors import GraphError
from hao.ir import graph as ir
from hao.ir.check import ACCUMULATOR_MAX, accumulator_bound, check
from hao.ir.random_graph import random_graph
from hao.ir.types import consumers, infer, value_bounds


def rule(channels: int, **changes: Any) -> ir.Requant:
    values: dict[str, Any] = {
        "bias": np.zeros(channels, np.int64),
        "multiplier": np.full(channels, 1 << 14),
        "shift": np.full(channels, 20),
        "lo": 0,
        "hi": 255,
    }
    return ir.Requant(**(values | changes))


def network() -> dict[str, ir.Node]:
    """A legal network with every rule in play."""
    ones = np.ones((4, 3, 3, 3), np.int64)
    return {
        "image": ir.Input("image", (), (3, 8, 8), (104, 114, 120)),
        "stem": ir.Conv("stem", ("image",), ones, 4, rule(4), 1, 1),
        "step": ir.Conv("step", ("stem",), np.ones((1, 4, 1, 1), np.int64), 4, rule(1, lo=-7, hi=8, signed=True)),
        "deform": ir.DeformConv("deform", ("stem", "step"), np.ones((4, 1, 3, 3), np.int64), 4, rule(4)),
        "depth": ir.Conv("depth", ("deform",), np.ones((4, 1, 3, 3), np.int64), 4, rule(4), 1, 1, 4),
        "cat": ir.Concat("cat", ("deform", "depth")),
        "shuffle": ir.Shuffle("shuffle", ("cat",), 2),
        "slice": ir.Slice("slice", ("shuffle",), 2, 6),
        "add": ir.Add("add", ("slice", "stem"), 1 << 15, 1 << 10, 16, 0, 255),
        "max": ir.MaxPool("max", ("add",), 3, 2, 1),
        "avg": ir.AvgPool("avg", ("max",), 2, 2, 1 << 14, 16, 0, 255),
        "up": ir.Upsample("up", ("avg",)),
        "scale": ir.Requantize("scale", ("up",), 1 << 15, 16, 0, 127),
    }


def built(nodes: dict[str, ir.Node], outputs: tuple[str, ...] = ("scale",)) -> ir.Graph:
    return ir.Graph("n", tuple(nodes.values()), outputs)


def test_the_legal_network_is_legal() -> None:
    types = check(built(network()))
    assert types["image"] == ir.TensorType((3, 8, 8), 9, True)
    assert types["scale"].shape == (4, 4, 4)
    assert types["cat"].shape == (8, 8, 8)
    assert value_bounds(built(network()))["image"] == (-120, 151)
    assert [node.name for node in consumers(built(network()))["stem"]] == ["step", "deform", "add"]


WEIGHT = np.ones((4, 3, 3, 3), np.int64)
BREAKS: list[tuple[str, dict[str, Any], str]] = [
    ("image", {"mean": (1, 2)}, "means"),
    ("image", {"mean": (1, 2, 256)}, "means"),
    ("stem", {"weight": WEIGHT * 8}, "outside"),
    ("stem", {"weight": WEIGHT * 0.5}, "float64"),
    ("stem", {"weight_bits": 9}, "9 bits"),
    ("stem", {"weight_bits": 1}, "1 bits"),
    ("stem", {"weight": np.ones((4, 2, 3, 3), np.int64)}, "on 3 channels"),
    ("stem", {"weight": np.ones((4, 3, 3, 1), np.int64)}, "shape"),
    ("stem", {"groups": 2}, "groups"),
    ("stem", {"pad": 3}, "padding"),
    ("stem", {"weight": np.ones((4, 3, 11, 11), np.int64)}, "does not fit"),
    ("stem", {"requant": rule(4, multiplier=np.full(4, 1 << 17))}, "multiplier"),
    ("stem", {"requant": rule(4, multiplier=np.full(4, (1 << 13) - 1))}, "multiplier"),
    ("stem", {"requant": rule(4, shift=np.full(4, 18))}, "shift"),
    ("stem", {"requant": rule(4, shift=np.full(4, 48))}, "shift"),
    ("stem", {"requant": rule(3)}, "4 integers"),
    ("stem", {"requant": rule(4, hi=256)}, "bounds"),
    ("stem", {"requant": rule(4, lo=-1)}, "bounds"),
    ("stem", {"requant": rule(4, lo=9, hi=8)}, "bounds"),
    ("stem", {"requant": rule(4, bias=np.full(4, ACCUMULATOR_MAX))}, "accumulator reaches"),
    ("step", {"requant": rule(1, lo=-9, hi=8, signed=True)}, "displacements"),
    ("step", {"requant": rule(1, lo=-7, hi=9, signed=True)}, "displacements"),
    ("step", {"weight": np.ones((2, 4, 1, 1), np.int64), "requant": rule(2, lo=-7, hi=8, signed=True)}, "one displacement"),
    ("deform", {"weight": np.ones((3, 1, 3, 3), np.int64)}, "on 4 channels"),
    ("depth", {"requant": rule(4, lo=-128, hi=127, signed=True)}, "differ"),
    ("depth", {"scale": 0.5}, "differ"),
    ("shuffle", {"groups": 3}, "divide"),
    ("slice", {"stop": 9}, "of 8"),
    ("slice", {"start": 6}, "of 8"),
    ("add", {"inputs": ("cat", "stem")}, "adds shapes"),
    ("add", {"m1": 1 << 12}, "multipliers"),
    ("add", {"m2": -1}, "multipliers"),
    ("add", {"shift": 17}, "shift"),
    ("add", {"hi": 300}, "bounds"),
    ("max", {"kernel": 4}, "2x2 or 3x3"),
    ("max", {"kernel": 2, "pad": 2}, "padding"),
    ("avg", {"kernel": 5}, "does not fit"),
    ("avg", {"multiplier": 1 << 17}, "multipliers"),
    ("scale", {"bits": 9}, "9 bits"),
    ("scale", {"inputs": ("nowhere",)}, "nowhere"),
    ("avg", {"name": "max"}, "two nodes"),
    ("avg", {"name": "a b"}, "no name"),
    ("up", {"scale": 0.25, "inputs": ("halved",)}, "scale"),
]


@pytest.mark.parametrize(("name", "changes", "message"), BREAKS, ids=[f"{row[0]}-{index}" for index, row in enumerate(BREAKS)])
def test_a_broken_rule_is_refused(name: str, changes: dict[str, Any], message: str) -> None:
    nodes = network()
    if changes.get("inputs") == ("halved",):
        nodes["avg"] = replace(nodes["avg"], name="halved", scale=0.5)
        nodes = {("halved" if key == "avg" else key): node for key, node in nodes.items()}
    nodes[name] = replace(nodes[name], **changes)
    with pytest.raises(GraphError, match=message) as caught:
        check(built(nodes))
    assert message in str(caught.value)


def test_only_dense_layers_read_the_image() -> None:
    nodes = {"image": network()["image"], "max": ir.MaxPool("max", ("image",), 2, 2)}
    add = ir.Add("add", ("image", "image"), 1 << 15, 1 << 15, 16, 0, 255)
    depth = ir.Conv("depth", ("image",), np.ones((3, 1, 3, 3), np.int64), 4, rule(3), 1, 1, 3)
    for node in (add, depth):
        with pytest.raises(GraphError, match="reads the image"):
            check(built({"image": nodes["image"], node.name: node}, (node.name,)))


def test_unused_and_unknown_tensors_are_refused() -> None:
    with pytest.raises(GraphError, match="neither read nor an output"):
        check(built(network(), ("up",)))
    with pytest.raises(GraphError, match="produced by no node"):
        check(built(network(), ("scale", "nothing")))
    with pytest.raises(GraphError, match="each once"):
        check(built(network(), ("scale", "scale")))
    with pytest.raises(GraphError, match="0 images"):
        check(ir.Graph("n", (), ("x",)))


def test_accumulator_bound_is_reached_and_not_exceeded() -> None:
    weight = np.array([[[[-7]], [[5]]]])
    node = ir.Conv("c", ("x",), weight, 4, rule(1, bias=np.array([-9])))
    assert accumulator_bound(node, (0, 255)).tolist() == [12 * 255 + 9]
    assert accumulator_bound(node, (-128, 127)).tolist() == [12 * 128 + 9]


@pytest.mark.parametrize("seed", range(40))
def test_values_stay_inside_their_types(seed: int) -> None:
    from hao.ir.random_graph import random_image
    from hao.ir.reference import execute

    graph = random_graph(seed)
    bounds, types = value_bounds(graph), infer(graph)
    tensors = execute(graph, random_image(graph.nodes[0].shape, np.random.default_rng(seed)))
    for name, value in tensors.items():
        low, high = bounds[name]
        assert types[name].minimum <= low <= value.min() and value.max() <= high <= types[name].maximum
        assert value.shape == types[name].shape
