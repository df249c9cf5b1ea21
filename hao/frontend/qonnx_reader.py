"""State of the QONNX importer: what is known of every tensor, and the integer nodes found so far."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from hao.errors import UnsupportedNetwork
from hao.frontend.qonnx_values import Constant, Fault, Floats, Value, Whole, clean_name
from hao.ir import graph as ir
from hao.ir.types import infer


class Reader:
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

    def read(self, node: Any, handlers: Mapping[str, Handler]) -> None:
        """Take one node of the model in."""
        attributes = {item.name: self.onnx.helper.get_attribute_value(item) for item in node.attribute}
        handler = handlers.get(node.op_type)
        if handler is None:
            raise Fault("no such operator in the integer network")
        if node.op_type == "Quant" and node.input[0] in self.images:
            self._image(node, attributes)
            return
        inputs = [self.values[each] for each in node.input if each]
        for output, value in zip(node.output, handler(self, inputs, attributes, clean_name(node.output[0])), strict=False):
            self.values[output] = value

    def add(self, node: ir.Node, scale: float) -> Whole:
        """Append a node to the integer graph."""
        self.types = infer(ir.Graph("", (node,), ()), self.types)
        self.nodes.append(node)
        return Whole(node.name, scale)

    def whole(self, name: str) -> Whole:
        """The integer tensor behind an output of the model."""
        value = self.values[name]
        if not isinstance(value, Whole):
            raise UnsupportedNetwork(
                "the network cannot be imported", [f"output {name!r} comes from no Quant node"], "quantize the results"
            )
        return value

    def _image(self, node: Any, attributes: dict[str, Any]) -> None:
        scale, bits = self.quantizer([self.values[each] for each in node.input[1:4]])
        if bits != 8 or scale.size != 1:
            raise Fault("the image has 8 bits and one scale")
        shape = self.images[node.input[0]]
        mean = (128 if attributes.get("signed", 1) else 0,) * shape[0]
        self.values[node.output[0]] = self.add(ir.Input(clean_name(node.output[0]), (), shape, mean), float(scale))

    def quantizer(self, inputs: Sequence[Value]) -> tuple[Floats, int]:
        """Scale and bits of a Quant node."""
        if not all(isinstance(item, Constant) for item in inputs):
            raise Fault("scale, zero point and width are constants")
        scale, zero, bits = (item.value for item in inputs)  # type: ignore[union-attr]
        if np.any(zero != 0) or not np.all(scale > 0) or bits.size != 1 or float(bits) % 1 or not 2 <= float(bits) <= 8:
            raise Fault(f"a zero point of 0, positive scales and 2 to 8 bits are supported, not {zero.ravel()[:3]}, {bits.ravel()[:3]}")
        return scale, int(bits)


Handler = Callable[[Reader, list[Value], dict[str, Any], str], list[Value]]
"""What the results of a node are, from the values that it reads, its attributes and the name of its first result."""
