"""``hao nas``: a network and its accelerator for a task and a board, from the supernet to the bit-exact winner."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from hao.boards import Board, load_board
from hao.cli.ticker import Ticker
from hao.errors import UsageError
from hao.report.front import Axes, Member, interval, tied, write_csv, write_page, write_png
from hao.report.nas import Bits, FinalistReport, NasReport, Seen
from hao.report.schema import write_text
from hao.runtime.session import SIMULATED
from hao.search.pareto import front
from hao.search.solver import SolverName

if TYPE_CHECKING:
    from hao.nas.finalists import Setting
    from hao.nas.run import Result

_SOLVERS: dict[str, SolverName] = {"cbc": "cbc", "highs": "highs"}
DESIGN = "winner.json"
STOPS = ("supernet", "architectures", "trained")
"""Stages behind which a search can be stopped, to go on elsewhere."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the user asked for; see ``hao nas --help``."""

    task: str = "digits"
    board: str = "slice-2"
    out: Path = Path("build/nas")
    data: Path = Path("build/data")
    pictures: tuple[int, int, int] = (4000, 1000, 2000)
    supernet_epochs: int = 120
    epochs: int = 60
    quantized_epochs: int = 20
    evaluations: int = 200
    finalists: int = 10
    folds: int = 5
    target: float = 97.0
    engines: tuple[str, ...] = ("csim", "rtl")
    frames: int = 3
    seed: int = 1
    solver: str = "cbc"
    threads: int = 1
    json: Path | None = None
    device: str = "cpu"
    batch: int = 128
    until: str = ""
    bfloat16: bool = False
    inherit: bool = False
    warm: int = 0
    rate: float = 4e-3


def usual(task: str) -> Options:
    """What is done for ``task`` where the user says nothing: fewer epochs for more and larger pictures."""
    if task == "digits":
        return Options(task)
    return Options(
        task, pictures=(20_000, 3_000, 10_000), supernet_epochs=28, epochs=12, quantized_epochs=4, evaluations=150, finalists=6, folds=0,
        target=75.0, batch=64, bfloat16=True, inherit=True, warm=4, rate=2e-3,
    )  # fmt: skip


def counts(text: str) -> tuple[int, int, int]:
    """Three numbers separated by commas.

    Raises:
        UsageError: they are not.
    """
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != 3 or not all(part.isdecimal() and int(part) for part in parts):
        raise UsageError(f"--pictures {text!r} are not three numbers", "such as 4000,1000,2000: to train, to validate, to test on")
    first, second, third = map(int, parts)
    return first, second, third


def _check(options: Options) -> SolverName:
    if options.solver not in _SOLVERS:
        raise UsageError(f"there is no solver called {options.solver!r}", f"known: {', '.join(_SOLVERS)}")
    unknown = [name for name in options.engines if name not in SIMULATED]
    if unknown:
        raise UsageError(f"there is no engine called {unknown[0]!r}", f"engines: {', '.join(SIMULATED)}; or none: --engines ''")
    if options.folds == 1:
        raise UsageError("one fold leaves nothing to train on", "give 0 for none, or at least 2")
    if options.warm >= options.supernet_epochs:
        raise UsageError(
            f"--warm {options.warm} leaves no epoch of {options.supernet_epochs} to the other architectures",
            f"give --supernet-epochs {options.warm + 1} or more, or --warm 0",
        )
    if options.until and options.until not in STOPS:
        raise UsageError(f"there is no stage called {options.until!r} to stop behind", f"known: {', '.join(STOPS)}")
    return _SOLVERS[options.solver]


def _members(report: NasReport, board: Board) -> list[Member]:
    return [
        Member(f.name, float(f.program_cycles), board.frames_per_second(f.program_cycles), f.test, f.low, f.high, f.engine, f.front)
        for f in report.finalists
    ]  # fmt: skip


def _print(console: Console, report: NasReport) -> None:
    console.print(
        f"{report.family} architectures; {report.evaluations} evaluated with the supernet's weights (median "
        f"{report.evaluation_median:.2f} s), {report.solved} solved exactly (median {report.solve_median:.2f} s, "
        f"95 % within {report.solve_late:.2f} s)"
    )
    title = f"{report.task} on {report.board}: trained alone, solved with the full model"
    table = Table("", "architecture", "cycles", "± %", "inherited", "validation", "test %", "95 % interval", "engine", title=title)
    for f in report.finalists:
        mark = "winner" if f.name == report.winner else "front" if f.front else ""
        table.add_row(
            mark, f.name, f"{f.program_cycles:,}", f"{100 * f.error:.0f}", f"{f.inherited:.1f}", f"{f.valid:.1f}", f"{f.test:.1f}",
            f"{f.low:.1f} to {f.high:.1f}", f.engine,
        )  # fmt: skip
    console.print(table)
    console.print("tied on the test part: " + ("; ".join(f"{a} and {b}" for a, b in report.tied) or "none"))
    if report.fold_percent is not None:
        console.print(
            f"winner {report.winner}, {len(report.folds)} folds over all {sum(of for _, of in report.folds)} pictures: integer network "
            f"{report.fold_percent:.2f} % ({report.fold_low:.2f} to {report.fold_high:.2f})"
        )
    for proof in report.proofs:
        cycles = "" if proof.cycles is None else f", {proof.cycles:,} cycles"
        console.print(f"{proof.engine}: {proof.compared:,} values of {proof.frames} frames equal{cycles}")
    spent = ", ".join(f"{stage} {seconds:.0f} s" for stage, seconds in report.seconds.items())
    console.print(f"{sum(report.seconds.values()) / 60:.1f} minutes: {spent}")
    console.print(f"design: {report.design}; measure it: hao build {report.design}", markup=False)


