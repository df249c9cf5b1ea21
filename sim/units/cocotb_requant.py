"""hao_requant against Python integers: corners of every operand, random operands, both kinds of beat, random stalls."""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass
from typing import Any

import cocotb
from cocotb.triggers import ReadOnly, RisingEdge
from streams import receive, send, start

from hao.engine.isa import SHIFTS

SUM_MIN, SUM_MAX = -(1 << 26), (1 << 26) - 1
MULT_MAX = (1 << 17) - 1


@dataclass(frozen=True, slots=True)
class Beat:
    """One beat; ``sums`` is acc + bias a lane, ``parts`` the acc of each."""

    sums: tuple[int, ...]
    parts: tuple[int, ...]
    mults: tuple[int, ...]
    codes: tuple[int, ...]
    lo: int
    hi: int
    tag: int
    accumulate: bool = False
    last: bool = True


def split(total: int, rng: random.Random) -> int:
    """An accumulator such that it and the bias fit 27 bits and add up to ``total``."""
    return rng.randint(max(SUM_MIN, total - SUM_MAX), min(SUM_MAX, total - SUM_MIN))


def requant(products: int, code: int, lo: int, hi: int) -> int:
    """The byte stored for the sum of ``products``, by the definition in docs/isa.md."""
    shift = SHIFTS[code]
    return min(max((products + (1 << (shift - 1))) >> shift, lo), hi) & 0xFF


def expected(beats: list[Beat]) -> list[tuple[int, list[int]]]:
    """Tag and lanes of every result."""
    results, kept = [], [0] * len(beats[0].sums)
    for beat in beats:
        products = [s * m for s, m in zip(beat.sums, beat.mults, strict=True)]
        if beat.accumulate:
            products = [a + b for a, b in zip(products, kept, strict=True)]
        kept = products
        if beat.last:
            results.append((beat.tag, [requant(p, c, beat.lo, beat.hi) for p, c in zip(products, beat.codes, strict=True)]))
    return results


def pack(values: tuple[int, ...], bits: int) -> int:
    """Lane 0 in the lowest bits."""
    return sum((value & ((1 << bits) - 1)) << (bits * lane) for lane, value in enumerate(values))


