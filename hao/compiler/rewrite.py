"""Rewrites of the integer graph that save work and change no value: up-sampling moves behind pointwise work.

Nearest up-sampling commutes with whatever treats pixels alike, so 1x1 convolutions, requantization, adds and channel
moves behind it run at the low resolution. A node keeps its name at its place: the tensor called ``h`` is the same before
and after; its low-resolution twin is ``h.low``. A low-resolution tensor holds every value of the original, four times fewer.
"""

from __future__ import annotations

from dataclasses import replace

from hao.ir.graph import Add, Concat, Conv, Graph, Node, Requantize, Shuffle, Slice, Upsample


def _pointwise(node: Node) -> bool:
    if isinstance(node, Conv):
        return node.weight.shape[2] == 1 and node.stride == 1 and node.pad == 0
    return isinstance(node, Add | Requantize | Concat | Slice | Shuffle)


def _fresh(name: str, taken: set[str]) -> str:
    candidate = f"{name}.low"
    while candidate in taken:
        candidate += "_"
    taken.add(candidate)
    return candidate


def _move_upsampling(nodes: list[Node], taken: set[str]) -> list[Node]:
    source = {node.name: node.inputs[0] for node in nodes if isinstance(node, Upsample)}
    result: list[Node] = []
    for node in nodes:
        if not (_pointwise(node) and node.inputs and all(name in source for name in node.inputs)):
            result.append(node)
            continue
        low = _fresh(node.name, taken)
        result.append(replace(node, name=low, inputs=tuple(source[name] for name in node.inputs)))
        result.append(Upsample(node.name, (low,), scale=node.scale))
        source[node.name] = low
    return result


def _without_dead(nodes: list[Node], outputs: tuple[str, ...]) -> list[Node]:
    alive = set(outputs)
    for node in reversed(nodes):
        if node.name in alive:
            alive.update(node.inputs)
    return [node for node in nodes if node.name in alive]


def rewrite(graph: Graph) -> Graph:
    """The graph that is compiled, and that engines are compared with tensor by tensor.

    Equal to ``graph`` on the reference: its outputs, and every tensor whose name both graphs have.
    """
    taken = {node.name for node in graph.nodes}
    nodes = _move_upsampling(list(graph.nodes), taken)
    nodes = _without_dead(nodes, graph.outputs)
    return Graph(graph.name, tuple(nodes), graph.outputs, dict(graph.metadata))

