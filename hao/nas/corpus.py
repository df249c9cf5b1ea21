"""What the architecture search learns from: the embedded digits, generated shapes, or a folder of pictures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from hao.data.photos import Split
from hao.errors import DataError, UsageError
from hao.models.searchable import DIGITS, PICTURE_WIDTHS, Family

TASKS = ("digits", "shapes64")
"""Tasks that need no data of the user's."""
_SUFFIXES = frozenset((".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"))
_LAYOUT = "it needs a folder a class, as in ImageNet: train/CLASS/*.jpg, val/CLASS/*.jpg"
_VALIDATED = 5
"""Every so-manieth training picture of a folder validates."""


def pictures_of(classes: int, size: int = 64) -> Family:
    """The family for pictures in colour, ``size`` pixels a side."""
    return Family(3, classes, (2, 2), PICTURE_WIDTHS) if size > 32 else Family(3, classes, (1,))


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Pictures ``(N, C, H, W)`` as unsigned bytes, and labels ``(N,)``."""

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    def taken(self, rows: npt.NDArray[np.int64] | slice) -> Part:
        """Some of the pictures."""
        return Part(self.images[rows], self.labels[rows])

    def joined(self, other: Part) -> Part:
        """Both parts, one behind the other."""
        return Part(np.concatenate((self.images, other.images)), np.concatenate((self.labels, other.labels)))


@dataclass(frozen=True, slots=True, eq=False)
class Corpus:
    """A classification task.

    Attributes:
        name: of the task.
        train, valid, test: to learn from; to choose by; to measure once what was chosen.
        family: of networks that are searched for it; it says how many classes there are.
        mean, std: a channel, on the scale of bytes: the network sees ``(u8 - mean) / std``.
        shift: pixels by which pictures are moved at most while training.
        views: a picture keeps its label as 1: it is; 2: mirrored as well; 8: mirrored and in quarter turns.
        names: of the classes, where they have any.
    """

    name: str
    train: Part
    valid: Part
    test: Part
    family: Family
    mean: tuple[int, ...]
    std: tuple[float, ...]
    shift: int
    views: int = 1
    names: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height, width."""
        channels, height, width = self.train.images.shape[1:]
        return channels, height, width

    @property
    def side(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.shape[1:]

    @property
    def classes(self) -> int:
        """Number of labels."""
        return self.family.classes

    def normalized(self, images: npt.NDArray[np.uint8], device: str = "cpu") -> Tensor:
        """Bytes ``(N, C, H, W)`` to the network's input, on ``device``."""
        mean, std = (torch.tensor(each, dtype=torch.float32, device=device).reshape(1, -1, 1, 1) for each in (self.mean, self.std))
        return (torch.from_numpy(images).to(device).float() - mean) / std

    def everything(self) -> Part:
        """All pictures, for cross-validation."""
        return self.train.joined(self.valid).joined(self.test)


def digits() -> Corpus:
    """scikit-learn's digits, split as the tabular benchmark does; the test part is that of the shipped network."""
    from hao.models.digits import IMAGE_STD
    from hao.search.tabular import TRAINED
    from hao.train.digits import load_digits

    found = load_digits()
    known = Part(found.train_images, found.train_labels.astype(np.int64))
    test = Part(found.test_images, found.test_labels.astype(np.int64))
    return Corpus("digits", known.taken(slice(0, TRAINED)), known.taken(slice(TRAINED, None)), test, DIGITS, (0,), (IMAGE_STD,), 1)


def _planes(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2))


def shapes(folder: Path, train: int, valid: int, test: int) -> Corpus:
    """``shapes64``: as many pictures of each split; ``folder`` holds the rendered ones.

    Raises:
        DataError: more pictures than a split has, or damaged shards.
    """
    from hao.data.shapes64 import shapes64
    from hao.models.codenet import IMAGE_MEAN, IMAGE_STD

    def part(split: Split, count: int) -> Part:
        images, labels = shapes64(folder, split, count)
        return Part(_planes(images), labels.astype(np.int64))

    return Corpus("shapes64", part("train", train), part("val", valid), part("test", test), pictures_of(20), IMAGE_MEAN, IMAGE_STD, 3, 8)


def _classes(folder: Path) -> list[str]:
    try:
        names = sorted(each.name for each in folder.iterdir() if each.is_dir())
    except OSError as error:
        raise DataError(f"{folder} cannot be read: {error}", _LAYOUT) from error
    if not names:
        raise DataError(f"{folder} holds no folders", _LAYOUT)
    return names


def _read(folder: Path, names: list[str], size: int) -> Part:
    from hao.data.images import fit, read_image

    images, labels = [], []
    for label, name in enumerate(names):
        files = sorted(f for f in (folder / name).glob("*") if f.suffix.lower() in _SUFFIXES)
        if not files:
            raise DataError(f"{folder / name} holds no pictures", _LAYOUT)
        images += [fit(read_image(file), size).image for file in files]
        labels += [label] * len(files)
    return Part(_planes(np.stack(images)), np.array(labels, np.int64))


def folder(path: Path, size: int = 64) -> Corpus:
    """A folder in ImageNet's layout: ``train`` and ``val``, in each a folder a class, named after it; ``val`` is the test part.

    Every fifth training picture of a class validates.

    Raises:
        DataError: the classes of ``train`` and ``val`` differ, one lacks pictures, or a picture cannot be read; folder or file is named.
    """
    from hao.models.codenet import IMAGE_MEAN, IMAGE_STD

    names = _classes(path / "train")
    alone = sorted(set(names) ^ set(_classes(path / "val")))
    if alone:
        raise DataError(f"{path}: class {alone[0]!r} is in one of train and val alone", _LAYOUT)
    if len(names) == 1:
        raise DataError(f"{path}/train holds one class alone", "two classes are the least that can be told apart")
    known, test = _read(path / "train", names, size), _read(path / "val", names, size)
    position = np.concatenate([np.arange(count) for count in np.bincount(known.labels, minlength=len(names))])
    held = position % _VALIDATED == _VALIDATED - 1
    few = sorted(set(range(len(names))) - set(known.labels[held].tolist()))
    if few:
        raise DataError(f"{path}/train/{names[few[0]]} has fewer than {_VALIDATED} pictures", "add pictures, or leave the class out")
    train, valid = known.taken(np.flatnonzero(~held)), known.taken(np.flatnonzero(held))
    return Corpus(path.name, train, valid, test, pictures_of(len(names), size), IMAGE_MEAN, IMAGE_STD, size // 20, 2, tuple(names))


def load(task: str, data: Path, counts: tuple[int, int, int] = (4000, 1000, 2000)) -> Corpus:
    """The corpus called ``task``, or the folder of that name.

    Args:
        task: of ``TASKS``, or the path of a folder in ImageNet's layout.
        data: where generated pictures lie.
        counts: pictures of each part of ``shapes64``.

    Raises:
        UsageError: neither a task nor a folder.
        DataError: the data cannot be read.
    """
    if task == "digits":
        return digits()
    if task == "shapes64":
        return shapes(data, *counts)
    if not Path(task).is_dir():
        raise UsageError(f"{task!r} is neither a task nor a folder", f"tasks: {', '.join(TASKS)}; or a folder with train/CLASS/*.jpg")
    return folder(Path(task))
