"""QONNX export and import, checked by executing both."""

from __future__ import annotations

from typing import Any

import numpy as np

from hao.frontend.qonnx_export import RAW, export_qonnx
from hao.frontend.qonnx_import import import_qonnx
from hao.ir.graph import Graph
from hao.ir.random_graph import random_image
from hao.ir.reference import execute
from hao.ir.serialize import network_digest
from tests.frontend.test_plain_export import plain_graphs


def executed(model: Any, image: np.ndarray) -> dict[str, np.ndarray]:
    """Every tensor of a QONNX model on one image, by qonnx's own executor."""
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.core.onnx_exec import execute_onnx

    return execute_onnx(ModelWrapper(model), {RAW: image[None].astype(np.float32)}, return_full_exec_context=True)


def held_equal(graph: Graph, model: Any, seed: int) -> int:
    image = random_image(graph.nodes[0].shape, np.random.default_rng(seed))
    values, compared = executed(model, image), 0
    for name, expected in execute(graph, image).items():
        np.testing.assert_array_equal(values[name][0].reshape(expected.shape), expected, err_msg=f"{graph.name}: {name}")
        compared += expected.size
    return compared


def test_exported_models_execute_to_the_same_integers() -> None:
    graphs = plain_graphs(6)
    assert sum(held_equal(graph, export_qonnx(graph), seed) for seed, graph in enumerate(graphs)) > 20_000
    kinds = {type(node).__name__ for graph in graphs for node in graph.nodes}
    assert len(kinds) >= 9, kinds


def test_imported_models_are_the_exported_ones() -> None:
    graphs = plain_graphs(30)
    for graph in graphs:
        again = import_qonnx(export_qonnx(graph))
        assert network_digest(again) == network_digest(graph), graph.name
