"""The judge: executes an integer graph in numpy, node by node, and knows nothing of tiling or hardware.

Matrix products run in floating point where every partial sum is an integer that the type holds exactly (2^24 for
float32, 2^53 for float64), so that a fast library computes them and the result is still exact.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from functools import singledispatch
from typing import Any

import numpy as np
import numpy.typing as npt

from hao.errors import DataError, GraphError
from hao.ir.graph import (
    Add,
    AvgPool,
    Concat,
    Conv,
    DeformConv,
    Graph,
    Input,
    MaxPool,
    Node,
    Requant,
    Requantize,
    Shuffle,
    Slice,
    Upsample,
)
from hao.ir.types import pooled_size

Tensor = npt.NDArray[np.int32]
"""Values of one tensor, ``(C, H, W)``."""
_FLOAT32_EXACT = 1 << 24


def execute(graph: Graph, image: npt.NDArray[np.uint8]) -> dict[str, Tensor]:
    """Run ``graph`` on one image.

    Args:
        graph: a legal graph (:func:`hao.ir.check.check`).
        image: ``(C, H, W)`` unsigned bytes of the input's shape.

    Returns:
        every tensor by name, in graph order, as C-contiguous int32 of shape ``(C, H, W)``.

    Raises:
        DataError: the image is not of the input's shape or type.
    """
    tensors: dict[str, Tensor] = {}
    for node in graph.nodes:
        tensors[node.name] = compute(node, [tensors[name] for name in node.inputs], image)
    return tensors


def compute(node: Node, inputs: Sequence[Tensor], image: npt.NDArray[np.uint8]) -> Tensor:
    """The tensor of one node from those that it reads; ``image`` is read by the input node alone.

    Raises:
        DataError: the image is not of the input's shape or type.
    """
    value = _read(node, image) if isinstance(node, Input) else _run(node, inputs)
    return np.ascontiguousarray(value, dtype=np.int32)


def outputs(graph: Graph, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The graph's outputs among ``tensors``, in graph order."""
    return {name: tensors[name] for name in graph.outputs}


def digest(tensors: Iterable[npt.NDArray[np.integer]]) -> str:
    """SHA-256 over tensors in the given order, each as C-contiguous int32, little-endian; hexadecimal.

    Give it the outputs in graph order, one frame behind the other, to get what reports call ``digest``.
    """
    state = hashlib.sha256()
    for tensor in tensors:
        state.update(np.ascontiguousarray(tensor).astype("<i4").tobytes())
    return state.hexdigest()


def requantize(acc: npt.NDArray[np.integer], multiplier: npt.ArrayLike, shift: npt.ArrayLike, lo: int, hi: int) -> npt.NDArray[np.int64]:
    """``clip((acc * m + 2^(s-1)) >> s, lo, hi)``: arithmetic shift, so round half up; arguments broadcast."""
    s = np.asarray(shift, dtype=np.int64)
    product = acc.astype(np.int64) * np.asarray(multiplier, dtype=np.int64)
    product += np.int64(1) << (s - 1)
    product >>= s
    return np.clip(product, lo, hi, out=product)


def _requant(acc: npt.NDArray[np.int64], rule: Requant) -> npt.NDArray[np.int64]:
    column = (slice(None), None, None)
    return requantize(acc + rule.bias[column], rule.multiplier[column], rule.shift[column], rule.lo, rule.hi)


def _read(node: Input, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.integer]:
    if image.dtype != np.uint8 or image.shape != node.shape:
        raise DataError(
            f"image {node.name!r}: {image.dtype} of shape {image.shape}", f"unsigned bytes of shape {node.shape} (channels, height, width)"
        )
    return image.astype(np.int32) - np.asarray(node.mean, dtype=np.int32)[:, None, None]


def _padded(x: npt.NDArray[Any], pad: int, value: int = 0) -> npt.NDArray[Any]:
    return np.pad(x, ((0, 0), (pad, pad), (pad, pad)), constant_values=value) if pad else x


def _taps(kernel: int, stride: int, height: int, width: int) -> Iterable[tuple[int, int, tuple[slice, ...]]]:
    """Every tap ``(i, j)`` of a window and the index that gives its value at all output pixels of a padded map."""
    for i in range(kernel):
        for j in range(kernel):
            rows = slice(i, i + (height - 1) * stride + 1, stride)
            yield i, j, (slice(None), rows, slice(j, j + (width - 1) * stride + 1, stride))


@singledispatch
def _run(node: Node, _inputs: Sequence[Tensor]) -> npt.NDArray[np.integer]:
    raise GraphError(f"{type(node).__name__} {node.name!r} is of no kind that the reference knows")


