"""``hao boards``: the boards that HAO knows."""

from __future__ import annotations

from rich.table import Table

from hao.boards import board_names, load_board
from hao.cli.tables import make_console


def list_boards() -> None:
    """Print one row a board."""
    table = Table("board", "part", "DSP", "LUT", "FF", "BRAM36", "URAM", "MHz", "DRAM GB/s", "engine", title="Boards")
    for name in board_names():
        board = load_board(name, only_supported=False)
        r = board.resources
        figures = (r.dsp, r.lut, r.ff, r.bram36, r.uram, board.clock.engine_mhz, board.dram.peak_bytes_per_second / 1e9)
        table.add_row(board.name, board.part, *(f"{figure:g}" for figure in figures), "no" if board.unsupported else "yes")
    make_console().print(table)


def show_board(name: str) -> None:
    """Print every figure of one board and where it comes from."""
    board = load_board(name, only_supported=False)
    console = make_console()
    console.print(f"{board.name}: {board.title}", markup=False)
    if board.unsupported:
        console.print(f"  the engine does not run here: {board.unsupported}", markup=False, soft_wrap=True)
    for field in ("part", "board_part", "family", "dsp_kind"):
        console.print(f"  {field}: {getattr(board, field)}", markup=False)
    for section in ("resources", "clock", "ports", "dram"):
        for field, value in _leaves(getattr(board, section).model_dump()):
            console.print(f"  {section}.{field}: {value}", markup=False)
    for source in board.sources:
        console.print(f"  source of {source.fields}: {source.text}", markup=False, soft_wrap=True)


def _leaves(values: dict[str, object]) -> list[tuple[str, object]]:
    """Every figure with its dotted name."""
    found: list[tuple[str, object]] = []
    for name, value in values.items():
        found += [(f"{name}.{inner}", leaf) for inner, leaf in _leaves(value)] if isinstance(value, dict) else [(name, value)]
    return found
