"""The generated package: every bit of every instruction in its place, every register and constant."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest
from jinja2 import UndefinedError

from hao.codegen import parameter_values, render, render_package, write_package
from hao.codegen.rtl import struct_members
from hao.engine import isa, regs
from hao.engine.config import ULTRA96


@pytest.mark.parametrize("opcode", list(isa.Opcode))
def test_structs_hold_every_field_at_its_place(opcode: isa.Opcode) -> None:
    members = struct_members(opcode)
    assert members[0].msb == 8 * isa.INSTRUCTION_BYTES - 1
    assert members[-1].lsb == 0
    for above, below in pairwise(members):
        assert above.lsb == below.msb + 1, f"a gap between {above.name} and {below.name}"
    places = {member.name: (member.lsb, member.msb - member.lsb + 1, member.signed) for member in members if member.doc}
    assert places == {field.name: (field.lsb, field.width, field.signed) for field in isa.fields_of(opcode)}


def test_text_declares_the_structs_bit_by_bit() -> None:
    """The widths written in the text add up, member by member, to the places of the table."""
    text = render_package()
    structs = re.findall(r"typedef struct packed \{\n(.*?)\n  \} (\w+);", text, re.DOTALL)
    names = {f"{opcode.name.lower()}_instr_t": opcode for opcode in isa.Opcode if opcode is not isa.Opcode.END}
    assert {name for _, name in structs} == {*names, "header_t"}
    for body, name in structs:
        place = 8 * isa.INSTRUCTION_BYTES
        found = {}
        for signed, msb, member in re.findall(r"logic (signed )?(?:\[(\d+):0\])? +(\w+);", body):
            width = int(msb or 0) + 1
            place -= width
            found[member] = (place, width, bool(signed))
        assert place == 0, name
        for field in isa.fields_of(names.get(name, isa.Opcode.END)):
            assert found[field.name] == (field.lsb, field.width, field.signed), f"{name}.{field.name}"


def test_registers_and_enumerations_are_complete() -> None:
    text = render_package()
    offsets = {int(value, 16) for value in re.findall(r"localparam logic \[11:0\] Reg\w+ = 12'h(\w+);", text)}
    assert offsets == {register.offset for register in regs.REGISTERS}
    for members, prefix in ((isa.Opcode, "Op"), (isa.Unit, "Unit"), (regs.Fault, "Fault"), (isa.DwMode, "Dw"), (isa.LoadTarget, "Target")):
        for member in members:
            camel = "".join(part.capitalize() for part in member.name.split("_"))
            assert re.search(rf"\b{prefix}{camel} = \d+'d{member.value}\b", text), member
    assert f"Magic         = 32'h{regs.MAGIC:08X}" in text


def test_a_missing_value_is_an_error() -> None:
    with pytest.raises(UndefinedError):
        render("hao_pkg.sv.j2", {"isa": isa})


def test_the_file_is_left_alone_when_nothing_changed(tmp_path: Path) -> None:
    path = write_package(tmp_path)
    before = path.stat().st_mtime_ns
    assert write_package(tmp_path).stat().st_mtime_ns == before
    path.write_text("something else", encoding="utf-8")
    assert write_package(tmp_path).read_text(encoding="utf-8") == render_package()
    assert list(tmp_path.iterdir()) == [path]


def test_parameters_carry_the_digest() -> None:
    values = parameter_values(ULTRA96)
    assert values["ConfigDigest"] == f"64'h{ULTRA96.digest()[:16]}"
    assert values["PI"] == "16"
    assert len(values) == len(ULTRA96.parameters()) + 1
