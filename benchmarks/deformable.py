"""Depthwise layer of 64 x 64 pixels and 256 channels, plain and deformable, on the simulated RTL.

The four variants of the depthwise rows of the co-design paper (Huang et al., arXiv 2002.08357, table 4; Ultra96, without cache):

* plain: nine taps at distance 1.
* square: one random displacement in [-8, 8] a pixel, nine taps at that distance: the co-designed operator.
* bounded: nine samples from a buffer on chip with one port, one a cycle. This engine has no displacement of its own for each
  tap, so nine passes of one tap each stand for it; the places are those of the square.
* gather: nine samples a pixel fetched from DRAM, 256 bytes (all channels) each. A bench of traffic alone, on the first
  pixels of the layer, and scaled to all of them.

``preloaded`` sums the busy cycles of the depthwise core over sixteen slices that lie in its window before it starts;
``streamed`` is a whole frame with slices read from DRAM and results written to it beside the computation. Cycles are simulated,
with the DRAM model of the board file; milliseconds assume the board's engine clock.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from hao.boards import load_board
from hao.compiler.depend import with_dependencies
from hao.compiler.executor import Executor
from hao.engine.config import ULTRA96, EngineConfig
from hao.engine.encode import Instruction, encode_program
from hao.engine.isa import INSTRUCTION_BYTES, WINDOW_BANKS, BaseSelect, Destination, DwMode, LoadTarget, Opcode
from hao.engine.pack import DramBuilder, pack_list, pack_requant, pack_taps, pack_tiles
from hao.runtime.rtl import RtlEngine, RtlResult
from hao.runtime.timing import DramTiming
from hao.runtime.verdict import Program

SIDE, SLICES, REACH = 64, 16, 8
PIXELS = SIDE * SIDE
PITCH = -(-SIDE // WINDOW_BANKS)
VARIANTS = ("plain", "square", "bounded")
PAPER_MS = {"plain": 1.9, "gather": 20.5, "bounded": 3.0, "square": 2.1}
_PARAMS, _STREAM_RING, _STREAM_ROWS = 17, 42, 12
_GATHERED = 256
_IN, _OUT, _STEP = (0, PIXELS), (2 * PIXELS, 3 * PIXELS), 4 * PIXELS


@dataclass(frozen=True, slots=True, eq=False)
class Bench:
    """A program, and the memory it runs on; ``expected`` are the taps of the executor."""

    config: EngineConfig
    program: Program
    instructions: tuple[Instruction, ...]
    input: bytes

    def run(self, engine: RtlEngine, *, check: bool = True) -> tuple[RtlResult, int]:
        """Run on the RTL; the result, and how many result words were held against the executor (all equal).

        Raises:
            AssertionError: one differs.
        """
        result = engine.run(self.program, self.input)
        if not check:
            return result, 0
        regions = {BaseSelect.IMAGE: self.program.dram, BaseSelect.INPUT: self.input, BaseSelect.OUTPUT: bytes(self.program.output_bytes)}
        executor = Executor(self.config, regions, check=True)
        taps = executor.run(self.instructions)
        found = taps.difference(result.taps)
        assert found is None, found
        assert executor.output()[: len(result.output)] == result.output
        return result, len(taps)


class _Layer:
    """Operands of the layer in DRAM, and instructions over them."""

    def __init__(self, seed: int, reach: int) -> None:
        rng = np.random.default_rng(seed)
        self.step = rng.integers(-reach, reach + 1, PIXELS)
        self.maps = rng.integers(0, 256, (SLICES, PIXELS, 16), np.uint8)
        self.taps = rng.integers(-127, 128, (SLICES, 9, 16))
        self.image = DramBuilder()
        ones, zeros = np.full(16, 1 << 16, np.int64), np.zeros(16, np.int64)
        keep = pack_requant(zeros, ones, zeros + 16)
        tile = np.zeros((1, 1, 16, 16), np.int64)
        tile[0, 0, 0, 0] = 1
        self.weights = self.image.add(pack_tiles(tile, 8))
        self.list = self.image.add(pack_list([_STEP]))
        scale = pack_requant(zeros, ones // 2, zeros + 20)
        self.params = self.image.add(keep + bytes(16 * (_PARAMS - 8)) + b"".join(scale + pack_taps(taps) for taps in self.taps))
        plane = np.zeros((PIXELS, 16), np.uint8)
        plane[:, 0] = self.step.astype(np.int8).view(np.uint8)
        self.input = self.maps.tobytes() + plane.tobytes()

    def prelude(self) -> list[Instruction]:
        """Parameters, and the displacement map by way of a 1x1 convolution that changes nothing."""
        load = [
            ({"target": LoadTarget.WEIGHT, "dram_offset": self.weights, "length": 16}),
            ({"target": LoadTarget.LIST, "dram_offset": self.list, "length": 1}),
            ({"target": LoadTarget.PARAM, "dram_offset": self.params, "length": _PARAMS * (SLICES + 1)}),
            ({"target": LoadTarget.FEATURE, "base_sel": BaseSelect.INPUT, "dram_offset": 16 * PIXELS * SLICES, "dst_addr": _STEP,
              "length": PIXELS}),
        ]  # fmt: skip
        move = Instruction(Opcode.DENSE, {
            "in_w": SIDE, "in_h": SIDE, "out_w": SIDE, "kernel": 1, "stride": 1, "x_signed": 1, "w8": 1, "n_in": 1, "y0": 0, "y1": SIDE,
            "lo": -128, "hi": 127, "dst": Destination.DISPLACEMENT,
        })  # fmt: skip
        return [*(Instruction(Opcode.LOAD, fields) for fields in load), move]

    def slice_in(self, number: int) -> Instruction:
        """LOAD of one slice."""
        fields = {"target": LoadTarget.FEATURE, "base_sel": BaseSelect.INPUT, "dram_offset": 16 * PIXELS * number, "length": PIXELS}
        return Instruction(Opcode.LOAD, {**fields, "dst_addr": _IN[number % 2]})

    def slice_out(self, number: int) -> Instruction:
        """STORE of one slice."""
        fields = {"base_sel": BaseSelect.OUTPUT, "dram_offset": 16 * PIXELS * number, "length": PIXELS}
        return Instruction(Opcode.STORE, {**fields, "src_addr": _OUT[number % 2]})

    @staticmethod
    def _ring(base: int, rows: int, first: int) -> dict[str, int]:
        slot = {"win_slot0": first % rows, "win_bank0": 3 * first % WINDOW_BANKS}
        return {"win_base": base, "win_rows": rows, "win_pitch": PITCH, **slot}

    def fill(self, number: int, rows: tuple[int, int], base: int, ring: int) -> Instruction:
        """FILL of some rows."""
        fields = {"out_w": SIDE, "y0": rows[0], "y1": rows[1], "src_base": _IN[number % 2]}
        return Instruction(Opcode.FILL, {**fields, **self._ring(base, ring, rows[0])})

    def dw(self, variant: str, number: int, rows: tuple[int, int], base: int, ring: int) -> list[Instruction]:
        """The depthwise work on some rows: one instruction, or one a tap."""
        fields = {
            "in_w": SIDE, "in_h": SIDE, "out_w": SIDE, "mode": DwMode.MAC, "stride": 1, "dilation": 1, "deform": int(variant != "plain"),
            "y0": rows[0], "y1": rows[1], "p_addr": _PARAMS * (number + 1), "lo": -128, "hi": 127, "lane_mask": 0xFFFF,
            "dst_base0": _OUT[number % 2], **self._ring(base, ring, rows[0]),
        }  # fmt: skip
        masks = [1 << tap for tap in range(9)] if variant == "bounded" else [0x1FF]
        return [Instruction(Opcode.DW, {**fields, "tap_mask": mask}) for mask in masks]


def _finish(layer: _Layer, program: list[Instruction], config: EngineConfig, stored: int) -> Bench:
    image = layer.image
    sizes = {BaseSelect.IMAGE: len(image.tobytes()), BaseSelect.INPUT: len(layer.input), BaseSelect.OUTPUT: stored}
    ready = (*with_dependencies(program, config, image.tobytes(), sizes), Instruction(Opcode.END))
    offset = image.add(encode_program(ready), INSTRUCTION_BYTES)
    loaded = Program(image.tobytes(), offset, len(ready), config.digest(), len(layer.input), stored, 0)
    return Bench(config, loaded, ready, layer.input)


def preloaded(variant: str, slices: int = SLICES, seed: int = 1, config: EngineConfig = ULTRA96, reach: int = REACH) -> Bench:
    """Every slice lies whole in the window before the core starts on it."""
    layer = _Layer(seed, reach)
    program = layer.prelude()
    for number in range(slices):
        program += [layer.slice_in(number), layer.fill(number, (0, SIDE), 0, SIDE)]
        program += [*layer.dw(variant, number, (0, SIDE), 0, SIDE), layer.slice_out(number)]
    return _finish(layer, program, config, 16 * PIXELS * slices)


def streamed(variant: str, slices: int = SLICES, seed: int = 1, config: EngineConfig = ULTRA96) -> Bench:
    """Slices stream from DRAM through two rings in the window and back to DRAM."""
    layer = _Layer(seed, REACH)
    program = [*layer.prelude(), layer.slice_in(0)]
    for number in range(slices):
        if number + 1 < slices:
            program.append(layer.slice_in(number + 1))
        base, filled = number % 2 * _STREAM_RING * PITCH, 0
        for first in range(0, SIDE, _STREAM_ROWS):
            last = min(first + _STREAM_ROWS, SIDE)
            wanted = min(last + REACH, SIDE)
            if wanted > filled:
                program.append(layer.fill(number, (filled, wanted), base, _STREAM_RING))
                filled = wanted
            program += layer.dw(variant, number, (first, last), base, _STREAM_RING)
        program.append(layer.slice_out(number))
    return _finish(layer, program, config, 16 * PIXELS * slices)


def gather(pixels: int = _GATHERED, seed: int = 1, config: EngineConfig = ULTRA96) -> Bench:
    """Nine reads of 256 bytes a pixel from a map with all channels of a pixel together; nothing is computed."""
    layer = _Layer(seed, REACH)
    program = []
    for pixel in range(pixels):
        d = int(layer.step[pixel])
        for tap in range(9):
            y, x = pixel // SIDE + (tap // 3 - 1) * d, pixel % SIDE + (tap % 3 - 1) * d
            if 0 <= y < SIDE and 0 <= x < SIDE:
                fields = {"target": LoadTarget.FEATURE, "base_sel": BaseSelect.INPUT, "dram_offset": 16 * SLICES * (y * SIDE + x)}
                program.append(Instruction(Opcode.LOAD, {**fields, "dst_addr": 16 * (9 * pixel + tap) % PIXELS, "length": SLICES}))
    return _finish(layer, program, config, 0)


def measure(board_name: str) -> dict[str, Any]:
    """Run all variants; the rows of the table."""
    board = load_board(board_name)
    engine = RtlEngine(ULTRA96, DramTiming.of_board(board))
    rows: dict[str, dict[str, Any]] = {}
    for variant in VARIANTS:
        busy, compared = preloaded(variant).run(engine)
        stream, more = streamed(variant).run(engine)
        assert busy.counters is not None and stream.cycles is not None
        rows[variant] = {"preloaded_busy": busy.counters.units["DW"].busy, "streamed": stream.cycles, "compared": 16 * (compared + more)}
    fetched, _ = gather().run(engine, check=False)
    assert fetched.cycles is not None
    rows["gather"] = {"streamed": fetched.cycles * PIXELS // _GATHERED, "measured_pixels": _GATHERED, "measured_cycles": fetched.cycles}
    for name, row in rows.items():
        row["streamed_ms"] = row["streamed"] / board.clock.engine_mhz / 1e3
        row["paper_ms"] = PAPER_MS[name]
        row["paper_ratio"] = PAPER_MS[name] / PAPER_MS["plain"]
        row["streamed_ratio"] = row["streamed"] / rows["plain"]["streamed"]
        if "preloaded_busy" in row:
            row["preloaded_ratio"] = row["preloaded_busy"] / rows["plain"]["preloaded_busy"]
    return {"board": board.name, "clock_mhz": board.clock.engine_mhz, "dram": asdict(DramTiming.of_board(board)), "rows": rows}


def main(board: str = "ultra96v2", out: Annotated[Path | None, typer.Option("--json", help="write the figures here")] = None) -> None:
    """Measure the four variants and print them beside the paper's."""
    found = measure(board)
    print(f"depthwise 3x3, 64x64x256, {found['board']}, simulated, {found['clock_mhz']:g} MHz assumed; paper: Ultra96, no cache")
    print(f"{'variant':<10}{'preloaded, busy':>16}{'ratio':>8}{'streamed':>12}{'ms':>8}{'ratio':>8}{'paper ms':>10}{'ratio':>8}")
    for name in ("plain", "gather", "bounded", "square"):
        row = found["rows"][name]
        busy = f"{row['preloaded_busy']:>16,}{row['preloaded_ratio']:>8.3f}" if "preloaded_busy" in row else f"{'':>24}"
        ours = f"{row['streamed']:>12,}{row['streamed_ms']:>8.2f}{row['streamed_ratio']:>8.2f}"
        print(f"{name:<10}{busy}{ours}{row['paper_ms']:>10.1f}{row['paper_ratio']:>8.2f}")
    print(f"gather: traffic alone, {_GATHERED} pixels measured and scaled; bounded: nine passes of one tap")
    if out is not None:
        out.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
