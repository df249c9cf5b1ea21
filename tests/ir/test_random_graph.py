"""Random networks are worth testing with: reproducible, over all operators, and not saturated."""

from __future__ import annotations

from collections import Counter

import numpy as np

from hao.ir import graph as ir
from hao.ir.check import check
from hao.ir.random_graph import random_graph, random_image
from hao.ir.reference import execute
from hao.ir.serialize import network_digest
from hao.models.integer_codenet import random_codenet

SEEDS = range(150)


def test_same_seed_same_network() -> None:
    assert network_digest(random_graph(7)) == network_digest(random_graph(7)) != network_digest(random_graph(8))


def test_all_operators_and_widths_occur() -> None:
    kinds: Counter[str] = Counter()
    bits: Counter[int] = Counter()
    odd = unsigned_depthwise = signed_depthwise = 0
    steps: set[int] = set()
    saturated = total = 0
    for seed in SEEDS:
        graph = random_graph(seed)
        types = check(graph)
        tensors = execute(graph, random_image(graph.nodes[0].shape, np.random.default_rng(seed)))
        for node in graph.nodes:
            kinds[type(node).__name__] += 1
            if isinstance(node, ir.Conv | ir.DeformConv):
                bits[node.weight_bits] += 1
                odd += types[node.name].shape[0] % 16 > 0
            if isinstance(node, ir.Conv) and node.groups > 1:
                signed_depthwise += node.requant.signed
                unsigned_depthwise += not node.requant.signed
            if isinstance(node, ir.DeformConv):
                steps.update(np.unique(tensors[node.inputs[1]]).tolist())
            elif isinstance(node, ir.Conv):
                kind = types[node.name]
                at_end = (tensors[node.name] == kind.maximum) | ((tensors[node.name] == kind.minimum) & kind.signed)
                saturated += int(at_end.sum())
                total += at_end.size
    assert set(kinds) == {
        "Input", "Conv", "DeformConv", "MaxPool", "AvgPool", "Add", "Requantize", "Concat", "Slice", "Shuffle", "Upsample",
    }  # fmt: skip
    assert min(kinds.values()) > 10
    assert set(bits) == set(range(2, 9))
    assert odd > 100 and signed_depthwise > 20 and unsigned_depthwise > 20
    assert steps == set(range(-8, 9))
    assert 0 < saturated < 0.1 * total


def test_random_codenet_has_the_published_size() -> None:
    """Counted by hand: 287.8 million multiply-accumulates and 0.79 MB of weights at 256 pixels (configuration b)."""
    graph = random_codenet("b", size=64)
    types = check(graph)
    macs = size = 0
    for node in graph.nodes:
        if isinstance(node, ir.Conv | ir.DeformConv):
            _, height, width = types[node.name].shape
            macs += node.weight.size * height * width
            size += node.weight.size * (4 if node.weight_bits == 4 else 8) // 8
    assert round(macs * 16 / 1e6, 1) == 287.8
    assert 0.74e6 < size < 0.80e6
    assert [node.name for node in graph.nodes if node.name in graph.outputs] == ["hm.6", "wh.6", "reg.6"]
