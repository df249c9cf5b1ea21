"""Random legal networks, small, over all operators: food for every test that compares two engines."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hao.ir.builder import RandomBuilder, random_image
from hao.ir.check import ACCUMULATOR_MAX, check
from hao.ir.graph import Graph

__all__ = ["MOTIFS", "random_graph", "random_image"]

_RANGES = ((0, 7), (-7, 8), (-8, 8), (0, 7), (-3, 2), (1, 1), (0, 0), (-8, -1), (2, 8))


class _Grower:
    """State of one random network: the tensor that the next motif reads, and the limits."""

    def __init__(self, rng: np.random.Generator, max_size: int, max_channels: int) -> None:
        self.rng, self.max_size, self.max_channels = rng, max_size, max_channels
        size = [int(rng.integers(1, max_size + 1)) for _ in range(2)]
        if rng.random() < 0.7:
            size = [max(side, min(6, max_size)) for side in size]
        channels = int(rng.integers(1, 4))
        mean = [0] * channels if rng.random() < 0.3 else [int(value) for value in rng.integers(0, 256, channels)]
        self.build = RandomBuilder(rng, (channels, size[0], size[1]), mean)
        self.at = "image"
        self.count = 0
        self.extra: list[str] = []

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of the current tensor."""
        return self.build.types[self.at].shape

    def flip(self, probability: float = 0.5) -> bool:
        return bool(self.rng.random() < probability)

    def pick(self, *values: int) -> int:
        return int(self.rng.choice(values))

    def bits(self) -> int:
        return self.pick(2, 3, 4, 4, 4, 4, 5, 6, 7, 8, 8)

    def channels(self, even: bool = False) -> int:
        count = int(self.rng.integers(1, self.max_channels + 1))
        return max(2, count // 2 * 2) if even else count

    def name(self, kind: str) -> str:
        self.count += 1
        return f"{kind}{self.count}"


def _stem(grow: _Grower) -> None:
    fits = min(grow.shape[1:]) >= 3
    kernel = 1 if grow.flip(0.2) else 3
    pad = 1 if kernel == 3 and (grow.flip(0.8) or not fits) else 0
    stride = grow.pick(1, 1, 2, 2, 3, 4)
    grow.at = grow.build.conv(
        grow.name("stem"), grow.at, grow.channels(), kernel, stride=stride, pad=pad, weight_bits=8, signed=grow.flip(0.2)
    )


def _dense(grow: _Grower) -> None:
    smallest = min(grow.shape[1:])
    kernel = grow.pick(1, 1, 1, 3, 3, 2, 5)
    pad = grow.pick(0, kernel // 2) if smallest >= kernel else kernel // 2
    if smallest + 2 * pad < kernel:
        kernel, pad = 1, 0
    stride = grow.pick(1, 1, 1, 2, 3)
    grow.at = grow.build.conv(
        grow.name("conv"), grow.at, grow.channels(), kernel, stride=stride, pad=pad, weight_bits=grow.bits(), signed=grow.flip(0.3)
    )


def _depthwise(grow: _Grower) -> None:
    pad = 0 if min(grow.shape[1:]) >= 3 and grow.flip(0.25) else 1
    grow.at = grow.build.depthwise(
        grow.name("dw"), grow.at, stride=grow.pick(1, 1, 2), pad=pad, weight_bits=grow.bits(), signed=grow.flip(0.7)
    )


def _deform(grow: _Grower) -> None:
    d_range = _RANGES[grow.rng.integers(len(_RANGES))]
    grow.at = grow.build.deform(grow.name("deform"), grow.at, d_range, weight_bits=grow.bits(), signed=grow.flip(0.7))


def _max_pool(grow: _Grower) -> None:
    kernel, stride, pad = ((3, 2, 1), (2, 2, 0), (3, 1, 1), (2, 1, 0), (2, 2, 1))[grow.rng.integers(5)]
    if min(grow.shape[1:]) + 2 * pad < kernel:
        kernel, stride, pad = 3, 2, 1
    grow.at = grow.build.max_pool(grow.name("maxpool"), grow.at, kernel, stride, pad)


def _avg_pool(grow: _Grower) -> None:
    kernel = grow.pick(2, 3)
    if min(grow.shape[1:]) >= kernel:
        grow.at = grow.build.avg_pool(grow.name("avgpool"), grow.at, kernel, grow.pick(1, 2))


def _residual(grow: _Grower) -> None:
    build, name, source = grow.build, grow.name("res"), grow.at
    wide = build.conv(f"{name}.expand", source, grow.channels(), weight_bits=grow.bits())
    deep = build.depthwise(f"{name}.dw", wide, weight_bits=grow.bits(), signed=grow.flip())
    project = build.conv(f"{name}.project", deep, grow.shape[0], weight_bits=grow.bits(), signed=grow.flip(0.8))
    operands = (source, project) if grow.flip() else (project, source)
    grow.at = build.add(name, *operands, relu=grow.flip(0.4))


def _branch(grow: _Grower, name: str, source: str, out: int, stride: int, like: str | None) -> str:
    """ShuffleNet's second branch; the result shares the type of ``like`` (None: unsigned)."""
    build = grow.build
    first = build.conv(f"{name}.0", source, grow.channels(), weight_bits=grow.bits())
    middle = build.depthwise(f"{name}.1", first, stride=stride, weight_bits=grow.bits())
    return build.conv(f"{name}.2", middle, out, weight_bits=grow.bits(), like=like)


def _shuffle_basic(grow: _Grower) -> None:
    build, name = grow.build, grow.name("unit")
    channels = grow.shape[0]
    if channels % 2:
        grow.at = build.conv(f"{name}.even", grow.at, grow.channels(even=True), weight_bits=grow.bits())
        channels = grow.shape[0]
    kept, worked = build.split(f"{name}.split", grow.at, channels // 2)
    joined = build.concat(f"{name}.cat", (kept, _branch(grow, f"{name}.b2", worked, channels // 2, 1, kept)))
    grow.at = build.shuffle(name, joined)


def _shuffle_down(grow: _Grower) -> None:
    build, name, source = grow.build, grow.name("down"), grow.at
    half = grow.channels(even=True) // 2
    thin = build.depthwise(f"{name}.b1.0", source, stride=2, weight_bits=grow.bits())
    first = build.conv(f"{name}.b1.1", thin, half, weight_bits=grow.bits())
    second = _branch(grow, f"{name}.b2", source, half, 2, first)
    grow.at = build.shuffle(name, build.concat(f"{name}.cat", (first, second)))


def _mix(grow: _Grower) -> None:
    """Concatenation of unequal parts, split again elsewhere: channel orders that no regular network has."""
    build, name, source = grow.build, grow.name("mix"), grow.at
    signed = grow.flip(0.3)
    count = grow.pick(2, 2, 3)
    parts = [
        build.conv(f"{name}.p{index}", source, max(1, grow.channels() // count), weight_bits=grow.bits(), signed=signed)
        for index in range(count)
    ]
    grow.at = build.concat(f"{name}.cat", parts)
    channels = grow.shape[0]
    if grow.flip() and channels > 1:
        at = int(grow.rng.integers(1, channels))
        low, high = build.split(f"{name}.split", grow.at, at)
        worked = build.conv(f"{name}.work", low, grow.channels(), weight_bits=grow.bits(), like=low)
        grow.at = build.concat(name, (high, worked))


def _requantize(grow: _Grower) -> None:
    grow.at = grow.build.requantize(grow.name("requantize"), grow.at, signed=grow.flip())


def _upsample(grow: _Grower) -> None:
    if 2 * max(grow.shape[1:]) > grow.max_size:
        return
    grow.at = grow.build.upsample(grow.name("up"), grow.at)
    (_deform, _deform, _depthwise, _pointwise)[grow.rng.integers(4)](grow)


def _pointwise(grow: _Grower) -> None:
    grow.at = grow.build.conv(grow.name("point"), grow.at, grow.channels(), weight_bits=grow.bits(), signed=grow.flip(0.2))


MOTIFS: dict[str, Callable[[_Grower], None]] = {
    "dense": _dense,
    "pointwise": _pointwise,
    "depthwise": _depthwise,
    "deform": _deform,
    "max_pool": _max_pool,
    "avg_pool": _avg_pool,
    "residual": _residual,
    "shuffle_basic": _shuffle_basic,
    "shuffle_down": _shuffle_down,
    "mix": _mix,
    "requantize": _requantize,
    "upsample": _upsample,
}
"""The pieces that random networks are made of, by name."""


def _heads(grow: _Grower) -> list[str]:
    build, (channels, height, width) = grow.build, grow.shape
    kind = grow.pick(0, 1, 2, 3)
    if kind == 0:
        grow.at = build.avg_pool(grow.name("global"), grow.at)
    elif kind == 1 and height == width and channels * height * width * 127 * 255 < ACCUMULATOR_MAX // 2 and height <= 7:
        return [build.conv(grow.name("linear"), grow.at, grow.channels(), height, weight_bits=8, signed=True)]
    elif kind == 2 and grow.at in {node.name for node in build.nodes if type(node).__name__ in ("Conv", "DeformConv", "Add", "MaxPool")}:
        return [grow.at]
    count = grow.pick(1, 1, 2, 3)
    return [build.conv(grow.name("head"), grow.at, min(grow.channels(), 24), weight_bits=8, signed=True) for _ in range(count)]


def random_graph(
    seed: int, max_ops: int = 12, *, max_size: int = 20, max_channels: int = 48, motifs: tuple[str, ...] = tuple(MOTIFS)
) -> Graph:
    """A random legal network.

    Args:
        seed: the same seed gives the same network.
        max_ops: nodes after which no further motif starts; the network has a few more (the last motif, the heads).
        max_size: largest height and width, pixels.
        max_channels: most channels of any layer (concatenations may reach twice as many).
        motifs: names from :data:`MOTIFS` that may occur.

    Returns:
        a graph that has passed :func:`hao.ir.check.check`; its outputs are results of arithmetic nodes.
    """
    grow = _Grower(np.random.default_rng(seed), max_size, max_channels)
    _stem(grow)
    limit = int(grow.rng.integers(2, max_ops + 1))
    for _ in range(4 * max_ops):
        if len(grow.build.nodes) >= limit:
            break
        before = grow.at
        MOTIFS[motifs[grow.rng.integers(len(motifs))]](grow)
        arithmetic = type(grow.build.nodes[-1]).__name__ in ("Conv", "DeformConv", "Add")
        if arithmetic and grow.at != before and grow.flip(0.08):
            grow.extra.append(grow.at)
    outputs = list(dict.fromkeys([*_heads(grow), *grow.extra]))
    graph = grow.build.graph(f"random-{seed}", outputs, {"seed": seed})
    check(graph)
    return graph
