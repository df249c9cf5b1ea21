"""QONNX models to integer graphs: scales become multipliers and shifts, affine operators fold into requantizations.

Every tensor is either an integer tensor of the graph with a scale, or a total on its way to the ``Quant`` node that ends it. The
result differs from the floating-point model where a value lies within 2^-14 of a rounding boundary, and in ties, which
``ROUND`` takes to even and the engine up.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from hao.errors import CheckpointError, GraphError, QuantizationError, UnsupportedNetwork
from hao.files import parse_json, read_file
from hao.frontend import qonnx_arithmetic as arithmetic
from hao.frontend import qonnx_deform as deform
from hao.frontend import qonnx_moves as moves
from hao.frontend.qonnx_export import onnx_module
from hao.frontend.qonnx_reader import Handler, Reader
from hao.frontend.qonnx_values import Fault, clean_name
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
        model = _model(onnx, Path(model))
    called = name or clean_name(model.graph.name)
    try:
        reader = Reader(onnx, model)
    except _MALFORMED as error:
        raise UnsupportedNetwork(f"{called} cannot be imported", [f"a constant or an input: {_told(error)}"], _AGAIN) from error
    for node in model.graph.node:
        try:
            with np.errstate(divide="raise", invalid="raise"):
                reader.read(node, _HANDLERS)
        except (Fault, QuantizationError, GraphError, *_MALFORMED) as error:
            why = f"{clean_name(node.op_type)} {node.name or ', '.join(node.output)!r}: {_told(error)}"
            raise UnsupportedNetwork(f"{called} cannot be imported", [why], "quantize every layer's result") from error
    graph = _whole(reader, model, name or model.graph.name)
    try:
        check(graph)
    except GraphError as error:
        raise UnsupportedNetwork(f"{called} cannot be imported", [error.message], error.hint) from error
    return graph


_AGAIN = "export it again"
_MALFORMED = (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError)
"""What a node with too few inputs, an unknown tensor or an attribute of another type ends in."""


def _told(error: Exception) -> str:
    """A fault in words; a lookup alone says nothing but the key."""
    return f"there is no {error}" if isinstance(error, LookupError) else str(error) or "it is malformed"


def _model(onnx: Any, path: Path) -> Any:
    """The model in one file.

    Raises:
        CheckpointError: unreadable, or with tensors in other files, which could be any.
    """
    from google.protobuf.message import Error  # type: ignore[import-untyped]

    try:
        model = onnx.load_from_string(read_file(path))
    except (OSError, ValueError, RuntimeError, TypeError, Error) as error:
        raise CheckpointError(f"{path} cannot be read as ONNX: {error}", _AGAIN) from error
    if any(isinstance(text, bytes) for text in _texts(model)):
        raise CheckpointError(f"{path} is no ONNX model: a name in it is no UTF-8", _AGAIN)
    apart = [each.name for each in model.graph.initializer if onnx.external_data_helper.uses_external_data(each)]
    if apart:
        raise CheckpointError(f"{path} keeps tensor {apart[0]!r} in another file", "save the model as one file")
    return model


def _texts(message: Any) -> Iterator[str | bytes]:
    """All texts of a protobuf message; those that are no UTF-8 are bytes."""
    for field, value in message.ListFields():
        several = [value] if isinstance(value, str | bytes) or hasattr(value, "ListFields") else value
        if field.cpp_type == field.CPPTYPE_MESSAGE:
            for each in several:
                yield from _texts(each)
        elif field.type == field.TYPE_STRING:
            yield from several


def _scale(value: object) -> float | None:
    if value is not None and not (isinstance(value, float | int) and 0 < value < math.inf):
        raise ValueError(f"a scale of {value!r}")
    return None if value is None else float(value)


def _whole(reader: Reader, model: Any, name: str) -> ir.Graph:
    """The graph of all that was read.

    Raises:
        UnsupportedNetwork: an output that no node gives, or our own metadata are damaged.
    """
    try:
        outputs = tuple(reader.whole(each.name).name for each in model.graph.output)
        scales, metadata = (dict(parse_json(reader.facts.get(f"hao.{key}", "{}"))) for key in ("scales", "metadata"))
        nodes = tuple(replace(node, scale=_scale(scales[node.name])) if node.name in scales else node for node in reader.nodes)
    except _MALFORMED as error:
        raise UnsupportedNetwork(f"{clean_name(name)} cannot be imported", [f"outputs or metadata: {_told(error)}"], _AGAIN) from error
    return ir.Graph(name, nodes, outputs, metadata)


_HANDLERS: dict[str, Handler] = {
    "Quant": arithmetic.quant, "Conv": arithmetic.conv, "Gemm": arithmetic.gemm, "MatMul": arithmetic.matmul, "Add": arithmetic.plus,
    "Sub": arithmetic.minus, "Mul": arithmetic.times, "Div": arithmetic.over, "BatchNormalization": arithmetic.norm,
    "Clip": arithmetic.clip, "Relu": arithmetic.relu, "Round": arithmetic.rounding, "MaxPool": moves.maxpool,
    "AveragePool": moves.avgpool, "GlobalAveragePool": moves.avgpool, "Concat": moves.concat, "Slice": moves.part,
    "Reshape": moves.reshape, "Flatten": moves.flatten, "Transpose": moves.transpose, "Resize": moves.resize,
    "Upsample": moves.resize, "Equal": deform.equal, "ReduceSum": deform.summed, "Sum": deform.gathered,
    **dict.fromkeys(("Cast", "Identity", "Dropout"), arithmetic.same),
}  # fmt: skip
