"""``Board`` on the Verilated engine: programs side by side, frames in flight, and every error by name with a right frame after it."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hao.boards import load_board
from hao.engine.config import CI_CONFIGS
from hao.engine.regs import OFFSETS
from hao.errors import (
    BusError,
    ConfigurationMismatch,
    EngineFault,
    EngineReset,
    EngineTimeout,
    ImageFormatError,
    SimulationError,
    UsageError,
)
from hao.runtime import board as board_module
from hao.runtime import driver as driver_module
from hao.runtime.board import Board, Network
from hao.runtime.driver import Driver, Wait
from hao.runtime.memory import CachedBuffer
from hao.runtime.simulated import MEMORY_BASE, SimulatedBoard
from hao.runtime.timing import DramTiming
from tests.runtime.support import SMALL, differing, digits, pictures, simulated, small_engine

__all__ = ["simulated"]


def right(network: Network, index: int = 0) -> bool:
    return differing(network.run(pictures(index + 1)[index]), index) == 0


@pytest.mark.parametrize("wait", Wait)
def test_frames_by_interrupt_and_by_polling(simulated: SimulatedBoard, wait: Wait) -> None:
    board = Board(simulated, wait=wait)
    network = board.load(digits())
    assert [differing(network.run(picture), index) for index, picture in enumerate(pictures(3))] == [0, 0, 0]
    counters = board.counters()
    assert counters.cycles > 1000
    assert counters.units["DENSE"].count > 0
    assert counters.read_beats * 16 > len(digits().dram) // 2


def test_double_buffered_frames_come_in_order_and_overlap(simulated: SimulatedBoard) -> None:
    network = Board(simulated).load(digits(), slots=2)
    alone = [network.image.pack_input(each) for each in pictures(6)]
    started: list[int] = []
    running = []

    def watched() -> object:
        for index, frame in enumerate(alone):
            started.append(index)
            running.append(simulated.mmio_read(OFFSETS["STATUS"]) & 1)
            yield frame

    results = list(network._driver.stream(watched(), network._resident))  # type: ignore[arg-type]
    assert [differing(network.image.unpack_output(each), index) for index, each in enumerate(results)] == [0] * 6
    assert running == [0, *[1] * 5], "the engine did not work while the host packed"


@pytest.mark.parametrize("slots", [1, 2, 3])
def test_a_batch_is_its_frames(simulated: SimulatedBoard, slots: int) -> None:
    results = Board(simulated).load(digits(), slots=slots).run_batch(pictures(5))
    assert [differing(each, index) for index, each in enumerate(results)] == [0] * 5


def test_a_stream_may_be_left_and_nothing_else_runs_beside_it(simulated: SimulatedBoard) -> None:
    network = Board(simulated).load(digits())
    stream = network.stream(pictures(4))
    assert differing(next(stream), 0) == 0
    with pytest.raises(UsageError, match="in flight"):
        network.run(pictures(1)[0])
    with pytest.raises(UsageError, match="not in the board's memory, or running"):
        network.remove()
    stream.close()  # type: ignore[attr-defined]
    assert right(network)


def test_several_programs_are_resident_and_make_room(simulated: SimulatedBoard) -> None:
    board = Board(simulated)
    first, second = board.load(digits()), board.load(digits())
    for network in (first, second, first):
        assert right(network, 1)
    addresses = {first._resident.memory.address, second._resident.memory.address}
    assert len(addresses) == 2
    assert min(addresses) > 1 << 32
    first.remove()
    third = board.load(digits())
    assert third._resident.memory.address in addresses
    assert right(second) and right(third)
    with pytest.raises(UsageError, match="not in the board's memory"):
        first.run(pictures(1)[0])


def test_a_memory_that_is_full_refuses_and_keeps_the_rest(simulated: SimulatedBoard) -> None:
    board = Board(simulated)
    network = board.load(digits())
    image = digits()
    huge = dataclasses.replace(image, dram=image.dram + bytes(1 << 22))
    with pytest.raises(SimulationError, match="cannot hold another"):
        board.load(huge)
    assert right(network)


def test_another_configuration_is_refused_with_a_sentence(simulated: SimulatedBoard) -> None:
    image = digits()
    other = dataclasses.replace(image, manifest=image.manifest.model_copy(update={"config_digest": CI_CONFIGS["16x16x2"].digest()}))
    with pytest.raises(ConfigurationMismatch, match=r"the program image is for configuration [0-9a-f]{16}, the engine on rtl is") as caught:
        Board(simulated).load(other)
    assert "load the bitstream of that one" in caught.value.hint


def test_a_damaged_file_is_refused(simulated: SimulatedBoard, tmp_path: Path) -> None:
    board = Board(simulated)
    path = tmp_path / "digits.hao"
    digits().save(path)
    assert right(board.load(path))
    data = bytearray(path.read_bytes())
    data[-100] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(ImageFormatError, match="altered"):
        board.load(str(path))


def meddle(simulated: SimulatedBoard, change: Callable[[int, int], int]) -> pytest.MonkeyPatch:
    """Writes of registers go through ``change(offset, value)``."""
    patch, write = pytest.MonkeyPatch(), simulated.mmio_write
    patch.setattr(simulated, "mmio_write", lambda offset, value: write(offset, change(offset, value)))
    return patch


def test_a_time_out_names_the_position_and_the_next_frame_is_right(simulated: SimulatedBoard) -> None:
    board = Board(simulated)
    network = board.load(digits())
    board.driver.timeout_cycles = 500
    with pytest.raises(EngineTimeout, match=r"not done after 500 cycles: status 1, \d+ instructions, completed: LOAD \d+"):
        network.run(pictures(1)[0])
    board.driver.timeout_cycles = 1_000_000
    assert right(network)


def test_a_bus_that_owes_answers_for_ever_is_named(simulated: SimulatedBoard) -> None:
    """The engine hangs in a burst and cannot be drained: the time-out says so, and what to do."""
    board = Board(simulated)
    network = board.load(digits())
    board.driver.timeout_cycles = 500
    with pytest.MonkeyPatch.context() as patch:
        read = simulated.mmio_read
        patch.setattr(driver_module, "_RESET_POLLS", 20)
        patch.setattr(simulated, "mmio_read", lambda offset: 1 if offset == OFFSETS["STATUS"] else read(offset))
        with pytest.raises(EngineTimeout, match=r"not done after 500 cycles.* does not come out of reset") as caught:
            network.run(pictures(1)[0])
    assert "the bus owes it answers: reset the board" in caught.value.hint
    board.driver.timeout_cycles = 1_000_000
    board.driver.soft_reset()
    assert right(network)


def test_a_bus_error_is_named_and_the_next_frame_is_right(simulated: SimulatedBoard) -> None:
    network = Board(simulated).load(digits())
    for base, fault in (("INPUT", "READ_RESPONSE"), ("OUTPUT", "WRITE_RESPONSE")):
        patch = meddle(simulated, lambda offset, value, base=base: 0xFF if offset == OFFSETS[f"{base}_HI"] else value)
        with pytest.raises(BusError, match=fault):
            network.run(pictures(1)[0])
        patch.undo()
        assert right(network)


@pytest.mark.parametrize(("base", "fault"), [("IMAGE", "READ_RESPONSE"), ("INPUT", "READ_RESPONSE"), ("OUTPUT", "WRITE_RESPONSE")])
def test_an_error_response_to_any_beat_is_named_and_the_next_frame_is_right(simulated: SimulatedBoard, base: str, fault: str) -> None:
    """What lies behind a base register is moved to the end of the memory, so that its first words are there and the others are not."""
    network = Board(simulated).load(digits())
    form = digits().manifest
    # the program is fetched by an address of its own
    bytes_there = {"IMAGE": form.program_offset, "INPUT": form.input.size, "OUTPUT": form.output_bytes}[base]
    rng = np.random.default_rng(11)
    for words in (0, *rng.integers(0, max(1, bytes_there // 64 - 1), 4)):
        address = MEMORY_BASE + simulated._memory.dram.size - 64 * int(words)
        orders = {OFFSETS[f"{base}_LO"]: address & 0xFFFF_FFFF, OFFSETS[f"{base}_HI"]: address >> 32}
        patch = meddle(simulated, lambda offset, value, orders=orders: orders.get(offset, value))
        with pytest.raises(BusError, match=fault):
            network.run(pictures(1)[0])
        patch.undo()
        assert right(network)


@pytest.mark.parametrize("base", [0, 1 << 31, (1 << 32) - (1 << 21), (1 << 40) - (1 << 22)])
def test_frames_at_any_place_of_the_address_space(base: int) -> None:
    """From the first byte to the last of 40 bits, and across the end of 32."""
    with SimulatedBoard(small_engine(), DramTiming.of_board(load_board("ultra96v2"), 30, 3), 1 << 22, base=base) as made:
        board = Board(made)
        made.allocate(3 << 19)  # the first program lies above it, and so across the end of 32 bits in the third case
        first, second = board.load(digits()), board.load(digits())
        assert right(first) and right(second, 1)
        highest = max(each._resident.memory.address for each in (first, second))
        assert base <= highest < base + (1 << 22)


def test_an_illegal_instruction_is_named_and_the_next_frame_is_right(simulated: SimulatedBoard) -> None:
    network = Board(simulated).load(digits())
    patch = meddle(simulated, lambda offset, value: value - 1 if offset == OFFSETS["PROGRAM_COUNT"] else value)
    with pytest.raises(EngineFault, match="ILLEGAL_OPCODE"):
        network.run(pictures(1)[0])
    patch.undo()
    assert right(network)


@pytest.mark.parametrize("how", ["soft", "hard"])
@pytest.mark.parametrize("wait", Wait)
def test_a_reset_in_mid_frame_is_named_and_the_next_frame_is_right(simulated: SimulatedBoard, how: str, wait: Wait) -> None:
    """Whoever resets the engine, by register or by the logic's reset: the driver notices and sets everything up again."""
    network = Board(simulated, wait=wait).load(digits())
    simulate, done = simulated._simulate, []

    def interrupted(cycles: int) -> bool:
        if done:
            return simulate(cycles)
        done.append(simulate(min(cycles, 700)))
        if how == "hard":
            simulated.reset()
        else:
            simulated.mmio_write(OFFSETS["CONTROL"], 2)
        return simulate(2000)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(simulated, "_simulate", interrupted)
        with pytest.raises(EngineReset, match="was reset in mid-frame"):
            network.run(pictures(1)[0])
    assert done == [False]
    assert right(network)


