"""Runs program images on the Verilated RTL behind the simulated board."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hao.codegen.rtl import PACKAGE_FILE, render_package, rtl_sources
from hao.engine.config import EngineConfig
from hao.engine.isa import BaseSelect, Unit
from hao.engine.taps import TAP_DTYPE, TapTrace
from hao.errors import SimulationError
from hao.runtime.cache import BuildPlan
from hao.runtime.csim import RunResult
from hao.runtime.driver import DEFAULT_TIMEOUT_CYCLES, Counters, Driver
from hao.runtime.resident import Loadable
from hao.runtime.simulated import SimulatedBoard, TapArray
from hao.runtime.timing import DramTiming
from hao.runtime.verilated import Trace, build_model, plan_model

_HEADROOM_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, eq=False)
class RtlResult(RunResult):
    """What one frame left behind on the RTL.

    Attributes:
        counters: the performance counters.
        cycle: ``(n,)`` cycle of every tap, counted from the start of the frame, in the order of ``taps``.
        events: ``(m, 3)`` unit, 0 taken or 1 completed, cycle counted from the start of the frame, in order of time.
        scratch: bytes behind base SCRATCH.
    """

    counters: Counters | None = None
    cycle: npt.NDArray[np.int64] | None = None
    events: npt.NDArray[np.int64] | None = None
    scratch: bytes = b""


def memory_bytes(image: Loadable) -> int:
    """DRAM that a board needs for one frame of ``image``, with room to spare."""
    return _HEADROOM_BYTES + len(image.dram) + image.input_bytes + image.output_bytes + image.scratch_bytes


def plan_engine(config: EngineConfig, trace: Trace = Trace.NONE) -> BuildPlan:
    """Plan the model of the RTL engine of ``config`` on the simulated board.

    Raises:
        MissingTool: the installation carries no RTL.
    """
    sources: Mapping[str, bytes] = {path.name: path.read_bytes() for path in rtl_sources()}
    package = {PACKAGE_FILE: render_package().encode()}
    return plan_model({f"rtl/{name}": text for name, text in {**package, **sources}.items()}, config.parameters(), config.digest64(), trace)


def split_taps(raw: TapArray, start: int) -> tuple[TapTrace, npt.NDArray[np.int64]]:
    """Result words of a board, and the cycle of each counted from ``start``."""
    records = np.zeros(len(raw), TAP_DTYPE)
    for name, source in (("unit", "unit"), ("seq", "sequence"), ("p", "pixel"), ("data", "data")):
        records[name] = raw[source]
    # the model's cycle counter keeps 32 bits; a frame is far shorter than that
    return TapTrace(records), (raw["cycle"].astype(np.int64) - start) & 0xFFFFFFFF


def _events(raw: npt.NDArray[np.void], start: int) -> npt.NDArray[np.int64]:
    cycle = (raw["cycle"].astype(np.int64) - start) & 0xFFFFFFFF
    return np.stack([raw["unit"].astype(np.int64), raw["done"].astype(np.int64), cycle], axis=1)


class RtlEngine:
    """The RTL of one configuration, compiled by Verilator.

    Args:
        config: the engine.
        timing: of the DRAM behind it.
        trace: waveform format to compile in.
        timeout_cycles: cycles after which a frame is given up.

    Raises:
        BuildError: Verilator or the compiler refused the RTL.
        MissingTool: a tool is absent.
    """

    name = "rtl"

    def __init__(
        self, config: EngineConfig, timing: DramTiming, trace: Trace = Trace.NONE, timeout_cycles: int = DEFAULT_TIMEOUT_CYCLES
    ) -> None:
        self.config = config
        self.timing = timing
        self._timeout = timeout_cycles
        self._library = build_model(plan_engine(config, trace))

    def run(
        self,
        image: Loadable,
        frame: bytes,
        *,
        taps: bool = True,
        progress: Callable[[int], None] | None = None,
        frames: int = 1,
        clear: bool = False,
    ) -> RtlResult:
        """Run one frame on a fresh board.

        Args:
            image: the program image.
            frame: input bytes as the program reads them.
            taps: keep the result words of DENSE, DW and ADD.
            progress: called with the cycles simulated so far, every few thousand of them.
            clear: zero the memory behind OUTPUT and SCRATCH first; otherwise what the program does not write is noise.
            frames: run the same frame that many times without a reset, and return the last; every run must leave the same bytes.

        Raises:
            ConfigurationMismatch: the image was compiled for another configuration.
            DataError: the frame does not fit the program's input.
            ImageFormatError: the program does not lie inside the image.
            SimulationError: a time-out, a fault, a failed assertion, or frames that differ.
        """
        with SimulatedBoard(self._library, self.timing, memory_bytes(image), progress) as board:
            driver = Driver(board, self._timeout)
            driver.load(image)
            outputs: set[bytes] = set()
            for _ in range(frames):
                board.enable_taps(taps)
                begin, start = board.cycles, time.perf_counter()
                outputs.add(driver.run(frame, clear=clear)[: image.output_bytes])
                seconds = time.perf_counter() - start
            if len(outputs) != 1:
                raise SimulationError(f"{frames} runs of the same frame left {len(outputs)} different outputs", "state survives a frame")
            trace, cycle = split_taps(board.taps(), begin)
            counters = driver.counters()
            self._check_completed(counters, trace, taps)
            scratch = driver.read(BaseSelect.SCRATCH)[: image.scratch_bytes]
            events = _events(board.events(), begin)
            return RtlResult(outputs.pop(), trace, seconds, counters.cycles, counters, cycle, events, scratch)

    def stream(self, image: Loadable, frame: bytes, frames: int, progress: Callable[[int], None] | None = None) -> tuple[int, bytes]:
        """Run the same frame back to back, the next one started as soon as the one before is done.

        Args:
            image: the program image.
            frame: input bytes as the program reads them.
            frames: how many, at least 1.
            progress: as for ``run``.

        Returns:
            cycles from before the first frame's registers are written until the last frame's interrupt has been answered (the
            driver's register accesses are in it, the host's copying is not), and the output bytes.

        Raises:
            As ``run``.
        """
        memory = 2 * (_HEADROOM_BYTES + sum((len(image.dram), image.input_bytes, image.output_bytes, image.scratch_bytes)))
        with SimulatedBoard(self._library, self.timing, memory, progress) as board:
            driver = Driver(board, self._timeout)
            driver.load(image, slots=2)
            begin = board.cycles
            outputs = {output[: image.output_bytes] for output in driver.stream([frame] * frames)}
            if len(outputs) != 1:
                raise SimulationError(f"{frames} runs of the same frame left {len(outputs)} different outputs", "state survives a frame")
            return board.cycles - begin, outputs.pop()

    @staticmethod
    def _check_completed(counters: Counters, trace: TapTrace, taps: bool) -> None:
        """A unit that counts no instruction cannot have produced a result, and the reverse."""
        if not taps:
            return
        tapped = {int(unit) for unit in np.unique(trace.records["unit"])}
        counted = {int(unit) for unit in (Unit.DENSE, Unit.DW) if counters.units[unit.name].count}
        if tapped != counted:
            raise SimulationError(f"units {sorted(tapped)} reported results, units {sorted(counted)} counted instructions")
