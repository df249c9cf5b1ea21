"""CenterNet decoding in numpy: the host does it at run time, without torch. And its inverse, the training targets' geometry."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hao.errors import ModelError

STRIDE = 4
"""Pixels of the image a pixel of the output maps."""

TOP_K = 100
"""Detections kept a picture, over all classes."""

Floats = NDArray[np.float32] | NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """What the network found in one picture, best first.

    Attributes:
        boxes: ``(k, 4)`` float32: x0, y0, x1, y1 in pixels of the network's input.
        labels: ``(k,)`` int32.
        scores: ``(k,)`` float32 in (0, 1).
    """

    boxes: NDArray[np.float32]
    labels: NDArray[np.int32]
    scores: NDArray[np.float32]


def peaks(heat: Floats) -> NDArray[np.bool_]:
    """Where a point is the maximum of its 3x3 neighbourhood, ``(classes, H, W)`` -> the same shape.

    Of equal neighbours the first in raster order counts. The published decoding keeps them all, which costs nothing with
    floating-point heat maps, where ties hardly occur; in eight bits they are frequent, and each would be one object found twice.
    """
    height, width = heat.shape[1:]
    padded: NDArray[np.float64] = np.pad(heat.astype(np.float64), ((0, 0), (1, 1), (1, 1)), constant_values=-np.inf)
    found: NDArray[np.bool_] = np.ones(heat.shape, bool)
    for place in range(9):
        neighbour = padded[:, place // 3 : place // 3 + height, place % 3 : place % 3 + width]
        if place != 4:
            found &= neighbour < heat if place < 4 else neighbour <= heat
    return found


def decode(heat: Floats, size: Floats, offset: Floats, top_k: int = TOP_K) -> Detections:
    """Boxes from the three heads of one picture.

    Args:
        heat: logits, ``(classes, H, W)``.
        size: width and height in output pixels, ``(2, H, W)``.
        offset: x and y of the centre inside its output pixel, ``(2, H, W)``.
        top_k: most detections to return.

    Raises:
        ModelError: the shapes do not belong together.
    """
    if heat.ndim != 3 or size.shape != (2, *heat.shape[1:]) or offset.shape != size.shape:
        raise ModelError(
            f"heads of shapes {heat.shape}, {size.shape} and {offset.shape} do not belong together",
            hint="expected (classes, H, W), (2, H, W), (2, H, W)",
        )
    candidates = np.flatnonzero(peaks(heat))
    logits = heat.reshape(-1)[candidates]
    # A stable order (score, then position) so that equal integers give equal boxes on every engine.
    best = np.lexsort((candidates, -logits.astype(np.float64)))[:top_k]
    labels, y, x = np.unravel_index(candidates[best], heat.shape)
    centre_x, centre_y = x + offset[0, y, x], y + offset[1, y, x]
    half_width, half_height = np.maximum(size[0, y, x], 0) / 2, np.maximum(size[1, y, x], 0) / 2
    corners = (centre_x - half_width, centre_y - half_height, centre_x + half_width, centre_y + half_height)
    boxes = np.stack(corners, axis=1) * STRIDE
    scores = 1 / (1 + np.exp(-logits[best].astype(np.float64)))
    return Detections(boxes.astype(np.float32), labels.astype(np.int32), scores.astype(np.float32))
