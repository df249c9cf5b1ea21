"""The AXI4-Lite register map: one table for RTL, drivers and documentation."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

MAGIC = 0x48414F31
"""Value of the MAGIC register, ``HAO1``."""


class Access(IntEnum):
    """How software may use a register."""

    READ = 0
    WRITE = 1
    READ_WRITE = 2
    WRITE_ONE_TO_CLEAR = 3


class Fault(IntEnum):
    """Values of the FAULT register."""

    NONE = 0
    READ_RESPONSE = 1
    WRITE_RESPONSE = 2
    ILLEGAL_OPCODE = 3
    START_WHILE_BUSY = 4


@dataclass(frozen=True, slots=True)
class Register:
    """One 32-bit register at byte ``offset``."""

    name: str
    offset: int
    access: Access
    doc: str


UNIT_COUNTERS = ("busy", "wait_dep", "stall")
"""Performance counters a unit: cycles working, cycles with the queue head waiting for dependencies, cycles working but
held up by a memory or a neighbour."""


def _registers() -> tuple[Register, ...]:
    ro, rw = Access.READ, Access.READ_WRITE
    rows = [
        Register("MAGIC", 0x000, ro, "constant 0x48414F31"),
        Register("ISA_VERSION", 0x004, ro, "version of the instruction set"),
        Register("CONFIG_LO", 0x008, ro, "configuration digest, bits 31:0 of its first 64 bits"),
        Register("CONFIG_HI", 0x00C, ro, "configuration digest, bits 63:32"),
        Register("CONTROL", 0x010, rw, "bit 0: start (self-clearing); bit 1: soft reset (self-clearing)"),
        Register("STATUS", 0x014, ro, "bit 0: busy; bit 1: done since the last start; bit 2: fault"),
        Register("FAULT", 0x018, ro, "first fault since the last start"),
        Register("IRQ_ENABLE", 0x01C, rw, "bit 0: interrupt on done; bit 1: on fault"),
        Register("IRQ_STATUS", 0x020, Access.WRITE_ONE_TO_CLEAR, "bit 0: done; bit 1: fault"),
        Register("PROGRAM_COUNT", 0x024, rw, "instructions of the program"),
        Register("PROGRAM_LO", 0x028, rw, "address of the program, bits 31:0; 64-byte aligned"),
        Register("PROGRAM_HI", 0x02C, rw, "address of the program, bits 39:32"),
    ]
    for index, base in enumerate(("IMAGE", "INPUT", "OUTPUT", "SCRATCH")):
        rows.append(Register(f"{base}_LO", 0x030 + 8 * index, rw, f"DRAM base {index}, bits 31:0; 64-byte aligned"))
        rows.append(Register(f"{base}_HI", 0x034 + 8 * index, rw, f"DRAM base {index}, bits 39:32"))
    rows.append(Register("CYCLES", 0x080, ro, "cycles from start to done"))
    for unit_index, unit in enumerate(("LOAD", "DENSE", "FILL", "DW", "STORE")):
        rows.append(Register(f"{unit}_COUNT", 0x090 + 16 * unit_index, ro, f"{unit} instructions completed"))
        for k, counter in enumerate(UNIT_COUNTERS):
            offset = 0x094 + 16 * unit_index + 4 * k
            rows.append(Register(f"{unit}_{counter.upper()}", offset, ro, f"{unit}: {counter} cycles"))
    rows.append(Register("READ_BEATS", 0x0E0, ro, "AXI read beats since start"))
    rows.append(Register("WRITE_BEATS", 0x0E4, ro, "AXI write beats since start"))
    return tuple(rows)


REGISTERS = _registers()
OFFSETS: dict[str, int] = {register.name: register.offset for register in REGISTERS}
