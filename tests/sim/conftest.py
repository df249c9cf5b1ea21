"""The copy engine on the simulated board: known traffic, known breaches."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from hao.engine.config import EngineConfig
from hao.engine.regs import OFFSETS
from hao.runtime.simulated import SimulatedBoard
from hao.runtime.timing import DramTiming
from hao.runtime.verilated import build_model, plan_model

CONFIG = EngineConfig()
COPY, READ, WRITE = 0, 1, 2
HONEST, DROP_ARVALID, MOVE_ARADDR, CROSS_PAGE, EARLY_WLAST, MOVE_WDATA, LONG_BURST, HANG, NARROW_READ, MANY_READS = range(10)
DROP_AWVALID, MOVE_AWADDR, CROSS_PAGE_WRITE, LONG_WRITE, NARROW_WRITE, MANY_WRITES, DROP_WVALID = range(10, 17)


@dataclass(frozen=True)
class Traffic:
    """Result of one run of the copy engine."""

    finished: bool
    equal: int
    cycles: int
    tapped: int
    status: int
    fault: int


@pytest.fixture(scope="session")
def copy_engine() -> Path:
    """The library of the simulated board around the copy engine."""
    source = Path(__file__).parent / "rtl" / "hao_engine.sv"
    return build_model(plan_model({"rtl/hao_engine.sv": source.read_bytes()}, CONFIG.parameters(), CONFIG.digest64()))


def run(
    library: Path, timing: DramTiming, words: int, *, traffic: int = COPY, breach: int = HONEST, skew: int = 0, timeout: int = 400_000
) -> Traffic:
    """Copy ``words`` words that begin ``skew`` bytes into their buffers; returns what came of it."""
    with SimulatedBoard(library, timing, 1 << 22) as board:
        board.enable_taps(True)
        source, target = board.allocate(words * 16 + skew), board.allocate(words * 16 + skew)
        source.array[:] = np.random.default_rng(timing.seed).integers(0, 256, source.array.size, dtype=np.uint8)
        source.flush()
        target.flush()  # or lines that are dirty from before would be written back over the copy
        for name, address in (("INPUT", source.address + skew), ("OUTPUT", target.address + skew)):
            board.mmio_write(OFFSETS[f"{name}_LO"], address & 0xFFFFFFFF)
            board.mmio_write(OFFSETS[f"{name}_HI"], address >> 32)
        for name, value in (("SCRATCH_LO", breach), ("SCRATCH_HI", traffic), ("PROGRAM_COUNT", words), ("IRQ_ENABLE", 1), ("CONTROL", 1)):
            board.mmio_write(OFFSETS[name], value)
        finished = board.wait_interrupt(timeout)
        target.invalidate()
        taps = board.taps()
        tapped = int((taps["data"].reshape(-1) == source.array[skew : skew + taps.size * 16]).sum())
        status, fault, cycles = (board.mmio_read(OFFSETS[name]) for name in ("STATUS", "FAULT", "CYCLES"))
        return Traffic(finished, int((source.array[skew:] == target.array[skew:]).sum()), cycles, tapped, status, fault)
