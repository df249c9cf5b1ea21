"""Types and value bounds of every tensor of a graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import singledispatch

from hao.errors import GraphError
from hao.ir.graph import (
    Add,
    AvgPool,
    Concat,
    Conv,
    DeformConv,
    Graph,
    Input,
    MaxPool,
    Node,
    Requantize,
    Shape,
    Shuffle,
    Slice,
    TensorType,
    Upsample,
)

Bounds = tuple[int, int]
"""Smallest and largest value that a tensor can hold, inclusive."""


def infer(graph: Graph, known: Mapping[str, TensorType] | None = None) -> dict[str, TensorType]:
    """Type of every tensor, by name, in graph order; ``known`` types of tensors that come before the graph's own.

    Raises:
        GraphError: a name is unknown or used twice, or the inputs of a node do not fit it; the node is named.
    """
    types: dict[str, TensorType] = dict(known or {})
    for node in graph.nodes:
        if node.name in types:
            raise GraphError(f"two nodes are called {node.name!r}", "names of tensors are unique")
        for name in node.inputs:
            if name not in types:
                raise GraphError(f"{node.name!r} reads {name!r}, which no earlier node produces", "nodes are in topological order")
        types[node.name] = _result(node, [types[name] for name in node.inputs])
    return types


def value_bounds(graph: Graph) -> dict[str, Bounds]:
    """Smallest and largest value of every tensor: saturation bounds where there are any, never wider than the type."""
    bounds: dict[str, Bounds] = {}
    for node in graph.nodes:
        if isinstance(node, Input):
            bounds[node.name] = (-max(node.mean), 255 - min(node.mean))
        elif isinstance(node, Conv | DeformConv):
            bounds[node.name] = (node.requant.lo, node.requant.hi)
        elif isinstance(node, Add | AvgPool | Requantize):
            bounds[node.name] = (node.lo, node.hi)
        else:
            read = [bounds[name] for name in node.inputs]
            bounds[node.name] = (min(low for low, _ in read), max(high for _, high in read))
    return bounds


def consumers(graph: Graph) -> Mapping[str, tuple[Node, ...]]:
    """The nodes that read each tensor, in graph order; a node that reads a tensor twice appears once."""
    found: dict[str, tuple[Node, ...]] = {node.name: () for node in graph.nodes}
    for node in graph.nodes:
        for name in dict.fromkeys(node.inputs):
            found[name] += (node,)
    return found


def pooled_size(size: int, kernel: int, stride: int, pad: int) -> int:
    """Output length of a window of ``kernel`` moved by ``stride`` over ``size`` pixels padded by ``pad`` on both sides."""
    return (size + 2 * pad - kernel) // stride + 1


def _fail(node: Node, why: str, hint: str = "") -> GraphError:
    return GraphError(f"{type(node).__name__} {node.name!r}: {why}", hint)


def _arity(node: Node, inputs: Sequence[TensorType], count: int) -> None:
    if len(inputs) != count:
        raise _fail(node, f"{len(inputs)} inputs, {count} are needed")


def _window(node: Node, shape: Shape, kernel: int, stride: int, pad: int) -> tuple[int, int]:
    if kernel < 1 or stride < 1 or pad < 0 or pad >= kernel:
        raise _fail(
            node, f"kernel {kernel}, stride {stride}, padding {pad}", "kernel and stride are positive, padding is less than the kernel"
        )
    height, width = (pooled_size(size, kernel, stride, pad) for size in shape[1:])
    if height < 1 or width < 1:
        raise _fail(node, f"a {kernel}x{kernel} window with padding {pad} does not fit a map of {shape[1]}x{shape[2]}")
    return height, width


def _same(node: Node, source: TensorType, shape: Shape) -> TensorType:
    if node.scale is not None and source.scale is not None and node.scale != source.scale:
        raise _fail(node, f"scale {node.scale} differs from its input's {source.scale}", "it moves values and cannot change their scale")
    return TensorType(shape, source.bits, source.signed, source.scale if node.scale is None else node.scale)


@singledispatch
def _result(node: Node, _inputs: Sequence[TensorType]) -> TensorType:
    raise _fail(node, "is of no kind that the integer graph knows")


@_result.register
def _(node: Input, inputs: Sequence[TensorType]) -> TensorType:
    _arity(node, inputs, 0)
    if len(node.mean) != node.shape[0]:
        raise _fail(node, f"{len(node.mean)} means for {node.shape[0]} channels")
    if min(node.shape) < 1:
        raise _fail(node, f"shape {node.shape}")
    if any(node.mean):
        return TensorType(node.shape, 9, True, node.scale)
    return TensorType(node.shape, 8, False, node.scale)


@_result.register
def _(node: Conv, inputs: Sequence[TensorType]) -> TensorType:
    _arity(node, inputs, 1)
    channels = inputs[0].shape[0]
    if node.weight.ndim != 4 or node.weight.shape[2] != node.weight.shape[3]:
        raise _fail(node, f"weight of shape {node.weight.shape}", "(out, in / groups, k, k)")
    out, per_group, kernel, _ = node.weight.shape
    if node.groups not in (1, channels) or (node.groups > 1 and out != channels):
        raise _fail(node, f"{node.groups} groups from {channels} to {out} channels", "groups is 1, or the channel count of both sides")
    if per_group * node.groups != channels:
        raise _fail(node, f"weight of shape {node.weight.shape} on {channels} channels")
    height, width = _window(node, inputs[0].shape, kernel, node.stride, node.pad)
    return TensorType((out, height, width), node.requant.bits, node.requant.signed, node.scale)


@_result.register
def _(node: DeformConv, inputs: Sequence[TensorType]) -> TensorType:
    _arity(node, inputs, 2)
    shape = inputs[0].shape
    if inputs[1].shape != (1, *shape[1:]):
        raise _fail(node, f"displacement of shape {inputs[1].shape} for a map of shape {shape}", "one displacement a pixel")
    if node.weight.shape != (shape[0], 1, 3, 3):
        raise _fail(node, f"weight of shape {node.weight.shape} on {shape[0]} channels", "(channels, 1, 3, 3)")
    return TensorType(shape, node.requant.bits, node.requant.signed, node.scale)


@_result.register
def _(node: MaxPool, inputs: Sequence[TensorType]) -> TensorType:
    _arity(node, inputs, 1)
    if node.pad * 2 > node.kernel:
        raise _fail(node, f"padding {node.pad} of a {node.kernel}x{node.kernel} window", "padding is at most half the window")
    height, width = _window(node, inputs[0].shape, node.kernel, node.stride, node.pad)
    return _same(node, inputs[0], (inputs[0].shape[0], height, width))


@_result.register
def _(node: AvgPool, inputs: Sequence[TensorType]) -> TensorType:
    _arity(node, inputs, 1)
    channels, height, width = inputs[0].shape
    if node.kernel == 0:
        return TensorType((channels, 1, 1), node.bits, node.signed, node.scale)
    height, width = _window(node, inputs[0].shape, node.kernel, node.stride, 0)
    return TensorType((channels, height, width), node.bits, node.signed, node.scale)


@_result.register
def _(node: Add, inputs: Sequence[TensorType]) -> TensorType:
    _arity(node, inputs, 2)
    if inputs[0].shape != inputs[1].shape:
        raise _fail(node, f"adds shapes {inputs[0].shape} and {inputs[1].shape}")
    return TensorType(inputs[0].shape, node.bits, node.signed, node.scale)


@_result.register
def _(node: Requantize, inputs: Sequence[TensorType]) -> TensorType:
    _arity(node, inputs, 1)
    return TensorType(inputs[0].shape, node.bits, node.signed, node.scale)


@_result.register
def _(node: Concat, inputs: Sequence[TensorType]) -> TensorType:
    if not inputs:
        raise _fail(node, "joins nothing")
    first = inputs[0]
    for name, other in zip(node.inputs, inputs, strict=True):
        if (other.bits, other.signed, other.scale) != (first.bits, first.signed, first.scale):
            raise _fail(node, f"types of {node.inputs[0]!r} and {name!r} differ: {first} and {other}", "requantize one of them first")
        if other.shape[1:] != first.shape[1:]:
            raise _fail(node, f"joins maps of {first.shape[1:]} and {other.shape[1:]}")
    return _same(node, first, (sum(item.shape[0] for item in inputs), *first.shape[1:]))


@_result.register
def _(node: Slice, inputs: Sequence[TensorType]) -> TensorType:
    _arity(node, inputs, 1)
    if not 0 <= node.start < node.stop <= inputs[0].shape[0]:
        raise _fail(node, f"channels {node.start} to {node.stop} of {inputs[0].shape[0]}")
    return _same(node, inputs[0], (node.stop - node.start, *inputs[0].shape[1:]))


@_result.register
def _(node: Shuffle, inputs: Sequence[TensorType]) -> TensorType:
    _arity(node, inputs, 1)
    if node.groups < 1 or inputs[0].shape[0] % node.groups:
        raise _fail(node, f"{node.groups} groups of {inputs[0].shape[0]} channels", "groups divide the channels")
    return _same(node, inputs[0], inputs[0].shape)


@_result.register
def _(node: Upsample, inputs: Sequence[TensorType]) -> TensorType:
    _arity(node, inputs, 1)
    channels, height, width = inputs[0].shape
    return _same(node, inputs[0], (channels, 2 * height, 2 * width))
