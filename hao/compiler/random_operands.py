"""Random operands for single instructions, each with what must be loaded before it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

import numpy as np

from hao.compiler.access import dw_rows
from hao.engine.config import EngineConfig
from hao.engine.encode import Instruction
from hao.engine.isa import (
    LANES,
    LIST_ENTRIES_PER_WORD,
    SHIFTS,
    TAPS,
    TILE_WORDS,
    WINDOW_BANKS,
    WORD_BYTES,
    BaseSelect,
    Destination,
    DwMode,
    LoadTarget,
    Opcode,
)
from hao.engine.pack import DramBuilder, pack_list, pack_requant

_T = TypeVar("_T")
_Instructions = Iterator[Instruction]
_BOUNDS = ((0, 255), (-128, 127), (0, 127), (-8, 8), (0, 15), (-100, 180), (-32768, 32767), (3, 3))
_TILES = 120
"""Tiles a DENSE: 120 * 16 products of 255 * 128 and a bias of 2^20 still fit 27 bits."""


@dataclass(frozen=True, slots=True)
class Region:
    """Words of the feature memory that a program works in."""

    start: int
    length: int


class Operands:
    """Draws instructions with valid operands.

    Attributes:
        image, input: contents of the DRAM regions as they grow.
    """

    def __init__(self, config: EngineConfig, region: Region, rng: np.random.Generator) -> None:
        self.config, self.region = config, region
        self.image, self.input = DramBuilder(), DramBuilder()
        self._rng = rng
        self._scratch: list[tuple[int, int]] = []
        self._scratch_words = 0

    def _int(self, low: int, high: int) -> int:
        """Uniform in ``low .. high``, both included."""
        return int(self._rng.integers(low, high + 1))

    def _pick(self, options: tuple[_T, ...]) -> _T:
        return options[self._int(0, len(options) - 1)]

    def _bytes(self, n: int) -> bytes:
        return self._rng.integers(0, 256, n, np.uint8).tobytes()

    def sizes(self) -> dict[BaseSelect, int]:
        """Bytes behind INPUT, OUTPUT and SCRATCH."""
        return {
            BaseSelect.INPUT: len(self.input.tobytes()),
            BaseSelect.OUTPUT: self.region.length * WORD_BYTES,
            BaseSelect.SCRATCH: self._scratch_words * WORD_BYTES,
        }

    def _load(self, target: LoadTarget, address: int, data: bytes) -> Instruction:
        offset = self.image.add(data)
        return Instruction(
            Opcode.LOAD, {"target": target, "dram_offset": offset, "dst_addr": address, "length": len(data) // WORD_BYTES}
        )

    def preload(self) -> Instruction:
        """Random bytes for the whole region."""
        return self._load(LoadTarget.FEATURE, self.region.start, self._bytes(self.region.length * WORD_BYTES))

    def store_all(self) -> _Instructions:
        """STOREs of the whole region to OUTPUT."""
        at = 0
        while at < self.region.length:
            length = min(self._int(1, 400), self.region.length - at)
            yield Instruction(
                Opcode.STORE,
                {"base_sel": BaseSelect.OUTPUT, "dram_offset": at * WORD_BYTES, "src_addr": self.region.start + at, "length": length},
            )
            at += length

    def _place(self, words: int) -> int:
        return self.region.start + self._int(0, self.region.length - words)

    def _virtual(self, first: int, words: int, avoid: list[tuple[int, int]], parity: int | None = None) -> int | None:
        """Virtual base of a plane of which ``words`` words from word ``first`` on are used, clear of ``avoid``."""
        for _ in range(60 if words <= self.region.length else 0):
            at = self._place(words)
            base = (at - first) & 0xFFFF
            if parity is not None and base % 2 != parity:
                continue
            if all(at + words <= start or start + length <= at for start, length in avoid):
                return base
        return None

    def _scatter(self, first: int, words: int, reads: list[tuple[int, int]]) -> dict[str, int] | None:
        parity = self._int(0, 1)
        values: dict[str, int] = {}
        for plane in range(4):
            base = self._virtual(first, words, reads, parity)
            if base is None:
                return None
            values[f"dst_base{plane}"] = base
        planes = self._int(0, 3)
        values["lane_sel"] = sum(self._int(0, planes) << 2 * lane for lane in range(LANES))
        values["lane_mask"] = 0xFFFF if self._rng.random() < 0.5 else self._int(0, 0xFFFF)
        return values

    def _window(self, width: int, first: int, need: int) -> dict[str, int] | None:
        """A slice with at least ``need`` rows, for rows from ``first`` on."""
        pitch = -(-width // WINDOW_BANKS) + self._int(0, 1)
        most = min(self.config.win_depth // pitch, 255)
        if need > most:
            return None
        rows = min(most, need + self._pick((0, 0, 1, 5)))
        return {
            "win_base": self._int(0, self.config.win_depth - rows * pitch),
            "win_rows": rows,
            "win_pitch": pitch,
            "win_slot0": first % rows,
            "win_bank0": 3 * first % WINDOW_BANKS,
        }

    def _requant(self, gain: float | None = None) -> bytes:
        """Parameters of 16 channels; ``gain`` is the wanted factor, None for anything."""
        multiplier, shift = np.zeros(LANES, np.int64), np.zeros(LANES, np.int64)
        for lane in range(LANES):
            if gain is None and self._rng.random() < 0.2:
                multiplier[lane], shift[lane] = self._pick((0, 1, 8192, 131071)), self._pick(SHIFTS)
                continue
            wanted = (gain or 2.0 ** -self._int(4, 14)) * self._rng.uniform(0.5, 2)
            code = next((s for s in SHIFTS if 8192 <= wanted * 2.0**s < 131072), SHIFTS[-1])
            shift[lane], multiplier[lane] = code, min(131071, int(wanted * 2.0**code))
        bias = self._rng.integers(-(1 << 20), (1 << 20) + 1, LANES) if gain is None else np.zeros(LANES, np.int64)
        return pack_requant(bias.astype(np.int64) >> self._int(0, 16), multiplier, shift)

    def _params(self, taps: bool, gain: float | None = None) -> tuple[Instruction, int]:
        data = self._requant(gain) + (self._bytes(TAPS * WORD_BYTES) if taps else b"")
        address = self._int(0, self.config.pb_words - 1)
        return self._load(LoadTarget.PARAM, address, data), address

    def _bounds(self) -> dict[str, int]:
        low, high = self._pick(_BOUNDS)
        return {"lo": low, "hi": high}

    def load(self) -> _Instructions:
        """LOAD of random bytes, or of what an earlier STORE left in SCRATCH, into the region."""
        if self._scratch and self._rng.random() < 0.5:
            offset, words = self._scratch[self._int(0, len(self._scratch) - 1)]
            length = self._int(1, words)
            yield Instruction(
                Opcode.LOAD,
                {
                    "target": LoadTarget.FEATURE, "base_sel": BaseSelect.SCRATCH, "dram_offset": offset,
                    "dst_addr": self._place(length), "length": length,
                },
            )  # fmt: skip
            return
        length = self._int(1, 150)
        yield self._load(LoadTarget.FEATURE, self._place(length), self._bytes(length * WORD_BYTES))

    def store(self) -> _Instructions:
        """STORE from the region to a fresh place in SCRATCH."""
        length = self._int(1, 150)
        offset = self._scratch_words * WORD_BYTES
        self._scratch.append((offset, length))
        self._scratch_words += length + self._int(0, 3)
        yield Instruction(
            Opcode.STORE, {"base_sel": BaseSelect.SCRATCH, "dram_offset": offset, "src_addr": self._place(length), "length": length}
        )

    def ldi(self) -> _Instructions:
        """LDI of a fresh random image."""
        kernel, pad, stride, channels = self._pick((1, 3)), self._int(0, 1), self._int(1, 4), self._int(1, 3)
        in_w = self._int(max(1, kernel - 2 * pad), 40)
        in_h = self._int(max(1, kernel - 2 * pad), 20)
        row_bytes = min(self.config.row_bytes, -(-4 * in_w // 16) * 16 + 16 * self._int(0, 2))
        out_w, out_h = (in_w + 2 * pad - kernel) // stride + 1, (in_h + 2 * pad - kernel) // stride + 1
        y0 = self._int(0, out_h - 1)
        y1 = self._int(y0 + 1, min(out_h, y0 + max(1, self.region.length // out_w)))
        offset = self.input.add(self._bytes(in_h * row_bytes))
        words = (y1 - y0) * out_w
        base0 = self._virtual(y0 * out_w, words, [])
        taken = [((int(base0 or 0) + y0 * out_w) & 0xFFFF, words)]
        base1 = self._virtual(y0 * out_w, words, taken)
        if base0 is None or base1 is None:
            return
        yield Instruction(
            Opcode.LDI,
            {
                "base_sel": BaseSelect.INPUT, "dram_offset": offset, "row_bytes": row_bytes, "in_w": in_w, "in_h": in_h,
                "y0": y0, "y1": y1, "out_w": out_w, "kernel": kernel, "stride": stride, "pad": pad, "channels": channels,
                "fill0": self._int(0, 255), "fill1": self._int(0, 255), "fill2": self._int(0, 255),
                "dst_base0": base0, "dst_base1": base1,
            },
        )  # fmt: skip

    def _dense_shape(self, rows: tuple[int, int] | None, width: int | None) -> dict[str, int]:
        """Geometry; ``rows`` and ``width`` ask for a certain 1x1 stride-1 output."""
        if rows is not None and width is not None:
            return {"kernel": 1, "stride": 1, "pad": 0, "in_w": width, "in_h": rows[1], "out_w": width, "y0": rows[0], "y1": rows[1]}
        kernel, stride = self._pick((1, 1, 1, 1, 2, 3, 3, 5, 7)), self._pick((1, 1, 2, 3, 4))
        pad = self._int(0, min(7, kernel))
        in_w = self._int(max(1, kernel - 2 * pad), 20)
        in_h = self._int(max(1, kernel - 2 * pad), 12)
        out_w, out_h = (in_w + 2 * pad - kernel) // stride + 1, (in_h + 2 * pad - kernel) // stride + 1
        y0 = self._int(0, out_h - 1)
        y1 = self._int(y0 + 1, out_h)
        return {"kernel": kernel, "stride": stride, "pad": pad, "in_w": in_w, "in_h": in_h, "out_w": out_w, "y0": y0, "y1": y1}

    def dense(
        self, dst: Destination | None = None, rows: tuple[int, int] | None = None, width: int | None = None,
        where: dict[str, int] | None = None, gain: float | None = None,
    ) -> _Instructions:  # fmt: skip
        """DENSE with its lists, weights and parameters; the arguments ask for a destination that fits a following DW."""
        v = self._dense_shape(rows, width)
        if dst is None:
            dst = self._pick((Destination.FEATURE,) * 4 + (Destination.WINDOW, Destination.DISPLACEMENT))
        v.update(x_signed=self._int(0, 1), w8=self._int(0, 1), dst=dst)
        per_tile = TILE_WORDS[8 if v["w8"] else 4]
        most = min(5, _TILES // v["kernel"] ** 2, self.config.wb_words // (v["kernel"] ** 2 * per_tile))
        if most < 1:
            return
        v["n_in"] = self._int(1, most)
        top = max(0, v["y0"] * v["stride"] - v["pad"])
        bottom = max(top, min(v["in_h"], (v["y1"] - 1) * v["stride"] - v["pad"] + v["kernel"]))
        words = (bottom - top) * v["in_w"]
        drawn = [self._virtual(top * v["in_w"], words, []) for _ in range(v["n_in"])]
        planes = [base for base in drawn if base is not None]
        if len(planes) < v["n_in"]:
            return
        reads = [((base + top * v["in_w"]) & 0xFFFF, words) for base in planes]
        first, length = v["y0"] * v["out_w"], (v["y1"] - v["y0"]) * v["out_w"]
        more: dict[str, int] | None
        if dst is Destination.FEATURE:
            more = self._scatter(first, length, reads)
        elif dst is Destination.WINDOW:
            more = where if where is not None else self._window(v["out_w"], v["y0"], v["y1"] - v["y0"])
        else:
            most = self.config.disp_entries - length
            more = where if where is not None else {"dst_base0": (self._int(0, most) - first) & 0xFFFF} if most >= 0 else None
        if more is None:
            return
        v.update(more)
        v.update({"lo": -8, "hi": 8} if dst is Destination.DISPLACEMENT else self._bounds())
        skip = self._int(0, LIST_ENTRIES_PER_WORD - 1)
        list_word = self._int(0, self.config.lm_entries // LIST_ENTRIES_PER_WORD - 1)
        yield self._load(LoadTarget.LIST, list_word, pack_list([0] * skip + planes))
        v["list_addr"] = (list_word * LIST_ENTRIES_PER_WORD + skip) % self.config.lm_entries
        v["w_addr"] = self._int(0, self.config.wb_words - 1)
        yield self._load(LoadTarget.WEIGHT, v["w_addr"], self._bytes(v["kernel"] ** 2 * v["n_in"] * per_tile * WORD_BYTES))
        spread = gain if gain is None or not v["w8"] else gain / 16
        load, v["p_addr"] = self._params(False, spread)
        yield load
        yield Instruction(Opcode.DENSE, v)

    def fill(self) -> _Instructions:
        """FILL of a slice that nobody reads."""
        width, y0 = self._int(1, 24), self._int(0, 12)
        y1 = y0 + self._int(1, 10)
        window = self._window(width, y0, y1 - y0)
        if window is not None:
            yield from self._fill_rows(width, y0, y1, window, up=self._int(0, 1))

    def _fill_rows(self, width: int, y0: int, y1: int, window: dict[str, int], up: int) -> _Instructions:
        up = up if width % 2 == 0 else 0
        source_w = width // 2 if up else width
        top, bottom = (y0 // 2, (y1 + 1) // 2) if up else (y0, y1)
        base = self._virtual(top * source_w, (bottom - top) * source_w, [])
        if base is None:
            return
        here = {**window, "win_slot0": y0 % window["win_rows"], "win_bank0": 3 * y0 % WINDOW_BANKS}
        yield Instruction(Opcode.FILL, {"out_w": width, "up": up, "y0": y0, "y1": y1, "src_base": base, **here})

    def dw(self) -> _Instructions:
        """DW with the slice (by FILL or DENSE), the displacement map and the parameters that it needs."""
        mode = self._pick((DwMode.MAC, DwMode.MAC, DwMode.MAX, DwMode.SUM))
        v: dict[str, int] = {
            "mode": mode, "x_signed": self._int(0, 1), "stride": self._int(1, 2), "offset": self._int(0, 1),
            "deform": int(mode is DwMode.MAC and self._rng.random() < 0.6), "dilation": self._pick((1, 1, 1, 2, 3, 5, 8)),
            "tap_mask": self._pick((511, 511, 0b000011011, 0b000010000, self._int(0, 511))) | 16,
        }  # fmt: skip
        v["in_w"], v["in_h"] = self._int(1 + v["offset"], 24), self._int(1 + v["offset"], 24)
        v["out_w"] = (v["in_w"] - 1 - v["offset"]) // v["stride"] + 1
        out_h = (v["in_h"] - 1 - v["offset"]) // v["stride"] + 1
        v["y0"] = self._int(0, out_h - 1)
        v["y1"] = self._int(v["y0"] + 1, min(out_h, v["y0"] + 9))
        if v["deform"]:
            v["y1"] = min(v["y1"], v["y0"] + self.config.disp_entries // v["out_w"])
        first, last = dw_rows(Instruction(Opcode.DW, v))
        window = self._window(v["in_w"], first, last - first)
        scatter = self._scatter(v["y0"] * v["out_w"], 1 if mode is DwMode.SUM else (v["y1"] - v["y0"]) * v["out_w"], [])
        if mode is DwMode.SUM:
            scatter = self._scatter(0, 1, [])
        if window is None or scatter is None:
            return
        pieces = self._slice(v["in_w"], first, last, window)
        if not pieces:
            return
        yield from pieces
        if v["deform"]:
            entries = (v["y1"] - v["y0"]) * v["out_w"]
            v["disp_base"] = (self._int(0, self.config.disp_entries - entries) - v["y0"] * v["out_w"]) & 0xFFFF
            where = {"dst_base0": v["disp_base"]}
            yield from self.dense(Destination.DISPLACEMENT, (v["y0"], v["y1"]), v["out_w"], where, self._pick((2e-3, 1e-5)))
        load, v["p_addr"] = self._params(True)
        yield load
        v.update(scatter)
        v.update(self._bounds())
        centre = v["y0"] * v["stride"] + v["offset"]
        v.update(window, win_slot0=centre % window["win_rows"], win_bank0=3 * centre % WINDOW_BANKS)
        yield Instruction(Opcode.DW, v)

    def _slice(self, width: int, first: int, last: int, window: dict[str, int]) -> list[Instruction]:
        """Rows ``first`` to ``last`` of a slice, in one to three pieces, after stale rows that they overwrite; [] if they do not fit."""
        rows = window["win_rows"]
        if (last - first) * width > self.region.length:
            return []
        pieces: list[Instruction] = []
        if first > 0 and self._rng.random() < 0.3:
            stale = max(0, first - self._int(1, rows))
            pieces.extend(self._fill_rows(width, stale, first, window, up=0))
        if self._rng.random() < 0.3:
            here = {**window, "win_slot0": first % rows, "win_bank0": 3 * first % WINDOW_BANKS}
            return [*pieces, *self.dense(Destination.WINDOW, (first, last), width, here)]
        up = self._int(0, 1)
        cuts = sorted({first, last, *(self._int(first, last) for _ in range(self._int(0, 2)))})
        for a, b in pairwise(cuts):
            pieces.extend(self._fill_rows(width, a, b, window, up))
        return pieces

    def add(self) -> _Instructions:
        """ADD of two random planes."""
        width, y0 = self._int(1, 24), self._int(0, 12)
        y1 = y0 + self._int(1, max(1, min(10, self.region.length // (6 * width))))
        first, words = y0 * width, (y1 - y0) * width
        a, b = self._virtual(first, words, []), self._virtual(first, words, [])
        reads = [((int(base or 0) + first) & 0xFFFF, words) for base in (a, b)]
        scatter = self._scatter(first, words, reads)
        if a is None or b is None or scatter is None:
            return
        shift = self._int(0, 2)
        yield Instruction(
            Opcode.ADD,
            {
                "m1": self._int(0, 131071), "m2": self._pick((0, 131071, self._int(0, 131071))), "shift": shift,
                "a_signed": self._int(0, 1), "b_signed": self._int(0, 1), "out_w": width, "y0": y0, "y1": y1,
                "a_base": a, "b_base": b, **scatter, **self._bounds(),
            },
        )  # fmt: skip
