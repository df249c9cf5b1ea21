"""``hao estimate``: what a network would cost on an engine, without running or synthesizing anything."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.table import Table

import hao
from hao.boards import Board, load_board
from hao.cli.generate import read_design
from hao.cli.networks import load_network, zoo_name
from hao.compiler.compile import compile_graph
from hao.cost.area import Estimate, estimate_area
from hao.cost.cycles import CycleEstimate, estimate_cycles
from hao.engine.config import EngineConfig
from hao.engine.image import ProgramImage
from hao.engine.isa import Unit
from hao.errors import UsageError
from hao.report.estimate import AreaFigures, EstimateReport, Figure
from hao.report.schema import write_text
from hao.report.timeline import Bar, render_timeline

_Weights = Literal["trained", "random", "program"]


@dataclass(frozen=True, slots=True)
class Options:
    """What the user asked for; see ``hao estimate --help``."""

    subject: str
    weights: str = ""
    board: str = "ultra96v2"
    configuration: str = ""
    json: Path | None = None
    timeline: Path | None = None


def _image(options: Options) -> tuple[str, _Weights, ProgramImage]:
    """The program: read from a file, or compiled; and where its numbers are from."""
    path = Path(options.subject)
    if path.suffix or path.exists():
        image = ProgramImage.load(path)
        if options.configuration and read_design(options.configuration) != image.config:
            message = f"{path} was compiled for {image.config.name} with digest {image.config.digest()[:16]}"
            raise UsageError(message, "leave --config out: a program image names its engine")
        return image.manifest.network, "program", image
    weights = options.weights or ("" if zoo_name(options.subject) else "random")
    network = load_network(options.subject, weights)
    return network.name, network.weights, compile_graph(network.graph, read_design(options.configuration or "16x16x2"))


def _figure(found: Estimate) -> Figure:
    return Figure(value=found.value, error=found.error)


def _area(config: EngineConfig, board: Board) -> AreaFigures:
    area = estimate_area(config)
    there = board.resources
    return AreaFigures(
        lut=_figure(area.lut),
        ff=_figure(area.ff),
        dsp=_figure(area.dsp),
        bram36=_figure(area.bram36),
        available={"lut": there.lut, "ff": there.ff, "dsp": there.dsp, "bram36": there.bram36},
    )


def make_report(name: str, weights: _Weights, image: ProgramImage, board: Board, found: CycleEstimate, seconds: float) -> EstimateReport:
    """Everything that was estimated, as one object."""
    rate = board.frames_per_second(found.cycles)
    spread = max(board.frames_per_second(found.low) - rate, rate - board.frames_per_second(found.high))
    return EstimateReport(
        network=name,
        weights=weights,
        board=board.name,
        configuration=image.config.name,
        configuration_digest=image.config.digest(),
        instructions=image.manifest.program_count,
        cycles=Figure(value=found.cycles, error=max(found.high - found.cycles, found.cycles - found.low)),
        frames_per_second=Figure(value=rate, error=spread),
        clock_mhz=board.clock.engine_mhz,
        busy=found.busy,
        area=_area(image.config, board),
        seconds=seconds,
        hao_version=hao.__version__,
    )


def _print(console: Console, report: EstimateReport) -> None:
    console.print(f"{report.network} ({report.weights}) on {report.configuration} for {report.board}: nothing was run, all is estimated")
    rate, cycles = report.frames_per_second, report.cycles
    speed = f"{cycles.value:,.0f} ± {cycles.error:,.0f} cycles = {rate.value:.1f} ± {rate.error:.1f} frames/s (estimated)"
    console.print(f"[bold]{speed}[/] at {report.clock_mhz:g} MHz")
    table = Table("", "estimate", "±", "of", title="Area, as Yosys would count it (estimated)", title_justify="left")
    for column in table.columns[1:]:
        column.justify = "right"
    for name in ("lut", "ff", "dsp", "bram36"):
        figure: Figure = getattr(report.area, name)
        table.add_row(name.upper(), f"{figure.value:,g}", f"{figure.error:,.0f}", f"{report.area.available[name]:,}")
    console.print(table)
    busy = ", ".join(f"{unit} {100 * cycles / report.cycles.value:.0f} %" for unit, cycles in report.busy.items())
    console.print(f"busy: {busy}; estimated in {report.seconds:.2f} s")


def timeline_page(title: str, found: CycleEstimate) -> str:
    """The frame as a picture: a bar an instruction."""
    bars = [Bar(each.unit.name, each.opcode.name, each.start, each.end, f"{each.index} {each.opcode.name}") for each in found.timeline]
    return render_timeline(title, found.cycles, bars, [unit.name for unit in Unit])


def estimate(options: Options, console: Console) -> int:
    """Estimate, print, and write what was asked for; return the exit code.

    Raises:
        HaoError: see ``docs/exit-codes.md``.
    """
    board = load_board(options.board)
    with console.status("compiling"):
        name, weights, image = _image(options)
    program = image.program()
    start = time.perf_counter()
    found = estimate_cycles(program, image.config, board, image.manifest.program_offset)
    report = make_report(name, weights, image, board, found, time.perf_counter() - start)
    _print(console, report)
    if options.json is not None:
        write_text(options.json, report.model_dump_json(indent=2) + "\n")
        console.print(f"  {options.json}")
    if options.timeline is not None:
        write_text(options.timeline, timeline_page(f"{name} on {image.config.name} for {board.name}: predicted timeline", found))
        console.print(f"  {options.timeline}")
    return 0
