"""What the C simulation refuses, and how it says so."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import pytest

from hao.engine.config import CI_CONFIGS
from hao.engine.encode import Instruction, encode_program
from hao.engine.isa import BaseSelect, LoadTarget, Opcode
from hao.errors import BuildError, ConfigurationMismatch, DataError, ImageFormatError, SimulationError
from hao.runtime.csim import CsimEngine
from hao.runtime.csim_build import Arithmetic
from tests.hls.support import seeded

CONFIG = CI_CONFIGS["8x8x1"]


@dataclass(frozen=True, slots=True)
class Program:
    """A program image as the driver sees it."""

    dram: bytes
    program_count: int
    config_digest: str = CONFIG.digest()
    program_offset: int = 0
    input_bytes: int = 64
    output_bytes: int = 64
    scratch_bytes: int = 0


def program(*body: Instruction) -> Program:
    return Program(encode_program(body), len(body))


def instruction(opcode: Opcode, **fields: int) -> Instruction:
    return Instruction(opcode, fields)


STORE = instruction(Opcode.STORE, base_sel=BaseSelect.OUTPUT, src_addr=5, length=4)
END = instruction(Opcode.END)


@pytest.fixture(scope="module")
def engine() -> CsimEngine:
    return CsimEngine(CONFIG, Arithmetic.NATIVE)


def test_a_frame_passes_through(engine: CsimEngine) -> None:
    frame = bytes(range(64))
    fetch = instruction(Opcode.LOAD, target=LoadTarget.FEATURE, base_sel=BaseSelect.INPUT, dst_addr=5, length=4)
    result = engine.run(program(fetch, STORE, END), frame)
    assert result.output == frame
    assert len(result.taps) == 0 and result.cycles is None and result.seconds > 0


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ((instruction(Opcode.STORE, base_sel=2, src_addr=2045, length=4), END), "feature memory (read): address outside the memory (2048)"),
        ((instruction(Opcode.LOAD, target=3, dst_addr=2048, length=1), END), "feature memory (write): address outside the memory (2048)"),
        ((instruction(Opcode.LOAD, dram_offset=1 << 24, length=1), END), "DRAM: address outside the memory"),
        ((instruction(Opcode.FILL, out_w=3, y0=0, y1=1, win_base=128, win_rows=1, win_pitch=1), END), "window (write): address outside"),
        (
            (instruction(Opcode.DW, in_w=1, in_h=1, out_w=1, y1=1, stride=1, tap_mask=16, dilation=9, win_rows=1, win_pitch=1), END),
            "DW: displacement beyond the window's reach (9)",
        ),
        (
            (instruction(Opcode.LDI, base_sel=1, row_bytes=528, y1=1, out_w=1, kernel=1, stride=1, channels=1, in_w=1, in_h=1), END),
            "LDI: image row longer than the engine's (528)",
        ),
    ],
)
def test_broken_rules_are_named(engine: CsimEngine, body: tuple[Instruction, ...], message: str) -> None:
    with pytest.raises(SimulationError, match=re.escape(message)):
        engine.run(program(*body), bytes(64))


def test_a_fault_does_not_outlive_its_run(engine: CsimEngine) -> None:
    with pytest.raises(SimulationError):
        engine.run(program(instruction(Opcode.LOAD, target=3, dst_addr=4000, length=1), END), bytes(64))
    assert engine.run(program(STORE, END), b"").output == bytes(64)


def test_writing_beside_the_output(engine: CsimEngine) -> None:
    fetch = instruction(Opcode.LOAD, target=LoadTarget.FEATURE, dst_addr=5, length=5)
    with pytest.raises(SimulationError, match=re.escape("wrote beside its output, at OUTPUT +64")):
        engine.run(program(fetch, STORE.replace(length=5), END), b"")


def test_illegal_opcode(engine: CsimEngine) -> None:
    broken = bytearray(encode_program((STORE, END)))
    broken[0] = 99
    with pytest.raises(SimulationError, match="reports fault ILLEGAL_OPCODE"):
        engine.run(Program(bytes(broken), 2), b"")


def test_other_configuration(engine: CsimEngine) -> None:
    digest = CI_CONFIGS["16x16x2"].digest()
    with pytest.raises(ConfigurationMismatch, match=f"for configuration {digest[:16]}, this engine is {CONFIG.digest()[:16]}"):
        engine.run(replace(program(END), config_digest=digest), b"")


def test_frame_too_long(engine: CsimEngine) -> None:
    with pytest.raises(DataError, match="a frame of 65 bytes does not fit the 64"):
        engine.run(program(END), bytes(65))


@pytest.mark.parametrize("changes", [{"program_offset": 64}, {"program_count": 3}, {"program_count": 0}, {"program_offset": 8}])
def test_program_outside_the_image(engine: CsimEngine, changes: dict[str, int]) -> None:
    with pytest.raises(ImageFormatError, match="the program does not lie inside the program image"):
        engine.run(replace(program(STORE, END), **changes), b"")


def test_memories_must_be_asked_for(engine: CsimEngine) -> None:
    engine.run(program(END), b"")
    with pytest.raises(SimulationError, match="the memory FEATURE was not kept"):
        engine.memory("FEATURE")


def test_taps_may_be_left_out(engine: CsimEngine) -> None:
    add = instruction(Opcode.ADD, out_w=2, y1=1, hi=255, a_base=0, b_base=0)
    assert len(engine.run(program(add, END), b"").taps) == 2
    assert len(engine.run(program(add, END), b"", taps=False).taps) == 0


def test_refused_source_names_its_first_error(tmp_path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(BuildError, match=r"the compiler refused the HLS kernel: hao_add\.h:\d+:\d+: error"):
        seeded(CONFIG, tmp_path / "broken", "hao_add.h", "Word a;", "Wort a;")
