"""Carries out a pruning plan: a smaller graph with smaller layers, computing what the large one would with those channels gone."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from hao.frontend.float_graph import FloatGraph, FloatNode
from hao.quant.network import GraphNetwork
from hao.quant.prune import IndexSets, PruningPlan


@torch.no_grad()
def pruned_network(source: nn.Module, graph: FloatGraph, sets: IndexSets, plan: PruningPlan, *, keep_centre: bool = True) -> GraphNetwork:
    """The network without the plan's channels, with 1x1 implants where it says so.

    Args:
        source: owner of the parameters; copied from.
        graph: what the front end read from it.
        sets: of the same graph.
        plan: what goes.
        keep_centre: implants start from the kernel's centre tap (one of HAP's variants); else from zero, as in its code.

    Returns:
        a trainable network; its ``graph`` belongs to it. A layer with implants is followed by a concatenation that
        bears its name; the rest of it is called ``NAME.kept``, the implants ``NAME.implant``.
    """
    model = GraphNetwork(source, graph)
    order: dict[str, tuple[int, ...]] = {}
    nodes: list[FloatNode] = []
    for node in model.graph.nodes:
        kept = tuple(each for each in sets.channels[node.name] if each not in plan.removed)
        if node.kind == "conv" and node.attributes["groups"] == 1:
            small = tuple(each for each in kept if each in plan.implanted)
            large = tuple(each for each in kept if each not in plan.implanted)
            order[node.name] = (*large, *small)
            columns = _positions(sets.channels[node.inputs[0]], order[node.inputs[0]])
            if small:
                nodes.extend(_split(model, node, sets.channels[node.name], large, small, columns, keep_centre))
            else:
                _cut(model, node.module, node.norm, _positions(sets.channels[node.name], large), columns, node.attributes["kernel"])
                nodes.append(_shaped(node, len(large)))
            continue
        if node.kind == "concat":
            order[node.name] = tuple(each for name in node.inputs for each in order[name])
        elif node.inputs and node.kind not in ("slice", "shuffle"):
            order[node.name] = order[node.inputs[0]]
        else:
            order[node.name] = kept
        if node.kind in ("conv", "deform"):
            _cut(model, node.module, node.norm, _positions(sets.channels[node.name], order[node.name]), None, node.attributes["kernel"])
        nodes.append(_shaped(node, len(order[node.name])))
    model.graph = replace(model.graph, nodes=tuple(nodes))
    return model


def _positions(old: Sequence[int], new: Sequence[int]) -> Tensor:
    place = {each: index for index, each in enumerate(old)}
    return torch.tensor([place[each] for each in new], dtype=torch.long)


def _shaped(node: FloatNode, channels: int) -> FloatNode:
    attributes = dict(node.attributes)
    if node.kind == "deform" or (node.kind == "conv" and attributes["groups"] > 1):
        attributes["groups"] = channels
    return replace(node, shape=(channels, *node.shape[1:]), attributes=attributes)


def _cut(model: GraphNetwork, path: str, norm: str, rows: Tensor, columns: Tensor | None, kernel: int) -> None:
    """Keep some output channels (``rows``) and, of a dense layer, some input channels, in the given order."""
    layer = model.get_submodule(path)
    whole: Tensor = layer.weight  # type: ignore[assignment]
    weight = whole[rows.to(whole.device)]
    if columns is not None:
        columns = columns.to(weight.device)
        if weight.ndim == 2:
            weight = weight.reshape(len(weight), -1, kernel * kernel)[:, columns].flatten(1)
        else:
            weight = weight[:, columns]
    layer.weight = nn.Parameter(weight.clone())
    bias = getattr(layer, "bias", None)
    if bias is not None:
        layer.bias = nn.Parameter(bias[rows.to(bias.device)].clone())
    depthwise = columns is None
    for name, value in (
        ("out_channels", len(rows)), ("out_features", len(rows)), ("channels", len(rows)),
        ("groups", len(rows) if depthwise else 1), ("in_channels", len(rows) if columns is None else len(columns)),
        ("in_features", weight.shape[1]),
    ):  # fmt: skip
        if hasattr(layer, name):
            setattr(layer, name, value)
    if norm:
        _cut_norm(model.get_submodule(norm), rows)


def _cut_norm(norm: nn.Module, rows: Tensor) -> None:
    for name in ("weight", "bias", "running_mean", "running_var"):
        value = getattr(norm, name)
        if value is not None:
            cut = value[rows.to(value.device)].clone()
            setattr(norm, name, nn.Parameter(cut) if isinstance(value, nn.Parameter) else cut)
    norm.num_features = len(rows)  # type: ignore[assignment]


def _split(
    model: GraphNetwork,
    node: FloatNode,
    old: tuple[int, ...],
    large: tuple[int, ...],
    small: tuple[int, ...],
    columns: Tensor,
    centre: bool,
) -> list[FloatNode]:
    """Replace a layer by what is left of it, the implants, and their concatenation."""
    key, kernel = node.name.replace(".", "/"), node.attributes["kernel"]
    made = []
    for label, channels in (("kept", large), ("implant", small)):
        if not channels:
            continue
        name = f"{key}/{label}"
        model.layers[name] = copy.deepcopy(model.get_submodule(node.module))
        attributes, norm = dict(node.attributes), ""
        if node.norm:
            model.norms[name] = copy.deepcopy(model.get_submodule(node.norm))
            norm = f"norms.{name}"
        _cut(model, f"layers.{name}", norm, _positions(old, channels), columns, kernel)
        if label == "implant":
            _shrink(model.layers[name], kernel, centre)
            attributes |= {"kernel": 1, "pad": 0}
        made.append(
            replace(
                node, name=f"{node.name}.{label}", module=f"layers.{name}", norm=norm, attributes=attributes,
                shape=(len(channels), *node.shape[1:]),
            )
        )  # fmt: skip
    del model.layers[key]
    if node.norm:
        del model.norms[key]
    if len(made) == 1:
        return [replace(made[0], name=node.name)]
    joint = FloatNode(node.name, "concat", tuple(each.name for each in made), (len(large) + len(small), *node.shape[1:]))
    return [*made, joint]


def _shrink(layer: nn.Module, kernel: int, centre: bool) -> None:
    """Make a convolution 1x1: its centre tap, or zero."""
    assert isinstance(layer, nn.Conv2d)  # implants replace dense convolutions alone
    middle = kernel // 2
    weight = layer.weight[:, :, middle : middle + 1, middle : middle + 1].clone()
    layer.weight = nn.Parameter(weight if centre else torch.zeros_like(weight))
    layer.kernel_size, layer.padding = (1, 1), (0, 0)
    layer._reversed_padding_repeated_twice = [0, 0, 0, 0]
