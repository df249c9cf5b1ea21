"""Weights of one layer: batch normalization folded in, then integers and the scale per output channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from hao.frontend.float_graph import FloatNode
from hao.ir.dyadic import SCALE_MAX, SCALE_MIN

BIAS_LIMIT = 1 << 25
"""Largest magnitude of an integer bias; products get the other half of the 27-bit accumulator."""
_PRODUCT_LIMIT = 0.9 * (1 << 25)
_CLIP_RATIOS = tuple(1 - 0.02 * step for step in range(31))
_MARGIN = 0.995


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the layer's scales have to fit: scales of input and result, and the largest magnitude of the input."""

    input_scale: Tensor
    output_scale: Tensor
    largest: float


@dataclass(frozen=True, slots=True)
class LayerIntegers:
    """Integers of a layer, as floating-point tensors.

    Attributes:
        weight: ``(out, in / groups, k, k)``.
        bias: ``(out,)``.
        scale: of the weights, ``(out,)``.
    """

    weight: Tensor
    bias: Tensor
    scale: Tensor


def round_half_up(x: Tensor) -> Tensor:
    """``floor(x + 1/2)``."""
    return torch.floor(x + 0.5)


def straight_through(x: Tensor, value: Tensor) -> Tensor:
    """``value`` in the forward pass, the gradient of ``x`` in the backward pass."""
    return x + (value - x).detach()


class _FakeQuantize(torch.autograd.Function):
    """One pass forward and a mask backward: activations are most of the memory of quantization-aware training."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: Tensor, low: int, high: int) -> Tensor:
        steps = (x / scale).add_(0.5).floor_()
        ctx.save_for_backward((steps >= low) & (steps <= high))
        return steps.clamp_(low, high).mul_(scale)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:
        (inside,) = ctx.saved_tensors
        return grad * inside, None, None, None


def fake_quantize(x: Tensor, scale: Tensor, low: int, high: int) -> Tensor:
    """Nearest multiple of ``scale`` between ``low`` and ``high`` steps; gradients pass where nothing saturates."""
    return _FakeQuantize.apply(x, scale, low, high)  # type: ignore[no-any-return, no-untyped-call]


def folded(source: nn.Module, node: FloatNode, channels: int, std: Tensor | None) -> tuple[Tensor, Tensor]:
    """Weight ``(out, in / groups, k, k)`` and bias ``(out,)`` with batch normalization (running statistics) folded in.

    ``std`` divides the weights of the layer that reads the image, whose input is not normalized.
    """
    module = source.get_submodule(node.module)
    weight: Tensor = module.weight  # type: ignore[assignment]
    kernel = node.attributes["kernel"]
    if weight.ndim == 2:
        weight = weight.reshape(len(weight), channels, kernel, kernel)
    bias: Tensor | None = getattr(module, "bias", None)
    if bias is None:
        bias = torch.zeros(len(weight), dtype=weight.dtype, device=weight.device)
    if node.norm:
        norm: nn.BatchNorm2d = source.get_submodule(node.norm)  # type: ignore[assignment]
        assert norm.running_var is not None and norm.running_mean is not None  # the front end checked it
        factor = torch.rsqrt(norm.running_var + norm.eps)
        factor = factor if norm.weight is None else factor * norm.weight
        weight = weight * factor[:, None, None, None]
        bias = (bias - norm.running_mean) * factor
        bias = bias if norm.bias is None else bias + norm.bias
    if std is not None:
        weight = weight / std[None, :, None, None].to(weight.dtype)
    return weight, bias


@torch.no_grad()
def weight_scale(weight: Tensor, bias: Tensor, bits: int, ratio: Tensor, around: Surroundings) -> Tensor:
    """Scale per output channel, ``(out,)``: the channel's largest weight times ``ratio`` over the largest integer, but

    * large enough that bias and products fit the accumulator, and the requantization factor is at least 2^-31 (dead
      channels: their weights vanish against their bias);
    * small enough that the requantization factor stays under 2 (weights saturate then; calibration prevents it).
    """
    flat = weight.abs().flatten(1)
    scale = flat.amax(1) * ratio / ((1 << (bits - 1)) - 1)
    to_output = around.output_scale / around.input_scale
    floors = (bias.abs() / (around.input_scale * BIAS_LIMIT), flat.sum(1) * around.largest / _PRODUCT_LIMIT)
    for floor in floors:
        scale = torch.maximum(scale, floor)
    return torch.clamp(scale, float(SCALE_MIN / _MARGIN) * to_output, float(SCALE_MAX * _MARGIN) * to_output)


@torch.no_grad()
def integers(weight: Tensor, bias: Tensor, bits: int, ratio: Tensor, around: Surroundings) -> LayerIntegers:
    """Integer weights (narrow range) and biases of a layer from its folded float ones."""
    scale = weight_scale(weight, bias, bits, ratio, around)
    largest = (1 << (bits - 1)) - 1
    steps = torch.clamp(round_half_up(weight / scale[:, None, None, None]), -largest, largest)
    offset = torch.clamp(round_half_up(bias / (scale * around.input_scale)), -BIAS_LIMIT, BIAS_LIMIT)
    return LayerIntegers(steps, offset, scale)


@torch.no_grad()
def best_clip(weight: Tensor, bits: int) -> Tensor:
    """Share of each channel's largest weight at which clipping gives the least squared error, ``(out,)``."""
    flat = weight.flatten(1)
    largest = (1 << (bits - 1)) - 1
    reach = flat.abs().amax(1, keepdim=True).clamp(min=1e-30)
    best, error = torch.ones_like(reach), torch.full_like(reach, torch.inf)
    for ratio in _CLIP_RATIOS:
        step = reach * ratio / largest
        miss = (torch.clamp(round_half_up(flat / step), -largest, largest) * step - flat).square().sum(1, keepdim=True)
        best, error = torch.where(miss < error, ratio, best), torch.minimum(miss, error)
    return best[:, 0]
