"""A float network with quantizers: the module that is calibrated, trained and turned into integers."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from hao.errors import QuantizationError
from hao.frontend.float_graph import FloatGraph, FloatNode
from hao.quant.config import QuantConfig
from hao.quant.layers import LayerIntegers, Surroundings, fake_quantize, folded, integers, round_half_up, straight_through
from hao.quant.ranges import ActivationRange, make_ranges

Mode = Literal["calibrate", "float"]


class QuantModel(nn.Module):
    """Executes a float graph with the parameters of ``source``, quantized or watched.

    Input and results are those of the source: a normalized image ``(N, C, H, W)``, the model's tensor or tuple. Batch
    normalization is folded with its running statistics, which training leaves alone; its gains and shifts are trained.

    Args:
        source: the float model; shared, not copied.
        graph: what :func:`hao.frontend.torch_import.from_torch` read from it.
        config: bit widths and range settings.

    Attributes:
        mode: ``calibrate`` after construction; see :mod:`hao.quant`.
        observing: whether ranges follow the data in training mode (``float`` mode, moving average).
    """

    std: Tensor
    mean: Tensor

    def __init__(self, source: nn.Module, graph: FloatGraph, config: QuantConfig | None = None) -> None:
        super().__init__()
        self.source, self.graph = source, graph
        self.config = config or QuantConfig()
        self.mode: Mode = "calibrate"
        self.observing = True
        self.ranges, self.range_of = make_ranges(graph, self.config.activation_bits)
        self.bits = layer_bits(graph, self.config)
        self.register_buffer("mean", torch.tensor(graph.mean, dtype=torch.float32))
        self.register_buffer("std", torch.tensor(graph.std, dtype=torch.float32))
        self._nodes = {node.name: node for node in graph.nodes}
        for index, name in enumerate(self.bits):
            out = self._nodes[name].shape[0]
            # Per layer: how much of the weights' reach is used, and what calibration adds to the bias.
            self.register_buffer(f"clip{index}", torch.ones(out))
            self.register_buffer(f"shift{index}", torch.zeros(out))
        self._index = {name: index for index, name in enumerate(self.bits)}
        self.to(next(source.parameters()).device)

    def set_mode(self, mode: Mode) -> QuantModel:
        """Choose how the model computes; returns the model."""
        self.mode = mode
        return self

    def range(self, name: str) -> ActivationRange:
        """The range that tensor ``name`` belongs to."""
        return self.ranges[self.range_of[name]]  # type: ignore[return-value]

    def clip_ratio(self, name: str) -> Tensor:
        """Share of the weights' reach that layer ``name`` uses, ``(out,)``; a buffer."""
        return getattr(self, f"clip{self._index[name]}")  # type: ignore[no-any-return]

    def bias_shift(self, name: str) -> Tensor:
        """What is added to the float bias of layer ``name``, ``(out,)``; a buffer."""
        return getattr(self, f"shift{self._index[name]}")  # type: ignore[no-any-return]

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Normalized image ``(N, C, H, W)`` to the source's results, in float32."""
        # Sixteen-bit floats cannot hold the sums of a layer; the quantized network computes in float32 throughout.
        with torch.autocast(x.device.type, enabled=False):
            values = self.tensors(x.float())
        results = tuple(values[name] for name in self.graph.outputs)
        return results[0] if self.graph.single else results

    def tensors(self, x: Tensor) -> dict[str, Tensor]:
        """Every tensor of the float graph by name, in real values (the image in units of its bytes)."""
        values: dict[str, Tensor] = {}
        for node in self.graph.nodes:
            read = [x] if node.kind == "input" else [values[name] for name in node.inputs]
            values[node.name] = self.compute(node, read)
        watching = self.mode == "calibrate" or (self.training and self.observing)
        for item in self.ranges.values() if watching else ():
            item.commit(None if self.mode == "calibrate" else self.config.momentum)  # type: ignore[operator]
        return values

    def compute(self, node: FloatNode, inputs: list[Tensor]) -> Tensor:
        """Value of one tensor from those it reads, in the current mode."""
        first = inputs[0]
        attributes = node.attributes
        if node.kind == "input":
            return self._read(first)
        if node.kind == "maxpool":
            return functional.max_pool2d(first, attributes["kernel"], attributes["stride"], attributes["pad"])
        if node.kind == "concat":
            return torch.cat(inputs, 1)
        if node.kind == "slice":
            return first[:, attributes["start"] : attributes["stop"]]
        if node.kind == "shuffle":
            return functional.channel_shuffle(first, attributes["groups"])
        if node.kind == "upsample":
            return functional.interpolate(first, scale_factor=2, mode="nearest")
        return self._quantize(node, self.arithmetic(node, inputs))

    def surroundings(self, node: FloatNode) -> Surroundings:
        """Scales around layer ``node``."""
        source = self.range(node.inputs[0])
        low, high = source.limits
        largest = 255.0 if source.bits == 9 else float(max(-low, high))
        return Surroundings(source.scale, self.range(node.name).scale, largest)

    def parameters_of(self, node: FloatNode) -> tuple[Tensor, Tensor]:
        """Folded float weight and bias of a layer, the bias with its calibrated shift."""
        read = self._nodes[node.inputs[0]]
        std = self.std if read.kind == "input" else None
        weight, bias = folded(self.source, node, read.shape[0], std)
        return weight, bias + self.bias_shift(node.name)

    def integers_of(self, node: FloatNode, *, exact: bool = False) -> LayerIntegers:
        """Integer weights and biases of a layer; ``exact`` computes them in float64."""
        weight, bias = self.parameters_of(node)
        around, ratio = self.surroundings(node), self.clip_ratio(node.name)
        if exact:
            weight, bias, ratio = weight.double(), bias.double(), ratio.double()
            around = Surroundings(around.input_scale.double(), around.output_scale.double(), around.largest)
        return integers(weight, bias, self.bits[node.name], ratio, around)

    def _read(self, x: Tensor) -> Tensor:
        column = (slice(None), None, None)
        centred = x * self.std[column]
        if self.mode == "calibrate":
            return centred
        return torch.clamp(round_half_up(centred + self.mean[column]), 0, 255) - self.mean[column]

    def arithmetic(self, node: FloatNode, inputs: list[Tensor]) -> Tensor:
        """Result of an arithmetic node before activation and requantization."""
        first = inputs[0]
        attributes = node.attributes
        if node.kind == "add":
            return first + inputs[1]
        if node.kind == "requantize":
            return first
        if node.kind == "avgpool":
            kernel = attributes["kernel"]
            return functional.avg_pool2d(first, kernel, attributes["stride"]) if kernel else first.mean((2, 3), keepdim=True)
        weight, bias = self.parameters_of(node)
        if self.mode == "float":
            exact, scale = self.integers_of(node), self.surroundings(node).input_scale
            weight = straight_through(weight, exact.weight * exact.scale[:, None, None, None])
            bias = straight_through(bias, exact.bias * exact.scale * scale)
        if node.kind == "conv":
            return functional.conv2d(first, weight, bias, attributes["stride"], attributes["pad"], groups=attributes["groups"])
        deform = self.source.get_submodule(node.module)
        result: Tensor = torch.func.functional_call(deform, {"weight": weight}, (first, inputs[1]))
        return result + bias[:, None, None]

    def _quantize(self, node: FloatNode, values: Tensor) -> Tensor:
        if node.displacement:
            # Clipped but not rounded: the deformable layer rounds, and its gradient needs the unrounded displacement.
            return self.source.get_submodule(node.displacement)(values)  # type: ignore[no-any-return]
        kept = self.range(node.name)
        # An unsigned type clips at zero by itself, and its range ignores what is below.
        implied = node.clip == (0.0, math.inf) and self.mode == "float" and not kept.signed and self.config.percentile == 100.0
        if node.clip is not None and not implied:
            values = torch.clamp(values, *node.clip)
        if kept.fixed is None and (self.mode == "calibrate" or (self.training and self.observing)):
            kept.watch(values, self.config.percentile)
        if self.mode == "calibrate" or kept.fixed is not None:
            return values
        return fake_quantize(values, kept.scale, *kept.limits)


def layer_bits(graph: FloatGraph, config: QuantConfig) -> dict[str, int]:
    """Weight bits of every layer with weights, by name.

    Raises:
        QuantizationError: an override names no layer, or is not from 2 to 8.
    """
    nodes = {node.name: node for node in graph.nodes}
    edge: set[str] = set()
    for name in graph.outputs:
        # Values that are only moved still come from the layer before.
        frontier = [name]
        while frontier:
            node = nodes[frontier.pop()]
            if node.kind in ("conv", "deform"):
                edge.add(node.name)
            elif node.kind != "input" and not (node.kind == "add" or node.kind == "avgpool"):
                frontier.extend(node.inputs)
    edge |= {node.name for node in graph.nodes if node.kind == "conv" and nodes[node.inputs[0]].kind == "input"}
    bits = {
        node.name: config.edge_bits if node.name in edge else config.weight_bits for node in graph.nodes if node.kind in ("conv", "deform")
    }
    for name, value in config.overrides.items():
        if name not in bits or not 2 <= value <= 8:
            raise QuantizationError(
                f"{value} weight bits for layer {name!r}", "2 to 8 bits, for a convolution or linear layer of the network"
            )
        bits[name] = value
    return bits
