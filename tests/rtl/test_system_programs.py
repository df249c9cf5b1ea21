"""Random programs on the whole engine against the executor, and what the engine does when something goes wrong."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pytest

from hao.boards import load_board
from hao.compiler.random_program import RandomProgram, random_program
from hao.engine.config import CI_CONFIGS
from hao.engine.isa import INSTRUCTION_BYTES, BaseSelect, LoadTarget, Opcode, Unit
from hao.engine.regs import OFFSETS, Fault
from hao.errors import BusError, EngineFault
from hao.runtime.driver import Driver
from hao.runtime.rtl import RtlEngine, plan_engine
from hao.runtime.simulated import SimulatedBoard
from hao.runtime.timing import DramTiming
from hao.runtime.verilated import build_model

SMALL = "8x8x1"
TIMEOUT = 400_000


@dataclass(frozen=True)
class Image:
    """A random program as the driver wants it."""

    dram: bytes
    program_offset: int
    program_count: int
    config_digest: str
    input_bytes: int
    output_bytes: int
    scratch_bytes: int

    @classmethod
    def of(cls, p: RandomProgram) -> Image:
        sizes = (len(p.input), p.output_bytes, p.scratch_bytes)
        return cls(p.image, p.program_offset, p.program_count, p.config.digest(), *sizes)


def timing(stall: int = 0, seed: int = 1) -> DramTiming:
    return DramTiming.of_board(load_board("ultra96v2"), stall, seed)


def difference(p: RandomProgram, image: Image, engine: RtlEngine) -> tuple[str | None, int]:
    """Run and compare taps and memories: the first difference in words, and the number of bytes compared."""
    taps, output, scratch = p.expected()
    result = engine.run(image, p.input, clear=True)
    compared = 16 * len(taps) + len(output) + len(scratch)
    found = taps.difference(result.taps)
    if found is None and output != result.output[: len(output)]:
        found = "OUTPUT differs"
    if found is None and scratch != result.scratch[: len(scratch)]:
        found = "SCRATCH differs"
    assert result.counters is not None
    for unit in Unit:
        wanted = sum(i.unit is unit for i in p.program)
        assert result.counters.units[unit.name].count == wanted, unit.name
    return found, compared


@pytest.mark.parametrize("name", sorted(CI_CONFIGS))
@pytest.mark.parametrize("stall", [0, 60, 150])
def test_random_programs(name: str, stall: int) -> None:
    config = CI_CONFIGS[name]
    engine = RtlEngine(config, timing(stall, seed=stall + 11), timeout_cycles=TIMEOUT)
    total = 0
    for seed in range(5):
        p = random_program(1000 * (stall + 1) + seed, config, 20)
        found, compared = difference(p, Image.of(p), engine)
        assert found is None, f"seed {seed}: {found}"
        total += compared
    assert total > 20_000


@pytest.mark.nightly
@pytest.mark.parametrize("name", sorted(CI_CONFIGS))
def test_many_random_programs(name: str) -> None:
    config = CI_CONFIGS[name]
    for stall in (0, 30, 100, 200):
        engine = RtlEngine(config, timing(stall, seed=stall + 3), timeout_cycles=10 * TIMEOUT)
        for seed in range(60):
            p = random_program(77_000 + 1000 * stall + seed, config, 40)
            found, compared = difference(p, Image.of(p), engine)
            assert found is None, f"seed {seed}, stall {stall}: {found}"
            assert compared > 0


def test_changed_weights_are_found() -> None:
    """The comparison sees other weights than the executor was given."""
    config = CI_CONFIGS[SMALL]
    p = random_program(3, config, 12, (Opcode.DENSE,))
    changed = bytearray(p.image)
    for load in p.program:
        if load.opcode is Opcode.LOAD and load["target"] == LoadTarget.WEIGHT:
            changed[load["dram_offset"] + 5] ^= 0x55
    engine = RtlEngine(config, timing(), timeout_cycles=TIMEOUT)
    found, compared = difference(p, replace(Image.of(p), dram=bytes(changed)), engine)
    assert compared > 0
    assert found is not None


@pytest.fixture
def small_board() -> Iterator[SimulatedBoard]:
    library = build_model(plan_engine(CI_CONFIGS[SMALL]))
    with SimulatedBoard(library, timing(40, 5), 1 << 24) as board:
        yield board


def run_and_compare(board: SimulatedBoard, p: RandomProgram) -> int:
    driver = Driver(board, TIMEOUT)
    driver.load(Image.of(p))
    _, output, scratch = p.expected()
    assert driver.run(p.input, clear=True)[: len(output)] == output
    assert driver.read(BaseSelect.SCRATCH)[: len(scratch)] == scratch
    return len(output) + len(scratch)


def test_soft_reset_in_mid_frame(small_board: SimulatedBoard) -> None:
    """A frame given up at any moment leaves the bus and the next frame in order."""
    p = random_program(42, CI_CONFIGS[SMALL], 25)
    image = Image.of(p)
    compared, busy = 0, 0
    for cycles in (1, 40, 77, 200, 333, 700, 1500, 3000, 4567):
        driver = Driver(small_board, TIMEOUT)
        driver.load(image)
        small_board.mmio_write(OFFSETS["IRQ_ENABLE"], 3)
        small_board.mmio_write(OFFSETS["CONTROL"], 1)
        small_board.wait_interrupt(cycles)
        busy += small_board.mmio_read(OFFSETS["STATUS"]) & 1
        driver.soft_reset()
        assert small_board.mmio_read(OFFSETS["STATUS"]) == 0
        compared += run_and_compare(small_board, p)
    assert busy >= 6, "the frame was over before the reset"
    assert compared > 0


@pytest.mark.parametrize(
    ("base", "fault"), [("IMAGE", Fault.READ_RESPONSE), ("INPUT", Fault.READ_RESPONSE), ("OUTPUT", Fault.WRITE_RESPONSE)]
)
def test_error_responses(small_board: SimulatedBoard, base: str, fault: Fault) -> None:
    """An access outside the memory stops the engine in order, names the fault, and the next frame is right."""
    drawn = (random_program(seed, CI_CONFIGS[SMALL], 12) for seed in range(50))
    p = next(each for each in drawn if any(i.opcode is Opcode.LDI for i in each.program))
    driver = Driver(small_board, TIMEOUT)
    driver.load(Image.of(p))
    write = small_board.mmio_write
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(small_board, "mmio_write", lambda at, value: write(at, 0xFF if at == OFFSETS[f"{base}_HI"] else value))
        with pytest.raises(BusError, match=fault.name):
            driver.run(p.input)
    assert run_and_compare(small_board, p) > 0


@pytest.mark.parametrize("write", [False, True])
def test_slave_errors(small_board: SimulatedBoard, write: bool) -> None:
    """SLVERR at any beat of a frame, the first and the last included, is named, and the next frame is right."""
    p = random_program(42, CI_CONFIGS[SMALL], 25)
    driver = Driver(small_board, TIMEOUT)
    driver.load(Image.of(p))
    driver.run(p.input)
    beats = driver.counters().write_beats if write else driver.counters().read_beats
    assert beats > 50
    for after in (0, 1, beats // 3, beats // 2, beats - 2, beats - 1):
        small_board.refuse(write, after, 1)
        with pytest.raises(BusError, match=(Fault.WRITE_RESPONSE if write else Fault.READ_RESPONSE).name):
            driver.run(p.input)
        assert small_board.refused > 0
        assert run_and_compare(small_board, p) > 0
    assert small_board.refused == 6


def test_a_host_whose_clock_stops_costs_no_cycle() -> None:
    """However long the host holds back its handshakes: the same results, and every counter as without that."""
    p = random_program(42, CI_CONFIGS[SMALL], 25)
    library = build_model(plan_engine(CI_CONFIGS[SMALL]))
    found = []
    for gate in (0, 7, 3000):
        with SimulatedBoard(library, replace(timing(), refresh=0), 1 << 24) as board:
            board.gate(gate, seed=9)
            run_and_compare(board, p)
            run_and_compare(board, p)  # after a frame, so that the memory is in the same state
            found.append((Driver(board, TIMEOUT).counters(), board.cycles))
    assert found[0][0] == found[1][0] == found[2][0]
    assert found[2][1] > found[1][1] > found[0][1]


def test_illegal_opcode_and_missing_end(small_board: SimulatedBoard) -> None:
    p = random_program(8, CI_CONFIGS[SMALL], 6)
    image = Image.of(p)
    broken = bytearray(image.dram)
    broken[image.program_offset + 3 * INSTRUCTION_BYTES] = 0x5A
    for bad in (replace(image, dram=bytes(broken)), replace(image, program_count=image.program_count - 1)):
        driver = Driver(small_board, TIMEOUT)
        driver.load(bad)
        with pytest.raises(EngineFault, match="ILLEGAL_OPCODE"):
            driver.run(p.input)
    assert run_and_compare(small_board, p) > 0


def test_start_while_busy_is_reported_and_harmless(small_board: SimulatedBoard) -> None:
    p = random_program(21, CI_CONFIGS[SMALL], 15)
    _, output, _ = p.expected()
    driver = Driver(small_board, TIMEOUT)
    driver.load(Image.of(p))
    frame = np.frombuffer(p.input, np.uint8)
    small_board.mmio_write(OFFSETS["IRQ_ENABLE"], 1)
    for name, buffer in driver._buffers.items():
        if name != "IMAGE":
            buffer.array[:] = 0
        if name == "INPUT":
            buffer.array[: len(frame)] = frame
        buffer.flush()
    small_board.mmio_write(OFFSETS["CONTROL"], 1)
    small_board.mmio_write(OFFSETS["CONTROL"], 1)
    assert small_board.mmio_read(OFFSETS["FAULT"]) == Fault.START_WHILE_BUSY
    assert small_board.wait_interrupt(TIMEOUT)
    assert small_board.mmio_read(OFFSETS["STATUS"]) == 0b110
    assert driver.read(BaseSelect.OUTPUT)[: len(output)] == output
    assert run_and_compare(small_board, p) > 0
