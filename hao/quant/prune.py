"""Hessian-aware pruning and neural implants (HAP, arXiv 2101.08940): channels that the loss does not miss are removed.

A channel's sensitivity is ``Tr(H_c) / (2 p_c) * |w_c|^2`` over its folded weights (``p_c`` of them). Channels that must go
together, because an addition or a depthwise layer joins them, form one index set, whose sensitivity is the sum of its members'.
HAP keeps the union of index sets at a joint and zeroes what one branch lost; on a dense engine a zeroed channel costs as much
as any other, so a set goes whole or stays (ours).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from hao.errors import QuantizationError
from hao.frontend.float_graph import FloatGraph, FloatNode
from hao.quant.folded import FoldedNetwork
from hao.quant.hessian import Operator, Progress, rademacher
from hao.quant.state import Kept

Ids = dict[str, tuple[int, ...]]
"""For every tensor, the index set that each of its channels belongs to."""


@dataclass(frozen=True, slots=True)
class IndexSets:
    """Which channels of a network go together.

    Attributes:
        channels: set of every channel of every tensor.
        frozen: sets that stay: outputs, displacements, channels that shuffles and slices move.
        members: ``(layer, channel)`` whose weights produce the channels of a set.
    """

    channels: Ids
    frozen: frozenset[int]
    members: Mapping[int, tuple[tuple[str, int], ...]]

    def prunable(self) -> list[int]:
        """Sets that may go, in the order of their first layer."""
        return [each for each in self.members if each not in self.frozen]


def index_sets(graph: FloatGraph) -> IndexSets:
    """Find the sets by union-find over channels, from the image to the outputs."""
    parent: list[int] = []

    def fresh() -> int:
        parent.append(len(parent))
        return len(parent) - 1

    def find(each: int) -> int:
        while parent[each] != each:
            parent[each] = parent[parent[each]]
            each = parent[each]
        return each

    raw: dict[str, list[int]] = {}
    stay: list[int] = []
    for node in graph.nodes:
        read = [raw[name] for name in node.inputs]
        if node.kind == "input" or (node.kind == "conv" and node.attributes["groups"] == 1):
            raw[node.name] = [fresh() for _ in range(node.shape[0])]
        elif node.kind == "concat":
            raw[node.name] = [each for channels in read for each in channels]
        elif node.kind == "slice":
            raw[node.name] = read[0][node.attributes["start"] : node.attributes["stop"]]
        elif node.kind == "shuffle":
            grouped = np.array(read[0]).reshape(node.attributes["groups"], -1)
            raw[node.name] = grouped.T.ravel().tolist()
        else:
            raw[node.name] = list(read[0])
            if node.kind == "add":
                for first, second in zip(*read, strict=True):
                    parent[find(second)] = find(first)
        if node.kind in ("input", "slice", "shuffle"):
            stay.extend(raw[node.name] + [each for channels in read for each in channels])
        if node.kind == "deform":
            stay.extend(read[1])
    stay.extend(each for name in graph.outputs for each in raw[name])
    channels = {name: tuple(find(each) for each in row) for name, row in raw.items()}
    # A tensor that holds a channel twice cannot lose one of the two.
    stay.extend(each for row in channels.values() if len(set(row)) < len(row) for each in row)
    members: dict[int, list[tuple[str, int]]] = {}
    for node in graph.nodes:
        if node.kind in ("conv", "deform"):
            for channel, each in enumerate(channels[node.name]):
                members.setdefault(each, []).append((node.name, channel))
    return IndexSets(channels, frozenset(find(each) for each in stay), {each: tuple(row) for each, row in members.items()})


def channel_traces(
    operator: Operator, seed: int = 0, probes: int = 64, listen: Progress | None = None, kept: Kept | None = None
) -> dict[str, torch.Tensor]:
    """Hutchinson traces of the Hessian's blocks of single output channels, ``(out,)`` a layer, float64.

    ``kept`` holds the layers of an earlier, interrupted call with the same arguments, and takes this one's.
    """
    state = kept.load() if kept else None
    found: dict[str, torch.Tensor] = dict(state[0]) if state else {}
    for name in operator.shapes:
        if name in found:
            continue
        if listen:
            listen("channels", len(found) + 1, len(operator.shapes))
        total = torch.zeros(operator.shapes[name][0], dtype=torch.float64)
        for first in range(0, probes, 16):
            drawn = rademacher(operator, name, seed, first, min(16, probes - first))
            total += (drawn * operator(name, drawn)).flatten(2).double().sum((0, 2)).cpu()
        if not bool(torch.isfinite(total).all()):
            raise QuantizationError(f"the Hessian of layer {name!r} is not finite", "its weights or the loss overflow: train it again")
        found[name] = total / probes
        if kept and (kept.due() or len(found) == len(operator.shapes)):
            kept.save(found, {})
    return {name: found[name] for name in operator.shapes}


def hessian_scores(network: FoldedNetwork, traces: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """HAP's sensitivity of every channel, ``(out,)`` a layer; negative traces count as zero."""
    found = {}
    for name, trace in traces.items():
        flat = network.weights[name].flatten(1).double().cpu()
        found[name] = trace.clamp(min=0) / (2 * flat.shape[1]) * flat.square().sum(1)
    return found


