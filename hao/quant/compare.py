"""How far mode ``float`` is from mode ``integer``: layer by layer on equal inputs, and from end to end."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from hao.errors import DataError
from hao.quant.export import IntegerTwin, image_bytes
from hao.quant.layers import round_half_up
from hao.quant.model import QuantModel

_ARITHMETIC = ("conv", "deform", "avgpool", "add", "requantize")


@dataclass(frozen=True, slots=True)
class LayerDifference:
    """One layer of :func:`layer_differences`.

    Attributes:
        name: of the layer.
        compared: values held against each other.
        differing: values that differ.
        largest: largest difference, units of the last place.
    """

    name: str
    compared: int
    differing: int
    largest: int


@torch.no_grad()
def layer_differences(model: QuantModel, images: Tensor) -> list[LayerDifference]:
    """Every arithmetic layer in mode ``float``, fed with the integer network's tensors, against mode ``integer``.

    Args:
        model: calibrated; used in evaluation mode, mode ``float``.
        images: normalized, ``(N, C, H, W)``.

    Raises:
        DataError: no images.
    """
    if not len(images):
        raise DataError("no images to compare the modes on", "give at least one")
    model.eval().set_mode("float")
    twin = IntegerTwin(model).to(images.device)
    exact = twin.network(image_bytes(images, model.mean, model.std))
    rows = []
    for node in model.graph.nodes:
        if node.kind not in _ARITHMETIC:
            continue
        read = [(exact[name] * model.range(name).scale.double()).float() for name in node.inputs]
        steps = round_half_up(model.compute(node, read).double() / model.range(node.name).scale.double())
        difference = (steps - exact[node.name]).abs()
        rows.append(LayerDifference(node.name, difference.numel(), int((difference > 0).sum()), int(difference.max())))
    return rows


@torch.no_grad()
def output_differences(model: QuantModel, images: Tensor) -> list[LayerDifference]:
    """The outputs of both modes from end to end, where differences of earlier layers have accumulated.

    Raises:
        DataError: no images.
    """
    if not len(images):
        raise DataError("no images to compare the modes on", "give at least one")
    model.eval().set_mode("float")
    exact = IntegerTwin(model).to(images.device).network(image_bytes(images, model.mean, model.std))
    rough = model.tensors(images)
    rows = []
    for name in model.graph.outputs:
        steps = round_half_up(rough[name].double() / model.range(name).scale.double())
        difference = (steps - exact[name]).abs()
        rows.append(LayerDifference(name, difference.numel(), int((difference > 0).sum()), int(difference.max())))
    return rows
