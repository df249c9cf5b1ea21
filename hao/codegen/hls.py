"""The engine as Vitis HLS C++, generated for one configuration; a second implementation beside the RTL.

What is shared with the rest of the project are constants alone: the instruction table and the parameters. The result is a
mapping of file names to text, written or compiled by whoever asks.
"""

from __future__ import annotations

from dataclasses import dataclass

from hao.codegen.environment import render
from hao.engine import isa, regs
from hao.engine.config import EngineConfig

CHUNK = 32
"""Pixel groups that share a weight tile; see ``hao_config.h``."""

KERNEL = "hao_kernel.cpp"
"""The only translation unit."""

FILES = (
    "hao_config.h", "hao_types.h", "hao_isa.h", "hao_hooks.h", "hao_stream.h", "hao_memory.h", "hao_raster.h", "hao_window.h",
    "hao_requant.h", "hao_load.h", "hao_gather.h", "hao_dense_read.h", "hao_dense_core.h", "hao_dense.h", "hao_fill.h", "hao_dw_read.h",
    "hao_dw.h", "hao_add.h", "hao_store.h", "hao_kernel.h", "hao_debug.h", KERNEL,
)  # fmt: skip
"""What is generated; each has a template of its name and ``.j2``."""

MEMORIES = ("FEATURE", "WINDOW", "WEIGHT", "PARAM", "LIST", "DISPLACEMENT")
"""Memories that C simulation can show, in the order of their numbers."""

_HALF_BITS = 16


@dataclass(frozen=True, slots=True)
class DecodedField:
    """A field of an instruction in C++: its name, type and the expression that takes it from the half-words."""

    name: str
    type: str
    expression: str
    doc: str


@dataclass(frozen=True, slots=True)
class Decoder:
    """The C++ struct of an opcode and the function that fills it."""

    struct: str
    function: str
    fields: tuple[DecodedField, ...]

    def declaration(self, field: DecodedField) -> str:
        """The member's declaration, padded so that the comments behind the members line up."""
        width = max(len(each.type) + len(each.name) for each in self.fields) + 2
        return f"{field.type} {field.name};".ljust(width)


def decoded(field: isa.Field) -> DecodedField:
    """How C++ decodes ``field`` from ``raw.half``, an array of 16-bit half-words."""
    half, bit = divmod(field.lsb, _HALF_BITS)
    source = f"raw.half[{half}]"
    if bit + field.width > _HALF_BITS:
        source = f"join(raw.half[{half + 1}], raw.half[{half}])"
    whole = bit == 0 and field.width in (_HALF_BITS, 2 * _HALF_BITS)
    expression = source if whole else f"bits<{bit}, {field.width}>({source})"
    if field.signed:
        return DecodedField(field.name, f"int_t<{field.width}>", f"int_t<{field.width}>({expression})", field.doc)
    return DecodedField(field.name, f"uint_t<{field.width}>", expression, field.doc)


def decoders() -> tuple[Decoder, ...]:
    """One decoder for each opcode that has fields of its own, in the order of the opcodes."""
    made = []
    for opcode, fields in isa.FIELDS.items():
        if fields:
            name = opcode.name
            made.append(Decoder(f"{name.capitalize()}Fields", f"decode_{name.lower()}", tuple(map(decoded, fields))))
    return tuple(made)


def kernel_values(config: EngineConfig) -> dict[str, object]:
    """What the templates may name."""
    return {
        "config": config,
        "isa": isa,
        "regs": regs,
        "chunk": CHUNK,
        "opcode": decoded(next(field for field in isa.HEADER if field.name == "opcode")),
        "decoders": decoders(),
        "enumerations": (isa.Opcode, isa.Unit, isa.LoadTarget, isa.Destination, isa.DwMode),
        "memory_names": MEMORIES,
    }


def render_kernel(config: EngineConfig) -> dict[str, str]:
    """The kernel's C++ for ``config``, by file name.

    Raises:
        MissingTool: the installation carries no templates.
    """
    values = kernel_values(config)
    return {name: render(f"{name}.j2", values) for name in FILES}
