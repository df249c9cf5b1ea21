"""hao_load: LOAD to every memory and LDI against its definition, the DRAM's words coming at random times."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cocotb
from cocotb.triggers import ReadOnly, RisingEdge
from streams import reset, start

from hao.engine.encode import Instruction
from hao.engine.isa import LoadTarget, Opcode

ROW_BYTES = int(os.environ.get("HAO_ROW_BYTES", "512"))
BASES = (0x12_0000_0000, 0x00_1000_0000, 0x00_2000_0040, 0x7F_0000_0000)


def make(opcode: Opcode, **fields: int) -> Instruction:
    """An instruction with the named fields, the others 0."""
    return Instruction(opcode, fields)


@dataclass(frozen=True)
class Write:
    """One word written: its memory, address (modulo 2^16) and content."""

    target: LoadTarget
    address: int
    data: int


class Dram:
    """Serves requests of words in order, after a random time and with random gaps; bytes come from ``content``."""

    def __init__(self, dut: Any, rng: random.Random, stall: float) -> None:
        self.dut, self.rng, self.stall = dut, rng, stall
        self.content: dict[int, int] = {}
        self.words: list[int] = []
        self.requested = 0

    def word(self, address: int) -> int:
        """The 16 bytes at ``address``; random where nobody asked before."""
        return self.content.setdefault(address, self.rng.getrandbits(128))

    def byte(self, address: int) -> int:
        """The byte at ``address``."""
        return self.word(address & ~15) >> 8 * (address & 15) & 0xFF

    async def run(self) -> None:
        """Serve until the test ends."""
        dut, offered = self.dut, False
        while True:
            dut.dma_ready_i.value = int(self.rng.random() >= self.stall)
            if not offered:
                offered = bool(self.words) and self.rng.random() >= self.stall
            dut.data_valid_i.value = int(offered)
            if offered:
                dut.data_i.value = self.word(self.words[0])
            await ReadOnly()
            if int(dut.dma_valid_o.value) and int(dut.dma_ready_i.value):
                address, words = int(dut.dma_addr_o.value), int(dut.dma_words_o.value)
                assert address % 16 == 0 and words > 0
                self.words.extend(address + 16 * k for k in range(words))
                self.requested += words
            taken = offered and bool(dut.data_ready_o.value)
            await RisingEdge(dut.clk_i)
            if taken:
                self.words.pop(0)
                offered = False


def load_writes(dram: Dram, i: Instruction) -> Iterator[Write]:
    """What LOAD writes, in order."""
    base = BASES[i["base_sel"]] + i["dram_offset"]
    for k in range(i["length"]):
        yield Write(LoadTarget(i["target"]), (i["dst_addr"] + k) % 65536, dram.word(base + 16 * k))


def ldi_writes(dram: Dram, i: Instruction) -> Iterator[Write]:
    """What LDI writes, by its definition."""
    base = BASES[i["base_sel"]] + i["dram_offset"]
    fill = (i["fill0"], i["fill1"], i["fill2"])
    kernel, channels = i["kernel"], i["channels"]
    for y in range(i["y0"], i["y1"]):
        for x in range(i["out_w"]):
            lanes = 0
            for ky in range(kernel):
                for kx in range(kernel):
                    iy, ix = y * i["stride"] - i["pad"] + ky, x * i["stride"] - i["pad"] + kx
                    inside = 0 <= iy < i["in_h"] and 0 <= ix < i["in_w"]
                    for c in range(channels):
                        value = dram.byte(base + iy * i["row_bytes"] + 4 * ix + c) if inside else fill[c]
                        lanes |= value << 8 * ((ky * kernel + kx) * channels + c)
            p = y * i["out_w"] + x
            yield Write(LoadTarget.FEATURE, (i["dst_base0"] + p) % 65536, lanes & (1 << 128) - 1)
            if kernel * kernel * channels > 16:
                yield Write(LoadTarget.FEATURE, (i["dst_base1"] + p) % 65536, lanes >> 128)


def random_load(rng: random.Random) -> Instruction:
    """A LOAD of any target, at times empty."""
    return make(
        Opcode.LOAD, target=rng.choice(list(LoadTarget)), base_sel=rng.randrange(4), dram_offset=16 * rng.randrange(1 << 20),
        dst_addr=rng.getrandbits(16), length=rng.choice((0, 1, 2, 3, 17, 40)),
    )  # fmt: skip


def random_ldi(rng: random.Random) -> Instruction:
    """An LDI over a small image, at times with the longest rows that fit."""
    kernel, stride, pad = rng.choice((1, 3)), rng.randint(1, 4), rng.randint(0, 1)
    width = rng.choice((rng.randint(1, 24), ROW_BYTES // 4, ROW_BYTES // 4 - 1)) if rng.random() < 0.3 else rng.randint(1, 14)
    height = rng.randint(1, 14)
    # beyond the image too: there every byte is the fill
    out_w, out_h = max(1, (width + 2 * pad - kernel) // stride + 1 + rng.randint(-1, 1)), max(1, (height + 2 * pad) // stride + 1)
    y0 = rng.randrange(out_h)
    row_bytes = (4 * width + 15) // 16 * 16 + 16 * rng.choice((0, 0, 1, 5))
    return make(
        Opcode.LDI, base_sel=rng.randrange(4), dram_offset=16 * rng.randrange(1 << 20), row_bytes=row_bytes, in_w=width, in_h=height,
        y0=y0, y1=rng.randint(y0 if rng.random() < 0.1 else y0 + 1, out_h), out_w=out_w, kernel=kernel, stride=stride, pad=pad,
        channels=rng.randint(1, 3), fill0=rng.getrandbits(8), fill1=rng.getrandbits(8), fill2=rng.getrandbits(8),
        dst_base0=rng.getrandbits(16), dst_base1=rng.getrandbits(16),
    )  # fmt: skip


class Memories:
    """Takes what the unit writes, the feature memory with random stalls, and notes when instructions complete."""

    def __init__(self, dut: Any, rng: random.Random, stall: float) -> None:
        self.dut, self.rng, self.stall = dut, rng, stall
        self.writes: list[Write] = []
        self.done_at: list[int] = []

    async def run(self) -> None:
        """Watch until the test ends."""
        dut = self.dut
        while True:
            dut.fm_wr_ready_i.value = int(self.rng.random() >= self.stall)
            await ReadOnly()
            if int(dut.fm_wr_valid_o.value) and int(dut.fm_wr_ready_i.value):
                self.writes.append(Write(LoadTarget.FEATURE, int(dut.fm_wr_addr_o.value), int(dut.fm_wr_data_o.value)))
            if int(dut.buf_wr_valid_o.value):
                target = LoadTarget(int(dut.buf_wr_target_o.value))
                self.writes.append(Write(target, int(dut.buf_wr_addr_o.value), int(dut.buf_wr_data_o.value)))
            if int(dut.done_o.value):
                self.done_at.append(len(self.writes))
            await RisingEdge(dut.clk_i)


async def issue(dut: Any, program: list[Instruction], stall: float, rng: random.Random) -> None:
    """Hand instructions over as they are taken."""
    for i in program:
        while rng.random() < stall:
            await RisingEdge(dut.clk_i)
        dut.instr_i.value = int.from_bytes(i.encode(), "little")
        dut.instr_valid_i.value = 1
        taken = False
        while not taken:
            await ReadOnly()
            taken = bool(dut.instr_ready_o.value)
            await RisingEdge(dut.clk_i)
        dut.instr_valid_i.value = 0


async def run(dut: Any, program: list[Instruction], stalls: tuple[float, float, float], rng: random.Random) -> int:
    """Run a program and compare every write with its definition; returns the words compared."""
    rng = random.Random(rng.getrandbits(64))  # what is drawn next does not depend on how long this takes
    await reset(dut)
    for index, base in enumerate(BASES):
        dut.base_i[index].value = base
    dram, memories = Dram(dut, rng, stalls[0]), Memories(dut, rng, stalls[1])
    expected, ends = [], []
    for i in program:
        expected.extend(load_writes(dram, i) if i.opcode is Opcode.LOAD else ldi_writes(dram, i))
        ends.append(len(expected))
    tasks = [cocotb.start_soon(dram.run()), cocotb.start_soon(memories.run()), cocotb.start_soon(issue(dut, program, stalls[2], rng))]
    for _ in range(200 * (len(expected) + 100 * len(program))):
        await RisingEdge(dut.clk_i)
        if len(memories.done_at) == len(program):
            break
    for task in tasks:
        task.cancel()
    for k, (found, wanted) in enumerate(zip(memories.writes, expected, strict=False)):
        assert found == wanted, f"write {k}: {found} against {wanted}"
    assert len(memories.writes) == len(expected)
    assert memories.done_at == ends, "an instruction completed too early or too late"
    assert not dram.words, "words were asked for and not used"
    return len(expected)


@cocotb.test()
async def loads(dut: Any) -> None:
    """Random LOADs, one after another."""
    rng = random.Random(cocotb.RANDOM_SEED)
    await start(dut)
    compared = 0
    for stalls in ((0.0, 0.0, 0.0), (0.5, 0.0, 0.2), (0.1, 0.6, 0.0), (0.3, 0.3, 0.5)):
        compared += await run(dut, [random_load(rng) for _ in range(30)], stalls, rng)
    assert compared > 500


@cocotb.test()
async def gathers(dut: Any) -> None:
    """Random LDIs with LOADs between them, every kernel, stride, padding and number of channels."""
    rng = random.Random(cocotb.RANDOM_SEED)
    await start(dut)
    compared, shapes = 0, set()
    for stalls in ((0.0, 0.0, 0.0), (0.6, 0.0, 0.2), (0.0, 0.6, 0.0), (0.3, 0.3, 0.3)):
        program = [random_ldi(rng) if rng.random() < 0.8 else random_load(rng) for _ in range(30)]
        shapes |= {(i["kernel"], i["stride"], i["channels"]) for i in program if i.opcode is Opcode.LDI}
        compared += await run(dut, program, stalls, rng)
    assert compared > 2000
    assert len(shapes) >= 18, "too few of the 24 shapes were drawn"


@cocotb.test()
async def gathers_at_full_rate(dut: Any) -> None:
    """Two cycles a pixel for kernel 3 at stride 1 and 2 once the rows come, and one for kernel 1; and only needed rows are read."""
    rng = random.Random(cocotb.RANDOM_SEED)
    await start(dut)
    for kernel, stride, cycles in ((3, 1, 2), (3, 2, 2), (1, 1, 1)):
        size = ROW_BYTES // 4
        out = size // stride
        i = make(
            Opcode.LDI, row_bytes=ROW_BYTES, in_w=size, in_h=24, y0=0, y1=24 // stride, out_w=out, kernel=kernel, stride=stride,
            pad=kernel // 2, channels=3,
        )  # fmt: skip
        begin = cocotb.utils.get_sim_time("ns")
        words = await run(dut, [i], (0.0, 0.0, 0.0), rng)
        spent = (cocotb.utils.get_sim_time("ns") - begin) / 4
        pixels = out * (24 // stride)
        assert words == pixels * (2 if kernel == 3 else 1)
        # a row of the image takes as many cycles as it has pixel pairs: the first rows, and stride 1 with kernel 1, wait for it
        bound = pixels * cycles + (kernel + 1) * size // 2 + 3 * 24 + 60
        assert spent <= bound, f"kernel {kernel}, stride {stride}: {spent} cycles for {pixels} pixels, at most {bound}"


@cocotb.test()
async def reads_no_row_in_vain(dut: Any) -> None:
    """Kernel 1 at stride 4 reads every fourth row, and rows outside the output's range are left alone."""
    rng = random.Random(cocotb.RANDOM_SEED)
    await start(dut)
    i = make(Opcode.LDI, row_bytes=64, in_w=16, in_h=16, y0=1, y1=3, out_w=4, kernel=1, stride=4, pad=0, channels=1)
    await reset(dut)
    dram = Dram(dut, rng, 0.0)
    tasks = [cocotb.start_soon(dram.run()), cocotb.start_soon(Memories(dut, rng, 0.0).run())]
    await issue(dut, [i], 0.0, rng)
    for _ in range(300):
        await RisingEdge(dut.clk_i)
    assert dram.requested == 2 * 4
    for task in tasks:
        task.cancel()
