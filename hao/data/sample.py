"""One annotated picture, whatever data set it comes from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hao.data.images import read_image


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """A picture on disk and its objects.

    Attributes:
        path: the picture file.
        boxes: ``(n, 4)`` float32: x0, y0, x1, y1 in pixels, from the picture's edge, the last two exclusive.
        labels: ``(n,)`` int32, indices into the data set's classes.
        ignored: ``(n,)`` bool: objects that count neither as found nor as missed (VOC "difficult", COCO "crowd").
    """

    path: Path
    boxes: NDArray[np.float32]
    labels: NDArray[np.int32]
    ignored: NDArray[np.bool_]

    def image(self) -> NDArray[np.uint8]:
        """The decoded picture, ``(H, W, 3)`` RGB.

        Raises:
            DataError: it cannot be read.
        """
        return read_image(self.path)


def make_sample(path: Path, rows: list[tuple[float, float, float, float]], labels: list[int], ignored: list[bool]) -> Sample:
    """A Sample from plain lists."""
    return Sample(
        path, np.array(rows, dtype=np.float32).reshape(-1, 4), np.array(labels, dtype=np.int32), np.array(ignored, dtype=np.bool_)
    )
