"""Adversarial numbers: weights, biases, multipliers, bounds and widths at the ends of what the rules allow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from hao.errors import GraphError
from hao.ir.check import ACCUMULATOR_MAX, check
from hao.ir.dyadic import MULTIPLIER_MAX, MULTIPLIER_MIN, SHIFTS
from hao.ir.graph import Add, AvgPool, Conv, DeformConv, Graph, Node, Requantize, TensorType
from hao.ir.types import value_bounds

_Rng = np.random.Generator
_Filter = Conv | DeformConv


def _weights(node: _Filter, rng: _Rng) -> Node:
    """Weights at one end, at both ends in turn, zero but for one, or anything up to the full range."""
    low, high = -(1 << (node.weight_bits - 1)), (1 << (node.weight_bits - 1)) - 1
    shape = node.weight.shape
    kind = int(rng.integers(5))
    if kind == 0:
        weight = np.full(shape, (low, high, 0)[int(rng.integers(3))], np.int64)
    elif kind == 1:
        weight = np.where(np.arange(node.weight.size).reshape(shape) % 2, low, high).astype(np.int64)
    elif kind == 2:
        weight = np.zeros(shape, np.int64)
        weight.flat[int(rng.integers(weight.size))] = low
    elif kind == 3:
        weight = rng.choice(np.array([low, high], np.int64), shape)
    else:
        weight = rng.integers(low, high, shape, dtype=np.int64, endpoint=True)
    return replace(node, weight=weight)


def _bias(node: _Filter, rng: _Rng, reach: int) -> Node:
    """Biases as large as the accumulator's bound leaves room for."""
    magnitude = np.abs(node.weight).reshape(len(node.weight), -1).sum(axis=1, dtype=np.int64)
    room = np.maximum(ACCUMULATOR_MAX - magnitude * reach, 0)
    return replace(node, requant=replace(node.requant, bias=room * rng.choice(np.array([-1, 0, 1]), len(room))))


def _scale(node: _Filter, rng: _Rng) -> Node:
    count = len(node.weight)
    multiplier = rng.choice(np.array([MULTIPLIER_MIN, MULTIPLIER_MIN + 1, MULTIPLIER_MAX - 1, 1 << 16]), count)
    shift = rng.choice(np.array(SHIFTS), count)
    return replace(node, requant=replace(node.requant, multiplier=multiplier.astype(np.int64), shift=shift.astype(np.int64)))


def _bounds(low: int, high: int, rng: _Rng) -> tuple[int, int]:
    """Bounds inside ``[low, high]``: one value, a few, or everything from some value on."""
    first = int(rng.integers(low, high + 1))
    return ((first, first), (low, first), (first, high), (low, low), (high, high))[int(rng.integers(5))]


def _narrow_filter(node: _Filter, rng: _Rng) -> Node:
    lo, hi = _bounds(node.requant.lo, node.requant.hi, rng)
    return replace(node, requant=replace(node.requant, lo=lo, hi=hi))


def _retype(rng: _Rng) -> dict[str, int | bool]:
    """Another width and sign, bounds at its ends."""
    kind = TensorType((1, 1, 1), int(rng.integers(1, 9)), bool(rng.integers(2)))
    return {"bits": kind.bits, "signed": kind.signed, "lo": kind.minimum, "hi": kind.maximum}


def _filter(node: _Filter, rng: _Rng, reach: int) -> Node:
    if node.scale is not None and rng.random() < 0.7:
        return _weights(node, rng)
    changes: tuple[Callable[[], Node], ...] = (
        lambda: _weights(node, rng),
        lambda: _bias(node, rng, reach),
        lambda: _scale(node, rng),
        lambda: _narrow_filter(node, rng),
        lambda: replace(node, requant=replace(node.requant, **_retype(rng))),  # type: ignore[arg-type]
    )
    return changes[int(rng.integers(len(changes)))]()


def _scalar(node: Add | AvgPool | Requantize, rng: _Rng) -> Node:
    kind = int(rng.integers(4))
    if kind == 0:
        return replace(node, shift=int(rng.choice(SHIFTS)))
    if kind == 1:
        ends = [MULTIPLIER_MIN, MULTIPLIER_MAX - 1, 0, 1]
        if isinstance(node, Add):
            pair = [int(rng.choice(ends[:2])), int(rng.choice(ends))][:: int(rng.choice([-1, 1]))]
            return replace(node, m1=pair[0], m2=pair[1])
        return replace(node, multiplier=int(rng.choice(ends[:2])))
    if kind == 2:
        lo, hi = _bounds(node.lo, node.hi, rng)
        return replace(node, lo=lo, hi=hi)
    return replace(node, **_retype(rng))  # type: ignore[arg-type]


def harden(graph: Graph, rng: np.random.Generator, share: float = 0.35) -> Graph:
    """Change the numbers of some nodes to adversarial ones; the structure stays.

    Args:
        graph: a legal graph.
        rng: what is changed, and how.
        share: chance of every arithmetic node to be changed.

    Returns:
        a legal graph; a change that would break a rule is left out.
    """
    for at, node in enumerate(graph.nodes):
        if not isinstance(node, Conv | DeformConv | Add | AvgPool | Requantize) or rng.random() >= share:
            continue
        low, high = value_bounds(graph)[node.inputs[0]]
        reach = max(abs(low), abs(high))
        changed = _filter(node, rng, reach) if isinstance(node, Conv | DeformConv) else _scalar(node, rng)
        candidate = replace(graph, nodes=(*graph.nodes[:at], changed, *graph.nodes[at + 1 :]))
        try:
            check(candidate)
        except GraphError:
            continue
        graph = candidate
    return graph
