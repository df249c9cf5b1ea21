"""The instruction set: one table from which every encoder, decoder and document is made.

An instruction is 64 bytes, 32 little-endian half-words. Half-words 0-6 are the header shared by all opcodes, the rest
belongs to the opcode. The meaning of every field is written in ``docs/isa.md``; this table fixes names, places, widths
and signedness for Python, C++, SystemVerilog and the documentation.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

ISA_VERSION = 1
INSTRUCTION_BYTES = 64
LANES = 16
WORD_BYTES = 16
WINDOW_BANKS = 11
TAPS = 9
TILE_WORDS = {4: 8, 8: 16}
"""Weight-buffer words of one 16 x 16 weight tile, by weight width in bits."""
REQUANT_WORDS = 8
"""Parameter-buffer words of bias, multiplier and shift for 16 channels."""
DW_PARAM_WORDS = REQUANT_WORDS + TAPS
LIST_ENTRIES_PER_WORD = 8
SHIFTS = (16, 20, 24, 28, 32, 36, 40, 44)
"""Right shifts of the requantization; the encoded value is the index."""


class Unit(IntEnum):
    """Execution queues. Each runs its own instructions in program order."""

    LOAD = 0
    DENSE = 1
    FILL = 2
    DW = 3
    STORE = 4


class Opcode(IntEnum):
    """Operations of the engine."""

    LOAD = 1
    LDI = 2
    DENSE = 3
    FILL = 4
    DW = 5
    ADD = 6
    STORE = 7
    END = 8


UNIT_OF: dict[Opcode, Unit] = {
    Opcode.LOAD: Unit.LOAD,
    Opcode.LDI: Unit.LOAD,
    Opcode.DENSE: Unit.DENSE,
    Opcode.FILL: Unit.FILL,
    Opcode.DW: Unit.DW,
    Opcode.ADD: Unit.DW,
    Opcode.STORE: Unit.STORE,
}


class LoadTarget(IntEnum):
    """On-chip memory that LOAD writes."""

    WEIGHT = 0
    PARAM = 1
    LIST = 2
    FEATURE = 3


class Destination(IntEnum):
    """Where DENSE writes."""

    FEATURE = 0
    WINDOW = 1
    DISPLACEMENT = 2


class DwMode(IntEnum):
    """Reduction of the DW instruction."""

    MAC = 0
    MAX = 1
    SUM = 2


class BaseSelect(IntEnum):
    """DRAM base registers that offsets are relative to."""

    IMAGE = 0
    INPUT = 1
    OUTPUT = 2
    SCRATCH = 3


@dataclass(frozen=True, slots=True)
class Field:
    """One bit field of an instruction.

    ``lsb`` is the offset of the least significant bit in the 512-bit little-endian instruction; ``width`` is in bits.
    """

    name: str
    lsb: int
    width: int
    signed: bool
    doc: str

    @property
    def minimum(self) -> int:
        """Smallest encodable value."""
        return -(1 << (self.width - 1)) if self.signed else 0

    @property
    def maximum(self) -> int:
        """Largest encodable value."""
        return (1 << (self.width - 1)) - 1 if self.signed else (1 << self.width) - 1


def _f(name: str, half: int, width: int, doc: str, *, bit: int = 0, signed: bool = False) -> Field:
    return Field(name, half * 16 + bit, width, signed, doc)


HEADER: tuple[Field, ...] = (
    _f("opcode", 0, 8, "operation"),
    _f("dep_load", 2, 16, "LOAD instructions that must have completed, modulo 2^16"),
    _f("dep_dense", 3, 16, "DENSE instructions that must have completed, modulo 2^16"),
    _f("dep_fill", 4, 16, "FILL instructions that must have completed, modulo 2^16"),
    _f("dep_dw", 5, 16, "DW and ADD instructions that must have completed, modulo 2^16"),
    _f("dep_store", 6, 16, "STORE instructions that must have completed, modulo 2^16"),
)

_SCATTER: tuple[Field, ...] = (
    _f("dst_base0", 20, 16, "destination plane 0, virtual word address of output pixel 0"),
    _f("dst_base1", 21, 16, "destination plane 1"),
    _f("dst_base2", 22, 16, "destination plane 2"),
    _f("dst_base3", 23, 16, "destination plane 3"),
    _f("lane_sel", 24, 32, "two bits a lane: which destination plane takes the lane"),
    _f("lane_mask", 26, 16, "one bit a lane: whether the lane is written"),
)

_WINDOW: tuple[Field, ...] = (
    _f("win_base", 27, 16, "first address of the slice in every window bank"),
    _f("win_rows", 28, 8, "rows of the ring"),
    _f("win_pitch", 28, 8, "addresses a row, ceil(width / 11)", bit=8),
    _f("win_slot0", 29, 8, "ring slot of the first row, row mod win_rows"),
    _f("win_bank0", 29, 8, "(3 * first row) mod 11", bit=8),
)

_GEOMETRY: tuple[Field, ...] = (
    _f("in_w", 7, 16, "input width, pixels"),
    _f("in_h", 8, 16, "input height, pixels"),
    _f("out_w", 9, 16, "output width, pixels"),
)

_ROWS: tuple[Field, ...] = (
    _f("y0", 13, 16, "first output row"),
    _f("y1", 14, 16, "one past the last output row"),
)

_DRAM: tuple[Field, ...] = (
    _f("base_sel", 7, 4, "DRAM base register", bit=4),
    _f("dram_offset", 8, 32, "byte offset from the base, a multiple of 16"),
)

_BOUNDS: tuple[Field, ...] = (
    _f("p_addr", 16, 16, "parameter-buffer word of the block's parameters"),
    _f("lo", 17, 16, "lower saturation bound", signed=True),
    _f("hi", 18, 16, "upper saturation bound", signed=True),
)

FIELDS: dict[Opcode, tuple[Field, ...]] = {
    Opcode.LOAD: (
        _f("target", 7, 4, "memory written: weight, parameter, list or feature"),
        *_DRAM,
        _f("dst_addr", 10, 16, "first word written in the target"),
        _f("length", 11, 16, "words of 16 bytes"),
    ),
    Opcode.LDI: (
        *_DRAM,
        _f("row_bytes", 10, 16, "bytes a row of the image in DRAM, a multiple of 16; a pixel is 4 bytes"),
        _f("in_w", 11, 16, "image width, pixels"),
        _f("in_h", 12, 16, "image height, pixels"),
        _f("y0", 13, 16, "first output row"),
        _f("y1", 14, 16, "one past the last output row"),
        _f("out_w", 15, 16, "output width, pixels"),
        _f("kernel", 16, 4, "kernel, 1 or 3"),
        _f("stride", 16, 4, "stride, 1 to 4", bit=4),
        _f("pad", 16, 4, "padding, 0 or 1", bit=8),
        _f("channels", 16, 4, "image channels, 1 to 3", bit=12),
        _f("fill0", 17, 8, "byte read outside the image, channel 0"),
        _f("fill1", 17, 8, "byte read outside the image, channel 1", bit=8),
        _f("fill2", 18, 8, "byte read outside the image, channel 2"),
        _f("dst_base0", 20, 16, "plane of lanes 0-15, virtual word address of output pixel 0"),
        _f("dst_base1", 21, 16, "plane of lanes 16-31, written when kernel^2 * channels > 16"),
    ),
    Opcode.DENSE: (
        *_GEOMETRY,
        _f("kernel", 10, 4, "kernel, 1 to 15"),
        _f("stride", 10, 4, "stride, 1 to 4", bit=4),
        _f("pad", 10, 4, "padding, 0 to 7", bit=8),
        _f("x_signed", 10, 1, "inputs are s8 (else u8)", bit=12),
        _f("w8", 10, 1, "weights are 8 bits (else 4)", bit=13),
        _f("n_in", 11, 16, "input planes"),
        _f("list_addr", 12, 16, "list-memory entry of the first input plane"),
        *_ROWS,
        _f("w_addr", 15, 16, "weight-buffer word of the first tile"),
        *_BOUNDS,
        _f("dst", 19, 2, "destination: feature, window or displacement"),
        *_SCATTER,
        *_WINDOW,
    ),
    Opcode.FILL: (
        _f("out_w", 9, 16, "width of the slice, pixels"),
        _f("up", 10, 1, "nearest 2x up-sampling on the way"),
        *_ROWS,
        _f("src_base", 15, 16, "source plane, virtual word address of source pixel 0"),
        *_WINDOW,
    ),
    Opcode.DW: (
        *_GEOMETRY,
        _f("mode", 10, 2, "MAC, MAX or SUM"),
        _f("x_signed", 10, 1, "inputs are s8 (else u8)", bit=2),
        _f("deform", 10, 1, "displacement from the map (else `dilation`)", bit=3),
        _f("stride", 10, 4, "stride, 1 or 2", bit=4),
        _f("offset", 10, 1, "centre of output (0, 0) is input (offset, offset)", bit=8),
        _f("tap_mask", 11, 9, "taps used, bit 3 * i + j"),
        _f("dilation", 12, 8, "displacement where `deform` is 0, 1 to 8", signed=True),
        *_ROWS,
        _f("disp_base", 15, 16, "displacement map, virtual entry of output pixel 0"),
        *_BOUNDS,
        *_SCATTER,
        *_WINDOW,
    ),
    Opcode.ADD: (
        _f("m1", 7, 17, "multiplier of operand a"),
        _f("m2", 9, 17, "multiplier of operand b"),
        _f("shift", 11, 3, "index into the shifts"),
        _f("a_signed", 11, 1, "operand a is s8 (else u8)", bit=4),
        _f("b_signed", 11, 1, "operand b is s8 (else u8)", bit=5),
        _f("out_w", 12, 16, "width, pixels"),
        *_ROWS,
        _f("a_base", 15, 16, "plane of operand a, virtual word address of pixel 0"),
        _f("b_base", 16, 16, "plane of operand b"),
        _f("lo", 17, 16, "lower saturation bound", signed=True),
        _f("hi", 18, 16, "upper saturation bound", signed=True),
        *_SCATTER,
    ),
    Opcode.STORE: (
        *_DRAM,
        _f("src_addr", 10, 16, "first feature-memory word read"),
        _f("length", 11, 16, "words of 16 bytes"),
    ),
    Opcode.END: (),
}


def fields_of(opcode: Opcode) -> tuple[Field, ...]:
    """All fields of ``opcode``, header first."""
    return HEADER + FIELDS[opcode]


def _check_layout() -> None:
    for opcode in Opcode:
        used = 0
        for field in fields_of(opcode):
            mask = ((1 << field.width) - 1) << field.lsb
            if used & mask or field.lsb + field.width > INSTRUCTION_BYTES * 8:
                raise AssertionError(f"field {field.name} of {opcode.name} overlaps another or leaves the instruction")
            used |= mask


_check_layout()
