"""Integer graphs as QONNX models that execute to the same integers.

Values are integers in floating-point tensors that bear the names of the graph's tensors; weights and results pass through
``Quant`` nodes of scale 1 and the layer's width. A result is ``Quant(FLOOR)`` of ``(acc + bias) * m / 2^s + 1/2`` computed in
float64, where all of it is exact: QONNX's own ``HALF_UP`` rounds negative halves away from zero, the engine does not.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hao.errors import MissingTool, UnsupportedNetwork
from hao.frontend.qonnx_deform import emit_samples
from hao.ir import graph as ir
from hao.ir.check import check
from hao.ir.serialize import network_digest
from hao.ir.types import value_bounds

OPSET = 13
DOMAIN = "qonnx.custom_op.general"
_EXACT = 1 << 24
"""Integers below are exact in float32, in which QONNX executors convolve."""


def onnx_module() -> Any:
    """The ``onnx`` package.

    Raises:
        MissingTool: it is not installed.
    """
    try:
        import onnx
        import onnx.helper
        import onnx.numpy_helper
    except ImportError as error:
        raise MissingTool("onnx is not installed", "pip install 'hao[exchange]'") from error
    return onnx


def export_qonnx(graph: ir.Graph, path: Path | None = None) -> Any:
    """The QONNX model (``onnx.ModelProto``) of ``graph``; also written to ``path``.

    The input is a float32 tensor ``(1, C, H, W)`` of unsigned bytes. Scales of tensors and the network's digest are in the
    model's metadata (``hao.scales``, ``hao.digest``).

    Raises:
        UnsupportedNetwork: sums that float32 cannot hold; every node is named.
        MissingTool: onnx is not installed.
    """
    types = check(graph)
    writer = _Writer(onnx_module())
    bounds = value_bounds(graph)
    faults = []
    for node in graph.nodes:
        fault = _fault(node, bounds[node.inputs[0]] if node.inputs else (0, 0))
        if fault:
            faults.append(f"{node.name}: {fault}")
    if faults:
        raise UnsupportedNetwork(f"{graph.name} has {len(faults)} nodes that QONNX cannot express exactly", faults, "export plain integers")
    for node in graph.nodes:
        writer.shapes[node.name] = types[node.name].shape
        if isinstance(node, ir.DeformConv):
            _finish(writer, node, emit_samples(writer, node, _weight(writer, node), bounds[node.inputs[1]]))
        else:
            _emit(writer, node)
    scales = {node.name: types[node.name].scale for node in graph.nodes}
    facts = {"hao.scales": json.dumps(scales), "hao.digest": network_digest(graph), "hao.metadata": json.dumps(graph.metadata)}
    model = writer.model(graph, facts)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(model.SerializeToString())
    return model


def _fault(node: ir.Node, reach: tuple[int, int]) -> str:
    if isinstance(node, ir.Conv | ir.DeformConv):
        largest = int(np.abs(node.weight).reshape(len(node.weight), -1).sum(1).max()) * max(abs(reach[0]), abs(reach[1]))
        if largest >= _EXACT:
            return f"sums to {largest}, beyond what float32 holds exactly ({_EXACT})"
    return ""


class _Writer:
    """Collects nodes, initializers and tensor types."""

    def __init__(self, onnx: Any) -> None:
        self.onnx = onnx
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []
        self.infos: list[Any] = []
        self.shapes: dict[str, tuple[int, int, int]] = {}

    def constant(self, name: str, value: npt.ArrayLike, kind: npt.DTypeLike) -> str:
        self.initializers.append(self.onnx.numpy_helper.from_array(np.asarray(value, dtype=kind), name))
        return name

    def add(
        self,
        kind: str,
        inputs: Sequence[str],
        output: str,
        shape: Sequence[int],
        *,
        double: bool = False,
        element: int = 0,
        domain: str = "",
        **attributes: Any,
    ) -> str:
        """Add one node; ``shape`` of its result without the batch."""
        self.nodes.append(self.onnx.helper.make_node(kind, list(inputs), [output], name=f"{output}_{kind}", domain=domain, **attributes))
        kind_of = element or (self.onnx.TensorProto.DOUBLE if double else self.onnx.TensorProto.FLOAT)
        self.infos.append(self.onnx.helper.make_tensor_value_info(output, kind_of, [1, *shape]))
        return output

    def add_constant(self, kind: str, inputs: Sequence[str], output: str, shape: Sequence[int], **attributes: Any) -> str:
        """As :meth:`add`, for a tensor without batch."""
        self.add(kind, inputs, output, (), **attributes)
        self.infos[-1] = self.onnx.helper.make_tensor_value_info(output, self.onnx.TensorProto.FLOAT, list(shape))
        return output

    def quant(self, source: str, output: str, shape: Sequence[int], bits: int, signed: bool, rounding: str) -> str:
        """A ``Quant`` of scale 1 on a tensor with batch."""
        scale, zero, width = (
            self.constant(f"{output}.{label}", value, np.float32) for label, value in (("one", 1), ("zero", 0), ("bits", bits))
        )
        inputs = (source, scale, zero, width)
        return self.add("Quant", inputs, output, shape, domain=DOMAIN, signed=int(signed), narrow=0, rounding_mode=rounding)

    def double(self, source: str, shape: Sequence[int]) -> str:
        return self.add("Cast", [source], f"{source}.wide", shape, double=True, to=self.onnx.TensorProto.DOUBLE)

    def requantize(self, total: str, node: Any, rule: Any, factor: npt.ArrayLike | None) -> str:
        """From a float64 total to the node's tensor: factor, one half, bounds, Quant."""
        name, shape = node.name, self.shapes[node.name]
        if factor is not None:
            total = self.add("Mul", [total, self.constant(f"{name}.factor", factor, np.float64)], f"{name}.scaled", shape, double=True)
        total = self.add("Add", [total, self.constant(f"{name}.half", 0.5, np.float64)], f"{name}.raised", shape, double=True)
        kind = ir.TensorType((1, 1, 1), rule.bits, rule.signed)
        if (rule.lo, rule.hi) != (kind.minimum, kind.maximum):
            # Bounds are integers, so that clipping before rounding down is clipping behind it.
            low, high = (self.constant(f"{name}.{label}", getattr(rule, label), np.float64) for label in ("lo", "hi"))
            total = self.add("Clip", [total, low, high], f"{name}.bounded", shape, double=True)
        return self.quant(total, name, shape, rule.bits, rule.signed, "FLOOR")

    def model(self, graph: ir.Graph, facts: dict[str, str]) -> Any:
        helper = self.onnx.helper
        outputs = [info for info in self.infos if info.name in graph.outputs]
        ordered = [next(info for info in outputs if info.name == name) for name in graph.outputs]
        raw = helper.make_tensor_value_info(RAW, self.onnx.TensorProto.FLOAT, [1, *self.shapes[graph.nodes[0].name]])
        inner = [info for info in self.infos if info.name not in graph.outputs]
        body = helper.make_graph(self.nodes, graph.name, [raw], ordered, self.initializers, value_info=inner)
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(DOMAIN, 1)]
        made = helper.make_model(body, opset_imports=opsets, producer_name="hao")
        made.ir_version = 8
        helper.set_model_props(made, facts)
        return made


