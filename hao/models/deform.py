"""Co-designed deformable convolution: depthwise, square, bounded, rounded.

One displacement ``d(y, x)`` an output pixel; nine samples at ``(y + i*d, x + j*d)`` for ``i, j`` in ``{-1, 0, 1}``,
zero outside the map. Source: CoDeNet (arXiv 2006.08357) section 3.1; the released PyTorch code has the same sampling
points with the dilation left unrounded.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from hao.errors import ModelError

TAPS: tuple[tuple[int, int], ...] = tuple((i, j) for i in (-1, 0, 1) for j in (-1, 0, 1))
"""The nine taps ``(row, column)`` in the row-major order of a 3x3 kernel."""

DEFAULT_RANGE = (0, 7)
"""Inclusive bounds of the displacement, pixels."""


def round_half_up(x: Tensor) -> Tensor:
    """``floor(x + 1/2)``: the one rounding used below the float model."""
    return torch.floor(x + 0.5)


class _ClipInward(torch.autograd.Function):
    """Clamp whose gradient passes inside the range, and outside it only when the step points back in."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, low: float, high: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.low, ctx.high = low, high
        return x.clamp(low, high)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        (x,) = ctx.saved_tensors
        # Descent moves x against the gradient: above the range it must be positive, below it negative.
        blocked = ((x > ctx.high) & (grad < 0)) | ((x < ctx.low) & (grad > 0))
        return grad.masked_fill(blocked, 0.0), None, None


def clip_inward(x: Tensor, low: float, high: float) -> Tensor:
    """Clamp ``x`` to ``[low, high]``; gradients that point inward pass even outside the range."""
    return _ClipInward.apply(x, low, high)  # type: ignore[no-any-return, no-untyped-call]


class _Grid:
    """Row numbers of ``(batch*height*width + 1, channels)`` matrices; the last row is the zero outside the map."""

    def __init__(self, batch: int, height: int, width: int, device: torch.device) -> None:
        self.height, self.width, self.outside = height, width, batch * height * width
        position = torch.arange(self.outside, device=device)
        self.x = position % width
        self.y = (position // width) % height
        self.base = position - self.x - self.y * width

    def rows(self, dy: Tensor, dx: Tensor) -> Tensor:
        """Row index of the pixel displaced by integer tensors ``dy``, ``dx`` (shape: number of pixels)."""
        y, x = self.y + dy, self.x + dx
        inside = (y >= 0) & (y < self.height) & (x >= 0) & (x < self.width)
        return torch.where(inside, self.base + y * self.width + x, self.outside)


def _as_rows(x: Tensor) -> Tensor:
    """NCHW -> (N*H*W, C), free of copies when ``x`` is channels-last."""
    return x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])


def _as_map(rows: Tensor, shape: torch.Size) -> Tensor:
    """(N*H*W, C) -> NCHW with channels-last strides."""
    batch, channels, height, width = shape
    return rows.reshape(batch, height, width, channels).permute(0, 3, 1, 2)


class _RoundedSquareDepthwise(torch.autograd.Function):
    """Forward samples at the rounded displacement; backward differentiates bilinear sampling at the unrounded one."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, displacement: Tensor, weight: Tensor) -> Tensor:
        grid = _Grid(x.shape[0], x.shape[2], x.shape[3], x.device)
        padded = functional.pad(_as_rows(x), (0, 0, 0, 1))
        step = round_half_up(displacement).reshape(-1).long()
        taps = weight.reshape(-1, 9).t().to(x.dtype).contiguous()
        out = torch.zeros_like(padded[:-1])
        for tap, (i, j) in enumerate(TAPS):
            # embedding is the row gather that PyTorch vectorizes on CPU: 15x faster than index_select here.
            out.addcmul_(functional.embedding(grid.rows(i * step, j * step), padded), taps[tap])
        ctx.grid = grid
        ctx.save_for_backward(padded, displacement, taps)
        ctx.shape, ctx.weight_dtype = x.shape, weight.dtype
        return _as_map(out, x.shape)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        padded, displacement, taps = ctx.saved_tensors
        grid: _Grid = ctx.grid
        upstream = _as_rows(grad.to(padded.dtype)).contiguous()
        step = round_half_up(displacement).reshape(-1).long()
        grad_rows, grad_taps = torch.zeros_like(padded), torch.empty_like(taps)
        low = torch.floor(displacement).reshape(-1)
        fraction = displacement.reshape(-1) - low
        slope = torch.zeros_like(fraction)
        for tap, (i, j) in enumerate(TAPS):
            rows = grid.rows(i * step, j * step)
            grad_taps[tap] = (functional.embedding(rows, padded) * upstream).sum(0)
            weighted = upstream * taps[tap]
            grad_rows.scatter_add_(0, rows[:, None].expand_as(weighted), weighted)
            if (i, j) != (0, 0):
                slope += _bilinear_slope(grid, padded, weighted, low.long(), fraction, i, j)
        return (
            _as_map(grad_rows[:-1], ctx.shape),
            slope.to(displacement.dtype).reshape(displacement.shape),
            grad_taps.t().reshape(-1, 1, 3, 3).to(ctx.weight_dtype),
        )


def _bilinear_slope(grid: _Grid, padded: Tensor, weighted: Tensor, low: Tensor, fraction: Tensor, i: int, j: int) -> Tensor:
    """Derivative by the displacement of one tap's bilinear sample, summed over channels; shape: number of pixels."""

    def corner(a: int, b: int) -> Tensor:
        rows = grid.rows(i * (low + a), j * (low + b))
        return (functional.embedding(rows, padded) * weighted).sum(1)

    if i == 0:
        return corner(0, 1) - corner(0, 0)
    if j == 0:
        return corner(1, 0) - corner(0, 0)
    near, down, right, far = corner(0, 0), corner(1, 0), corner(0, 1), corner(1, 1)
    along_y = torch.lerp(down - near, far - right, fraction)
    along_x = torch.lerp(right - near, far - down, fraction)
    return along_y + along_x


