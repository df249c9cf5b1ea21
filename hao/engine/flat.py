"""The program image as one flat file for programs that read neither JSON nor safetensors: the C driver's format.

All numbers are little-endian. 192 bytes of header, one record an output, then the bytes behind base IMAGE:

====== ============================================================ =====================================
offset bytes                                                        meaning
====== ============================================================ =====================================
0      8                                                            ``HAOFLAT1``
8      4                                                            bytes of header and records
12     4                                                            CRC-32 of everything from offset 16
16     4 4 4 4                                                      ISA version, program offset, instructions, bytes behind IMAGE
32     32                                                           SHA-256 of the engine's configuration
64     4 4 4 4                                                      input: channels, height, width, bytes a row
80     4 4 4                                                        bytes behind OUTPUT and SCRATCH, number of outputs
96     64                                                           name of the network, zero-terminated
====== ============================================================ =====================================

A record is its own length and the number of planes (4 bytes each), the output's name (64), channels, height, width, bits, signedness
(4 each), four bytes of nothing, its scale (a double, 0 where unknown) and 8 bytes of nothing; then the byte offset of every plane
(4 each), then for every channel its plane (2) and lane (2).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from pathlib import Path

from hao.engine.image import ProgramImage
from hao.engine.manifest import OutputPlacement
from hao.errors import ImageFormatError

MAGIC = b"HAOFLAT1"
HEADER_BYTES = 192
RECORD_BYTES = 112
MAX_OUTPUTS = 8
_NAME_BYTES = 64


def _name(text: str) -> bytes:
    return text.encode("ascii", "replace")[: _NAME_BYTES - 1].ljust(_NAME_BYTES, b"\0")


def _record(place: OutputPlacement, scale: float) -> bytes:
    planes = b"".join(struct.pack("<I", offset) for offset in place.planes)
    channels = b"".join(struct.pack("<HH", plane, lane) for plane, lane in place.channels)
    length = RECORD_BYTES + len(planes) + len(channels)
    numbers = (len(place.channels), place.height, place.width, place.bits, int(place.signed), 0)
    head = struct.pack("<II", length, len(place.planes)) + _name(place.name) + struct.pack("<6Id8x", *numbers, scale)
    assert len(head) == RECORD_BYTES
    return head + planes + channels


def flatten(image: ProgramImage, scales: Mapping[str, float | None] | None = None) -> bytes:
    """``image`` in the flat format.

    Args:
        image: the program image.
        scales: real value of one unit of each output, where known; box decoding needs them.

    Raises:
        ImageFormatError: more outputs than the format holds.
    """
    form = image.manifest
    if len(form.outputs) > MAX_OUTPUTS:
        raise ImageFormatError(f"{form.network} has {len(form.outputs)} outputs, a flat image holds {MAX_OUTPUTS}", "join some of them")
    records = b"".join(_record(place, (scales or {}).get(place.name) or 0.0) for place in form.outputs)
    dram = image.dram.ljust(-(-len(image.dram) // 64) * 64, b"\0")
    body = struct.pack("<4I", form.isa_version, form.program_offset, form.program_count, len(dram)) + bytes.fromhex(form.config_digest)
    body += struct.pack("<4I", form.input.channels, form.input.height, form.input.width, form.input.row_bytes)
    body += struct.pack("<4I", form.output_bytes, form.scratch_bytes, len(form.outputs), 0) + _name(form.network)
    body = body.ljust(HEADER_BYTES - 16, b"\0") + records + dram
    return MAGIC + struct.pack("<2I", HEADER_BYTES + len(records), zlib.crc32(body)) + body


def read_scales(data: bytes) -> dict[str, float]:
    """The scales of the outputs of a flat image, by their names in its order; 0 where unknown.

    Raises:
        ImageFormatError: it is no flat image, or damaged.
    """
    if len(data) < HEADER_BYTES or data[:8] != MAGIC or zlib.crc32(data[16:]) != struct.unpack_from("<I", data, 12)[0]:
        raise ImageFormatError("this is no flat image, or it is damaged", "hao compile --flat writes one")
    scales: dict[str, float] = {}
    at = HEADER_BYTES
    for _ in range(struct.unpack_from("<I", data, 88)[0]):
        name = data[at + 8 : at + 8 + _NAME_BYTES].rstrip(b"\0").decode("ascii")
        scales[name] = struct.unpack_from("<d", data, at + 96)[0]
        at += struct.unpack_from("<I", data, at)[0]
    return scales


def write_flat(image: ProgramImage, path: Path, scales: Mapping[str, float | None] | None = None) -> None:
    """Write ``flatten(image, scales)`` to ``path``.

    Raises:
        ImageFormatError: more outputs than the format holds, or the file cannot be written.
    """
    data = flatten(image, scales)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    except OSError as error:
        raise ImageFormatError(f"{path} cannot be written: {error.strerror}", "choose another place") from error
