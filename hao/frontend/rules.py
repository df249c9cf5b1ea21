"""What the integer graph can express, as faults with the nearest supported form."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hao.frontend.float_graph import FloatGraph

Fault = tuple[str, str]
"""Why, and the nearest supported form."""

_ACTIVATION = "ReLU, ReLU6 or Hardtanh"
NEAREST = {
    **dict.fromkeys(
        ("SiLU", "Hardswish", "GELU", "LeakyReLU", "PReLU", "ELU", "Sigmoid", "Hardsigmoid", "Tanh", "Softplus", "Mish"), _ACTIVATION
    ),
    **dict.fromkeys(("silu", "hardswish", "gelu", "leaky_relu", "elu", "tanh", "mish"), _ACTIVATION),
    **dict.fromkeys(("sigmoid", "softmax", "Softmax", "log_softmax"), "leave it to the host, behind the last layer"),
    "ConvTranspose2d": "Upsample by 2 (nearest), then a convolution",
    **dict.fromkeys(("GroupNorm", "LayerNorm", "InstanceNorm2d", "BatchNorm1d"), "BatchNorm2d behind a convolution"),
    **dict.fromkeys(("mul", "truediv", "div"), "a scale folded into the weights of a neighbour"),
    **dict.fromkeys(("sub",), "the sum of two tensors"),
    **dict.fromkeys(("matmul", "bmm", "conv2d", "linear"), "nn.Conv2d or nn.Linear"),
    "*": "convolution, deformable convolution, pooling, addition, concatenation, split, shuffle, up-sampling, ReLU",
}
"""Nearest supported form by the name of a layer or function; ``*`` for all others."""


def _square(value: Any) -> bool:
    return isinstance(value, int) or (isinstance(value, list | tuple) and len(set(value)) == 1)


def conv_fault(module: Any, *, reads_image: bool) -> Fault | None:
    """Why a Conv2d is not supported, or None."""
    kernel, stride = module.kernel_size, module.stride
    if isinstance(module.padding, str) or module.padding_mode != "zeros":
        return f"padding {module.padding!r} of mode {module.padding_mode}", "zero padding given as a number"
    if not (_square(kernel) and _square(stride) and _square(module.padding)):
        return f"kernel {kernel}, stride {stride}, padding {module.padding}", "square kernels, strides and padding"
    if set(module.dilation) != {1}:
        return f"dilation {module.dilation}", "a deformable convolution with constant displacement"
    if kernel[0] > 15 or stride[0] > 4 or module.padding[0] >= kernel[0]:
        return f"kernel {kernel[0]}, stride {stride[0]}, padding {module.padding[0]}", "kernel to 15, stride to 4, padding below the kernel"
    if module.groups == 1:
        if reads_image and (kernel[0] not in (1, 3) or module.padding[0] > 1 or module.in_channels > 3):
            return f"a {kernel[0]}x{kernel[0]} convolution on the image", "1x1 or 3x3, padding 0 or 1, up to 3 channels"
        return None
    if module.groups != module.in_channels or module.in_channels != module.out_channels:
        return f"{module.groups} groups from {module.in_channels} to {module.out_channels} channels", "dense or depthwise"
    if kernel[0] != 3 or stride[0] > 2 or module.padding[0] > 1 or reads_image:
        return f"a depthwise {kernel[0]}x{kernel[0]} of stride {stride[0]}", "3x3, stride 1 or 2, padding 0 or 1, not on the image"
    return None


def pool_fault(kind: str, kernel: Any, stride: Any, pad: Any, *, ceil_mode: bool = False, dilation: Any = 1) -> Fault | None:
    """Why a pooling layer is not supported, or None."""
    if not (_square(kernel) and (stride is None or _square(stride)) and _square(pad)) or ceil_mode or dilation not in (1, (1, 1)):
        return f"kernel {kernel}, stride {stride}, padding {pad}, ceil mode {ceil_mode}", "square, rounded down"
    size = kernel if isinstance(kernel, int) else kernel[0]
    padding = pad if isinstance(pad, int) else pad[0]
    if kind == "maxpool" and size not in (2, 3):
        return f"{size}x{size} max pooling", "2x2 or 3x3, repeated"
    if kind == "avgpool" and padding:
        return f"average pooling padded by {padding}", "unpadded"
    return None


def network_faults(graph: FloatGraph) -> Iterator[str]:
    """Faults that only show in the neighbourhood of a node."""

    def row(name: str, why: str, nearest: str) -> str:
        return f"{name}: {why}; nearest supported form: {nearest}"

    nodes = {node.name: node for node in graph.nodes}
    for name, readers in graph.users().items():
        node = nodes[name]
        if node.kind == "input":
            for reader in readers:
                if reader.kind not in ("conv", "unsupported"):
                    yield row(reader.name, f"{reader.kind} reads the image", "a convolution reads the image first")
            if len(graph.mean) != node.shape[0] or len(graph.std) != node.shape[0] or any(value <= 0 for value in graph.std):
                yield row(name, f"means {graph.mean} and deviations {graph.std} for {node.shape[0]} channels", "one of each a channel")
        predicted = [reader for reader in readers if reader.kind == "deform" and reader.inputs[1] == name]
        if not predicted or node.kind == "unsupported":
            continue
        low, high = node.clip or (0, 0)
        others = [reader.name for reader in readers if reader not in predicted]
        if node.kind != "conv" or node.shape[0] != 1 or others or name in graph.outputs:
            yield row(name, "a displacement that is no one-channel convolution for deformable layers alone", "Conv2d(channels, 1, 1)")
        elif low < -8 or high > 8 or low != round(low) or high != round(high):
            yield row(name, f"displacements in [{low}, {high}]", "integer bounds within [-8, 8]")
