"""Cycles that one layer keeps every unit, by its shape alone: cheap enough to be asked for thousands of times.

A bound, not a frame: units overlap, wait for one another and for the DRAM. :func:`hao.cost.cycles.estimate_cycles` knows all of
that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hao.boards import Board
from hao.cost.walks import Window, dense_walk
from hao.engine.config import EngineConfig
from hao.engine.isa import DW_PARAM_WORDS, LANES, REQUANT_WORDS, TILE_WORDS, WORD_BYTES
from hao.errors import CostError
from hao.ir.graph import Add, Concat, Conv, Graph, Input, Requantize, Shuffle, Slice, Upsample
from hao.ir.types import infer

Kind = Literal["dense", "depthwise", "add"]


@dataclass(frozen=True, slots=True)
class LayerShape:
    """A layer as the engine sees it.

    Attributes:
        kind: ``dense`` (any convolution of all channels), ``depthwise`` (also deformable and pooling), ``add`` (also requantize).
        inputs, outputs: channels.
        height, width: of the output, pixels.
        kernel, stride, pad: of ``dense``; the depthwise core's nine taps cost the same whatever they are.
        weight_bits: 2 to 8; the engine stores 4 or 8.
        in_height, in_width: of the input; ``height * stride`` when 0.
        window: whether its result (dense) or input (depthwise) goes through the window by FILL: a depthwise layer that reads the
            feature memory does, one that reads what a dense layer wrote there does not.
    """

    kind: Kind
    inputs: int
    outputs: int
    height: int
    width: int
    kernel: int = 1
    stride: int = 1
    pad: int = 0
    weight_bits: int = 4
    in_height: int = 0
    in_width: int = 0
    window: bool = True


@dataclass(frozen=True, slots=True)
class LayerCycles:
    """Cycles of each unit, stalls apart, and the words of weights and parameters that LOAD brings."""

    dense: int = 0
    dw: int = 0
    fill: int = 0
    load_words: int = 0

    def __add__(self, other: LayerCycles) -> LayerCycles:
        return LayerCycles(
            self.dense + other.dense, self.dw + other.dw, self.fill + other.fill, self.load_words + other.load_words
        )  # fmt: skip

    def load(self, board: Board) -> float:
        """Cycles of the DRAM for the words, at its sustained rate."""
        return self.load_words * WORD_BYTES / board.sustained_bytes_per_cycle

    def bound(self, board: Board) -> float:
        """No frame of such layers is shorter than its busiest unit, cycles."""
        return max(self.dense, self.dw, self.fill, self.load(board))


def layer_cycles(layer: LayerShape, config: EngineConfig) -> LayerCycles:
    """What ``layer`` costs on ``config``.

    Raises:
        CostError: a size that is not positive, or a weight width that the engine cannot store.
    """
    if min(layer.inputs, layer.outputs, layer.height, layer.width, layer.kernel, layer.stride) < 1:
        raise CostError(f"a layer of {layer.inputs} to {layer.outputs} channels, {layer.height} x {layer.width}, is empty")
    if not 2 <= layer.weight_bits <= max(TILE_WORDS):
        raise CostError(f"weights of {layer.weight_bits} bits cannot be stored", "the engine takes 2 to 8 bits")
    pixels, blocks = layer.height * layer.width, -(-layer.outputs // LANES)
    pace = LANES // config.dw_lanes
    if layer.kind == "add":
        return LayerCycles(dw=2 * pixels * pace * blocks)
    if layer.kind == "depthwise":
        source = (layer.in_height or layer.height * layer.stride) * (layer.in_width or layer.width * layer.stride)
        words = DW_PARAM_WORDS * blocks
        return LayerCycles(dw=(pixels * pace + 1) * blocks, fill=source * blocks if layer.window else 0, load_words=words)
    bits = 4 if layer.weight_bits <= 4 else 8
    planes = -(-layer.inputs // LANES)
    window = Window(
        layer.in_width or layer.width * layer.stride, layer.in_height or layer.height * layer.stride, layer.width, 0, layer.height,
        layer.kernel, layer.stride, layer.pad,
    )  # fmt: skip
    walk = dense_walk(window, planes, bits, config.pi, config.po, config.px)
    cycles = max(walk.cycles, walk.drained)
    words = (TILE_WORDS[bits] * planes * layer.kernel**2 + REQUANT_WORDS) * blocks
    return LayerCycles(dense=round(cycles) * blocks, load_words=words)


def _only_reader(graph: Graph) -> dict[str, bool]:
    """Whether a tensor is read exactly once, and is no output."""
    count: dict[str, int] = dict.fromkeys((node.name for node in graph.nodes), 0)
    for node in graph.nodes:
        for name in node.inputs:
            count[name] += 1
    return {name: number == 1 and name not in graph.outputs for name, number in count.items()}


def network_shapes(graph: Graph) -> dict[str, LayerShape]:
    """The layers of ``graph`` (rewritten as the compiler does, :func:`hao.compiler.rewrite.rewrite`) by the names of their tensors.

    Layers that cost nothing (shuffle, slice, concatenation, up-sampling on the way to the window) are left out.
    """
    types, single = infer(graph), _only_reader(graph)
    nodes = {node.name: node for node in graph.nodes}
    shapes: dict[str, LayerShape] = {}
    for node in graph.nodes:
        if isinstance(node, Input | Concat | Slice | Shuffle | Upsample):
            continue
        channels, height, width = types[node.name].shape
        source = node.inputs[0]
        inputs, in_height, in_width = types[source].shape
        if isinstance(node, Add | Requantize):
            shapes[node.name] = LayerShape("add", inputs, channels, height, width)
        elif isinstance(node, Conv) and node.groups == 1:
            kernel, stride, pad = int(node.weight.shape[-1]), node.stride, node.pad
            if isinstance(nodes[source], Input):  # gathered into words of the kernel's pixels
                inputs, in_height, in_width, kernel, stride, pad = inputs * kernel**2, height, width, 1, 1, 0
            shapes[node.name] = LayerShape(
                "dense", inputs, channels, height, width, kernel, stride, pad, node.weight_bits, in_height, in_width
            )  # fmt: skip
        else:
            before = nodes[source]
            fed = isinstance(before, Conv) and before.groups == 1 and single[source]
            shapes[node.name] = LayerShape(
                "depthwise", inputs, channels, height, width, in_height=in_height, in_width=in_width, window=not fed
            )  # fmt: skip
    return shapes


def network_cycles(graph: Graph, config: EngineConfig) -> LayerCycles:
    """Sum of :func:`layer_cycles` over :func:`network_shapes`."""
    return sum((layer_cycles(shape, config) for shape in network_shapes(graph).values()), LayerCycles())
