"""Mode integer in PyTorch equals the numpy reference, element by element, on every tensor."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hao.ir.graph import Graph
from hao.ir.random_graph import random_graph, random_image
from hao.ir.reference import execute
from hao.models import zoo
from hao.models.integer_codenet import random_codenet
from hao.quant.integer import IntegerNetwork


def held_equal(graph: Graph, seed: int, count: int = 2) -> int:
    rng = np.random.default_rng(seed)
    batch = np.stack([random_image(graph.nodes[0].shape, rng) for _ in range(count)])
    values = IntegerNetwork(graph)(torch.from_numpy(batch))
    compared = 0
    for index, image in enumerate(batch):
        for name, expected in execute(graph, image).items():
            np.testing.assert_array_equal(values[name][index].numpy(), expected, err_msg=f"{graph.name}: {name}")
            compared += expected.size
    return compared


@pytest.mark.parametrize("block", range(6))
def test_random_networks(block: int) -> None:
    assert sum(held_equal(random_graph(seed), seed) for seed in range(25 * block, 25 * block + 25)) > 100_000


def test_codenet_topology() -> None:
    assert held_equal(random_codenet("b", size=64, d_range=(-7, 8)), 3) > 300_000


def test_digits_on_all_held_out_pictures() -> None:
    graph = zoo.load("digits-w4a8")
    images, labels = zoo.samples("digits-w4a8")
    values = IntegerNetwork(graph)(torch.from_numpy(images))
    right = 0
    for index, image in enumerate(images):
        tensors = execute(graph, image)
        for name, expected in tensors.items():
            np.testing.assert_array_equal(values[name][index].numpy(), expected, err_msg=name)
        right += int(tensors[graph.outputs[0]].argmax() == labels[index])
    assert len(images) == 360
    # The card's figure, recomputed: the graph that ships is the graph that was measured.
    assert round(100 * right / len(images), 2) == zoo.card("digits-w4a8")["test_accuracy_percent"]["integer"]
    assert right / len(images) >= 0.97
