"""Ranges of activations: which tensors share one (union-find over the graph), how it is watched, what scale it gives."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hao.frontend.float_graph import MOVING_KINDS, FloatGraph, FloatNode

_SMALLEST = 1e-8
_SAMPLES = 1 << 20
"""Values of a batch that a percentile is taken over; more are thinned evenly."""

_KEPT = 1 << 14
"""Values of a tensor and batch that a range of least squared error is fitted to."""


class ActivationRange(nn.Module):
    """Range of the tensors that share one scale.

    Attributes:
        bits, signed: type of the tensors.
        fixed: the scale where it is not a matter of statistics (image, displacement), else None.
        low, high: range watched so far, ``low <= 0 <= high``.
        floor: smallest scale that keeps all requantization factors in the format.
        keeping: whether values are kept for :meth:`fit`.
    """

    low: Tensor
    high: Tensor
    floor: Tensor

    def __init__(self, bits: int, signed: bool, fixed: float | None = None) -> None:
        super().__init__()
        self.bits, self.signed, self.fixed = bits, signed, fixed
        for name in ("low", "high", "floor"):
            self.register_buffer(name, torch.zeros(()))
        self._seen: list[tuple[Tensor, Tensor]] = []
        self._kept: list[Tensor] = []
        self.keeping = False

    @property
    def limits(self) -> tuple[int, int]:
        """Smallest and largest integer of the type."""
        return (-(1 << (self.bits - 1)), (1 << (self.bits - 1)) - 1) if self.signed else (0, (1 << self.bits) - 1)

    @property
    def scale(self) -> Tensor:
        """What one unit is worth; a scalar tensor without gradient."""
        if self.fixed is not None:
            return torch.full_like(self.high, self.fixed)
        reach = torch.maximum(self.high, -self.low) if self.signed else self.high
        return torch.clamp(torch.maximum(reach / self.limits[1], self.floor), min=_SMALLEST)

    @torch.no_grad()
    def watch(self, values: Tensor, percentile: float) -> None:
        """Note the extremes of one tensor of this range in the current batch."""
        flat = values.detach().float().flatten()
        if self.keeping:
            self._kept.append(flat[:: max(1, flat.numel() // _KEPT)].clone())
        if percentile < 100.0:
            flat = flat[:: max(1, flat.numel() // _SAMPLES)].contiguous()
            high = torch.kthvalue(flat, max(1, round(flat.numel() * percentile / 100))).values
            low = torch.kthvalue(flat, max(1, round(flat.numel() * (1 - percentile / 100)))).values
        else:
            low, high = torch.aminmax(flat)
        self._seen.append((low.clamp(max=0), high.clamp(min=0)))

    @torch.no_grad()
    def commit(self, momentum: float | None) -> None:
        """Take the batch into the range: by moving average, or (``momentum`` None) by covering it as well."""
        if not self._seen:
            return
        low = torch.stack([item for item, _ in self._seen]).min()
        high = torch.stack([item for _, item in self._seen]).max()
        self._seen.clear()
        if momentum is None:
            self.low.copy_(torch.minimum(self.low, low))
            self.high.copy_(torch.maximum(self.high, high))
        else:
            self.low.lerp_(low, 1 - momentum)
            self.high.lerp_(high, 1 - momentum)

    @torch.no_grad()
    def fit(self) -> None:
        """Shrink the range to where the kept values are rounded and clipped with the least squared error; drops them."""
        values = torch.cat(self._kept) if self._kept else torch.zeros(0)
        self._kept.clear()
        reach = torch.maximum(self.high, -self.low) if self.signed else self.high
        if not len(values) or not float(reach) > 0:
            return
        low, high = self.limits
        ratios = torch.arange(1.0, 0.099, -0.01, device=values.device)
        errors = []
        for ratio in ratios:
            step = reach * ratio / high
            errors.append((torch.clamp(torch.floor(values / step + 0.5), low, high) * step - values).square().mean())
        best = ratios[torch.stack(errors).argmin()]
        self.low.copy_(torch.maximum(self.low, -reach * best))
        self.high.copy_(torch.minimum(self.high, reach * best))

    def forget(self) -> None:
        """Drop what was watched since the last commit."""
        self._seen.clear()

    def extra_repr(self) -> str:
        return f"bits={self.bits}, signed={self.signed}, fixed={self.fixed}"


def shared_ranges(graph: FloatGraph) -> dict[str, str]:
    """The tensor that stands for each tensor's range: equal for tensors that meet in a concatenation, shuffle, slice, pool."""
    parent = {node.name: node.name for node in graph.nodes}

    def find(name: str) -> str:
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    for node in graph.nodes:
        if node.kind in MOVING_KINDS:
            for name in node.inputs:
                first, second = find(name), find(node.name)
                # The earlier tensor stands for the group, so that names are those of real layers.
                order = [item.name for item in graph.nodes if item.name in (first, second)]
                parent[order[-1]] = order[0]
    return {node.name: find(node.name) for node in graph.nodes}


def non_negative(graph: FloatGraph) -> set[str]:
    """Tensors that cannot be negative, whatever the weights."""
    found: set[str] = set()
    for node in graph.nodes:
        if node.clip is not None:
            positive = node.clip[0] >= 0
        else:
            positive = node.kind not in ("conv", "deform", "input") and all(name in found for name in node.inputs)
        if positive:
            found.add(node.name)
    return found


def make_ranges(graph: FloatGraph, bits: int) -> tuple[nn.ModuleDict, dict[str, str]]:
    """One :class:`ActivationRange` a group, and the key of its range for every tensor."""
    group, positive = shared_ranges(graph), non_negative(graph)
    members: dict[str, list[FloatNode]] = {}
    for node in graph.nodes:
        members.setdefault(group[node.name], []).append(node)
    ranges, keys = nn.ModuleDict(), {}
    for root, nodes in members.items():
        key = root.replace(".", "/")
        ranges[key] = _range(nodes, bits, positive, graph.displacements())
        keys.update(dict.fromkeys((node.name for node in nodes), key))
    return ranges, keys


def _range(group: list[FloatNode], bits: int, positive: set[str], displacements: frozenset[str]) -> ActivationRange:
    if group[0].kind == "input":
        return ActivationRange(9, True, 1.0)
    if group[0].name in displacements:
        return ActivationRange(8, True, 1.0)
    return ActivationRange(bits, not all(node.name in positive for node in group))
