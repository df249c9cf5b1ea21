"""Instructions as values: range-checked encoding to 64 bytes and decoding back, driven by the field table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from hao.engine.isa import INSTRUCTION_BYTES, UNIT_OF, Field, Opcode, Unit, fields_of
from hao.errors import CompileError, ImageFormatError

DEPENDENCY_FIELDS: dict[Unit, str] = {
    Unit.LOAD: "dep_load",
    Unit.DENSE: "dep_dense",
    Unit.FILL: "dep_fill",
    Unit.DW: "dep_dw",
    Unit.STORE: "dep_store",
}
"""Header field that counts the completed instructions of each unit."""

_FIELDS: dict[Opcode, dict[str, Field]] = {
    opcode: {item.name: item for item in fields_of(opcode) if item.name != "opcode"} for opcode in Opcode
}
_USED: dict[Opcode, int] = {
    opcode: sum(((1 << item.width) - 1) << item.lsb for item in fields_of(opcode)) for opcode in Opcode
}


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction: its opcode and the value of every field of that opcode (absent fields are 0).

    Raises:
        CompileError: a field does not exist in the opcode, or its value does not fit.
    """

    opcode: Opcode
    values: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        table = _FIELDS[self.opcode]
        full = dict.fromkeys(table, 0)
        for name, value in self.values.items():
            item = table.get(name)
            if item is None:
                raise CompileError(
                    f"{self.opcode.name} has no field `{name}`", f"its fields are {', '.join(table)}"
                )
            number = int(value)
            if not item.minimum <= number <= item.maximum:
                raise CompileError(
                    f"field `{name}` of {self.opcode.name} is {number}, outside {item.minimum}..{item.maximum}",
                    f"the field is {item.width} bits: {item.doc}",
                )
            full[name] = number
        object.__setattr__(self, "values", MappingProxyType(full))

    def __getitem__(self, name: str) -> int:
        return self.values[name]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Instruction):
            return NotImplemented
        return self.opcode == other.opcode and dict(self.values) == dict(other.values)

    def __hash__(self) -> int:
        return hash((self.opcode, tuple(self.values.values())))

    @property
    def unit(self) -> Unit | None:
        """The unit that runs the instruction; None for END."""
        return UNIT_OF.get(self.opcode)

    @property
    def dependencies(self) -> dict[Unit, int]:
        """Completed instructions (modulo 2^16) that each unit must have."""
        return {unit: self.values[name] for unit, name in DEPENDENCY_FIELDS.items()}

    def replace(self, **values: int) -> Instruction:
        """A copy with some fields changed."""
        return Instruction(self.opcode, {**self.values, **values})

    def encode(self) -> bytes:
        """The 64 bytes of the instruction, little endian."""
        table = _FIELDS[self.opcode]
        bits = int(self.opcode)
        for name, value in self.values.items():
            item = table[name]
            bits |= (value & ((1 << item.width) - 1)) << item.lsb
        return bits.to_bytes(INSTRUCTION_BYTES, "little")

    def __str__(self) -> str:
        shown = ", ".join(f"{name}={value}" for name, value in self.values.items() if value)
        return f"{self.opcode.name}({shown})"


def encode(opcode: Opcode, **fields: int) -> bytes:
    """Encode one instruction; absent fields are 0.

    Returns:
        64 bytes.

    Raises:
        CompileError: a field does not exist in the opcode, or its value does not fit.
    """
    return Instruction(opcode, fields).encode()


def decode(data: bytes | bytearray | memoryview) -> Instruction:
    """Decode 64 bytes.

    Raises:
        ImageFormatError: another length, an opcode that does not exist, or bits set that belong to no field.
    """
    if len(data) != INSTRUCTION_BYTES:
        raise ImageFormatError(f"an instruction has {INSTRUCTION_BYTES} bytes, not {len(data)}", "compile the network again")
    bits = int.from_bytes(data, "little")
    try:
        opcode = Opcode(bits & 0xFF)
    except ValueError:
        raise ImageFormatError(f"no instruction has opcode {bits & 0xFF}", "compile the network again") from None
    if bits & ~_USED[opcode]:
        raise ImageFormatError(f"{opcode.name} has bits set that belong to no field", "compile the network again")
    values: dict[str, int] = {}
    for name, item in _FIELDS[opcode].items():
        value = (bits >> item.lsb) & ((1 << item.width) - 1)
        values[name] = value - (1 << item.width) if item.signed and value > item.maximum else value
    return Instruction(opcode, values)


def encode_program(program: Iterable[Instruction]) -> bytes:
    """The program's bytes, 64 an instruction."""
    return b"".join(instruction.encode() for instruction in program)


def decode_program(data: bytes | bytearray | memoryview) -> tuple[Instruction, ...]:
    """Decode a whole program.

    Raises:
        ImageFormatError: as :func:`decode`.
    """
    view = memoryview(data)
    return tuple(decode(view[at : at + INSTRUCTION_BYTES]) for at in range(0, len(view), INSTRUCTION_BYTES))


def sequenced(program: Sequence[Instruction]) -> Iterator[tuple[Instruction, int]]:
    """Every instruction with its sequence number within its unit (END: 0)."""
    counts = dict.fromkeys(Unit, 0)
    for instruction in program:
        unit = instruction.unit
        if unit is None:
            yield instruction, 0
            continue
        yield instruction, counts[unit]
        counts[unit] += 1
