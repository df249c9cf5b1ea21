"""FILL, window and unit DW against the executor: named cases, random programs, soft reset, cycles."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
import numpy.typing as npt
from cocotb.triggers import RisingEdge, with_timeout
from dw_cases import Case, Map
from streams import start

from hao.engine.config import EngineConfig
from hao.engine.encode import encode_program
from hao.engine.isa import INSTRUCTION_BYTES, DwMode
from hao.engine.taps import TAP_DTYPE, TapTrace

NO_STALL = (0, 0, 0, 0)
"""Cycles of 256 in which FILL's reads, the window's writes, ADD's reads and the result writes are refused."""
FILL_TAIL = 12
"""Cycles beyond a word a cycle that one FILL may take from its start to its completion."""
DW_TAIL = 60
"""Cycles beyond its words that one DW may take from its start (loading its parameters) to its completion."""


def config() -> EngineConfig:
    """The engine that the bench was built for."""
    return EngineConfig(px=int(os.environ["HAO_PX"]), dw_lanes=int(os.environ["HAO_DW_LANES"]), fm_words=16384)


def write_hex(name: str, rows: npt.NDArray[np.generic]) -> None:
    """One line of hexadecimal digits a row of bytes, the last byte first."""
    data = np.ascontiguousarray(rows).view(np.uint8).reshape(len(rows), -1)[:, ::-1]
    Path(name).write_text("\n".join(bytes(row).hex() for row in data) + "\n", encoding="ascii")


Stall = tuple[int, ...]


class Bench:
    """Runs cases on the bench and counts what was compared."""

    def __init__(self, dut: Any, rng: random.Random) -> None:
        self.dut, self.rng = dut, rng
        self.words = self.lanes = self.programs = 0
        self._taps_read = Path("taps.bin").stat().st_size if Path("taps.bin").exists() else 0

    async def clear(self) -> None:
        """Soft reset."""
        self.dut.clear_i.value = 1
        await RisingEdge(self.dut.clk_i)
        self.dut.clear_i.value = 0
        await RisingEdge(self.dut.clk_i)

    async def _pulse(self, signal: Any, until: Any | None) -> None:
        signal.value = 1
        await RisingEdge(self.dut.clk_i)
        signal.value = 0
        await RisingEdge(self.dut.clk_i)
        if until is not None and not until.value:
            await with_timeout(RisingEdge(until), 4_000_000, "ns")
            await RisingEdge(self.dut.clk_i)

    async def load(self, case: Case, stall: Stall) -> None:
        """Put the case's program and memories in place."""
        program = case.finish()
        write_hex("fm.hex", case.fm)
        write_hex("pb.hex", case.pb)
        write_hex("disp.hex", case.disp)
        write_hex("program.hex", np.frombuffer(encode_program(program), np.uint8).reshape(-1, INSTRUCTION_BYTES))
        self.dut.length_i.value = len(program)
        self.dut.stall_i.value = sum(rate << 8 * k for k, rate in enumerate(stall))
        self.dut.seed_i.value = self.rng.getrandbits(32)
        await self.clear()
        await self._pulse(self.dut.load_i, self.dut.loaded_o)

    def _new_taps(self) -> TapTrace:
        data = Path("taps.bin").read_bytes()[self._taps_read :]
        self._taps_read += len(data)
        return TapTrace(np.frombuffer(data, TAP_DTYPE))

    async def run(self, case: Case, stall: Stall = NO_STALL) -> int:
        """Run a case and compare everything it leaves; the cycles it took."""
        await self.load(case, stall)
        await self._pulse(self.dut.run_i, self.dut.finished_o)
        await self._pulse(self.dut.dump_i, None)
        expected, trace = case.expected()
        lines = [line for line in Path("fm_out.hex").read_text(encoding="ascii").split("\n") if line and not line.startswith("/")]
        got = np.array([list(bytes.fromhex(line))[::-1] for line in lines], np.uint8)
        assert got.shape == expected.shape, f"{got.shape} is not {expected.shape}"
        taps = self._new_taps()
        difference = taps.difference(trace)
        assert difference is None, f"result word: {difference}"
        wrong = np.argwhere(got != expected)
        assert not len(wrong), f"feature memory {wrong[0]}: {got[tuple(wrong[0])]}, not {expected[tuple(wrong[0])]}"
        self.words += len(taps)
        self.lanes += int((expected != case.fm).sum())
        self.programs += 1
        return int(self.dut.cycles_o.value)

    def report(self, least: int) -> None:
        """Fail when fewer than ``least`` result words were compared."""
        self.dut._log.info("%d programs, %d result words compared, %d bytes changed", self.programs, self.words, self.lanes)
        assert self.words >= least and self.lanes > 0, f"only {self.words} words were compared"