def _report(options: Options, setting: Setting, found: Result, design: Path) -> NasReport:
    from hao.models.searchable import members

    explored, count = found.explored, len(setting.corpus.test)
    best = set(front([(float(f.program_cycles), f.valid) for f in found.finalists]))
    rows = []
    for f in found.finalists:
        share = 100 * found.hits[f.member.name] / count
        low, high = interval(share, count)
        config = f.design.configuration
        rows.append(
            FinalistReport(
                name=f.member.name, engine=f"{config.name}-dw{config.dw_lanes}", cycles=f.cycles, program_cycles=f.program_cycles,
                error=f.error, status=f.status, gap=f.gap, inherited=explored.points[f.member][1], valid=f.valid, test=share, low=low,
                high=high, front=(float(f.program_cycles), f.valid) in best,
            )
        )  # fmt: skip
    hits, of = (sum(part) for part in zip(*found.folds, strict=True)) if found.folds else (0, 0)
    folds = interval(100 * hits / of, of) if of else (None, None)
    seen = sorted((point, member.name) for member, point in explored.points.items() if point in front(list(explored.points.values())))
    report = NasReport(
        task=options.task, board=options.board, seed=options.seed, shape=setting.corpus.shape, classes=setting.corpus.names,
        pictures=(len(setting.corpus.train), len(setting.corpus.valid), count), family=len(members(setting.corpus.family)),
        evaluations=len(explored.points),
        solved=explored.solved, solve_median=explored.median_seconds, solve_late=explored.late_seconds,
        evaluation_median=explored.evaluation_seconds,
        front=tuple(Seen(name=name, cycles=cycles, accuracy=accuracy) for (cycles, accuracy), name in seen), finalists=tuple(rows), tied=(),
        winner=found.winner.member.name, design=str(design), folds=found.folds, fold_percent=100 * hits / of if of else None,
        fold_low=folds[0], fold_high=folds[1], proofs=tuple(Bits(**asdict(proof)) for proof in found.proofs), seconds=found.seconds,
    )  # fmt: skip
    return report.model_copy(update={"tied": tuple(tied(_members(report, setting.board)))})


def run_nas(options: Options, console: Console) -> int:
    """Search, print, write; an interrupted search goes on where it was.

    Raises:
        HaoError: see ``docs/exit-codes.md``.
    """
    import torch

    from hao.nas.corpus import load
    from hao.nas.finalists import Setting
    from hao.nas.learn import Lessons, check_device
    from hao.nas.run import Plan, search

    solver, board = _check(options), load_board(options.board)
    torch.set_num_threads(options.threads)
    device = check_device(options.device)
    corpus = load(options.task, options.data, options.pictures)
    lessons = Lessons(
        options.supernet_epochs, options.epochs, options.quantized_epochs, options.batch, options.bfloat16, options.inherit,
        options.warm, options.rate,
    )  # fmt: skip
    setting = Setting(corpus, board, options.board, options.out, lessons, options.seed, solver, device)
    plan = Plan(options.evaluations, options.finalists, options.folds, options.target, options.engines, options.frames, options.until)
    try:
        with Ticker(console) as ticker:
            found = search(setting, plan, ticker.tell)
    except KeyboardInterrupt:
        console.print(f"interrupted: the same command goes on from what {options.out} holds", markup=False)
        raise
    if found is None:
        text = f"stopped behind {options.until}: the same command without --until goes on from what {options.out} holds"
        console.print(text, markup=False)
        return 0
    design = options.out / DESIGN
    write_text(design, found.winner.design.model_dump_json(indent=1) + "\n")
    report = _report(options, setting, found, design)
    _print(console, report)
    members = _members(report, board)
    axes = Axes(f"{options.task} on {options.board}", f"accuracy on {len(corpus.test)} test pictures, %")
    write_csv(options.out / "front.csv", members)
    write_png(options.out / "front.png", members, axes)
    write_page(options.out / "front.html", members, axes)
    for path in (options.out / "report.json", *([options.json] if options.json else [])):
        write_text(path, report.model_dump_json(indent=1) + "\n")
    return 0
