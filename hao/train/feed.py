"""Batches for training: cached pictures, cheap augmentation, targets; made ahead on a thread of their own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from queue import Queue

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hao.data.cache import Annotated, crop_shard, scene_shard
from hao.models.codenet import IMAGE_MEAN, IMAGE_STD
from hao.train.recipe import Phase
from hao.train.targets import Targets, make_targets

_AHEAD = 4
_KEPT_SHARE = 0.6


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Normalized pictures ``(N, 3, size, size)``, channels-last, and their labels or targets."""

    images: Tensor
    labels: Tensor
    targets: Targets | None


def normalize(images: NDArray[np.uint8]) -> Tensor:
    """``(N, H, W, 3)`` u8 -> ``(N, 3, H, W)`` float32, channels-last strides: ``(u8 - mean) / std``."""
    pixels = torch.from_numpy(np.array(images)).float()
    return ((pixels - torch.tensor(IMAGE_MEAN)) / torch.tensor(IMAGE_STD)).permute(0, 3, 1, 2)


def _varied(images: NDArray[np.uint8], rng: np.random.Generator) -> Tensor:
    """`normalize`, then a gain and a lift per picture and a channel order for the batch; one pass over the pixels."""
    count = len(images)
    gain = torch.from_numpy(rng.uniform(0.8, 1.25, (count, 1, 1, 1)).astype(np.float32))
    lift = torch.from_numpy(rng.uniform(-0.3, 0.3, (count, 3, 1, 1)).astype(np.float32)).permute(0, 2, 3, 1)
    order = torch.from_numpy(rng.permutation(3)) if rng.random() < 0.5 else torch.arange(3)
    slope = gain / torch.tensor(IMAGE_STD)
    offset = lift - torch.tensor(IMAGE_MEAN) * slope
    pixels = torch.from_numpy(images)[..., order].float()
    return torch.addcmul(offset[..., order], pixels, slope[..., order]).permute(0, 3, 1, 2)


