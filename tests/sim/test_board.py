"""The simulated board: data arrives, time passes as the board file says, and every breach of AXI is reported."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hao.boards import load_board
from hao.engine.regs import OFFSETS
from hao.errors import SimulationError
from hao.runtime.simulated import SimulatedBoard
from hao.runtime.timing import DramTiming
from tests.sim import conftest as sim

BOARD = load_board("ultra96v2")
TIMING = DramTiming.of_board(BOARD)


@pytest.mark.parametrize(("words", "skew"), [(1, 0), (3, 16), (257, 0), (3000, 48), (1024, 4080)])
@pytest.mark.parametrize(("stall", "seed"), [(0, 1), (20, 2), (128, 3), (230, 4)])
def test_copies_are_exact_with_any_stalls(copy_engine: Path, words: int, skew: int, stall: int, seed: int) -> None:
    done = sim.run(copy_engine, replace(TIMING, stall=stall, seed=seed), words, skew=skew)
    assert done.finished
    assert done.equal == 16 * words
    assert done.tapped == 16 * words
    assert (done.status & 0b111, done.fault) == (0b010, 0)


@pytest.mark.parametrize("traffic", [sim.READ, sim.WRITE])
def test_long_transfers_reach_the_sustained_rate_and_no_more(copy_engine: Path, traffic: int) -> None:
    words = 40_000
    cycles = sim.run(copy_engine, TIMING, words, traffic=traffic).cycles
    bytes_per_cycle = 16 * words / cycles
    assert 0.985 < bytes_per_cycle / BOARD.sustained_bytes_per_cycle <= 1.0


def test_copying_shares_the_bandwidth_between_reads_and_writes(copy_engine: Path) -> None:
    words = 20_000
    cycles = sim.run(copy_engine, TIMING, words).cycles
    assert 0.9 < 2 * 16 * words / cycles / BOARD.sustained_bytes_per_cycle <= 1.0


def test_without_the_cap_the_peak_binds(copy_engine: Path) -> None:
    words = 20_000
    timing = replace(TIMING, sustained_rate=15.0, peak_rate=8.0, refresh=0)
    cycles = sim.run(copy_engine, timing, words, traffic=sim.READ).cycles
    assert 0.99 < 16 * words / cycles / 8.0 <= 1.0


@pytest.mark.parametrize("latency", [10, 60, 200])
def test_a_single_word_waits_the_latency(copy_engine: Path, latency: int) -> None:
    timing = replace(TIMING, read_latency=latency, refresh=0)
    cycles = sim.run(copy_engine, timing, 1, traffic=sim.READ).cycles
    assert latency <= cycles <= latency + 8


def test_refresh_costs_its_share_when_nothing_else_binds(copy_engine: Path) -> None:
    words = 20_000
    free = replace(TIMING, sustained_rate=16.0, peak_rate=16.0, refresh=0)
    without = sim.run(copy_engine, free, words, traffic=sim.READ).cycles
    timing = replace(free, refresh=200, sustained_depth=64)
    with_refresh = sim.run(copy_engine, timing, words, traffic=sim.READ).cycles
    share = 1 - without / with_refresh
    assert abs(share - 200 / BOARD.dram.refresh_interval_cycles) < 0.02


def test_few_outstanding_bursts_make_latency_visible(copy_engine: Path) -> None:
    words = 10_000
    one = sim.run(copy_engine, replace(TIMING, outstanding_reads=1), words, traffic=sim.READ).cycles
    many = sim.run(copy_engine, TIMING, words, traffic=sim.READ).cycles
    assert one > many + words // 64 * TIMING.read_latency * 0.5


def test_the_deterministic_mode_repeats_and_seeds_differ(copy_engine: Path) -> None:
    fixed = {sim.run(copy_engine, replace(TIMING, seed=seed), 2000).cycles for seed in (1, 2, 3)}
    stalled = [sim.run(copy_engine, replace(TIMING, stall=100, seed=seed), 2000).cycles for seed in (1, 1, 2, 3)]
    assert len(fixed) == 1
    assert stalled[0] == stalled[1]
    assert len(set(stalled)) == 3


@pytest.mark.parametrize(
    ("breach", "text", "skew"),
    [
        (sim.DROP_ARVALID, "ARVALID fell before ARREADY", 0),
        (sim.MOVE_ARADDR, "AR changed before ARREADY", 0),
        (sim.CROSS_PAGE, "a read crosses a 4 KB boundary", 16),
        (sim.EARLY_WLAST, "WLAST does not match AWLEN", 0),
        (sim.MOVE_WDATA, "W changed before WREADY", 0),
        (sim.LONG_BURST, "a read is longer than MaxBurst", 0),
        (sim.NARROW_READ, "not an aligned INCR burst", 0),
        (sim.MANY_READS, "more reads in flight than Outstanding", 0),
        (sim.DROP_AWVALID, "AWVALID fell before AWREADY", 0),
        (sim.MOVE_AWADDR, "AW changed before AWREADY", 0),
        (sim.CROSS_PAGE_WRITE, "a write crosses a 4 KB boundary", 16),
        (sim.LONG_WRITE, "a write is longer than MaxBurst", 0),
        (sim.NARROW_WRITE, "a write is not an aligned INCR burst", 0),
        (sim.MANY_WRITES, "more writes in flight than Outstanding", 0),
        (sim.DROP_WVALID, "WVALID fell before WREADY", 0),
    ],
)
def test_every_breach_of_axi_is_reported_by_name(copy_engine: Path, breach: int, text: str, skew: int) -> None:
    with pytest.raises(SimulationError, match=text):
        sim.run(copy_engine, replace(TIMING, stall=200, seed=5), 600, breach=breach, skew=skew)


def test_an_engine_that_hangs_times_out(copy_engine: Path) -> None:
    assert not sim.run(copy_engine, TIMING, 10, breach=sim.HANG, timeout=5000).finished


def test_addresses_outside_the_memory_answer_with_an_error(copy_engine: Path) -> None:
    with SimulatedBoard(copy_engine, TIMING, 1 << 16) as board:
        for name, value in (("INPUT_LO", 0), ("PROGRAM_COUNT", 4), ("SCRATCH_HI", sim.READ), ("IRQ_ENABLE", 3), ("CONTROL", 1)):
            board.mmio_write(OFFSETS[name], value)
        assert board.wait_interrupt(10_000)
        assert board.mmio_read(OFFSETS["FAULT"]) == 1


@pytest.mark.parametrize("write", [False, True])
def test_a_refused_beat_answers_with_a_slave_error(copy_engine: Path, write: bool) -> None:
    """SLVERR at exactly the beats asked for: noise is read there, and nothing is written."""
    with SimulatedBoard(copy_engine, TIMING, 1 << 16) as board:
        source, target = board.allocate(1600), board.allocate(1600)
        source.array[:], target.array[:] = 0x5A, 0x11
        source.flush()
        target.flush()
        for name, value in (("INPUT", source.address), ("OUTPUT", target.address)):
            board.mmio_write(OFFSETS[f"{name}_LO"], value & 0xFFFFFFFF)
            board.mmio_write(OFFSETS[f"{name}_HI"], value >> 32)
        board.refuse(write, after=40, beats=3)
        for name, value in (("PROGRAM_COUNT", 100), ("IRQ_ENABLE", 3), ("CONTROL", 1)):
            board.mmio_write(OFFSETS[name], value)
        assert board.wait_interrupt(10_000)
        board.wait_interrupt(2000)
        for _ in range(100):  # the fault raises the interrupt while the copy goes on
            board.mmio_read(OFFSETS["STATUS"])
        assert board.mmio_read(OFFSETS["FAULT"]) == 1 and board.refused == 3
        target.invalidate()
        changed = set((target.array.reshape(-1, 16) != 0x5A).any(axis=1).nonzero()[0])
        assert changed == {40, 41, 42}
        assert target.array[40 * 16] == (0x11 if write else 0xEE)


def test_a_host_whose_clock_stops_disturbs_nothing(copy_engine: Path) -> None:
    """The host holds back handshakes of its port in the middle of an access: registers hold what was written, and the copy is exact."""
    with SimulatedBoard(copy_engine, TIMING, 1 << 16) as board:
        board.gate(300, seed=5)
        before = board.cycles
        for value in range(20):
            board.mmio_write(OFFSETS["PROGRAM_COUNT"], value)
            assert board.mmio_read(OFFSETS["PROGRAM_COUNT"]) == value
        assert board.cycles - before > 20 * 300


def test_a_forgotten_flush_or_invalidate_shows(copy_engine: Path) -> None:
    with SimulatedBoard(copy_engine, TIMING, 1 << 20) as board:
        buffer = board.allocate(4096)
        before = buffer.memory.copy()
        buffer.array[:] = before ^ 0xFF
        assert (buffer.memory == before).all()
        buffer.flush()
        assert (buffer.memory == before ^ 0xFF).all()
        buffer.memory[:] = before
        assert (buffer.array == before ^ 0xFF).all()
        buffer.invalidate()
        assert (buffer.array == before).all()


def test_a_full_memory_is_said_to_be_full(copy_engine: Path) -> None:
    with SimulatedBoard(copy_engine, TIMING, 1 << 16) as board, pytest.raises(SimulationError, match="cannot hold another 100000"):
        board.allocate(100_000)
