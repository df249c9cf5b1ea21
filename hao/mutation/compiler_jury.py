"""Holds a faulty compiler against the sound one: first the programs that it makes, then, where they differ, what they compute.

A program that is the sound one's to the last byte needs no engine. A different one is run on the HLS kernel and on the checking
executor and, on the smallest engine, in other orders that its dependency counts permit. Only plans that run the faulty statement are
made again. What instructions are said to touch
(``hao.compiler.access``, ``depend``, ``memories``) is believed by the executor's race check as well, so faults there are judged by
footprints and orders of random programs too. What all of them let pass is given to tests of the compiler's parts, and of the executor's.
"""

from __future__ import annotations

import ast
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Any

from hao.compiler.access import Access, ListMemory, accesses
from hao.compiler.compile import Compilation, compile_in_full
from hao.compiler.random_program import RandomProgram, random_program
from hao.engine.config import CI_CONFIGS
from hao.engine.encode import Instruction
from hao.errors import CompileError, MissingTool
from hao.fuzz.engines import DEFECTS, Fleet
from hao.fuzz.footprint import check_program
from hao.fuzz.outcome import Verdict as End
from hao.fuzz.plans import TIGHT, Planned, plan_digest, telling
from hao.fuzz.schedule import check_orders
from hao.mutation.mutant import Mutant, Verdict
from hao.mutation.python_runner import in_child, module_name, put

HAZARDS = frozenset(f"hao/compiler/{name}.py" for name in ("access", "depend", "memories"))
"""Sources that the executor's checks share with the compiler."""
_COMPILER = str(Path("hao") / "compiler")
_SMALL = "8x8x1"
_CPU_SECONDS, _PLAN_SECONDS = 300, 4
"""Of a whole judgement, and of one plan above what the sound one takes: a compiler that never ends is seen."""
_ENOUGH = 40
"""Right programs other than the sound one's, after which a fault counts as another plan."""
_SLOW = "codenet"
_PROGRAMS = 25
_TESTS = Path("tests") / "compiler"
_PARTS = ("test_accumulator.py", "test_limits.py", "test_blocks.py", "test_placing.py", "test_trials.py")
"""Tests of limits and parts that no network shows; for ``HAZARDS`` the executor's as well."""
_HAZARD_PARTS = ("test_executor.py", *_PARTS)


def _compiled(planned: Planned) -> Compilation | CompileError:
    try:
        return compile_in_full(planned.case.graph, planned.config, planned.planner)
    except CompileError as error:
        return error


def _digest(made: Compilation | CompileError) -> str:
    return f"refused: {made.message}" if isinstance(made, CompileError) else plan_digest(made)


def _line_tracer(lines: set[tuple[str, int]]) -> Callable[[FrameType, str, Any], Any]:
    """Collects ``(file, line)`` of all that runs in the compiler."""

    def local(frame: FrameType, event: str, _: Any) -> Any:
        if event == "line":
            lines.add((frame.f_code.co_filename, frame.f_lineno))
        return local

    def entered(frame: FrameType, _event: str, _: Any) -> Any:
        return local if _COMPILER in frame.f_code.co_filename else None

    return entered


def _statement(text: str, line: int) -> range:
    """Lines of the innermost simple statement, or head of a compound one, that ``line`` belongs to."""
    spans = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.stmt) and not isinstance(node, ast.FunctionDef | ast.ClassDef):
            body = getattr(node, "body", None)
            end = node.end_lineno or node.lineno
            spans.append(range(node.lineno, max(node.lineno + 1, body[0].lineno) if body else end + 1))
    return min((span for span in spans if line in span), key=len)


def _touched(program: Sequence[Instruction], made: RandomProgram) -> Iterator[tuple[Access, ...]]:
    lists = ListMemory(made.config, made.image)
    for i in program:
        yield accesses(i, made.config, lists)
        lists.run(i)


