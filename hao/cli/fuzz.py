"""``hao fuzz``: random networks and programs on every engine, compared value by value, counted."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from hao.boards import load_board
from hao.cli.bench import commit
from hao.engine.config import CI_CONFIGS
from hao.errors import EngineMismatch, UsageError
from hao.fuzz.campaign import Campaign, Listener, Plan
from hao.fuzz.case import STALLS
from hao.fuzz.configs import FUZZ_CONFIGS
from hao.fuzz.engines import ENGINES, Fleet
from hao.fuzz.outcome import Verdict
from hao.fuzz.programs import ProgramCase, run_program
from hao.fuzz.report import FuzzReport, read_fuzz
from hao.fuzz.reproducer import load_reproducer
from hao.report.schema import write_text

_EVERY_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Options:
    """What the user asked for; see ``hao fuzz --help``."""

    cases: int = 150
    programs: int = 0
    seed: int = 1
    first: int = 0
    configurations: tuple[str, ...] = tuple(CI_CONFIGS)
    engines: tuple[str, ...] = ENGINES
    stalls: tuple[str, ...] = tuple(map(str, STALLS))
    board: str = "ultra96v2"
    folder: Path = Path("build/fuzz")
    replay: Path | None = None
    json: Path | None = None
    minutes: float = 0.0
    resume: bool = False


class _Line:
    """One line of progress with the time that is left; where output goes to a file, a new line every minute."""

    def __init__(self, console: Console) -> None:
        columns = (
            TextColumn("{task.description:<24}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("left:"),
            TimeRemainingColumn(),
        )  # fmt: skip
        self._console, self._start, self._told = console, time.monotonic(), time.monotonic()
        self._progress = Progress(*columns, console=console, transient=True)
        self._task = self._progress.add_task("building", total=None)
        self._before = -1

    def __enter__(self) -> _Line:
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, where: TracebackType | None) -> None:
        self._progress.stop()

    def listen(self, what: str, done: int, total: int, failures: int) -> None:
        """See ``hao.fuzz.campaign.Listener``."""
        now = time.monotonic()
        if what == "run" and self._before < 0:
            self._progress.reset(self._task)
            self._start, self._before = now, done - 1
        elif what == "run" and not self._console.is_terminal and now - self._told >= _EVERY_SECONDS:
            self._told, left = now, (now - self._start) / (done - self._before) * (total - done) / 60
            self._console.print(f"{done:,} of {total:,} cases, {failures} failed, {left:.0f} min left")
        text = "building engines" if what == "build" else f"running, {failures} failed"
        self._progress.update(self._task, description=text, completed=done, total=total)


def _plan(options: Options) -> Plan:
    unknown = [name for name in options.configurations if name not in FUZZ_CONFIGS]
    if unknown or not options.configurations:
        named = repr(unknown[0]) if unknown else "nothing"
        raise UsageError(f"there is no configuration called {named}", f"configurations: {', '.join(FUZZ_CONFIGS)}")
    if not all(text.isdecimal() and int(text) <= 250 for text in options.stalls) or not options.stalls:
        raise UsageError(f"{','.join(options.stalls)!r} are no chances of a stall", "give numbers from 0 to 250, separated by commas")
    if options.cases + options.programs < 1:
        raise UsageError("there is nothing to run", "give --cases or --programs")
    return Plan(
        options.cases, options.seed, {name: FUZZ_CONFIGS[name] for name in options.configurations}, load_board(options.board),
        options.programs, options.first, options.engines, tuple(map(int, options.stalls)), options.folder, commit(),
        60 * options.minutes or None, _before(options),
    )  # fmt: skip


def _before(options: Options) -> FuzzReport | None:
    """What an interrupted run had written."""
    if not options.resume:
        return None
    if options.json is None:
        raise UsageError("there is nothing to go on with", "give the report of the interrupted run: --json FILE")
    return read_fuzz(options.json) if options.json.exists() else None


class _Kept(Campaign):
    """A campaign that writes down every minute how far it is."""

    def __init__(self, plan: Plan, listen: Listener, path: Path | None) -> None:
        super().__init__(plan, self._heard)
        self._told, self._path, self._written = listen, path, time.monotonic()

    def _heard(self, what: str, done: int, total: int, failures: int) -> None:
        self._told(what, done, total, failures)
        if what == "run" and self._path is not None and time.monotonic() - self._written >= _EVERY_SECONDS:
            self._written = time.monotonic()
            write_text(self._path, self.report().model_dump_json(indent=1) + "\n")


def print_report(console: Console, report: FuzzReport) -> None:
    """Counts, speed, spread and failures."""
    for what, counts in report.spread.items():
        console.print(f"  {what:<14} " + ", ".join(f"{name}: {count:,}" for name, count in counts.items()))
    for reason, count in report.reasons.items():
        console.print(f"  {count:>5} refused: {escape(reason)}")
    ran = report.equal + len(report.failures)
    for stage, seconds in report.cpu_seconds.items():
        rate = f"{ran / seconds:,.1f} cases/s" if seconds else ""
        console.print(f"  {stage:<14} {seconds:>9.1f} s of processor time  {rate}")
    for failure in report.failures:
        console.print(f"[bold red]FAILED[/] {failure.case} on {failure.configuration}, {failure.stage}: {escape(failure.message)}")
        console.print(f"  {failure.reproducer}")
    console.print(
        f"[bold]{report.cases:,} cases (seed {report.seed}, from {report.first}): {report.equal:,} equal in {report.compared:,} values, "
        f"{report.refused:,} refused by the compiler, {len(report.failures)} failed[/]; {report.cycles:,} cycles, "
        f"{report.cases / max(report.seconds, 1e-9):.2f} cases/s"
    )


def _replay(path: Path, engines: tuple[str, ...], console: Console) -> int:
    case, config = load_reproducer(path)
    fleet = Fleet(engines, {case.config: config})
    outcome = run_program(fleet, case) if isinstance(case, ProgramCase) else fleet.run(case)
    if outcome.verdict is Verdict.FAILED:
        raise EngineMismatch(f"{path.name} still fails: {outcome.stage}: {outcome.message}")
    console.print(f"{path.name}: {outcome.verdict.value} {outcome.message} ({outcome.compared:,} values)")
    return 0


def fuzz(options: Options, console: Console) -> int:
    """Run a campaign, print and write its report; or replay one reproducer.

    Raises:
        EngineMismatch: a case failed; after the report is written.
        HaoError: see ``docs/exit-codes.md``.
    """
    if options.replay is not None:
        return _replay(options.replay, options.engines, console)
    with _Line(console) as line:
        report = _Kept(_plan(options), line.listen, options.json).run()
    if options.json is not None:
        write_text(options.json, report.model_dump_json(indent=1) + "\n")
    print_report(console, report)
    if report.failures:
        first = report.failures[0]
        raise EngineMismatch(
            f"{len(report.failures)} of {report.cases} cases failed, first {first.case}: {first.stage}: {first.message}",
            f"hao fuzz --replay {first.reproducer}",
        )
    if not report.passed:
        raise EngineMismatch("no value was compared", "run more cases, on more engines")
    return 0
