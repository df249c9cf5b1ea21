"""The first layer: image rows gathered into full words, means folded into biases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hao.compiler.ops import DenseOp, ImageOp, IntArray, Ref, Scaling, Value
from hao.engine.config import EngineConfig
from hao.engine.isa import LANES
from hao.errors import CompileError
from hao.ir.graph import Conv, Input

_PLANES = 2
"""Planes that one LDI writes."""


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """The image as the lowering meets it: the graph node, and a value of its raw bytes that stands for it in views."""

    node: Input
    raw: Value
    row_bytes: int

    @property
    def geometry(self) -> tuple[int, int, int, int]:
        """Channels, height, width, bytes a row."""
        return (*self.node.shape, self.row_bytes)


def image_of(node: Input, config: EngineConfig) -> Image:
    """Check that the gather unit takes the image.

    Raises:
        CompileError: too many channels, or rows too long.
    """
    channels, height, width = node.shape
    if channels > 3:
        raise CompileError(f"image {node.name}: {channels} channels", "the gather unit takes images of 1 to 3 channels")
    row_bytes = -(-4 * width // 16) * 16
    if row_bytes > config.row_bytes:
        raise CompileError(
            f"image {node.name}: a row of {width} pixels takes {row_bytes} bytes",
            f"the row buffer holds {config.row_bytes}: raise row_bytes",
        )
    return Image(node, Value(node.name, channels, height, width, False, 0, 255), row_bytes)


def gather(name: str, image: Image, kernel: int, stride: int, pad: int, height: int, width: int) -> ImageOp:
    """LDI of every ``kernel`` x ``kernel`` window of the image."""
    channels = image.node.shape[0]
    value = Value(f"{name}.image", kernel * kernel * channels, height, width, False, 0, 255)
    return ImageOp(name, value, kernel, stride, pad, tuple(image.node.mean), *image.node.shape[1:], image.row_bytes)


def _all_channels(weight: IntArray, refs: tuple[Ref, ...], channels: int) -> IntArray:
    """Weights per image channel: a view may pick, permute or repeat channels."""
    full = np.zeros((weight.shape[0], channels, *weight.shape[2:]), np.int64)
    for index, (_, channel) in enumerate(refs):
        full[:, channel] += weight[:, index]
    return full


def lower_image_conv(
    node: Conv, refs: tuple[Ref, ...], image: Image, output: Value, scaling: Scaling, plain: Callable[[], Value]
) -> list[ImageOp | DenseOp]:
    """A dense convolution of the image.

    Args:
        node: the convolution.
        refs: image channels it reads, in order.
        image: the image.
        output: value to compute.
        scaling: its requantization, for ``image - mean``.
        plain: gives the value of the image's raw bytes in feature memory, for kernels that the gather unit does not know.

    Raises:
        CompileError: the padding of such a kernel would have to be the mean, which is not zero.
    """
    channels = image.node.shape[0]
    weight = _all_channels(node.weight, refs, channels)
    mean = np.array(image.node.mean, np.int64)
    bias = scaling.bias - (weight.sum(axis=(2, 3)) @ mean)
    folded = Scaling(bias, scaling.multiplier, scaling.shift, scaling.lo, scaling.hi)
    kernel = int(weight.shape[2])
    low, high = int(weight.min()), int(weight.max())
    if low < -128 or high > 127:
        raise CompileError(f"{node.name} reads a channel of the image twice; the weights' sum reaches {low}..{high}", "weights have 8 bits")
    bits = 4 if low >= -8 and high <= 7 and node.weight_bits <= 4 else 8
    if kernel in (1, 3) and node.pad <= 1 and node.stride <= 4 and kernel * kernel * channels <= _PLANES * LANES:
        load = gather(node.name, image, kernel, node.stride, node.pad, output.height, output.width)
        lanes = weight.transpose(0, 2, 3, 1).reshape(len(weight), -1, 1, 1)
        inputs = tuple((load.output, lane) for lane in range(lanes.shape[1]))
        return [load, DenseOp(node.name, output, inputs, lanes, bits, folded)]
    if node.pad and mean.any():
        raise CompileError(
            f"{node.name}: a {kernel}x{kernel} convolution with padding {node.pad} reads an image whose mean is not zero",
            "use a 3x3 first layer with padding 0 or 1, no padding, or mean 0",
        )
    raw = plain()
    inputs = tuple((raw, channel) for channel in range(channels))
    return [DenseOp(node.name, output, inputs, weight, bits, folded, node.stride, node.pad)]
