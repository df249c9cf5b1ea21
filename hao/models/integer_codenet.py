"""CoDeNet's exact topology as an integer graph with random numbers: for compilers and engines, before any training.

Same layers, names and order of outputs as :class:`hao.models.codenet.CoDeNet`; needs no PyTorch.
"""

from __future__ import annotations

import numpy as np

from hao.errors import ModelError
from hao.ir.builder import RandomBuilder
from hao.ir.check import check
from hao.ir.graph import Graph

_WIDTHS = {"1x": (24, 116, 232, 464, 1024), "2x": (24, 244, 488, 976, 2153)}
_REPEATS = (3, 7, 3)
_UP_WIDTHS = (256, 128, 64)
_MEAN = (104, 114, 120)
CONFIGURATIONS = {"a": (256, "1x", False), "b": (256, "1x", True), "c": (512, "1x", False), "d": (512, "2x", False), "e": (512, "2x", True)}
"""Image size, width and whether the first layer is followed by max pooling, by the letter of the paper's table."""


def random_codenet(
    configuration: str = "b",
    *,
    seed: int = 0,
    size: int | None = None,
    weight_bits: int = 4,
    d_range: tuple[int, int] = (0, 7),
    classes: int = 20,
) -> Graph:
    """CoDeNet with random weights; first and last layers have 8-bit weights.

    Args:
        configuration: ``a`` to ``e``.
        seed: of all random numbers.
        size: height and width of the image, a multiple of 32; default: the configuration's.
        weight_bits: of all layers but the first and the last.
        d_range: bounds of the displacement, pixels.
        classes: object classes.

    Raises:
        ModelError: no such configuration, or a size that is no multiple of 32.
    """
    if configuration not in CONFIGURATIONS:
        raise ModelError(f"no CoDeNet configuration {configuration!r}", f"one of {', '.join(CONFIGURATIONS)}")
    native, width, pooled = CONFIGURATIONS[configuration]
    side = native if size is None else size
    if side < 32 or side % 32:
        raise ModelError(f"CoDeNet on images of {side} pixels", "a multiple of 32")
    widths = _WIDTHS[width]
    build = RandomBuilder(np.random.default_rng(seed), (3, side, side), _MEAN)
    at = build.conv("layer0.0", "image", widths[0], 3, stride=2 if pooled else 4, pad=1, weight_bits=8)
    if pooled:
        at = build.max_pool("layer0.3", at, 3, 2, 1)
    for stage, repeats in enumerate(_REPEATS):
        for unit in range(repeats + 1):
            at = _unit(build, f"layer{stage + 1}.{unit}", at, widths[stage + 1], weight_bits, stride=1 if unit else 2)
    at = build.conv("layer4.0", at, widths[4], weight_bits=weight_bits)
    for index, out in enumerate(_UP_WIDTHS):
        name = f"deconv_layers.{4 * index}"
        at = build.deform(f"{name}.conv", at, d_range, weight_bits=weight_bits)
        at = build.conv(f"{name}.conv_channel", at, out, weight_bits=weight_bits)
        at = build.upsample(f"deconv_layers.{4 * index + 3}", at)
    outputs = []
    for head, channels in (("hm", classes), ("wh", 2), ("reg", 2)):
        point = build.conv(f"{head}.0", at, 64, weight_bits=weight_bits)
        deep = build.depthwise(f"{head}.3", point, weight_bits=weight_bits, signed=False)
        outputs.append(build.conv(f"{head}.6", deep, channels, weight_bits=8, signed=True))
    metadata = {"model": f"codenet-{width}-{configuration}", "weights": "random", "seed": seed, "bits": f"W{weight_bits}A8"}
    graph = build.graph(f"codenet-{width}-{configuration}", outputs, metadata)
    check(graph)
    return graph


def _unit(build: RandomBuilder, name: str, source: str, out: int, weight_bits: int, *, stride: int) -> str:
    half = out // 2
    if stride == 1:
        kept, worked = build.split(f"{name}.split", source, half)
    else:
        thin = build.depthwise(f"{name}.b1.0", source, stride=2, weight_bits=weight_bits)
        kept, worked = build.conv(f"{name}.b1.2", thin, half, weight_bits=weight_bits), source
    point = build.conv(f"{name}.b2.0", worked, half, weight_bits=weight_bits)
    deep = build.depthwise(f"{name}.b2.3", point, stride=stride, weight_bits=weight_bits)
    last = build.conv(f"{name}.b2.5", deep, half, weight_bits=weight_bits)
    return build.shuffle(f"{name}.shuffle", build.concat(f"{name}.cat", (kept, last)))
