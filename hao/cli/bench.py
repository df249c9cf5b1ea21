"""``hao bench``: every workload on the RTL against the reference, one row each."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from hao.cli.networks import zoo_name
from hao.cli.run import Options, measure
from hao.report.bench import Bench, BenchRow, Literature
from hao.report.schema import write_text

WORKLOADS = ("digits", "codenet-1x-a", "codenet-1x-b")
_PAPER = "Dong et al., CoDeNet, FPGA 2021, table 3"
_PUBLISHED = {"codenet-1x-a": 32.2, "codenet-1x-b": 26.9, "codenet-1x-c": 9.3, "codenet-2x-d": 5.2, "codenet-2x-e": 4.6}
LITERATURE = {
    name: (Literature(frames_per_second=rate, design="CoDeNet's accelerator on Ultra96, 250 MHz", source=_PAPER),)
    for name, rate in _PUBLISHED.items()
}
"""Published figures by workload."""


def commit() -> str:
    """The commit of the source tree; empty outside a repository."""
    root = Path(__file__).resolve().parent
    done = subprocess.run(["git", "-C", str(root), "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def _row(workload: str, board: str, configuration: str, console: Console) -> BenchRow:
    weights = "" if zoo_name(workload) else "random"
    options = Options(workload, weights, board=board, configuration=configuration, engines=("reference", "rtl"))
    report, _, runs = measure(options, console)
    for run in runs.values():
        run.verdict.require_equal()
    engine = report.engines["rtl"]
    cycles, rate = report.cycles or 0, report.frames_per_second or 0.0
    figures = f"{cycles:>10,} cycles {rate:>10.1f} frames/s  equal in {engine.compared:,} values"
    console.print(f"{workload:<16} {configuration:<8} {report.weights.kind:<8} {figures}")
    return BenchRow(
        workload=workload,
        board=report.board,
        configuration=report.configuration,
        weights=report.weights,
        cycles=cycles,
        frames_per_second=rate,
        clock_mhz=report.clock_mhz,
        equal=engine.equal,
        compared=engine.compared,
        digest=engine.digest,
        sim_seconds=engine.seconds,
        literature=LITERATURE.get(workload, ()),
    )


def bench(workloads: Sequence[str], board: str, configurations: Sequence[str], path: Path, console: Console) -> int:
    """Run all workloads on all configurations and write ``path``; returns the exit code.

    Raises:
        HaoError: from the first workload that fails or differs; nothing is written then.
    """
    rows = tuple(_row(workload, board, name, console) for name in configurations for workload in workloads)
    write_text(path, Bench(rows=rows, commit=commit()).model_dump_json(indent=2) + "\n")
    console.print(f"  {path}")
    return 0
