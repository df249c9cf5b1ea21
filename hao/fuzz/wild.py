"""Random legal networks without a plan: any operator on any earlier tensor, with attributes that no trained network has.

Where :mod:`hao.ir.random_graph` grows networks that look like networks, this one draws directed graphs: a tensor read five
times or added to itself, 7x7 kernels on 1x1 maps, outputs that are slices, pools of concatenations, shuffles of shuffles.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hao.errors import GraphError
from hao.ir.builder import RandomBuilder
from hao.ir.check import check
from hao.ir.graph import Add, AvgPool, Conv, DeformConv, Graph, Requantize

_RANGES = ((0, 7), (-7, 8), (-8, 8), (-3, 2), (1, 1), (0, 0), (-8, -8), (8, 8))
_TRIES = 12


class _Wild:
    """State of one network while it is drawn."""

    def __init__(self, rng: np.random.Generator, max_size: int, max_channels: int) -> None:
        self.rng, self.max_size, self.max_channels = rng, max_size, max_channels
        size = [int(value) for value in rng.integers(1, max_size + 1, 2)]
        channels = int(rng.integers(1, 4))
        mean = [0] * channels if rng.random() < 0.5 else [int(value) for value in rng.integers(0, 256, channels)]
        self.build = RandomBuilder(rng, (channels, size[0], size[1]), mean)
        self.count = 0
        self.displacements: list[str] = []

    def pick(self, *values: int) -> int:
        return int(self.rng.choice(values))

    def flip(self, probability: float = 0.5) -> bool:
        return bool(self.rng.random() < probability)

    def name(self, kind: str) -> str:
        self.count += 1
        return f"{kind}{self.count}"

    def source(self, wide: bool = False) -> str:
        """An earlier tensor, late ones with higher chance; the 9-bit image only where ``wide``."""
        names = [name for name, kind in self.build.types.items() if wide or kind.bits <= 8]
        if not names:
            _conv_that_fits(self)
            return self.build.nodes[-1].name
        back = min(int(self.rng.geometric(0.35)), len(names))
        return names[-back] if self.flip(0.8) else names[int(self.rng.integers(len(names)))]

    def channels(self) -> int:
        return int(self.rng.integers(1, self.max_channels + 1))


def _conv(wild: _Wild) -> None:
    source = wild.source(wide=True)
    kernel = wild.pick(1, 1, 1, 2, 3, 3, 4, 5, 7)
    pad, stride = int(wild.rng.integers(0, kernel)), wild.pick(1, 1, 1, 2, 3, 4)
    wild.build.conv(
        wild.name("conv"), source, wild.channels(), kernel, stride=stride, pad=pad, weight_bits=wild.pick(2, 3, 4, 5, 6, 7, 8),
        signed=wild.flip(0.4),
    )  # fmt: skip


def _depthwise(wild: _Wild) -> None:
    kernel = wild.pick(3, 3, 3, 3, 1, 2)
    wild.build.depthwise(
        wild.name("dw"), wild.source(), kernel, stride=wild.pick(1, 1, 2, 3), pad=int(wild.rng.integers(0, kernel)),
        weight_bits=wild.pick(2, 4, 8), signed=wild.flip(),
    )  # fmt: skip


def _deform(wild: _Wild) -> None:
    """By a displacement of its own, by another layer's, or by what another layer's became."""
    bounds = _RANGES[int(wild.rng.integers(len(_RANGES)))]
    bits, signed, types = wild.pick(2, 4, 8), wild.flip(), wild.build.types
    if wild.displacements and wild.flip(0.6):
        shared = str(wild.rng.choice(wild.displacements))
        fitting = [name for name, kind in types.items() if kind.shape[1:] == types[shared].shape[1:] and kind.bits <= 8]
        source = str(wild.rng.choice(fitting))
        wild.build.deform(wild.name("deform"), source, bounds, weight_bits=bits, signed=signed, displacement=shared)
        return
    own = wild.build.deform(wild.name("deform"), wild.source(), bounds, weight_bits=bits, signed=signed) + ".scale"
    wild.displacements.append(own)
    if wild.flip(0.6):
        wild.displacements.append(_passed_on(wild, own))


def _passed_on(wild: _Wild, displacement: str) -> str:
    """A displacement behind pooling, up-sampling, or concatenation and split, which keep its range."""
    kind = wild.pick(0, 1, 2)
    if kind == 0:
        return wild.build.max_pool(wild.name("maxpool"), displacement, 3, 1, 1)
    if kind == 1 and 2 * max(wild.build.types[displacement].shape[1:]) <= wild.max_size:
        return wild.build.upsample(wild.name("up"), displacement)
    both = wild.build.concat(wild.name("cat"), [displacement, displacement])
    return wild.build.split(wild.name("split"), both, 1)[wild.pick(0, 1)]


def _max_pool(wild: _Wild) -> None:
    wild.build.max_pool(wild.name("maxpool"), wild.source(wide=True), wild.pick(2, 3), wild.pick(1, 2, 3), wild.pick(0, 1))


def _avg_pool(wild: _Wild) -> None:
    wild.build.avg_pool(wild.name("avgpool"), wild.source(), wild.pick(0, 1, 2, 3), wild.pick(1, 2, 3))


def _alike(wild: _Wild, source: str, *, shape: bool) -> list[str]:
    """Tensors of the shape of ``source``; or, where not ``shape``, of its map size and type."""
    types = wild.build.types
    kind = types[source]
    if shape:
        return [name for name, each in types.items() if each.shape == kind.shape and each.bits <= 8]
    return [
        name
        for name, each in types.items()
        if each.shape[1:] == kind.shape[1:] and (each.bits, each.signed, each.scale) == (kind.bits, kind.signed, kind.scale)
    ]


def _add(wild: _Wild) -> None:
    first = wild.source()
    second = str(wild.rng.choice(_alike(wild, first, shape=True) or [first]))
    wild.build.add(wild.name("add"), first, second, relu=wild.flip(0.4))


def _concat(wild: _Wild) -> None:
    first = wild.source(wide=True)
    others = _alike(wild, first, shape=False)
    parts = [first, *(str(wild.rng.choice(others)) for _ in range(wild.pick(1, 1, 2)))]
    if sum(wild.build.types[part].shape[0] for part in parts) <= 2 * wild.max_channels:
        wild.build.concat(wild.name("cat"), parts)


def _split(wild: _Wild) -> None:
    source = wild.source(wide=True)
    channels = wild.build.types[source].shape[0]
    if channels > 1:
        wild.build.split(wild.name("split"), source, int(wild.rng.integers(1, channels)))


def _shuffle(wild: _Wild) -> None:
    source = wild.source(wide=True)
    channels = wild.build.types[source].shape[0]
    divisors = [each for each in range(1, channels + 1) if channels % each == 0]
    wild.build.shuffle(wild.name("shuffle"), source, wild.pick(*divisors))


def _requantize(wild: _Wild) -> None:
    wild.build.requantize(wild.name("requantize"), wild.source(), signed=wild.flip())


def _upsample(wild: _Wild) -> None:
    source = wild.source(wide=True)
    if 2 * max(wild.build.types[source].shape[1:]) <= wild.max_size:
        wild.build.upsample(wild.name("up"), source)


_DRAWERS: tuple[Callable[[_Wild], None], ...] = (
    _conv, _conv, _conv, _depthwise, _depthwise, _deform, _deform, _max_pool, _avg_pool, _add, _concat, _split, _shuffle, _requantize,
    _upsample,
)  # fmt: skip


def wild_graph(seed: int, max_ops: int = 12, *, max_size: int = 20, max_channels: int = 48) -> Graph:
    """A random legal network without a plan.

    Args:
        seed: the same seed gives the same network.
        max_ops: most operations drawn.
        max_size: largest height and width, pixels.
        max_channels: most channels of a convolution; concatenations may reach twice as many.

    Returns:
        a graph that has passed :func:`hao.ir.check.check`. Its outputs are of any kind of node; at least one node is arithmetic.

    Raises:
        GraphError: the numbers drawn exceed the accumulator's bound; rare.
    """
    wild = _Wild(np.random.default_rng(seed), max_size, max_channels)
    if wild.flip(0.8):
        _conv_that_fits(wild)
    wanted = int(wild.rng.integers(1, max_ops + 1))
    for _ in range(_TRIES * max_ops):
        if len(wild.build.nodes) > wanted:
            break
        try:
            _DRAWERS[int(wild.rng.integers(len(_DRAWERS)))](wild)
        except GraphError:
            continue  # attributes that do not fit the map: draw again
    build = wild.build
    if not any(isinstance(node, Conv | DeformConv | Add | AvgPool | Requantize) for node in build.nodes):
        _conv_that_fits(wild)
    read = {name for node in build.nodes for name in node.inputs}
    leaves = [node.name for node in build.nodes if node.name not in read]
    extra = [node.name for node in build.nodes[1:] if node.name in read and wild.flip(0.06)]
    graph = build.graph(f"wild-{seed}", [*leaves, *extra], {"seed": seed})
    check(graph)
    return graph


def _conv_that_fits(wild: _Wild) -> None:
    kernel = wild.pick(1, 3)
    wild.build.conv(wild.name("conv"), "image", wild.channels(), kernel, stride=wild.pick(1, 2), pad=kernel // 2, weight_bits=8)
