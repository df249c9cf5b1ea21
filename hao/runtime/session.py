"""One frame on all engines: compile, build, run, compare. No printing; progress is told to whoever listens."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hao.compiler.compile import compile_in_full
from hao.engine.config import EngineConfig
from hao.engine.image import ProgramImage
from hao.errors import UsageError
from hao.ir.graph import Graph
from hao.ir.reference import Tensor, execute
from hao.runtime.csim import CsimEngine, RunResult
from hao.runtime.rtl import RtlEngine
from hao.runtime.timing import DramTiming
from hao.runtime.verdict import Verdict, judge, program_of

SIMULATED = ("csim", "rtl")
ENGINES = ("reference", *SIMULATED)
_WORKERS = 2

Listener = Callable[[str, str, int], None]
"""Told of ``(engine, stage, cycles)``: stages are ``build``, ``run`` and ``done``."""


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A network compiled for an engine, and what the reference says about one picture.

    Attributes:
        original, graph: the network as given, and as compiled (rewritten).
        image: the program image.
        reference: every tensor of ``graph``.
        seconds: wall time of the reference alone.
        compile_seconds: wall time of the compiler.
    """

    original: Graph
    graph: Graph
    image: ProgramImage
    pixels: npt.NDArray[np.uint8]
    reference: dict[str, Tensor]
    seconds: float
    compile_seconds: float

    def outputs(self) -> dict[str, Tensor]:
        """The reference's outputs, in graph order."""
        return {name: self.reference[name] for name in self.graph.outputs}


@dataclass(frozen=True, slots=True, eq=False)
class EngineRun:
    """One simulated engine: what it left behind, what that is worth, and how long building it took, in seconds."""

    result: RunResult
    verdict: Verdict
    build_seconds: float


def prepare(graph: Graph, config: EngineConfig, pixels: npt.NDArray[np.uint8]) -> Prepared:
    """Compile ``graph`` for ``config`` and run the reference on one picture.

    Args:
        graph: a legal integer graph.
        config: the engine.
        pixels: ``(C, H, W)`` unsigned bytes.

    Raises:
        CompileError: the network does not fit the engine.
        DataError: the picture does not fit the network.
    """
    start = time.perf_counter()
    made = compile_in_full(graph, config)
    compiled = time.perf_counter()
    reference = execute(made.graph, pixels)
    return Prepared(graph, made.graph, made.image, pixels, reference, time.perf_counter() - compiled, compiled - start)


def _run(name: str, prepared: Prepared, timing: DramTiming, listen: Listener) -> EngineRun:
    config, image = prepared.image.config, prepared.image
    listen(name, "build", 0)
    start = time.perf_counter()
    engine = CsimEngine(config) if name == "csim" else RtlEngine(config, timing)
    built = time.perf_counter() - start
    listen(name, "run", 0)
    frame = image.pack_input(prepared.pixels)
    if isinstance(engine, RtlEngine):
        result: RunResult = engine.run(program_of(image), frame, progress=lambda cycles: listen(name, "run", cycles))
    else:
        result = engine.run(program_of(image), frame)
    verdict = judge(name, image, result, prepared.reference)
    listen(name, "done", result.cycles or 0)
    return EngineRun(result, verdict, built)


def run_engines(prepared: Prepared, names: Sequence[str], timing: DramTiming, listen: Listener) -> dict[str, EngineRun]:
    """Run the simulated engines, two at a time.

    Args:
        prepared: the frame.
        names: of ``SIMULATED``.
        timing: of the DRAM behind the RTL.
        listen: told of progress, from other threads.

    Raises:
        UsageError: an unknown engine.
        BuildError, MissingTool, SimulationError, EngineMismatch: from the engines; an unequal result is no error here.
    """
    unknown = [name for name in names if name not in SIMULATED]
    if unknown:
        raise UsageError(f"there is no engine called {unknown[0]!r}", f"engines: {', '.join(ENGINES)}")
    with ThreadPoolExecutor(_WORKERS) as pool:
        futures: dict[str, Future[EngineRun]] = {name: pool.submit(_run, name, prepared, timing, listen) for name in names}
        return {name: future.result() for name, future in futures.items()}
