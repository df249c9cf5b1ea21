"""One traced node at a time to the float graph: what each module, function and method means."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from hao.frontend.float_graph import FloatNode, Kind
from hao.frontend.rules import NEAREST, conv_fault, pool_fault

Clip = tuple[float, float]
_ARITHMETIC = ("conv", "deform", "add", "avgpool", "requantize")


@dataclass(frozen=True, slots=True)
class Reading:
    """What a traced value is: tensor ``name``, possibly in the middle of a flattening or of a channel shuffle.

    ``view`` is ``""``, ``"flat"`` (flattened to a vector), ``"grouped"`` or ``"swapped"`` (split into ``groups`` for a shuffle).
    """

    name: str
    view: str = ""
    groups: int = 0


class Lowering:
    """Collects nodes and faults; :meth:`lower` takes the traced nodes in order.

    Attributes:
        nodes: the float graph so far.
        env: what each traced node stands for: a :class:`Reading`, a tuple of them, or a plain value.
        faults: one line for each unsupported node.
    """

    def __init__(self, modules: Mapping[str, nn.Module], values: Mapping[fx.Node, Any]) -> None:
        self.modules, self.values = modules, values
        self.nodes: dict[str, FloatNode] = {}
        self.env: dict[fx.Node, Any] = {}
        self.faults: list[str] = []

    def fault(self, name: str, why: str, nearest: str) -> None:
        """Note an unsupported node."""
        self.faults.append(f"{name}: {why}; nearest supported form: {nearest}")

    def lower(self, node: fx.Node) -> None:
        """Read one traced node."""
        value = self.values[node]
        if not node.op.startswith(("call_", "get_")):
            if any(item.kind == "input" for item in self.nodes.values()):
                self.fault(node.name, "a second input", "one image")
            self.env[node] = self._emit(node, "image" if "image" not in self.nodes else node.name, "input", ())
        elif not isinstance(value, Tensor) and not _holds_tensors(value):
            self.env[node] = value
        elif node.op == "call_module":
            self._module(node, self.modules[str(node.target)])
        elif node.op == "get_attr":
            self._unsupported(node, "a parameter or buffer used directly", "nn.Conv2d, nn.Linear, nn.BatchNorm2d")
        else:
            target = node.target if node.op == "call_function" else str(node.target).removesuffix("_")
            handler = _CALLS.get(target)
            if handler is None:
                label = getattr(node.target, "__name__", str(node.target))
                self._unsupported(node, f"operator {label}", NEAREST.get(label, NEAREST["*"]))
            else:
                handler(self, node)

    def source(self, node: fx.Node, index: int = 0) -> Reading:
        """The tensor that argument ``index`` of ``node`` stands for."""
        reading = self.env.get(node.args[index]) if index < len(node.args) and isinstance(node.args[index], fx.Node) else None  # type: ignore[arg-type]
        if isinstance(reading, Reading):
            return reading
        return Reading(self._blank(node))

    def activation(self, node: fx.Node, low: float, high: float, displacement: str = "") -> None:
        """Fuse bounds into the producer where nothing else reads it, else make them a node of their own."""
        reading = self.source(node)
        producer = self.nodes[reading.name]
        alone = len(node.all_input_nodes[0].users) == 1 and producer.kind in _ARITHMETIC
        old = producer.clip or (-math.inf, math.inf)
        bounds = (min(max(low, old[0]), old[1]), max(min(high, old[1]), old[0]))
        if alone:
            self.nodes[producer.name] = replace(producer, clip=bounds, displacement=displacement)
            self.env[node] = reading
        elif displacement:
            self._unsupported(node, "a displacement that other nodes read unclipped", "a 1x1 convolution read by the clip alone")
        else:
            self.emit(node, "requantize", (reading.name,), clip=(low, high))

    def emit(self, node: fx.Node, kind: Kind, inputs: tuple[str, ...], **details: Any) -> None:
        """Add the float node that ``node`` stands for."""
        self.env[node] = self._emit(node, self._name(node), kind, inputs, **details)

    def _emit(self, node: fx.Node, name: str, kind: Kind, inputs: tuple[str, ...], **details: Any) -> Reading:
        shape = tuple(self.values[node].shape)[1:]
        full = (*shape, 1, 1, 1)[:3] if len(shape) <= 3 else (1, 1, 1)
        self.nodes[name] = FloatNode(name, kind, inputs, full, **details)
        return Reading(name)

    def _name(self, node: fx.Node) -> str:
        """Path of the module; of a function: path of the module that calls it and its name. Unique."""
        if node.op == "call_module":
            wanted = str(node.target)
        else:
            stack = node.meta.get("nn_module_stack") or {}
            label = getattr(node.target, "__name__", str(node.target)).strip("_")
            owner = next(reversed(stack.values()))[0] if stack else ""
            wanted = f"{owner}.{label}" if owner else label
        wanted = wanted if wanted[0].isalpha() else "n" + wanted
        taken = (name for count in range(1, len(self.nodes) + 2) if (name := f"{wanted}_{count}") not in self.nodes)
        return wanted if wanted not in self.nodes and f"{wanted}.0" not in self.nodes else next(taken)

    def _blank(self, node: fx.Node) -> str:
        """An unsupported tensor to go on with, so that one pass finds every fault."""
        name = f"{node.name}.unknown"
        self.nodes[name] = FloatNode(name, "unsupported", (), (1, 1, 1))
        return name

    def _unsupported(self, node: fx.Node, why: str, nearest: str) -> None:
        name = self._name(node)
        self.fault(name, why, nearest)
        value = self.values[node]
        if isinstance(value, Tensor):
            self.env[node] = self._emit(node, name, "unsupported", ())
        else:
            self.env[node] = tuple(Reading(self._blank(node)) for _ in value) if isinstance(value, list | tuple) else value

    def _module(self, node: fx.Node, module: nn.Module) -> None:
        handler = _MODULES.get(type(module).__name__)
        if handler is None:
            label = type(module).__name__
            self._unsupported(node, f"layer {label}", NEAREST.get(label, NEAREST["*"]))
        else:
            handler(self, node, module)

    def convolution(self, node: fx.Node, module: Any) -> None:
        """Conv2d, dense or depthwise."""
        source = self.source(node)
        shape = self.nodes[source.name].shape
        fault = conv_fault(module, reads_image=self.nodes[source.name].kind == "input")
        if fault:
            self._unsupported(node, *fault)
            return
        depthwise = module.groups > 1 and module.groups == shape[0]
        details = {"kernel": module.kernel_size[0], "stride": module.stride[0], "pad": int(module.padding[0])}
        attributes = details | {"groups": module.groups if depthwise else 1}
        self.emit(node, "conv", (source.name,), module=str(node.target), attributes=attributes)

    def linear(self, node: fx.Node, _module: Any) -> None:
        """Linear on a vector, or on a flattened square map (a convolution over the full map)."""
        source = self.source(node)
        _, height, width = self.nodes[source.name].shape
        if height != width or height > 15 or (height > 1 and source.view != "flat"):
            self._unsupported(node, f"a linear layer over a {height}x{width} map", "global average pooling before it")
            return
        attributes = {"kernel": height, "stride": 1, "pad": 0, "groups": 1}
        self.emit(node, "conv", (source.name,), module=str(node.target), attributes=attributes)

    def norm(self, node: fx.Node, module: Any) -> None:
        """BatchNorm2d behind a convolution."""
        reading = self.source(node)
        producer = self.nodes[reading.name]
        alone = len(node.all_input_nodes[0].users) == 1 and not producer.norm and producer.clip is None
        if producer.kind == "unsupported":
            self.env[node] = reading
        elif producer.kind in ("conv", "deform") and alone and module.running_mean is not None:
            self.nodes[producer.name] = replace(producer, norm=str(node.target))
            self.env[node] = reading
        else:
            self._unsupported(node, "batch normalization that does not follow a convolution of its own", "Conv2d, BatchNorm2d, ReLU")

    def deform(self, node: fx.Node, _module: Any) -> None:
        """The co-designed deformable convolution on a map and its clipped displacement."""
        source, step = self.source(node), self.source(node, 1)
        predictor = self.nodes[step.name]
        if predictor.kind != "unsupported" and not predictor.displacement and predictor.clip is None:
            self._unsupported(node, "a displacement without bounds", "hao.models.deform.Displacement behind the 1x1 convolution")
            return
        attributes = {"kernel": 3, "stride": 1, "pad": 1, "groups": self.nodes[source.name].shape[0]}
        self.emit(node, "deform", (source.name, step.name), module=str(node.target), attributes=attributes)

    def pool(self, node: fx.Node, kind: Kind, kernel: Any, stride: Any, pad: Any, **other: Any) -> None:
        """Max or average pooling."""
        fault = pool_fault(kind, kernel, stride, pad, **other)
        if fault:
            self._unsupported(node, *fault)
            return
        sizes = [value if isinstance(value, int) else value[0] for value in (kernel, stride or kernel, pad)]
        shape = self.nodes[self.source(node).name].shape
        whole = kind == "avgpool" and shape[1] == shape[2] == sizes[0]
        attributes = {"kernel": 0 if whole else sizes[0], "stride": 1 if whole else sizes[1], "pad": sizes[2]}
        self.emit(node, kind, (self.source(node).name,), attributes=attributes)

    def global_pool(self, node: fx.Node, size: Any = 1) -> None:
        """Average over the whole map; also adaptive pooling to one pixel."""
        if size not in (1, (1, 1), [1, 1]):
            self._unsupported(node, f"adaptive pooling to {size}", "to one pixel, or AvgPool2d")
        else:
            self.emit(node, "avgpool", (self.source(node).name,), attributes={"kernel": 0, "stride": 1, "pad": 0})

    def mean(self, node: fx.Node) -> None:
        """``x.mean((2, 3))``."""
        axes = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim")
        ranks = sorted(axis % 4 for axis in axes) if isinstance(axes, list | tuple) else [axes]
        if ranks == [2, 3]:
            self.global_pool(node)
        else:
            self._unsupported(node, f"mean over dimensions {axes}", "mean over height and width")

    def upsample(self, node: fx.Node, factor: Any, size: Any, mode: str) -> None:
        """Nearest up-sampling by two."""
        if size is None and factor in (2, 2.0, (2, 2), (2.0, 2.0)) and mode == "nearest":
            self.emit(node, "upsample", (self.source(node).name,))
        else:
            self._unsupported(node, f"{mode} up-sampling by {factor or size}", "nearest, by a factor of 2")

    def add(self, node: fx.Node) -> None:
        """Sum of two tensors of one shape."""
        readings = [self.env.get(item) if isinstance(item, fx.Node) else None for item in node.args[:2]]
        names = tuple(item.name for item in readings if isinstance(item, Reading))
        same = len({self.nodes[name].shape for name in names if self.nodes[name].kind != "unsupported"}) <= 1
        if len(names) == 2 and same and node.kwargs.get("alpha", 1) == 1:
            self.emit(node, "add", names)
        else:
            self._unsupported(node, "an addition of a constant, or of different shapes", "the sum of two tensors of one shape")

    def concat(self, node: fx.Node) -> None:
        """Concatenation of channels."""
        axis = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim", 0)
        items: Any = node.args[0]
        readings = [self.env.get(item) for item in items]
        if axis in (1, -3) and all(isinstance(item, Reading) and not item.view for item in readings):
            self.emit(node, "concat", tuple(item.name for item in readings))  # type: ignore[union-attr]
        else:
            self._unsupported(node, f"concatenation along dimension {axis}", "along channels")

    def split(self, node: fx.Node) -> None:
        """``chunk`` and ``split`` along channels: a tuple of slices."""
        axis = node.args[2] if len(node.args) > 2 else node.kwargs.get("dim", 0)
        if axis not in (1, -3):
            self._unsupported(node, f"a split along dimension {axis}", "along channels")
            return
        source, base, start, parts = self.source(node).name, self._name(node), 0, []
        for index, part in enumerate(self.values[node]):
            stop = start + part.shape[1]
            name = f"{base}.{index}"
            self.nodes[name] = FloatNode(
                name, "slice", (source,), (part.shape[1], *tuple(part.shape[2:])), attributes={"start": start, "stop": stop}
            )
            parts.append(Reading(name))
            start = stop
        self.env[node] = tuple(parts)

    def getitem(self, node: fx.Node) -> None:
        """Element of a split, or a slice of channels ``x[:, a:b]``."""
        read = self.env.get(node.args[0])  # type: ignore[arg-type]
        index: Any = node.args[1]
        if isinstance(read, tuple) and isinstance(index, int):
            self.env[node] = read[index]
            return
        simple = isinstance(index, tuple) and 2 <= len(index) <= 4 and all(item == slice(None) for item in (index[0], *index[2:]))
        if isinstance(read, Reading) and not read.view and simple and isinstance(index[1], slice) and index[1].step in (None, 1):
            channels = self.nodes[read.name].shape[0]
            start, stop, _ = slice(*(self._plain(bound) for bound in (index[1].start, index[1].stop))).indices(channels)
            self.emit(node, "slice", (read.name,), attributes={"start": start, "stop": stop})
        else:
            self._unsupported(node, "an index other than a range of channels", "x[:, a:b]")

    def _plain(self, value: Any) -> Any:
        return self.values[value] if isinstance(value, fx.Node) else value

    def reshape(self, node: fx.Node) -> None:
        """Views: flattening before a linear layer, and the three steps of a channel shuffle."""
        reading, result = self.source(node), tuple(self.values[node].shape)
        channels, height, width = self.nodes[reading.name].shape
        if self.nodes[reading.name].kind == "unsupported":
            self.env[node] = reading
        elif result[1:] == (channels, height, width) and reading.view != "swapped":
            self.env[node] = Reading(reading.name)
        elif reading.view == "swapped" and result[1:] == (channels, height, width):
            self.emit(node, "shuffle", (reading.name,), attributes={"groups": reading.groups})
        elif not reading.view and len(result) == 5 and result[3:] == (height, width):
            self.env[node] = Reading(reading.name, "grouped", result[1])
        elif reading.view in ("", "flat") and result[1:] == (channels * height * width,):
            self.env[node] = Reading(reading.name, "flat" if height * width > 1 else "")
        else:
            self._unsupported(node, f"a view of shape {result}", "flattening before a linear layer, or a channel shuffle")

    def transpose(self, node: fx.Node) -> None:
        """The middle of a channel shuffle."""
        reading, order = self.source(node), tuple(node.args[1:])
        swap = order in ((1, 2), (2, 1)) or order in ((0, 2, 1, 3, 4), ((0, 2, 1, 3, 4),), ([0, 2, 1, 3, 4],))
        if reading.view == "grouped" and swap:
            self.env[node] = Reading(reading.name, "swapped", reading.groups)
        else:
            self._unsupported(node, "a transposition", "the transposition of a channel shuffle")

    def same(self, node: fx.Node) -> None:
        """Operators that change nothing at inference: identity, dropout, contiguous."""
        self.env[node] = self.source(node)


def _holds_tensors(value: Any) -> bool:
    """A tuple of tensors (chunk, split) is work to do; a size or a number is a plain value."""
    return isinstance(value, list | tuple) and any(isinstance(item, Tensor) for item in value)


def _clamp(lowering: Lowering, node: fx.Node) -> None:
    low = node.args[1] if len(node.args) > 1 else node.kwargs.get("min", node.kwargs.get("min_val"))
    high = node.args[2] if len(node.args) > 2 else node.kwargs.get("max", node.kwargs.get("max_val"))
    if any(isinstance(bound, fx.Node) for bound in (low, high)):
        lowering._unsupported(node, "bounds that are computed", "constant bounds")
        return
    lowering.activation(node, -math.inf if low is None else float(low), math.inf if high is None else float(high))  # type: ignore[arg-type]


def _argument(node: fx.Node, position: int, name: str, default: Any = None) -> Any:
    return node.args[position] if len(node.args) > position else node.kwargs.get(name, default)


def _pool_call(kind: Kind) -> Callable[[Lowering, fx.Node], None]:
    def handle(lowering: Lowering, node: fx.Node) -> None:
        sizes = [_argument(node, 1, "kernel_size"), _argument(node, 2, "stride"), _argument(node, 3, "padding", 0)]
        lowering.pool(node, kind, *sizes, ceil_mode=bool(node.kwargs.get("ceil_mode", False)))

    return handle


_CALLS: dict[Any, Callable[[Lowering, fx.Node], None]] = {
    **dict.fromkeys((operator.add, operator.iadd, torch.add, "add"), Lowering.add),
    **dict.fromkeys((torch.cat, torch.concat, torch.concatenate), Lowering.concat),
    **dict.fromkeys((torch.chunk, torch.split, "chunk", "split"), Lowering.split),
    operator.getitem: Lowering.getitem,
    **dict.fromkeys((torch.flatten, torch.reshape, torch.squeeze, "flatten", "reshape", "view", "squeeze"), Lowering.reshape),
    **dict.fromkeys((torch.transpose, torch.permute, torch.swapaxes, "transpose", "permute", "swapaxes"), Lowering.transpose),
    **dict.fromkeys((torch.relu, functional.relu, "relu"), lambda low, node: low.activation(node, 0.0, math.inf)),
    functional.relu6: lambda low, node: low.activation(node, 0.0, 6.0),
    **dict.fromkeys((torch.clamp, torch.clip, functional.hardtanh, "clamp", "clip"), _clamp),
    **dict.fromkeys((torch.mean, "mean"), Lowering.mean),
    functional.adaptive_avg_pool2d: lambda low, node: low.global_pool(node, _argument(node, 1, "output_size")),
    functional.max_pool2d: _pool_call("maxpool"),
    functional.avg_pool2d: _pool_call("avgpool"),
    functional.interpolate: lambda low, node: low.upsample(
        node, _argument(node, 2, "scale_factor"), _argument(node, 1, "size"), _argument(node, 3, "mode", "nearest")
    ),
    **dict.fromkeys((functional.dropout, "contiguous", "detach"), Lowering.same),
}

_MODULES: dict[str, Callable[[Lowering, fx.Node, Any], None]] = {
    "Conv2d": Lowering.convolution,
    "Linear": Lowering.linear,
    "BatchNorm2d": Lowering.norm,
    "DeformableDepthwise": Lowering.deform,
    "Displacement": lambda low, node, module: low.activation(node, module.d_min, module.d_max, str(node.target)),
    "ReLU": lambda low, node, _: low.activation(node, 0.0, math.inf),
    "ReLU6": lambda low, node, _: low.activation(node, 0.0, 6.0),
    "Hardtanh": lambda low, node, module: low.activation(node, float(module.min_val), float(module.max_val)),
    "MaxPool2d": lambda low, node, module: low.pool(
        node, "maxpool", module.kernel_size, module.stride, module.padding, ceil_mode=module.ceil_mode, dilation=module.dilation
    ),
    "AvgPool2d": lambda low, node, module: low.pool(
        node, "avgpool", module.kernel_size, module.stride, module.padding, ceil_mode=module.ceil_mode
    ),
    "AdaptiveAvgPool2d": lambda low, node, module: low.global_pool(node, module.output_size),
    "Upsample": lambda low, node, module: low.upsample(node, module.scale_factor, module.size, module.mode),
    "ChannelShuffle": lambda low, node, module: low.emit(node, "shuffle", (low.source(node).name,), attributes={"groups": module.groups}),
    "Flatten": lambda low, node, _: low.reshape(node),
    **dict.fromkeys(("Identity", "Dropout", "Dropout2d"), lambda low, node, _: low.same(node)),
}
