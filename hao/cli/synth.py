"""``hao synth``: area and path estimate of a configuration or of one block, the committed tables, and the area model fitted to them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from hao.boards import Board, load_board
from hao.codegen.rtl import TOP, parameter_values
from hao.cost.area import estimate_area
from hao.engine.config import EngineConfig
from hao.errors import SynthesisError
from hao.synth.configurations import configuration_named
from hao.synth.design import synthesize_design
from hao.synth.paths import estimate
from hao.synth.report import LARGEST_LEVELS, Synthesis, summarize, table_path, to_toml, write
from hao.synth.sources import Sources


@dataclass(frozen=True, slots=True)
class Options:
    """What ``hao synth`` is asked for.

    Attributes:
        module: the block to synthesize with all below it; empty: the engine.
        whole: in one run, cut into no blocks.
        json: where to write the report; None: nowhere.
        table: write the committed table.
    """

    configuration: str
    board: str
    module: str = ""
    whole: bool = False
    json: Path | None = None
    table: bool = False


def synthesize(options: Options, console: Console) -> int:
    """Synthesize, print, and write what was asked for; return the exit code.

    Raises:
        ConfigurationError: no such configuration.
        BoardError: no such board, or the design does not fit it.
        SynthesisError: Yosys refused the RTL, or a path has too many logic levels.
        MissingTool: Yosys is not installed.
    """
    if options.whole and options.table:
        raise SynthesisError("a committed table lists blocks, and --whole has none", "leave out --whole or --table")
    config = configuration_named(options.configuration)
    target = load_board(options.board)
    top = options.module or TOP
    sources = Sources.load()
    design = synthesize_design(
        sources.in_one_block() if options.whole else sources,
        top,
        parameter_values(config),
        lambda label: console.print(f"  {label}", style="dim", markup=False),
    )
    report = summarize(options.configuration, design, estimate(design))
    _print(console, report, target)
    if not options.module and not options.whole:
        _print_estimate(console, report, config)
    if options.json is not None:
        write(options.json, report.model_dump_json(indent=2) + "\n")
    if options.table and not options.module:
        write(table_path(options.configuration), to_toml(report))
    return _verdict(report, target)


def _print_estimate(console: Console, report: Synthesis, config: EngineConfig) -> None:
    """What the area model says of the same design, and how far it is off."""
    area = estimate_area(config)
    for name in ("lut", "ff", "dsp", "bram36"):
        found, said = float(getattr(report, name)), getattr(area, name)
        console.print(
            f"  model: {name} {said.value:g} ± {said.error:g}, synthesis {found:g}, off by {said.value / found - 1:+.2%}", highlight=False
        )


def calibrate(console: Console) -> int:
    """Fit the area model to the committed tables, write it, and print how far it is off.

    Raises:
        SynthesisError: a table is malformed, or there is none.
    """
    from hao.cost.area import MODEL
    from hao.synth.calibration import committed_blocks, committed_tables, model_toml

    tables = committed_tables()
    if not tables:
        raise SynthesisError("there is no synthesis table to fit the area model to", "write one: hao synth CONFIGURATION --table")
    text = model_toml(tables, committed_blocks())
    write(MODEL, text)
    console.print(text, markup=False, highlight=False)
    return 0


def _verdict(report: Synthesis, board: Board) -> int:
    over = report.over(board.resources)
    if over:
        raise SynthesisError(f"{report.configuration} does not fit {board.name}: {', '.join(over)}", "choose a smaller configuration")
    if report.logic_levels > LARGEST_LEVELS:
        raise SynthesisError(
            f"a path has {report.logic_levels} logic levels, more than {LARGEST_LEVELS}", "register it; the worst paths are listed"
        )
    return 0


def _print(console: Console, report: Synthesis, board: Board) -> None:
    table = Table(
        "block",
        "n",
        "LUT",
        "of it memory",
        "FF",
        "DSP",
        "BRAM36",
        "levels",
        "path ns",
        title=f"{report.top} {report.configuration}, {report.tool}",
    )
    for column in table.columns[1:]:
        column.justify = "right"
    for row in report.modules:
        n = row.instances
        figures = (n * row.area.lut, n * row.lut_memory, n * row.ff, n * row.dsp, n * row.bram36)
        table.add_row(row.module, str(n), *(f"{figure:g}" for figure in figures), str(row.levels), f"{row.path_ns:.2f}")
    table.add_section()
    table.add_row(
        "all",
        "",
        str(report.lut),
        str(report.lut_memory),
        str(report.ff),
        str(report.dsp),
        f"{report.bram36:g}",
        str(report.logic_levels),
        f"{report.path_ns:.2f}",
    )
    there = board.resources
    table.add_row(
        board.name, "", str(there.lut), "", str(there.ff), str(there.dsp), str(there.bram36), "", f"{1000 / board.clock.engine_mhz:.2f}"
    )
    console.print(table)
    console.print("Paths are estimated before placement with assumed delays; no sign-off.")
    for path in report.paths[:5]:
        console.print(f"  {path.delay_ns:.2f} ns, {path.levels} levels: {path.cells[0]} -> {path.cells[-1]}", markup=False)
