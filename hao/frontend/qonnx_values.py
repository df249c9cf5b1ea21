"""What the QONNX importer knows of a tensor on its way through the model."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from hao.ir import graph as ir

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Constant:
    """Real values; ``scale`` and ``bits`` where a Quant node made them: ``value = scale * integer``.

    ``turn`` is -1 where kernels are mirrored and 0 where they are summed, ``upright`` then what they were before.
    """

    value: Floats
    scale: Floats | None = None
    bits: int = 0
    turn: int = 1
    upright: Constant | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Whole:
    """An integer tensor of the graph; ``view`` is its shape where it is not ``(C, H, W)``: flat, or half-way through a shuffle."""

    name: str
    scale: float
    view: tuple[int, ...] = ()
    swapped: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Total:
    """``gain * total + offset`` per channel, bounded, on its way to a Quant node; ``make`` builds the node that sums."""

    kind: str
    inputs: tuple[str, ...]
    gain: Floats
    offset: Floats
    low: float = -math.inf
    high: float = math.inf
    second: float = 0.0
    weight: ir.IntArray | None = None
    attributes: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Selection:
    """One where a displacement is ``at``, else zero."""

    displacement: str
    at: int


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """A depthwise convolution at one displacement, zero where the displacement is another."""

    total: Total
    selection: Selection


Value = Constant | Whole | Total | Samples | Selection


class Fault(Exception):
    """Why a node is not supported; caught and reported with its name."""


def clean_name(name: str) -> str:
    """A tensor's name with the characters that graphs allow."""
    clean = re.sub(r"[^A-Za-z0-9_.]", "_", name)
    return clean if re.match(r"[A-Za-z_]", clean) else f"n{clean}"


def moved(value: Value) -> Whole:
    if not isinstance(value, Whole):
        raise Fault("a quantized input is needed")
    return value


def as_total(value: Value) -> Total:
    """A quantized tensor at the start of a chain of affine operators."""
    whole = moved(value)
    return Total("value", (whole.name,), np.array(whole.scale), np.zeros(()))
