"""The integer graph in PyTorch: batches of images, any device, float64 that holds every sum exactly.

Independent of :mod:`hao.ir.reference` and equal to it, element by element.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from hao.errors import GraphError
from hao.ir import graph as ir


class IntegerNetwork(nn.Module):
    """Executes an integer graph on batches.

    Args:
        graph: a legal graph; its numbers become buffers.
    """

    def __init__(self, graph: ir.Graph) -> None:
        super().__init__()
        self.graph = graph
        for index, node in enumerate(graph.nodes):
            if isinstance(node, ir.Conv | ir.DeformConv):
                self._keep(f"weight{index}", node.weight)
                for label in ("bias", "multiplier", "shift"):
                    self._keep(f"{label}{index}", getattr(node.requant, label).reshape(-1, 1, 1))

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Unsigned bytes ``(N, C, H, W)`` to every tensor by name, ``(N, C, H, W)`` float64 with integer values."""
        values: dict[str, Tensor] = {}
        for index, node in enumerate(self.graph.nodes):
            if isinstance(node, ir.Input):
                mean = torch.tensor(node.mean, dtype=torch.float64, device=images.device)
                values[node.name] = images.to(torch.float64) - mean[:, None, None]
            else:
                values[node.name] = self._compute(index, node, [values[name] for name in node.inputs])
        return values

    def _keep(self, name: str, values: ir.IntArray) -> None:
        self.register_buffer(name, torch.from_numpy(values.astype("float64")), persistent=False)

    def _get(self, label: str, index: int) -> Tensor:
        return getattr(self, f"{label}{index}")  # type: ignore[no-any-return]

    def _compute(self, index: int, node: ir.Node, inputs: Sequence[Tensor]) -> Tensor:
        x = inputs[0]
        match node:
            case ir.Conv():
                total = _convolution(x, self._get("weight", index), node.stride, node.pad, node.groups)
                return self._requant(index, node.requant, total)
            case ir.DeformConv():
                return self._requant(index, node.requant, _deformable(x, inputs[1], self._get("weight", index)))
            case ir.MaxPool():
                return functional.max_pool2d(x, node.kernel, node.stride, node.pad)
            case ir.AvgPool():
                taps = functional.unfold(x, node.kernel, stride=node.stride) if node.kernel else x.flatten(2)
                if node.kernel:
                    size = [(side - node.kernel) // node.stride + 1 for side in x.shape[2:]]
                    total = taps.reshape(len(x), x.shape[1], node.kernel**2, *size).sum(2)
                else:
                    total = taps.sum(2)[..., None, None]
                return _shifted(total * node.multiplier, node.shift, node.lo, node.hi)
            case ir.Add():
                return _shifted(x * node.m1 + inputs[1] * node.m2, node.shift, node.lo, node.hi)
            case ir.Requantize():
                return _shifted(x * node.multiplier, node.shift, node.lo, node.hi)
            case ir.Concat():
                return torch.cat(list(inputs), 1)
            case ir.Slice():
                return x[:, node.start : node.stop]
            case ir.Shuffle():
                batch, channels, *size = x.shape
                return x.reshape(batch, node.groups, channels // node.groups, *size).transpose(1, 2).reshape(x.shape)
            case ir.Upsample():
                return x.repeat_interleave(2, 2).repeat_interleave(2, 3)
        raise GraphError(f"{type(node).__name__} {node.name!r} is of no kind that mode integer knows")

    def _requant(self, index: int, rule: ir.Requant, total: Tensor) -> Tensor:
        product = (total + self._get("bias", index)) * self._get("multiplier", index)
        power = torch.exp2(self._get("shift", index))
        return torch.clamp(torch.floor(product / power + 0.5), rule.lo, rule.hi)


def _shifted(product: Tensor, shift: int, low: int, high: int) -> Tensor:
    return torch.clamp(torch.floor(product * 2.0**-shift + 0.5), low, high)


def _convolution(x: Tensor, weight: Tensor, stride: int, pad: int, groups: int) -> Tensor:
    """Matrix products over unfolded windows: a library's fast convolutions may transform, and so round, their operands."""
    out, _, kernel, _ = weight.shape
    size = [(side + 2 * pad - kernel) // stride + 1 for side in x.shape[2:]]
    if kernel == 1 and pad == 0:
        windows = x[:, :, ::stride, ::stride].flatten(2)
    else:
        windows = functional.unfold(x, kernel, padding=pad, stride=stride)
    if groups == 1:
        return torch.matmul(weight.flatten(1), windows).reshape(len(x), out, *size)
    taps = windows.reshape(len(x), out, kernel * kernel, -1)
    return (taps * weight.reshape(out, kernel * kernel, 1)).sum(2).reshape(len(x), out, *size)


def _deformable(x: Tensor, displacement: Tensor, weight: Tensor) -> Tensor:
    """Nine gathers from the map padded by the farthest displacement."""
    reach = 8
    height, width = x.shape[2:]
    padded = functional.pad(x, (reach,) * 4).flatten(2)
    d = displacement.long()[:, 0]
    rows = torch.arange(height, device=x.device)[:, None] + reach
    columns = torch.arange(width, device=x.device)[None, :] + reach
    total = torch.zeros_like(x)
    for i in range(3):
        for j in range(3):
            place = (rows + (i - 1) * d) * (width + 2 * reach) + columns + (j - 1) * d
            index = place.flatten(1)[:, None].expand(-1, x.shape[1], -1)
            total += torch.gather(padded, 2, index).reshape(x.shape) * weight[:, 0, i, j, None, None]
    return total