async def run(dut: Any, beats: list[Beat], stall_in: float, stall_out: float, rng: random.Random) -> int:
    """Send ``beats``, compare every result, return the number of lanes compared."""

    def drive(beat: Beat) -> None:
        dut.acc_i.value = pack(beat.parts, 27)
        dut.bias_i.value = pack(tuple(s - a for s, a in zip(beat.sums, beat.parts, strict=True)), 27)
        dut.mult_i.value = pack(beat.mults, 17)
        dut.shift_i.value = pack(beat.codes, 3)
        dut.lo_i.value = beat.lo & 0xFFFF
        dut.hi_i.value = beat.hi & 0xFFFF
        dut.tag_i.value = beat.tag
        dut.accumulate_i.value = int(beat.accumulate)
        dut.last_i.value = int(beat.last)

    def sample() -> tuple[int, list[int]]:
        data = int(dut.data_o.value)
        return int(dut.tag_o.value), [(data >> (8 * lane)) & 0xFF for lane in range(len(dut.data_o) // 8)]

    wanted = expected(beats)
    task = cocotb.start_soon(send(dut.clk_i, dut.valid_i, dut.ready_o, drive, beats, stall_in, rng))
    got = await receive(dut.clk_i, dut.valid_o, dut.ready_i, sample, len(wanted), stall_out, rng)
    assert await task == len(beats)
    for index, (have, want) in enumerate(zip(got, wanted, strict=True)):
        assert have == want, f"result {index}: {have}, not {want}"
    return sum(len(lanes) for _, lanes in got)


def lanes_of(dut: Any) -> int:
    """Lanes of the module under test."""
    return len(dut.data_o) // 8


def beats_of(cases: list[tuple[int, int, int]], lanes: int, bounds: list[tuple[int, int]], rng: random.Random) -> list[Beat]:
    """Beats that take (sum, multiplier, shift code) cases lane by lane, the last beat filled up with the first case."""
    beats = []
    for first in range(0, len(cases), lanes):
        group = cases[first : first + lanes]
        group += [cases[0]] * (lanes - len(group))
        sums, mults, codes = (tuple(case[i] for case in group) for i in range(3))
        lo, hi = bounds[len(beats) % len(bounds)]
        beats.append(Beat(sums, tuple(split(s, rng) for s in sums), mults, codes, lo, hi, len(beats) & 0xFFFF))
    return beats


BOUNDS = [(-32768, 32767), (0, 255), (-128, 127), (0, 15), (-8, 7), (-255, 0), (5, 5)]


@cocotb.test()
async def corners(dut: Any) -> None:
    """Every shift with extreme sums and multipliers, and the sums beside every rounding tie, under all bounds."""
    rng = random.Random(cocotb.RANDOM_SEED)
    await start(dut)
    compared = 0
    mults = [0, 1, 1 << 13, (1 << 16) - 1, 1 << 16, MULT_MAX]
    sums = [SUM_MIN, SUM_MIN + 1, -256, -1, 0, 1, 255, SUM_MAX - 1, SUM_MAX]
    cases = list(itertools.product(sums, mults, range(8)))
    for code, shift in enumerate(SHIFTS):
        # with m = 2^16 and 2^13 the exact ties are reachable: sum = (k + 1/2) * 2^s / m
        for power in (13, 16):
            half = shift - 1 - power
            ties = [(2 * k + 1) << half for k in (-129, -128, -1, 0, 127, 255)] if half >= 0 else []
            cases += [(t + e, 1 << power, code) for t in ties for e in (-1, 0, 1) if SUM_MIN <= t + e <= SUM_MAX]
    for bounds in BOUNDS:
        compared += await run(dut, beats_of(cases, lanes_of(dut), [bounds], rng), 0.0, 0.0, rng)
    assert compared >= 7 * len(cases)
    dut._log.info(f"{compared} values compared")


@cocotb.test()
async def random_beats(dut: Any) -> None:
    """Random operands of every size under random stalls on both sides."""
    rng = random.Random(cocotb.RANDOM_SEED)
    await start(dut)
    compared = 0
    for stall_in, stall_out in ((0.0, 0.0), (0.4, 0.1), (0.1, 0.6), (0.5, 0.5)):
        cases = []
        for _ in range(400 * lanes_of(dut)):
            code = rng.randrange(8)
            size = rng.randint(1, 26)
            cases.append((rng.randint(-(1 << size), (1 << size) - 1), rng.getrandbits(rng.randint(1, 17)), code))
        compared += await run(dut, beats_of(cases, lanes_of(dut), BOUNDS, rng), stall_in, stall_out, rng)
    assert compared == 4 * 400 * lanes_of(dut)
    dut._log.info(f"{compared} values compared")


@cocotb.test()
async def two_operands(dut: Any) -> None:
    """Residual adds, with plain beats among them: a * m1 + b * m2 rounds once."""
    rng = random.Random(cocotb.RANDOM_SEED)
    await start(dut)
    lanes, beats, results = lanes_of(dut), [], 0
    extremes = (-128, -1, 0, 1, 127, 255)
    for index in range(1500):
        code, (lo, hi) = rng.randrange(8), rng.choice(BOUNDS)
        codes = (code,) * lanes
        results += 1
        if index % 5 == 4:
            sums = tuple(rng.randint(SUM_MIN, SUM_MAX) for _ in range(lanes))
            beats.append(Beat(sums, tuple(split(s, rng) for s in sums), (rng.getrandbits(17),) * lanes, codes, lo, hi, results))
            continue
        for second in (False, True):
            values = tuple(rng.choice(extremes) if index % 2 else rng.randint(-128, 255) for _ in range(lanes))
            mult = rng.choice([0, 1, MULT_MAX, rng.getrandbits(17)])
            beats.append(Beat(values, values, (mult,) * lanes, codes, lo, hi, results, accumulate=second, last=second))
    for stall_in, stall_out in ((0.0, 0.0), (0.3, 0.3)):
        assert await run(dut, beats, stall_in, stall_out, rng) == results * lanes


@cocotb.test()
async def clear_drops_everything(dut: Any) -> None:
    """After clear no result of an earlier beat appears."""
    rng = random.Random(cocotb.RANDOM_SEED)
    await start(dut, last_i=1, ready_i=1)
    dut.valid_i.value = 1
    for _ in range(5):
        await RisingEdge(dut.clk_i)
    dut.valid_i.value = 0
    dut.clear_i.value = 1
    await RisingEdge(dut.clk_i)
    dut.clear_i.value = 0
    for _ in range(12):
        await ReadOnly()
        assert not dut.valid_o.value
        await RisingEdge(dut.clk_i)
    cases = [(rng.randint(SUM_MIN, SUM_MAX), MULT_MAX, 3) for _ in range(64)]
    assert await run(dut, beats_of(cases, lanes_of(dut), BOUNDS, rng), 0.0, 0.0, rng) == 64
