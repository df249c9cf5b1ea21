"""hao_issue: order, and dependency counts that wrap around 2^16."""

from __future__ import annotations

import os
import random
from typing import Any

import cocotb
from cocotb.triggers import ReadOnly, RisingEdge
from streams import start

from hao.engine.encode import Instruction
from hao.engine.isa import Opcode, Unit

DEPTH = int(os.environ["HAO_DEPTH"])
FIELDS = ("dep_load", "dep_dense", "dep_fill", "dep_dw", "dep_store")


def met(needed: list[int], counts: list[int]) -> bool:
    """Whether every count has reached what is needed, as a signed 16-bit difference."""
    return all((have - want) % 65536 < 32768 for want, have in zip(needed, counts, strict=True))


@cocotb.test()
async def presents_in_order_when_met(dut: Any) -> None:
    """Counts pass 2^16 while instructions wait for them; each is presented in order, never early, and soon enough."""
    rng = random.Random(cocotb.RANDOM_SEED)
    await start(dut)
    counts = [rng.randint(65_400, 65_535) for _ in Unit]
    ahead = list(counts)
    program: list[tuple[int, list[int]]] = []
    for k in range(400):
        ahead = [count + rng.choice((0, 0, 0, 1, 2)) for count in ahead]
        needed = [count - rng.choice((0, 0, 3, 500)) for count in ahead]
        fields = {name: value % 65536 for name, value in zip(FIELDS, needed, strict=True)}
        word = int.from_bytes(Instruction(Opcode.STORE, {**fields, "length": k}).encode(), "little")
        program.append((word, [value % 65536 for value in needed]))
    sent = taken = patience = level = 0
    in_flight = waited = 0
    offer = False
    while taken < len(program):
        offer = sent < len(program) and (offer or rng.random() < 0.7)
        ready = rng.random() < 0.6 and in_flight < 10
        finish = in_flight > 0 and rng.random() < 0.5
        dut.in_valid_i.value = int(offer)
        if offer:
            dut.in_instr_i.value = program[sent][0]
        dut.out_ready_i.value = int(ready)
        dut.done_i.value = int(finish)
        for unit in Unit:
            dut.done_count_i[int(unit)].value = counts[int(unit)] % 65536
        await ReadOnly()
        valid = bool(dut.out_valid_o.value)
        assert bool(dut.active_o.value) == (in_flight > 0)
        assert bool(dut.empty_o.value) == (level == 0)
        assert bool(dut.in_ready_o.value) == (level < DEPTH)
        if valid:
            word, needed = program[taken]
            assert met(needed, counts), f"instruction {taken} came before its dependencies"
            assert int(dut.out_instr_o.value) == word
        elif level and met(program[taken][1], counts):
            patience += 1
            assert patience <= 2, f"instruction {taken} is held back"
        elif level:
            waited += 1
        accepted = offer and bool(dut.in_ready_o.value)
        await RisingEdge(dut.clk_i)
        if valid:
            patience = 0
        took = valid and ready
        offer = offer and not accepted
        sent, level = sent + accepted, level + accepted - took
        taken, in_flight = taken + took, in_flight + took - finish
        limit = program[min(taken, len(program) - 1)][1]
        for unit in range(len(counts)):
            behind = (limit[unit] - counts[unit]) % 65536
            if rng.random() < (0.5 if 0 < behind < 32768 else 0.05):
                counts[unit] += 1
    assert waited > 100, "nothing ever waited"
    assert all(count > 65536 for count in counts), "no count passed 2^16"


@cocotb.test()
async def halts(dut: Any) -> None:
    """Halted, nothing new is presented; what was presented stays until it is taken."""
    await start(dut)
    word = int.from_bytes(Instruction(Opcode.STORE).encode(), "little")
    dut.in_instr_i.value = word
    dut.in_valid_i.value = 1
    await RisingEdge(dut.clk_i)
    await RisingEdge(dut.clk_i)
    dut.in_valid_i.value = 0
    await RisingEdge(dut.clk_i)
    dut.halt_i.value = 1
    for _ in range(5):
        await ReadOnly()
        assert dut.out_valid_o.value
        await RisingEdge(dut.clk_i)
    dut.out_ready_i.value = 1
    await RisingEdge(dut.clk_i)
    for _ in range(10):
        await ReadOnly()
        assert not dut.out_valid_o.value
        assert not dut.empty_o.value
        await RisingEdge(dut.clk_i)
