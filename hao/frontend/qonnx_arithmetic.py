"""Operators of QONNX that compute: sums of products, affine operators and activations, ended by ``Quant`` nodes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from hao.frontend.qonnx_deform import chosen
from hao.frontend.qonnx_reader import Reader
from hao.frontend.qonnx_values import Constant, Fault, Floats, Selection, Total, Value, Whole, as_total
from hao.ir import graph as ir
from hao.ir.dyadic import dyadic, dyadic_pair

_EXACT = 1e-9


def quant(reader: Reader, inputs: list[Value], attributes: dict[str, Any], name: str) -> list[Value]:
    scale, bits = reader.quantizer(inputs[1:4])
    signed, narrow = bool(attributes.get("signed", 1)), bool(attributes.get("narrow", 0))
    mode = attributes.get("rounding_mode", b"ROUND").decode().upper()
    if mode not in ("ROUND", "HALF_EVEN", "HALF_UP", "FLOOR"):
        raise Fault(f"rounding mode {mode}")
    kind = ir.TensorType((1, 1, 1), bits, signed)
    low, high = kind.minimum + (signed and narrow), kind.maximum - (not signed and narrow)
    value = inputs[0]
    if isinstance(value, Constant):
        steps = np.floor(value.value / scale) if mode == "FLOOR" else np.rint(value.value / scale)
        return [Constant(np.clip(steps, low, high) * scale, np.broadcast_to(scale, value.value.shape), bits)]
    if scale.size != 1:
        raise Fault("one scale a tensor of activations")
    total = value if isinstance(value, Total) else as_total(value)
    step = float(scale.ravel()[0])
    shifted = replace(total, offset=total.offset - (0.5 * step if mode == "FLOOR" else 0.0))
    bounds = [int(np.clip(np.floor(bound / step + 0.5), low, high)) if math.isfinite(bound) else end
              for bound, end in ((total.low, low), (total.high, high))]  # fmt: skip
    return [_finish(reader, shifted, name, step, ir.TensorType((1, 1, 1), bits, signed), (bounds[0], bounds[1]))]


def _finish(reader: Reader, total: Total, name: str, step: float, kind: ir.TensorType, bounds: tuple[int, int]) -> Whole:
    result: dict[str, Any] = {"lo": bounds[0], "hi": bounds[1], "bits": kind.bits, "signed": kind.signed}
    if total.kind in ("conv", "deform"):
        return reader.add(_layer(total, name, step, result), step)
    gain = float(total.gain.ravel()[0])
    if np.any(np.abs(total.offset) > _EXACT * step) or np.any(total.gain != gain) or gain <= 0:
        raise Fault("an offset, or factors a channel, on a tensor that no convolution produces")
    if total.kind == "sum":
        first, second, shift = dyadic_pair(gain / step, total.second / step, name)
        return reader.add(ir.Add(name, total.inputs, first, second, shift, **result), step)
    multiplier, places = (int(each) for each in dyadic(gain / step, name))
    if total.kind == "pool":
        kernel, stride = total.attributes["kernel"], total.attributes["stride"]
        return reader.add(ir.AvgPool(name, total.inputs, kernel, stride, multiplier, places, **result), step)
    return reader.add(ir.Requantize(name, total.inputs, multiplier, places, **result), step)


def conv(reader: Reader, inputs: list[Value], attributes: dict[str, Any], _name: str) -> list[Value]:
    pads, strides, spread = (set(attributes.get(label, [default])) for label, default in (("pads", 0), ("strides", 1), ("dilations", 1)))
    if len(pads) > 1 or len(strides) > 1 or len(spread) > 1:
        raise Fault("square strides, padding and dilation")
    geometry = {"stride": strides.pop(), "pad": pads.pop(), "groups": int(attributes.get("group", 1))}
    if spread != {1}:
        geometry["dilation"] = spread.pop()
        if geometry["pad"] != geometry["dilation"]:
            raise Fault("dilation is that of one displacement, padded by as much")
    return [_product(reader, inputs, geometry, lambda weight: weight)]


def gemm(reader: Reader, inputs: list[Value], attributes: dict[str, Any], _name: str) -> list[Value]:
    if attributes.get("alpha", 1.0) != 1.0 or attributes.get("beta", 1.0) != 1.0 or attributes.get("transA", 0):
        raise Fault("alpha, beta and transA are not supported")
    transposed = bool(attributes.get("transB", 0))
    return [_product(reader, inputs, {"stride": 1, "pad": 0, "groups": 1}, lambda weight: weight if transposed else weight.T)]


def matmul(reader: Reader, inputs: list[Value], _attributes: dict[str, Any], _name: str) -> list[Value]:
    return [_product(reader, inputs, {"stride": 1, "pad": 0, "groups": 1}, lambda weight: weight.T)]


def _product(reader: Reader, inputs: list[Value], geometry: dict[str, int], turn: Callable[[Floats], Floats]) -> Total:
    source, weight = inputs[0], inputs[1]
    if not isinstance(source, Whole) or not isinstance(weight, Constant):
        raise Fault("a quantized input and constant weights are needed")
    if weight.scale is None:
        raise Fault("its weights come from no Quant node")
    if weight.upright is not None:
        geometry, weight = {**geometry, "turn": weight.turn}, weight.upright
    assert weight.scale is not None  # a mirrored or summed kernel comes from one that Quant made
    value, scale = turn(weight.value), turn(weight.scale)
    channels, height, _ = reader.types[source.name].shape
    shape = (len(value), channels, height, height) if value.ndim == 2 else value.shape
    value, scale = value.reshape(shape), scale.reshape(shape)
    per = scale.reshape(len(scale), -1)
    if np.any(per != per[:, :1]):
        raise Fault("one weight scale an output channel")
    steps = np.rint(value / scale).astype(np.int64)
    bias = np.zeros(len(value))
    if len(inputs) > 2:
        if not isinstance(inputs[2], Constant):
            raise Fault("a constant bias is needed")
        bias = inputs[2].value.ravel()
    return Total("conv", (source.name,), per[:, 0] * source.scale, bias, weight=steps, attributes={**geometry, "weight_bits": weight.bits})


def affine(inputs: list[Value], factor: Callable[[Floats], Floats], offset: Callable[[Floats], Floats]) -> list[Value]:
    constant = next((item for item in inputs if isinstance(item, Constant)), None)
    value = next((item for item in inputs if not isinstance(item, Constant)), None)
    if constant is None or value is None:
        raise Fault("an operation on two tensors, or on none")
    total = value if isinstance(value, Total) else as_total(value)
    if math.isfinite(total.low) or math.isfinite(total.high):
        raise Fault("an affine operation behind an activation")
    c = constant.value.ravel() if constant.value.size > 1 else constant.value.reshape(())
    scaled = factor(c)
    return [
        replace(total, gain=total.gain * scaled, offset=total.offset * scaled + offset(c), second=total.second * float(scaled.ravel()[0]))
    ]


def times(_reader: Reader, inputs: list[Value], _attributes: dict[str, Any], _name: str) -> list[Value]:
    selection = next((item for item in inputs if isinstance(item, Selection)), None)
    total = next((item for item in inputs if isinstance(item, Total)), None)
    if selection is not None and total is not None:
        return [chosen(total, selection)]
    return affine(inputs, lambda c: c, np.zeros_like)


def over(_reader: Reader, inputs: list[Value], _attributes: dict[str, Any], _name: str) -> list[Value]:
    if isinstance(inputs[0], Constant):
        raise Fault("a constant over a tensor")
    return affine(inputs, lambda c: 1 / c, np.zeros_like)


def plus(_reader: Reader, inputs: list[Value], _attributes: dict[str, Any], _name: str) -> list[Value]:
    if any(isinstance(item, Constant) for item in inputs):
        return affine(inputs, np.ones_like, lambda c: c)
    first, second = (item if isinstance(item, Total) else as_total(item) for item in inputs)
    if {first.kind, second.kind} != {"value"} or np.any(first.offset) or np.any(second.offset):
        raise Fault("the sum of two tensors is that of two quantized ones")
    gains = [float(item.gain.ravel()[0]) for item in (first, second)]
    return [Total("sum", (*first.inputs, *second.inputs), np.array(gains[0]), np.zeros(()), second=gains[1])]


def minus(reader: Reader, inputs: list[Value], _attributes: dict[str, Any], name: str) -> list[Value]:
    source = inputs[0]
    if isinstance(source, Whole) and isinstance(reader.nodes[-1], ir.Input) and reader.nodes[-1].name == source.name:
        assert isinstance(inputs[1], Constant)
        steps = np.broadcast_to(inputs[1].value.ravel() / source.scale, len(reader.nodes[-1].mean))
        mean = tuple(round(float(each)) + old for each, old in zip(steps, reader.nodes[-1].mean, strict=True))
        reader.nodes.pop()
        return [reader.add(ir.Input(name, (), reader.types[source.name].shape, mean), source.scale)]
    return affine(inputs, np.ones_like, lambda c: -c)


def norm(_reader: Reader, inputs: list[Value], attributes: dict[str, Any], _name: str) -> list[Value]:
    gain, shift, mean, variance = (item.value for item in inputs[1:5])  # type: ignore[union-attr]
    factor = gain / np.sqrt(variance + attributes.get("epsilon", 1e-5))
    return affine([inputs[0], Constant(factor)], lambda c: c, lambda _: shift - mean * factor)


def clip(_reader: Reader, inputs: list[Value], attributes: dict[str, Any], _name: str) -> list[Value]:
    total = inputs[0] if isinstance(inputs[0], Total) else as_total(inputs[0])
    ends = [float(item.value) for item in inputs[1:3] if isinstance(item, Constant)] or [
        attributes.get("min", -math.inf),
        attributes.get("max", math.inf),
    ]
    return [replace(total, low=max(total.low, ends[0]), high=min(total.high, ends[1]))]


def relu(_reader: Reader, inputs: list[Value], _attributes: dict[str, Any], _name: str) -> list[Value]:
    total = inputs[0] if isinstance(inputs[0], Total) else as_total(inputs[0])
    return [replace(total, low=max(total.low, 0.0))]


def same(_reader: Reader, inputs: list[Value], _attributes: dict[str, Any], _name: str) -> list[Value]:
    return [inputs[0]]


def rounding(_reader: Reader, inputs: list[Value], _attributes: dict[str, Any], _name: str) -> list[Value]:
    total = inputs[0]
    if not isinstance(total, Total) or total.kind != "pool" or not np.allclose(total.gain, np.rint(total.gain), rtol=1e-6, atol=0):
        raise Fault("rounding of a tensor that is no sum of a pool")
    return [replace(total, gain=np.rint(total.gain))]


def _layer(total: Total, name: str, step: float, result: dict[str, Any]) -> ir.Conv | ir.DeformConv:
    assert total.weight is not None
    count = len(total.weight)
    gain, offset = np.broadcast_to(total.gain, count).copy(), np.broadcast_to(total.offset, count)
    sign = np.where(gain < 0, -1, np.where(gain == 0, 0, 1))
    weight = total.weight * sign[:, None, None, None]
    gain = np.where(gain == 0, step, np.abs(gain))
    bias = np.floor(offset / gain + 0.5)
    multiplier, shift = dyadic(gain / step, name)
    if not np.abs(bias).max() < 1 << 26:  # a bias that is no number is refused as well
        raise Fault("a bias that the accumulator cannot hold")
    attributes = dict(total.attributes)
    bits = attributes.pop("weight_bits")
    rule = ir.Requant(bias.astype(np.int64), multiplier, shift, **result)
    if total.kind == "deform":
        return ir.DeformConv(name, total.inputs, weight, bits, rule)
    if {"dilation", "turn"} & attributes.keys():
        raise Fault("a dilated or mirrored convolution that belongs to no deformable layer")
    return ir.Conv(name, total.inputs, weight, bits, rule, **attributes)
