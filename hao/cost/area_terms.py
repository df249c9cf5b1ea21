"""How the area of an engine depends on its configuration: module by module, linear in a few sizes.

Memories are counted apart (`hao.cost.memories`): their multiplexers and output registers are taken out of a module's figures before
the fit.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from hao.cost.memories import bank_words, block_ram, image_pair_bits, load_fifo_depth, memories
from hao.engine.config import EngineConfig

_LUTRAM = ((32, 14), (64, 7))  # words, and bits that eight LUTs of simple dual-port LUTRAM hold side by side
_QUEUE_BITS = 512
_QUEUES = 5
_DW_PRODUCTS = 72
_NARROW, _WIDE = 8, 16


def _bits(count: int) -> float:
    return float(math.ceil(math.log2(max(count, 2))))


def _queue_luts(config: EngineConfig) -> float:
    wide = next(bits for words, bits in _LUTRAM if config.queue_depth <= words)
    return float(-(-_QUEUE_BITS // wide) * 8)


QUEUES = "queues"
"""The LUTRAM of the five instruction queues, counted beside the block memories."""
SIZES: dict[str, Callable[[EngineConfig], float]] = {
    "one": lambda _: 1.0,
    "px": lambda config: float(config.px),
    "px is 2": lambda config: float(config.px == 2),
    "po": lambda config: float(config.po),
    "pi px": lambda config: float(config.pi * config.px),
    "po px": lambda config: float(config.po * config.px),
    "pi po px": lambda config: float(config.pi * config.po * config.px),
    "po is 8": lambda config: float(config.po == _NARROW),
    "dw_lanes is 8": lambda config: float(config.dw_lanes == _NARROW),
    "dw_lanes is 16": lambda config: float(config.dw_lanes == _WIDE),
    "requantization lanes": lambda config: float(config.po + config.dw_lanes),
    "window address bits": lambda config: _bits(config.win_depth),
    "weight address bits": lambda config: _bits(config.wb_words),
    "parameter address bits": lambda config: _bits(config.pb_words),
    "displacement address bits": lambda config: _bits(config.disp_entries),
    "bank address bits": lambda config: config.px * _bits(bank_words(config)),
    "image address bits": lambda config: float(image_pair_bits(config)),
    "load FIFO address bits": lambda config: _bits(load_fifo_depth(config)),
    "outstanding bits": lambda config: _bits(config.outstanding),
}
"""What figures are linear in, by name."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What one module depends on: ``sizes`` its figures are linear in, and the memories that lie inside."""

    sizes: tuple[str, ...] = ("one",)
    memories: tuple[str, ...] = ()


_WINDOW = Shape(("one", "window address bits"))
_PAIRS = Shape(("dw_lanes is 16",))
SHAPES: dict[str, Shape] = {
    "hao_issue": Shape(("one",), (QUEUES,)),
    "hao_read_dma": Shape(("one", "load FIFO address bits"), ("load FIFO",)),
    "hao_write_dma": Shape(("one", "outstanding bits")),
    "hao_mac_array": Shape(("po", "pi px", "pi po px")),
    "hao_accumulator": Shape(("one", "po px")),
    "hao_dense_addr": Shape(("one", "px")),
    "hao_dense_setup": Shape(("one", "px")),
    "hao_dense_front": Shape(("one", "px")),
    "hao_weight_tile": Shape(("one", "weight address bits"), ("weights", "lists")),
    "hao_dense_out": Shape(("one", "po is 8")),
    "hao_dense_params": Shape(("one", "parameter address bits"), ("dense parameters",)),
    "hao_dense_scatter": _WINDOW,
    "hao_requant": Shape(("one", "requantization lanes")),
    "hao_fill": Shape(("px", "window address bits")),
    "hao_window": Shape(("one", "window address bits"), ("window",)),
    "hao_feature_memory": Shape(("one", "px is 2")),
    "hao_fm_bank": Shape(("px", "bank address bits"), ("feature memory",)),
    "hao_dw_params": Shape(("one", "parameter address bits"), ("depthwise parameters",)),
    "hao_dw_addr": Shape(("one", "displacement address bits"), ("displacements",)),
    "hao_dw_core": Shape(("dw_lanes is 8", "dw_lanes is 16")),
    "hao_dw_add": Shape(("one", "dw_lanes is 16")),
    "hao_dw_requant": Shape(("dw_lanes is 8", "dw_lanes is 16")),
    "hao_dw_walk": Shape(("one", "dw_lanes is 16")),
    "hao_dw_pair_front": _PAIRS,
    "hao_dw_lane": Shape(("dw_lanes is 8", "dw_lanes is 16")),
    "hao_gather": Shape(("one", "image address bits"), ("image rows",)),
    "hao_gather_emit": Shape(("one", "image address bits")),
}
"""Modules that are not named depend on nothing: each is a constant."""


def shape_of(module: str) -> Shape:
    """What ``module`` depends on."""
    return SHAPES.get(module, Shape())


def all_memories() -> tuple[str, ...]:
    """Names of everything that `memory_logic` counts."""
    return tuple(name for shape in SHAPES.values() for name in shape.memories)


def memory_logic(config: EngineConfig, names: tuple[str, ...]) -> tuple[float, float]:
    """LUTs and flip-flops that the memories called ``names`` need: multiplexers of stacked blocks, output registers."""
    lut = ff = 0.0
    for memory in memories(config):
        if memory.name in names:
            stacked = block_ram(memory.width, memory.depth).stacked
            lut += memory.count * _stack_luts(memory.width, stacked)
            ff += memory.count * (memory.width + 1 if memory.output else 0)
            ff += memory.count * (_bits(stacked) if stacked > 1 else 0)
    if QUEUES in names:
        lut += _QUEUES * _queue_luts(config)
    return lut, ff


def _stack_luts(width: int, stacked: int) -> float:
    """A multiplexer of ``stacked`` inputs a bit (four in a LUT6), and the decoded enables."""
    return 0.0 if stacked == 1 else width * math.ceil((stacked - 1) / 3) + stacked


def dsp(config: EngineConfig) -> int:
    """DSPs: one an input lane and output, one a requantization lane, and those of the depthwise core."""
    return config.pi * config.po + config.po + _DW_PRODUCTS + config.dw_lanes
