"""Draws faults, judges them, and counts: the table that is published."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from hao.codegen.rtl import rtl_sources
from hao.errors import UsageError
from hao.mutation.compiler_jury import CompilerJury
from hao.mutation.engine_jury import faulty_sources
from hao.mutation.equivalent import proven_reason, reason_of
from hao.mutation.mutant import Mutant, Verdict, interval, sample, text_digest
from hao.mutation.python_faults import python_mutants
from hao.mutation.python_runner import PythonJury, module_name, reachable
from hao.mutation.rtl_runner import RtlJury, rtl_text

Target = Literal["reference", "compiler", "rtl"]
TARGETS: tuple[Target, ...] = ("reference", "compiler", "rtl")
SEED, CASES = 2026, 120
"""The fuzz cases of continuous integration (`tests/fuzz/test_campaign.py`)."""
REFERENCE = ("hao/ir/reference.py",)
# without the judge itself, the generators of programs, and what decides on speed alone
_NOT_COMPILER = frozenset({"executor", "executor_ops", "random_operands", "random_program", "timing", "tune", "__init__"})


class Row(BaseModel):
    """One fault and what came of it; ``by`` is the case, proof or bench that saw it, ``reason`` why a survivor is no fault at all."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    file: str
    source: str = Field(description="digest of the sound file")
    line: int
    kind: str
    start: int
    end: int
    before: str
    after: str
    verdict: Verdict
    by: str = ""
    reason: str = ""

    @property
    def mutant(self) -> Mutant:
        """The fault itself."""
        return Mutant(self.file, self.line, self.kind, self.start, self.end, self.before, self.after)


class Survey(BaseModel):
    """One target: ``drawn`` of ``population`` faults, by ``seed``; the interval is Wilson's at 95 %.

    ``seen`` counts killed and crashed ones; ``other`` those whose values are all right, but whose programs (of the RTL: cycles) are not
    the sound ones'; ``recorded`` are those among them that a test of recorded programs or cycles sees. ``rate`` is
    ``seen / (drawn - equivalent - other)``, ``recorded_rate`` is ``(seen + recorded) / (drawn - equivalent)``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    target: Target
    seed: int
    population: int
    drawn: int
    seen: int
    equivalent: int
    other: int
    recorded: int = 0
    rate: float
    low: float
    high: float
    recorded_rate: float = 0.0
    recorded_low: float = 0.0
    recorded_high: float = 1.0
    seconds: float
    rows: tuple[Row, ...]

    def digest(self) -> str:
        """SHA-256 over the rows."""
        return hashlib.sha256(json.dumps([row.model_dump(mode="json") for row in self.rows], sort_keys=True).encode()).hexdigest()


class Table(BaseModel):
    """What is published: surveys with the commit and the digest of their rows."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    version: Literal[1] = 1
    commit: str
    digest: str
    surveys: tuple[Survey, ...]

    @staticmethod
    def sealed(commit: str, surveys: tuple[Survey, ...]) -> Table:
        """A table with its digest."""
        return Table(commit=commit, digest=digest_of(surveys), surveys=surveys)


def digest_of(surveys: tuple[Survey, ...]) -> str:
    """SHA-256 over the digests of all surveys."""
    return hashlib.sha256("".join(survey.digest() for survey in surveys).encode()).hexdigest()


def _root() -> Path:
    return Path(str(import_module("hao").__file__)).parent.parent


def sound_text(file: str) -> str:
    """The text that a fault of ``file`` is put into."""
    return rtl_text(file) if file.endswith(".sv") else (_root() / file).read_text(encoding="utf-8")


def files_of(target: Target) -> tuple[str, ...]:
    """The sources of a target."""
    if target == "reference":
        return REFERENCE
    if target == "compiler":
        folder = _root() / "hao" / "compiler"
        return tuple(f"hao/compiler/{path.name}" for path in sorted(folder.glob("*.py")) if path.stem not in _NOT_COMPILER)
    return tuple(f"accel/rtl/{path.name}" for path in rtl_sources())


def population(target: Target) -> list[Mutant]:
    """Every fault that the tool can make of a target; of the RTL those that one model can hold."""
    if target == "rtl":
        return list(faulty_sources().faults.values())
    found: list[Mutant] = []
    import_module("hao.compiler.compile")
    for file in files_of(target):
        text = sound_text(file)
        import_module(module_name(file))
        found += [mutant for mutant in python_mutants(file, text) if reachable(mutant, text)]
    return found


def _judge_of(target: Target, cases: int) -> Callable[[Mutant], tuple[Verdict, str]]:
    if target == "rtl":
        return RtlJury().judge
    # the reference does not run inside the kernel
    jury = PythonJury(("csim-native",), SEED, cases) if target == "reference" else CompilerJury()
    return lambda mutant: jury.judge(mutant, sound_text(mutant.file))


def _seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def survey(target: Target, count: int, seed: int, cases: int = CASES, listen: Callable[[int, int, Row], None] | None = None) -> Survey:
    """Judge a sample of the faults of a target.

    Args:
        target: of ``TARGETS``.
        count: most faults to draw.
        seed: of the sample.
        cases: fuzz cases that Python faults are judged by.
        listen: told of ``(done, drawn, row)``.

    Raises:
        UsageError: an unknown target.
        BuildError, MissingTool: the engines cannot be built.
    """
    if target not in TARGETS:
        raise UsageError(f"there is no target called {target!r}", f"targets: {', '.join(TARGETS)}")
    begin, everything = _seconds(), population(target)
    chosen = sample(everything, count, seed)
    rows: list[Row] = []
    judge = _judge_of(target, cases)
    for mutant in chosen:
        verdict, by = judge(mutant)
        text = sound_text(mutant.file)
        reason = reason_of(mutant, text) if verdict is Verdict.SURVIVED else ""
        if verdict is Verdict.SURVIVED and target == "rtl":
            reason = reason or proven_reason(mutant, text)
        rows.append(
            Row(
                file=mutant.file, source=text_digest(text), line=mutant.line, kind=mutant.kind, start=mutant.start, end=mutant.end,
                before=mutant.before, after=mutant.after, verdict=verdict, by=by, reason=reason,
            )
        )  # fmt: skip
        if listen is not None:
            listen(len(rows), len(chosen), rows[-1])
    return counted(target, seed, len(everything), rows, _seconds() - begin)


def counted(target: Target, seed: int, population: int, rows: Sequence[Row], seconds: float) -> Survey:
    """The survey of judged faults. Of another program or other cycles, ``by`` names the recorded network where they differ."""
    equivalent = sum(bool(row.reason) for row in rows)
    seen = sum(row.verdict in (Verdict.KILLED, Verdict.CRASHED) for row in rows)
    other = sum(row.verdict is Verdict.OTHER for row in rows)
    recorded = sum(row.verdict is Verdict.OTHER and bool(row.by) for row in rows)
    faults = len(rows) - equivalent
    low, high = interval(seen, faults - other)
    recorded_low, recorded_high = interval(seen + recorded, faults)
    return Survey(
        target=target, seed=seed, population=population, drawn=len(rows), seen=seen, equivalent=equivalent, other=other, recorded=recorded,
        rate=seen / (faults - other) if faults > other else 0.0, low=low, high=high,
        recorded_rate=(seen + recorded) / faults if faults else 0.0, recorded_low=recorded_low, recorded_high=recorded_high,
        seconds=round(seconds, 1), rows=tuple(rows),
    )  # fmt: skip
