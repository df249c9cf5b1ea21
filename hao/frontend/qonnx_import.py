"""QONNX models to integer graphs: scales become multipliers and shifts, affine operators fold into requantizations.

Every tensor is either an integer tensor of the graph with a scale, or a total on its way to the ``Quant`` node that ends it. The
result differs from the floating-point model where a value lies within 2^-14 of a rounding boundary, and in ties, which
``ROUND`` takes to even and the engine up.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hao.errors import CheckpointError, GraphError, QuantizationError, UnsupportedNetwork
from hao.frontend.qonnx_export import onnx_module
from hao.ir import graph as ir
from hao.ir.check import check
from hao.ir.dyadic import dyadic, dyadic_pair
from hao.ir.types import infer

Floats = npt.NDArray[np.float64]
_EXACT = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Constant:
    """Real values; ``scale`` and ``bits`` where a Quant node made them: ``value = scale * integer``."""

    value: Floats
    scale: Floats | None = None
    bits: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Whole:
    """An integer tensor of the graph; ``view`` is its shape where it is not ``(C, H, W)``: flat, or half-way through a shuffle."""

    name: str
    scale: float
    view: tuple[int, ...] = ()
    swapped: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Total:
    """``gain * total + offset`` per channel, bounded, on its way to a Quant node; ``make`` builds the node that sums."""

    kind: str
    inputs: tuple[str, ...]
    gain: Floats
    offset: Floats
    low: float = -math.inf
    high: float = math.inf
    second: float = 0.0
    weight: ir.IntArray | None = None
    attributes: dict[str, int] = field(default_factory=dict)


Value = Constant | Whole | Total


class _Fault(Exception):
    """Why a node is not supported; caught and reported with its name."""


def import_qonnx(model: Any, name: str = "") -> ir.Graph:
    """The integer graph of a QONNX model.

    Args:
        model: ``onnx.ModelProto``, or the path of a file. Shapes must be known (``onnx.shape_inference``); the input is an image
            that a ``Quant`` node of 8 bits reads (signed: bytes minus 128), results come from ``Quant`` nodes.
        name: of the graph; default: the model's own.

    Raises:
        UnsupportedNetwork: the node at fault and why.
        CheckpointError: the file cannot be read.
        MissingTool: onnx is not installed.
    """
    onnx = onnx_module()
    if isinstance(model, str | Path):
        try:
            model = onnx.load(str(model))
        except (OSError, ValueError, RuntimeError, TypeError) as error:
            raise CheckpointError(f"{model} cannot be read as ONNX: {error}", "export it again") from error
    reader = _Reader(onnx, model)
    for node in model.graph.node:
        try:
            reader.read(node)
        except (_Fault, QuantizationError, GraphError, ValueError) as error:
            why = f"{node.op_type} {node.name or node.output[0]!r}: {error}"
            raise UnsupportedNetwork(f"{name or model.graph.name} cannot be imported", [why], "quantize every layer's result") from error
    outputs = [reader.whole(each.name).name for each in model.graph.output]
    scales = json.loads(reader.facts.get("hao.scales", "{}"))
    nodes = tuple(replace(node, scale=scales[node.name]) if node.name in scales else node for node in reader.nodes)
    metadata = json.loads(reader.facts.get("hao.metadata", "{}"))
    graph = ir.Graph(name or model.graph.name, nodes, tuple(outputs), metadata)
    try:
        check(graph)
    except GraphError as error:
        raise UnsupportedNetwork(f"{graph.name} cannot be imported", [error.message], error.hint) from error
    return graph


class _Reader:
    """Reads nodes in order."""

    def __init__(self, onnx: Any, model: Any) -> None:
        self.onnx = onnx
        self.values: dict[str, Value] = {}
        for item in model.graph.initializer:
            self.values[item.name] = Constant(np.asarray(onnx.numpy_helper.to_array(item), dtype=np.float64))
        self.images = {
            item.name: tuple(each.dim_value for each in item.type.tensor_type.shape.dim)[1:]
            for item in model.graph.input
            if item.name not in self.values
        }
        self.facts = {item.key: item.value for item in model.metadata_props}
        self.nodes: list[ir.Node] = []
        self.types: dict[str, ir.TensorType] = {}

    def read(self, node: Any) -> None:
        attributes = {item.name: self.onnx.helper.get_attribute_value(item) for item in node.attribute}
        handler = _HANDLERS.get(node.op_type)
        if handler is None:
            raise _Fault("no such operator in the integer network")
        if node.op_type == "Quant" and node.input[0] in self.images:
            self._image(node, attributes)
            return
        inputs = [self.values[each] for each in node.input if each]
        for output, value in zip(node.output, handler(self, inputs, attributes, _name(node.output[0])), strict=False):
            self.values[output] = value

    def add(self, node: ir.Node, scale: float) -> Whole:
        self.types = infer(ir.Graph("", (node,), ()), self.types)
        self.nodes.append(node)
        return Whole(node.name, scale)

    def whole(self, name: str) -> Whole:
        value = self.values[name]
        if not isinstance(value, Whole):
            raise UnsupportedNetwork(
                "the network cannot be imported", [f"output {name!r} comes from no Quant node"], "quantize the results"
            )
        return value

    def _image(self, node: Any, attributes: dict[str, Any]) -> None:
        scale, bits = self._quantizer([self.values[each] for each in node.input[1:4]])
        if bits != 8 or scale.size != 1:
            raise _Fault("the image has 8 bits and one scale")
        shape = self.images[node.input[0]]
        mean = (128 if attributes.get("signed", 1) else 0,) * shape[0]
        self.values[node.output[0]] = self.add(ir.Input(_name(node.output[0]), (), shape, mean), float(scale))

    def _quantizer(self, inputs: Sequence[Value]) -> tuple[Floats, int]:
        """Scale and bits of a Quant node."""
        if not all(isinstance(item, Constant) for item in inputs):
            raise _Fault("scale, zero point and width are constants")
        scale, zero, bits = (item.value for item in inputs)  # type: ignore[union-attr]
        if np.any(zero != 0) or not np.all(scale > 0) or bits.size != 1 or float(bits) % 1 or not 2 <= float(bits) <= 8:
            raise _Fault(f"a zero point of 0, positive scales and 2 to 8 bits are supported, not {zero.ravel()[:3]}, {bits.ravel()[:3]}")
        return scale, int(bits)

    def quant(self, inputs: list[Value], attributes: dict[str, Any], name: str) -> list[Value]:
        scale, bits = self._quantizer(inputs[1:4])
        signed, narrow = bool(attributes.get("signed", 1)), bool(attributes.get("narrow", 0))
        mode = attributes.get("rounding_mode", b"ROUND").decode().upper()
        if mode not in ("ROUND", "HALF_EVEN", "HALF_UP", "FLOOR"):
            raise _Fault(f"rounding mode {mode}")
        kind = ir.TensorType((1, 1, 1), bits, signed)
        low, high = kind.minimum + (signed and narrow), kind.maximum - (not signed and narrow)
        value = inputs[0]
        if isinstance(value, Constant):
            steps = np.floor(value.value / scale) if mode == "FLOOR" else np.rint(value.value / scale)
            return [Constant(np.clip(steps, low, high) * scale, np.broadcast_to(scale, value.value.shape), bits)]
        if scale.size != 1:
            raise _Fault("one scale a tensor of activations")
        total = value if isinstance(value, Total) else _total(value)
        step = float(scale.ravel()[0])
        shifted = replace(total, offset=total.offset - (0.5 * step if mode == "FLOOR" else 0.0))
        bounds = [int(np.clip(np.floor(bound / step + 0.5), low, high)) if math.isfinite(bound) else end
                  for bound, end in ((total.low, low), (total.high, high))]  # fmt: skip
        return [self._finish(shifted, name, step, ir.TensorType((1, 1, 1), bits, signed), (bounds[0], bounds[1]))]

    def _finish(self, total: Total, name: str, step: float, kind: ir.TensorType, bounds: tuple[int, int]) -> Whole:
        result: dict[str, Any] = {"lo": bounds[0], "hi": bounds[1], "bits": kind.bits, "signed": kind.signed}
        if total.kind == "conv":
            return self.add(_conv(total, name, step, result), step)
        gain = float(total.gain.ravel()[0])
        if np.any(np.abs(total.offset) > _EXACT * step) or np.any(total.gain != gain) or gain <= 0:
            raise _Fault("an offset, or factors a channel, on a tensor that no convolution produces")
        if total.kind == "sum":
            first, second, shift = dyadic_pair(gain / step, total.second / step, name)
            return self.add(ir.Add(name, total.inputs, first, second, shift, **result), step)
        multiplier, places = (int(each) for each in dyadic(gain / step, name))
        if total.kind == "pool":
            kernel, stride = total.attributes["kernel"], total.attributes["stride"]
            return self.add(ir.AvgPool(name, total.inputs, kernel, stride, multiplier, places, **result), step)
        return self.add(ir.Requantize(name, total.inputs, multiplier, places, **result), step)

    def conv(self, inputs: list[Value], attributes: dict[str, Any], _name: str) -> list[Value]:
        pads, strides = set(attributes.get("pads", [0])), set(attributes.get("strides", [1]))
        if len(pads) > 1 or len(strides) > 1 or set(attributes.get("dilations", [1])) != {1}:
            raise _Fault("square strides and padding, no dilation")
        geometry = {"stride": strides.pop(), "pad": pads.pop(), "groups": int(attributes.get("group", 1))}
        return [self._product(inputs, geometry, lambda weight: weight)]

    def gemm(self, inputs: list[Value], attributes: dict[str, Any], _name: str) -> list[Value]:
        if attributes.get("alpha", 1.0) != 1.0 or attributes.get("beta", 1.0) != 1.0 or attributes.get("transA", 0):
            raise _Fault("alpha, beta and transA are not supported")
        transposed = bool(attributes.get("transB", 0))
        return [self._product(inputs, {"stride": 1, "pad": 0, "groups": 1}, lambda weight: weight if transposed else weight.T)]

    def matmul(self, inputs: list[Value], _attributes: dict[str, Any], _name: str) -> list[Value]:
        return [self._product(inputs, {"stride": 1, "pad": 0, "groups": 1}, lambda weight: weight.T)]

    def _product(self, inputs: list[Value], geometry: dict[str, int], turn: Callable[[Floats], Floats]) -> Total:
        source, weight = inputs[0], inputs[1]
        if not isinstance(source, Whole) or not isinstance(weight, Constant):
            raise _Fault("a quantized input and constant weights are needed")
        if weight.scale is None:
            raise _Fault("its weights come from no Quant node")
        value, scale = turn(weight.value), turn(weight.scale)
        channels, height, _ = self.types[source.name].shape
        shape = (len(value), channels, height, height) if value.ndim == 2 else value.shape
        value, scale = value.reshape(shape), scale.reshape(shape)
        per = scale.reshape(len(scale), -1)
        if np.any(per != per[:, :1]):
            raise _Fault("one weight scale an output channel")
        steps = np.rint(value / scale).astype(np.int64)
        bias = np.zeros(len(value))
        if len(inputs) > 2:
            if not isinstance(inputs[2], Constant):
                raise _Fault("a constant bias is needed")
            bias = inputs[2].value.ravel()
        return Total(
            "conv", (source.name,), per[:, 0] * source.scale, bias, weight=steps, attributes={**geometry, "weight_bits": weight.bits}
        )

    def affine(self, inputs: list[Value], factor: Callable[[Floats], Floats], offset: Callable[[Floats], Floats]) -> list[Value]:
        constant = next((item for item in inputs if isinstance(item, Constant)), None)
        value = next((item for item in inputs if not isinstance(item, Constant)), None)
        if constant is None or value is None:
            raise _Fault("an operation on two tensors, or on none")
        total = value if isinstance(value, Total) else _total(value)
        if math.isfinite(total.low) or math.isfinite(total.high):
            raise _Fault("an affine operation behind an activation")
        c = constant.value.ravel() if constant.value.size > 1 else constant.value.reshape(())
        scaled = factor(c)
        return [
            replace(
                total, gain=total.gain * scaled, offset=total.offset * scaled + offset(c), second=total.second * float(scaled.ravel()[0])
            )
        ]

    def plus(self, inputs: list[Value], _attributes: dict[str, Any], _name: str) -> list[Value]:
        if any(isinstance(item, Constant) for item in inputs):
            return self.affine(inputs, np.ones_like, lambda c: c)
        first, second = (item if isinstance(item, Total) else _total(item) for item in inputs)
        if {first.kind, second.kind} != {"value"} or np.any(first.offset) or np.any(second.offset):
            raise _Fault("the sum of two tensors is that of two quantized ones")
        gains = [float(item.gain.ravel()[0]) for item in (first, second)]
        return [Total("sum", (*first.inputs, *second.inputs), np.array(gains[0]), np.zeros(()), second=gains[1])]

    def minus(self, inputs: list[Value], _attributes: dict[str, Any], name: str) -> list[Value]:
        source = inputs[0]
        if isinstance(source, Whole) and isinstance(self.nodes[-1], ir.Input) and self.nodes[-1].name == source.name:
            assert isinstance(inputs[1], Constant)
            steps = np.broadcast_to(inputs[1].value.ravel() / source.scale, len(self.nodes[-1].mean))
            mean = tuple(round(float(each)) + old for each, old in zip(steps, self.nodes[-1].mean, strict=True))
            self.nodes.pop()
            return [self.add(ir.Input(name, (), self.types[source.name].shape, mean), source.scale)]
        return self.affine(inputs, np.ones_like, lambda c: -c)

    def norm(self, inputs: list[Value], attributes: dict[str, Any], _name: str) -> list[Value]:
        gain, shift, mean, variance = (item.value for item in inputs[1:5])  # type: ignore[union-attr]
        factor = gain / np.sqrt(variance + attributes.get("epsilon", 1e-5))
        return self.affine([inputs[0], Constant(factor)], lambda c: c, lambda _: shift - mean * factor)

    def clip(self, inputs: list[Value], attributes: dict[str, Any], _name: str) -> list[Value]:
        total = inputs[0] if isinstance(inputs[0], Total) else _total(inputs[0])
        ends = [float(item.value) for item in inputs[1:3] if isinstance(item, Constant)] or [
            attributes.get("min", -math.inf),
            attributes.get("max", math.inf),
        ]
        return [replace(total, low=max(total.low, ends[0]), high=min(total.high, ends[1]))]

    def relu(self, inputs: list[Value], _attributes: dict[str, Any], _name: str) -> list[Value]:
        total = inputs[0] if isinstance(inputs[0], Total) else _total(inputs[0])
        return [replace(total, low=max(total.low, 0.0))]

    def same(self, inputs: list[Value], _attributes: dict[str, Any], _name: str) -> list[Value]:
        return [inputs[0]]

    def round(self, inputs: list[Value], _attributes: dict[str, Any], _name: str) -> list[Value]:
        total = inputs[0]
        if not isinstance(total, Total) or total.kind != "pool" or not np.allclose(total.gain, np.rint(total.gain), rtol=1e-6, atol=0):
            raise _Fault("rounding of a tensor that is no sum of a pool")
        return [replace(total, gain=np.rint(total.gain))]

    def maxpool(self, inputs: list[Value], attributes: dict[str, Any], name: str) -> list[Value]:
        source = _moved(inputs[0])
        sizes = [set(attributes.get(label, [default])) for label, default in (("kernel_shape", 1), ("strides", 1), ("pads", 0))]
        if any(len(each) > 1 for each in sizes) or attributes.get("ceil_mode", 0):
            raise _Fault("square windows, rounded down")
        return [self.add(ir.MaxPool(name, (source.name,), *(each.pop() for each in sizes)), source.scale)]

    def avgpool(self, inputs: list[Value], attributes: dict[str, Any], _name: str) -> list[Value]:
        source = _moved(inputs[0])
        _, height, width = self.types[source.name].shape
        kernel = set(attributes.get("kernel_shape", [0]))
        if len(kernel) > 1 or any(attributes.get("pads", [0])) or attributes.get("ceil_mode", 0):
            raise _Fault("square windows without padding, rounded down")
        size, stride = kernel.pop(), attributes.get("strides", [1])[0]
        pixels = size**2 or height * width
        return [Total("pool", (source.name,), np.array(source.scale / pixels), np.zeros(()), attributes={"kernel": size, "stride": stride})]

    def concat(self, inputs: list[Value], attributes: dict[str, Any], name: str) -> list[Value]:
        sources = [_moved(item) for item in inputs]
        if attributes.get("axis") != 1 or len({item.scale for item in sources}) > 1:
            raise _Fault("concatenation of channels that share a scale")
        return [self.add(ir.Concat(name, tuple(item.name for item in sources)), sources[0].scale)]

    def slice(self, inputs: list[Value], _attributes: dict[str, Any], name: str) -> list[Value]:
        source = _moved(inputs[0])
        ends = [item.value.ravel().tolist() for item in inputs[1:] if isinstance(item, Constant)]
        if len(ends) < 3 or ends[2] != [1.0] or (len(ends) > 3 and ends[3] != [1.0]):
            raise _Fault("a slice of channels, step 1")
        channels = self.types[source.name].shape[0]
        start, stop, _ = slice(int(ends[0][0]), int(min(ends[1][0], channels))).indices(channels)
        return [self.add(ir.Slice(name, (source.name,), start, stop), source.scale)]

    def reshape(self, inputs: list[Value], _attributes: dict[str, Any], name: str) -> list[Value]:
        source, wanted = inputs[0], inputs[1]
        if isinstance(source, Constant) or not isinstance(source, Whole) or not isinstance(wanted, Constant):
            raise _Fault("a constant shape of a quantized tensor")
        channels, height, width = self.types[source.name].shape
        sizes = [int(each) for each in wanted.value.ravel()[1:]]
        if -1 in sizes:
            sizes[sizes.index(-1)] = channels * height * width // -math.prod(sizes)
        view = tuple(sizes)
        if source.swapped and view == (channels, height, width):
            return [self.add(ir.Shuffle(name, (source.name,), source.view[1]), source.scale)]
        if view == (channels, height, width):
            return [Whole(source.name, source.scale)]
        if view == (channels * height * width,) or (len(view) == 4 and view[0] * view[1] == channels):
            return [replace(source, view=view)]
        raise _Fault(f"a view of shape {view}")

    def flatten(self, inputs: list[Value], _attributes: dict[str, Any], _name: str) -> list[Value]:
        source = _moved(inputs[0])
        return [replace(source, view=(math.prod(self.types[source.name].shape),))]

    def transpose(self, inputs: list[Value], attributes: dict[str, Any], _name: str) -> list[Value]:
        source, order = inputs[0], list(attributes.get("perm", [1, 0]))
        if isinstance(source, Constant) and order == [1, 0]:
            return [Constant(source.value.T, None if source.scale is None else source.scale.T, source.bits)]
        if isinstance(source, Whole) and len(source.view) == 4 and order == [0, 2, 1, 3, 4]:
            return [replace(source, view=(source.view[1], source.view[0], *source.view[2:]), swapped=True)]
        raise _Fault("a transposition that is no channel shuffle")

    def resize(self, inputs: list[Value], attributes: dict[str, Any], name: str) -> list[Value]:
        source, factors = _moved(inputs[0]), inputs[-1]
        if (
            attributes.get("mode", b"nearest") != b"nearest"
            or not isinstance(factors, Constant)
            or factors.value.ravel().tolist() != [1, 1, 2, 2]
        ):
            raise _Fault("nearest up-sampling by 2")
        return [self.add(ir.Upsample(name, (source.name,)), source.scale)]


def _name(name: str) -> str:
    """A tensor's name with the characters that graphs allow."""
    clean = re.sub(r"[^A-Za-z0-9_.]", "_", name)
    return clean if re.match(r"[A-Za-z_]", clean) else f"n{clean}"


