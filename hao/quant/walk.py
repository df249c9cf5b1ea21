"""Runs a float graph, layers with weights left to the caller: what every analysis of the float network shares."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional

from hao.frontend.float_graph import FloatGraph, FloatNode

Layer = Callable[[FloatNode, list[Tensor]], Tensor]
"""Result of a ``conv`` or ``deform`` node, before its activation, from the tensors that it reads."""
_REACH = 9
"""Pixels of padding that hold every corner of every sample: displacements stay within 8."""


def walk(graph: FloatGraph, image: Tensor, layer: Layer, offsets: Mapping[str, Tensor] | None = None) -> dict[str, Tensor]:
    """Every tensor of ``graph`` by name.

    Args:
        graph: the float network.
        image: the value of the input node, ``(N, C, H, W)``.
        layer: computes layers with weights.
        offsets: added to tensors by name (zeros whose gradients are wanted).
    """
    values: dict[str, Tensor] = {}
    for node in graph.nodes:
        read = [values[name] for name in node.inputs]
        if node.kind == "input":
            value = image
        elif node.kind in ("conv", "deform"):
            value = layer(node, read)
        else:
            value = _plain(node, read)
        if node.clip is not None:
            value = torch.clamp(value, *node.clip)
        if offsets and node.name in offsets:
            value = value + offsets[node.name]
        values[node.name] = value
    return values


def results(graph: FloatGraph, values: Mapping[str, Tensor]) -> Tensor | tuple[Tensor, ...]:
    """What the model behind ``graph`` returns."""
    found = tuple(values[name] for name in graph.outputs)
    return found[0] if graph.single else found


def _plain(node: FloatNode, inputs: list[Tensor]) -> Tensor:
    first, attributes = inputs[0], node.attributes
    match node.kind:
        case "add":
            return first + inputs[1]
        case "avgpool":
            kernel = attributes["kernel"]
            return functional.avg_pool2d(first, kernel, attributes["stride"]) if kernel else first.mean((2, 3), keepdim=True)
        case "maxpool":
            return functional.max_pool2d(first, attributes["kernel"], attributes["stride"], attributes["pad"])
        case "concat":
            return torch.cat(inputs, 1)
        case "slice":
            return first[:, attributes["start"] : attributes["stop"]]
        case "shuffle":
            batch, channels, *size = first.shape
            return first.reshape(batch, attributes["groups"], channels // attributes["groups"], *size).transpose(1, 2).reshape(first.shape)
        case "upsample":
            return functional.interpolate(first, scale_factor=2, mode="nearest")
    return first


def deformable(x: Tensor, displacement: Tensor, weight: Tensor, *, smooth: bool) -> Tensor:
    """The co-designed deformable convolution, differentiable twice.

    Args:
        x: ``(N, C, H, W)``.
        displacement: ``(N, 1, H, W)``, pixels, within ``[-8, 8]``.
        weight: ``(C, 1, 3, 3)``.
        smooth: sample bilinearly at the unrounded displacement; else at the rounded one, as inference does.
    """
    padded = functional.pad(x, (_REACH,) * 4)
    wide, channels = padded.shape[3], x.shape[1]
    flat = padded.flatten(2)
    rows = torch.arange(x.shape[2], device=x.device)[:, None] + _REACH
    columns = torch.arange(x.shape[3], device=x.device)[None, :] + _REACH
    d = displacement[:, 0] if smooth else torch.floor(displacement[:, 0] + 0.5)

    def sample(y: Tensor, z: Tensor) -> Tensor:
        index = ((rows + y) * wide + columns + z).flatten(1)[:, None].expand(-1, channels, -1)
        return torch.gather(flat, 2, index).reshape(x.shape)

    total = torch.zeros_like(x)
    for i in (-1, 0, 1):
        for j in (-1, 0, 1):
            y, z = i * d, j * d
            low_y, low_z = torch.floor(y).detach(), torch.floor(z).detach()
            corner = [low_y.long(), low_z.long()]
            value = sample(corner[0], corner[1])
            if smooth and (i or j):
                part_y, part_z = (y - low_y)[:, None], (z - low_z)[:, None]
                right = sample(corner[0], corner[1] + 1) if j else value
                down = sample(corner[0] + 1, corner[1]) if i else value
                far = sample(corner[0] + int(i != 0), corner[1] + int(j != 0))
                top, bottom = value + part_z * (right - value), down + part_z * (far - down)
                value = top + part_y * (bottom - top)
            total = total + value * weight[:, 0, i + 1, j + 1, None, None]
    return total