class CompilerJury:
    """Plans with known programs, and what comes of a fault.

    Args:
        plans: of ``hao.fuzz.plans.telling``.

    Raises:
        BuildError: an engine cannot be built.
        MissingTool: the tests are not beside the sources.
    """

    def __init__(self, plans: Sequence[Planned] | None = None) -> None:
        if not all((_TESTS / name).is_file() for name in _HAZARD_PARTS):
            raise MissingTool(f"{_TESTS} is not here", "run hao mutate in the folder of the sources")
        self.plans = list(telling() if plans is None else plans)
        self.fleet = Fleet(("executor", "csim-native"), {**CI_CONFIGS, **TIGHT})
        for config in CI_CONFIGS:
            self.fleet.build(config, self.plans[0].case.timing)
        self.digests: list[str] = []
        self.lines: list[set[tuple[str, int]]] = []
        for planned in self.plans:
            self.lines.append(set())
            sys.settrace(_line_tracer(self.lines[-1]))
            try:
                self.digests.append(_digest(_compiled(planned)))
            finally:
                sys.settrace(None)
        self.programs = [random_program(5000 + seed, CI_CONFIGS[_SMALL], 12) for seed in range(_PROGRAMS)]
        self.touched = [list(_touched(made.program, made)) for made in self.programs]
        self.expected = [made.expected() for made in self.programs]

    def _wrong(self, planned: Planned, refused: bool) -> bool:
        """Whether a program that differs from the sound one's is wrong, or refused where the sound one is not."""
        case = planned.case
        made = _compiled(planned)
        if isinstance(made, CompileError):
            return not refused
        engines = self.fleet.engines if case.config in CI_CONFIGS else ("executor",)
        if self.fleet.run(case, engines, planned.planner).verdict is not End.EQUAL:
            return True
        if case.config == _SMALL and not case.name.startswith(_SLOW):
            image = made.image
            check_orders(image.program(), planned.config, image.regions(image.pack_input(case.pixels)), case.fill, 2)
        return False

    def _running(self, mutant: Mutant, text: str) -> list[int]:
        """Plans that run the faulty statement."""
        file = str(import_module(module_name(mutant.file)).__file__)
        statement = {(file, line) for line in _statement(text, mutant.line)}
        return [at for at, lines in enumerate(self.lines) if lines & statement]

    def _by_plans(self, chosen: Sequence[int]) -> tuple[Verdict, str]:
        other, right = "", 0
        for at in chosen:
            planned, wanted = self.plans[at], self.digests[at]
            name = planned.case.name
            if right == _ENOUGH or (name.startswith(_SLOW) and other):
                break
            signal.setitimer(signal.ITIMER_VIRTUAL, _PLAN_SECONDS * (10 if name.startswith(_SLOW) else 1))
            try:
                found = _digest(_compiled(planned))
                if found != wanted and self._wrong(planned, wanted.startswith("refused")):
                    return Verdict.KILLED, name
            except DEFECTS:
                return Verdict.KILLED, name
            if found != wanted:
                other, right = other or name, right + 1
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        return (Verdict.OTHER if other else Verdict.SURVIVED), other

    def _by_programs(self) -> tuple[Verdict, str]:
        verdict = Verdict.SURVIVED
        for seed, sound in enumerate(self.programs):
            name = f"program:{5000 + seed}"
            try:
                made = random_program(5000 + seed, sound.config, 12)
                if made.program != sound.program:
                    verdict = Verdict.OTHER
                    check_orders(made.program, made.config, made.dram(), seed, 3)
                touched = list(_touched(sound.program, sound))
                if touched != self.touched[seed]:
                    verdict = Verdict.OTHER
                    check_program(sound.program, sound.config, sound.dram())
                if sound.expected() != self.expected[seed]:
                    return Verdict.KILLED, name
            except DEFECTS:
                return Verdict.KILLED, name
        return verdict, ""

    @staticmethod
    def _by_tests(names: Sequence[str]) -> tuple[Verdict, str]:
        import pytest

        for path in map(_TESTS.joinpath, names):
            if pytest.main(["-x", "-q", "-p", "no:cacheprovider", "-m", "not nightly", str(path)]) is not pytest.ExitCode.OK:
                return Verdict.KILLED, path.as_posix()
        return Verdict.SURVIVED, ""

    def _trial(self, hazard: bool, plans: Sequence[int]) -> tuple[Verdict, str]:
        verdict, by = self._by_programs() if hazard else (Verdict.SURVIVED, "")
        if verdict is not Verdict.KILLED:
            found, why = self._by_plans(plans)
            if found is not Verdict.SURVIVED:
                verdict, by = found, why
        if verdict is Verdict.SURVIVED or (hazard and verdict is not Verdict.KILLED):
            found, why = self._by_tests(_HAZARD_PARTS if hazard else _PARTS)
            if found is Verdict.KILLED:
                verdict, by = found, why
        return verdict, by

    def judge(self, mutant: Mutant, text: str) -> tuple[Verdict, str]:
        """What came of ``mutant``, and the plan, program or test that saw it (of another right program: the first plan that differs)."""

        plans = self._running(mutant, text)

        def work() -> str:
            put(mutant, text)
            return "|".join(self._trial(mutant.file in HAZARDS, plans))

        said = in_child(work, _CPU_SECONDS)
        if said is None:
            return Verdict.CRASHED, ""
        verdict, by = said.split("|")
        return Verdict(verdict), by
