"""Draws what the network found onto the picture that it looked at."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hao.errors import DataError
from hao.report.schema import DetectionReport

_COLOURS = (
    "#e6194b", "#3cb44b", "#ffe119", "#4363d8", "#f58231", "#911eb4", "#46f0f0", "#f032e6", "#bcf60c", "#fabebe",
    "#008080", "#e6beff", "#9a6324", "#fffac8", "#800000", "#aaffc3", "#808000", "#ffd8b1", "#000075", "#808080",
)  # fmt: skip
_SIDE = 1024


def colour(label: str) -> str:
    """A colour for a class, the same in every picture."""
    return _COLOURS[sum(label.encode()) % len(_COLOURS)]


def draw_detections(pixels: npt.NDArray[np.uint8], detections: Sequence[DetectionReport], caption: str) -> bytes:
    """The picture as PNG, enlarged, with boxes, labels, scores and ``caption`` below it.

    Args:
        pixels: ``(H, W, 3)``, what the network saw.
        detections: boxes in its pixels.
        caption: one line.
    """
    from PIL import Image, ImageDraw, ImageFont

    height, width = pixels.shape[:2]
    zoom = max(1, _SIDE // max(height, width))
    band = 34
    canvas = Image.new("RGB", (width * zoom, height * zoom + band), "white")
    canvas.paste(Image.fromarray(pixels).resize((width * zoom, height * zoom), Image.Resampling.NEAREST), (0, 0))
    draw = ImageDraw.Draw(canvas)
    font = ImageFont.load_default(18)
    for found in sorted(detections, key=lambda each: each.score):
        x0, y0, x1, y1 = (value * zoom for value in found.box)
        if x1 <= x0 or y1 <= y0:
            continue
        draw.rectangle((x0, y0, x1, y1), outline=colour(found.label), width=3)
        text = f"{found.label} {found.score:.2f}"
        left, top, right, bottom = draw.textbbox((x0 + 4, max(0.0, y0 - 24)), text, font=font)
        draw.rectangle((left - 4, top - 3, right + 4, bottom + 3), fill=colour(found.label))
        draw.text((left, max(0.0, y0 - 24)), text, fill="black", font=font)
    draw.text((8, height * zoom + 6), caption, fill="black", font=font)
    return encode_png(np.asarray(canvas))


def encode_png(pixels: npt.NDArray[np.uint8]) -> bytes:
    """``(H, W, 3)`` or ``(H, W)`` pixels as PNG."""
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def write_bytes(path: Path, data: bytes) -> None:
    """Write ``path`` whole or not at all.

    Raises:
        DataError: it cannot be written.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(data)
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise DataError(f"{path} cannot be written: {error.strerror}", "choose another place with --out") from error
