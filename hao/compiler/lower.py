"""From graph nodes to engine operations: views resolved to channels, every operator mapped to DENSE, DW or ADD."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hao.compiler.lower_image import Image, gather, image_of, lower_image_conv
from hao.compiler.ops import AddOp, DenseOp, DwOp, ImageOp, IntArray, Lowered, Op, Ref, Scaling, Value, identity_scaling
from hao.engine.config import EngineConfig
from hao.engine.isa import TAPS, WINDOW_BANKS, DwMode
from hao.errors import CompileError
from hao.ir.check import check
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
    TensorType,
    Upsample,
)
from hao.ir.types import Bounds, consumers, value_bounds

MAX_KERNEL, MAX_STRIDE, MAX_PAD = 15, 4, 7
_CENTRE = 1 << TAPS // 2


@dataclass(frozen=True, slots=True)
class View:
    """What a graph tensor is: channels of values, read plainly or through 2x up-sampling."""

    refs: tuple[Ref, ...]
    up: bool = False


def window_taps(kernel: int, pad: int, stride: int) -> tuple[int, int, int] | None:
    """How the nine taps cover a ``kernel``: ``(first tap line, offset, tap mask)``; None where they cannot."""
    if kernel > 3 or stride > 2:
        return None
    for first in ((0,) if kernel == 3 else (1, 0)):
        offset = 1 - first - pad
        if offset in (0, 1) and first + kernel <= 3:
            lines = range(first, first + kernel)
            return first, offset, sum(1 << 3 * i + j for i in lines for j in lines)
    return None


class Lowering:
    """Walks the graph once; :meth:`run` gives the operations."""

    def __init__(self, graph: Graph, config: EngineConfig) -> None:
        self._graph, self._config = graph, config
        self._types: dict[str, TensorType] = check(graph)
        self._bounds: dict[str, Bounds] = value_bounds(graph)
        self._readers = consumers(graph)
        self._views: dict[str, View] = {}
        self._ops: list[Op] = []
        self._image: Image | None = None
        self._raw: Value | None = None
        self._copies: dict[str, tuple[Ref, ...]] = {}
        self._maps: dict[str, Value] = {}

    def run(self) -> Lowered:
        """Lower every node.

        Raises:
            CompileError: an operator does not fit the engine; the node is named.
        """
        for node in self._graph.nodes:
            self._views[node.name] = self._lower(node)
        outputs = []
        for name in self._graph.outputs:
            if self._types[name].bits > 8:
                raise CompileError(f"output {name} is the image itself, 9 bits wide", "name a computed tensor as output")
            outputs.append((name, self._plain(name)))
        if self._image is None:
            raise CompileError(f"network {self._graph.name} has no image", "a network reads exactly one image")
        kinds = {name: (self._types[name].bits, self._types[name].signed) for name in self._graph.outputs}
        return Lowered(tuple(self._ops), tuple(outputs), self._image.geometry, kinds)

    def _value(self, name: str, tensor: str | None = None) -> Value:
        kind, (low, high) = self._types[name], self._bounds[name]
        return Value(name, *kind.shape, kind.signed, low, high, name if tensor is None else tensor)

    def _refs(self, value: Value) -> tuple[Ref, ...]:
        return tuple((value, channel) for channel in range(value.channels))

    def _emit(self, op: Op) -> View:
        self._ops.append(op)
        return View(self._refs(op.output))

    def _lower(self, node: Node) -> View:
        if isinstance(node, Input):
            self._image = image_of(node, self._config)
            return View(self._refs(self._image.raw))
        if isinstance(node, Concat | Slice | Shuffle | Upsample):
            return self._move(node)
        if isinstance(node, Conv):
            return self._conv(node)
        if isinstance(node, DeformConv):
            return self._deform(node)
        if isinstance(node, MaxPool):
            return self._max_pool(node)
        if isinstance(node, AvgPool):
            return self._avg_pool(node)
        if isinstance(node, Add):
            a, b = self._plain(node.inputs[0]), self._plain(node.inputs[1])
            limits = (node.shift, node.lo, node.hi, node.inputs[1])
            return self._emit(AddOp(node.name, self._value(node.name), a, b, node.m1, node.m2, *limits))
        if isinstance(node, Requantize):
            a = self._plain(node.inputs[0])
            limits = (node.shift, node.lo, node.hi, node.inputs[0])
            return self._emit(AddOp(node.name, self._value(node.name), a, a, node.multiplier, 0, *limits))
        raise CompileError(f"{node.name}: the compiler does not know {type(node).__name__}", "use the operators of hao.ir.graph")

    def _move(self, node: Concat | Slice | Shuffle | Upsample) -> View:
        if isinstance(node, Concat):
            views = [self._views[name] for name in node.inputs]
            if all(view.up for view in views) or not any(view.up for view in views):
                return View(tuple(ref for view in views for ref in view.refs), views[0].up)
            return View(tuple(ref for name in node.inputs for ref in self._plain(name)))
        view = self._views[node.inputs[0]]
        if isinstance(node, Slice):
            return View(view.refs[node.start : node.stop], view.up)
        if isinstance(node, Shuffle):
            order = np.arange(len(view.refs)).reshape(node.groups, -1).T.reshape(-1)
            return View(tuple(view.refs[int(k)] for k in order), view.up)
        return View(self._plain(node.inputs[0]) if view.up else view.refs, True)

    def _raw_image(self) -> Value:
        """The image's bytes as a value in feature memory."""
        if self._raw is None:
            assert self._image is not None
            op = gather(self._image.node.name, self._image, 1, 1, 0, *self._image.node.shape[1:])
            self._ops.append(op)
            self._raw = op.output
        return self._raw

    def _stored(self, refs: tuple[Ref, ...]) -> tuple[Ref, ...]:
        """Replace channels of the image by those of its gathered value."""
        if self._image is None or all(value is not self._image.raw for value, _ in refs):
            return refs
        raw = self._raw_image()
        return tuple((raw if self._image.raw is value else value, channel) for value, channel in refs)

    def _lanewise(self, name: str) -> View:
        """A tensor as FILL can read it."""
        view = self._views[name]
        return View(self._stored(view.refs), view.up)

    def _plain(self, name: str) -> tuple[Ref, ...]:
        """A tensor as DENSE and ADD read it: up-sampled tensors are written out once."""
        view = self._views[name]
        if not view.up:
            return self._stored(view.refs)
        if name not in self._copies:
            if self._types[name].bits > 8:
                raise CompileError(f"{name}: the image is up-sampled before its first layer", "resize the image on the host")
            self._copies[name] = self._emit(self._copy(name, self._stored(view.refs), True)).refs
        return self._copies[name]

    def _copy(self, name: str, refs: tuple[Ref, ...], up: bool) -> DwOp:
        value = self._value(name)
        scaling = identity_scaling(value.channels, value.lo, value.hi)
        taps = np.zeros((value.channels, TAPS), np.int64)
        return DwOp(name, value, refs, DwMode.MAX, taps, scaling, value.height, value.width, tap_mask=_CENTRE, up=up)

    def _scaling(self, requant: Requant) -> Scaling:
        return Scaling(
            requant.bias.astype(np.int64),
            requant.multiplier.astype(np.int64),
            requant.shift.astype(np.int64),
            requant.lo,
            requant.hi,
        )

    def _dense_limits(self, node: Node, kernel: int, stride: int, pad: int) -> None:
        for what, value, limit in (("kernel", kernel, MAX_KERNEL), ("stride", stride, MAX_STRIDE), ("padding", pad, MAX_PAD)):
            if value > limit:
                raise CompileError(f"{node.name}: {what} {value}", f"the dense core takes at most {limit}")

    def _conv(self, node: Conv) -> View:
        kernel = int(node.weight.shape[2])
        if node.groups > 1:
            return self._depthwise(node, kernel)
        self._dense_limits(node, kernel, node.stride, node.pad)
        output, scaling = self._value(node.name), self._scaling(node.requant)
        view = self._views[node.inputs[0]]
        image = self._image
        if image is not None and all(value is image.raw for value, _ in view.refs) and not view.up:
            ops: list[ImageOp | DenseOp] = lower_image_conv(node, view.refs, image, output, scaling, self._raw_image)
            self._ops.extend(ops)
            return View(self._refs(output))
        refs, weight = _distinct(self._plain(node.inputs[0]), node.weight.astype(np.int64))
        bits = self._bits(node, weight)
        return self._emit(DenseOp(node.name, output, refs, weight, bits, scaling, node.stride, node.pad))

    def _bits(self, node: Conv, weight: IntArray) -> int:
        low, high = int(weight.min(initial=0)), int(weight.max(initial=0))
        if low < -128 or high > 127:
            raise CompileError(f"{node.name} reads a channel twice; the weights' sum reaches {low}..{high}", "weights have 8 bits")
        return 4 if node.weight_bits <= 4 and low >= -8 and high <= 7 else 8

    def _depthwise(self, node: Conv, kernel: int) -> View:
        taken = window_taps(kernel, node.pad, node.stride)
        if taken is None:
            return self._diagonal(node, node.weight[:, 0], self._scaling(node.requant), node.stride, node.pad, node.weight_bits)
        first, offset, mask = taken
        taps = np.zeros((len(node.weight), 3, 3), np.int64)
        taps[:, first : first + kernel, first : first + kernel] = node.weight[:, 0]
        return self._window_op(node, DwMode.MAC, taps.reshape(-1, TAPS), self._scaling(node.requant), node.stride, offset, mask)

    def _window_op(
        self, node: Node, mode: DwMode, taps: IntArray, scaling: Scaling, stride: int, offset: int, mask: int,
        displacement: Value | None = None,
    ) -> View:  # fmt: skip
        view, shape = self._lanewise(node.inputs[0]), self._types[node.inputs[0]].shape
        if shape[2] > 255 * WINDOW_BANKS:
            raise CompileError(f"{node.name}: a map of {shape[2]} columns", f"the window takes at most {255 * WINDOW_BANKS}")
        output = self._value(node.name)
        return self._emit(
            DwOp(node.name, output, view.refs, mode, taps, scaling, *shape[1:], stride, offset, mask, view.up, displacement)
        )  # fmt: skip

    def _diagonal(self, node: Node, kernels: IntArray, scaling: Scaling, stride: int, pad: int, weight_bits: int) -> View:
        """Channel-wise work that the window cannot do, as a dense convolution whose weights are zero off the diagonal."""
        channels, kernel, _ = kernels.shape
        self._dense_limits(node, kernel, stride, pad)
        refs = self._plain(node.inputs[0])
        weight = np.zeros((channels, channels, kernel, kernel), np.int64)
        weight[np.arange(channels), np.arange(channels)] = kernels
        merged, merged_weight = _distinct(refs, weight)
        bits = 4 if weight_bits <= 4 else 8
        return self._emit(DenseOp(node.name, self._value(node.name), merged, merged_weight, bits, scaling, stride, pad))

    def _deform(self, node: DeformConv) -> View:
        displacement = self._displacement(node.inputs[1])
        taps = node.weight.reshape(len(node.weight), TAPS).astype(np.int64)
        return self._window_op(node, DwMode.MAC, taps, self._scaling(node.requant), 1, 0, (1 << TAPS) - 1, displacement)

    def _displacement(self, name: str) -> Value:
        """The displacement tensor in the displacement map."""
        if name in self._maps:
            return self._maps[name]
        view = self._views[name]
        (value, _), *_ = view.refs
        producer = next((op for op in self._ops if op.output is value), None)
        readers = self._readers[name]
        direct = value.name == name and isinstance(producer, DenseOp) and not view.up and name not in self._graph.outputs
        if direct and all(isinstance(r, DeformConv) and r.inputs[1] == name and r.inputs[0] != name for r in readers):
            value.displacement = True
            self._maps[name] = value
            return value
        refs = self._plain(name)
        low, high = self._bounds[name]
        copy = Value(f"{name}.map", 1, *self._types[name].shape[1:], self._types[name].signed, low, high, name, displacement=True)
        weight = np.ones((1, 1, 1, 1), np.int64)
        self._emit(DenseOp(name, copy, refs, weight, 4, identity_scaling(1, low, high)))
        self._maps[name] = copy
        return copy

    def _max_pool(self, node: MaxPool) -> View:
        if self._types[node.inputs[0]].bits > 8:
            raise CompileError(f"{node.name}: pools the image, whose mean is not zero", "pool behind the first layer, or use mean 0")
        taken = window_taps(node.kernel, node.pad, node.stride)
        if taken is None:
            raise CompileError(
                f"{node.name}: max pooling {node.kernel}x{node.kernel}, stride {node.stride}, padding {node.pad}",
                "the window takes kernels 2 and 3 with stride 1 or 2",
            )
        value = self._value(node.name)
        taps = np.zeros((value.channels, TAPS), np.int64)
        return self._window_op(
            node, DwMode.MAX, taps, identity_scaling(value.channels, value.lo, value.hi), node.stride, taken[1], taken[2]
        )  # fmt: skip

    def _avg_pool(self, node: AvgPool) -> View:
        channels, height, width = self._types[node.inputs[0]].shape
        zeros = np.zeros(channels, np.int64)
        scaling = Scaling(zeros, zeros + node.multiplier, zeros + node.shift, node.lo, node.hi)
        whole = node.kernel == 0 or (node.kernel == height == width)
        pitch = -(-width // WINDOW_BANKS)
        if whole and height * pitch <= self._config.win_depth and height <= 255 and pitch <= 255:
            taps = np.zeros((channels, TAPS), np.int64)
            taps[:, TAPS // 2] = 1
            return self._window_op(node, DwMode.SUM, taps, scaling, 1, 0, _CENTRE)
        if whole and height != width:
            raise CompileError(f"{node.name}: global pooling over {height}x{width} pixels", "the window is too small: pool in two steps")
        kernel = height if whole else node.kernel
        taken = window_taps(kernel, 0, node.stride)
        if taken is None:
            stride = 1 if whole else node.stride
            return self._diagonal(node, np.ones((channels, kernel, kernel), np.int64), scaling, stride, 0, 2)
        taps = np.zeros((channels, TAPS), np.int64)
        taps[:, [tap for tap in range(TAPS) if taken[2] >> tap & 1]] = 1
        return self._window_op(node, DwMode.MAC, taps, scaling, node.stride, taken[1], taken[2])


def _distinct(refs: tuple[Ref, ...], weight: IntArray) -> tuple[tuple[Ref, ...], IntArray]:
    """Each channel once: weights of a channel that is read several times add up."""
    order = list(dict.fromkeys(refs))
    if len(order) == len(refs):
        return refs, weight
    index = {ref: at for at, ref in enumerate(order)}
    merged = np.zeros((len(weight), len(order), *weight.shape[2:]), np.int64)
    for at, ref in enumerate(refs):
        merged[:, index[ref]] += weight[:, at]
    return tuple(order), merged


def lower(graph: Graph, config: EngineConfig) -> Lowered:
    """Lower a (rewritten) graph for an engine.

    Raises:
        CompileError: an operator does not fit the engine; the node is named.
        GraphError: the graph is not legal.
    """
    return Lowering(graph, config).run()
