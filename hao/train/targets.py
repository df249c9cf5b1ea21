"""CenterNet training targets: Gaussian heat maps, box sizes and centre offsets."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hao.models.decode import STRIDE


@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """Targets of a batch; positions index the flattened output map.

    Attributes:
        heat: ``(N, classes, H, W)`` float32 in [0, 1].
        picture, position, label: ``(objects,)`` int64: which picture, which pixel ``y * W + x``, which class.
        size, offset: ``(objects, 2)`` float32: (width, height) and (x, y), output pixels.
    """

    heat: NDArray[np.float32]
    picture: NDArray[np.int64]
    position: NDArray[np.int64]
    label: NDArray[np.int64]
    size: NDArray[np.float32]
    offset: NDArray[np.float32]


def gaussian_radius(width: float, height: float, overlap: float = 0.7) -> float:
    """Largest shift of both corners, in the worst direction, that keeps an intersection over union of ``overlap``.

    The smallest of three cases (one corner in and one out, both in, both out), each a quadratic in the shift.
    """
    total, area = width + height, width * height
    shifted = (total - math.sqrt(total**2 - 4 * area * (1 - overlap) / (1 + overlap))) / 2
    inside = (total - math.sqrt(total**2 - 4 * area * (1 - overlap))) / 4
    outside = (math.sqrt(overlap**2 * total**2 + 4 * overlap * area * (1 - overlap)) - overlap * total) / (4 * overlap)
    return min(shifted, inside, outside)


def _splat(heat: NDArray[np.float32], x: int, y: int, radius: int) -> None:
    sigma = (2 * radius + 1) / 6
    line = np.exp(-(np.arange(-radius, radius + 1, dtype=np.float32) ** 2) / np.float32(2 * sigma * sigma))
    height, width = heat.shape
    top, left = max(0, y - radius), max(0, x - radius)
    bottom, right = min(height, y + radius + 1), min(width, x + radius + 1)
    bump = np.outer(line[top - y + radius : bottom - y + radius], line[left - x + radius : right - x + radius])
    window = heat[top:bottom, left:right]
    np.maximum(window, bump, out=window)


def make_targets(boxes: list[NDArray[np.float32]], labels: list[NDArray[np.int32]], size: int, classes: int) -> Targets:
    """Targets of a batch of pictures of ``size`` pixels; boxes are x0, y0, x1, y1 in pixels of the picture."""
    side = size // STRIDE
    heat = np.zeros((len(boxes), classes, side, side), np.float32)
    rows: list[tuple[int, int, int, float, float, float, float]] = []
    for picture, (each, names) in enumerate(zip(boxes, labels, strict=True)):
        for (x0, y0, x1, y1), label in zip(each.tolist(), names.tolist(), strict=True):
            width, height = (x1 - x0) / STRIDE, (y1 - y0) / STRIDE
            centre_x, centre_y = (x0 + x1) / 2 / STRIDE, (y0 + y1) / 2 / STRIDE
            x, y = min(int(centre_x), side - 1), min(int(centre_y), side - 1)
            _splat(heat[picture, label], x, y, max(0, int(gaussian_radius(width, height))))
            rows.append((picture, y * side + x, label, width, height, centre_x - x, centre_y - y))
    table = np.array(rows, dtype=np.float64).reshape(-1, 7)
    picture_, position, label_ = table[:, :3].astype(np.int64).T
    return Targets(heat, picture_, position, label_, table[:, 3:5].astype(np.float32), table[:, 5:].astype(np.float32))
