"""Encoding and decoding of instructions against the field table."""

from __future__ import annotations

import numpy as np
import pytest

from hao.engine.encode import Instruction, decode, decode_program, encode, encode_program
from hao.engine.isa import Opcode, fields_of
from hao.engine.pack import pack_requant, pack_tiles
from hao.errors import CompileError, ImageFormatError


@pytest.mark.parametrize("opcode", list(Opcode))
def test_random_fields_survive_encoding(opcode: Opcode) -> None:
    rng = np.random.default_rng(int(opcode))
    fields = [f for f in fields_of(opcode) if f.name != "opcode"]
    for _ in range(50):
        values = {f.name: int(rng.choice([f.minimum, f.maximum, rng.integers(f.minimum, f.maximum + 1)])) for f in fields}
        instruction = Instruction(opcode, values)
        data = instruction.encode()
        assert len(data) == 64
        assert decode(data) == instruction
        for f in fields:
            raw = int.from_bytes(data, "little") >> f.lsb & ((1 << f.width) - 1)
            assert raw == values[f.name] & ((1 << f.width) - 1)


def test_values_outside_a_field_are_named() -> None:
    with pytest.raises(CompileError, match=r"`pad` of DENSE is 16, outside 0\.\.15"):
        encode(Opcode.DENSE, pad=16)
    with pytest.raises(CompileError, match="`lo` of DW is -32769"):
        encode(Opcode.DW, lo=-32769)
    with pytest.raises(CompileError, match="FILL has no field `kernel`"):
        encode(Opcode.FILL, kernel=3)


def test_bad_bytes_are_refused() -> None:
    good = encode(Opcode.FILL, out_w=7)
    with pytest.raises(ImageFormatError, match="opcode 99"):
        decode(b"\x63" + good[1:])
    with pytest.raises(ImageFormatError, match="64 bytes, not 63"):
        decode(good[:-1])
    with pytest.raises(ImageFormatError, match="belong to no field"):
        decode(good[:-1] + b"\x80")


def test_a_program_survives_encoding() -> None:
    program = (Instruction(Opcode.LOAD, {"length": 3}), Instruction(Opcode.END))
    assert decode_program(encode_program(program)) == program


def test_packed_layouts() -> None:
    words = np.frombuffer(pack_requant(np.full(16, -2), np.full(16, 0x1FFFF), np.full(16, 44)), "<u8")
    assert words.tolist() == [0xFFFFFFFE | 0x1FFFF << 32 | 7 << 49] * 16
    tile = np.arange(256).reshape(16, 16) % 15 - 7
    eight = np.frombuffer(pack_tiles(tile, 8), np.int8).reshape(16, 16)
    assert np.array_equal(eight, tile)
    four = np.frombuffer(pack_tiles(tile, 4), np.uint8).reshape(8, 16)
    for j, o, lane in ((0, 0, 0), (0, 1, 3), (7, 14, 15), (5, 11, 8)):
        nibble = four[j, 8 * (o % 2) + lane // 2] >> 4 * (lane % 2) & 15
        assert (int(nibble) ^ 8) - 8 == tile[o, lane]
