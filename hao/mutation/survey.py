"""Draws faults, judges them, and counts: the table that is published."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from hao.errors import UsageError
from hao.mutation.equivalent import reason_of
from hao.mutation.mutant import Mutant, Verdict, interval, sample, text_digest
from hao.mutation.python_faults import python_mutants
from hao.mutation.python_runner import PythonJury, module_name, reachable
from hao.mutation.rtl_runner import Bench, judge_by_bench, judge_by_proof, rtl_text
from hao.mutation.verilog_faults import verilog_mutants

Target = Literal["reference", "compiler", "rtl-control", "rtl-data"]
TARGETS: tuple[Target, ...] = ("reference", "compiler", "rtl-control", "rtl-data")
SEED, CASES = 2026, 120
"""The fuzz cases of continuous integration (`tests/fuzz/test_campaign.py`)."""
_PROGRAMS = 12
REFERENCE = ("hao/ir/reference.py",)
# without the judge itself, the generators of programs, and what decides on speed alone
_NOT_COMPILER = frozenset({"executor", "executor_ops", "random_operands", "random_program", "timing", "tune", "__init__"})
CONTROL = (
    "hao_fifo", "hao_fifo_ram", "hao_burst", "hao_counters", "hao_control", "hao_regs", "hao_fetch", "hao_issue", "hao_store",
    "hao_read_dma", "hao_write_dma",
)  # fmt: skip
DATA: Mapping[str, Bench] = {
    "hao_requant": Bench("hao_requant_bench", "cocotb_requant", {"NumLanes": 8}),
    "hao_requant_dsp": Bench("hao_requant_bench", "cocotb_requant", {"NumLanes": 8}),
    "hao_window": Bench("hao_window", "cocotb_window", {"WinDepth": 32}, {"HAO_WIN_DEPTH": "32"}, wrapped=False),
    "hao_gather": Bench("hao_load", "cocotb_load", {"RowBytes": 320}, {"HAO_ROW_BYTES": "320"}, wrapped=False),
    "hao_gather_emit": Bench("hao_load", "cocotb_load", {"RowBytes": 320}, {"HAO_ROW_BYTES": "320"}, wrapped=False),
    "hao_load": Bench("hao_load", "cocotb_load", {"RowBytes": 320}, {"HAO_ROW_BYTES": "320"}, wrapped=False),
}


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

    ``seen`` counts killed and crashed ones; ``other`` those with another, right program;
    ``rate`` is ``seen / (drawn - equivalent - other)``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    target: Target
    seed: int
    population: int
    drawn: int
    seen: int
    equivalent: int
    other: int
    rate: float
    low: float
    high: float
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
    return tuple(f"accel/rtl/{name}.sv" for name in (CONTROL if target == "rtl-control" else tuple(DATA)))


def population(target: Target) -> list[Mutant]:
    """Every fault that the tool can make of a target."""
    found: list[Mutant] = []
    for file in files_of(target):
        text = sound_text(file)
        if file.endswith(".sv"):
            found += verilog_mutants(file, text)
        else:
            import_module("hao.compiler.compile")
            import_module(module_name(file))
            found += [mutant for mutant in python_mutants(file, text) if reachable(mutant, text)]
    return found


def _judge_rtl(target: Target, mutant: Mutant) -> tuple[Verdict, str]:
    text = sound_text(mutant.file)
    return judge_by_proof(mutant, text) if target == "rtl-control" else judge_by_bench(mutant, text, DATA[Path(mutant.file).stem])


def _judged(target: Target, chosen: list[Mutant], cases: int) -> Iterator[tuple[Mutant, Verdict, str]]:
    if target in ("rtl-control", "rtl-data"):
        for mutant in chosen:
            yield mutant, *_judge_rtl(target, mutant)
        return
    # the reference does not run inside the kernel; the compiler's programs are held by the executor's checks too
    if target == "reference":
        jury = PythonJury(("csim-native",), SEED, cases)
    else:
        jury = PythonJury(("csim-native", "executor"), SEED, cases, _PROGRAMS)
    for mutant in chosen:
        verdict, case = jury.judge(mutant, sound_text(mutant.file))
        yield mutant, verdict, f"{SEED}:{case}" if case >= 0 else ""


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
    for mutant, verdict, by in _judged(target, chosen, cases):
        text = sound_text(mutant.file)
        reason = reason_of(mutant, text) if verdict is Verdict.SURVIVED else ""
        rows.append(
            Row(
                file=mutant.file, source=text_digest(text), line=mutant.line, kind=mutant.kind, start=mutant.start, end=mutant.end,
                before=mutant.before, after=mutant.after, verdict=verdict, by=by, reason=reason,
            )
        )  # fmt: skip
        if listen is not None:
            listen(len(rows), len(chosen), rows[-1])
    equivalent = sum(bool(row.reason) for row in rows)
    seen = sum(row.verdict in (Verdict.KILLED, Verdict.CRASHED) for row in rows)
    other = sum(row.verdict is Verdict.OTHER for row in rows)
    judged = len(rows) - equivalent - other
    low, high = interval(seen, judged)
    return Survey(
        target=target, seed=seed, population=len(everything), drawn=len(rows), seen=seen, equivalent=equivalent, other=other,
        rate=seen / judged if judged else 0.0, low=low, high=high, seconds=round(_seconds() - begin, 1), rows=tuple(rows),
    )  # fmt: skip
