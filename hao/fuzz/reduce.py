"""Smaller versions of a network: fewer outputs and nodes, fewer channels, smaller pictures, plainer numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from hao.errors import GraphError
from hao.ir.check import check
from hao.ir.graph import Concat, Conv, DeformConv, Graph, Input, Node, Requant, Shuffle, Slice
from hao.ir.types import infer

_Index = npt.NDArray[np.int64]


def pruned(graph: Graph) -> Graph:
    """``graph`` without the nodes that no output needs; the image stays."""
    needed = set(graph.outputs)
    for node in reversed(graph.nodes):
        if node.name in needed:
            needed.update(node.inputs)
    return replace(graph, nodes=tuple(node for node in graph.nodes if node.name in needed or isinstance(node, Input)))


def legal(graph: Graph) -> Graph | None:
    """``graph`` pruned, or None when it breaks a rule."""
    try:
        small = pruned(graph)
        check(small)
    except GraphError:
        return None
    return small


def _with_node(graph: Graph, at: int, node: Node) -> Graph:
    return replace(graph, nodes=(*graph.nodes[:at], node, *graph.nodes[at + 1 :]))


def fewer_outputs(graph: Graph) -> Iterator[Graph]:
    """One output alone: an inner tensor, early ones first, or one of several outputs."""
    for node in graph.nodes:
        if not isinstance(node, Input) and graph.outputs != (node.name,):
            yield replace(graph, outputs=(node.name,))


def fewer_nodes(graph: Graph) -> Iterator[Graph]:
    """One node less: who read it reads one of its inputs instead."""
    for at, node in enumerate(graph.nodes):
        for source in dict.fromkeys(node.inputs):
            rest = (*graph.nodes[:at], *graph.nodes[at + 1 :])
            moved = tuple(replace(each, inputs=tuple(source if n == node.name else n for n in each.inputs)) for each in rest)
            outputs = tuple(dict.fromkeys(source if name == node.name else name for name in graph.outputs))
            yield replace(graph, nodes=moved, outputs=outputs)


def smaller_images(graph: Graph) -> Iterator[Graph]:
    """The picture at half size, or one row or column less."""
    for at, node in enumerate(graph.nodes):
        if isinstance(node, Input):
            channels, height, width = node.shape
            sizes = ((1, width), (height, 1), (height // 2, width), (height, width // 2), (height - 1, width), (height, width - 1))
            for rows, columns in sizes:
                if rows >= 1 and columns >= 1 and (rows, columns) != (height, width):
                    yield _with_node(graph, at, replace(node, shape=(channels, rows, columns)))


def _picked(rule: Requant, keep: _Index) -> Requant:
    return replace(rule, bias=rule.bias[keep], multiplier=rule.multiplier[keep], shift=rule.shift[keep])


def _narrowed(node: Node, kept: list[_Index], counts: list[int], wanted: int | None) -> tuple[Node, _Index]:
    """``node`` reading the ``kept`` channels of its inputs (of ``counts``), and the channels of its result that are left."""
    if isinstance(node, Conv) and node.groups == 1:
        keep = np.arange(len(node.weight) if wanted is None else wanted)
        return replace(node, weight=node.weight[keep][:, kept[0]], requant=_picked(node.requant, keep)), keep
    if isinstance(node, Conv):
        keep = kept[0]
        # one channel: a dense convolution and a depthwise one are the same thing
        return replace(node, weight=node.weight[keep], requant=_picked(node.requant, keep), groups=len(keep)), keep
    if isinstance(node, DeformConv):
        return replace(node, weight=node.weight[kept[0]], requant=_picked(node.requant, kept[0])), kept[0]
    if isinstance(node, Concat):
        starts = np.cumsum([0, *counts[:-1]])
        return node, np.concatenate([keep + start for keep, start in zip(kept, starts, strict=True)])
    if isinstance(node, Slice):
        start, stop = (int((kept[0] < end).sum()) for end in (node.start, node.stop))
        keep = kept[0][(kept[0] >= node.start) & (kept[0] < node.stop)] - node.start
        return replace(node, start=start, stop=stop), keep
    if isinstance(node, Shuffle) and len(kept[0]) != counts[0]:
        raise GraphError(f"{node.name} shuffles channels that are gone")
    if any(len(keep) != len(kept[0]) or (keep != kept[0]).any() for keep in kept):
        raise GraphError(f"{node.name} reads tensors that lost different channels")
    return node, kept[0]


def narrow(graph: Graph, out: int, left: int) -> Graph:
    """Every dense convolution of ``out`` channels keeps the first ``left``; who reads them follows.

    Raises:
        GraphError: some node cannot follow.
    """
    types = infer(graph)
    kept: dict[str, _Index] = {}
    nodes: list[Node] = []
    for node in graph.nodes:
        if isinstance(node, Input):
            kept[node.name] = np.arange(node.shape[0])
            nodes.append(node)
            continue
        mine = isinstance(node, Conv) and node.groups == 1 and len(node.weight) == out
        counts = [types[name].shape[0] for name in node.inputs]
        changed, kept[node.name] = _narrowed(node, [kept[name] for name in node.inputs], counts, left if mine else None)
        nodes.append(changed)
    return replace(graph, nodes=tuple(nodes))


def fewer_channels(graph: Graph) -> Iterator[Graph]:
    """Dense convolutions of one channel count with fewer channels."""
    counts = sorted({len(node.weight) for node in graph.nodes if isinstance(node, Conv) and node.groups == 1}, reverse=True)
    for count in counts:
        for left in dict.fromkeys((1, count // 2, count - 1)):
            if 1 <= left < count:
                try:
                    yield narrow(graph, count, left)
                except GraphError:
                    continue


def plainer_numbers(graph: Graph) -> Iterator[Graph]:
    """Weights or biases of a node at zero, half of its weights at zero, means at zero."""
    for at, node in enumerate(graph.nodes):
        if isinstance(node, Input) and any(node.mean):
            yield _with_node(graph, at, replace(node, mean=(0,) * len(node.mean)))
        if not isinstance(node, Conv | DeformConv):
            continue
        if node.requant.bias.any():
            yield _with_node(graph, at, replace(node, requant=replace(node.requant, bias=np.zeros_like(node.requant.bias))))
        live = np.flatnonzero(node.weight)
        for drop in (live, live[: len(live) // 2], live[len(live) // 2 :]):
            if len(drop):
                weight = node.weight.copy()
                weight.flat[drop] = 0
                yield _with_node(graph, at, replace(node, weight=weight))


REDUCTIONS = (fewer_outputs, fewer_nodes, smaller_images, fewer_channels, plainer_numbers)
"""Ways to make a network smaller, the strongest first; each yields candidates that may be illegal."""