def rounded_square_depthwise(x: Tensor, displacement: Tensor, weight: Tensor) -> Tensor:
    """Depthwise 3x3 convolution dilated by a per-pixel displacement, rounded half up.

    Args:
        x: feature map, ``(N, C, H, W)``.
        displacement: unrounded displacement in pixels, ``(N, 1, H, W)``; clip it first.
        weight: depthwise kernel, ``(C, 1, 3, 3)``.

    Returns:
        ``(N, C, H, W)``, channels-last strides.

    Raises:
        ModelError: the shapes do not belong together.
    """
    expected = (x.shape[0], 1, x.shape[2], x.shape[3])
    if tuple(displacement.shape) != expected or tuple(weight.shape) != (x.shape[1], 1, 3, 3):
        raise ModelError(
            f"deformable convolution of a map {tuple(x.shape)}: displacement {tuple(displacement.shape)} must be "
            f"{expected} and weight {tuple(weight.shape)} must be {(x.shape[1], 1, 3, 3)}",
            hint="one displacement a pixel, one 3x3 kernel a channel",
        )
    return _RoundedSquareDepthwise.apply(x, displacement, weight)  # type: ignore[no-any-return, no-untyped-call]


class Displacement(nn.Module):
    """Clip to the layer's range, unrounded; ``forced`` replaces every displacement by a constant.

    Attributes:
        d_min, d_max: inclusive bounds, pixels.
        forced: constant displacement in pixels, or None to use the predicted one.
    """

    def __init__(self, d_min: int = DEFAULT_RANGE[0], d_max: int = DEFAULT_RANGE[1]) -> None:
        super().__init__()
        if d_min > d_max:
            raise ModelError(f"displacement range [{d_min}, {d_max}] is empty", hint="d_min must not exceed d_max")
        self.d_min, self.d_max = d_min, d_max
        self.forced: int | None = None

    def forward(self, x: Tensor) -> Tensor:
        """``(N, 1, H, W)`` -> the same shape, inside the range."""
        if self.forced is not None:
            return torch.full_like(x, float(self.forced))
        return clip_inward(x, float(self.d_min), float(self.d_max))

    def extra_repr(self) -> str:
        return f"d_min={self.d_min}, d_max={self.d_max}, forced={self.forced}"


class DeformableDepthwise(nn.Module):
    """The rounded operator with its kernel; input a map and its clipped displacement."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.weight = nn.Parameter(torch.empty(channels, 1, 3, 3))
        nn.init.kaiming_normal_(self.weight, nonlinearity="linear")

    def forward(self, x: Tensor, displacement: Tensor) -> Tensor:
        """``(N, C, H, W)`` and ``(N, 1, H, W)`` -> ``(N, C, H, W)``."""
        return rounded_square_depthwise(x, displacement, self.weight)

    def extra_repr(self) -> str:
        return f"{self.channels}, kernel_size=3"


class DeformableSeparable(nn.Module):
    """Displacement by a 1x1 convolution, deformable depthwise on the input channels, then 1x1 to the output channels.

    Parameter names (``conv_scale``, ``conv``, ``conv_channel``) are those of the released checkpoints.
    """

    def __init__(self, in_channels: int, out_channels: int, d_min: int = DEFAULT_RANGE[0], d_max: int = DEFAULT_RANGE[1]) -> None:
        super().__init__()
        self.conv_scale = nn.Conv2d(in_channels, 1, 1, bias=True)
        self.displacement = Displacement(d_min, d_max)
        self.conv = DeformableDepthwise(in_channels)
        self.conv_channel = nn.Conv2d(in_channels, out_channels, 1, bias=False)
        # The published zero weights leave d at 1 everywhere until the first gradients; a spread of about one pixel
        # keeps the layer from starting, and staying, constant.
        nn.init.normal_(self.conv_scale.weight, std=in_channels**-0.5)
        nn.init.constant_(self.conv_scale.bias, 1.5)  # type: ignore[arg-type]
        nn.init.kaiming_normal_(self.conv_channel.weight, nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """``(N, in_channels, H, W)`` -> ``(N, out_channels, H, W)``."""
        return self.conv_channel(self.conv(x, self.displacement(self.conv_scale(x))))  # type: ignore[no-any-return]


class PlainSeparable(nn.Module):
    """The ablation's counterpart: plain depthwise 3x3 (displacement 1), then 1x1; same parameter names."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, in_channels, 3, padding=1, groups=in_channels, bias=False)
        self.conv_channel = nn.Conv2d(in_channels, out_channels, 1, bias=False)
        nn.init.kaiming_normal_(self.conv.weight, nonlinearity="linear")
        nn.init.kaiming_normal_(self.conv_channel.weight, nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """``(N, in_channels, H, W)`` -> ``(N, out_channels, H, W)``."""
        return self.conv_channel(self.conv(x))  # type: ignore[no-any-return]