def test_a_soft_reset_at_any_moment_drains_the_bus() -> None:
    """Behind a memory that stalls three cycles of four, so that bursts are under way whenever it comes; the rules of AXI are watched."""
    timing = DramTiming.of_board(load_board("ultra96v2"), 190, 5)
    rng, drained = np.random.default_rng(2), []
    with SimulatedBoard(small_engine(), timing, 1 << 22) as made:
        board = Board(made)
        network = board.load(digits())
        assert right(network)
        frame = board.counters().cycles
        for moment in rng.integers(1, frame, 20):
            network._resident.slots[0].place(network.image.pack_input(pictures(1)[0]))
            board.driver._start(network._resident, network._resident.slots[0])
            assert not made._simulate(int(moment))
            begin = made.cycles
            board.driver.soft_reset()
            drained.append(made.cycles - begin)
            assert made.mmio_read(OFFSETS["STATUS"]) & 0b101 == 0
            assert right(network)
    assert max(drained) > 60, "no burst was ever under way"


@pytest.mark.parametrize("forgotten", ["flush", "invalidate"])
def test_a_forgotten_flush_or_invalidate_gives_wrong_results(simulated: SimulatedBoard, forgotten: str) -> None:
    network = Board(simulated).load(digits())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CachedBuffer, forgotten, lambda _: None)
        with contextlib.suppress(SimulationError):  # a program full of noise is one of the ways in which it fails
            assert differing(network.run(pictures(1)[0]), 0) > 0
    assert right(network)


