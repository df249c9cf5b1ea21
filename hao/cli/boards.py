"""``hao boards``: the boards that HAO knows."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from hao.boards import board_names, load_board


def list_boards() -> None:
    """Print one row a board."""
    table = Table("board", "part", "DSP", "LUT", "FF", "BRAM36", "MHz", "DRAM GB/s", title="Boards")
    for name in board_names():
        board = load_board(name)
        r = board.resources
        figures = (r.dsp, r.lut, r.ff, r.bram36, board.clock.engine_mhz, board.dram.peak_bytes_per_second / 1e9)
        table.add_row(board.name, board.part, *(f"{figure:g}" for figure in figures))
    Console().print(table)


def show_board(name: str) -> None:
    """Print every figure of one board and where it comes from."""
    board = load_board(name)
    console = Console(highlight=False)
    console.print(f"{board.name}: {board.title}\n  part: {board.part}", markup=False)
    for section in ("resources", "clock", "ports", "dram"):
        for field, value in getattr(board, section).model_dump().items():
            console.print(f"  {section}.{field}: {value}", markup=False)
    for source in board.sources:
        console.print(f"  source of {source.fields}: {source.text}", markup=False)
