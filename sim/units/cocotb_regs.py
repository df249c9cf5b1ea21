"""hao_regs: the register map through AXI4-Lite, with random strobes, stalls and events, against a model in Python."""

from __future__ import annotations

import os
import random
from typing import Any

import cocotb
from axil import AxiLite
from cocotb.triggers import ReadOnly, RisingEdge
from streams import start

from hao.engine.isa import ISA_VERSION, Unit
from hao.engine.regs import MAGIC, OFFSETS, REGISTERS, UNIT_COUNTERS, Access, Fault

PLAIN = ("PROGRAM_COUNT", "PROGRAM_LO", "PROGRAM_HI", *(f"{b}_{h}" for b in ("IMAGE", "INPUT", "OUTPUT", "SCRATCH") for h in ("LO", "HI")))


async def pulse(dut: Any, **events: int) -> None:
    """Drive the named inputs for one cycle."""
    for name, value in events.items():
        getattr(dut, name).value = value
    await RisingEdge(dut.clk_i)
    for name in events:
        getattr(dut, name).value = 0


@cocotb.test()
async def identifies_itself(dut: Any) -> None:
    """Constants, and zero everywhere else after reset."""
    await start(dut)
    bus = AxiLite(dut, random.Random(cocotb.RANDOM_SEED))
    digest = int(os.environ["HAO_DIGEST"])
    constants = {"MAGIC": MAGIC, "ISA_VERSION": ISA_VERSION, "CONFIG_LO": digest & 0xFFFFFFFF, "CONFIG_HI": digest >> 32}
    for register in REGISTERS:
        assert await bus.read(register.offset) == constants.get(register.name, 0), register.name


@cocotb.test()
async def keeps_what_is_written(dut: Any) -> None:
    """Random writes with random strobes to every address of the map, read-only ones and holes included."""
    rng = random.Random(cocotb.RANDOM_SEED)
    await start(dut)
    bus = AxiLite(dut, rng)
    model = dict.fromkeys(PLAIN, 0) | {"IRQ_ENABLE": 0}
    reads = [register for register in REGISTERS if register.name not in model and register.access is Access.READ]
    before = {register.name: await bus.read(register.offset) for register in reads}
    for _ in range(300):
        offset = rng.choice([r.offset for r in REGISTERS if r.name != "CONTROL"] + [0x0F0, 0x800, 0xFFC])
        value, strobe = rng.getrandbits(32), rng.getrandbits(4)
        await bus.write(offset, value, strobe)
        name = next((r.name for r in REGISTERS if r.offset == offset), "")
        mask = sum(0xFF << 8 * b for b in range(4) if strobe >> b & 1)
        if name == "IRQ_ENABLE":
            model[name] = (model[name] & ~mask | value & mask) & 3
        elif name in model:
            model[name] = model[name] & ~mask | value & mask
    for name, value in (model | before).items():
        assert await bus.read(OFFSETS[name]) == value, name
    for hole in (0x0F0, 0x800, 0xFFC):
        assert await bus.read(hole) == 0
    await ReadOnly()
    assert int(dut.program_count_o.value) == model["PROGRAM_COUNT"]
    assert int(dut.program_addr_o.value) == (model["PROGRAM_HI"] & 0xFF) << 32 | model["PROGRAM_LO"]
    for index, base in enumerate(("IMAGE", "INPUT", "OUTPUT", "SCRATCH")):
        assert int(dut.base_o[index].value) == (model[f"{base}_HI"] & 0xFF) << 32 | model[f"{base}_LO"], base


@cocotb.test()
async def starts_and_reports(dut: Any) -> None:
    """Start and soft reset are pulses; done, fault and interrupt follow their events; the first fault stays."""
    await start(dut)
    bus = AxiLite(dut, random.Random(cocotb.RANDOM_SEED))
    pulses = {"start_o": 0, "soft_reset_o": 0}

    async def count() -> None:
        while True:
            await ReadOnly()
            for name in pulses:
                pulses[name] += int(getattr(dut, name).value)
            await RisingEdge(dut.clk_i)

    cocotb.start_soon(count())
    await bus.write(OFFSETS["IRQ_ENABLE"], 3)
    await bus.write(OFFSETS["CONTROL"], 1)
    await bus.write(OFFSETS["CONTROL"], 1, strobe=0b1110)
    assert await bus.read(OFFSETS["CONTROL"]) == 0
    assert pulses == {"start_o": 1, "soft_reset_o": 0}
    await pulse(dut, begin_i=1)
    dut.busy_i.value = 1
    assert await bus.read(OFFSETS["STATUS"]) == 0b001
    await pulse(dut, done_i=1)
    dut.busy_i.value = 0
    assert await bus.read(OFFSETS["STATUS"]) == 0b010
    assert await bus.read(OFFSETS["IRQ_STATUS"]) == 0b01
    assert int(dut.irq_o.value) == 1
    await bus.write(OFFSETS["IRQ_STATUS"], 0b10)
    assert int(dut.irq_o.value) == 1, "clearing the other bit cleared this one"
    await bus.write(OFFSETS["IRQ_STATUS"], 0b01)
    assert int(dut.irq_o.value) == 0
    await pulse(dut, fault_i=1, fault_code_i=Fault.WRITE_RESPONSE)
    await pulse(dut, fault_i=1, fault_code_i=Fault.READ_RESPONSE)
    assert await bus.read(OFFSETS["FAULT"]) == Fault.WRITE_RESPONSE
    assert await bus.read(OFFSETS["STATUS"]) == 0b110
    assert int(dut.irq_o.value) == 1
    await bus.write(OFFSETS["IRQ_ENABLE"], 1)
    assert int(dut.irq_o.value) == 0
    await pulse(dut, begin_i=1)
    assert await bus.read(OFFSETS["STATUS"]) == 0
    assert await bus.read(OFFSETS["FAULT"]) == Fault.NONE
    await pulse(dut, fault_i=1, fault_code_i=Fault.ILLEGAL_OPCODE)
    await bus.write(OFFSETS["CONTROL"], 3)
    assert pulses == {"start_o": 1, "soft_reset_o": 1}, "reset wins over start"
    for name in ("STATUS", "FAULT", "IRQ_STATUS"):
        assert await bus.read(OFFSETS[name]) == 0, name


@cocotb.test()
async def shows_the_counters(dut: Any) -> None:
    """Every counter at its own address."""
    rng = random.Random(cocotb.RANDOM_SEED)
    await start(dut)
    bus = AxiLite(dut, rng)
    expected = {}
    for name, port in (("CYCLES", dut.cycles_i), ("READ_BEATS", dut.read_beats_i), ("WRITE_BEATS", dut.write_beats_i)):
        expected[name] = rng.getrandbits(32)
        port.value = expected[name]
    ports = {"count": dut.done_count_i, "busy": dut.active_i, "wait_dep": dut.wait_dep_i, "stall": dut.stall_i}
    for unit in Unit:
        for counter in ("count", *UNIT_COUNTERS):
            value = rng.getrandbits(32)
            expected[f"{unit.name}_{counter.upper()}"] = value
            ports[counter][int(unit)].value = value
    for name, value in expected.items():
        assert await bus.read(OFFSETS[name]) == value, name
    assert len(expected) == 3 + 4 * len(Unit)
