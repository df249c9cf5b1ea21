"""Generated detection scenes: silhouettes and distractors composited over real photographs, deterministic for ever.

A scene is named by (version, split, index): the same name gives the same pixels and boxes. Colour, texture and
brightness are drawn independently of the class, so that only shape tells the classes apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from hao.data.draw import Draw
from hao.data.photos import PHOTOS, SPLITS, Split, photo
from hao.data.shapes import CLASSES, class_mask, distractor_mask
from hao.errors import DataError

GENERATOR_VERSION = 1
"""Raised with every change of a pixel or box; checkpoints and results name it."""

SCENE_SIZE = 256
SIZE_RANGE = (24, 112)
"""Longer side of an object's box, pixels: a scale range of 4.7."""
MAX_OBJECTS = 8
MIN_VISIBLE_PERCENT = 60
"""At most 40 % of an object is covered by what is drawn after it."""
_CONTRAST = 80
_SCENES, _CROPS = 1, 2


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A picture and what is in it.

    Attributes:
        image: RGB, ``(size, size, 3)`` u8.
        boxes: ``(n, 4)`` int32: x0, y0, x1, y1 in pixels, the last two exclusive; the whole object, covered parts included.
        labels: ``(n,)`` int32, indices into CLASSES.
        visible: ``(n,)`` int32, percent of each object's pixels that nothing covers.
    """

    image: NDArray[np.uint8]
    boxes: NDArray[np.int32]
    labels: NDArray[np.int32]
    visible: NDArray[np.int32]


class Composer:
    """A canvas on which masks are laid one after another, with the account of who covers whom."""

    def __init__(self, background: NDArray[np.uint8], photos: tuple[str, ...], draw: Draw) -> None:
        self.canvas = background.copy()
        self.size = background.shape[0]
        self.photos, self.draw = photos, draw
        self.owner = np.full(background.shape[:2], -1, dtype=np.int32)
        self.areas: list[int] = []
        self.shown: list[int] = []
        self.boxes: list[tuple[int, int, int, int]] = []
        self.labels: list[int] = []

    def place(self, mask: NDArray[np.uint8], label: int | None, tries: int = 8) -> bool:
        """Lay ``mask`` at a random free spot; False when every try would cover an object too much."""
        height, width = mask.shape
        if height > self.size or width > self.size:
            return False
        solid = mask >= 128
        for _ in range(tries):
            x, y = self.draw.below(self.size - width + 1), self.draw.below(self.size - height + 1)
            covered = self._covered(solid, x, y)
            if all((self.shown[k] - n) * 100 >= MIN_VISIBLE_PERCENT * self.areas[k] for k, n in covered.items()):
                self._lay(mask, solid, x, y, covered, label)
                return True
        return False

    def _covered(self, solid: NDArray[np.bool_], x: int, y: int) -> dict[int, int]:
        under = self.owner[y : y + solid.shape[0], x : x + solid.shape[1]][solid]
        counts = np.bincount(under[under >= 0], minlength=0)
        return {k: int(n) for k, n in enumerate(counts) if n}

    def _lay(self, mask: NDArray[np.uint8], solid: NDArray[np.bool_], x: int, y: int, covered: dict[int, int], label: int | None) -> None:
        height, width = mask.shape
        window = (slice(y, y + height), slice(x, x + width))
        under = self.canvas[window].astype(np.int32)
        paint = fill(height, width, under, self.photos, self.draw)
        alpha = mask.astype(np.int32)[:, :, None]
        self.canvas[window] = (under * (255 - alpha) + paint * alpha + 127) // 255
        for k, n in covered.items():
            self.shown[k] -= n
        if label is None:
            self.owner[window][solid] = -1
            return
        self.owner[window][solid] = len(self.labels)
        rows, columns = np.flatnonzero(solid.any(1)), np.flatnonzero(solid.any(0))
        self.boxes.append((x + int(columns[0]), y + int(rows[0]), x + int(columns[-1]) + 1, y + int(rows[-1]) + 1))
        self.labels.append(label)
        self.areas.append(int(solid.sum()))
        self.shown.append(self.areas[-1])

    def finish(self) -> Scene:
        """Brightness, blur and noise of the whole picture, then the scene."""
        image = degrade(self.canvas, self.draw)
        visible = [100 * shown // area for shown, area in zip(self.shown, self.areas, strict=True)]
        return Scene(
            image,
            np.array(self.boxes, dtype=np.int32).reshape(-1, 4),
            np.array(self.labels, dtype=np.int32),
            np.array(visible, dtype=np.int32),
        )


def fill(height: int, width: int, under: NDArray[np.int32], photos: tuple[str, ...], draw: Draw) -> NDArray[np.int32]:
    """Colour of an object: plain, gradient, photograph, stripes or speckle, apart from the mean colour ``under`` it."""
    colour = _colour(under.reshape(-1, 3).sum(0) // (height * width), draw)
    kind = draw.weighted((("plain", 35), ("gradient", 20), ("photo", 25), ("stripes", 10), ("speckle", 10)))
    paint = np.broadcast_to(colour, (height, width, 3)).copy()
    if kind in ("gradient", "stripes"):
        ramp = np.arange(width)[None, :] * draw.between(-256, 256) + np.arange(height)[:, None] * draw.between(-256, 256)
        depth = draw.between(20, 45)
        if kind == "gradient":
            span = max(int(ramp.max() - ramp.min()), 1)
            wave = (ramp - int(ramp.min())) * (2 * depth) // span - depth
        else:
            wave = np.where((ramp // (256 * draw.between(3, 8))) % 2 == 0, depth // 2, -(depth // 2))
        paint += wave[:, :, None]
    elif kind == "photo":
        texture = backdrop(photos, draw, max(height, width), closest=True)[:height, :width].astype(np.int32)
        paint += (texture - texture.reshape(-1, 3).sum(0) // (height * width)) * 90 // 256
    elif kind == "speckle":
        paint += _noise(height * width * 3, draw.between(12, 30), draw).reshape(height, width, 3)
    return np.clip(paint, 0, 255)


def _colour(under: NDArray[np.int64], draw: Draw) -> NDArray[np.int32]:
    for _ in range(16):
        colour = np.array([draw.below(256) for _ in range(3)], dtype=np.int32)
        if int(abs(colour - under).max()) >= _CONTRAST:
            return colour
    return np.where(under < 128, 230, 25).astype(np.int32)


def backdrop(photos: tuple[str, ...], draw: Draw, size: int, closest: bool = False) -> NDArray[np.uint8]:
    """A random square crop of a one of ``photos``, resized to ``size``, with varied colours; ``(size, size, 3)``."""
    from PIL import Image

    pixels = photo(draw.pick(photos))
    height, width = pixels.shape[:2]
    shorter = min(height, width)
    side = min(shorter, max(size, shorter * draw.between(15, 50) // 100)) if closest else shorter * draw.between(35, 100) // 100
    x, y = draw.below(width - side + 1), draw.below(height - side + 1)
    crop = Image.fromarray(pixels[y : y + side, x : x + side]).resize((size, size), Image.Resampling.BILINEAR)
    bands = crop.split()
    crop = Image.merge("RGB", [bands[k] for k in draw.pick(((0, 1, 2), (0, 1, 2), (1, 2, 0), (2, 0, 1), (0, 2, 1), (2, 1, 0)))])
    if draw.chance(50):
        crop = crop.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if draw.chance(30):
        crop = crop.transpose(Image.Transpose.TRANSPOSE)
    gain = draw.between(150, 290)
    return np.asarray(crop.point([level for _ in range(3) for level in _levels(gain, draw.between(-25, 25))]))


def _levels(gain: int, lift: int) -> list[int]:
    """Table of 256 levels: contrast ``gain``/256 around mid-grey, then ``lift``."""
    levels: list[int] = np.clip((np.arange(256) - 128) * gain // 256 + 128 + lift, 0, 255).tolist()
    return levels


@cache
def _noise_bank(strength: int) -> NDArray[np.int16]:
    # Four bytes summed are near enough to normal: mean 0, standard deviation 148 before scaling.
    sums: NDArray[np.int32] = Draw(GENERATOR_VERSION, 0).bytes(4 << 20).reshape(-1, 4).astype(np.int32).sum(1) - 510
    scaled: NDArray[np.int16] = (sums * strength // 148).astype(np.int16)
    return scaled


def _noise(count: int, strength: int, draw: Draw) -> NDArray[np.int16]:
    """``count`` values of noise of standard deviation ``strength``, a window of one fixed bank."""
    bank = _noise_bank(strength)
    start = draw.below(len(bank) - count)
    window: NDArray[np.int16] = bank[start : start + count]
    return window


def degrade(canvas: NDArray[np.uint8], draw: Draw) -> NDArray[np.uint8]:
    """Brightness, blur and noise, all drawn per picture."""
    from PIL import Image, ImageFilter

    picture = Image.fromarray(canvas).point(_levels(draw.between(190, 300), draw.between(-20, 20)) * 3)
    if draw.chance(50):
        picture = picture.filter(ImageFilter.BoxBlur(draw.between(1, 4) / 4))
    noise = _noise(canvas.size, draw.between(0, 12), draw).reshape(canvas.shape)
    noisy: NDArray[np.uint8] = np.clip(np.asarray(picture).astype(np.int16) + noise, 0, 255).astype(np.uint8)
    return noisy


def _stream(kind: int, split: Split, index: int) -> Draw:
    if split not in SPLITS:
        raise DataError(f"no split {split!r}", hint=f"one of {', '.join(SPLITS)}")
    if index < 0:
        raise DataError(f"scene {index} does not exist", hint="indices start at 0")
    return Draw(GENERATOR_VERSION, kind, SPLITS.index(split), index)


def render_scene(split: Split, index: int) -> Scene:
    """Scene ``index`` of ``split``: ``SCENE_SIZE`` square, one to ``MAX_OBJECTS`` objects, up to four distractors.

    Raises:
        DataError: unknown split or negative index.
    """
    draw = _stream(_SCENES, split, index)
    composer = Composer(backdrop(PHOTOS[split], draw, SCENE_SIZE), PHOTOS[split], draw)
    return compose(composer, draw, draw.between(1, MAX_OBJECTS))


def compose(composer: Composer, draw: Draw, objects: int) -> Scene:
    """Lay ``objects`` objects and up to four distractors, in random order, and finish."""
    order = [True] * objects + [False] * draw.below(5)
    for position in range(len(order) - 1, 0, -1):
        other = draw.below(position + 1)
        order[position], order[other] = order[other], order[position]
    for is_object in order:
        size = draw.log_between(*SIZE_RANGE)
        label = draw.below(len(CLASSES)) if is_object else None
        mask = distractor_mask(size, draw) if label is None else class_mask(label, size, draw)
        composer.place(mask, label)
    return composer.finish()


def render_crop(split: Split, index: int, size: int = 64) -> tuple[NDArray[np.uint8], int]:
    """Picture ``index`` of the classification set: one object of 24 to ``size - 4`` pixels, perhaps a distractor behind it."""
    draw = _stream(_CROPS, split, index)
    composer = Composer(backdrop(PHOTOS[split], draw, size), PHOTOS[split], draw)
    if draw.chance(50):
        composer.place(distractor_mask(draw.log_between(12, 40), draw), None)
    label = draw.below(len(CLASSES))
    composer.place(class_mask(label, draw.log_between(SIZE_RANGE[0], size - 4), draw), label)
    return composer.finish().image, label
