"""Floors of output scales: requantization factors must stay under 2."""

from __future__ import annotations

import torch

from hao.frontend.float_graph import FloatNode
from hao.ir.dyadic import SCALE_MAX
from hao.quant.model import QuantModel

_ROUNDS = 20
_HEADROOM = 0.97
"""Requantization factors stay under this share of the largest one."""


@torch.no_grad()
def raise_floors(model: QuantModel) -> None:
    """Raise output scales where a requantization factor would reach 2: weights of two bits, sums that cancel."""
    for _ in range(_ROUNDS):
        raised = False
        for node in model.graph.nodes:
            result = model.range(node.name) if node.kind in ("conv", "deform", "add", "avgpool", "requantize") else None
            if result is None or result.fixed is not None:
                continue
            needed = _largest_input_step(model, node) / (SCALE_MAX * _HEADROOM)
            if float(result.scale) < needed:
                result.floor.fill_(needed)
                raised = True
        if not raised:
            return


def _largest_input_step(model: QuantModel, node: FloatNode) -> float:
    """Largest real value of one unit of the node's sum before requantization."""
    scale = max(float(model.range(name).scale) for name in node.inputs if model.range(name).bits <= 8 or node.kind != "add")
    if node.kind in ("add", "requantize"):
        return scale
    if node.kind == "avgpool":
        shape = next(item.shape for item in model.graph.nodes if item.name == node.inputs[0])
        return scale / (node.attributes["kernel"] ** 2 or shape[1] * shape[2])
    weight, _ = model.parameters_of(node)
    reach = weight.abs().flatten(1).amax(1) * model.clip_ratio(node.name)
    return float(model.range(node.inputs[0]).scale) * float(reach.max()) / ((1 << (model.bits[node.name] - 1)) - 1)
