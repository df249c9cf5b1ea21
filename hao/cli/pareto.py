"""``hao pareto``: accuracy against cycles of the trained members, with the exact engine of each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from hao.boards import load_board
from hao.errors import SearchError
from hao.report.front import Axes, Member, interval, tied, write_csv, write_page, write_png
from hao.search.costed import COSTED, TRAINED, read_costed
from hao.search.pareto import front
from hao.search.tabular import VALIDATED, read_rows


@dataclass(frozen=True, slots=True)
class Options:
    """What the user asked for; see ``hao pareto --help``."""

    board: str = "ultra96v2"
    out: Path = Path("build/pareto")
    trained: Path = TRAINED
    costed: Path = COSTED


def points(options: Options) -> list[Member]:
    """Every member that was trained and solved on the board, by rising cycles.

    Raises:
        DataError: a table is damaged.
        SearchError: nothing was solved on the board.
    """
    board = load_board(options.board)
    cost = {row.name: row for row in read_costed(options.costed) if row.board == options.board}
    rows = [row for row in read_rows(options.trained) if row.name in cost]
    if not rows:
        raise SearchError(f"no member was solved on {options.board}", f"python -m hao.search.costed {options.costed} {options.board}")
    best = set(front([(cost[row.name].cycles, row.accuracy) for row in rows]))
    found: list[Member] = []
    for row in rows:
        at = cost[row.name]
        low, high = interval(row.accuracy, VALIDATED)
        on = (at.cycles, row.accuracy) in best
        best.discard((at.cycles, row.accuracy))
        found.append(Member(row.name, at.cycles, board.frames_per_second(round(at.cycles)), row.accuracy, low, high, at.engine, on))
    return sorted(found, key=lambda m: m.cycles)


def run_pareto(options: Options, console: Console) -> int:
    """Print the front and write it as CSV, PNG and page.

    Raises:
        HaoError: see ``docs/exit-codes.md``.
    """
    members = points(options)
    # no published design classifies 8x8 digits: there is no reference with the same axes, so none is drawn
    axes = Axes(f"digits, 8x8, on {options.board}: {len(members)} members", f"accuracy on {VALIDATED} validation pictures, %")
    table = Table("member", "cycles", "frames/s", "accuracy %", "95 % interval", "engine", title=axes.title)
    for m in members:
        if m.front:
            table.add_row(m.name, f"{m.cycles:,.0f}", f"{m.fps:,.0f}", f"{m.accuracy:.2f}", f"{m.low:.1f} to {m.high:.1f}", m.engine)
    console.print(table)
    same = tied(members)
    console.print("tied with the next slower one: " + (", ".join(a for a, _ in same) or "none"))
    paths = [options.out / f"{options.board}.{kind}" for kind in ("csv", "png", "html")]
    write_csv(paths[0], members)
    write_png(paths[1], members, axes)
    write_page(paths[2], members, axes)
    console.print(f"written: {', '.join(map(str, paths))}", markup=False)
    return 0
