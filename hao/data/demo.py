"""The demo's picture: a photograph held out from training, or the user's own, with or without objects composited on it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hao.data.draw import Draw
from hao.data.images import fit, read_image
from hao.data.photos import PHOTOS, photo
from hao.data.scenes import GENERATOR_VERSION, SCENE_SIZE, Composer
from hao.data.shapes import CLASSES, class_mask
from hao.errors import DataError

DEMO_PHOTO = "skimage/chelsea.png"
"""Held out from training, and from a package of the base installation."""

_TEXTURES = tuple(name for name in PHOTOS["test"] if not name.startswith("sklearn/"))
_OBJECTS = 6
_TRIES = 60
_STREAM = 3


@dataclass(frozen=True, slots=True, eq=False)
class DemoImage:
    """What the network is shown.

    Attributes:
        image: ``(256, 256, 3)`` u8 RGB.
        boxes: ``(n, 4)`` int32, x0, y0, x1, y1 of the composited objects; empty without compositing.
        labels: ``(n,)`` int32, indices into CLASSES.
        source: the photograph's name or path.
    """

    image: NDArray[np.uint8]
    boxes: NDArray[np.int32]
    labels: NDArray[np.int32]
    source: str


def demo_image(path: Path | None = None, plain: bool = False, seed: int = 0) -> DemoImage:
    """The demo's picture; numpy and Pillow only.

    Args:
        path: the user's own picture instead of the held-out photograph; it is scaled and padded to the square.
        plain: composite nothing.
        seed: which objects, where.

    Raises:
        DataError: the picture cannot be read, or ``seed`` is negative.
    """
    if seed < 0:
        raise DataError(f"seed {seed} is negative", hint="give 0 or more")
    background = _square(photo(DEMO_PHOTO)) if path is None else fit(read_image(path), SCENE_SIZE).image
    source = DEMO_PHOTO if path is None else str(path)
    if plain:
        return DemoImage(background, np.zeros((0, 4), np.int32), np.zeros(0, np.int32), source)
    draw = Draw(GENERATOR_VERSION, _STREAM, seed)
    composer = Composer(background, _TEXTURES, draw)
    for _ in range(_TRIES):
        if len(composer.labels) == _OBJECTS:
            break
        label = draw.below(len(CLASSES))
        composer.place(class_mask(label, draw.log_between(32, 96), draw), label)
    scene = composer.finish()
    return DemoImage(scene.image, scene.boxes, scene.labels, source)


def _square(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The middle square of a photograph, at the scenes' size."""
    from PIL import Image

    height, width = pixels.shape[:2]
    side = min(height, width)
    x, y = (width - side) // 2, (height - side) // 2
    crop = Image.fromarray(pixels[y : y + side, x : x + side])
    return np.array(crop.resize((SCENE_SIZE, SCENE_SIZE), Image.Resampling.BILINEAR))
