"""The searchable networks: a family of small classifiers whose blocks, width and bits are chosen.

A network is stem, three blocks, head. The stem is one convolution for small pictures, two of stride 2 for larger ones (:class:`Family`).
Blocks are the subgraph templates of the engine: dense with kernels of 1, 3 or 5, depthwise then
dense, dense then depthwise then dense (inverted residuals of two expansions as in MobileNetV2, the unit of ShuffleNetV2), deformable
depthwise then dense as in CoDeNet; an empty block makes the network less deep. Parameter names depend on place and operator only and
shapes grow with the width, so that the weights of every member are slices of one supernet's (:mod:`hao.models.supernet`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from types import MappingProxyType
from typing import Literal, TypeAlias, get_args

from torch import Tensor, nn

from hao.errors import ModelError
from hao.models.codenet import ShuffleUnit
from hao.models.deform import DeformableSeparable

Operator: TypeAlias = Literal["none", "dense", "sep", "inv", "deform", "point", "dense5", "wide", "shuffle"]
OPERATORS: tuple[Operator, ...] = get_args(Operator)
WIDTHS = (8, 16, 24)
"""Of the family for small pictures."""
PICTURE_WIDTHS = (16, 32, 48)
"""Of the family for pictures of 64 pixels a side and so."""
BITS = (4, 8)
KERNELS: Mapping[str, int] = MappingProxyType({"point": 1, "dense": 3, "dense5": 5})
"""Kernels of the dense blocks."""
EXPANSIONS: Mapping[str, int] = MappingProxyType({"inv": 2, "wide": 4})
"""Of the inverted residuals."""
_REACH, _TAPS = (0, 3), 9


@dataclass(frozen=True, slots=True)
class Family:
    """What all members of a family share.

    Attributes:
        channels: of the picture.
        classes: to tell apart.
        stem: strides of the stem's convolutions, one or two; a first of two has half the width.
        widths: that members may have, rising, all even.
    """

    channels: int = 1
    classes: int = 10
    stem: tuple[int, ...] = (1,)
    widths: tuple[int, ...] = WIDTHS

    @property
    def widest(self) -> int:
        """The largest width."""
        return self.widths[-1]

    def stem_widths(self, width: int) -> tuple[int, ...]:
        """Output channels of the stem's convolutions in a member of ``width``."""
        return (*(width // 2 for _ in self.stem[1:]), width)

    def stem_sides(self, side: int) -> tuple[int, ...]:
        """What each convolution of the stem leaves of a ``side`` of the picture, in pixels."""
        found = list[int]()
        for stride in self.stem:
            side = -(-side // stride)
            found.append(side)
        return tuple(found)


DIGITS = Family()
"""Pictures of 8 by 8 pixels, ten classes."""


@dataclass(frozen=True, slots=True, order=True)
class Architecture:
    """One member of a family.

    Attributes:
        width: channels of the stem's end and of the blocks; the head has twice as many.
        blocks: operators of the three blocks; the first works before the pooling, the others behind it.
        bits: weight bits of all layers but the first and the last, which have 8.
    """

    width: int
    blocks: tuple[Operator, Operator, Operator]
    bits: int

    @property
    def name(self) -> str:
        """Such as ``w16-inv-sep-none-b4``; :func:`parse` reads it."""
        return "-".join((f"w{self.width}", *self.blocks, f"b{self.bits}"))

    def canonical(self) -> Architecture:
        """The member that is the same network: behind the pooling an empty block comes last."""
        first, second, third = self.blocks
        return self if second != "none" else Architecture(self.width, (first, third, second), self.bits)


def parse(name: str) -> Architecture:
    """The member called ``name``.

    Raises:
        ModelError: it names none.
    """
    parts = name.split("-")
    known: dict[str, Operator] = {operator: operator for operator in OPERATORS}
    try:
        first, second, third = (known[part] for part in parts[1:4])
        found = Architecture(int(parts[0][1:]), (first, second, third), int(parts[4][1:]))
    except (KeyError, ValueError, IndexError):
        found = None
    if found is None or found.name != name or found.width not in (*WIDTHS, *PICTURE_WIDTHS) or found.bits not in BITS:
        raise ModelError(f"{name!r} is no architecture", "such as w16-inv-sep-none-b4")
    return found


def members(family: Family = DIGITS) -> tuple[Architecture, ...]:
    """All different members, in a fixed order."""
    every = (Architecture(width, (a, b, c), bits) for width, a, b, c, bits in product(family.widths, OPERATORS, OPERATORS, OPERATORS, BITS))
    return tuple(dict.fromkeys(each.canonical() for each in every))


def _pointwise(source: int, out: int, *, relu: bool = True) -> list[nn.Module]:
    layers: list[nn.Module] = [nn.Conv2d(source, out, 1, bias=False), nn.BatchNorm2d(out)]
    return [*layers, nn.ReLU()] if relu else layers


class _Residual(nn.Module):
    """``relu(x + norm(body(x)))``."""

    def __init__(self, body: nn.Module, width: int) -> None:
        super().__init__()
        self.body, self.norm, self.relu = body, nn.BatchNorm2d(width), nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """``(N, C, H, W)`` -> the same shape."""
        return self.relu(x + self.norm(self.body(x)))  # type: ignore[no-any-return]


def block_of(operator: Operator, width: int) -> nn.Module:
    if operator in KERNELS:
        kernel = KERNELS[operator]
        return nn.Sequential(nn.Conv2d(width, width, kernel, padding=kernel // 2, bias=False), nn.BatchNorm2d(width), nn.ReLU())
    if operator == "sep":
        depthwise = nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False)
        return nn.Sequential(depthwise, nn.BatchNorm2d(width), *_pointwise(width, width))
    if operator in EXPANSIONS:
        wide = EXPANSIONS[operator] * width
        depthwise = nn.Conv2d(wide, wide, 3, padding=1, groups=wide, bias=False)
        body = nn.Sequential(*_pointwise(width, wide), depthwise, nn.BatchNorm2d(wide), nn.ReLU(), nn.Conv2d(wide, width, 1, bias=False))
        return _Residual(body, width)
    if operator == "deform":
        return _Residual(DeformableSeparable(width, width, *_REACH), width)
    return ShuffleUnit(width, width, 1) if operator == "shuffle" else nn.Identity()


def _stem(family: Family, width: int) -> nn.Sequential:
    layers, source = list[nn.Module](), family.channels
    for stride, out in zip(family.stem, family.stem_widths(width), strict=True):
        layers += [nn.Conv2d(source, out, 3, stride, padding=1, bias=False), nn.BatchNorm2d(out), nn.ReLU()]
        source = out
    return nn.Sequential(*layers)


class Searchable(nn.Module):
    """The classifier of one architecture.

    Args:
        architecture: the member; its bits matter to quantization alone.
        family: that it is of.
    """

    def __init__(self, architecture: Architecture, family: Family = DIGITS) -> None:
        super().__init__()
        width = architecture.width
        self.architecture = architecture
        self.stem = _stem(family, width)
        stages = (nn.ModuleDict({operator: block_of(operator, width)}) for operator in architecture.blocks)
        self.before, self.middle, self.last = stages
        self.shrink = nn.MaxPool2d(2)
        self.widen = nn.Sequential(*_pointwise(width, 2 * width))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.linear = nn.Linear(2 * width, family.classes)

    def forward(self, x: Tensor) -> Tensor:
        """``(N, channels, H, W)`` -> logits ``(N, classes)``."""
        first, second, third = self.architecture.blocks
        x = self.shrink(self.before[first](self.stem(x)))
        x = self.widen(self.last[third](self.middle[second](x)))
        return self.linear(self.pool(x).flatten(1))  # type: ignore[no-any-return]


def _multiplications(operator: Operator, width: int) -> int:
    """Multiply-accumulates of a block, a pixel."""
    if operator in KERNELS:
        return (KERNELS[operator] * width) ** 2
    if operator in EXPANSIONS:
        return EXPANSIONS[operator] * width * (2 * width + _TAPS)
    half = width // 2
    known = {"none": 0, "sep": width * (_TAPS + width), "deform": width * (1 + _TAPS + width), "shuffle": half * (2 * half + _TAPS)}
    return known[operator]


def macs_of(architecture: Architecture, side: tuple[int, int] = (8, 8), family: Family = DIGITS) -> int:
    """Multiply-accumulates of one picture of ``side``, height and width in pixels."""
    width, (first, second, third) = architecture.width, architecture.blocks
    rows, columns = (family.stem_sides(each) for each in side)
    outs = family.stem_widths(width)
    pairs = zip((family.channels, *outs), outs, rows, columns, strict=False)
    stem = sum(_TAPS * source * out * high * wide for source, out, high, wide in pairs)
    after = _multiplications(second, width) + _multiplications(third, width) + 2 * width * width
    pixels, behind = rows[-1] * columns[-1], (rows[-1] // 2) * (columns[-1] // 2)
    return stem + pixels * _multiplications(first, width) + behind * after + 2 * width * family.classes


def _parameters(operator: Operator, width: int) -> int:
    """Trained numbers of a block; batch normalization has two a channel."""
    if operator in KERNELS:
        return (KERNELS[operator] * width) ** 2 + 2 * width
    if operator in EXPANSIONS:
        return EXPANSIONS[operator] * width * (2 * width + _TAPS + 4) + 2 * width
    half = width // 2
    known = {
        "none": 0, "sep": width * (_TAPS + width + 4), "deform": width * (_TAPS + width + 3) + 1, "shuffle": half * (2 * half + _TAPS + 6),
    }  # fmt: skip
    return known[operator]


def parameters_of(architecture: Architecture, family: Family = DIGITS) -> int:
    """Trained numbers of a member."""
    width, outs = architecture.width, family.stem_widths(architecture.width)
    stem = sum((_TAPS * source + 2) * out for source, out in zip((family.channels, *outs), outs, strict=False))
    blocks = sum(_parameters(operator, width) for operator in architecture.blocks)
    return stem + blocks + 2 * width * (width + 2) + (2 * width + 1) * family.classes
