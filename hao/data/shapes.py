"""The twenty classes: silhouettes, told apart by shape alone and under any rotation or reflection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from hao.data.draw import TURN, UNIT, Draw, cosine_sine

Polygon = tuple[tuple[int, int], ...]
"""Vertices (x, y) in units of 1/1024 of the silhouette's half-width."""

OVERSAMPLING = 4
"""Masks are drawn this many times larger and box-averaged, so their edges are soft."""

_ONE = 1024


def _polygon(*points: tuple[float, float]) -> Polygon:
    return tuple((round(_ONE * x), round(_ONE * y)) for x, y in points)


def _box(x0: float, y0: float, x1: float, y1: float) -> Polygon:
    return _polygon((x0, y0), (x1, y0), (x1, y1), (x0, y1))


def _arc(x: float, y: float, radius: float, first: int = 0, last: int = TURN, steps: int = 48) -> list[tuple[float, float]]:
    angles = [first + (last - first) * k // steps for k in range(steps + (last - first != TURN))]
    return [(x + radius * cosine_sine(a)[0] / UNIT, y + radius * cosine_sine(a)[1] / UNIT) for a in angles]


def _disc(x: float, y: float, radius: float) -> Polygon:
    return _polygon(*_arc(x, y, radius))


def _star() -> Polygon:
    radii = (1.0, 0.42)
    return _polygon(*(_arc(0, 0, radii[k % 2], TURN * k // 10, TURN * k // 10 + 1, 1)[0] for k in range(10)))


def _wye() -> list[Polygon]:
    arms = []
    for k in range(3):
        c, s = (v / UNIT for v in cosine_sine(TURN * k // 3))
        arms.append(_polygon(*((c * x - s * y, s * x + c * y) for x, y in ((-0.15, -0.22), (1, -0.22), (1, 0.22), (-0.15, 0.22)))))
    return arms


Silhouette = tuple[tuple[Polygon, ...], tuple[Polygon, ...]]
"""Polygons to fill, then polygons to erase."""


def _silhouettes() -> dict[str, Silhouette]:
    heart = [(0.0, 0.95), *_arc(-0.5, -0.35, 0.5, TURN * 3 // 8, TURN), *_arc(0.5, -0.35, 0.5, TURN // 2, TURN * 9 // 8)]
    return {
        "disc": ((_disc(0, 0, 1),), ()),
        "ring": ((_disc(0, 0, 1),), (_disc(0, 0, 0.56),)),
        "square": ((_box(-1, -1, 1, 1),), ()),
        "frame": ((_box(-1, -1, 1, 1),), (_box(-0.55, -0.55, 0.55, 0.55),)),
        "triangle": ((_polygon(*_arc(0, 0, 1, 0, TURN, 3)),), ()),
        "bar": ((_box(-1, -0.24, 1, 0.24),), ()),
        "plus": ((_box(-1, -0.3, 1, 0.3), _box(-0.3, -1, 0.3, 1)), ()),
        "star": ((_star(),), ()),
        "crescent": ((_disc(0, 0, 1),), (_disc(0.55, 0, 0.84),)),
        "half_disc": ((_polygon(*_arc(0, 0, 1, 0, TURN // 2)),), ()),
        "ell": ((_box(-0.8, -1, -0.3, 1), _box(-0.8, 0.5, 0.8, 1)), ()),
        "tee": ((_box(-1, -1, 1, -0.5), _box(-0.25, -1, 0.25, 1)), ()),
        "cup": ((_box(-1, -1, 1, 1),), (_box(-0.5, -1.1, 0.5, 0.5),)),
        "zed": ((_box(-1, -1, 0.25, -0.5), _box(-0.25, -1, 0.25, 1), _box(-0.25, 0.5, 1, 1)), ()),
        "aitch": ((_box(-1, -1, 1, 1),), (_box(-0.5, -1.1, 0.5, -0.25), _box(-0.5, 0.25, 0.5, 1.1))),
        "arrow": ((_box(-1, -0.2, 0.1, 0.2), _polygon((0, -0.75), (1, 0), (0, 0.75))), ()),
        "heart": ((_polygon(*heart),), ()),
        "dumbbell": ((_disc(-0.6, 0, 0.4), _disc(0.6, 0, 0.4), _box(-0.6, -0.13, 0.6, 0.13)), ()),
        "wye": (tuple(_wye()), ()),
        "hourglass": ((_polygon((-0.75, -1), (0.75, -1), (0.12, 0), (0.75, 1), (-0.75, 1), (-0.12, 0)),), ()),
    }


SILHOUETTES: Mapping[str, Silhouette] = MappingProxyType(_silhouettes())
CLASSES: tuple[str, ...] = tuple(SILHOUETTES)
"""Names of the classes; a label is an index into this tuple."""


@cache
def _pieces(label: int) -> tuple[tuple[NDArray[np.int64], int], ...]:
    fill, erase = SILHOUETTES[CLASSES[label]]
    return tuple((np.array(p, dtype=np.int64), value) for group, value in ((fill, 255), (erase, 0)) for p in group)


def transformed(points: NDArray[np.int64], angle: int, stretch: int, mirrored: bool) -> NDArray[np.int64]:
    """Stretch x by ``stretch``/256, reflect, rotate; integer arithmetic, ``(n, 2)`` -> ``(n, 2)``."""
    c, s = cosine_sine(angle)
    x = points[:, 0] * stretch // 256
    y = -points[:, 1] if mirrored else points[:, 1]
    return np.stack(((c * x - s * y) // UNIT, (s * x + c * y) // UNIT), axis=1)


def rasterize(pieces: Sequence[tuple[NDArray[np.int64], int]], size: int) -> NDArray[np.uint8]:
    """Soft mask of polygons whose filled extent is scaled to ``size`` pixels on its longer side, cropped to the extent.

    Returns:
        ``(h, w)`` with ``max(h, w)`` equal to ``size`` or one more; 255 is covered.
    """
    from PIL import Image, ImageDraw

    filled = np.concatenate([points for points, value in pieces if value])
    low, extent = filled.min(0), filled.max(0) - filled.min(0)
    span = int(extent.max())
    big = size * OVERSAMPLING
    width, height = (-(-int(e) * size // span) for e in extent)
    canvas = Image.new("L", (max(width, 1) * OVERSAMPLING, max(height, 1) * OVERSAMPLING))
    pen = ImageDraw.Draw(canvas)
    for points, value in pieces:
        pen.polygon([(int(x), int(y)) for x, y in (points - low) * (big - 1) // span], fill=value)
    return np.asarray(canvas.reduce(OVERSAMPLING))


def class_mask(label: int, size: int, draw: Draw) -> NDArray[np.uint8]:
    """Mask of a class at a random rotation, reflection and slight stretch, ``size`` pixels on its longer side."""
    angle, stretch, mirrored = draw.below(TURN), draw.between(218, 294), draw.chance(50)
    return rasterize([(transformed(points, angle, stretch, mirrored), value) for points, value in _pieces(label)], size)


def distractor_mask(size: int, draw: Draw) -> NDArray[np.uint8]:
    """Mask of no class: a ragged blob, a scribble of joined strokes, or scattered fragments."""
    kind = draw.below(3)
    if kind == 0:
        return rasterize([(_blob(draw), 255)], size)
    if kind == 1:
        return rasterize([(stroke, 255) for stroke in _scribble(draw)], size)
    pieces = []
    for _ in range(draw.between(3, 6)):
        offset = np.array((draw.between(-800, 800), draw.between(-800, 800)))
        pieces.append((_blob(draw) * draw.between(40, 90) // 256 + offset, 255))
    return rasterize(pieces, size)


def _blob(draw: Draw) -> NDArray[np.int64]:
    harmonics = [(k, draw.between(60, 240), draw.below(TURN)) for k in (2, 3, 5)]
    points = []
    for step in range(40):
        angle = TURN * step // 40
        radius = 600 + sum(a * cosine_sine(k * angle + phase)[0] // UNIT for k, a, phase in harmonics)
        c, s = cosine_sine(angle)
        points.append((radius * c // UNIT, radius * s // UNIT))
    return np.array(points, dtype=np.int64)


def _scribble(draw: Draw) -> list[NDArray[np.int64]]:
    x, y, angle, width = 0, 0, draw.below(TURN), draw.between(60, 140)
    strokes = []
    for _ in range(draw.between(4, 7)):
        c, s = cosine_sine(angle)
        length = draw.between(350, 900)
        nx, ny = x + length * c // UNIT, y + length * s // UNIT
        px, py = -width * s // UNIT, width * c // UNIT
        strokes.append(np.array(((x + px, y + py), (nx + px, ny + py), (nx - px, ny - py), (x - px, y - py)), dtype=np.int64))
        x, y, angle = nx, ny, angle + draw.between(TURN // 10, TURN * 9 // 10)
    return strokes