RAW = "pixels"
"""Name of the model's input."""


def _emit(w: _Writer, node: ir.Node) -> None:
    name, shape = node.name, w.shapes[node.name]
    match node:
        case ir.Input():
            whole = w.quant(RAW, f"{name}.bytes", shape, 8, False, "ROUND")
            mean = w.constant(f"{name}.mean", np.array(node.mean).reshape(1, -1, 1, 1), np.float32)
            w.add("Sub", [whole, mean], name, shape)
        case ir.Conv():
            _conv(w, node)
        case ir.MaxPool():
            w.add("MaxPool", node.inputs, name, shape, kernel_shape=[node.kernel] * 2, strides=[node.stride] * 2, pads=[node.pad] * 4)
        case ir.AvgPool():
            _avgpool(w, node)
        case ir.Add():
            parts = []
            for k, (source, factor) in enumerate(zip(node.inputs, (node.m1, node.m2), strict=True)):
                weight = w.constant(f"{name}.m{k}", factor * 2.0**-node.shift, np.float64)
                cast = w.add("Cast", [source], f"{name}.wide{k}", shape, double=True, to=w.onnx.TensorProto.DOUBLE)
                parts.append(w.add("Mul", [cast, weight], f"{name}.part{k}", shape, double=True))
            w.requantize(w.add("Add", parts, f"{name}.sum", shape, double=True), node, node, None)
        case ir.Requantize():
            cast = w.add("Cast", node.inputs, f"{name}.wide", shape, double=True, to=w.onnx.TensorProto.DOUBLE)
            w.requantize(cast, node, node, node.multiplier * 2.0**-node.shift)
        case ir.Concat():
            w.add("Concat", node.inputs, name, shape, axis=1)
        case ir.Slice():
            ends = [
                w.constant(f"{name}.{label}", [value], np.int64)
                for label, value in (("start", node.start), ("stop", node.stop), ("axis", 1))
            ]
            w.add("Slice", [*node.inputs, *ends], name, shape)
        case ir.Shuffle():
            split = (node.groups, shape[0] // node.groups, *shape[1:])
            grouped = w.add("Reshape", [node.inputs[0], w.constant(f"{name}.split", (1, *split), np.int64)], f"{name}.grouped", split)
            swapped = w.add("Transpose", [grouped], f"{name}.swapped", (split[1], split[0], *shape[1:]), perm=[0, 2, 1, 3, 4])
            w.add("Reshape", [swapped, w.constant(f"{name}.join", (1, *shape), np.int64)], name, shape)
        case ir.Upsample():
            scales = w.constant(f"{name}.scales", (1, 1, 2, 2), np.float32)
            options: dict[str, Any] = {"mode": "nearest", "nearest_mode": "floor", "coordinate_transformation_mode": "asymmetric"}
            w.add("Resize", [node.inputs[0], "", scales], name, shape, **options)


def _conv(w: _Writer, node: ir.Conv) -> None:
    name, shape, kernel = node.name, w.shapes[node.name], node.weight.shape[2]
    geometry: dict[str, Any] = {"kernel_shape": [kernel] * 2, "strides": [node.stride] * 2, "pads": [node.pad] * 4, "group": node.groups}
    _finish(w, node, w.add("Conv", [node.inputs[0], _weight(w, node)], f"{name}.sums", shape, **geometry))


def _weight(w: _Writer, node: ir.Conv | ir.DeformConv) -> str:
    """The quantized weights of a layer."""
    raw = w.constant(f"{node.name}.weight", node.weight, np.float32)
    weight = w.quant(raw, f"{node.name}.weight.quant", (), node.weight_bits, True, "ROUND")
    w.infos[-1] = w.onnx.helper.make_tensor_value_info(weight, w.onnx.TensorProto.FLOAT, list(node.weight.shape))
    return weight


def _finish(w: _Writer, node: ir.Conv | ir.DeformConv, sums: str) -> None:
    """From a layer's sums of products to its tensor."""
    name, shape, column = node.name, w.shapes[node.name], (1, -1, 1, 1)
    bias = w.constant(f"{name}.bias", node.requant.bias.reshape(column), np.float64)
    total = w.add("Add", [w.double(sums, shape), bias], f"{name}.total", shape, double=True)
    w.requantize(total, node, node.requant, np.ldexp(node.requant.multiplier.astype(np.float64), -node.requant.shift).reshape(column))


def _avgpool(w: _Writer, node: ir.AvgPool) -> None:
    name, shape = node.name, w.shapes[node.name]
    height, width = w.shapes[node.inputs[0]][1:]
    pixels = node.kernel**2 or height * width
    if node.kernel:
        mean = w.add("AveragePool", node.inputs, f"{name}.mean", shape, kernel_shape=[node.kernel] * 2, strides=[node.stride] * 2)
    else:
        mean = w.add("GlobalAveragePool", node.inputs, f"{name}.mean", shape)
    # A mean in float32 may miss the sum by a little: the sum is an integer, so that rounding brings it back.
    sums = w.add("Mul", [mean, w.constant(f"{name}.pixels", pixels, np.float32)], f"{name}.near", shape)
    total = w.double(w.add("Round", [sums], f"{name}.sum", shape), shape)
    w.requantize(total, node, node, node.multiplier * 2.0**-node.shift)
