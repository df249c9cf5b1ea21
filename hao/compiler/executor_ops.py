"""What each instruction computes, vectorized over the output pixels of the instruction (``docs/isa.md``)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hao.compiler.memories import BoolArray, ByteArray, IntArray, Memories, Memory, inside
from hao.engine.config import EngineConfig
from hao.engine.encode import Instruction
from hao.engine.isa import (
    LANES,
    LIST_ENTRIES_PER_WORD,
    REQUANT_WORDS,
    SHIFTS,
    TAPS,
    TILE_WORDS,
    WINDOW_BANKS,
    BaseSelect,
    Destination,
    DwMode,
    LoadTarget,
)
from hao.errors import SimulationError

ACC_MIN, ACC_MAX = -(1 << 26), (1 << 26) - 1
"""Accumulator with its bias: 27 signed bits."""


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """Result words of one instruction: pixel indices ``(n,)`` and bytes ``(n, 16)``; empty where there are none."""

    pixels: IntArray
    words: ByteArray


NO_RESULT = Result(np.zeros(0, np.int64), np.zeros((0, LANES), np.uint8))


@dataclass(frozen=True, slots=True, eq=False)
class _Params:
    bias: IntArray
    multiplier: IntArray
    shift: IntArray


def _fail(i: Instruction, what: str) -> SimulationError:
    return SimulationError(f"{what}, in {i}", "the program image is wrong; compile it again")


def _params(i: Instruction, m: Memories, config: EngineConfig, check: bool) -> _Params:
    at = (i["p_addr"] + np.arange(REQUANT_WORDS)) % config.pb_words
    if check and not m.pb_known[at].all():
        raise _fail(i, f"PB word {int(at[~m.pb_known[at]][0])} was never written")
    packed = m.pb[at].reshape(-1).view("<u8").astype(np.uint64)
    bias = (packed & np.uint64(0xFFFFFFFF)).astype(np.uint32).view(np.int32).astype(np.int64)
    multiplier = ((packed >> np.uint64(32)) & np.uint64(0x1FFFF)).astype(np.int64)
    code = ((packed >> np.uint64(49)) & np.uint64(7)).astype(np.int64)
    return _Params(bias, multiplier, np.array(SHIFTS)[code])


def _requant(i: Instruction, acc: IntArray, p: _Params, check: BoolArray | None) -> ByteArray:
    """``(n, 16)`` accumulators to result bytes; ``check``: lanes whose accumulator must fit."""
    biased = acc + p.bias
    if check is not None:
        for values in (acc[:, check], biased[:, check]):
            if values.size and (values.min() < ACC_MIN or values.max() > ACC_MAX):
                raise _fail(i, f"an accumulator of {int(values.flat[np.abs(values).argmax()])} does not fit 27 bits")
    scaled = (biased * p.multiplier + (np.int64(1) << (p.shift - 1))) >> p.shift
    return np.asarray(np.clip(scaled, i["lo"], i["hi"]) & 0xFF).astype(np.uint8)


def _values(words: ByteArray, signed: int) -> IntArray:
    values: IntArray = (words.view(np.int8) if signed else words).astype(np.int64)
    return values


def _pixels(i: Instruction) -> tuple[IntArray, IntArray, IntArray]:
    """Rows, columns and pixel indices of the output pixels, row by row."""
    if i["out_w"] == 0 or i["y1"] <= i["y0"]:
        raise _fail(i, "the instruction has no output pixel")
    y = np.repeat(np.arange(i["y0"], i["y1"], dtype=np.int64), i["out_w"])
    x = np.tile(np.arange(i["out_w"], dtype=np.int64), i["y1"] - i["y0"])
    return y, x, y * i["out_w"] + x


def _scatter(i: Instruction, m: Memories, pixels: IntArray, words: ByteArray, known: BoolArray, check: bool) -> None:
    """Write the masked lanes of ``words`` to their planes; ``known`` has the shape of ``words``."""
    for lane in range(LANES):
        if not i["lane_mask"] >> lane & 1:
            continue
        if check and not known[:, lane].all():
            raise _fail(i, f"lane {lane} of pixel {int(pixels[~known[:, lane]][0])} is computed from undefined values")
        at = inside((i[f"dst_base{i['lane_sel'] >> 2 * lane & 3}"] + pixels) & 0xFFFF, len(m.fm), Memory.FM)
        m.fm[at, lane] = words[:, lane]
        m.fm_known[at, lane] = True


def _window_place(i: Instruction, y: IntArray, x: IntArray, depth: int) -> tuple[IntArray, IntArray]:
    """Bank and address of slice pixels."""
    if i["win_rows"] == 0:
        raise _fail(i, "a window slice has no rows")
    address = i["win_base"] + (y % i["win_rows"]) * i["win_pitch"] + x // WINDOW_BANKS
    return (3 * y + x) % WINDOW_BANKS, inside(address, depth, Memory.WIN)


def _check_slot(i: Instruction, first: int) -> None:
    if i["win_slot0"] != first % i["win_rows"] or i["win_bank0"] != 3 * first % WINDOW_BANKS:
        raise _fail(i, f"win_slot0 and win_bank0 do not belong to row {first}")


def _to_window(i: Instruction, m: Memories, config: EngineConfig, words: ByteArray, known: BoolArray, check: bool) -> None:
    y, x, _ = _pixels(i)
    if check:
        _check_slot(i, i["y0"])
        if i["win_pitch"] * WINDOW_BANKS < i["out_w"] or i["y1"] - i["y0"] > i["win_rows"]:
            raise _fail(i, "the rows do not fit the window slice")
    bank, address = _window_place(i, y, x, config.win_depth)
    m.window[bank, address] = words
    m.window_known[bank, address] = known
    m.window_tag[bank, address] = y << 16 | x


def run_load(i: Instruction, m: Memories, config: EngineConfig, check: bool) -> Result:
    """LOAD."""
    base, first, count = BaseSelect(i["base_sel"]), i["dram_offset"] // 16, i["length"]
    if i["dram_offset"] % 16:
        raise _fail(i, "dram_offset is not a multiple of 16")
    source = inside(first + np.arange(count, dtype=np.int64), len(m.dram[base]), Memory.IMAGE)
    words, known = m.dram[base][source], m.dram_known[base][source]
    at = i["dst_addr"] + np.arange(count, dtype=np.int64)
    target = LoadTarget(i["target"])
    if target is LoadTarget.FEATURE:
        at = inside(at & 0xFFFF, config.fm_words, Memory.FM)
        m.fm[at], m.fm_known[at] = words, known
        return NO_RESULT
    if check and not known.all():
        raise _fail(i, f"DRAM word {int(source[~known.all(axis=1)][0])} was never written")
    if target is LoadTarget.WEIGHT:
        m.wb[at % config.wb_words], m.wb_known[at % config.wb_words] = words, True
    elif target is LoadTarget.PARAM:
        m.pb[at % config.pb_words], m.pb_known[at % config.pb_words] = words, True
    else:
        per = LIST_ENTRIES_PER_WORD
        entries = (at[:, None] * per + np.arange(per)).reshape(-1) % config.lm_entries
        m.lm[entries], m.lm_known[entries] = words.reshape(-1).view("<u2"), True
    return NO_RESULT


def run_ldi(i: Instruction, m: Memories, config: EngineConfig, check: bool) -> Result:
    """LDI."""
    y, x, pixels = _pixels(i)
    if i["kernel"] not in (1, 3) or not 1 <= i["channels"] <= 3 or not 1 <= i["stride"] <= 4 or i["pad"] > 1:
        raise _fail(i, "kernel, channels, stride or pad is outside its range")
    if i["row_bytes"] > config.row_bytes or i["row_bytes"] % 16 or i["in_w"] * 4 > i["row_bytes"]:
        raise _fail(i, f"row_bytes {i['row_bytes']} does not fit the row buffer or the image")
    base = BaseSelect(i["base_sel"])
    if check and not m.dram_known[base].all():
        raise _fail(i, "the image was never written")
    image = m.dram[base].reshape(-1)
    result = np.zeros((len(y), 2 * LANES), np.uint8)
    for ky in range(i["kernel"]):
        for kx in range(i["kernel"]):
            iy, ix = y * i["stride"] - i["pad"] + ky, x * i["stride"] - i["pad"] + kx
            live = (iy >= 0) & (iy < i["in_h"]) & (ix >= 0) & (ix < i["in_w"])
            at = inside(i["dram_offset"] + iy[live] * i["row_bytes"] + 4 * ix[live], len(image) - 3, Memory.INPUT)
            for c in range(i["channels"]):
                lane = (ky * i["kernel"] + kx) * i["channels"] + c
                result[:, lane] = i[f"fill{c}"]
                result[live, lane] = image[at + c]
    planes = 2 if i["kernel"] ** 2 * i["channels"] > LANES else 1
    for plane in range(planes):
        at = inside((i[f"dst_base{plane}"] + pixels) & 0xFFFF, config.fm_words, Memory.FM)
        m.fm[at], m.fm_known[at] = result[:, plane * LANES : (plane + 1) * LANES], True
    return NO_RESULT


def _tiles(i: Instruction, m: Memories, config: EngineConfig, check: bool) -> IntArray:
    """Weights ``(taps, n_in, out, in)``."""
    words = TILE_WORDS[8 if i["w8"] else 4]
    count = i["kernel"] ** 2 * i["n_in"]
    if check and count * words > config.wb_words:
        raise _fail(i, f"{count * words} words of weights do not fit the weight buffer")
    at = (i["w_addr"] + np.arange(count * words)) % config.wb_words
    if check and not m.wb_known[at].all():
        raise _fail(i, f"WB word {int(at[~m.wb_known[at]][0])} was never written")
    raw = m.wb[at].reshape(-1)
    if i["w8"]:
        weights = raw.view(np.int8).astype(np.int64)
    else:
        nibbles = np.stack([raw & 15, raw >> 4], axis=-1).reshape(-1).astype(np.int64)
        weights = nibbles - 16 * (nibbles > 7)
    return weights.reshape(i["kernel"] ** 2, i["n_in"], LANES, LANES)


def _dense_operand(
    i: Instruction, m: Memories, planes: IntArray, iy: IntArray, ix: IntArray, used: BoolArray, check: bool
) -> tuple[IntArray, BoolArray]:
    """Values ``(n, n_in, 16)`` at input pixels, and whether lanes that meet a weight (``used``: ``(n_in, 16)``) are undefined."""
    live = (iy >= 0) & (iy < i["in_h"]) & (ix >= 0) & (ix < i["in_w"])
    at = inside((planes[None, :] + (iy * i["in_w"] + ix)[live, None]) & 0xFFFF, len(m.fm), Memory.FM)
    values = np.zeros((len(iy), len(planes), LANES), np.int64)
    values[live] = _values(m.fm[at], i["x_signed"])
    undefined = np.zeros(len(iy), np.bool_)
    if check:
        undefined[live] = (~m.fm_known[at] & used[None]).any(axis=(1, 2))
    return values, undefined


def run_dense(i: Instruction, m: Memories, config: EngineConfig, check: bool) -> Result:
    """DENSE."""
    y, x, pixels = _pixels(i)
    if not (1 <= i["kernel"] <= 15 and 1 <= i["stride"] <= 4 and i["pad"] <= 7 and i["n_in"] >= 1):
        raise _fail(i, "kernel, stride, pad or n_in is outside its range")
    entries = (i["list_addr"] + np.arange(i["n_in"])) % config.lm_entries
    if check and not m.lm_known[entries].all():
        raise _fail(i, f"LM entry {int(entries[~m.lm_known[entries]][0])} was never written")
    planes, weights = m.lm[entries].astype(np.int64), _tiles(i, m, config, check)
    acc = np.zeros((len(y), LANES))
    undefined = np.zeros(len(y), np.bool_)
    for tap in range(i["kernel"] ** 2):
        iy = y * i["stride"] - i["pad"] + tap // i["kernel"]
        ix = x * i["stride"] - i["pad"] + tap % i["kernel"]
        values, missing = _dense_operand(i, m, planes, iy, ix, (weights[tap] != 0).any(axis=1), check)
        # float64 sums of these integers stay far below 2^53: exact, and a matrix product in BLAS
        acc += values.reshape(len(y), -1).astype(np.float64) @ weights[tap].transpose(0, 2, 1).reshape(-1, LANES).astype(np.float64)
        undefined |= missing
    if check and undefined.any():
        raise _fail(i, f"pixel {int(pixels[undefined][0])} is computed from undefined feature memory")
    words = _requant(i, acc.astype(np.int64), _params(i, m, config, check), np.ones(LANES, np.bool_) if check else None)
    known = np.ones(words.shape, np.bool_)
    if i["dst"] == Destination.FEATURE:
        _scatter(i, m, pixels, words, known, check)
    elif i["dst"] == Destination.WINDOW:
        _to_window(i, m, config, words, known, check)
    else:
        at = inside((i["dst_base0"] + pixels) & 0xFFFF, config.disp_entries, Memory.DISP)
        m.disp[at], m.disp_known[at] = words[:, 0].view(np.int8), True
    return Result(pixels, words)


def run_fill(i: Instruction, m: Memories, config: EngineConfig, check: bool) -> Result:
    """FILL."""
    y, x, pixels = _pixels(i)
    source = (y // 2) * (i["out_w"] // 2) + x // 2 if i["up"] else pixels
    at = inside((i["src_base"] + source) & 0xFFFF, config.fm_words, Memory.FM)
    _to_window(i, m, config, m.fm[at], m.fm_known[at], check)
    return NO_RESULT


def _displacement(i: Instruction, m: Memories, config: EngineConfig, pixels: IntArray, check: bool) -> IntArray:
    if not i["deform"]:
        return np.full(len(pixels), i["dilation"], np.int64)
    at = inside((i["disp_base"] + pixels) & 0xFFFF, config.disp_entries, Memory.DISP)
    if check and not m.disp_known[at].all():
        raise _fail(i, f"DISP entry {int(at[~m.disp_known[at]][0])} was never written")
    d = m.disp[at].astype(np.int64)
    if check and np.abs(d).max() > 8:
        raise _fail(i, f"a displacement of {int(d[np.abs(d).argmax()])} is outside -8..8")
    return d


def run_dw(i: Instruction, m: Memories, config: EngineConfig, check: bool) -> Result:
    """DW."""
    y, x, pixels = _pixels(i)
    mode = DwMode(i["mode"])
    if i["stride"] not in (1, 2) or (check and i["in_w"] > i["win_pitch"] * WINDOW_BANKS):
        raise _fail(i, "stride or win_pitch is outside its range")
    if check:
        _check_slot(i, i["y0"] * i["stride"] + i["offset"])
    d = _displacement(i, m, config, pixels, check)
    taps = m.pb[(i["p_addr"] + REQUANT_WORDS + np.arange(TAPS)) % config.pb_words].view(np.int8).astype(np.int64)
    if check and mode is not DwMode.MAX and not m.pb_known[(i["p_addr"] + REQUANT_WORDS + np.arange(TAPS)) % config.pb_words].all():
        raise _fail(i, f"PB words of the taps at {i['p_addr'] + REQUANT_WORDS} were never written")
    acc = np.full((len(y), LANES), -(1 << 40) if mode is DwMode.MAX else 0, np.int64)
    known: BoolArray = np.ones(acc.shape, np.bool_)
    any_live = np.zeros(len(y), np.bool_)
    for tap in range(TAPS):
        if not i["tap_mask"] >> tap & 1 or (mode is DwMode.SUM and tap != TAPS // 2):
            continue
        iy = y * i["stride"] + i["offset"] + (tap // 3 - 1) * d
        ix = x * i["stride"] + i["offset"] + (tap % 3 - 1) * d
        live = np.flatnonzero((iy >= 0) & (iy < i["in_h"]) & (ix >= 0) & (ix < i["in_w"]))
        any_live[live] = True
        bank, address = _window_place(i, iy[live], ix[live], config.win_depth)
        if check and (m.window_tag[bank, address] != (iy[live] << 16 | ix[live])).any():
            wrong = live[m.window_tag[bank, address] != (iy[live] << 16 | ix[live])][0]
            raise _fail(i, f"the window does not hold pixel ({int(iy[wrong])}, {int(ix[wrong])})")
        value = _values(m.window[bank, address], i["x_signed"])
        known[live] &= m.window_known[bank, address]
        acc[live] = np.maximum(acc[live], value) if mode is DwMode.MAX else acc[live] + taps[tap] * value
    if mode is DwMode.MAX and check and not any_live.all():
        raise _fail(i, f"no tap is live at pixel {int(pixels[~any_live][0])}")
    if mode is DwMode.SUM:
        acc, pixels = acc.sum(axis=0, keepdims=True), np.zeros(1, np.int64)
        known = np.asarray(known.all(axis=0, keepdims=True), np.bool_)
    masked = np.array([i["lane_mask"] >> lane & 1 for lane in range(LANES)], np.bool_)
    words = _requant(i, acc, _params(i, m, config, check), masked if check else None)
    _scatter(i, m, pixels, words, known, check)
    return Result(pixels, words)


def run_add(i: Instruction, m: Memories, config: EngineConfig, check: bool) -> Result:
    """ADD."""
    _, _, pixels = _pixels(i)
    a_at = inside((i["a_base"] + pixels) & 0xFFFF, config.fm_words, Memory.FM)
    b_at = inside((i["b_base"] + pixels) & 0xFFFF, config.fm_words, Memory.FM)
    shift = SHIFTS[i["shift"]]
    total = _values(m.fm[a_at], i["a_signed"]) * i["m1"] + _values(m.fm[b_at], i["b_signed"]) * i["m2"]
    words = (np.clip((total + (1 << (shift - 1))) >> shift, i["lo"], i["hi"]) & 0xFF).astype(np.uint8)
    known = m.fm_known[a_at].copy()
    if i["m2"]:
        known &= m.fm_known[b_at]
    _scatter(i, m, pixels, words, known, check)
    return Result(pixels, words)


def run_store(i: Instruction, m: Memories, config: EngineConfig, check: bool) -> Result:
    """STORE."""
    base, count = BaseSelect(i["base_sel"]), i["length"]
    if i["dram_offset"] % 16:
        raise _fail(i, "dram_offset is not a multiple of 16")
    at = inside((i["src_addr"] + np.arange(count, dtype=np.int64)) & 0xFFFF, config.fm_words, Memory.FM)
    to = inside(i["dram_offset"] // 16 + np.arange(count, dtype=np.int64), len(m.dram[base]), Memory.OUTPUT)
    if check and not m.fm_known[at].any(axis=1).all():
        raise _fail(i, f"FM word {int(at[~m.fm_known[at].any(axis=1)][0])} was never written")
    m.dram[base][to], m.dram_known[base][to] = m.fm[at], m.fm_known[at]
    return NO_RESULT
