"""Which addresses an instruction reads and writes: ranges, from its fields alone (and the lists that DENSE names)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hao.compiler.memories import DRAM_OF, Memory
from hao.engine.config import EngineConfig
from hao.engine.encode import Instruction
from hao.engine.isa import (
    DW_PARAM_WORDS,
    LANES,
    LIST_ENTRIES_PER_WORD,
    REQUANT_WORDS,
    TILE_WORDS,
    BaseSelect,
    Destination,
    DwMode,
    LoadTarget,
    Opcode,
)

ALL_LANES = (1 << LANES) - 1
DEFORM_REACH = 8
"""Largest displacement: what a deformable DW may read around its centre, whatever the map holds."""


@dataclass(frozen=True, slots=True)
class Access:
    """A contiguous range of one memory; ``lanes`` matter in the feature memory, where writes have byte enables."""

    memory: Memory
    start: int
    length: int
    write: bool
    lanes: int = ALL_LANES


_Accesses = Iterator[Access]


def _ring(memory: Memory, start: int, length: int, size: int, write: bool) -> _Accesses:
    if length >= size:
        yield Access(memory, 0, size, write)
        return
    start %= size
    first = min(length, size - start)
    yield Access(memory, start, first, write)
    if length > first:
        yield Access(memory, 0, length - first, write)


def _plane(base: int, first: int, length: int, write: bool, lanes: int = ALL_LANES) -> Access:
    return Access(Memory.FM, (base + first) & 0xFFFF, length, write, lanes)


def _scatter(i: Instruction, first: int, length: int) -> _Accesses:
    for plane in range(4):
        lanes = sum(
            1 << lane for lane in range(LANES) if i["lane_mask"] >> lane & 1 and i["lane_sel"] >> 2 * lane & 3 == plane
        )
        if lanes:
            yield _plane(i[f"dst_base{plane}"], first, length, True, lanes)


def _window_rows(i: Instruction, first: int, last: int, write: bool) -> _Accesses:
    """Rows ``first`` to ``last`` (exclusive) of the instruction's slice."""
    rows, pitch, base = i["win_rows"], i["win_pitch"], i["win_base"]
    if last - first >= rows:
        yield Access(Memory.WIN, base, rows * pitch, write)
        return
    slot, count = first % rows, last - first
    head = min(count, rows - slot)
    yield Access(Memory.WIN, base + slot * pitch, head * pitch, write)
    if count > head:
        yield Access(Memory.WIN, base, (count - head) * pitch, write)


