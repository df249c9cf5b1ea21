"""Parameters and multiply-accumulates of a network, counted from its structure."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from hao.models.codenet import CONFIGS, CoDeNet
from hao.models.deform import DeformableDepthwise

PUBLISHED_GMAC = {"a": 0.29, "b": 0.29, "c": 1.14, "d": 3.54, "e": 3.58}
"""Table 3 of the FPGA 2021 paper, to print beside our count."""


@dataclass(frozen=True, slots=True)
class LayerCount:
    """One convolution or linear layer: its name, output shape ``(channels, height, width)`` and multiply-accumulates a picture."""

    name: str
    shape: tuple[int, int, int]
    macs: int


def count_parameters(net: nn.Module) -> int:
    """Trained numbers, batch normalization's gains and shifts included."""
    return sum(parameter.numel() for parameter in net.parameters())


def count_macs(net: nn.Module, size: int | tuple[int, int]) -> tuple[LayerCount, ...]:
    """Every convolution and linear layer of ``net`` on one picture, in order of execution.

    ``size`` is the picture's side, or its height and width.

    A deformable convolution counts as the plain one of its shape, plus its displacement convolution. Nothing is
    computed: shapes alone are propagated.
    """
    found: list[LayerCount] = []
    handles = []
    for name, module in net.named_modules():
        if isinstance(module, (nn.Conv2d, nn.Linear, DeformableDepthwise)):

            def hook(module: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor, name: str = name) -> None:
                channels, height, width = (*output.shape[1:], 1, 1)[:3]
                weight = module.weight
                assert isinstance(weight, Tensor)
                found.append(LayerCount(name, (channels, height, width), weight.numel() * height * width))

            handles.append(module.register_forward_hook(hook))
    try:
        with torch.inference_mode():
            height, width = (size, size) if isinstance(size, int) else size
            net(torch.empty(1, 3, height, width, device=next(net.parameters()).device))
    finally:
        for handle in handles:
            handle.remove()
    return tuple(found)


def published_macs(name: str) -> int:
    """Multiply-accumulates a picture of configuration ``name`` as published, without allocating its weights."""
    with torch.device("meta"):
        net = CoDeNet(CONFIGS[name])
    return sum(layer.macs for layer in count_macs(net.eval(), CONFIGS[name].size))
