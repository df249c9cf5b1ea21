"""A campaign: many cases one behind another, counted; failures shrunk and written as reproducers."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import hao
from hao.boards import Board
from hao.engine.config import EngineConfig
from hao.errors import UsageError
from hao.fuzz.case import STALLS, Case, draw_case
from hao.fuzz.engines import ENGINES, Fleet
from hao.fuzz.outcome import Outcome, Verdict
from hao.fuzz.programs import ProgramCase, draw_program, run_program, shrink_program
from hao.fuzz.report import Draws, Failure, FuzzReport, Tally
from hao.fuzz.reproducer import save_reproducer
from hao.fuzz.shrink import shrink


@dataclass(frozen=True, slots=True)
class Plan:
    """What a campaign runs.

    Attributes:
        cases, programs: networks and programs to draw.
        seed, first: case ``first`` of the seed is the first one; the same seed and index give the same case.
        configs: configurations by name.
        board: whose DRAM the RTL sees.
        engines: of ``hao.fuzz.engines.ENGINES``.
        stalls: chances of a stall, of 256, to draw from.
        folder: where reproducers go; None: none are written, and nothing is shrunk.
        commit: of the source tree, for the report.
        seconds: wall time after which no further case is begun; None: all are run.
        before: the report of an interrupted run of the same plan, which goes on behind its last case.
    """

    cases: int
    seed: int
    configs: Mapping[str, EngineConfig]
    board: Board
    programs: int = 0
    first: int = 0
    engines: Sequence[str] = ENGINES
    stalls: Sequence[int] = STALLS
    folder: Path | None = None
    commit: str = ""
    seconds: float | None = None
    before: FuzzReport | None = None

    @property
    def draws(self) -> Draws:
        """What decides the cases."""
        total = self.cases + self.programs
        return Draws(self.seed, self.first, tuple(self.engines), tuple(self.configs), tuple(self.stalls), total, self.programs)


Listener = Callable[[str, int, int, int], None]
"""Told of ``(what, done, total, failures)``; ``what`` is ``build`` with the configurations built, or ``run`` with the cases ended."""


def _silent(what: str, done: int, total: int, failures: int) -> None:
    del what, done, total, failures


def _slug(text: str) -> str:
    """``text`` as a part of a file name."""
    return "".join(character if character.isalnum() else "-" for character in text.lower()).strip("-")


class Campaign:
    """Runs a plan.

    Raises:
        UsageError: an unknown engine, or ``before`` is of another plan or commit.
    """

    def __init__(self, plan: Plan, listen: Listener = _silent) -> None:
        if plan.before is not None:
            wrong = "commit" if plan.before.commit != plan.commit else plan.draws.differing(plan.before)
            if wrong:
                raise UsageError(f"the run to go on with had another {wrong}", "give the same options, or begin anew without --resume")
        self.plan, self._listen = plan, listen
        self.fleet = Fleet(plan.engines, plan.configs)
        self.tally = Tally(plan.before)
        self._start = time.perf_counter()

    def run(self) -> FuzzReport:
        """Build all engines, run all cases, and report.

        Raises:
            BuildError, MissingTool: an engine cannot be built.
            DataError: a reproducer cannot be written.
        """
        plan = self.plan
        for done, name in enumerate(plan.configs):
            self._listen("build", done, len(plan.configs), 0)
            self.fleet.build(name, draw_case(plan.seed, 0, [name], plan.board).timing)
        self._start, total = time.perf_counter(), plan.cases + plan.programs
        for index in range(self.tally.cases, total):
            self._one(index)
            self._listen("run", index + 1, total, len(self.tally.failures))
            if plan.seconds is not None and time.perf_counter() - self._start > plan.seconds:
                break
        return self.report()

    def report(self) -> FuzzReport:
        """What has run so far."""
        seconds = time.perf_counter() - self._start
        return self.tally.report(self.plan.draws, version=hao.__version__, commit=self.plan.commit, seconds=seconds)

    def _one(self, index: int) -> None:
        plan = self.plan
        # programs are spread evenly among the networks, so that an interrupted campaign has run some of both
        programs = (index + 1) * plan.programs // (plan.cases + plan.programs)
        is_program = programs > index * plan.programs // (plan.cases + plan.programs)
        if is_program:
            program = draw_program(plan.seed, plan.first + programs - 1, plan.configs, plan.board, plan.stalls)
            self._end(program, run_program(self.fleet, program))
            return
        begin = time.process_time()
        case = draw_case(plan.seed, plan.first + index - programs, list(plan.configs), plan.board, plan.stalls)
        self.tally.seconds["draw"] += time.process_time() - begin
        self._end(case, self.fleet.run(case))

    def _end(self, case: Case | ProgramCase, outcome: Outcome) -> None:
        self.tally.add(case, outcome)
        if outcome.verdict is not Verdict.FAILED:
            return
        path = "" if self.plan.folder is None else str(self._reproduce(case, outcome, self.plan.folder))
        self.tally.failures.append(
            Failure(case=case.name, configuration=case.config, stage=outcome.stage, message=outcome.message, reproducer=path)
        )

    def _reproduce(self, case: Case | ProgramCase, outcome: Outcome, folder: Path) -> Path:
        if isinstance(case, ProgramCase):
            case = shrink_program(self.fleet, case, outcome.stage)
            last = run_program(self.fleet, case)
        else:
            engines = [outcome.stage] if outcome.stage in self.fleet.engines else list(self.fleet.engines[:1])
            case = shrink(case, lambda each: self._same(each, outcome, engines))
            last = self.fleet.run(case, engines)
        name = f"{_slug(outcome.stage)}-{_slug(case.config)}-{_slug(case.name)}"
        return save_reproducer(case, self.plan.configs[case.config], last.stage, last.message, folder, name)

    def _same(self, case: Case, wanted: Outcome, engines: Sequence[str]) -> bool:
        found = self.fleet.run(case, engines)
        return found.verdict is Verdict.FAILED and (found.stage, found.signature) == (wanted.stage, wanted.signature)
