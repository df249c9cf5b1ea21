"""``hao bench``: every workload on the RTL against the reference, one row each."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from hao.boards import load_board
from hao.cli.literature import LITERATURE
from hao.cli.networks import RANDOM, zoo_name
from hao.cli.run import Options, measure
from hao.cost.cycles import estimate_cycles, published_error
from hao.engine.image import ProgramImage
from hao.errors import EngineMismatch, HaoError
from hao.report.bench import Bench, BenchRow
from hao.report.schema import write_text
from hao.runtime.rtl import RtlEngine
from hao.runtime.session import EngineRun, Prepared
from hao.runtime.timing import DramTiming
from hao.runtime.verdict import program_of
from hao.synth.report import Synthesis, read_table, table_path

WORKLOADS = ("digits", "codenet-1x-a", "codenet-1x-b", "codenet-1x-c", "mobilenetv2-1.0", "ultranet")
"""What ``make bench`` runs."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run: see ``hao bench --help``."""

    workloads: Sequence[str]
    board: str
    configurations: Sequence[str]
    frames: int
    path: Path


def known_workloads() -> tuple[str, ...]:
    """Those of ``WORKLOADS`` that this version has numbers for, trained or random."""
    return tuple(name for name in WORKLOADS if name in RANDOM or zoo_name(name) is not None)