def _moved(value: Value) -> Whole:
    if not isinstance(value, Whole):
        raise _Fault("a quantized input is needed")
    return value


def _total(value: Value) -> Total:
    """A quantized tensor at the start of a chain of affine operators."""
    whole = _moved(value)
    return Total("value", (whole.name,), np.array(whole.scale), np.zeros(()))


def _conv(total: Total, name: str, step: float, result: dict[str, Any]) -> ir.Conv:
    assert total.weight is not None
    count = len(total.weight)
    gain, offset = np.broadcast_to(total.gain, count).copy(), np.broadcast_to(total.offset, count)
    sign = np.where(gain < 0, -1, np.where(gain == 0, 0, 1))
    weight = total.weight * sign[:, None, None, None]
    gain = np.where(gain == 0, step, np.abs(gain))
    bias = np.floor(offset / gain + 0.5)
    multiplier, shift = dyadic(gain / step, name)
    if np.abs(bias).max() >= 1 << 26:
        raise _Fault("a bias that the accumulator cannot hold")
    attributes = dict(total.attributes)
    bits = attributes.pop("weight_bits")
    return ir.Conv(name, total.inputs, weight, bits, ir.Requant(bias.astype(np.int64), multiplier, shift, **result), **attributes)


_Handler = Callable[[_Reader, list[Value], dict[str, Any], str], list[Value]]
_HANDLERS: dict[str, _Handler] = {
    "Quant": _Reader.quant, "Conv": _Reader.conv, "Gemm": _Reader.gemm, "MatMul": _Reader.matmul, "Add": _Reader.plus,
    "Sub": _Reader.minus, "Mul": lambda reader, inputs, _a, _n: reader.affine(inputs, lambda c: c, lambda c: np.zeros_like(c)),
    "Div": lambda reader, inputs, _a, _n: reader.affine(inputs, lambda c: 1 / c, lambda c: np.zeros_like(c)),
    "BatchNormalization": _Reader.norm, "Clip": _Reader.clip, "Relu": _Reader.relu, "Round": _Reader.round, "MaxPool": _Reader.maxpool,
    "AveragePool": _Reader.avgpool, "GlobalAveragePool": _Reader.avgpool, "Concat": _Reader.concat, "Slice": _Reader.slice,
    "Reshape": _Reader.reshape, "Flatten": _Reader.flatten, "Transpose": _Reader.transpose, "Resize": _Reader.resize,
    "Upsample": _Reader.resize, **dict.fromkeys(("Cast", "Identity", "Dropout"), _Reader.same),
}  # fmt: skip
