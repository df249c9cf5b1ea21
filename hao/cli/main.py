"""``hao``: the command line. Commands import their layers when they run, so that ``hao --help`` answers at once."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from hao.errors import HaoError

app = typer.Typer(
    name="hao",
    help="Takes a neural network to a Zynq FPGA and proves, bit for bit, that it got there unchanged.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@app.command()
def doctor() -> None:
    """Say what this machine has and lacks, with the line that mends it."""
    from hao.cli.doctor import doctor as examine

    raise typer.Exit(examine())


@app.command()
def boards(name: Annotated[str, typer.Argument(help="a board, or the path of a board file; all of them when left out")] = "") -> None:
    """List the boards, or show one with the sources of its numbers."""
    from hao.cli.boards import list_boards, show_board

    show_board(name) if name else list_boards()


# typer carries its own copy of click from 0.2x on: the base class is the same object in neither case, so it is looked up
_ClickError: type[Exception] = next(cls for cls in typer.BadParameter.__mro__ if cls.__name__ == "ClickException")


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with the documented code (``docs/exit-codes.md``)."""
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code; errors are printed on stderr as one line and a hint."""
    try:
        result = app(arguments, prog_name="hao", standalone_mode=False)
    except HaoError as error:
        print(f"hao: {error}", file=sys.stderr)
        return error.exit_code
    except _ClickError as error:
        text = str(getattr(error, "message", error))
        print(text if "Usage:" in text else f"hao: {text}\n  see: hao --help", file=sys.stderr)
        return 2
    except (typer.Abort, KeyboardInterrupt):
        print("hao: interrupted", file=sys.stderr)
        return 130
    return result if isinstance(result, int) else 0
