"""The real photographs and textures that ship inside scikit-learn, scikit-image and matplotlib, and their splits."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hao.errors import DataError, MissingTool

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")

_FOLDERS = {"sklearn": "datasets/images", "skimage": "data", "matplotlib": "mpl-data/sample_data"}
_PACKAGES = {"sklearn": "scikit-learn", "skimage": "scikit-image", "matplotlib": "matplotlib"}

PHOTOS: dict[Split, tuple[str, ...]] = {
    "train": (
        "sklearn/china.jpg",
        "skimage/astronaut.png",
        "skimage/motorcycle_left.png",
        "skimage/motorcycle_right.png",
        "skimage/rocket.jpg",
        "skimage/coins.png",
        "skimage/grass.png",
        "skimage/hubble_deep_field.jpg",
        "skimage/camera.png",
        "skimage/ihc.png",
        "skimage/page.png",
        "skimage/clock_motion.png",
    ),
    "val": ("skimage/coffee.png", "skimage/gravel.png", "skimage/cell.png"),
    "test": (
        "sklearn/flower.jpg",
        "skimage/chelsea.png",
        "matplotlib/grace_hopper.jpg",
        "skimage/brick.png",
        "skimage/moon.png",
        "skimage/retina.jpg",
    ),
}
"""Photographs of each split; no photograph is in two of them."""


def photo_path(name: str) -> Path:
    """File of a photograph named ``package/file``.

    Raises:
        MissingTool: the package is not installed.
        DataError: the package no longer ships the photograph.
    """
    package, _, file = name.partition("/")
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise MissingTool(f"{_PACKAGES[package]} is not installed", hint=f"pip install {_PACKAGES[package]}: scenes use its photographs")
    path = Path(spec.origin).parent / _FOLDERS[package] / file
    if not path.is_file():
        raise DataError(f"{_PACKAGES[package]} does not ship {file}", hint="install the version named in constraints.txt")
    return path


@cache
def photo(name: str) -> NDArray[np.uint8]:
    """A photograph as read-only RGB, ``(H, W, 3)``; grey ones are repeated over the channels."""
    from PIL import Image

    with Image.open(photo_path(name)) as image:
        pixels = np.array(image.convert("RGB"))
    pixels.setflags(write=False)
    return pixels
