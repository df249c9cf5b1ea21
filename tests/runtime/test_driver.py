"""The driver against the copy engine: the same class that will drive silicon, every refusal with its reason."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from hao.boards import load_board
from hao.engine.regs import OFFSETS
from hao.errors import BusError, ConfigurationMismatch, DataError, EngineTimeout, ImageFormatError, SimulationError
from hao.runtime.driver import Driver
from hao.runtime.simulated import SimulatedBoard
from hao.runtime.timing import DramTiming
from tests.sim.conftest import CONFIG, HANG, READ, copy_engine

__all__ = ["copy_engine"]
TIMING = DramTiming.of_board(load_board("ultra96v2"))
WORDS = 96


@dataclass(frozen=True)
class Image:
    """A program image for the copy engine, whose program count is the words that it copies."""

    dram: bytes = bytes(range(256)) * 32
    program_offset: int = 128
    program_count: int = WORDS
    config_digest: str = CONFIG.digest()
    input_bytes: int = 16 * WORDS
    output_bytes: int = 16 * WORDS
    scratch_bytes: int = 0


@pytest.fixture
def board(copy_engine: Path) -> Iterator[SimulatedBoard]:
    with SimulatedBoard(copy_engine, TIMING, 1 << 20) as made:
        yield made


class HonestBoard:
    """Passes everything to the simulated board but the scratch address, which the copy engine takes for orders."""

    name = "rtl"
    interrupts = True

    def __init__(self, board: SimulatedBoard, breach: int = 0, traffic: int = 0, astray: str = "") -> None:
        self._board = board
        self._orders = {OFFSETS["SCRATCH_LO"]: breach, OFFSETS["SCRATCH_HI"]: traffic}
        if astray:
            self._orders[OFFSETS[astray]] = 0
        self.mmio_read = board.mmio_read
        self.allocate = board.allocate
        self.release_all = board.release_all
        self.wait_interrupt = board.wait_interrupt
        self.pause = board.pause
        self.elapsed = board.elapsed
        self.close = board.close

    def mmio_write(self, offset: int, value: int) -> None:
        self._board.mmio_write(offset, self._orders.get(offset, value))


def test_frames_go_in_and_come_out_again_and_again(board: SimulatedBoard) -> None:
    driver = Driver(HonestBoard(board))
    assert driver.config_digest64() == CONFIG.digest64()
    driver.load(Image())
    rng = np.random.default_rng(7)
    for _ in range(3):
        frame = rng.bytes(16 * WORDS)
        assert driver.run(frame) == frame
        assert driver.counters().cycles > WORDS


def test_an_image_of_another_configuration_is_refused(board: SimulatedBoard) -> None:
    driver = Driver(HonestBoard(board))
    other = "0" * 64
    with pytest.raises(ConfigurationMismatch, match="0000000000000000, the engine on rtl is"):
        driver.load(replace(Image(), config_digest=other))


@pytest.mark.parametrize("change", [{"program_offset": 100}, {"program_count": 0}, {"program_offset": 8192 - 64}])
def test_a_program_outside_its_image_is_refused(board: SimulatedBoard, change: dict[str, int]) -> None:
    driver = Driver(HonestBoard(board))
    with pytest.raises(ImageFormatError, match="does not lie inside"):
        driver.load(replace(Image(), **change))  # type: ignore[arg-type]


def test_a_frame_that_is_too_long_is_refused(board: SimulatedBoard) -> None:
    driver = Driver(HonestBoard(board))
    driver.load(Image())
    with pytest.raises(DataError, match="does not fit"):
        driver.run(bytes(16 * WORDS + 1))


def test_nothing_runs_before_something_is_loaded(board: SimulatedBoard) -> None:
    with pytest.raises(SimulationError, match="no program image is loaded"):
        Driver(HonestBoard(board)).run(b"")


def test_a_hanging_engine_is_given_up_with_its_position(board: SimulatedBoard) -> None:
    driver = Driver(HonestBoard(board, HANG), timeout_cycles=5000)
    driver.load(Image())
    with pytest.raises(EngineTimeout, match="not done after 5000 cycles: status 1, 96 instructions"):
        driver.run(bytes(16 * WORDS))


def test_a_bus_error_is_reported_as_a_fault(board: SimulatedBoard) -> None:
    driver = Driver(HonestBoard(board, traffic=READ, astray="INPUT_HI"))
    driver.load(Image(program_count=1, input_bytes=64, output_bytes=64))
    with pytest.raises(BusError, match="fault READ_RESPONSE"):
        driver.run(bytes(16))


class Nowhere(HonestBoard):
    """A board on which something else answers."""

    def __init__(self, board: SimulatedBoard, answers: dict[str, int]) -> None:
        super().__init__(board)
        by_offset = {OFFSETS[name]: value for name, value in answers.items()}
        self.mmio_read = lambda offset: by_offset.get(offset, board.mmio_read(offset))  # type: ignore[method-assign]


def test_something_else_on_the_bus_is_not_taken_for_an_engine(board: SimulatedBoard) -> None:
    with pytest.raises(ConfigurationMismatch, match="no HAO engine answers on rtl: MAGIC is 0x00000000"):
        Driver(Nowhere(board, {"MAGIC": 0}))
    with pytest.raises(ConfigurationMismatch, match="instruction set 99"):
        Driver(Nowhere(board, {"ISA_VERSION": 99}))
