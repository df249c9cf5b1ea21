"""``hao build``: a design that a search found, compiled, generated, simulated and synthesized; predicted beside measured."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from hao.boards import load_board
from hao.cli.networks import load_network
from hao.cli.pictures import held_out, prepare, to_planes
from hao.cli.progress import EngineProgress
from hao.cost.cycles import estimate_cycles
from hao.errors import EngineMismatch, SearchError
from hao.ir.reference import execute
from hao.ir.serialize import network_digest
from hao.ir.types import infer
from hao.report.layers import macs
from hao.report.schema import write_text
from hao.report.search import BuildReport, BuiltEngine
from hao.runtime.session import EngineRun, Prepared, run_engines
from hao.runtime.timing import DramTiming
from hao.search.design import Design, read_design
from hao.search.planner import compile_design


@dataclass(frozen=True, slots=True)
class Options:
    """What the user asked for; see ``hao build --help``."""

    design: Path
    engines: tuple[str, ...] = ("csim", "rtl")
    synth: bool = False
    out: Path | None = None
    json: Path | None = None


def _synthesized(design: Design, console: Console) -> dict[str, float]:
    from hao.codegen.rtl import TOP, parameter_values
    from hao.synth.design import synthesize_design
    from hao.synth.sources import Sources

    def tell(label: str) -> None:
        console.print(f"  {label}", style="dim", markup=False)

    total = synthesize_design(Sources.load(), TOP, parameter_values(design.configuration), tell).total()
    return {"lut": float(total.lut), "ff": float(total.ff), "dsp": float(total.dsp), "bram36": float(total.bram36)}


def _prepared(design: Design) -> tuple[Prepared, int]:
    """The compiled design with the reference's tensors, and what the program-level model says of its cycles."""
    network = load_network(design.network, design.weights)
    if network_digest(network.graph) != design.digest:
        raise SearchError(f"{design.network} is not the network that the design was found for", "search again")
    start = time.perf_counter()
    made = compile_design(network.graph, design.configuration, design.order, design.segments)
    compiled = time.perf_counter()
    shape = network.input.shape
    picture = held_out(network.zoo, 1) if shape[0] == 1 and network.zoo else prepare(None, (shape[1], shape[2]), True, 1)
    pixels = to_planes(picture.pixels, shape[0])
    reference = execute(made.graph, pixels)
    model = estimate_cycles(made.assembled.program, design.configuration, load_board(design.board), made.assembled.offset)
    prepared = Prepared(network.graph, made.graph, made.image, pixels, reference, time.perf_counter() - compiled, compiled - start)
    return prepared, model.cycles


def _report(design: Design, runs: dict[str, EngineRun], model: int, area: dict[str, float] | None) -> BuildReport:
    engines = {
        name: BuiltEngine(
            equal=run.verdict.equal, compared=run.verdict.compared, digest=run.verdict.digest, cycles=run.result.cycles,
            seconds=run.result.seconds, build_seconds=run.build_seconds,
        )
        for name, run in runs.items()
    }  # fmt: skip
    measured = runs["rtl"].result.cycles if "rtl" in runs else None
    limits = {name: float(getattr(load_board(design.board).resources, name)) for name in design.area}
    return BuildReport(
        network=design.network, board=design.board, design=design, engines=engines, predicted_cycles=design.cycles.value,
        modelled_cycles=model, measured_cycles=measured,
        cycles_error=None if not measured else (design.cycles.value - measured) / measured,
        synthesized=area,
        over=() if area is None else tuple(f"{n} {area[n]:g} of {limit:g}" for n, limit in limits.items() if area[n] > limit),
        area_error=None if area is None else {n: (f.value - area[n]) / max(area[n], 1) for n, f in design.area.items()},
    )  # fmt: skip


def _print(console: Console, report: BuildReport) -> None:
    for name, engine in report.engines.items():
        verdict = "equal" if engine.equal else "NOT EQUAL"
        console.print(f"{name}: {verdict} over {engine.compared:,} values, {engine.seconds:.1f} s (built in {engine.build_seconds:.0f} s)")
    table = Table("figure", "predicted", "measured", "error", title="predicted beside measured")
    if report.measured_cycles and report.cycles_error is not None:
        rows = ((report.predicted_cycles, "search"), (float(report.modelled_cycles), "program-level model"))
        for value, who in rows:
            error = value / report.measured_cycles - 1
            table.add_row(f"cycles, {who}", f"{value:,.0f}", f"{report.measured_cycles:,}", f"{100 * error:+.2f} %")
    if report.synthesized is not None and report.area_error is not None:
        for name, figure in report.design.area.items():
            error = report.area_error[name]
            table.add_row(name, f"{figure.value:g} ± {figure.error:g}", f"{report.synthesized[name]:g}", f"{100 * error:+.1f} %")
    console.print(table)
    if report.over:
        console.print(f"[bold red]the synthesis exceeds {report.board}[/]: {', '.join(report.over)}")


def run_build(options: Options, console: Console) -> int:
    """Build and measure; the exit code is 0 where every engine agrees.

    Raises:
        HaoError: see ``docs/exit-codes.md``.
    """
    design = read_design(options.design)
    with console.status("compiling, and running the reference"):
        prepared, model = _prepared(design)
    if options.out is not None:
        prepared.image.save(options.out)
    work = sum(macs(node, kind) for node, kind in zip(prepared.graph.nodes, infer(prepared.graph).values(), strict=True))
    with EngineProgress(console, work, design.configuration.macs_per_cycle) as progress:
        timing = DramTiming.of_board(load_board(design.board), 0, 1)
        runs = run_engines(prepared, options.engines, timing, progress.listen)
    report = _report(design, runs, model, _synthesized(design, console) if options.synth else None)
    _print(console, report)
    if options.json is not None:
        write_text(options.json, report.model_dump_json(indent=1) + "\n")
    wrong = [name for name, run in runs.items() if not run.verdict.equal]
    if wrong:
        raise EngineMismatch(f"{wrong[0]} disagrees with the reference", "hao run shows the first layer that differs")
    if report.over:
        raise SearchError(f"the synthesis exceeds {report.board}: {', '.join(report.over)}", "search for a smaller board, and build that")
    return 0
