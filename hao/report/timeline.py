"""What every unit did, and when, as one HTML page that needs nothing beside it: a bar an instruction, drawn as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_ROW, _LEFT, _WIDTH = 34, 70, 1600
_COLOURS = {
    "LOAD": "#4c78a8", "LDI": "#72b7b2", "DENSE": "#e45756", "FILL": "#b279a2", "DW": "#54a24b", "ADD": "#eeca3b", "STORE": "#9d755d",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Bar:
    """One instruction: the unit's name, the operation's, the cycles in which it is taken and completes, and what to call it."""

    unit: str
    operation: str
    start: int
    end: int
    label: str = ""


def _bars(bars: Sequence[Bar], units: Sequence[str], scale: float) -> str:
    """Overlapping instructions of a unit (set up while the one before still runs) lie in two half rows, in turn."""
    drawn = []
    count = dict.fromkeys(units, 0)
    for bar in bars:
        half = count[bar.unit] % 2
        count[bar.unit] += 1
        x, y = _LEFT + bar.start * scale, 24 + units.index(bar.unit) * _ROW + half * (_ROW // 2 - 2)
        title = escape(f"{bar.label or bar.operation}: {bar.start} to {bar.end}, {bar.end - bar.start} cycles")
        drawn.append(
            f'<rect x="{x:.2f}" y="{y}" width="{max((bar.end - bar.start) * scale, 0.3):.2f}" height="{_ROW // 2 - 3}" '
            f'fill="{_COLOURS.get(bar.operation, "#888")}"><title>{title}</title></rect>'
        )
    return "".join(drawn)


def render_timeline(title: str, cycles: int, bars: Sequence[Bar], units: Sequence[str]) -> str:
    """The page.

    Args:
        title: its heading.
        cycles: length of the axis.
        bars: instructions, in program order.
        units: rows, from the top.
    """
    scale, height = (_WIDTH - _LEFT - 20) / max(cycles, 1), 24 + len(units) * _ROW
    names = "".join(f'<text x="4" y="{24 + n * _ROW + 19}">{escape(unit)}</text>' for n, unit in enumerate(units))
    ticks = "".join(
        f'<line x1="{_LEFT + at * scale:.1f}" x2="{_LEFT + at * scale:.1f}" y1="18" y2="{height}" stroke="#ddd"/>'
        f'<text x="{_LEFT + at * scale:.1f}" y="14" text-anchor="middle">{at:,}</text>'
        for at in (round(cycles * part / 10) for part in range(11))
    )
    key = "".join(f'<span style="color:{colour}">&#9632;</span> {name} &nbsp;' for name, colour in _COLOURS.items())
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        "<style>body{font:14px sans-serif;margin:1em}svg{font-size:12px;width:100%;height:auto}input{width:20em}"
        "div.pan{overflow-x:auto}</style>"
        f'<h1 style="font-size:1.2em">{escape(title)}</h1><p>{key}</p>'
        '<p><label>zoom <input type="range" min="1" max="60" value="1" '
        "oninput=\"document.querySelector('svg').style.width=this.value*100+'%'\"></label> "
        "&nbsp;A bar reaches from the cycle in which its unit takes an instruction to the one in which it completes; point at it.</p>"
        f'<div class="pan"><svg viewBox="0 0 {_WIDTH} {height}" preserveAspectRatio="none" role="img">{ticks}{names}'
        f"{_bars(bars, units, scale)}</svg></div></html>\n"
    )
