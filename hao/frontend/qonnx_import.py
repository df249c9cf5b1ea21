"""QONNX models to integer graphs: scales become multipliers and shifts, affine operators fold into requantizations.

Every tensor is either an integer tensor of the graph with a scale, or a total on its way to the ``Quant`` node that ends it. The
result differs from the floating-point model where a value lies within 2^-14 of a rounding boundary, and in ties, which
``ROUND`` takes to even and the engine up.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from hao.errors import CheckpointError, GraphError, QuantizationError, UnsupportedNetwork
from hao.frontend import qonnx_arithmetic as arithmetic
from hao.frontend import qonnx_deform as deform
from hao.frontend import qonnx_moves as moves
from hao.frontend.qonnx_export import onnx_module
from hao.frontend.qonnx_reader import Handler, Reader
from hao.frontend.qonnx_values import Fault
from hao.ir import graph as ir
from hao.ir.check import check


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
    reader = Reader(onnx, model)
    for node in model.graph.node:
        try:
            reader.read(node, _HANDLERS)
        except (Fault, QuantizationError, GraphError, ValueError) as error:
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


_HANDLERS: dict[str, Handler] = {
    "Quant": arithmetic.quant, "Conv": arithmetic.conv, "Gemm": arithmetic.gemm, "MatMul": arithmetic.matmul, "Add": arithmetic.plus,
    "Sub": arithmetic.minus, "Mul": arithmetic.times, "Div": arithmetic.over, "BatchNormalization": arithmetic.norm,
    "Clip": arithmetic.clip, "Relu": arithmetic.relu, "Round": arithmetic.rounding, "MaxPool": moves.maxpool,
    "AveragePool": moves.avgpool, "GlobalAveragePool": moves.avgpool, "Concat": moves.concat, "Slice": moves.part,
    "Reshape": moves.reshape, "Flatten": moves.flatten, "Transpose": moves.transpose, "Resize": moves.resize,
    "Upsample": moves.resize, "Equal": deform.equal, "ReduceSum": deform.summed, "Sum": deform.gathered,
    **dict.fromkeys(("Cast", "Identity", "Dropout"), arithmetic.same),
}  # fmt: skip
