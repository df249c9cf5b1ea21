"""What a program image promises about itself, checked before anything relies on it; a right digest proves no sense."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

from hao.engine.isa import INSTRUCTION_BYTES, LANES, WORD_BYTES, Unit
from hao.engine.manifest import Manifest

Tensors = Mapping[str, npt.NDArray[np.generic]]

_COLUMNS = ("trace_unit", "trace_seq", "trace_tensor", "trace_width", "trace_first", "trace_count")
_MOST_CHANNELS = _MOST_PIXELS = 1 << 20
_PIXEL_BYTES = 4


def contradictions(manifest: Manifest, tensors: Tensors) -> Iterator[str]:
    """Everything in an image that contradicts itself or the instruction set, one line each; the first is worth reporting."""
    yield from _program(manifest, tensors["dram"])
    form = manifest.input
    if form.row_bytes < form.width * _PIXEL_BYTES or form.row_bytes % WORD_BYTES:
        yield f"rows of {form.row_bytes} bytes do not hold {form.width} pixels"
    if form.size > manifest.REGION_LIMIT:
        yield f"an input of {form.size} bytes"
    yield from _outputs(manifest)
    yield from _trace(manifest, tensors)


def _program(manifest: Manifest, dram: npt.NDArray[np.generic]) -> Iterator[str]:
    end = manifest.program_offset + manifest.program_count * INSTRUCTION_BYTES
    if dram.ndim != 1:
        yield f"its memory has {dram.ndim} dimensions"
    elif manifest.program_offset % INSTRUCTION_BYTES or end > dram.size:
        yield "the program lies outside the image"


def _outputs(manifest: Manifest) -> Iterator[str]:
    names = [place.name for place in manifest.outputs]
    if len(set(names)) != len(names):
        yield "two outputs have one name"
    for place in manifest.outputs:
        size = place.height * place.width * WORD_BYTES
        if any(not 0 <= at <= manifest.output_bytes - size for at in place.planes):
            yield f"output {place.name!r} lies beside its region"
        if any(not (0 <= plane < len(place.planes) and 0 <= lane < LANES) for plane, lane in place.channels):
            yield f"output {place.name!r} has a channel in a plane or lane that does not exist"


def _trace(manifest: Manifest, tensors: Tensors) -> Iterator[str]:
    count = tensors["trace_unit"].size
    if any(tensors[name].shape != (count,) for name in _COLUMNS) or tensors["trace_channels"].shape != (count, LANES):
        yield "the columns of its trace map differ in length"
        return
    unit, seq, tensor, width, first, rows = (tensors[name].astype(np.int64) for name in _COLUMNS)
    channels = tensors["trace_channels"].astype(np.int64)
    if not np.isin(unit, (Unit.DENSE, Unit.DW)).all():
        yield "its trace map names a unit without results"
    if len(np.unique(unit << 32 | seq)) != count:
        yield "its trace map names an instruction twice"
    if (tensor >= len(manifest.tensors)).any():
        yield "its trace map names a tensor that is not listed"
    if (width < 1).any() or (rows < 1).any() or (first + rows > _MOST_PIXELS).any():
        yield "its trace map has a map without pixels, or one that is too large"
    if ((channels < -1) | (channels >= _MOST_CHANNELS)).any():
        yield "its trace map has a channel that cannot be"
