"""From a calibrated or trained :class:`~hao.quant.model.QuantModel` to the integer graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from hao.errors import GraphError, QuantizationError
from hao.frontend.float_graph import FloatNode
from hao.ir import graph as ir
from hao.ir.check import check
from hao.ir.dyadic import dyadic, dyadic_pair
from hao.quant.floors import raise_floors
from hao.quant.integer import IntegerNetwork
from hao.quant.layers import round_half_up
from hao.quant.model import QuantModel
from hao.quant.ranges import ActivationRange


@torch.no_grad()
def to_integer(model: QuantModel, name: str = "", metadata: dict[str, Any] | None = None) -> ir.Graph:
    """The integer graph of ``model``: integer weights, biases, multipliers and shifts.

    Training moves ranges; where a requantization factor would have left the format, the model's scale is raised first.

    Args:
        model: calibrated.
        name: of the graph; default: the float graph's.
        metadata: JSON values kept with the graph, beside mean and standard deviation of the image.

    Raises:
        QuantizationError: a range was never calibrated, or the format cannot hold a layer, which is named.
    """
    raise_floors(model)
    nodes = tuple(_CONVERT[node.kind](model, node) for node in model.graph.nodes)
    graph = ir.Graph(name or model.graph.name, nodes, model.graph.outputs, model.graph.metadata() | (metadata or {}))
    try:
        check(graph)
    except GraphError as error:
        raise QuantizationError(error.message, error.hint) from error
    return graph


class IntegerTwin(nn.Module):
    """Mode ``integer`` of a quantized model: same interface, computed by its integer graph.

    Args:
        model: calibrated; later changes of its weights do not reach the twin.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, model: QuantModel) -> None:
        super().__init__()
        graph = to_integer(model)
        self.single, self.outputs = model.graph.single, model.graph.outputs
        self.network = IntegerNetwork(graph)
        self.scales = [float(model.range(name).scale.double()) for name in graph.outputs]
        self.register_buffer("mean", model.mean.clone())
        self.register_buffer("std", model.std.clone())
        self.to(model.std.device)

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Normalized images ``(N, C, H, W)`` to real-valued results in float32."""
        values = self.network(image_bytes(x, self.mean, self.std))
        results = tuple((values[name] * scale).float() for name, scale in zip(self.outputs, self.scales, strict=True))
        return results[0] if self.single else results


def image_bytes(x: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """The unsigned bytes behind normalized images ``(N, C, H, W)``."""
    column = (slice(None), None, None)
    return torch.clamp(round_half_up(x * std[column] + mean[column]), 0, 255).to(torch.uint8)


def _integers(values: Tensor) -> ir.IntArray:
    return values.detach().cpu().numpy().astype(np.int64)


def _scale(kept: ActivationRange, name: str) -> float:
    if kept.fixed is None and not float(torch.maximum(kept.high, -kept.low)) > 0 and not float(kept.floor) > 0:
        raise QuantizationError(f"the range of {name!r} is empty", "calibrate on data; a layer whose result is always 0 is dead")
    return float(kept.scale.double())


def _bounds(kept: ActivationRange, clip: tuple[float, float] | None, name: str) -> tuple[int, int]:
    low, high = kept.limits
    if clip is not None:
        scale = _scale(kept, name)
        low, high = (int(np.clip(np.floor(bound / scale + 0.5), low, high)) for bound in clip)
    return low, high


def _result(model: QuantModel, node: FloatNode) -> dict[str, Any]:
    kept = model.range(node.name)
    low, high = _bounds(kept, node.clip, node.name)
    return {"lo": low, "hi": high, "bits": kept.bits, "signed": kept.signed}


def _requant(model: QuantModel, node: FloatNode) -> tuple[ir.IntArray, ir.Requant]:
    exact = model.integers_of(node, exact=True)
    source, target = (_scale(model.range(name), name) for name in (node.inputs[0], node.name))
    multiplier, shift = dyadic(exact.scale.cpu().numpy() * source / target, node.name)
    return _integers(exact.weight), ir.Requant(_integers(exact.bias), multiplier, shift, **_result(model, node))


def _input(model: QuantModel, node: FloatNode) -> ir.Node:
    uniform = len(set(model.graph.std)) == 1
    return ir.Input(node.name, (), node.shape, model.graph.mean, scale=1 / model.graph.std[0] if uniform else None)


def _conv(model: QuantModel, node: FloatNode) -> ir.Node:
    weight, rule = _requant(model, node)
    geometry = {key: node.attributes[key] for key in ("stride", "pad", "groups")}
    return ir.Conv(node.name, node.inputs, weight, model.bits[node.name], rule, **geometry, scale=_scale(model.range(node.name), node.name))


def _deform(model: QuantModel, node: FloatNode) -> ir.Node:
    weight, rule = _requant(model, node)
    return ir.DeformConv(node.name, node.inputs, weight, model.bits[node.name], rule, scale=_scale(model.range(node.name), node.name))


def _avgpool(model: QuantModel, node: FloatNode) -> ir.Node:
    kernel, stride = node.attributes["kernel"], node.attributes["stride"]
    height, width = next(item.shape for item in model.graph.nodes if item.name == node.inputs[0])[1:]
    source, target = (_scale(model.range(name), name) for name in (node.inputs[0], node.name))
    multiplier, shift = dyadic(source / target / (kernel**2 or height * width), node.name)
    return ir.AvgPool(node.name, node.inputs, kernel, stride, int(multiplier), int(shift), **_result(model, node), scale=target)


def _add(model: QuantModel, node: FloatNode) -> ir.Node:
    first, second, target = (_scale(model.range(name), name) for name in (*node.inputs, node.name))
    pair = dyadic_pair(first / target, second / target, node.name)
    return ir.Add(node.name, node.inputs, *pair, **_result(model, node), scale=target)


def _requantize(model: QuantModel, node: FloatNode) -> ir.Node:
    source, target = (_scale(model.range(name), name) for name in (node.inputs[0], node.name))
    multiplier, shift = dyadic(source / target, node.name)
    return ir.Requantize(node.name, node.inputs, int(multiplier), int(shift), **_result(model, node), scale=target)


def _maxpool(_model: QuantModel, node: FloatNode) -> ir.Node:
    return ir.MaxPool(node.name, node.inputs, node.attributes["kernel"], node.attributes["stride"], node.attributes["pad"])


_CONVERT: dict[str, Callable[[QuantModel, FloatNode], ir.Node]] = {
    "input": _input,
    "conv": _conv,
    "deform": _deform,
    "avgpool": _avgpool,
    "add": _add,
    "requantize": _requantize,
    "maxpool": _maxpool,
    "concat": lambda _, node: ir.Concat(node.name, node.inputs),
    "slice": lambda _, node: ir.Slice(node.name, node.inputs, node.attributes["start"], node.attributes["stop"]),
    "shuffle": lambda _, node: ir.Shuffle(node.name, node.inputs, node.attributes["groups"]),
    "upsample": lambda _, node: ir.Upsample(node.name, node.inputs),
}
