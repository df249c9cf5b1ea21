"""Random draws that stay the same for ever: only raw bits of PCG64, whose stream numpy guarantees, and integers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")

TURN = 4096
"""Angles are integers, this many to a full turn."""

UNIT = 1 << 14
"""Fixed-point one of ``cosine`` and ``sine``."""


@cache
def _trigonometry() -> tuple[tuple[int, int], ...]:
    # Rounded to 14 bits, so that the last digit of a machine's cosine cannot change a scene.
    return tuple((round(UNIT * math.cos(2 * math.pi * k / TURN)), round(UNIT * math.sin(2 * math.pi * k / TURN))) for k in range(TURN))


def cosine_sine(angle: int) -> tuple[int, int]:
    """Cosine and sine of ``angle`` (in ``TURN``\\ ths of a turn), times ``UNIT``."""
    return _trigonometry()[angle % TURN]


class Draw:
    """A stream of random integers named by a tuple of integers."""

    def __init__(self, *name: int) -> None:
        self._bits = np.random.PCG64(np.random.SeedSequence(name))

    def below(self, limit: int) -> int:
        """Uniform in ``[0, limit)``; ``limit`` up to 2^32."""
        return (int(self._bits.random_raw()) >> 32) * limit >> 32

    def between(self, low: int, high: int) -> int:
        """Uniform in ``[low, high]``."""
        return low + self.below(high - low + 1)

    def chance(self, percent: int) -> bool:
        """True in ``percent`` of a hundred draws."""
        return self.below(100) < percent

    def pick(self, items: Sequence[T]) -> T:
        """One of ``items``, uniformly."""
        return items[self.below(len(items))]

    def weighted(self, items: Sequence[tuple[T, int]]) -> T:
        """One of ``(item, weight)``, by integer weights."""
        point = self.below(sum(weight for _, weight in items))
        for item, weight in items:
            point -= weight
            if point < 0:
                return item
        return items[-1][0]

    def log_between(self, low: int, high: int) -> int:
        """Integer in ``[low, high]`` whose logarithm is about uniform: each octave is equally likely."""
        # 2^(k/256) by a table of rounded integers keeps the draw free of floating point.
        table = _octaves()
        first, last = (round(256 * math.log2(edge)) for edge in (low, high))
        k = self.between(first, last)
        return min(high, max(low, (table[k % 256] << (k // 256)) + (1 << 15) >> 16))

    def bytes(self, count: int) -> NDArray[np.uint8]:
        """``count`` uniform bytes."""
        return np.ascontiguousarray(self._bits.random_raw((count + 7) // 8).astype("<u8")).view(np.uint8)[:count]


@cache
def _octaves() -> tuple[int, ...]:
    return tuple(round(2 ** (16 + k / 256)) for k in range(256))
