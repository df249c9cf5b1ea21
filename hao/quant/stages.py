"""HAWQ's fine-tuning in stages (arXiv 1905.03696): layers go down to their widths one after another, with training in between."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from hao.errors import QuantizationError
from hao.quant.layers import best_clip
from hao.quant.model import QuantModel

Stage = Callable[[QuantModel, str], None]
"""Trains the model for a while; told of the layer that has just got its width."""
_START = 8


def fine_tune_in_order(model: QuantModel, order: Sequence[str], train: Stage) -> QuantModel:
    """Start with 8 bits everywhere; give each layer its width in turn and train.

    Args:
        model: calibrated to the final widths; changed in place.
        order: layers, first those of the largest perturbation (:func:`hao.quant.sensitivity.tuning_order`).
        train: called once a layer.

    Returns:
        the model, every layer at its width, in evaluation mode.

    Raises:
        QuantizationError: the order is not that of the model's layers; the layer at fault is named.
    """
    wanted = dict(model.bits)
    odd = [name for name in order if name not in wanted] + [name for name in wanted if name not in order]
    if odd or len(order) != len(wanted):
        raise QuantizationError(
            f"layer {(odd or sorted(order, key=list(order).count))[-1]!r} is not once in the order of fine-tuning",
            "name every layer with weights once",
        )
    for name in order:
        model.bits[name] = _START
    _fit_clips(model, order)
    for name in order:
        model.bits[name] = wanted[name]
        _fit_clips(model, [name])
        with torch.enable_grad():
            train(model, name)
    return model.eval()


@torch.no_grad()
def _fit_clips(model: QuantModel, layers: Sequence[str]) -> None:
    """The share of the weights' reach that each layer uses at its present width, as calibration chooses it."""
    for node in model.graph.nodes:
        if node.name in layers and model.config.weight_range == "mse":
            model.clip_ratio(node.name).copy_(best_clip(model.parameters_of(node)[0], model.bits[node.name]))
