"""From float networks to integer graphs: what the integers are, how close they stay, and how modes relate."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

from hao.errors import DataError, QuantizationError
from hao.frontend.torch_import import from_torch
from hao.ir import graph as ir
from hao.ir.check import accumulator_bound, check
from hao.ir.reference import execute
from hao.ir.types import value_bounds
from hao.quant.calibrate import calibrate
from hao.quant.compare import layer_differences, output_differences
from hao.quant.config import QuantConfig
from hao.quant.export import IntegerTwin, image_bytes, to_integer
from hao.quant.model import QuantModel
from tests.quant.networks import MEANS, images, network

NAMES = ("codenet", "mobilenet", "spark")


def quantized(name: str, **settings: object) -> tuple[nn.Module, QuantModel]:
    source = network(name)
    mean, std = MEANS[name]
    graph = from_torch(source, images(name, 1), mean=mean, std=std, name=name)
    model = QuantModel(copy.deepcopy(source), graph, QuantConfig(**settings))  # type: ignore[arg-type]
    return source, calibrate(model, [images(name, 8, 1), images(name, 8, 2)])


@pytest.mark.parametrize("name", NAMES)
def test_integer_graph_equals_mode_integer_and_is_legal(name: str) -> None:
    _, model = quantized(name)
    graph = to_integer(model)
    check(graph)
    x = images(name, 2, 5)
    twin = IntegerTwin(model)
    values = twin.network(image_bytes(x, model.mean, model.std))
    raw = image_bytes(x, model.mean, model.std).numpy()
    compared = 0
    for index in range(len(raw)):
        for tensor, expected in execute(graph, raw[index]).items():
            np.testing.assert_array_equal(values[tensor][index].numpy(), expected, err_msg=tensor)
            compared += expected.size
    assert compared > 1000
    results = twin(x)
    first = results if isinstance(results, torch.Tensor) else results[0]
    scale = float(model.range(graph.outputs[0]).scale)
    torch.testing.assert_close(first, (values[graph.outputs[0]] * scale).float(), rtol=1e-6, atol=0)


@pytest.mark.parametrize("name", NAMES)
def test_float_mode_is_within_one_unit_a_layer(name: str) -> None:
    _, model = quantized(name)
    rows = layer_differences(model, images(name, 4, 7))
    assert len(rows) >= 8 and sum(row.compared for row in rows) > 5000
    assert max(row.largest for row in rows) <= 1
    assert sum(row.differing for row in rows) < 0.005 * sum(row.compared for row in rows)
    assert len(output_differences(model, images(name, 4, 7))) == len(model.graph.outputs)
    with pytest.raises(DataError):
        layer_differences(model, images(name, 1)[:0])


@pytest.mark.parametrize(("name", "least"), [("mobilenet", 22.0), ("spark", 22.0)])
def test_eight_bits_stay_close_to_the_float_network(name: str, least: float) -> None:
    """Signal to noise in decibels; 8-bit weights, so what is left is mostly rounding of activations."""
    source, model = quantized(name, weight_bits=8)
    x = images(name, 16, 9)
    with torch.no_grad():
        wanted, got = source(x).flatten(1), IntegerTwin(model)(x).flatten(1)  # type: ignore[union-attr]
    noise = (wanted - got).square().mean() / wanted.var()
    assert -10 * float(torch.log10(noise)) > least


def test_weights_are_narrow_and_edge_layers_have_eight_bits() -> None:
    _, model = quantized("codenet", weight_bits=4, overrides={"layer4.0": 2, "deconv_layers.0.conv_scale": 8})
    graph = to_integer(model)
    widths = {node.name: node.weight_bits for node in graph.nodes if isinstance(node, ir.Conv | ir.DeformConv)}
    special = {"layer0.0": 8, "hm.6": 8, "wh.6": 8, "reg.6": 8, "layer4.0": 2, "deconv_layers.0.conv_scale": 8}
    assert {name: widths[name] for name in special} == special
    assert {bits for name, bits in widths.items() if name not in special} == {4}
    for node in graph.nodes:
        if isinstance(node, ir.Conv | ir.DeformConv):
            limit = (1 << (node.weight_bits - 1)) - 1
            assert -limit <= node.weight.min() and node.weight.max() <= limit


@pytest.mark.parametrize("bits", range(2, 9))
def test_every_weight_width_gives_a_legal_graph(bits: int) -> None:
    _, model = quantized("mobilenet", weight_bits=bits, edge_bits=bits)
    check(to_integer(model))
    assert max(row.largest for row in layer_differences(model, images("mobilenet", 2))) <= 1


def test_one_scale_per_shufflenet_stage() -> None:
    _, model = quantized("codenet")
    graph = to_integer(model)
    scales: dict[str, set[float | None]] = {}
    for node in graph.nodes:
        for stage in ("layer1", "layer2", "layer3"):
            if node.name.startswith(f"{stage}.") and node.name.endswith((".b2.5", ".b1.2")):
                scales.setdefault(stage, set()).add(node.scale)
    assert len(scales) == 3 and all(len(found) == 1 for found in scales.values())
    assert len(set.union(*scales.values())) == 3
    signs = {node.name: node.requant.signed for node in graph.nodes if isinstance(node, ir.Conv)}
    assert signs["layer1.0.b2.3"] and not signs["layer1.0.b2.5"] and not signs["hm.3"]


def test_displacements_have_scale_one_and_the_bounds_of_the_layer() -> None:
    _, model = quantized("codenet")
    found = [node for node in to_integer(model).nodes if node.name.endswith("conv_scale")]
    assert len(found) == 3
    for node in found:
        assert isinstance(node, ir.Conv) and node.scale == 1.0
        assert (node.requant.lo, node.requant.hi) == (-3, 5)
    x = images("codenet", 2, 3)
    values = IntegerTwin(model).network(image_bytes(x, model.mean, model.std))
    seen = torch.cat([values[node.name].flatten() for node in found]).unique()
    assert len(seen) > 1 and seen.min() >= -3 and seen.max() <= 5


def test_dead_channels_fit_the_format() -> None:
    """Zero gains leave a bias and no weights; tiny ones a factor below the format's smallest."""
    source = network("mobilenet")
    norm = source.get_submodule("blocks.1.layers.1")
    with torch.no_grad():
        norm.weight[:5] = 0.0  # type: ignore[index]
        norm.bias[:5] = torch.tensor([0.0, 3.0, -40.0, 1e-20, 1e4])  # type: ignore[index]
        norm.weight[5:9] = torch.tensor([1e-30, 1e-12, -1e-9, 1e-6])  # type: ignore[index]
    mean, std = MEANS["mobilenet"]
    model = QuantModel(source, from_torch(source, images("mobilenet", 1), mean=mean, std=std))
    calibrate(model, [images("mobilenet", 8, 1)])
    graph = to_integer(model)
    bounds = value_bounds(graph)
    node = graph.node("blocks.1.layers.0")
    assert isinstance(node, ir.Conv)
    assert accumulator_bound(node, bounds[node.inputs[0]]).max() < 1 << 26
    raw = image_bytes(images("mobilenet", 1), model.mean, model.std).numpy()[0]
    value = execute(graph, raw)[node.name]
    # The bias alone decides, exactly as in the float network: relu6(0, 3, -40, 0, 1e4) / scale.
    expected = [0, round(3 / (node.scale or 1)), 0, 0, round(6 / (node.scale or 1))]
    for channel, wanted in enumerate(expected):
        assert abs(value[channel] - wanted).max() <= 1
    assert max(row.largest for row in layer_differences(model, images("mobilenet", 2))) <= 1


