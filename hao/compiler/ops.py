"""Lowered operations: what one pass of the engine over a map does, before anything is placed or cut into instructions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from hao.engine.isa import TAPS, DwMode

IntArray: TypeAlias = npt.NDArray[np.int64]
Rows: TypeAlias = tuple[int, int]
"""First row and one past the last."""


@dataclass(slots=True, eq=False)
class Value:
    """Channels that one operation computes, ``(channels, height, width)`` within ``[lo, hi]``.

    ``tensor`` names the graph's tensor that taps are compared with; None for the gathered image. A ``displacement`` lives
    in the displacement map alone.
    """

    name: str
    channels: int
    height: int
    width: int
    signed: bool
    lo: int
    hi: int
    tensor: str | None = None
    displacement: bool = False


Ref: TypeAlias = tuple[Value, int]
"""One channel of a value."""


@dataclass(frozen=True, slots=True, eq=False)
class Scaling:
    """Per-channel requantization: ``bias``, ``multiplier``, ``shift`` of shape ``(C,)`` and the bounds of the result."""

    bias: IntArray
    multiplier: IntArray
    shift: IntArray
    lo: int
    hi: int


def identity_scaling(channels: int, lo: int, hi: int) -> Scaling:
    """The requantization that changes nothing."""
    zeros = np.zeros(channels, np.int64)
    return Scaling(zeros, zeros + (1 << 16), zeros + 16, lo, hi)


@dataclass(slots=True, eq=False)
class Op:
    """Common part: the graph node's name and the value computed."""

    name: str
    output: Value

    def reads(self) -> tuple[Ref, ...]:
        """Channels read."""
        return ()

    def rows_read(self, value: Value, rows: Rows) -> Rows:
        """Rows of ``value`` that output ``rows`` depend on; equal ends: none."""
        raise NotImplementedError


@dataclass(slots=True, eq=False)
class ImageOp(Op):
    """LDI: gathers ``kernel * kernel * channels`` lanes from the image; ``fill`` is read outside it."""

    kernel: int
    stride: int
    pad: int
    fill: tuple[int, ...]
    in_height: int
    in_width: int
    row_bytes: int

    def rows_read(self, value: Value, rows: Rows) -> Rows:
        del value, rows
        return (0, 0)


@dataclass(slots=True, eq=False)
class DenseOp(Op):
    """Convolution with weights ``(out, in, k, k)`` on the channels ``inputs``; ``bits`` is the stored width, 4 or 8."""

    inputs: tuple[Ref, ...]
    weight: IntArray
    bits: int
    scaling: Scaling
    stride: int = 1
    pad: int = 0

    @property
    def kernel(self) -> int:
        """Side of the kernel."""
        return int(self.weight.shape[2])

    def reads(self) -> tuple[Ref, ...]:
        return self.inputs

    def rows_read(self, value: Value, rows: Rows) -> Rows:
        first = max(0, rows[0] * self.stride - self.pad)
        return first, max(first, min(value.height, (rows[1] - 1) * self.stride - self.pad + self.kernel))


@dataclass(slots=True, eq=False)
class DwOp(Op):
    """Lane-wise work over the window: depthwise, deformable, pooling, sum, or a plain copy.

    ``taps`` is ``(C, 9)``. ``up`` reads the inputs through nearest 2x up-sampling; ``in_height, in_width`` are after it.
    """

    inputs: tuple[Ref, ...]
    mode: DwMode
    taps: IntArray
    scaling: Scaling
    in_height: int
    in_width: int
    stride: int = 1
    offset: int = 0
    tap_mask: int = (1 << TAPS) - 1
    up: bool = False
    displacement: Value | None = None

    @property
    def reach(self) -> int:
        """Rows that taps may lie above or below the centre."""
        if self.displacement is not None:
            return max(1, abs(self.displacement.lo), abs(self.displacement.hi))
        return 1

    def reads(self) -> tuple[Ref, ...]:
        return self.inputs if self.displacement is None else (*self.inputs, (self.displacement, 0))

    def slice_rows(self, rows: Rows) -> Rows:
        """Rows of the (up-sampled) slice that output ``rows`` read."""
        if self.mode is DwMode.SUM:
            return 0, self.in_height
        lines = [k - 1 for k in range(3) if self.tap_mask >> 3 * k & 7]
        low, high = min(lines), max(lines)
        if self.displacement is not None:
            low, high = -self.reach, self.reach
        first = max(0, rows[0] * self.stride + self.offset + low)
        return first, max(first, min(self.in_height, (rows[1] - 1) * self.stride + self.offset + high + 1))

    def rows_read(self, value: Value, rows: Rows) -> Rows:
        if value is self.displacement:
            return rows
        first, last = self.slice_rows(rows)
        return (first // 2, (last + 1) // 2) if self.up else (first, last)


@dataclass(slots=True, eq=False)
class AddOp(Op):
    """Residual add of channels ``a`` and ``b`` (the graph's tensor ``b_tensor``), or requantization of ``a`` alone: ``m2`` is 0."""

    a: tuple[Ref, ...]
    b: tuple[Ref, ...]
    m1: int
    m2: int
    shift: int
    lo: int
    hi: int
    b_tensor: str

    def reads(self) -> tuple[Ref, ...]:
        return (*self.a, *self.b)

    def rows_read(self, value: Value, rows: Rows) -> Rows:
        del value
        return rows


@dataclass(frozen=True, slots=True, eq=False)
class Lowered:
    """A network as operations in order.

    Attributes:
        ops: operations, producers first.
        outputs: graph outputs in order: name and the channels they consist of.
        image: channels, height, width and row bytes of the image.
    """

    ops: tuple[Op, ...]
    outputs: tuple[tuple[str, tuple[Ref, ...]], ...]
    image: tuple[int, int, int, int]
    signed: dict[str, tuple[int, bool]] = field(default_factory=dict)
