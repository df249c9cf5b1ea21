"""The SystemVerilog package generated from the instruction table, and the list of RTL files."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from hao.codegen.environment import render
from hao.engine import isa, regs
from hao.engine.config import EngineConfig
from hao.errors import MissingTool
from hao.resources import shared

PACKAGE_FILE = "hao_pkg.sv"
TOP = "hao_engine"
FM_READ_LATENCY = 3
"""Cycles from the grant of a feature-memory read to its answer."""
WINDOW_READ_LATENCY = 4
"""Cycles from a window read to its answer."""


@dataclass(frozen=True, slots=True)
class Member:
    """One member of a packed struct: bits ``msb`` to ``lsb`` of the instruction; ``doc`` is empty for a gap."""

    name: str
    msb: int
    lsb: int
    signed: bool
    doc: str

    @property
    def declaration(self) -> str:
        """The SystemVerilog declaration without its semicolon, padded so that the names line up."""
        width = self.msb - self.lsb + 1
        bounds = f"[{width - 1}:0]" if width > 1 else ""
        return f"logic {'signed ' if self.signed else ''}{bounds}".ljust(21) + f" {self.name}"


def struct_members(opcode: isa.Opcode) -> tuple[Member, ...]:
    """All 512 bits of ``opcode`` from the most significant one down; gaps are named ``reserved_<lsb>``."""
    members: list[Member] = []
    above = isa.INSTRUCTION_BYTES * 8
    for field in sorted(isa.fields_of(opcode), key=lambda each: each.lsb, reverse=True):
        end = field.lsb + field.width
        if end < above:
            members.append(Member(f"reserved_{end}", above - 1, end, False, ""))
        members.append(Member(field.name, end - 1, field.lsb, field.signed, field.doc))
        above = field.lsb
    if above:
        members.append(Member("reserved_0", above - 1, 0, False, ""))
    return tuple(members)


def render_package() -> str:
    """The text of ``hao_pkg.sv``: opcodes, one packed struct per opcode, register offsets and constants.

    It depends on the instruction set and the register map alone; what differs between engines are the parameters of
    the top (`parameter_values`).
    """
    values = {
        "isa": isa,
        "regs": regs,
        "fm_read_latency": FM_READ_LATENCY,
        "window_read_latency": WINDOW_READ_LATENCY,
        "structs": {opcode: struct_members(opcode) for opcode in isa.Opcode},
        "header": struct_members(isa.Opcode.END),
    }
    return render("hao_pkg.sv.j2", values)


def write_text(path: Path, text: str) -> Path:
    """Write ``text`` to ``path`` in one step, leaving the file and its time alone when it holds that text already."""
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    return temporary.replace(path)


def write_package(folder: Path) -> Path:
    """Write ``hao_pkg.sv`` into ``folder`` and return its path."""
    return write_text(folder / PACKAGE_FILE, render_package())


def rtl_sources() -> list[Path]:
    """Every hand-written RTL file, sorted; they may be compiled in any order after the package (`write_package`).

    Raises:
        MissingTool: the installation carries no RTL.
    """
    found = sorted((shared("accel") / "rtl").glob("*.sv"))
    if not any(path.stem == TOP for path in found):
        raise MissingTool(f"the RTL folder lacks {TOP}.sv", "reinstall it: pip install --force-reinstall hao")
    return found


def parameter_values(config: EngineConfig) -> dict[str, str]:
    """Parameters of ``hao_engine`` for ``config`` as SystemVerilog literals, the configuration digest included."""
    values = {name: str(value) for name, value in config.parameters().items()}
    values["ConfigDigest"] = f"64'h{config.digest64():016x}"
    return values
