"""Deformable layers in operators that ONNX has: one dilated depthwise convolution a displacement, and a choice between them.

A square, rounded displacement ``d`` spreads a 3x3 kernel as dilation ``d`` does; a negative one mirrors it, and at 0 all nine taps
read one pixel, which is a 1x1 convolution with their sum. So ``sum over d of [displacement = d] * conv_d(x)`` is the layer, exactly.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hao.frontend.qonnx_reader import Reader
from hao.frontend.qonnx_values import Constant, Fault, Samples, Selection, Total, Value, moved
from hao.ir import graph as ir
from hao.ir.types import value_bounds

_BEYOND = -(1 << 31)


def emit_samples(w: Any, node: ir.DeformConv, weight: str, reach: tuple[int, int]) -> str:
    """Write the sum of products of ``node`` for displacements in ``reach``; the name of its tensor.

    Args:
        w: of :mod:`hao.frontend.qonnx_export`.
        node: the layer.
        weight: tensor of its quantized weights.
        reach: smallest and largest displacement.
    """
    name, shape = node.name, w.shapes[node.name]
    kernels = _kernels(w, node, weight, reach)
    parts = []
    for d in range(reach[0], reach[1] + 1):
        at = f"{name}.at{d}" if d >= 0 else f"{name}.at_{-d}"
        size, spread = (1, 1) if d == 0 else (3, abs(d))
        geometry = {"kernel_shape": [size] * 2, "dilations": [spread] * 2, "pads": [abs(d)] * 4, "group": shape[0]}
        sums = w.add("Conv", [node.inputs[0], kernels[np.sign(d)]], f"{at}.sums", shape, **geometry)
        value = w.constant(f"{at}.value", d, np.float32)
        here = w.add("Equal", [node.inputs[1], value], f"{at}.here", (1, *shape[1:]), element=w.onnx.TensorProto.BOOL)
        mask = w.add("Cast", [here], f"{at}.mask", (1, *shape[1:]), to=w.onnx.TensorProto.FLOAT)
        parts.append(w.add("Mul", [sums, mask], f"{at}.part", shape))
    return str(w.add("Sum", parts, f"{name}.sums", shape))


def _kernels(w: Any, node: ir.DeformConv, weight: str, reach: tuple[int, int]) -> dict[int, str]:
    """Tensors of the kernels by the displacement's sign."""
    found, channels = {1: weight}, len(node.weight)
    if reach[0] < 0:
        ends = [
            w.constant(f"{node.name}.mirror.{label}", [value] * 2 if label != "axes" else [2, 3], np.int64)
            for label, value in (("starts", -1), ("ends", _BEYOND), ("axes", 0), ("steps", -1))
        ]
        found[-1] = w.add_constant("Slice", [weight, *ends], f"{node.name}.mirror", (channels, 1, 3, 3))
    if reach[0] <= 0 <= reach[1]:
        axes = w.constant(f"{node.name}.sum.axes", [2, 3], np.int64)
        found[0] = w.add_constant("ReduceSum", [weight, axes], f"{node.name}.sum", (channels, 1, 1, 1), keepdims=1)
    return found


def equal(_reader: Reader, inputs: list[Value], _attributes: dict[str, Any], _name: str) -> list[Value]:
    """A displacement held against a number."""
    source, constant = inputs[0], inputs[1]
    if not isinstance(constant, Constant) or constant.value.size != 1 or moved(source).scale != 1:
        raise Fault("a comparison that selects no displacement of scale 1")
    return [Selection(moved(source).name, round(float(constant.value.ravel()[0])))]


def mirrored(weight: Constant, ends: list[list[float]]) -> Constant:
    """Kernels read backwards in both directions."""
    if weight.scale is None or weight.turn != 1 or [ends[0], *ends[2:]] != [[-1, -1], [2, 3], [-1, -1]] or max(ends[1]) > -4:
        raise Fault("a slice of constants that does not mirror kernels")
    return Constant(weight.value[:, :, ::-1, ::-1], np.broadcast_to(weight.scale, weight.value.shape), weight.bits, -1, weight)


def summed(_reader: Reader, inputs: list[Value], attributes: dict[str, Any], _name: str) -> list[Value]:
    """Kernels summed to one tap."""
    weight, axes = inputs[0], inputs[-1]
    given = axes.value.ravel().tolist() if isinstance(axes, Constant) and len(inputs) > 1 else None
    if not isinstance(weight, Constant) or weight.scale is None or weight.turn != 1 or given != [2, 3] or not attributes.get("keepdims", 1):
        raise Fault("a sum that is not that of the taps of quantized kernels")
    scale = np.broadcast_to(weight.scale, weight.value.shape)[:, :, :1, :1]
    return [Constant(weight.value.sum((2, 3), keepdims=True), scale, weight.bits, 0, weight)]


def chosen(total: Total, selection: Selection) -> Samples:
    """A convolution where the displacement is the one that its dilation stands for."""
    spread = total.attributes.get("turn", 1) * total.attributes.get("dilation", 1)
    depthwise = total.weight is not None and total.kind == "conv" and total.attributes["groups"] == len(total.weight)
    if not depthwise or spread != selection.at or np.any(total.offset) or total.attributes["stride"] != 1:
        raise Fault(f"a convolution spread by {spread} where the displacement is {selection.at}")
    return Samples(total, selection)


def gathered(reader: Reader, inputs: list[Value], _attributes: dict[str, Any], _name: str) -> list[Value]:
    """The sum of all choices: a deformable layer."""
    rows = [each for each in inputs if isinstance(each, Samples)]
    if len(rows) != len(inputs) or len({(each.total.inputs, each.selection.displacement) for each in rows}) != 1:
        raise Fault("a sum of several tensors that is no deformable layer")
    first, displacement = rows[0].total, rows[0].selection.displacement
    low, high = value_bounds(ir.Graph("", tuple(reader.nodes), ()))[displacement]
    if sorted(each.selection.at for each in rows) != list(range(low, high + 1)):
        raise Fault(f"a choice that does not cover displacements from {low} to {high} once each")
    weights = [each.total.weight for each in rows]
    if any(not np.array_equal(weights[0], weight) for weight in weights[1:]) or weights[0] is None or weights[0].shape[1:] != (1, 3, 3):  # type: ignore[arg-type]
        raise Fault("a choice between different kernels")
    bits = {"weight_bits": first.attributes["weight_bits"]}
    return [Total("deform", (*first.inputs, displacement), first.gain, first.offset, weight=weights[0], attributes=bits)]