class Feed:
    """Batches of one phase; batch ``k`` depends on (seed, phase number, k) only, so that a resumed run continues exactly."""

    def __init__(self, folder: Path, phase: Phase, key: tuple[int, int], classes: int) -> None:
        self.phase, self.key, self.classes = phase, key, classes
        read = crop_shard if phase.task == "crops" else scene_shard
        self.shards: list[Annotated] = [read(folder, "train", shard) for shard in range(phase.shards)]
        counts = [int((shard.labels >= 0).sum()) if phase.task == "objects" else len(shard.images) for shard in self.shards]
        self.starts = np.cumsum([0, *counts])

    def batch(self, step: int) -> Batch:
        """Batch number ``step`` of the phase."""
        rng = np.random.default_rng((*self.key, step))
        picked = self._order(step)
        images, boxes, labels = zip(*(self._picture(int(index), rng) for index in picked), strict=True)
        tensor = _varied(np.stack(images), rng)
        if self.phase.task != "scenes":
            return Batch(tensor, torch.from_numpy(np.concatenate(labels).astype(np.int64)), None)
        return Batch(tensor, torch.empty(0), make_targets(list(boxes), list(labels), self.phase.size, self.classes))

    def _order(self, step: int) -> NDArray[np.int64]:
        total, batch = int(self.starts[-1]), self.phase.batch
        first = step * batch
        epochs = {n // total for n in (first, first + batch - 1)}
        orders = {n: np.random.default_rng((*self.key, 1 << 40, n)).permutation(total) for n in epochs}
        return np.array([orders[n // total][n % total] for n in range(first, first + batch)])

    def _picture(self, index: int, rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.int32]]:
        shard = int(np.searchsorted(self.starts, index, "right")) - 1
        row = index - int(self.starts[shard])
        source = self.shards[shard]
        if self.phase.task == "objects":
            return _object(source, row, self.phase.size, rng)
        image, labels = source.images[row], source.labels[row]
        boxes = source.boxes[row][labels >= 0].astype(np.float32)
        labels = labels[labels >= 0]
        if self.phase.task == "scenes":
            image, boxes, labels = _crop(image, boxes, labels, self.phase, rng)
        elif image.shape[0] != self.phase.size:
            image = _resize(image, self.phase.size)
        return *_turn(image, boxes, rng), labels


def _resize(image: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    from PIL import Image

    return np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR))


def _object(
    source: Annotated, number: int, size: int, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.int32]]:
    """Object ``number`` of a shard of scenes, with some margin, scaled to fill a square of ``size`` pixels."""
    picture, column = (int(each[number]) for each in np.nonzero(source.labels >= 0))
    image, (x0, y0, x1, y1) = source.images[picture], source.boxes[picture, column].tolist()
    full, longest = image.shape[0], max(x1 - x0, y1 - y0)
    side = min(full, round(longest * rng.uniform(1.1, 2.0)))
    slack = max(0, side - longest) // 3
    x, y = (int(np.clip((low + high - side) // 2 + rng.integers(-slack, slack + 1), 0, full - side)) for low, high in ((x0, x1), (y0, y1)))
    cut = _resize(np.ascontiguousarray(image[y : y + side, x : x + side]), size)
    image, boxes = _turn(cut, np.zeros((0, 4), np.float32), rng)
    return image, boxes, source.labels[picture, column : column + 1]


def objects(source: Annotated, count: int, size: int) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """The first ``count`` objects of a shard, cut out alike every time: ``(count, size, size, 3)`` and labels."""
    rng = np.random.default_rng(0)
    cut = [_object(source, number, size, rng) for number in range(count)]
    return np.stack([image for image, _, _ in cut]), np.concatenate([labels for _, _, labels in cut])


def _crop(
    image: NDArray[np.uint8], boxes: NDArray[np.float32], labels: NDArray[np.int32], phase: Phase, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.int32]]:
    """A random square of the scene, resized; objects of which less than 60 % remain are dropped from the targets."""
    full = image.shape[0]
    side = full if rng.random() < 0.5 else int(rng.integers(min(phase.smallest_crop, full), full + 1))
    x, y = (int(rng.integers(0, full - side + 1)) for _ in range(2))
    if side != full:
        image = image[y : y + side, x : x + side]
        moved = np.clip(boxes - np.array((x, y, x, y), np.float32), 0, side)
        area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
        kept = (moved[:, 2] - moved[:, 0]) * (moved[:, 3] - moved[:, 1]) >= _KEPT_SHARE * area
        boxes, labels = moved[kept], labels[kept]
    if side != phase.size:
        image = _resize(image, phase.size)
        boxes = boxes * np.float32(phase.size / side)
    return image, boxes, labels


def _turn(image: NDArray[np.uint8], boxes: NDArray[np.float32], rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """One of the eight symmetries of the square."""
    size = image.shape[0]
    across, down, swap = (bool(bit) for bit in rng.integers(0, 2, 3))
    if across:
        image, boxes = image[:, ::-1], np.stack((size - boxes[:, 2], boxes[:, 1], size - boxes[:, 0], boxes[:, 3]), 1)
    if down:
        image, boxes = image[::-1], np.stack((boxes[:, 0], size - boxes[:, 3], boxes[:, 2], size - boxes[:, 1]), 1)
    if swap:
        image, boxes = image.transpose(1, 0, 2), boxes[:, [1, 0, 3, 2]]
    return image, boxes


def ahead(feed: Feed, first: int, steps: int) -> Iterator[Batch]:
    """Batches ``first`` to ``steps - 1`` in order, prepared by a thread while the network works."""
    queue: Queue[Batch | BaseException] = Queue(_AHEAD)
    stop = threading.Event()

    def work() -> None:
        try:
            for step in range(first, steps):
                if stop.is_set():
                    return
                queue.put(feed.batch(step))
        except Exception as error:  # noqa: BLE001 - carried to the consumer, which raises it
            queue.put(error)

    threading.Thread(target=work, daemon=True, name="feed").start()
    try:
        for _ in range(first, steps):
            item = queue.get()
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stop.set()
        while not queue.empty():
            queue.get_nowait()
