"""A Pareto front as table, CSV, PNG and interactive page."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from hao.errors import MissingTool
from hao.report.schema import write_text


@dataclass(frozen=True, slots=True)
class Member:
    """One point: name, cycles of a frame, frames a second, accuracy in percent with its 95 % interval, engine, whether on the front."""

    name: str
    cycles: float
    fps: float
    accuracy: float
    low: float
    high: float
    engine: str
    front: bool


@dataclass(frozen=True, slots=True)
class Axes:
    """What a front shows: title, labels, and references ``(name, fps, accuracy, source)`` measured on these very axes."""

    title: str
    accuracy: str
    references: tuple[tuple[str, float, float, str], ...] = ()


HEADER = ("name", "cycles", "fps", "accuracy", "low", "high", "engine", "front")


def interval(percent: float, count: int) -> tuple[float, float]:
    """Wilson's 95 % interval of an accuracy over ``count`` pictures, in percent."""
    z, share = 1.959964, percent / 100
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z * ((share * (1 - share) + z * z / (4 * count)) / count) ** 0.5 / (1 + z * z / count)
    return 100 * (middle - half), 100 * (middle + half)


def tied(members: Sequence[Member]) -> list[tuple[str, str]]:
    """Neighbours on the front whose intervals overlap: not separated by the pictures at hand."""
    best = sorted((m for m in members if m.front), key=lambda m: m.cycles)
    return [(a.name, b.name) for a, b in pairwise(best) if a.high >= b.low]


def write_csv(path: Path, members: Sequence[Member]) -> None:
    """All points, the front marked."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER)
    for m in members:
        writer.writerow((m.name, f"{m.cycles:.0f}", f"{m.fps:.1f}", m.accuracy, f"{m.low:.2f}", f"{m.high:.2f}", m.engine, int(m.front)))
    write_text(path, text.getvalue())


def write_png(path: Path, members: Sequence[Member], axes: Axes) -> None:
    """The points, the front with its intervals, the references."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), dpi=120)
    FigureCanvasAgg(figure)
    plot = figure.subplots()
    rest, best = [m for m in members if not m.front], [m for m in members if m.front]
    plot.scatter([m.cycles for m in rest], [m.accuracy for m in rest], s=8, color="0.7", label="members")
    errors = [[m.accuracy - m.low for m in best], [m.high - m.accuracy for m in best]]
    plot.errorbar([m.cycles for m in best], [m.accuracy for m in best], errors, fmt="o-", capsize=3, label="front, 95 % intervals")
    for name, cycles, accuracy, _ in axes.references:
        plot.scatter([cycles], [accuracy], marker="x", label=name)
    plot.set(title=axes.title, xlabel="cycles of a frame", ylabel=axes.accuracy)
    plot.legend(loc="lower right")
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial.png")
    figure.savefig(partial)
    partial.replace(path)


def write_page(path: Path, members: Sequence[Member], axes: Axes) -> None:
    """The same as a page that works without a network: plotly's code is in it.

    Raises:
        MissingTool: plotly is not installed.
    """
    try:
        from plotly import graph_objects
    except ImportError as error:
        raise MissingTool("plotly is not installed", "pip install 'hao[search]'") from error
    figure = graph_objects.Figure(layout={"title": axes.title, "xaxis_title": "cycles of a frame", "yaxis_title": axes.accuracy})
    for chosen, name in ((False, "members"), (True, "front")):
        part = sorted((m for m in members if m.front is chosen), key=lambda m: m.cycles)
        text = [f"{m.name}<br>{m.engine}<br>{m.fps:.0f} frames/s<br>{m.low:.1f} to {m.high:.1f} %" for m in part]
        error_y = {"type": "data", "array": [m.high - m.accuracy for m in part], "arrayminus": [m.accuracy - m.low for m in part]}
        figure.add_scatter(
            x=[m.cycles for m in part], y=[m.accuracy for m in part], mode="lines+markers" if chosen else "markers", name=name,
            text=text, hoverinfo="text+x+y", error_y=error_y if chosen else None,
        )  # fmt: skip
    for name, cycles, accuracy, source in axes.references:
        figure.add_scatter(x=[cycles], y=[accuracy], mode="markers", marker_symbol="x", name=name, text=[source])
    write_text(path, figure.to_html(include_plotlyjs=True))
