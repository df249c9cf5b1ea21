"""Timing of the simulated DRAM: from the board file for cycle figures, or with random stalls for correctness."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

from hao.boards import Board

_DEPTH_GRANULES = 8


class TimingStruct(ctypes.Structure):
    """``HaoTiming`` of ``sim/host/hao_sim.h``."""

    _fields_ = (
        *((name, ctypes.c_uint32) for name in (
            "read_latency", "write_latency", "turnaround", "refresh_interval", "refresh", "peak_rate", "sustained_rate", "sustained_depth",
            "outstanding_reads", "outstanding_writes", "stall", "reserved",
        )),
        ("seed", ctypes.c_uint64),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class DramTiming:
    """What the DRAM model is told. Rates are bytes a cycle of the engine's clock, times are cycles.

    Attributes:
        stall: probability of a stall on every channel in every cycle, of 256; 0 is the deterministic mode.
        seed: of the stalls, not zero.
        sustained_depth: bytes that a transfer may run ahead of the sustained rate.
    """

    read_latency: int
    write_latency: int
    turnaround: int
    refresh_interval: int
    refresh: int
    peak_rate: float
    sustained_rate: float
    sustained_depth: int
    outstanding_reads: int
    outstanding_writes: int
    stall: int = 0
    seed: int = 1

    @classmethod
    def of_board(cls, board: Board, stall: int = 0, seed: int = 1) -> DramTiming:
        """The timing of ``board``; the sustained bucket is deep enough to catch up after a refresh."""
        dram = board.dram
        depth = int(board.sustained_bytes_per_cycle * dram.refresh_cycles) + _DEPTH_GRANULES * dram.granule_bytes
        return cls(
            dram.read_latency_cycles,
            dram.write_latency_cycles,
            dram.turnaround_cycles,
            dram.refresh_interval_cycles,
            dram.refresh_cycles,
            board.peak_bytes_per_cycle,
            board.sustained_bytes_per_cycle,
            depth,
            board.ports.outstanding_reads,
            board.ports.outstanding_writes,
            stall,
            seed,
        )

    def struct(self) -> TimingStruct:
        """The same for the C interface, rates in 1/256 byte."""
        peak, sustained = round(self.peak_rate * 256), round(self.sustained_rate * 256)
        return TimingStruct(
            self.read_latency, self.write_latency, self.turnaround, self.refresh_interval, self.refresh, peak, sustained,
            self.sustained_depth, self.outstanding_reads, self.outstanding_writes, self.stall, 0, self.seed,
        )  # fmt: skip