@_run.register
def _(node: Conv, inputs: Sequence[Tensor]) -> npt.NDArray[np.integer]:
    x, weight = inputs[0], node.weight
    out, _, kernel, _ = weight.shape
    height, width = (pooled_size(size, kernel, node.stride, node.pad) for size in x.shape[1:])
    taps = _taps(kernel, node.stride, height, width)
    if node.groups > 1:
        padded = _padded(x, node.pad)
        acc = np.zeros((out, height, width), dtype=np.int64)
        for i, j, where in taps:
            acc += padded[where] * weight[:, 0, i, j].astype(np.int64)[:, None, None]
        return _requant(acc, node.requant)
    largest = int(np.abs(x).max(initial=0)) * int(np.abs(weight).reshape(out, -1).sum(axis=1).max())
    exact: type[np.floating[Any]] = np.float32 if largest < _FLOAT32_EXACT else np.float64
    padded, matrices = _padded(x.astype(exact), node.pad), weight.astype(exact)
    sums = np.zeros((out, height * width), dtype=exact)
    for i, j, where in taps:
        sums += matrices[:, :, i, j] @ padded[where].reshape(len(x), -1)
    return _requant(sums.reshape(out, height, width).astype(np.int64), node.requant)


@_run.register
def _(node: DeformConv, inputs: Sequence[Tensor]) -> npt.NDArray[np.integer]:
    x, displacement = inputs[0], inputs[1][0]
    channels, height, width = x.shape
    # One extra column of zeros stands for every place outside the map.
    flat = np.concatenate([x.reshape(channels, -1), np.zeros((channels, 1), dtype=x.dtype)], axis=1)
    rows, columns = np.mgrid[0:height, 0:width]
    acc = np.zeros((channels, height, width), dtype=np.int64)
    for i in range(3):
        for j in range(3):
            y, z = rows + (i - 1) * displacement, columns + (j - 1) * displacement
            inside = (y >= 0) & (y < height) & (z >= 0) & (z < width)
            place = np.where(inside, y * width + z, height * width)
            acc += flat[:, place] * node.weight[:, 0, i, j].astype(np.int64)[:, None, None]
    return _requant(acc, node.requant)


@_run.register
def _(node: MaxPool, inputs: Sequence[Tensor]) -> npt.NDArray[np.integer]:
    x = inputs[0]
    height, width = (pooled_size(size, node.kernel, node.stride, node.pad) for size in x.shape[1:])
    padded = _padded(x, node.pad, np.iinfo(np.int32).min)
    return np.maximum.reduce([padded[where] for _, _, where in _taps(node.kernel, node.stride, height, width)])  # type: ignore[no-any-return]


@_run.register
def _(node: AvgPool, inputs: Sequence[Tensor]) -> npt.NDArray[np.integer]:
    x = inputs[0].astype(np.int64)
    if node.kernel == 0:
        total = x.sum(axis=(1, 2), keepdims=True)
    else:
        height, width = (pooled_size(size, node.kernel, node.stride, 0) for size in x.shape[1:])
        total = np.add.reduce([x[where] for _, _, where in _taps(node.kernel, node.stride, height, width)])
    return requantize(total, node.multiplier, node.shift, node.lo, node.hi)


@_run.register
def _(node: Add, inputs: Sequence[Tensor]) -> npt.NDArray[np.integer]:
    total = inputs[0].astype(np.int64) * node.m1 + inputs[1].astype(np.int64) * node.m2
    return requantize(total, 1, node.shift, node.lo, node.hi)


@_run.register
def _(node: Requantize, inputs: Sequence[Tensor]) -> npt.NDArray[np.integer]:
    return requantize(inputs[0], node.multiplier, node.shift, node.lo, node.hi)


@_run.register
def _(_node: Concat, inputs: Sequence[Tensor]) -> npt.NDArray[np.integer]:
    return np.concatenate(inputs)


@_run.register
def _(node: Slice, inputs: Sequence[Tensor]) -> npt.NDArray[np.integer]:
    return inputs[0][node.start : node.stop]


@_run.register
def _(node: Shuffle, inputs: Sequence[Tensor]) -> npt.NDArray[np.integer]:
    channels, height, width = inputs[0].shape
    grouped = inputs[0].reshape(node.groups, channels // node.groups, height, width)
    return grouped.swapaxes(0, 1).reshape(channels, height, width)


@_run.register
def _(_node: Upsample, inputs: Sequence[Tensor]) -> npt.NDArray[np.integer]:
    return inputs[0].repeat(2, axis=1).repeat(2, axis=2)
