"""Rendered scenes and crops on disk, so that a training run draws each picture once: memory-mapped shards."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tokenize import TokenError

import numpy as np
from numpy.typing import NDArray

from hao.data.photos import Split
from hao.data.scenes import GENERATOR_VERSION, render_crop, render_scene
from hao.errors import DataError
from hao.files import regular

SHARD = 1000
"""Pictures a shard; shard k holds the indices from ``k * SHARD``."""


@dataclass(frozen=True, slots=True, eq=False)
class Annotated:
    """Pictures and their boxes.

    Attributes:
        images: ``(n, size, size, 3)`` u8, memory-mapped.
        boxes: ``(n, most, 4)`` int32, x0, y0, x1, y1; rows beyond a picture's objects are zero.
        labels: ``(n, most)`` int32; -1 beyond a picture's objects. For crops ``most`` is 1 and boxes are zero.
    """

    images: NDArray[np.uint8]
    boxes: NDArray[np.int32]
    labels: NDArray[np.int32]


def _write(path: Path, array: NDArray[np.uint8] | NDArray[np.int32]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    with partial.open("wb") as stream:
        np.save(stream, array, allow_pickle=False)
    partial.replace(path)


def _shard(folder: Path, stem: str, make: Callable[[], Annotated]) -> Annotated:
    files = [folder / f"{stem}-{part}.npy" for part in ("images", "boxes", "labels")]
    if not all(file.is_file() for file in files):
        made = make()
        arrays: tuple[NDArray[np.uint8] | NDArray[np.int32], ...] = (made.images, made.boxes, made.labels)
        for file, array in zip(files, arrays, strict=True):
            _write(file, array)
    try:
        images, boxes, labels = (np.load(regular(file), mmap_mode="r", allow_pickle=False) for file in files)
    except (OSError, ValueError, EOFError, SyntaxError, TokenError) as error:
        # numpy parses the header of a .npy file as Python, and lets through what the tokenizer says of a damaged one
        raise DataError(f"cached shard {stem} in {folder} cannot be read: {error}", hint=f"delete {folder} to render it again") from error
    return Annotated(images, np.array(boxes), np.array(labels))


def scene_shard(folder: Path, split: Split, shard: int) -> Annotated:
    """Scenes ``shard * SHARD`` to ``(shard + 1) * SHARD - 1`` of ``split``, rendered now if ``folder`` lacks them.

    Raises:
        DataError: the files in ``folder`` are damaged.
    """

    def make() -> Annotated:
        scenes = [render_scene(split, index) for index in range(shard * SHARD, (shard + 1) * SHARD)]
        most = max(len(scene.labels) for scene in scenes)
        boxes, labels = np.zeros((SHARD, most, 4), np.int32), np.full((SHARD, most), -1, np.int32)
        for row, scene in enumerate(scenes):
            boxes[row, : len(scene.labels)] = scene.boxes
            labels[row, : len(scene.labels)] = scene.labels
        return Annotated(np.stack([scene.image for scene in scenes]), boxes, labels)

    return _shard(folder, f"scenes-v{GENERATOR_VERSION}-{split}-{shard:04d}", make)


def crop_shard(folder: Path, split: Split, shard: int) -> Annotated:
    """Crops ``shard * SHARD`` to ``(shard + 1) * SHARD - 1`` of ``split``, as `scene_shard`."""

    def make() -> Annotated:
        crops = [render_crop(split, index) for index in range(shard * SHARD, (shard + 1) * SHARD)]
        labels = np.array([label for _, label in crops], dtype=np.int32)[:, None]
        return Annotated(np.stack([image for image, _ in crops]), np.zeros((SHARD, 1, 4), np.int32), labels)

    return _shard(folder, f"crops-v{GENERATOR_VERSION}-{split}-{shard:04d}", make)
