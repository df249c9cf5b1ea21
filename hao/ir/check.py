"""Legality of a graph: every rule that its arithmetic relies on, checked once, with the node at fault in the message."""

from __future__ import annotations

import re

import numpy as np

from hao.errors import GraphError
from hao.ir.dyadic import MULTIPLIER_MAX, MULTIPLIER_MIN, SHIFTS
from hao.ir.graph import Add, AvgPool, Conv, DeformConv, Graph, Input, IntArray, MaxPool, Node, Requant, Requantize, TensorType
from hao.ir.types import Bounds, consumers, infer, value_bounds

ACCUMULATOR_BITS = 27
ACCUMULATOR_MAX = (1 << (ACCUMULATOR_BITS - 1)) - 1
"""Largest magnitude of ``acc`` and of ``acc + bias``: one DSP48E2 multiplies 27 signed bits."""

DISPLACEMENT_MIN, DISPLACEMENT_MAX = -8, 8
"""Displacements that the operator is defined for, pixels."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")


def check(graph: Graph) -> dict[str, TensorType]:
    """Hold ``graph`` against every rule of the integer network.

    Returns:
        the type of every tensor, as :func:`hao.ir.types.infer` gives it.

    Raises:
        GraphError: a rule is broken; the message names the node, the hint the rule.
    """
    _check_names(graph)
    types = infer(graph)
    bounds = value_bounds(graph)
    for node in graph.nodes:
        inputs = [types[name] for name in node.inputs]
        reach = [bounds[name] for name in node.inputs]
        if isinstance(node, Input):
            _check_input(node)
        elif isinstance(node, Conv | DeformConv):
            _check_conv(node, inputs, reach)
        elif isinstance(node, MaxPool):
            _require(node, node.kernel in (2, 3), f"kernel {node.kernel}", "max pooling is 2x2 or 3x3")
        elif isinstance(node, Add | AvgPool | Requantize):
            _check_scalar(node, inputs, reach)
    for name, readers in consumers(graph).items():
        if not readers and name not in graph.outputs:
            raise GraphError(f"{name!r} is neither read nor an output", "remove the node")
    return types


def accumulator_bound(node: Conv | DeformConv, reach: Bounds) -> IntArray:
    """Largest magnitude of ``acc + bias`` per output channel, ``sum |w| * max |x| + |bias|``; shape ``(out,)``."""
    largest = max(abs(reach[0]), abs(reach[1]))
    magnitude: IntArray = np.abs(node.weight).reshape(len(node.weight), -1).sum(axis=1, dtype=np.int64)
    return magnitude * largest + np.abs(node.requant.bias)


def _require(node: Node, condition: bool, what: str, hint: str = "") -> None:
    if not condition:
        raise GraphError(f"{type(node).__name__} {node.name!r}: {what}", hint)


def _check_names(graph: Graph) -> None:
    for node in graph.nodes:
        if not _NAME.fullmatch(node.name):
            raise GraphError(f"{node.name!r} is no name of a tensor", "letters, digits, '_' and '.', not starting with a digit")
    inputs = [node.name for node in graph.nodes if isinstance(node, Input)]
    if len(inputs) != 1:
        raise GraphError(f"graph {graph.name!r} has {len(inputs)} images", "a network reads exactly one image")
    known = {node.name for node in graph.nodes}
    if not graph.outputs or len(set(graph.outputs)) != len(graph.outputs):
        raise GraphError(f"outputs {graph.outputs} of graph {graph.name!r}", "name at least one output, and each once")
    for name in graph.outputs:
        if name not in known:
            raise GraphError(f"output {name!r} of graph {graph.name!r} is produced by no node")


def _check_input(node: Input) -> None:
    _require(node, all(0 <= mean <= 255 for mean in node.mean), f"means {node.mean}", "a mean is an integer from 0 to 255")


def _check_type(node: Node, result: Requant | Add | AvgPool | Requantize) -> None:
    _require(node, 1 <= result.bits <= 8, f"result of {result.bits} bits", "results have 1 to 8 bits")
    kind = TensorType((1, 1, 1), result.bits, result.signed)
    inside = kind.minimum <= result.lo <= result.hi <= kind.maximum
    _require(node, inside, f"bounds [{result.lo}, {result.hi}]", f"ordered, and inside the type's [{kind.minimum}, {kind.maximum}]")


def _check_conv(node: Conv | DeformConv, inputs: list[TensorType], reach: list[Bounds]) -> None:
    _require(node, 2 <= node.weight_bits <= 8, f"weights of {node.weight_bits} bits", "weights have 2 to 8 bits")
    limit = 1 << (node.weight_bits - 1)
    _require(node, np.issubdtype(node.weight.dtype, np.integer), f"weights of type {node.weight.dtype}", "weights are integers")
    fits = bool(node.weight.size) and -limit <= int(node.weight.min()) and int(node.weight.max()) < limit
    _require(node, fits, f"weights outside [{-limit}, {limit - 1}]", f"they are signed {node.weight_bits}-bit integers")
    requant, channels = node.requant, len(node.weight)
    for label in ("bias", "multiplier", "shift"):
        value = getattr(requant, label)
        good = value.shape == (channels,) and np.issubdtype(value.dtype, np.integer)
        _require(node, good, f"{label} of shape {value.shape}, type {value.dtype}", f"{channels} integers, one a channel")
    in_range = bool(((requant.multiplier >= MULTIPLIER_MIN) & (requant.multiplier < MULTIPLIER_MAX)).all())
    _require(node, in_range, "a multiplier is out of range", f"multipliers are in [{MULTIPLIER_MIN}, {MULTIPLIER_MAX})")
    _require(node, bool(np.isin(requant.shift, SHIFTS).all()), "a shift is out of range", f"shifts are one of {SHIFTS}")
    _check_type(node, requant)
    bound = int(accumulator_bound(node, reach[0]).max())
    hint = f"{ACCUMULATOR_BITS} signed bits: at most {ACCUMULATOR_MAX}; fewer weight bits or a wider weight scale"
    _require(node, bound <= ACCUMULATOR_MAX, f"its accumulator reaches {bound}", hint)
    if isinstance(node, DeformConv):
        inside = reach[1][0] >= DISPLACEMENT_MIN and reach[1][1] <= DISPLACEMENT_MAX
        _require(node, inside, f"displacements in {reach[1]}", f"inside [{DISPLACEMENT_MIN}, {DISPLACEMENT_MAX}]")
        _require(node, inputs[0].bits <= 8, "reads the image", "only dense convolutions read the image")
    elif inputs[0].bits > 8:
        _require(node, node.groups == 1, "reads the image depthwise", "only dense convolutions read the image")


def _check_scalar(node: Add | AvgPool | Requantize, inputs: list[TensorType], reach: list[Bounds]) -> None:
    _require(node, all(item.bits <= 8 for item in inputs), "reads the image", "only dense convolutions read the image")
    multipliers = (node.m1, node.m2) if isinstance(node, Add) else (node.multiplier,)
    good = MULTIPLIER_MIN <= max(multipliers) < MULTIPLIER_MAX and min(multipliers) >= 0
    _require(node, good, f"multipliers {multipliers}", f"the largest is in [{MULTIPLIER_MIN}, {MULTIPLIER_MAX}), none is negative")
    _require(node, node.shift in SHIFTS, f"shift {node.shift}", f"one of {SHIFTS}")
    _check_type(node, node)
    if isinstance(node, AvgPool):
        pixels = node.kernel**2 if node.kernel else inputs[0].shape[1] * inputs[0].shape[2]
        bound = pixels * max(abs(reach[0][0]), abs(reach[0][1]))
        _require(node, bound <= ACCUMULATOR_MAX, f"its sum reaches {bound}", f"at most {ACCUMULATOR_MAX}: pool in two steps")
