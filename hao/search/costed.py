"""The exact hardware half of every trained member, solved once a board and committed, so that comparisons cost nothing.

``python -m hao.search.costed FILE BOARD…`` solves what FILE lacks, and may be interrupted and started again.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Annotated

import typer

from hao.boards import load_board
from hao.errors import DataError, ModelError
from hao.files import read_text
from hao.models.searchable import parse
from hao.search.hardware import Hardware

DATA = Path(__file__).resolve().parent / "data"
TRAINED, COSTED = DATA / "digits-tabular.csv", DATA / "digits-hardware.csv"


@dataclass(frozen=True, slots=True)
class Costed:
    """One member on one board: the proven optimum of cycles, the engine that reaches it, wall seconds of the solution."""

    name: str
    board: str
    cycles: float
    engine: str
    seconds: float


def read_costed(path: Path = COSTED) -> list[Costed]:
    """The rows of a table.

    Raises:
        DataError: unreadable, a column missing, or a line that is no row.
    """
    try:
        lines = list(csv.DictReader(io.StringIO(read_text(path))))
        return [Costed(parse(r["name"]).name, r["board"], float(r["cycles"]), r["engine"], float(r["seconds"])) for r in lines]
    except (OSError, UnicodeDecodeError, csv.Error, KeyError, TypeError, ValueError, ModelError) as error:
        raise DataError(f"{path} is no table of solved members: {error}", "write it again: python -m hao.search.costed") from error


def write_costed(path: Path, rows: Iterable[Costed]) -> None:
    """Write a table in one step."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(Costed)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text(text.getvalue(), encoding="utf-8")
    partial.replace(path)


def complete(path: Path, names: Sequence[str], boards: Sequence[str], progress: Callable[[int, int], None]) -> list[Costed]:
    """Solve the members that ``path`` lacks, and write after every twenty.

    Raises:
        DataError: the table there is damaged.
        SearchError: no engine fits a board.
    """
    rows = {(row.name, row.board): row for row in (read_costed(path) if path.exists() else ())}
    missing = [(name, board) for board in boards for name in names if (name, board) not in rows]
    solvers: dict[str, Hardware] = {}
    for done, (name, board) in enumerate(missing):
        progress(done, len(missing))
        solver = solvers.setdefault(board, Hardware(load_board(board)))
        found = solver.solve(parse(name))
        engine = f"{found.config.name}-dw{found.config.dw_lanes}"
        rows[name, board] = Costed(name, board, round(found.cycles), engine, round(found.seconds, 3))
        if done % 20 == 19:
            write_costed(path, rows.values())
    write_costed(path, rows.values())
    return list(rows.values())


def main(file: Annotated[Path, typer.Argument(help="the table")], boards: Annotated[list[str], typer.Argument(help="boards")]) -> None:
    """Solve every trained member on every board."""
    from hao.search.tabular import read_rows

    def progress(done: int, total: int) -> None:
        typer.echo(f"\r{done} of {total} ", nl=False, err=True)

    typer.echo(f"\n{len(complete(file, [row.name for row in read_rows(TRAINED)], boards, progress))} rows")


if __name__ == "__main__":
    typer.run(main)
