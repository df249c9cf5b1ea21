"""Operators of QONNX that pool, join, cut and move tensors."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from hao.frontend.qonnx_deform import mirrored
from hao.frontend.qonnx_reader import Reader
from hao.frontend.qonnx_values import Constant, Fault, Total, Value, Whole, moved
from hao.ir import graph as ir


def maxpool(reader: Reader, inputs: list[Value], attributes: dict[str, Any], name: str) -> list[Value]:
    source = moved(inputs[0])
    sizes = [set(attributes.get(label, [default])) for label, default in (("kernel_shape", 1), ("strides", 1), ("pads", 0))]
    if any(len(each) > 1 for each in sizes) or attributes.get("ceil_mode", 0):
        raise Fault("square windows, rounded down")
    return [reader.add(ir.MaxPool(name, (source.name,), *(each.pop() for each in sizes)), source.scale)]


def avgpool(reader: Reader, inputs: list[Value], attributes: dict[str, Any], _name: str) -> list[Value]:
    source = moved(inputs[0])
    _, height, width = reader.types[source.name].shape
    kernel = set(attributes.get("kernel_shape", [0]))
    if len(kernel) > 1 or any(attributes.get("pads", [0])) or attributes.get("ceil_mode", 0):
        raise Fault("square windows without padding, rounded down")
    size, stride = kernel.pop(), attributes.get("strides", [1])[0]
    pixels = size**2 or height * width
    return [Total("pool", (source.name,), np.array(source.scale / pixels), np.zeros(()), attributes={"kernel": size, "stride": stride})]


def concat(reader: Reader, inputs: list[Value], attributes: dict[str, Any], name: str) -> list[Value]:
    sources = [moved(item) for item in inputs]
    if attributes.get("axis") != 1 or len({item.scale for item in sources}) > 1:
        raise Fault("concatenation of channels that share a scale")
    return [reader.add(ir.Concat(name, tuple(item.name for item in sources)), sources[0].scale)]


def part(reader: Reader, inputs: list[Value], _attributes: dict[str, Any], name: str) -> list[Value]:
    ends = [item.value.ravel().tolist() for item in inputs[1:] if isinstance(item, Constant)]
    if isinstance(inputs[0], Constant):
        return [mirrored(inputs[0], ends)]
    source = moved(inputs[0])
    if len(ends) < 3 or ends[2] != [1.0] or (len(ends) > 3 and ends[3] != [1.0]):
        raise Fault("a slice of channels, step 1")
    channels = reader.types[source.name].shape[0]
    start, stop, _ = slice(int(ends[0][0]), int(min(ends[1][0], channels))).indices(channels)
    return [reader.add(ir.Slice(name, (source.name,), start, stop), source.scale)]


def reshape(reader: Reader, inputs: list[Value], _attributes: dict[str, Any], name: str) -> list[Value]:
    source, wanted = inputs[0], inputs[1]
    if isinstance(source, Constant) or not isinstance(source, Whole) or not isinstance(wanted, Constant):
        raise Fault("a constant shape of a quantized tensor")
    channels, height, width = reader.types[source.name].shape
    sizes = [int(each) for each in wanted.value.ravel()[1:]]
    if -1 in sizes:
        sizes[sizes.index(-1)] = channels * height * width // -math.prod(sizes)
    view = tuple(sizes)
    if source.swapped and view == (channels, height, width):
        return [reader.add(ir.Shuffle(name, (source.name,), source.view[1]), source.scale)]
    if view == (channels, height, width):
        return [Whole(source.name, source.scale)]
    if view == (channels * height * width,) or (len(view) == 4 and view[0] * view[1] == channels):
        return [replace(source, view=view)]
    raise Fault(f"a view of shape {view}")


def flatten(reader: Reader, inputs: list[Value], _attributes: dict[str, Any], _name: str) -> list[Value]:
    source = moved(inputs[0])
    return [replace(source, view=(math.prod(reader.types[source.name].shape),))]


def transpose(_reader: Reader, inputs: list[Value], attributes: dict[str, Any], _name: str) -> list[Value]:
    source, order = inputs[0], list(attributes.get("perm", [1, 0]))
    if isinstance(source, Constant) and order == [1, 0]:
        return [Constant(source.value.T, None if source.scale is None else source.scale.T, source.bits)]
    if isinstance(source, Whole) and len(source.view) == 4 and order == [0, 2, 1, 3, 4]:
        return [replace(source, view=(source.view[1], source.view[0], *source.view[2:]), swapped=True)]
    raise Fault("a transposition that is no channel shuffle")


def resize(reader: Reader, inputs: list[Value], attributes: dict[str, Any], name: str) -> list[Value]:
    source, factors = moved(inputs[0]), inputs[-1]
    if (
        attributes.get("mode", b"nearest") != b"nearest"
        or not isinstance(factors, Constant)
        or factors.value.ravel().tolist() != [1, 1, 2, 2]
    ):
        raise Fault("nearest up-sampling by 2")
    return [reader.add(ir.Upsample(name, (source.name,)), source.scale)]