def fresh(seed: int) -> Case:
    """An empty case."""
    return Case(config(), np.random.default_rng(seed))


def steady(layer: tuple[int, int], d: int | None, seed: int = 5) -> npt.NDArray[np.int64]:
    """Displacements of a ``(height, width)`` output: all ``d``, or random where ``d`` is None."""
    return np.full(layer, d, np.int64) if d is not None else np.random.default_rng(seed).integers(-8, 9, layer)


def named_layers() -> Iterator[tuple[str, list[Map]]]:
    """The layers that every depthwise bench must hold."""
    plain = [Map(21, 13, s, o, x_signed=x) for s in (1, 2) for o in (0, 1) for x in (0, 1)]
    yield "plain", [*plain, Map(33, 9, dilation=3), Map(12, 12, dilation=8), Map(1, 1), Map(11, 1), Map(1, 11, 2), Map(22, 3, 2, 1)]
    yield "stripes", [Map(30, 23, s, o, ring=r, stripe=k) for s, o, r, k in ((1, 0, 4, 1), (1, 1, 7, 3), (2, 0, 5, 2), (2, 1, 9, 2))]
    yield "random d", [Map(40, 30, s, x_signed=s - 1, displacements=steady(((29 // s) + 1, (39 // s) + 1), None)) for s in (1, 2)]
    for d in (0, 8, -8, 1, -1, 7):
        yield f"d = {d}", [Map(25, 19, displacements=steady((19, 25), d))]
    small = [Map(w, h, displacements=steady((h, w), d)) for w, h in ((5, 4), (1, 1), (8, 8), (3, 9)) for d in (8, -8, None)]
    yield "d larger than the map", small
    bound = [
        Map(23, 40, ring=r, stripe=k, displacements=steady((40, 23), d)) for r, k in ((17, 1), (20, 4), (19, 2)) for d in (8, -8, None)
    ]
    yield "d at the bounds on the ring's boundary", bound
    yield (
        "d streamed, stride 2",
        [Map(31, 41, 2, o, ring=22, stripe=3, displacements=steady(((40 - o) // 2 + 1, (30 - o) // 2 + 1), None)) for o in (0, 1)],
    )
    pools = [Map(w, h, 2, 1, DwMode.MAX, x_signed=x) for w, h in ((16, 16), (17, 15)) for x in (0, 1)]
    pools += [Map(16, 14, 2, 0, DwMode.MAX, 0b110110000, x_signed=x) for x in (0, 1)]
    pools += [Map(15, 17, 2, 1, DwMode.MAX, 0b000011011), Map(14, 30, 2, 0, DwMode.MAX, ring=5, stripe=2), Map(9, 9, 1, 0, DwMode.MAX, 16)]
    yield "maximum", pools
    yield "sum", [Map(w, h, 1, 0, DwMode.SUM, x_signed=x) for w, h in ((7, 7), (5, 3), (1, 1), (13, 9), (40, 40), (1, 3)) for x in (0, 1)]
    yield "sum of some", [Map(9, 7, 2, 1, DwMode.SUM), Map(9, 30, 1, 0, DwMode.SUM, ring=6, stripe=4)]
    yield "up-sampled", [Map(24, 18, up=1), Map(2, 2, up=1), Map(44, 37, up=1, ring=9, stripe=5), Map(26, 7, 2, 1, up=1, x_signed=1)]
    yield "up-sampled, d", [Map(32, 32, up=1, ring=24, stripe=4, displacements=steady((32, 32), None))]


def groups(layers: list[Map]) -> Iterator[list[Map]]:
    """``layers`` in groups whose displacement maps fit the memory together."""
    group: list[Map] = []
    for layer in layers:
        taken = sum(each.displacements.size for each in [*group, layer] if each.displacements is not None)
        if group and taken > config().disp_entries:
            yield group
            group = []
        group.append(layer)
    yield group


@cocotb.test()
async def named_cases(dut: Any) -> None:
    """Every named layer without and with stalls, and all of them in one program."""
    await start(dut)
    bench = Bench(dut, random.Random(cocotb.RANDOM_SEED))
    for number, (name, layers) in enumerate(named_layers()):
        for turn, stall in enumerate((NO_STALL, (70, 70, 70, 70))):
            for part, group in enumerate(groups(layers)):
                case = fresh(1000 * cocotb.RANDOM_SEED + 10 * number + 2 * part + turn)
                for layer in group:
                    case.layer(layer)
                try:
                    await bench.run(case, stall)
                except AssertionError as error:
                    raise AssertionError(f"{name}, stall {stall}: {error}") from error
    bench.report(40_000)


@cocotb.test()
async def adds(dut: Any) -> None:
    """ADD with all signs, one operand, its own results as operands, among DW instructions."""
    await start(dut)
    bench = Bench(dut, random.Random(cocotb.RANDOM_SEED))
    for turn, stall in enumerate((NO_STALL, (90, 90, 90, 90), (0, 0, 0, 230), (0, 0, 200, 0))):
        case = fresh(cocotb.RANDOM_SEED + turn)
        for signs in ((0, 0), (0, 1), (1, 0), (1, 1)):
            for m2 in (None, 0, 131071):
                case.add((13, 5), signs, m2=m2)
                case.add((1, 1), signs, m2=m2, operands="results")
                case.add((19, 9), signs, operands="in place")
            case.layer(Map(9, 5))
            case.add((3, 3), signs, operands="results")
            case.layer(Map(6, 6, 2, 1, DwMode.MAX))
        await bench.run(case, stall)
    bench.report(4_000)


@cocotb.test()
async def short_instructions(dut: Any) -> None:
    """One slice, many short instructions, each with parameters of its own, while results hardly leave."""
    await start(dut)
    bench = Bench(dut, random.Random(cocotb.RANDOM_SEED))
    for turn, stall in enumerate((NO_STALL, (0, 0, 0, 200), (0, 0, 0, 245))):
        for size in ((1, 1), (3, 1), (5, 3), (9, 3)):
            case = fresh(100 * cocotb.RANDOM_SEED + turn)
            case.layer(Map(*size))
            dw = case.program[-1]
            for _ in range(45):
                low, high = sorted(case.rng.integers(-128, 128, 2).tolist())
                case.program.append(dw.replace(p_addr=case.params(2e-3, extremes=False), lo=low, hi=high))
            await bench.run(case, stall)
    bench.report(6_000)


def random_layer(rng: random.Random) -> Map:
    """Any layer."""
    width, height = rng.randint(1, 34), rng.randint(1, 26)
    stride = rng.choice((1, 1, 2))
    offset = rng.randint(0, 1) if min(width, height) > 1 else 0
    mode = rng.choice((DwMode.MAC, DwMode.MAC, DwMode.MAX, DwMode.SUM))
    up = int(width % 2 == 0 and rng.random() < 0.3)
    mask = rng.choice((0x1FF, 0x1FF, rng.getrandbits(9))) | 16
    dilation = rng.choice((1, 1, 2, 5, 8))
    deform = mode is DwMode.MAC and rng.random() < 0.5
    reach = 2 * (8 if deform else dilation) + 1
    stripe = rng.choice((0, rng.randint(1, height)))
    ring = min(height, reach + (stripe or height) * stride + rng.randint(0, 4)) if rng.random() < 0.7 else 0
    values = None
    if deform:
        shape = Map(width, height, stride, offset).out_size
        values = np.random.default_rng(rng.getrandbits(32)).integers(-8, 9, shape)
    return Map(width, height, stride, offset, mode, mask, dilation, rng.randint(0, 1), values, up, ring, stripe)


@cocotb.test()
async def random_programs(dut: Any) -> None:
    """Random layers and adds, at random rates of stalls."""
    await start(dut)
    rng = random.Random(cocotb.RANDOM_SEED)
    bench = Bench(dut, rng)
    for _ in range(int(os.environ.get("HAO_PROGRAMS", "12"))):
        case = fresh(rng.getrandbits(32))
        for _ in range(rng.randint(1, 9)):
            if rng.random() < 0.3:
                size, signs = (rng.randint(1, 20), rng.randint(1, 9)), (rng.randint(0, 1), rng.randint(0, 1))
                case.add(size, signs, operands=rng.choice(("source", "results", "in place")))
            else:
                case.layer(random_layer(rng))
        await bench.run(case, tuple(rng.choice((0, 20, 120, 230)) for _ in range(4)))
    bench.report(2_000)


@cocotb.test()
async def soft_reset(dut: Any) -> None:
    """A program that is cleared half-way leaves nothing behind that the next one sees."""
    await start(dut)
    rng = random.Random(cocotb.RANDOM_SEED)
    bench = Bench(dut, rng)
    for _ in range(6):
        broken = fresh(rng.getrandbits(32))
        broken.layer(Map(30, 30, displacements=steady((30, 30), None), up=1))
        broken.add((20, 20), (0, 1))
        await bench.load(broken, (60, 60, 60, 60))
        await bench._pulse(dut.run_i, None)
        for _ in range(rng.randint(20, 2500)):
            await RisingEdge(dut.clk_i)
        await bench.clear()
        await bench._pulse(dut.dump_i, None)
        bench._new_taps()
        case = fresh(rng.getrandbits(32))
        case.layer(Map(17, 11, ring=5, stripe=2))
        case.add((8, 8), (1, 1))
        case.layer(Map(12, 12, 2, 1, DwMode.MAX))
        await bench.run(case, (30, 30, 30, 30))
    bench.report(1_000)


async def _busy(bench: Bench, layer: Map, times: int) -> tuple[int, int]:
    """Busy cycles of unit DW for ``times`` instructions over one preloaded slice, and result words."""
    case = fresh(7)
    case.layer(layer)
    dw = case.program[-1]
    for _ in range(times - 1):
        case.program.append(dw.replace(p_addr=case.params(2e-3, extremes=False)))
    await bench.run(case)
    return int(bench.dut.dw_busy_o.value), int(bench.dut.dw_words_o.value)


@cocotb.test()
async def cycles(dut: Any) -> None:
    """Without stalls: one word a cycle (two with 8 lanes), deformable as fast as plain; FILL one word a cycle; ADD twice a word."""
    await start(dut)
    bench = Bench(dut, random.Random(1))
    pace = 16 // config().dw_lanes
    shape = (64, 64)
    layers = {
        "plain": Map(64, 64), "random d": Map(64, 64, displacements=steady(shape, None)),
        "d = 8": Map(64, 64, displacements=steady(shape, 8)), "d = 0": Map(64, 64, displacements=steady(shape, 0)),
        "maximum": Map(64, 64, 1, 0, DwMode.MAX),
    }  # fmt: skip
    took = {name: await _busy(bench, layer, 4) for name, layer in layers.items()}
    for name, (busy, words) in took.items():
        dut._log.info("%s: %d words in %d busy cycles", name, words, busy)
        assert words == 4 * 4096
        assert busy <= words * pace + DW_TAIL, f"{name}: {busy} cycles for {words} words"
        assert busy == took["plain"][0], f"{name}: {busy} cycles, plain {took['plain'][0]}"
    busy, words = await _busy(bench, Map(7, 7), 48)
    dut._log.info("48 times 7 x 7: %d words in %d busy cycles", words, busy)
    assert busy <= words * pace + DW_TAIL + 6 * 48
    fill_words, fill_busy = int(dut.fill_words_o.value), int(dut.fill_busy_o.value)
    for layer in (Map(64, 64), Map(64, 64, up=1), Map(33, 40)):
        case = fresh(3)
        window = case.slice_of(layer)
        for y0 in range(0, layer.height, 4):
            case.fill(layer, window, 0, y0, y0 + 4)
        case.dw(Map(layer.width, layer.height, 1, 0, DwMode.MAX), window, 0, case.params(1.0, extremes=False), (0, 1))
        await bench.run(case)
        fill_words, fill_busy = int(dut.fill_words_o.value), int(dut.fill_busy_o.value)
        dut._log.info("FILL %d x %d, up %d: %d words in %d busy cycles", layer.width, layer.height, layer.up, fill_words, fill_busy)
        assert fill_words == layer.width * layer.height
        assert fill_busy <= fill_words + FILL_TAIL + 4 * (layer.height // 4)
    case = fresh(9)
    for _ in range(4):
        case.add((64, 16), (0, 1))
    await bench.run(case)
    busy, words = int(dut.dw_busy_o.value), int(dut.dw_words_o.value)
    dut._log.info("4 ADD: %d words in %d busy cycles", words, busy)
    assert words == 4096 and busy <= 2 * pace * words + DW_TAIL + 6 * 4
    bench.report(60_000)
