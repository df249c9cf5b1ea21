"""QONNX export and import, checked by executing both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hao.errors import UnsupportedNetwork
from hao.frontend.qonnx_export import DOMAIN, RAW, export_qonnx
from hao.frontend.qonnx_import import import_qonnx
from hao.ir.graph import Conv, DeformConv, Graph
from hao.ir.random_graph import random_graph, random_image
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


def deformable_graphs(count: int) -> list[Graph]:
    """Random networks with deformable layers."""
    graphs = (random_graph(seed) for seed in range(200))
    found = [graph for graph in graphs if any(isinstance(node, DeformConv) for node in graph.nodes)]
    assert len(found) >= count
    return found[:count]


def test_deformable_layers_execute_to_the_same_integers_in_operators_of_onnx() -> None:
    """Displacements below, at and above zero, so that kernels are mirrored, summed and spread."""
    graphs, reached = deformable_graphs(6), set()
    for seed, graph in enumerate(graphs):
        model = export_qonnx(graph)
        assert {item.domain for item in model.graph.node} == {"", DOMAIN} and {
            item.op_type for item in model.graph.node if item.domain == DOMAIN
        } == {"Quant"}
        assert held_equal(graph, model, seed) > 500
        values = execute(graph, random_image(graph.nodes[0].shape, np.random.default_rng(seed)))
        reached |= {int(d) for node in graph.nodes if isinstance(node, DeformConv) for d in np.unique(values[node.inputs[1]])}
    assert min(reached) < 0 < max(reached) and 0 in reached and len(reached) >= 8, reached


def test_choices_that_are_no_deformable_layer_are_named() -> None:
    made = [(graph, export_qonnx(graph)) for graph in deformable_graphs(6)]
    graph, missing, total = next(
        (graph, model, item) for graph, model in made for item in model.graph.node if item.op_type == "Sum" and len(item.input) > 4
    )
    layer, wrong = total.output[0].removesuffix(".sums"), export_qonnx(graph)
    del total.input[-1]
    with pytest.raises(UnsupportedNetwork, match="cannot be imported") as caught:
        import_qonnx(missing)
    assert "does not cover displacements" in caught.value.nodes[0] and layer in caught.value.nodes[0]
    spread = next(item for item in wrong.graph.node if item.output[0].startswith(f"{layer}.at") and item.op_type == "Conv")
    for item in spread.attribute:
        if item.name in ("dilations", "pads"):
            item.ints[:] = [5] * len(item.ints)
    with pytest.raises(UnsupportedNetwork) as caught:
        import_qonnx(wrong)
    assert "spread by" in caught.value.nodes[0]


def test_imported_models_are_the_exported_ones() -> None:
    graphs = plain_graphs(30) + deformable_graphs(15)
    for graph in graphs:
        again = import_qonnx(export_qonnx(graph))
        assert network_digest(again) == network_digest(graph), graph.name


def test_a_model_that_brevitas_trained_executes_alike() -> None:
    """``make_brevitas.py`` trained it. ONNX executes it in floating point: at most one unit apart, and rarely."""
    import onnx
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.core.onnx_exec import execute_onnx

    model = onnx.load(str(Path(__file__).parent / "brevitas_small.onnx"))
    graph, wrapped = import_qonnx(model), ModelWrapper(model)
    assert [node.weight_bits for node in graph.nodes if isinstance(node, Conv)] == [4, 4, 8]
    compared = differing = 0
    for seed in range(4):
        image = np.random.default_rng(seed).integers(0, 200, (1, 8, 8), dtype=np.uint8)
        steps = {item.output[0]: item.input[1] for item in model.graph.node if item.op_type == "Quant"}
        stored = {item.name: float(onnx.numpy_helper.to_array(item)) for item in model.graph.initializer if not item.dims}
        pixels = image[None].astype(np.float32) * np.float32(stored[steps[graph.nodes[0].name]])
        values = execute_onnx(wrapped, {model.graph.input[0].name: pixels}, return_full_exec_context=True)
        for name, expected in execute(graph, image).items():
            if name in steps:
                found = np.rint(values[name].ravel() / stored[steps[name]])
                apart = np.abs(found - expected.ravel())
                assert apart.max() <= 1, name
                compared, differing = compared + apart.size, differing + int((apart > 0).sum())
    assert compared > 4000 and differing < 0.02 * compared


def test_models_without_quantizers_are_named() -> None:
    import onnx

    model = onnx.load(str(Path(__file__).parent / "brevitas_small.onnx"))
    second = [node for node in model.graph.node if node.op_type == "Quant"][2]
    second.op_type = "Sigmoid"
    with pytest.raises(UnsupportedNetwork) as caught:
        import_qonnx(model)
    assert "Sigmoid" in caught.value.nodes[0]
