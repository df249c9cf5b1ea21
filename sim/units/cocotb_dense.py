"""hao_dense against the instruction-level executor: memories, window, displacements and every result word, under stalls."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import ClockCycles, RisingEdge
from dense_cases import Contents, expected, instruction, read_hex, write_files
from streams import start

from hao.engine.config import CI_CONFIGS, EngineConfig
from hao.engine.encode import Instruction
from hao.engine.taps import TAP_DTYPE

SLOTS = 1024
"""Instructions the bench has room for."""


def config_of() -> EngineConfig:
    """The engine configuration whose memories the bench has."""
    base = CI_CONFIGS[os.environ["HAO_CONFIG"]]
    return EngineConfig(
        pi=base.pi, po=base.po, px=base.px, fm_words=4096, win_depth=128, wb_words=2048, pb_words=128, lm_entries=512, disp_entries=1024
    )  # fmt: skip


async def run(
    dut: Any, contents: Contents, program: Sequence[Instruction], rng: random.Random, stalls: tuple[int, int, int, int] = (0, 0, 0, 0)
) -> tuple[int, int]:
    """Run ``program`` and compare everything it leaves; return the cycles it took and the bytes compared.

    ``stalls``: chance (of 256) that instructions, reads, feature-memory writes, window writes pause in a cycle.
    """
    folder = Path.cwd()
    write_files(folder, contents, program, SLOTS)
    taps = folder / "taps.bin"
    before = taps.stat().st_size if taps.is_file() else 0
    dut.clear_i.value = 1
    await RisingEdge(dut.clk_i)
    dut.clear_i.value = 0
    dut.count_i.value = len(program)
    dut.seed_i.value = rng.getrandbits(31) | 1
    dut.stall_instr_i.value, dut.stall_rd_i.value, dut.stall_wr_i.value, dut.stall_win_i.value = stalls
    dut.load_i.value = 1
    await RisingEdge(dut.clk_i)
    dut.load_i.value = 0
    for _ in range(4000):
        await ClockCycles(dut.clk_i, 500)
        if dut.finished_o.value:
            break
    else:
        raise AssertionError("the program does not end")
    dut.dump_i.value = 1
    await RisingEdge(dut.clk_i)
    dut.dump_i.value = 0
    await ClockCycles(dut.clk_i, 2)
    words = expected(contents, program)
    got = np.frombuffer(taps.read_bytes()[before:], TAP_DTYPE)
    for index, (have, want) in enumerate(zip(got, words, strict=False)):
        assert have.tobytes() == want.tobytes(), f"word {index}: {have}, not {want}, of {program[int(want['seq'])]}"
    assert len(got) == len(words), f"{len(got)} result words, not {len(words)}"
    compared = len(words) * 16
    m = contents.memories
    for name, want in (("fm", m.fm), ("win", m.window.reshape(-1, 16)), ("disp", m.disp.view(np.uint8).reshape(-1, 1))):
        have = read_hex(folder / f"{name}.out")
        assert have.shape == want.shape
        differ = np.argwhere(have != want)
        assert not len(differ), f"{name}{differ[0].tolist()}: {have[tuple(differ[0])]}, not {want[tuple(differ[0])]}"
        compared += want.size
    return int(dut.cycles_o.value), compared


def chained(program: Sequence[Instruction]) -> list[Instruction]:
    """Every instruction waits for all before it, so that it may read their results."""
    return [item.replace(dep_dense=index) for index, item in enumerate(program)]


@cocotb.test()
async def random_instructions(dut: Any) -> None:
    """Random geometry, widths, signs, destinations, back to back or chained, without and with stalls everywhere."""
    rng = random.Random(cocotb.RANDOM_SEED)
    await start(dut, seed_i=1)
    config, compared = config_of(), 0
    stalls = [(0, 0, 0, 0), (0, 100, 0, 0), (0, 0, 160, 200), (30, 60, 60, 60), (128, 128, 128, 128), (0, 230, 20, 20), (0, 0, 240, 240)]
    for turn in range(int(os.environ.get("HAO_TURNS", "14"))):
        contents = Contents(config, rng)
        chain = turn % 3 == 2
        largest = (4, 12, 24)[turn % 3]
        length = 30 if largest == 4 else 14
        program = [instruction(contents, rng, largest=largest, swap=chain and rng.random() < 0.5) for _ in range(length)]
        compared += (await run(dut, contents, chained(program) if chain else program, rng, stalls[turn % len(stalls)]))[1]
    dut._log.info(f"{compared} bytes compared")
    assert compared > 100000


@cocotb.test()
async def small_maps(dut: Any) -> None:
    """One to five pixels, one-pixel rows, every destination: chunks shorter than the pipeline, sums revisited at once."""
    rng = random.Random(cocotb.RANDOM_SEED + 1)
    await start(dut, seed_i=1)
    config = config_of()
    for stall in ((0, 0, 0, 0), (0, 128, 64, 64)):
        contents = Contents(config, rng)
        program = [
            instruction(contents, rng, largest=5, out_w=width, y0=y0, y1=y0 + rows, dst=dst, n_in=n_in, kernel=kernel)
            for width, rows in ((1, 1), (1, 2), (2, 1), (1, 3), (3, 1), (1, 5), (5, 1))
            for y0, dst, n_in, kernel in ((0, 0, 1, 1), (3, 1, 2, 1), (1, 2, 3, 3), (7, 0, 20, 1))
        ]
        assert (await run(dut, contents, program, rng, stall))[1] > 65536


@cocotb.test()
async def extremes(dut: Any) -> None:
    """Largest operands and weights of both signs in all packings, sums up to 2^26."""
    rng = random.Random(cocotb.RANDOM_SEED + 2)
    await start(dut, seed_i=1)
    config = config_of()
    for _ in range(2):
        contents = Contents(config, rng)
        contents.extremes()
        program = [
            instruction(contents, rng, largest=12, w8=w8, x_signed=signed, n_in=n_in, kernel=1, w_addr=w_addr, lo=-32768, hi=32767, dst=0)
            for w8, w_addr in ((1, 512), (0, 0))
            for signed in (0, 1)
            for n_in in (1, 3, 90)
        ]
        assert (await run(dut, contents, program, rng))[1] > 65536


def ideal_cycles(config: EngineConfig, item: Instruction) -> int:
    """Cycles of one instruction at full rate: passes over the chunks, none shorter than a tile's load, or result words."""
    pixels = (item["y1"] - item["y0"]) * item["out_w"]
    chunk, tiles, halves = 32 * config.px, item["kernel"] ** 2 * item["n_in"], 16 // config.po
    load = max(5, (16 if item["w8"] else 8) // halves)
    passes = 0
    for first in range(0, pixels, chunk):
        groups = -(-min(chunk, pixels - first) // config.px)
        if config.pi == 16:
            passes += tiles * halves * max(groups, load)
        else:  # the next tile loads during the upper lanes' pass; a pass is at least 2 cycles
            passes += tiles * halves * max(2 * groups, load + max(groups, 2))
    return max(passes, pixels * halves)


@cocotb.test()
async def rates(dut: Any) -> None:
    """Back-to-back layers reach the rates of docs/microarchitecture.md: at most 4 idle cycles an instruction, one fill and drain."""
    rng = random.Random(cocotb.RANDOM_SEED + 3)
    await start(dut, seed_i=1)
    config = config_of()
    layers = {
        "1x1, 8 planes of 16x16, W4": (16, 8, 1, 0),
        "1x1, 4 planes of 16x16, W8": (16, 4, 1, 1),
        "1x1, 2 planes of 24x24, W4": (24, 2, 1, 0),
        "1x1, 1 plane of 24x24, W4": (24, 1, 1, 0),
        "1x1, 12 planes of 7x7, W8": (7, 12, 1, 1),
        "3x3, 2 planes of 14x14, W4": (14, 2, 3, 0),
        "fully connected, 60 planes, W8": (1, 60, 1, 1),
        "fully connected, 60 planes, W4": (1, 60, 1, 0),
    }
    for name, (size, n_in, kernel, w8) in layers.items():
        contents = Contents(config, rng)
        program = [
            instruction(
                contents, rng, largest=size, in_w=size, in_h=size, out_w=size, y0=0, y1=size, kernel=kernel, stride=1,
                pad=kernel // 2, n_in=n_in, w8=w8, dst=0,
            )
            for _ in range(4)
        ]  # fmt: skip
        cycles, _ = await run(dut, contents, program, rng)
        ideal = sum(ideal_cycles(config, item) for item in program)
        dut._log.info(f"RATE {config.name}: {name}: {cycles} cycles, ideal {ideal}, {100 * ideal / cycles:.1f} %")
        # fill and drain once: preparation, first tile, pipeline, last chunk's words
        once = 70 + 64 * (16 // config.po)
        assert cycles <= ideal + 4 * len(program) + once, f"{name}: {cycles} cycles, ideal {ideal}"
