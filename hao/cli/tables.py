"""The tables that end a run."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table

from hao.report.schema import LayerReport, Report

_PLAIN_WIDTH = 160
_RIGHT = ("shape", "bits", "compared", "cycles", "lane use", "seconds", "cycles/s")


def make_console() -> Console:
    """The terminal; where output goes to a file or pipe, lines are long enough for the widest table."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=_PLAIN_WIDTH)


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", header_style="bold", box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    for column in columns:
        table.add_column(column, justify="right" if column in _RIGHT else "left", no_wrap=True)
    return table


def _equality(equal: bool) -> str:
    return "[green]equal[/]" if equal else "[bold red]NOT EQUAL[/]"


def _bits(layer: LayerReport) -> str:
    activation = f"{'s' if layer.signed else 'u'}{layer.bits}"
    return f"W{layer.weight_bits} {activation}" if layer.weight_bits else activation


def _stalls(layer: LayerReport) -> str:
    """The causes that take more than a twentieth of the unit's time, in percent of it."""
    total = layer.unit_cycles
    shown = sorted(((cycles, cause) for cause, cycles in layer.stalls.items() if cycles * 20 > total), reverse=True)
    return ", ".join(f"{cause} {100 * cycles // total}" for cycles, cause in shown)


def print_layers(console: Console, report: Report) -> None:
    """One row a computed tensor: shape, bits, equality, cycles, lane use, and what its unit waited for in percent of its time."""
    table = _table("Layers", "tensor", "operator", "shape", "bits", "equality", "compared", "cycles", "lane use", "stalls")
    for layer in report.layers:
        shape = "x".join(map(str, layer.shape))
        use = "" if layer.lane_use is None else f"{100 * layer.lane_use:.0f} %"
        cycles = f"{layer.cycles:,}" if layer.cycles else ""
        row = (layer.name, layer.operator, shape, _bits(layer), _equality(layer.equal), f"{layer.compared:,}", cycles, use)
        table.add_row(*row, _stalls(layer))
    console.print(table)


def print_engines(console: Console, report: Report) -> None:
    """One row an engine."""
    table = _table("Engines", "engine", "equality", "compared", "seconds", "cycles/s", "digest of the outputs")
    for name, engine in report.engines.items():
        verdict = "the measure" if name == "reference" else _equality(engine.equal)
        speed = f"{engine.cycles_per_second:,.0f}" if engine.cycles_per_second else ""
        table.add_row(name, verdict, f"{engine.compared:,}", f"{engine.seconds:.2f}", speed, engine.digest[:32])
    console.print(table)


def print_summary(console: Console, report: Report) -> None:
    """What was found, and how fast."""
    for found in report.detections:
        box = ", ".join(f"{value:.0f}" for value in found.box)
        console.print(f"  {found.label:<12} {found.score:.2f}  ({box})")
    if report.prediction:
        console.print(f"prediction: {report.prediction}")
    if report.cycles is not None and report.frames_per_second is not None:
        speed = f"{report.cycles:,} cycles = {report.frames_per_second:.1f} frames/s at {report.clock_mhz:g} MHz on {report.board}"
        stalled = "" if report.stall == 0 else f" (memory stalled at random, {report.stall}/256: no performance figure)"
        console.print(f"[bold]{speed}[/]{stalled}; host {report.host_ms:.1f} ms beside it")
