"""The picture that a network looks at: the user's own or one that ships in a dependency, with or without objects laid onto it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hao.errors import DataError
from hao.files import regular

Pixels = npt.NDArray[np.uint8]

DEMO_PHOTO = "skimage/chelsea.png"
"""A photograph of the test split: training has never seen it."""
_FILL_PHOTOS = ("skimage/chelsea.png", "skimage/brick.png", "skimage/moon.png", "skimage/retina.jpg")
_STREAM, _OBJECTS = 3, 5
_LARGEST_PIXELS = 100_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """What goes into the network.

    Attributes:
        pixels: ``(H, W, 3)``.
        caption: one line that says what it is.
        seconds: wall time of decoding and resizing.
    """

    pixels: Pixels
    caption: str
    seconds: float


def read_photo(path: Path) -> Pixels:
    """Read a picture file as RGB, ``(H, W, 3)``, turned upright.

    Raises:
        DataError: it does not exist, is no picture, is damaged or is larger than 100 megapixels.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(regular(path)) as image:
            if image.width * image.height > _LARGEST_PIXELS:
                raise DataError(f"{path} has {image.width} x {image.height} pixels", "give a picture of at most 100 megapixels")
            return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    except FileNotFoundError:
        raise DataError(f"there is no picture {path}", "check the path") from None
    except UnidentifiedImageError:
        raise DataError(f"{path} is not a picture", "give a JPEG, PNG, WebP, BMP or TIFF file") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"{path} cannot be read: {error}", "the file is damaged, or of a kind that is not supported") from None


def middle(pixels: Pixels, height: int, width: int) -> Pixels:
    """The largest middle part of a picture that has the shape of ``height`` x ``width``, resized to it."""
    from PIL import Image

    rows, columns = pixels.shape[:2]
    zoom = min(rows / height, columns / width)
    part = max(1, round(height * zoom)), max(1, round(width * zoom))
    top, left = (rows - part[0]) // 2, (columns - part[1]) // 2
    crop = Image.fromarray(pixels[top : top + part[0], left : left + part[1]])
    return np.asarray(crop.resize((width, height), Image.Resampling.BILINEAR))


def with_objects(background: Pixels, seed: int) -> Pixels:
    """Objects of the generator's classes laid onto a square picture, for a network that knows only them."""
    from hao.data.draw import Draw
    from hao.data.scenes import Composer, compose

    draw = Draw(_STREAM, seed)
    return compose(Composer(background, _FILL_PHOTOS, draw), draw, _OBJECTS).image


def to_planes(picture: Pixels, channels: int) -> Pixels:
    """``(H, W, 3)`` as the network takes it, ``(channels, H, W)``; one channel is the mean of the three."""
    if channels == 1:
        return np.ascontiguousarray(picture.mean(axis=2).round().astype(np.uint8)[None])
    return np.ascontiguousarray(picture.transpose(2, 0, 1))


def held_out(network: str, index: int) -> Picture:
    """A held-out picture that ships with a classifier of the zoo, as grey RGB.

    Raises:
        DataError: it ships none, or fewer than ``index`` + 1.
    """
    from hao.models import zoo

    images, labels = zoo.samples(network)
    if not 0 <= index < len(images):
        raise DataError(f"{network} ships {len(images)} pictures, there is no number {index}", "give a smaller --scene")
    pixels = np.ascontiguousarray(np.broadcast_to(images[index].transpose(1, 2, 0), (*images.shape[2:], 3)))
    return Picture(pixels, f"held-out picture {index}, labelled {labels[index]}", 0.0)


def prepare(path: Path | None, size: tuple[int, int], plain: bool, seed: int) -> Picture:
    """The picture for a network that looks at ``size``, height and width.

    Args:
        path: the user's own picture; None for the photograph that ships in a dependency.
        size: pixels; generated objects need a square.
        plain: leave it as it is; otherwise generated objects are laid onto it.
        seed: of those objects.

    Raises:
        DataError: the picture cannot be read.
    """
    from hao.data.photos import photo

    start = time.perf_counter()
    pixels = middle(photo(DEMO_PHOTO) if path is None else read_photo(path), *size)
    seconds = time.perf_counter() - start
    name = DEMO_PHOTO if path is None else path.name
    if plain:
        return Picture(pixels, name, seconds)
    return Picture(with_objects(pixels, seed), f"{name} with generated objects, seed {seed}", seconds)