def commit() -> str:
    """The commit of the source tree; empty outside a repository."""
    root = Path(__file__).resolve().parent
    done = subprocess.run(["git", "-C", str(root), "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def _synthesis(configuration: str) -> Synthesis | None:
    """The committed synthesis of a configuration, where there is one."""
    path = table_path(configuration)
    return read_table(path) if path.exists() else None


def accuracy_of(card: dict[str, Any]) -> tuple[str, float] | None:
    """What a model card says that its integer network reaches on the test data: metric and percent."""
    for field, metric in (("test_accuracy_percent", "top-1 %"), ("test_ap50_percent", "AP50 %")):
        found = card.get(field)
        if isinstance(found, dict) and "integer" in found:
            value = found["integer"]
            return metric, float(value["ap50"] if isinstance(value, dict) else value)
    return None


def _accuracy(workload: str) -> tuple[str, float] | None:
    from hao.models import zoo

    name = zoo_name(workload)
    return None if name is None else accuracy_of(zoo.card(name))


def _sustained(prepared: Prepared, run: EngineRun, timing: DramTiming, clock_hz: float, frames: int) -> float | None:
    """Frames per second of ``frames`` frames back to back; their outputs must be those of the single one."""
    if frames < 1:
        return None
    image = prepared.image
    engine = RtlEngine(image.config, timing)
    cycles, output = engine.stream(program_of(image), image.pack_input(prepared.pixels), frames)
    if output != run.result.output:
        raise EngineMismatch(f"{frames} frames back to back leave another output than one", "state survives a frame")
    return frames * clock_hz / cycles


def _predict(image: ProgramImage, board: str) -> int:
    return estimate_cycles(image.program(), image.config, load_board(board), image.manifest.program_offset).cycles


def _row(workload: str, configuration: str, plan: Plan, console: Console) -> BenchRow:
    weights = "" if zoo_name(workload) else "random"
    options = Options(workload, weights, board=plan.board, configuration=configuration, engines=("reference", "rtl"))
    report, _, runs, prepared = measure(options, console)
    for run in runs.values():
        run.verdict.require_equal()
    engine, area = report.engines["rtl"], _synthesis(configuration)
    accuracy = _accuracy(workload) if report.weights.kind == "trained" else None
    board = load_board(plan.board)
    with console.status(f"{plan.frames} frames back to back"):
        sustained = _sustained(prepared, runs["rtl"], DramTiming.of_board(board), board.clock.engine_mhz * 1e6, plan.frames)
    row = BenchRow(
        workload=workload,
        board=report.board,
        configuration=report.configuration,
        weights=report.weights,
        accuracy=None if accuracy is None else accuracy[1],
        accuracy_metric="" if accuracy is None else accuracy[0],
        accuracy_source="" if accuracy is None else "model card, integer network, test data",
        cycles=report.cycles or 0,
        predicted_cycles=_predict(prepared.image, plan.board),
        predicted_error=published_error(),
        frames_per_second=report.frames_per_second or 0.0,
        sustained_frames_per_second=sustained,
        sustained_frames=plan.frames if sustained else 0,
        clock_mhz=report.clock_mhz,
        equal=engine.equal,
        compared=engine.compared,
        digest=engine.digest,
        lut=None if area is None else area.lut,
        ff=None if area is None else area.ff,
        dsp=None if area is None else area.dsp,
        bram36=None if area is None else area.bram36,
        sim_seconds=engine.seconds,
        literature=LITERATURE.get(workload, ()),
    )
    console.print(f"  {row.cycles:,} cycles, predicted {row.predicted_cycles:,}; equal in {row.compared:,} values")
    return row


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", header_style="bold", box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False)


def _columns(table: Table, left: Sequence[str], right: Sequence[str]) -> None:
    for name in left:
        table.add_column(name, overflow="fold", no_wrap=True)
    for name in right:
        table.add_column(name, justify="right", no_wrap=True)


def _print_measured(console: Console, rows: Sequence[BenchRow]) -> None:
    table = _table("Measured on the RTL, DRAM of the board simulated")
    _columns(table, ("workload", "engine", "weights", "accuracy", "equality"), ("compared", "cycles", "model", "frames/s", "sustained"))
    for row in rows:
        off = "" if row.predicted_cycles is None else f"{100 * (row.predicted_cycles / row.cycles - 1):+.1f} %"
        table.add_row(
            row.workload,
            row.configuration,
            row.weights.kind,
            "" if row.accuracy is None else f"{row.accuracy_metric} {row.accuracy:g}",
            "[green]equal[/]" if row.equal else "[bold red]NOT EQUAL[/]",
            f"{row.compared:,}",
            f"{row.cycles:,}",
            off,
            f"{row.frames_per_second:,.1f}",
            "" if row.sustained_frames_per_second is None else f"{row.sustained_frames_per_second:,.1f}",
        )
    console.print(table)


def _print_area(console: Console, rows: Sequence[BenchRow]) -> None:
    table = _table("Area as Yosys counts it, committed tables")
    _columns(table, ("engine",), ("LUT", "FF", "DSP", "BRAM36"))
    for row in {row.configuration: row for row in rows if row.lut is not None}.values():
        area = (row.lut, row.ff, row.dsp, row.bram36)
        table.add_row(row.configuration, *("" if value is None else f"{value:,g}" for value in area))
    if table.row_count:
        console.print(table)


def _print_literature(console: Console, rows: Sequence[BenchRow]) -> None:
    table = _table("Published by others (not run here)")
    _columns(table, ("workload",), ("frames/s", "ours is"))
    for name in ("design", "source", "note"):
        table.add_column(name, overflow="fold")
    for row in rows:
        for each in row.literature:
            factor = f"{row.frames_per_second / each.frames_per_second:.1f} x"
            table.add_row(row.workload, f"{each.frames_per_second:g}", factor, each.design, each.source, each.note)
    if table.row_count:
        console.print(table)


def print_rows(console: Console, rows: Sequence[BenchRow]) -> None:
    """The rows as tables: what was measured, what it occupies, and what others published, with their sources."""
    _print_measured(console, rows)
    _print_area(console, rows)
    _print_literature(console, rows)


def bench(plan: Plan, console: Console) -> int:
    """Run all workloads on all configurations and write ``plan.path``; returns the exit code.

    A workload that does not run leaves the file with the rows of those before it; the error follows.

    Raises:
        HaoError: from the first workload that fails or differs.
    """
    rows: list[BenchRow] = []
    try:
        for configuration in plan.configurations:
            for workload in plan.workloads:
                rows.append(_row(workload, configuration, plan, console))
                write_text(plan.path, Bench(rows=tuple(rows), commit=commit()).model_dump_json(indent=2) + "\n")
    except HaoError:
        if rows:
            print_rows(console, rows)
        raise
    print_rows(console, rows)
    console.print(f"  {plan.path}")
    return 0
