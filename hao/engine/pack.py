"""Bit layouts of what LOAD brings on chip: weight tiles, requantization parameters, taps and lists."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hao.engine.isa import LANES, LIST_ENTRIES_PER_WORD, SHIFTS, TAPS, WORD_BYTES

IntArray = npt.NDArray[np.int64]


def pack_requant(bias: IntArray, multiplier: IntArray, shift: IntArray) -> bytes:
    """Requantization parameters of 16 channels: 8 words, 128 bytes.

    Args:
        bias: ``(16,)`` signed 32-bit; multiplier: ``(16,)`` unsigned 17-bit; shift: ``(16,)`` from the set of shifts.
    """
    code = np.array([SHIFTS.index(int(s)) for s in shift], np.uint64)
    low = bias.astype(np.int64).astype(np.uint64) & np.uint64(0xFFFFFFFF)
    packed = low | multiplier.astype(np.uint64) << np.uint64(32) | code << np.uint64(49)
    return bytes(packed.astype("<u8").tobytes())


def pack_taps(taps: IntArray) -> bytes:
    """Depthwise weights ``(9, 16)`` signed bytes: one word a tap."""
    return np.ascontiguousarray(taps.reshape(TAPS, LANES).astype(np.int8)).tobytes()


def pack_tiles(tiles: IntArray, bits: int) -> bytes:
    """Weight tiles ``(..., 16 out, 16 in)``, 16 words each at ``bits`` = 8, 8 words each at 4."""
    flat = np.ascontiguousarray(tiles).reshape(-1, LANES)
    if bits == 8:
        return flat.astype(np.int8).tobytes()
    nibbles = flat.astype(np.int8).view(np.uint8) & 15
    return bytes((nibbles[:, 0::2] | nibbles[:, 1::2] << 4).astype(np.uint8).tobytes())


def pack_list(addresses: list[int]) -> bytes:
    """List-memory entries, padded to a whole number of words."""
    count = -(-len(addresses) // LIST_ENTRIES_PER_WORD) * LIST_ENTRIES_PER_WORD
    padded = [address & 0xFFFF for address in addresses] + [0] * (count - len(addresses))
    return np.array(padded, "<u2").tobytes()


class DramBuilder:
    """Collects bytes for one DRAM region at aligned offsets."""

    def __init__(self) -> None:
        self._data = bytearray()

    def add(self, data: bytes, align: int = WORD_BYTES) -> int:
        """Append ``data``; its byte offset is returned, a multiple of ``align``."""
        self._data.extend(bytes(-len(self._data) % align))
        offset = len(self._data)
        self._data.extend(data)
        return offset

    def replace(self, offset: int, data: bytes) -> None:
        """Overwrite bytes added before."""
        self._data[offset : offset + len(data)] = data

    def tobytes(self) -> bytes:
        """Everything added, a whole number of words."""
        return bytes(self._data) + bytes(-len(self._data) % WORD_BYTES)
