"""Float variants of the deformable operator, for the papers' ablation (CoDeNet table 1).

``full`` is the original 3x3 deformable convolution with eighteen free offsets; ``depthwise`` makes it depthwise plus 1x1;
``bounded`` clips the offsets; ``square`` has one displacement a pixel, sampled bilinearly. The step after it, rounding, is
the co-designed operator of `hao.models.deform`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor, nn
from torch.nn import functional

from hao.errors import ModelError
from hao.models.deform import TAPS, clip_inward, round_half_up


@dataclass(frozen=True, slots=True)
class Variant:
    """Which restrictions apply.

    Attributes:
        depthwise: one kernel a channel and a 1x1 behind it, instead of a dense 3x3.
        bounded: offsets clipped to [-d_max, d_max]; a square displacement to [d_min, d_max].
        square: one displacement a pixel instead of eighteen offsets.
        rounded: integer sampling positions; gradients pass the rounding unchanged.
    """

    depthwise: bool
    bounded: bool
    square: bool
    rounded: bool = False


VARIANTS: Mapping[str, Variant] = MappingProxyType(
    {
        "full": Variant(depthwise=False, bounded=False, square=False),
        "depthwise": Variant(depthwise=True, bounded=False, square=False),
        "bounded": Variant(depthwise=True, bounded=True, square=False),
        "square": Variant(depthwise=True, bounded=True, square=True),
        "bounded_rounded": Variant(depthwise=True, bounded=True, square=False, rounded=True),
    }
)


def bilinear_samples(x: Tensor, dy: Tensor, dx: Tensor) -> Tensor:
    """Bilinear samples of every channel at ``(row + dy, column + dx)``; neighbours outside the map count as zero.

    Args:
        x: ``(N, C, H, W)``.
        dy, dx: displacements in pixels, ``(N, H, W)``.

    Returns:
        ``(N, H, W, C)``.
    """
    batch, channels, height, width = x.shape
    rows = functional.pad(x.permute(0, 2, 3, 1).reshape(-1, channels), (0, 0, 0, 1))
    outside = batch * height * width
    y = torch.arange(height, device=x.device)[:, None] + dy
    column = torch.arange(width, device=x.device) + dx
    top, left = torch.floor(y), torch.floor(column)
    picture = (torch.arange(batch, device=x.device) * (height * width))[:, None, None]
    total = torch.zeros((batch, height, width, channels), dtype=x.dtype, device=x.device)
    for down in (0, 1):
        for right in (0, 1):
            share = (1 - (y - top - down).abs()) * (1 - (column - left - right).abs())
            row, col = top.long() + down, left.long() + right
            inside = (row >= 0) & (row < height) & (col >= 0) & (col < width)
            index = torch.where(inside, picture + row * width + col, outside)
            total = total + functional.embedding(index, rows) * share[..., None].to(x.dtype)
    return total


def deformable_conv(x: Tensor, offsets: Tensor, weight: Tensor) -> Tensor:
    """3x3 deformable convolution, stride 1, padding 1, dense or depthwise.

    Args:
        x: ``(N, C, H, W)``.
        offsets: from each tap's usual place, ``(N, 18, H, W)``: y then x of the nine taps, row-major.
        weight: ``(out, C, 3, 3)`` dense, or ``(C, 1, 3, 3)`` depthwise.

    Raises:
        ModelError: the shapes do not belong together.
    """
    batch, channels, height, width = x.shape
    depthwise = weight.shape[1] == 1 and weight.shape[0] == channels
    if tuple(offsets.shape) != (batch, 18, height, width) or not (depthwise or weight.shape[1] == channels):
        raise ModelError(
            f"map {tuple(x.shape)}, offsets {tuple(offsets.shape)} and weight {tuple(weight.shape)} do not belong together",
            hint="eighteen offsets a pixel; weight (out, channels, 3, 3) or (channels, 1, 3, 3)",
        )
    kernel = weight.flatten(2)
    total: Tensor | None = None
    for tap, (i, j) in enumerate(TAPS):
        sample = bilinear_samples(x, i + offsets[:, 2 * tap], j + offsets[:, 2 * tap + 1])
        part = sample * kernel[:, 0, tap] if depthwise else sample @ kernel[:, :, tap].t()
        total = part if total is None else total + part
    assert total is not None
    return total.permute(0, 3, 1, 2)


class FloatDeformable(nn.Module):
    """One variant as a module: its own offset convolution, the deformable convolution and, if depthwise, a 1x1."""

    def __init__(self, in_channels: int, out_channels: int, name: str, d_min: int = 0, d_max: int = 7) -> None:
        super().__init__()
        if name not in VARIANTS:
            raise ModelError(f"no variant {name!r} of the deformable operator", hint=f"one of {', '.join(VARIANTS)}")
        self.variant, self.d_min, self.d_max = VARIANTS[name], d_min, d_max
        self.conv_scale = nn.Conv2d(in_channels, 1 if self.variant.square else 18, 1, bias=True)
        nn.init.normal_(self.conv_scale.weight, std=in_channels**-0.5)
        nn.init.constant_(self.conv_scale.bias, 1.5 if self.variant.square else 0.0)  # type: ignore[arg-type]
        shape = (in_channels, 1, 3, 3) if self.variant.depthwise else (out_channels, in_channels, 3, 3)
        self.weight = nn.Parameter(torch.empty(shape))
        nn.init.kaiming_normal_(self.weight, nonlinearity="linear" if self.variant.depthwise else "relu")
        if self.variant.depthwise:
            self.conv_channel = nn.Conv2d(in_channels, out_channels, 1, bias=False)
            nn.init.kaiming_normal_(self.conv_channel.weight, nonlinearity="relu")

    def offsets(self, x: Tensor) -> Tensor:
        """The eighteen offsets a pixel that this variant uses, ``(N, 18, H, W)``."""
        raw: Tensor = self.conv_scale(x)
        if self.variant.bounded:
            raw = clip_inward(raw, float(self.d_min if self.variant.square else -self.d_max), float(self.d_max))
        if self.variant.rounded:
            raw = raw + (round_half_up(raw) - raw).detach()
        if not self.variant.square:
            return raw
        anchors = torch.tensor(TAPS, dtype=raw.dtype, device=raw.device).reshape(1, 18, 1, 1)
        return anchors * (raw - 1)

    def forward(self, x: Tensor) -> Tensor:
        """``(N, in_channels, H, W)`` -> ``(N, out_channels, H, W)``."""
        y = deformable_conv(x, self.offsets(x), self.weight)
        if not self.variant.depthwise:
            return y
        mixed: Tensor = self.conv_channel(y)
        return mixed
