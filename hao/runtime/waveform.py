"""A waveform of the cycles around the first wrong result of a frame: the artefact of a failed verification."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hao.engine.image import ProgramImage
from hao.errors import SimulationError
from hao.runtime.compare import Tensor
from hao.runtime.driver import Driver
from hao.runtime.resident import Loadable
from hao.runtime.rtl import RtlResult, memory_bytes, plan_engine
from hao.runtime.simulated import SimulatedBoard
from hao.runtime.timing import DramTiming
from hao.runtime.verdict import program_of, tensor_times
from hao.runtime.verilated import Trace, build_model

BEFORE_CYCLES, AFTER_CYCLES, LEAD_CYCLES = 1500, 50, 400
"""What is recorded around the cycle at fault: at most so much before it, so much after it, and so much before the layer's first result."""


@dataclass(frozen=True, slots=True)
class Window:
    """Cycles of a frame, counted from its start (from the board's reset where ``absolute``), and the tensor that they are about."""

    first: int
    last: int
    tensor: str = ""
    absolute: bool = False


def stopped_at(message: str) -> Window | None:
    """The cycles before a simulation stopped, from what it said; None where it did not stop by itself."""
    match = re.search(r"the simulation stopped in cycle (\d+)", message)
    return None if match is None else Window(max(0, int(match.group(1)) - BEFORE_CYCLES), int(match.group(1)) + 1, "stop", True)


def first_wrong(image: ProgramImage, result: RtlResult, reference: Mapping[str, Tensor]) -> Window | None:
    """Where to look: from before the layer's first result, at most ``BEFORE_CYCLES`` back, to just after its first wrong word.

    Args:
        image: the program that ran.
        result: what it left behind, taps with their cycles included.
        reference: every tensor of the compiled graph.

    Returns:
        None when every reported word is right.
    """
    if result.cycle is None:
        return None
    records, best = result.taps.records, None
    for entry in image.trace.entries:
        mine = np.flatnonzero((records["unit"] == entry.unit) & (records["seq"] == entry.seq))
        channels = np.array(entry.channels)
        lanes = np.flatnonzero(channels >= 0)
        pixels = records["p"][mine].astype(np.int64)
        tensor = reference[entry.tensor]
        inside = (pixels < entry.first + entry.count) & (pixels >= entry.first)
        mine, pixels = mine[inside], pixels[inside]
        wanted = tensor[channels[lanes][:, None], pixels // entry.width, pixels % entry.width].T & 0xFF
        wrong = mine[(wanted != records["data"][mine][:, lanes]).any(axis=1)]
        if wrong.size:
            cycle = int(result.cycle[wrong].min())
            if best is None or cycle < best[0]:
                best = (cycle, entry.tensor)
    if best is None:
        return None
    cycle, name = best
    times = tensor_times(image.trace, result)
    begin = times[name].first if name in times else cycle
    return Window(max(0, min(begin, cycle) - LEAD_CYCLES, cycle - BEFORE_CYCLES), cycle + AFTER_CYCLES, name)


class _Stop(Exception):
    """The window has been recorded."""


class _RecordingBoard(SimulatedBoard):
    """Runs as usual, records the window, and stops."""

    window: tuple[int, int] = (0, 0)
    path: Path = Path()

    def _simulate(self, timeout_cycles: int) -> bool:
        first, last = self.window
        if self.cycles < first:
            if super()._simulate(min(timeout_cycles, first - self.cycles)):
                return True
            if self.cycles < first:
                return False
        self.trace(self.path)
        super()._simulate(max(1, last - self.cycles))
        raise _Stop


def record(image: ProgramImage, frame: bytes, timing: DramTiming, window: Window, path: Path) -> Path:
    """Run a frame again, with a model that traces, and write the signals of ``window``.

    Args:
        image: the program.
        frame: the input, as the program reads it.
        timing: of the DRAM, the same as in the run at fault: the same cycles then hold the same things.
        window: what to record.
        path: a ``.vcd`` file.

    Raises:
        BuildError, MissingTool: the tracing model cannot be built.
        SimulationError: the frame ended before the window.
    """
    return record_program(program_of(image), plan_library(image), frame, timing, window, path)


def plan_library(image: ProgramImage) -> Path:
    """The tracing model of the engine that ``image`` was compiled for."""
    return build_model(plan_engine(image.config, Trace.VCD))


def record_program(program: Loadable, library: Path, frame: bytes, timing: DramTiming, window: Window, path: Path) -> Path:
    """As ``record``, for a program that is no network, on a model built with tracing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with _RecordingBoard(library, timing, memory_bytes(program)) as board:
            driver = Driver(board)
            driver.load(program)
            start = 0 if window.absolute else board.cycles
            board.window, board.path = (start + window.first, start + window.last), path
            driver.run(frame)
    except _Stop:
        return path
    except SimulationError:
        if path.is_file() and path.stat().st_size:  # what stopped the simulation is in the window
            return path
        raise
    raise SimulationError(f"the frame ended before cycle {window.first}", "the run at fault had another memory timing")