def test_relu6_bound_is_in_the_requantization() -> None:
    _, model = quantized("mobilenet")
    graph = to_integer(model)
    for node in graph.nodes:
        if isinstance(node, ir.Conv) and node.scale and not node.requant.signed:
            assert node.requant.hi == min(255, int(np.floor(6 / node.scale + 0.5)))


def test_training_moves_weights_ranges_and_gains_but_not_statistics() -> None:
    _, model = quantized("spark")
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    x = images("spark", 16, 11)
    losses = []
    for _ in range(12):
        loss = nn.functional.cross_entropy(model(x).flatten(1), torch.arange(16) % 10)  # type: ignore[union-attr]
        optimizer.zero_grad()
        loss.backward()
        assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in model.parameters())
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    after = model.state_dict()
    moved = {name for name, value in after.items() if not torch.equal(value, before[name])}
    assert any(name.endswith(".high") for name in moved)
    assert any(name.startswith("source.norm.weight") for name in moved)
    assert not any("running" in name for name in moved)
    assert max(row.largest for row in layer_differences(model, x)) <= 1


def test_copies_compute_alike_and_state_round_trips() -> None:
    source, model = quantized("spark")
    x = images("spark", 3, 4)
    twin = copy.deepcopy(model)
    torch.testing.assert_close(twin(x), model(x), rtol=0, atol=0)
    fresh = QuantModel(network("spark", seed=9), model.graph, model.config).eval().set_mode("float")
    fresh.load_state_dict(model.state_dict())
    torch.testing.assert_close(fresh(x), model(x), rtol=0, atol=0)
    assert source is not model.source


def test_bad_settings_are_named() -> None:
    with pytest.raises(QuantizationError, match="nothing"):
        quantized("spark", overrides={"nothing": 4})
    with pytest.raises(QuantizationError, match="9 weight bits"):
        quantized("spark", overrides={"linear": 9})
    _, model = quantized("spark")
    with pytest.raises(QuantizationError, match="without images"):
        calibrate(model, [])
    fresh = QuantModel(network("spark"), model.graph)
    with pytest.raises(QuantizationError, match="is empty"):
        to_integer(fresh)
