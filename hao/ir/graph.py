"""Nodes and graph of the integer network.

Every node produces one tensor that carries the node's name. Tensors are single images, shape ``(channels, height,
width)``; the value of an element is an integer within its type's bounds. What each node computes is written at its
class and executed by :mod:`hao.ir.reference`; nothing here knows of hardware.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

IntArray: TypeAlias = npt.NDArray[np.int64]
Shape: TypeAlias = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class TensorType:
    """Type of a tensor: shape ``(C, H, W)``, width in bits (1 to 9) and signedness.

    ``scale`` is what one unit is worth in the float network (None where unknown); it never enters the arithmetic.
    """

    shape: Shape
    bits: int = 8
    signed: bool = False
    scale: float | None = None

    @property
    def minimum(self) -> int:
        """Smallest value of the type."""
        return -(1 << (self.bits - 1)) if self.signed else 0

    @property
    def maximum(self) -> int:
        """Largest value of the type."""
        return (1 << (self.bits - 1)) - 1 if self.signed else (1 << self.bits) - 1


@dataclass(frozen=True, slots=True, eq=False)
class Requant:
    """Per-channel requantization ``y = clip(((acc + bias) * m + 2^(s-1)) >> s, lo, hi)`` (DESIGN: round half up).

    Attributes:
        bias: ``(C,)`` integers; ``acc + bias`` fits 27 signed bits.
        multiplier: ``(C,)`` integers in ``[2^13, 2^17)``.
        shift: ``(C,)`` integers from ``{16, 20, ..., 44}``.
        lo, hi: bounds of the result; ReLU and clips are expressed by them.
        bits, signed: type of the result.
    """

    bias: IntArray
    multiplier: IntArray
    shift: IntArray
    lo: int
    hi: int
    bits: int = 8
    signed: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """Common part of all nodes: the tensor's name, the names of its inputs and the scale of its result."""

    name: str
    inputs: tuple[str, ...]
    scale: float | None = field(default=None, kw_only=True)


@dataclass(frozen=True, slots=True, eq=False)
class Input(Node):
    """The image: unsigned bytes minus an integer mean per channel, a 9-bit signed tensor (mean 0: an 8-bit unsigned one)."""

    shape: Shape
    mean: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Conv(Node):
    """Convolution, zero padded: ``groups`` is 1 (dense) or the channel count (depthwise). Linear layers are 1x1 or full-map ones.

    Attributes:
        weight: ``(out, in / groups, k, k)`` integers.
        weight_bits: 2 to 8.
    """

    weight: IntArray
    weight_bits: int
    requant: Requant
    stride: int = 1
    pad: int = 0
    groups: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class DeformConv(Node):
    """Square, rounded, depthwise deformable 3x3 convolution; inputs are the map and the displacement ``(1, H, W)``.

    Tap ``(i, j)`` of output ``(y, x)`` reads ``(y + (i - 1) * d, x + (j - 1) * d)`` with ``d = displacement[0, y, x]``,
    zero outside the map. The displacement's type bounds are within ``[-8, 8]``.
    """

    weight: IntArray
    weight_bits: int
    requant: Requant


@dataclass(frozen=True, slots=True, eq=False)
class MaxPool(Node):
    """Max pooling; padding never wins. ``kernel`` 2 or 3."""

    kernel: int
    stride: int
    pad: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class AvgPool(Node):
    """Unpadded average pooling, ``clip((sum * m + 2^(s-1)) >> s)``; ``kernel`` 0 means global."""

    kernel: int
    stride: int
    multiplier: int
    shift: int
    lo: int
    hi: int
    bits: int = 8
    signed: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Add(Node):
    """Residual add with one rounding: ``clip((a * m1 + b * m2 + 2^(s-1)) >> s, lo, hi)``; ``m2 = 0`` allowed."""

    m1: int
    m2: int
    shift: int
    lo: int
    hi: int
    bits: int = 8
    signed: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Requantize(Node):
    """Explicit change of scale of one tensor: ``clip((a * m + 2^(s-1)) >> s, lo, hi)``."""

    multiplier: int
    shift: int
    lo: int
    hi: int
    bits: int = 8
    signed: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Concat(Node):
    """Channels of the inputs one behind another; the inputs share type and scale."""


@dataclass(frozen=True, slots=True, eq=False)
class Slice(Node):
    """Channels ``start`` to ``stop`` (exclusive)."""

    start: int
    stop: int


@dataclass(frozen=True, slots=True, eq=False)
class Shuffle(Node):
    """Channel shuffle: output channel ``i * groups + g`` is input channel ``g * (C / groups) + i``."""

    groups: int


@dataclass(frozen=True, slots=True, eq=False)
class Upsample(Node):
    """Nearest up-sampling by 2."""


@dataclass(frozen=True, slots=True, eq=False)
class Graph:
    """An integer network: nodes in topological order, names of the outputs, and free metadata (JSON values)."""

    name: str
    nodes: tuple[Node, ...]
    outputs: tuple[str, ...]
    metadata: dict[str, Any] = field(default_factory=dict)

    def node(self, name: str) -> Node:
        """The node called ``name``.

        Raises:
            KeyError: there is none.
        """
        for node in self.nodes:
            if node.name == name:
                return node
        raise KeyError(name)
