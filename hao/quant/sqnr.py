"""Signal to quantization noise of every layer: where a quantized network loses its precision."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from hao.errors import DataError
from hao.quant.model import QuantModel


@dataclass(frozen=True, slots=True)
class LayerNoise:
    """One layer, decibels.

    Attributes:
        name: of the layer.
        weight_bits: 0 where it has no weights.
        weights: of its folded weights; infinite where it has none.
        own: of its result when it alone is quantized (it reads float values).
        total: of its result in the quantized network.
    """

    name: str
    weight_bits: int
    weights: float
    own: float
    total: float


@torch.no_grad()
def sqnr(model: QuantModel, images: Tensor) -> list[LayerNoise]:
    """Every arithmetic layer of a calibrated model, mode ``float`` against floating point, in graph order.

    Args:
        model: calibrated; left in evaluation mode, mode ``float``.
        images: normalized, ``(N, C, H, W)``.

    Raises:
        DataError: no images.
    """
    if not len(images):
        raise DataError("no images to measure noise on", "give at least one")
    model.eval().set_mode("calibrate")
    model.observing, observing = False, model.observing
    exact: dict[str, Tensor] = {}
    shifts = {name: model.bias_shift(name).clone() for name in model.bits}
    for name in shifts:
        model.bias_shift(name).zero_()
    for node in model.graph.nodes:
        exact[node.name] = model.compute(node, [images] if node.kind == "input" else [exact[name] for name in node.inputs])
    for item in model.ranges.values():
        item.forget()  # type: ignore[operator]
    for name, shift in shifts.items():
        model.bias_shift(name).copy_(shift)
    model.set_mode("float")
    rough = model.tensors(images)
    rows = []
    for node in model.graph.nodes:
        if node.kind in ("conv", "deform", "add", "avgpool", "requantize"):
            own = model.compute(node, [exact[name] for name in node.inputs])
            weights = float("inf")
            if node.name in model.bits:
                weight, _ = model.parameters_of(node)
                integers = model.integers_of(node)
                weights = decibels(weight, integers.weight * integers.scale[:, None, None, None])
            signal = exact[node.name]
            rows.append(
                LayerNoise(node.name, model.bits.get(node.name, 0), weights, decibels(signal, own), decibels(signal, rough[node.name]))
            )
    model.observing = observing
    return rows


def decibels(signal: Tensor, approximation: Tensor) -> float:
    """``10 log10`` of the signal's power over that of the difference; infinite where there is none."""
    noise = float((approximation - signal).double().square().sum())
    power = float(signal.double().square().sum())
    if noise == 0.0:
        return float("inf")
    return float(10 * torch.log10(torch.tensor(max(power, 1e-300) / noise, dtype=torch.float64)))
