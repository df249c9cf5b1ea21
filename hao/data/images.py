"""Pictures of the user's own: reading, fitting into the network's square, and the way back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hao.errors import DataError
from hao.files import regular

PAD_COLOUR = (104, 114, 120)
"""The network's mean colour: padding enters it as zero."""

MOST_PIXELS = 100_000_000
"""Larger pictures are refused before they are decoded."""


def read_image(path: Path) -> NDArray[np.uint8]:
    """A picture file as upright RGB, ``(H, W, 3)``.

    Raises:
        DataError: missing, unreadable, truncated, or over ``MOST_PIXELS``.
    """
    from PIL import Image, ImageOps

    try:
        with Image.open(regular(path)) as image:
            if image.width * image.height > MOST_PIXELS:
                raise DataError(f"image {path} has {image.width} x {image.height} pixels", hint=f"at most {MOST_PIXELS} are read")
            return np.array(ImageOps.exif_transpose(image).convert("RGB"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        # Pillow raises SyntaxError for broken PNG chunks and ValueError for impossible sizes.
        raise DataError(f"image {path} cannot be read: {error}", hint="give a JPEG, PNG, BMP, GIF, TIFF or WebP file") from error


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """A picture inside the network's square.

    Attributes:
        image: ``(size, size, 3)`` u8, the picture in the middle, ``PAD_COLOUR`` around it.
        scale: pixels of the square a pixel of the original.
        left, top: where the picture starts in the square.
        original: (width, height) before.
    """

    image: NDArray[np.uint8]
    scale: float
    left: int
    top: int
    original: tuple[int, int]

    def to_original(self, boxes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Boxes ``(n, 4)`` of the square in pixels of the original, clipped to it."""
        moved = (boxes - np.array((self.left, self.top) * 2, np.float32)) / np.float32(self.scale)
        width, height = self.original
        clipped: NDArray[np.float32] = np.clip(moved, 0, np.array((width, height) * 2, np.float32)).astype(np.float32)
        return clipped


def fit(image: NDArray[np.uint8], size: int) -> Fitted:
    """Scale a picture, keeping its proportions, so that its longer side is ``size``, and pad the rest."""
    from PIL import Image

    height, width = image.shape[:2]
    scale = size / max(width, height)
    new_width, new_height = max(1, round(width * scale)), max(1, round(height * scale))
    left, top = (size - new_width) // 2, (size - new_height) // 2
    square = Image.new("RGB", (size, size), PAD_COLOUR)
    square.paste(Image.fromarray(image).resize((new_width, new_height), Image.Resampling.BILINEAR), (left, top))
    return Fitted(np.array(square), scale, left, top, (width, height))
