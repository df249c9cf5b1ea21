"""The memories of an engine, and what Yosys makes of each: block RAMs by width and depth, multiplexers where several are stacked."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

from hao.engine.config import EngineConfig
from hao.engine.isa import WINDOW_BANKS

# Yosys' choice (its library brams_xc4v, family xcup): address bits of the narrowest shape and cost of half a block and of a whole one.
# Widths are data bits a port; 9, 18, 36 and 72 hold as many words as 8, 16, 32 and 64.
_HALF = (14, 129, (1, 2, 4, 9, 18, 36))
_FULL = (15, 257, (1, 2, 4, 9, 18, 36, 72))
_MULTIPLEXER = 0.5  # cost of a bit of an extra input
_LIST_ENTRIES = 8  # list entries of 16 bits in a word of 128
_PIXELS_PER_ENTRY = 2
_IMAGE_MEMORIES = 3
_DISPLACEMENT_BITS = 6  # of a byte: Yosys drops the two that nothing behind the memory reads


@dataclass(frozen=True, slots=True)
class Memory:
    """``count`` equal simple dual-port memories of ``depth`` words of ``width`` bits; ``output``: with an output register."""

    name: str
    width: int
    depth: int
    count: int = 1
    output: bool = True


@dataclass(frozen=True, slots=True)
class BlockRam:
    """How one memory is built: 36 Kb blocks, and how many are stacked in depth."""

    bram36: float
    stacked: int


def load_fifo_depth(config: EngineConfig) -> int:
    """Words that the FIFO behind the read port holds for LOAD."""
    return 1 << math.ceil(math.log2(config.max_burst * max(config.outstanding, 2)))


def image_pair_bits(config: EngineConfig) -> int:
    """Address bits of a pixel pair in the row buffers of the gather unit."""
    return math.ceil(math.log2(config.row_bytes // 8))


def bank_words(config: EngineConfig) -> int:
    """Words of one bank of the feature memory."""
    return -(-config.fm_words // config.px)


def memories(config: EngineConfig) -> tuple[Memory, ...]:
    """Every block memory of the engine; LUTRAM is part of the units' figures."""
    return (
        Memory("feature memory", 8, bank_words(config), 16 * config.px, output=False),
        Memory("window", 128, config.win_depth, WINDOW_BANKS),
        Memory("weights", 128, config.wb_words),
        Memory("dense parameters", 128, config.pb_words),
        Memory("depthwise parameters", 128, config.pb_words),
        Memory("lists", 128, max(config.lm_entries // _LIST_ENTRIES, 1)),
        Memory("displacements", _DISPLACEMENT_BITS, config.disp_entries),
        Memory("image rows", 64, _PIXELS_PER_ENTRY << image_pair_bits(config), _IMAGE_MEMORIES),
        Memory("load FIFO", 128, load_fifo_depth(config), output=False),
    )


@lru_cache(maxsize=4096)
def block_ram(width: int, depth: int) -> BlockRam:
    """What Yosys builds a memory of ``depth`` words of ``width`` bits from (both at least 1)."""
    best: tuple[float, BlockRam] | None = None
    for blocks, (bits, cost, widths) in ((0.5, _HALF), (1.0, _FULL)):
        for shape in widths:
            words = 1 << (bits - (shape.bit_length() - 1))
            stacked, beside = -(-depth // words), -(-width // shape)
            total = stacked * beside * cost + _MULTIPLEXER * width * (stacked - 1)
            if best is None or total < best[0]:
                best = (total, BlockRam(blocks * stacked * beside, stacked))
    assert best is not None
    return best[1]


def total_bram36(config: EngineConfig) -> float:
    """36 Kb blocks of the whole engine; one of 18 Kb counts a half."""
    return sum(memory.count * block_ram(memory.width, memory.depth).bram36 for memory in memories(config))
