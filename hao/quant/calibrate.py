"""Post-training quantization: ranges from data, floors of scales, clipping of weights, correction of biases."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from hao.errors import QuantizationError
from hao.quant.floors import raise_floors
from hao.quant.layers import best_clip
from hao.quant.model import QuantModel


@torch.no_grad()
def calibrate(model: QuantModel, batches: Iterable[Tensor]) -> QuantModel:
    """Find ranges and clips on representative data and switch ``model`` to mode ``float``.

    Args:
        model: changed in place.
        batches: normalized images ``(N, C, H, W)``; a few hundred images are plenty. The first batch also corrects biases.

    Returns:
        the model, in evaluation mode.

    Raises:
        QuantizationError: no data, or weights that are not finite; the layer is named.
    """
    kept: Sequence[Tensor] = [batch.detach() for batch in batches]
    if not kept or not sum(len(batch) for batch in kept):
        raise QuantizationError("calibration without images", "give at least one batch")
    model.eval().set_mode("calibrate")
    for item in model.ranges.values():
        for buffer in (item.low, item.high, item.floor):
            buffer.zero_()  # type: ignore[operator]
        item.keeping = model.config.activation_range == "mse"  # type: ignore[assignment]
    for name in model.bits:
        model.bias_shift(name).zero_()
    for batch in kept:
        model(batch)
    for item in model.ranges.values():
        if item.keeping:
            item.fit()  # type: ignore[operator]
            item.keeping = False  # type: ignore[assignment]
    model.set_mode("float")
    _check_weights(model)
    for node in model.graph.nodes:
        if node.name in model.bits:
            weight, _ = model.parameters_of(node)
            chosen = best_clip(weight, model.bits[node.name]) if model.config.weight_range == "mse" else torch.ones(len(weight))
            model.clip_ratio(node.name).copy_(chosen)
    raise_floors(model)
    if model.config.bias_correction:
        correct_biases(model, kept[0])
    return model


def _check_weights(model: QuantModel) -> None:
    for node in model.graph.nodes:
        if node.name in model.bits and not all(bool(torch.isfinite(value).all()) for value in model.parameters_of(node)):
            raise QuantizationError(
                f"layer {node.name!r} has weights that are not finite", "train it again, or repair its batch normalization"
            )


@torch.no_grad()
def correct_biases(model: QuantModel, batch: Tensor) -> None:
    """Shift every bias so that the quantized layer, fed by the quantized layers before it, keeps its float mean.

    One pass: float and quantized values go through the network side by side.
    """
    exact: dict[str, Tensor] = {}
    rough: dict[str, Tensor] = {}
    model.observing, observing = False, model.observing
    for node in model.graph.nodes:
        read = [batch] if node.kind == "input" else [exact[name] for name in node.inputs]
        exact[node.name] = model.set_mode("calibrate").compute(node, read)
        model.set_mode("float")
        if node.kind != "input":
            read = [rough[name] for name in node.inputs]
        if node.name in model.bits:
            model.set_mode("calibrate")
            wanted = model.arithmetic(node, [exact[name] for name in node.inputs]).mean((0, 2, 3))
            got = model.set_mode("float").arithmetic(node, read).mean((0, 2, 3))
            model.bias_shift(node.name).add_(wanted - got)
        rough[node.name] = model.compute(node, read)
    for item in model.ranges.values():
        item.forget()  # type: ignore[operator]
    model.observing = observing