def magnitude_scores(network: FoldedNetwork) -> dict[str, torch.Tensor]:
    """Control: mean squared weight of every channel."""
    return {name: weight.flatten(1).double().square().mean(1).cpu() for name, weight in network.weights.items()}


def random_scores(network: FoldedNetwork, sets: IndexSets, seed: int) -> dict[str, torch.Tensor]:
    """Control: sets in random order, whatever their number of members: one draw a set, on its first member."""
    rng = np.random.default_rng(seed)
    found = {name: torch.zeros(len(weight), dtype=torch.float64) for name, weight in network.weights.items()}
    for (layer, channel), *_ in sets.members.values():
        found[layer][channel] = rng.random()
    return found


@dataclass(frozen=True, slots=True)
class PruningPlan:
    """What goes.

    Attributes:
        removed: index sets whose channels go.
        implanted: index sets whose kernels shrink to 1x1.
    """

    removed: frozenset[int]
    implanted: frozenset[int] = frozenset()


def plan_pruning(
    graph: FloatGraph,
    sets: IndexSets,
    scores: Mapping[str, torch.Tensor],
    ratio: float,
    *,
    implants: float = 0.0,
    multiple: int = 1,
    most: float = 0.95,
) -> PruningPlan:
    """Choose sets over the whole network by rising sensitivity.

    Args:
        graph: the float network.
        sets: of :func:`index_sets`.
        scores: sensitivity of channels by layer.
        ratio: share of the prunable sets to prune.
        implants: share of those, the most sensitive ones, that keep a 1x1 kernel instead (HAP: 0.1).
        multiple: layers keep a multiple of this many channels, as the engine's lanes are (ours).
        most: share of a layer's channels that may go; at least one stays.

    Raises:
        QuantizationError: a ratio is outside its range, or nothing can be pruned.
    """
    prunable = sets.prunable()
    if not prunable:
        raise QuantizationError(f"{graph.name} has no channels that could go", "all are outputs, or are moved by shuffles and slices")
    if not 0 <= ratio < 1 or not 0 <= implants <= 1:
        raise QuantizationError(f"a pruning ratio of {ratio:g} with {implants:g} implants", "ratio in [0, 1), share of implants in [0, 1]")
    harm = {each: sum(float(scores[layer][channel]) for layer, channel in sets.members[each]) for each in prunable}
    order = sorted(prunable, key=lambda each: (harm[each], each))
    wanted = round(ratio * len(prunable))
    eligible = _implantable(graph, sets)
    whole = round((1 - implants) * wanted)
    left = {node.name: node.shape[0] for node in graph.nodes if node.kind in ("conv", "deform")}
    floor = {name: max(1, int(np.ceil(count * (1 - most)))) for name, count in left.items()}
    removed: list[int] = []
    implanted: list[int] = []
    for each in order[:wanted]:
        layers = [layer for layer, _ in sets.members[each]]
        if len(removed) >= whole and each in eligible:
            implanted.append(each)
        elif all(left[layer] > floor[layer] for layer in layers):
            removed.append(each)
            for layer in layers:
                left[layer] -= 1
    return PruningPlan(frozenset(_rounded(sets, removed, left, multiple)), frozenset(implanted))


def _rounded(sets: IndexSets, removed: Sequence[int], left: dict[str, int], multiple: int) -> list[int]:
    """Give channels back, the most sensitive first, until every layer that lost some keeps a multiple."""
    kept = list(removed)
    for each in reversed(removed):
        layers = [layer for layer, _ in sets.members[each]]
        if any(left[layer] % multiple for layer in layers):
            kept.remove(each)
            for layer in layers:
                left[layer] += 1
    return kept


def _implantable(graph: FloatGraph, sets: IndexSets) -> set[int]:
    """Sets that one dense layer of a larger, centred kernel produces and that no addition orders."""
    nodes = {node.name: node for node in graph.nodes}
    summed = {each for node in graph.nodes if node.kind == "add" for each in sets.channels[node.name]}
    found = set()
    for each in sets.prunable():
        dense = [layer for layer, _ in sets.members[each] if nodes[layer].attributes["groups"] == 1]
        if len(dense) == 1 and each not in summed and implant_fault(nodes[dense[0]], nodes[nodes[dense[0]].inputs[0]]) is None:
            found.add(each)
    return found


def implant_fault(node: FloatNode, source: FloatNode) -> str | None:
    """Why a layer takes no implants, or None."""
    kernel = node.attributes["kernel"]
    if kernel == 1 or kernel % 2 == 0 or node.attributes["pad"] != kernel // 2:
        return "its kernel is not a larger, centred one"
    if source.kind == "input":
        return "it reads the image"
    return None
