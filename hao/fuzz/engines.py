"""Runs one case on every engine in this process and holds each against the reference."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from hao.compiler.compile import Planner, compile_in_full
from hao.compiler.executor import Executor
from hao.compiler.segments import fit
from hao.engine.config import CI_CONFIGS, EngineConfig
from hao.engine.image import ProgramImage
from hao.errors import CompileError, EngineMismatch, HaoError, UsageError
from hao.fuzz.case import Case
from hao.fuzz.outcome import Outcome, Verdict
from hao.ir.reference import Tensor, execute
from hao.runtime.csim import CsimEngine, RunResult
from hao.runtime.csim_build import Arithmetic
from hao.runtime.rtl import RtlEngine
from hao.runtime.timing import DramTiming
from hao.runtime.verdict import judge, program_of

ENGINES = ("executor", "csim-native", "csim-exact", "rtl")
"""What a case can run on, beside the reference."""

TIMEOUT_CYCLES = 5_000_000

# what a defect in our own code raises: a case that ends so has failed, and the campaign goes on
DEFECTS = (HaoError, ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError, RuntimeError, MemoryError)


@dataclass(slots=True)
class Watch:
    """CPU seconds by stage, and the stage that is running."""

    stage: str = ""
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def time(self, stage: str, blame: str = "") -> Iterator[None]:
        """Count what runs inside as ``stage``; what goes wrong there is that of ``blame`` (``stage`` when left out)."""
        self.stage, start = blame or stage, time.process_time()
        try:
            yield
        finally:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + time.process_time() - start


class Fleet:
    """All engines of some configurations, built on first use and kept.

    Args:
        engines: of ``ENGINES``; at least one.
        configs: configurations by name.

    Raises:
        UsageError: an unknown engine, or none.
    """

    def __init__(self, engines: Sequence[str] = ENGINES, configs: Mapping[str, EngineConfig] = CI_CONFIGS) -> None:
        unknown = [name for name in engines if name not in ENGINES]
        if unknown or not engines:
            named = repr(unknown[0]) if unknown else "nothing"
            raise UsageError(f"there is no engine called {named}", f"engines: {', '.join(ENGINES)}")
        self.engines, self.configs = tuple(engines), configs
        self._csim: dict[tuple[str, Arithmetic], CsimEngine] = {}
        self._rtl: dict[str, RtlEngine] = {}

    def csim(self, config: str, arithmetic: Arithmetic) -> CsimEngine:
        """The HLS kernel of a configuration."""
        key = (config, arithmetic)
        if key not in self._csim:
            self._csim[key] = CsimEngine(self.configs[config], arithmetic)
        return self._csim[key]

    def rtl(self, config: str, timing: DramTiming) -> RtlEngine:
        """The RTL of a configuration behind a DRAM of ``timing``."""
        if config not in self._rtl:
            self._rtl[config] = RtlEngine(self.configs[config], timing, timeout_cycles=TIMEOUT_CYCLES)
        engine = self._rtl[config]
        engine.timing = timing
        return engine

    def build(self, config: str, timing: DramTiming) -> None:
        """Build everything of one configuration now.

        Raises:
            BuildError, MissingTool: see the engines.
        """
        for arithmetic in Arithmetic:
            if f"csim-{arithmetic.value}" in self.engines:
                self.csim(config, arithmetic)
        if "rtl" in self.engines:
            self.rtl(config, timing)

    def run(self, case: Case, engines: Sequence[str] | None = None, planner: Planner = fit) -> Outcome:
        """Compile a case, run it on every engine, compare every tensor and output; never raises for what a case does.

        Args:
            case: the case.
            engines: some of the fleet's; all of them when left out.
            planner: makes the plan.
        """
        watch = Watch()
        try:
            return self._run(case, watch, self.engines if engines is None else engines, planner)
        except CompileError as error:
            verdict = Verdict.REFUSED if watch.stage == "compile" else Verdict.FAILED
            return Outcome(verdict, watch.stage, one_line(error), seconds=watch.seconds)
        except DEFECTS as error:
            return Outcome(Verdict.FAILED, watch.stage, one_line(error), seconds=watch.seconds)

    def _run(self, case: Case, watch: Watch, engines: Sequence[str], planner: Planner) -> Outcome:
        config = self.configs[case.config]
        with watch.time("compile"):
            made = compile_in_full(case.graph, config, planner)
        with watch.time("reference"):
            reference = execute(made.graph, case.pixels)
        with watch.time("rewrite"):
            compared = _compare_rewrite(case, reference)
        cycles = 0
        for name in engines:
            with watch.time(name):
                result = self._result(name, case, made.image)
            with watch.time("compare", name):
                verdict = judge(name, made.image, result, reference)
                verdict.require_equal()
            compared += verdict.compared
            cycles += result.cycles or 0
        return Outcome(Verdict.EQUAL, "", "", compared, watch.seconds, cycles)

    def _result(self, name: str, case: Case, image: ProgramImage) -> RunResult:
        frame = image.pack_input(case.pixels)
        if name == "executor":
            executor = Executor(self.configs[case.config], image.regions(frame), check=True, garbage=case.fill)
            taps = executor.run_image(image.manifest.program_offset, image.manifest.program_count)
            return RunResult(executor.output(), taps, 0.0)
        program = program_of(image)
        if name == "rtl":
            return self.rtl(case.config, case.timing).run(program, frame)
        engine = self.csim(case.config, Arithmetic(name.removeprefix("csim-")))
        offset, count = image.manifest.program_offset, image.manifest.program_count
        return engine.execute(image.regions(frame), offset, count, fill=case.fill)[0]


def one_line(error: BaseException) -> str:
    """An error as one line; what is no error of ours shows its class."""
    text = error.message if isinstance(error, HaoError) else f"{type(error).__name__}: {error}"
    return " ".join(text.split()) or type(error).__name__


def _compare_rewrite(case: Case, reference: Mapping[str, Tensor]) -> int:
    """Hold the outputs of the compiled graph against those of the original; values compared.

    Raises:
        EngineMismatch: the compiler's rewriting changed a value.
    """
    original = execute(case.graph, case.pixels)
    compared = 0
    for name in case.graph.outputs:
        if not np.array_equal(original[name], reference[name]):
            raise EngineMismatch(f"rewriting the graph changed output {name!r}")
        compared += original[name].size
    return compared
