"""Pictures that networks are fuzzed with: random ones, and the regular and extreme ones that random ones never are."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from hao.ir.builder import random_image
from hao.ir.graph import Shape

Picture = npt.NDArray[np.uint8]


def _equal(shape: Shape, rng: np.random.Generator) -> Picture:
    return np.full(shape, int(rng.integers(256)), np.uint8)


def _extremes(shape: Shape, rng: np.random.Generator) -> Picture:
    return rng.choice(np.array([0, 255], np.uint8), shape)


def _checkers(shape: Shape, rng: np.random.Generator) -> Picture:
    channel, row, column = np.indices(shape)
    return np.where((channel * int(rng.integers(2)) + row + column) % 2, 255, 0).astype(np.uint8)


def _stripes(shape: Shape, rng: np.random.Generator) -> Picture:
    return np.where(np.indices(shape)[int(rng.integers(1, 3))] % 2, 255, 0).astype(np.uint8)


def _ramp(shape: Shape, rng: np.random.Generator) -> Picture:
    return (np.arange(int(np.prod(shape))).reshape(shape) * int(rng.integers(1, 8))).astype(np.uint8)


def _point(shape: Shape, rng: np.random.Generator) -> Picture:
    picture = np.zeros(shape, np.uint8)
    picture[tuple(int(rng.integers(size)) for size in shape)] = 255
    return picture


PICTURES: dict[str, Callable[[Shape, np.random.Generator], Picture]] = {
    "random": random_image,
    "zero": lambda shape, _: np.zeros(shape, np.uint8),
    "full": lambda shape, _: np.full(shape, 255, np.uint8),
    "equal": _equal,
    "extremes": _extremes,
    "checkers": _checkers,
    "stripes": _stripes,
    "ramp": _ramp,
    "point": _point,
}
"""Makers of pictures ``(C, H, W)`` of unsigned bytes, by name."""


def draw_picture(shape: Shape, rng: np.random.Generator) -> tuple[str, Picture]:
    """A picture and the name of its kind: every second one random."""
    names = list(PICTURES)
    kind = "random" if rng.random() < 0.5 else names[int(rng.integers(1, len(names)))]
    return kind, PICTURES[kind](shape, rng)
