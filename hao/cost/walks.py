"""How long the dense core walks over one instruction's operands when nobody is in its way."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from hao.cost.latencies import latencies
from hao.engine.isa import LANES, TILE_WORDS

CHUNK = 32
"""Pixel groups whose partial sums the dense core holds; the drain buffer behind it holds as many."""


@dataclass(frozen=True, slots=True)
class Window:
    """Output rows ``y0`` to ``y1`` of a convolution over a map of ``in_h`` x ``in_w`` pixels."""

    in_w: int
    in_h: int
    out_w: int
    y0: int
    y1: int
    kernel: int = 1
    stride: int = 1
    pad: int = 0

    @property
    def pixels(self) -> int:
        """Output pixels."""
        return (self.y1 - self.y0) * self.out_w


@dataclass(frozen=True, slots=True)
class Walk:
    """One block of 16 outputs over a window. Times are cycles, fractions of one where an average is meant.

    Attributes:
        beats: cycles in which operands are asked for.
        cycles: from the first beat to the last, both included.
        last: beats of the last pass.
        lead: cycles from the first beat to the first one of a last pass: results leave from then on.
        half: a beat keeps one bank of the two.
        need: share of the beats that read anything; the others lie outside the map.
        behind: cycles from the last beat until the drain buffer is empty, beyond the pipeline.
        words: results, of 16 outputs each.
        drained: cycles that all results take to leave, one pixel (of ``po`` lanes) each.
        room: such cycles that the drain buffer may lie behind.
        tile: cycles from one tile's first beat to the next one's at the least, for the weights to arrive.
        tile_words: weight words of a tile.
        late: cycles that the way out begins later.
    """

    beats: float
    cycles: float
    last: float
    lead: float
    half: bool
    need: float
    behind: float
    drained: int
    words: int
    room: int
    tile: int
    tile_words: int
    late: int


@lru_cache(maxsize=4096)
def clashes(window: Window, px: int) -> tuple[int, int]:
    """Groups of pixels times taps whose operands lie in one bank of two (each costs a beat more), and that read nothing."""
    p = np.arange(window.y0 * window.out_w, window.y1 * window.out_w - window.pixels % px)
    y, x = p // window.out_w, p % window.out_w
    found = empty = 0
    for ky in range(window.kernel):
        for kx in range(window.kernel):
            iy, ix = y * window.stride - window.pad + ky, x * window.stride - window.pad + kx
            inside = (iy >= 0) & (iy < window.in_h) & (ix >= 0) & (ix < window.in_w)
            place = iy * window.in_w + ix
            if px == 2:
                found += int(np.count_nonzero(inside[0::2] & inside[1::2] & (place[0::2] % 2 == place[1::2] % 2)))
                inside = inside[0::2] | inside[1::2]
            empty += int(np.count_nonzero(~inside))
    return found, empty


@lru_cache(maxsize=65536)
def dense_walk(window: Window, planes: int, weight_bits: int, pi: int, po: int, px: int) -> Walk:
    """The walk of one DENSE instruction.

    Args:
        window: its output pixels.
        planes: input planes of 16 channels.
        weight_bits: as stored, 4 or 8.
        pi, po, px: of the engine.
    """
    constants = latencies()
    passes, halves, tiles = LANES // pi, LANES // po, window.kernel**2 * planes
    groups = -(-window.pixels // px)
    factor, reads = 1.0, 1.0
    if window.stride > 1 or window.kernel > 1:
        twice, empty = clashes(window, px)
        factor += twice / (window.kernel**2 * groups)
        reads -= empty / (window.kernel**2 * groups * factor)
    words = TILE_WORDS[weight_bits] // halves
    least = max(words + constants.tile_gap, constants.tile_least) + (1 if factor > 1.5 else 0)

    def chunk(size: int) -> float:
        # with 8 input lanes the second beat of a lone group waits a cycle for the sums of the first
        gap = 1 if passes > 1 and size == 1 else 0
        return max(size * factor * passes, size * factor * (passes - 1) + least) * tiles * halves + gap * tiles * halves

    full, rest = groups // CHUNK, groups % CHUNK
    beats = groups * factor * passes * tiles * halves
    pace = CHUNK * px * halves
    cycles = chunk(CHUNK) + (full - 1) * max(chunk(CHUNK), pace) if full else 0.0
    if rest:
        cycles += max(chunk(rest), pace - (CHUNK - rest) * px * halves) if full else chunk(rest)
    size = rest or CHUNK
    last = size * factor
    cycles = max(beats, cycles - max(0.0, least - last))
    late = constants.tile_more if tiles * halves > 1 and (groups > 1 or po < LANES) else 0
    first = CHUNK if full else rest
    lead = chunk(first) / (tiles * halves) * (tiles - 1) + first * factor * (passes - 1)
    behind = max(0.0, size * px - last)
    half = px == 2 and factor > 1.5
    return Walk(beats, cycles, last, lead, half, reads, behind, window.pixels * halves, window.pixels, pace, least, words, late)
