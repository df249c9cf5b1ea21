"""Fine-tuning in stages: layers get their widths in order, and only then."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

from hao.errors import QuantizationError
from hao.frontend.torch_import import from_torch
from hao.ir.graph import Conv, DeformConv
from hao.ir.reference import execute
from hao.quant.calibrate import calibrate
from hao.quant.config import QuantConfig
from hao.quant.export import IntegerTwin, image_bytes, to_integer
from hao.quant.model import QuantModel
from hao.quant.stages import fine_tune_in_order
from tests.quant.networks import images, network

torch.set_num_threads(1)


def model() -> QuantModel:
    source = copy.deepcopy(network("spark"))
    settings = QuantConfig(weight_bits=3, edge_bits=4)
    return calibrate(QuantModel(source, from_torch(source, images("spark", 1)), settings), [images("spark", 32, 4)])


def test_layers_go_down_in_order_and_training_follows_each() -> None:
    quantized = model()
    wanted, order = dict(quantized.bits), list(reversed(list(quantized.bits)))
    x, y = images("spark", 32, 5), torch.arange(32) % 10
    optimizer, losses, seen = torch.optim.Adam(quantized.parameters(), 5e-3), [], []

    def train(current: QuantModel, name: str) -> None:
        seen.append(name)
        assert current.bits == {each: wanted[each] if each in seen else 8 for each in wanted}
        for _ in range(4):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(current.train()(x).flatten(1), y)
            loss.backward()
            optimizer.step()
        losses.append(float(loss.detach()))

    fine_tune_in_order(quantized, order, train)
    assert seen == order and quantized.bits == wanted and not quantized.training and losses[-1] < 0.95 * losses[0]
    graph, twin = to_integer(quantized), IntegerTwin(quantized)
    assert {node.name: node.weight_bits for node in graph.nodes if isinstance(node, Conv | DeformConv)} == wanted
    pixels = image_bytes(x[:4], quantized.mean, quantized.std)
    values = twin.network(pixels)
    for k in range(4):
        for name, expected in execute(graph, pixels[k].numpy()).items():
            np.testing.assert_array_equal(values[name][k].numpy(), expected)


def test_weights_are_fitted_anew_at_each_width() -> None:
    """Without training, stages end where calibration ended."""
    quantized, other = model(), model()
    fine_tune_in_order(quantized, list(quantized.bits), lambda *_: None)
    for name in other.bits:
        assert torch.equal(quantized.clip_ratio(name), other.clip_ratio(name))


def test_orders_that_are_none_are_named() -> None:
    quantized = model()
    names = list(quantized.bits)
    for order, layer in (([*names, "head"], "head"), (names[1:], names[0]), ([*names, names[2]], names[2])):
        with pytest.raises(QuantizationError, match=f"layer '{layer}' is not once"):
            fine_tune_in_order(quantized, order, lambda *_: None)
