"""The searchable networks: a family of small classifiers whose blocks, width and bits are chosen.

A network is stem, three blocks, head. Blocks are the subgraph templates of the engine: dense, depthwise then dense, dense then
depthwise then dense (inverted residual), deformable depthwise then dense. Parameter names depend on place and operator only and shapes
grow with the width, so that the weights of every member are slices of one supernet's.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Literal, TypeAlias, get_args

import torch
from torch import Tensor, nn

from hao.errors import ModelError
from hao.models.deform import DeformableSeparable

Operator: TypeAlias = Literal["none", "dense", "sep", "inv", "deform"]
OPERATORS: tuple[Operator, ...] = get_args(Operator)
WIDTHS = (8, 16, 24)
BITS = (4, 8)
_EXPANSION = 2
_REACH = (0, 3)


@dataclass(frozen=True, slots=True, order=True)
class Architecture:
    """One member of the family.

    Attributes:
        width: channels of stem and blocks; the head has twice as many.
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
    if found is None or found.name != name or found.width not in WIDTHS or found.bits not in BITS:
        raise ModelError(f"{name!r} is no architecture", "such as w16-inv-sep-none-b4")
    return found


def members() -> tuple[Architecture, ...]:
    """All different members, in a fixed order."""
    every = (Architecture(width, (a, b, c), bits) for width, a, b, c, bits in product(WIDTHS, OPERATORS, OPERATORS, OPERATORS, BITS))
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


def _block(operator: Operator, width: int) -> nn.Module:
    if operator == "dense":
        return nn.Sequential(nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU())
    if operator == "sep":
        depthwise = nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False)
        return nn.Sequential(depthwise, nn.BatchNorm2d(width), *_pointwise(width, width))
    if operator == "inv":
        wide = _EXPANSION * width
        depthwise = nn.Conv2d(wide, wide, 3, padding=1, groups=wide, bias=False)
        body = nn.Sequential(*_pointwise(width, wide), depthwise, nn.BatchNorm2d(wide), nn.ReLU(), nn.Conv2d(wide, width, 1, bias=False))
        return _Residual(body, width)
    if operator == "deform":
        return _Residual(DeformableSeparable(width, width, *_REACH), width)
    return nn.Identity()


class Searchable(nn.Module):
    """The classifier of one architecture.

    Args:
        architecture: the member; its bits matter to quantization alone.
        channels: of the picture.
        classes: to tell apart.
        stride: of the stem, 1 for 8x8 pictures.
    """

    def __init__(self, architecture: Architecture, channels: int = 1, classes: int = 10, stride: int = 1) -> None:
        super().__init__()
        width = architecture.width
        self.architecture = architecture
        self.stem = nn.Sequential(nn.Conv2d(channels, width, 3, stride, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU())
        stages = (nn.ModuleDict({operator: _block(operator, width)}) for operator in architecture.blocks)
        self.before, self.middle, self.last = stages
        self.shrink = nn.MaxPool2d(2)
        self.widen = nn.Sequential(*_pointwise(width, 2 * width))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.linear = nn.Linear(2 * width, classes)

    def forward(self, x: Tensor) -> Tensor:
        """``(N, channels, H, W)`` -> logits ``(N, classes)``."""
        first, second, third = self.architecture.blocks
        x = self.shrink(self.before[first](self.stem(x)))
        x = self.widen(self.last[third](self.middle[second](x)))
        return self.linear(self.pool(x).flatten(1))  # type: ignore[no-any-return]


def parameters_of(architecture: Architecture, channels: int = 1, classes: int = 10) -> int:
    """Trained numbers of a member."""
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in Searchable(architecture, channels, classes).parameters())