def _dram(i: Instruction, offset: int, words: int, write: bool) -> Access:
    return Access(DRAM_OF[BaseSelect(i["base_sel"])], offset // 16, words, write)


def _load(i: Instruction, config: EngineConfig) -> _Accesses:
    target, length = LoadTarget(i["target"]), i["length"]
    yield _dram(i, i["dram_offset"], length, False)
    if target is LoadTarget.WEIGHT:
        yield from _ring(Memory.WB, i["dst_addr"], length, config.wb_words, True)
    elif target is LoadTarget.PARAM:
        yield from _ring(Memory.PB, i["dst_addr"], length, config.pb_words, True)
    elif target is LoadTarget.LIST:
        per = LIST_ENTRIES_PER_WORD
        yield from _ring(Memory.LM, i["dst_addr"] * per, length * per, config.lm_entries, True)
    else:
        yield _plane(i["dst_addr"], 0, length, True)


def _ldi(i: Instruction) -> _Accesses:
    top = max(0, i["y0"] * i["stride"] - i["pad"])
    bottom = min(i["in_h"], (i["y1"] - 1) * i["stride"] - i["pad"] + i["kernel"])
    if bottom > top:
        yield _dram(i, i["dram_offset"] + top * i["row_bytes"], (bottom - top) * i["row_bytes"] // 16, False)
    first, length = i["y0"] * i["out_w"], (i["y1"] - i["y0"]) * i["out_w"]
    yield _plane(i["dst_base0"], first, length, True)
    if i["kernel"] ** 2 * i["channels"] > LANES:
        yield _plane(i["dst_base1"], first, length, True)


def _dense(i: Instruction, config: EngineConfig, lists: Callable[[int], int]) -> _Accesses:
    yield from _ring(Memory.LM, i["list_addr"], i["n_in"], config.lm_entries, False)
    tiles = i["kernel"] ** 2 * i["n_in"]
    yield from _ring(Memory.WB, i["w_addr"], tiles * TILE_WORDS[8 if i["w8"] else 4], config.wb_words, False)
    yield from _ring(Memory.PB, i["p_addr"], REQUANT_WORDS, config.pb_words, False)
    top = max(0, i["y0"] * i["stride"] - i["pad"])
    bottom = min(i["in_h"], (i["y1"] - 1) * i["stride"] - i["pad"] + i["kernel"])
    if bottom > top:
        for b in range(i["n_in"]):
            base = lists((i["list_addr"] + b) % config.lm_entries)
            yield _plane(base, top * i["in_w"], (bottom - top) * i["in_w"], False)
    first, length = i["y0"] * i["out_w"], (i["y1"] - i["y0"]) * i["out_w"]
    if i["dst"] == Destination.FEATURE:
        yield from _scatter(i, first, length)
    elif i["dst"] == Destination.WINDOW:
        yield from _window_rows(i, i["y0"], i["y1"], True)
    else:
        yield Access(Memory.DISP, (i["dst_base0"] + first) & 0xFFFF, length, True)


def _fill(i: Instruction) -> _Accesses:
    if i["up"]:
        width, top, bottom = i["out_w"] // 2, i["y0"] // 2, (i["y1"] - 1) // 2 + 1
    else:
        width, top, bottom = i["out_w"], i["y0"], i["y1"]
    yield _plane(i["src_base"], top * width, (bottom - top) * width, False)
    yield from _window_rows(i, i["y0"], i["y1"], True)


def dw_rows(i: Instruction) -> tuple[int, int]:
    """Rows of the slice that a DW instruction may read, first and one past the last (equal: none)."""
    reach = DEFORM_REACH if i["deform"] else abs(i["dilation"])
    lines = [k - 1 for k in range(3) if i["tap_mask"] >> 3 * k & 7]
    if not lines:
        return 0, 0
    spread = reach if i["deform"] else i["dilation"]
    low, high = min(k * spread for k in lines), max(k * spread for k in lines)
    if i["deform"] and lines != [0]:
        low, high = -reach, reach
    first = max(0, i["y0"] * i["stride"] + i["offset"] + low)
    last = min(i["in_h"], (i["y1"] - 1) * i["stride"] + i["offset"] + high + 1)
    return first, max(first, last)


def _dw(i: Instruction, config: EngineConfig) -> _Accesses:
    words = REQUANT_WORDS if i["mode"] == DwMode.MAX else DW_PARAM_WORDS
    yield from _ring(Memory.PB, i["p_addr"], words, config.pb_words, False)
    top, bottom = dw_rows(i)
    if bottom > top:
        yield from _window_rows(i, top, bottom, False)
    first, length = i["y0"] * i["out_w"], (i["y1"] - i["y0"]) * i["out_w"]
    if i["deform"]:
        yield Access(Memory.DISP, (i["disp_base"] + first) & 0xFFFF, length, False)
    yield from _scatter(i, *((0, 1) if i["mode"] == DwMode.SUM else (first, length)))


def _add(i: Instruction) -> _Accesses:
    first, length = i["y0"] * i["out_w"], (i["y1"] - i["y0"]) * i["out_w"]
    yield _plane(i["a_base"], first, length, False)
    if i["m2"]:
        yield _plane(i["b_base"], first, length, False)
    yield from _scatter(i, first, length)


def accesses(i: Instruction, config: EngineConfig, lists: Callable[[int], int]) -> tuple[Access, ...]:
    """Ranges that an instruction reads and writes.

    Args:
        i: the instruction.
        config: the engine, for the sizes of the rings.
        lists: content of a list-memory entry when the instruction runs.
    """
    if i.opcode is Opcode.LOAD:
        return tuple(_load(i, config))
    if i.opcode is Opcode.LDI:
        return tuple(_ldi(i))
    if i.opcode is Opcode.DENSE:
        return tuple(_dense(i, config, lists))
    if i.opcode is Opcode.FILL:
        return tuple(_fill(i))
    if i.opcode is Opcode.DW:
        return tuple(_dw(i, config))
    if i.opcode is Opcode.ADD:
        return tuple(_add(i))
    if i.opcode is Opcode.STORE:
        length = i["length"]
        return (_plane(i["src_addr"], 0, length, False), _dram(i, i["dram_offset"], length, True))
    return ()


class ListMemory:
    """Contents of the list memory as the LOADs of a program write it, for :func:`accesses`."""

    def __init__(self, config: EngineConfig, image: bytes) -> None:
        self._entries: npt.NDArray[np.uint16] = np.zeros(config.lm_entries, np.uint16)
        self._image = image

    def __call__(self, entry: int) -> int:
        return int(self._entries[entry])

    def run(self, i: Instruction) -> None:
        """Take note of a LOAD into the list memory; other instructions change nothing."""
        if i.opcode is not Opcode.LOAD or i["target"] != LoadTarget.LIST:
            return
        count = i["length"] * LIST_ENTRIES_PER_WORD
        at = (i["dst_addr"] * LIST_ENTRIES_PER_WORD + np.arange(count)) % len(self._entries)
        offset = i["dram_offset"]
        self._entries[at] = np.frombuffer(self._image[offset : offset + 2 * count], "<u2")
