"""How the area of an engine depends on its configuration: one term a group of modules, linear in a few sizes.

A term is a constant for each combination of the parallelism that its modules see (its case), plus slopes over sizes. Memories are
counted apart (`hao.cost.memories`): their multiplexers and output registers are taken out of a module's figures before the fit.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from hao.cost.memories import bank_words, block_ram, image_pair_bits, load_fifo_depth, memories
from hao.engine.config import EngineConfig

_LUTRAM = ((32, 14), (64, 7))  # words, and bits that eight LUTs of simple dual-port LUTRAM hold side by side
_QUEUE_BITS = 512
_DW_PRODUCTS = 72


def _bits(count: int) -> float:
    return float(math.ceil(math.log2(max(count, 2))))


def _queue_luts(config: EngineConfig) -> float:
    wide = next(bits for words, bits in _LUTRAM if config.queue_depth <= words)
    return float(-(-_QUEUE_BITS // wide) * 8)


SIZES: dict[str, Callable[[EngineConfig], float]] = {
    "window address bits": lambda config: _bits(config.win_depth),
    "weight address bits": lambda config: _bits(config.wb_words),
    "parameter address bits": lambda config: _bits(config.pb_words),
    "list address bits": lambda config: _bits(config.lm_entries),
    "displacement address bits": lambda config: _bits(config.disp_entries),
    "bank address bits": lambda config: config.px * _bits(bank_words(config)),
    "image address bits": lambda config: float(image_pair_bits(config)),
    "queue LUTRAM": _queue_luts,
    "queue address bits": lambda config: _bits(config.queue_depth),
    "load FIFO address bits": lambda config: _bits(load_fifo_depth(config)),
    "burst bits": lambda config: _bits(config.max_burst),
    "outstanding bits": lambda config: _bits(config.outstanding),
    "requantization lanes": lambda config: float(config.po + config.dw_lanes),
}
"""Sizes that slopes are over, by name."""


def _dense(config: EngineConfig) -> str:
    return f"{config.pi}x{config.po}x{config.px}"


CASES: dict[str, Callable[[EngineConfig], str]] = {
    "pi x po x px": _dense,
    "po x px": lambda config: f"{config.po}x{config.px}",
    "po": lambda config: str(config.po),
    "px": lambda config: str(config.px),
    "dw_lanes": lambda config: str(config.dw_lanes),
    "all": lambda _: "all",
}
"""What the constants of a term depend on, by name."""


@dataclass(frozen=True, slots=True)
class Term:
    """Modules whose figures depend on the same things; ``memories`` names those that lie inside."""

    name: str
    modules: tuple[str, ...]
    case: str = "all"
    sizes: tuple[str, ...] = ()
    memories: tuple[str, ...] = ()


TERMS: tuple[Term, ...] = (
    Term(
        "dense array",
        ("hao_mac_array", "hao_dsp_row", "hao_accumulator", "hao_dense_addr", "hao_dense_setup", "hao_dense_front", "hao_dense"),
        "pi x po x px",
    ),
    Term("weight tile", ("hao_weight_tile",), "po", ("weight address bits", "list address bits"), ("weights", "lists")),
    Term(
        "dense results",
        ("hao_dense_out", "hao_dense_params", "hao_dense_scatter"),
        "po x px",
        ("window address bits", "parameter address bits"),
        ("dense parameters",),
    ),
    Term("requantization", ("hao_requant",), sizes=("requantization lanes",)),
    Term("fill", ("hao_fill",), "px", ("window address bits",)),
    Term("window", ("hao_window",), sizes=("window address bits",), memories=("window",)),
    Term("feature memory", ("hao_feature_memory", "hao_fm_bank"), "px", ("bank address bits",), ("feature memory",)),
    Term(
        "depthwise",
        (
            "hao_dw", "hao_dw_prepare", "hao_dw_params", "hao_dw_addr", "hao_dw_walk", "hao_dw_core", "hao_dw_pair_front",
            "hao_dw_pair_lane", "hao_dw_lane", "hao_dw_add", "hao_dw_requant", "hao_dw_scatter",
        ),
        "dw_lanes",
        ("displacement address bits", "parameter address bits"),
        ("depthwise parameters", "displacements"),
    ),
    Term("load", ("hao_load", "hao_gather", "hao_gather_emit"), sizes=("image address bits",), memories=("image rows",)),
    Term("queues", ("hao_issue",), sizes=("queue LUTRAM", "queue address bits")),
    Term(
        "DMA",
        ("hao_read_dma", "hao_write_dma"),
        sizes=("load FIFO address bits", "burst bits", "outstanding bits"),
        memories=("load FIFO",),
    ),
)  # fmt: skip
"""Every module that is named nowhere here belongs to the term ``REST``, which depends on nothing."""
REST = "rest"


def term_of(module: str) -> str:
    """The name of the term that ``module`` belongs to."""
    return next((term.name for term in TERMS if module in term.modules), REST)


def all_terms() -> tuple[Term, ...]:
    """`TERMS` and the rest."""
    return (*TERMS, Term(REST, ()))


def memory_logic(config: EngineConfig, names: tuple[str, ...]) -> tuple[float, float]:
    """LUTs and flip-flops that the memories called ``names`` need: multiplexers of stacked blocks, output registers."""
    lut = ff = 0.0
    for memory in memories(config):
        if memory.name in names:
            stacked = block_ram(memory.width, memory.depth).stacked
            lut += memory.count * _stack_luts(memory.width, stacked)
            ff += memory.count * (memory.width + 1 if memory.output else 0)
            ff += memory.count * (_bits(stacked) if stacked > 1 else 0)
    return lut, ff


def _stack_luts(width: int, stacked: int) -> float:
    """A multiplexer of ``stacked`` inputs a bit (four in a LUT6), and the decoded enables."""
    return 0.0 if stacked == 1 else width * math.ceil((stacked - 1) / 3) + stacked


def dsp(config: EngineConfig) -> int:
    """DSPs: one an input lane and output, one a requantization lane, and those of the depthwise core."""
    return config.pi * config.po + config.po + _DW_PRODUCTS + config.dw_lanes