def test_dirty_lines_of_fresh_memory_reach_the_results_unless_flushed(simulated: SimulatedBoard) -> None:
    """What was in the cache before a buffer was handed out may be written back over what the engine wrote."""
    flush = CachedBuffer.flush
    wrong = 0
    with pytest.MonkeyPatch.context() as patch:
        # flushes at allocation are forgotten: those of buffers that nobody has written yet
        patch.setattr(CachedBuffer, "flush", lambda self: None if (self.array == ~self.clean).all() else flush(self))
        for _ in range(12):
            network = Board(simulated).load(digits())
            wrong += differing(network.run(pictures(1)[0]), 0)
            network.remove()
    assert wrong > 0


def test_evicted_lines_change_nothing_where_the_driver_is_right(simulated: SimulatedBoard) -> None:
    network = Board(simulated).load(digits())
    assert right(network)
    assert simulated._memory.evict() == 0


def test_the_kinds_of_boards(monkeypatch: pytest.MonkeyPatch) -> None:
    with Board("sim", config=CI_CONFIGS[SMALL], stall=20) as board:
        assert board.driver.wait is Wait.INTERRUPT
        assert right(board.load(digits()))
    for arguments, words in (
        (("fpga",), "no kind of board 'fpga'"),
        (("pynq",), "needs a bitstream"),
    ):
        with pytest.raises(UsageError, match=words):
            Board(*arguments)
    with pytest.raises(UsageError, match="awaited by 'hope'"):
        Board("sim", wait="hope")
    assert board_module.KINDS == ("sim", "pynq")


def test_addresses_that_the_engine_cannot_reach_are_refused(simulated: SimulatedBoard) -> None:
    driver = Driver(simulated)
    for address in (1 << 40, 0x84_0000_0010):
        with pytest.MonkeyPatch.context() as patch:
            fake = CachedBuffer(address, np.zeros(64, np.uint8), np.zeros(64, np.uint8), simulated._memory)
            patch.setattr(simulated, "allocate", lambda size, fake=fake: fake)
            with pytest.raises(SimulationError, match="gives memory at 0x"):
                driver.install(Board(simulated).load(digits())._resident.image)


def test_the_small_engine_is_built_once() -> None:
    assert small_engine() == small_engine()


def test_boards_may_be_closed_in_any_order() -> None:
    """Verilator's models share a context by thread: the last one made must not go before the others."""
    first, second, third = (Board("sim", config=CI_CONFIGS[SMALL]) for _ in range(3))
    assert right(second.load(digits()))
    third.close()
    assert right(first.load(digits()))
    second.close()
    assert right(first.load(digits()), 1)
    first.close()
    first.close()
