"""Programs of FILL, DW and ADD with the contents of the memories they run on, and what docs/isa.md says they leave.

The expected contents come from the executor of ``hao.compiler``, with all its checks on.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from hao.compiler.access import dw_rows
from hao.compiler.depend import with_dependencies
from hao.compiler.executor import Executor
from hao.engine.config import EngineConfig
from hao.engine.encode import Instruction
from hao.engine.isa import LANES, SHIFTS, TAPS, WINDOW_BANKS, WORD_BYTES, DwMode, Opcode
from hao.engine.pack import pack_requant, pack_taps
from hao.engine.taps import TapTrace

SOURCE = 4608
"""Words at the start of the feature memory that sources are taken from; results go behind them."""
BOUNDS = ((0, 255), (-128, 127), (0, 127), (-8, 8), (-32768, 32767), (3, 3))


@dataclass(frozen=True, slots=True)
class Map:
    """One depthwise layer of one plane.

    Attributes:
        width, height: the input map.
        stride, offset, mode, tap_mask, dilation, x_signed: as in the instruction.
        displacements: ``(out_h, out_w)`` in [-8, 8], or None for ``dilation``.
        up: the slice is filled with up-sampling.
        ring: rows of the ring; 0 for as many as the map has.
        stripe: output rows an instruction; 0 for all.
    """

    width: int
    height: int
    stride: int = 1
    offset: int = 0
    mode: DwMode = DwMode.MAC
    tap_mask: int = 0x1FF
    dilation: int = 1
    x_signed: int = 0
    displacements: npt.NDArray[np.int64] | None = None
    up: int = 0
    ring: int = 0
    stripe: int = 0

    @property
    def out_size(self) -> tuple[int, int]:
        """Output height and width."""
        return (self.height - 1 - self.offset) // self.stride + 1, (self.width - 1 - self.offset) // self.stride + 1


@dataclass(slots=True)
class Case:
    """A program under construction on memories of random bytes."""

    config: EngineConfig
    rng: np.random.Generator
    program: list[Instruction] = field(default_factory=list)
    fm: npt.NDArray[np.uint8] = field(init=False)
    pb: npt.NDArray[np.uint8] = field(init=False)
    disp: npt.NDArray[np.int8] = field(init=False)
    _pb_next: int = 0
    _disp_next: int = 0
    _win_next: int = 0

    def __post_init__(self) -> None:
        self.fm = self.rng.integers(0, 256, (self.config.fm_words, LANES), np.uint8)
        self.pb = self.rng.integers(0, 256, (self.config.pb_words, WORD_BYTES), np.uint8)
        self.disp = np.full(self.config.disp_entries, 127, np.int8)
        self._pb_next = int(self.rng.integers(0, self.config.pb_words))

    def _int(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high + 1))

    def _source(self, first: int, words: int) -> int:
        """Virtual base of a source plane of which words ``first`` to ``first + words`` are read."""
        return (self._int(0, SOURCE - words) - first) & 0xFFFF

    def _scatter(self, first: int, words: int) -> dict[str, int]:
        parity = self._int(0, 1)
        values: dict[str, int] = {}
        for plane in range(4):
            at = SOURCE + 2 * self._int(0, (self.config.fm_words - SOURCE - words) // 2 - 1)
            values[f"dst_base{plane}"] = (at + (first + parity) % 2 - first) & 0xFFFF
        planes = self._int(0, 3)
        values["lane_sel"] = sum(self._int(0, planes) << 2 * lane for lane in range(LANES))
        values["lane_mask"] = 0xFFFF if self.rng.random() < 0.6 else self._int(0, 0xFFFF)
        return values

    def _bounds(self) -> dict[str, int]:
        low, high = BOUNDS[self._int(0, len(BOUNDS) - 1)]
        return {"lo": low, "hi": high}

    def params(self, gain: float, *, extremes: bool) -> int:
        """Random taps and requantization of about ``gain``, with biases at the bounds now and then; their address, which may wrap."""
        shift = np.array([SHIFTS[self._int(0, 7)] for _ in range(LANES)])
        wanted = gain * self.rng.uniform(0.3, 3, LANES) * 2.0**shift
        multiplier = np.clip(wanted, 0, 131071).astype(np.int64)
        bias = self.rng.integers(-3000, 3001, LANES)
        if extremes and self.rng.random() < 0.1:
            multiplier[:], bias[0], bias[1] = 131071, (1 << 26) - 400000, -(1 << 26) + 400000
        words = pack_requant(bias, multiplier, shift) + pack_taps(self.rng.integers(-128, 128, (TAPS, LANES)))
        data = np.frombuffer(words, np.uint8).reshape(-1, WORD_BYTES)
        at = self._pb_next
        self.pb[(at + np.arange(len(data))) % self.config.pb_words] = data
        self._pb_next = (at + len(data)) % self.config.pb_words
        return at

    def displacement(self, values: npt.NDArray[np.int64]) -> int:
        """Place a displacement map; its address."""
        at = self._disp_next
        self.disp[at : at + values.size] = values.reshape(-1)
        self._disp_next += values.size
        return at

    def slice_of(self, layer: Map) -> dict[str, int]:
        """A place in the window for the layer's slice."""
        pitch = -(-layer.width // WINDOW_BANKS) + (1 if self.rng.random() < 0.2 else 0)
        rows = layer.ring or layer.height
        return {"win_base": self._int(0, self.config.win_depth - rows * pitch), "win_rows": rows, "win_pitch": pitch}

    @staticmethod
    def at_row(window: dict[str, int], row: int) -> dict[str, int]:
        """``window`` with the slot and bank of ``row``."""
        return {**window, "win_slot0": row % window["win_rows"], "win_bank0": 3 * row % WINDOW_BANKS}

    def fill(self, layer: Map, window: dict[str, int], base: int, y0: int, y1: int) -> None:
        """FILL rows ``y0`` to ``y1`` of the slice."""
        values = {"out_w": layer.width, "up": layer.up, "y0": y0, "y1": y1, "src_base": base}
        self.program.append(Instruction(Opcode.FILL, {**values, **self.at_row(window, y0)}))

    def dw(self, layer: Map, window: dict[str, int], disp_base: int, p_addr: int, rows: tuple[int, int]) -> Instruction:
        """DW of output rows; the instruction is appended and returned."""
        y0, y1 = rows
        out_w = layer.out_size[1]
        values = {
            "in_w": layer.width, "in_h": layer.height, "out_w": out_w, "mode": layer.mode, "x_signed": layer.x_signed,
            "deform": int(layer.displacements is not None), "stride": layer.stride, "offset": layer.offset,
            "tap_mask": layer.tap_mask, "dilation": layer.dilation, "y0": y0, "y1": y1, "disp_base": disp_base, "p_addr": p_addr,
            **self._bounds(), **self.at_row(window, y0 * layer.stride + layer.offset),
        }  # fmt: skip
        sums = layer.mode is DwMode.SUM
        values.update(self._scatter(0, 1) if sums else self._scatter(y0 * out_w, (y1 - y0) * out_w))
        self.program.append(Instruction(Opcode.DW, values))
        return self.program[-1]

    def layer(self, layer: Map) -> None:
        """The whole layer: FILLs just ahead of DWs, both in stripes."""
        window = self.slice_of(layer)
        source_w, source_h = (layer.width // 2, (layer.height + 1) // 2) if layer.up else (layer.width, layer.height)
        base = self._source(0, source_w * source_h)
        disp_base = 0 if layer.displacements is None else self.displacement(layer.displacements)
        gain = {DwMode.MAC: 2e-3, DwMode.MAX: 1.0, DwMode.SUM: 1e-3}[layer.mode]
        out_h, filled = layer.out_size[0], 0
        stripe = layer.stripe or out_h
        p_addr = self.params(gain, extremes=layer.mode is not DwMode.SUM)
        for y0 in range(0, out_h, stripe):
            rows = (y0, min(out_h, y0 + stripe))
            dw = self.dw(layer, window, disp_base, p_addr, rows)
            need = dw_rows(dw)[1]
            self.program.pop()
            while filled < need:
                step = min(need - filled, window["win_rows"], self._int(1, 12))
                self.fill(layer, window, base, filled, filled + step)
                filled += step
            self.program.append(dw)

    def _clear_source(self, first: int, words: int, scatter: dict[str, int]) -> int:
        """Virtual base of a plane of earlier results, apart from what ``scatter`` names: an instruction's own results are no operands."""
        for _ in range(200):
            base = (self._source(first, words) + SOURCE) & 0xFFFF
            gaps = [(base - scatter[f"dst_base{plane}"] + 0x8000) % 0x10000 - 0x8000 for plane in range(4)]
            if all(abs(gap) >= words for gap in gaps):
                return base
        raise AssertionError("no place for an operand")

    def add(self, size: tuple[int, int], signs: tuple[int, int], *, m2: int | None = None, operands: str = "source") -> None:
        """ADD of two planes of ``size`` (width, height): ``source`` planes, ``results`` of earlier instructions, or ``in place``."""
        width, height = size
        y0 = self._int(0, 20)
        first, words = y0 * width, height * width
        scatter = self._scatter(first, words)
        bases = [self._source(first, words) if operands == "source" else self._clear_source(first, words, scatter) for _ in range(2)]
        if operands == "in place":
            bases[0] = scatter["dst_base0"]
            scatter["lane_sel"] = 0
        code = self._int(0, 7)
        top = min(131071, (1 << SHIFTS[code]) - 1)
        values = {
            "m1": self._int(top // 8, top), "m2": self._int(0, top) if m2 is None else m2, "shift": code,
            "a_signed": signs[0], "b_signed": signs[1], "out_w": width, "y0": y0, "y1": y0 + height,
            "a_base": bases[0], "b_base": bases[1], **self._bounds(), **scatter,
        }  # fmt: skip
        self.program.append(Instruction(Opcode.ADD, values))

    def finish(self) -> list[Instruction]:
        """The program with its dependency counts."""
        self.program = with_dependencies(self.program, self.config, b"", {})
        return self.program

    def expected(self) -> tuple[npt.NDArray[np.uint8], TapTrace]:
        """Feature memory and result words after the finished program."""
        executor = Executor(self.config, {}, check=True)
        memory = executor.memories
        memory.fm[:], memory.pb[:], memory.disp[:] = self.fm, self.pb, self.disp
        for known in (memory.fm_known, memory.pb_known, memory.disp_known):
            known[:] = True
        trace = executor.run([*self.program, Instruction(Opcode.END)])
        return memory.fm, trace
