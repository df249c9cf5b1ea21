"""Does the sensitivity mean something? The study behind docs/mixed-precision.md, one trained network (a cell) at a time.

``python -m benchmarks.quant.study run digits`` trains, measures and appends one line a cell to ``benchmarks/quant/digits.jsonl``;
lines that are there are not computed again. ``python -m benchmarks.quant.study check digits`` computes one of them again and
compares it number by number. ``python -m benchmarks.quant.tables`` turns the lines into tables and plots.
"""

from __future__ import annotations

import ast
import hashlib
import itertools
import json
import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent import futures
from pathlib import Path
from typing import Annotated, Any, TypeVar

import torch
import typer

from benchmarks.quant.measure import significant
from benchmarks.quant.tasks import TASKS
from hao.quant.device import settle

Result = TypeVar("Result")
CPU = torch.device("cpu")
ROOT = Path(__file__).resolve().parents[2]
SOURCES = (
    "benchmarks/quant/measure.py",
    "benchmarks/quant/networks.py",
    "benchmarks/quant/tasks.py",
    "hao/frontend/torch_import.py",
    "hao/frontend/lowering.py",
    *(
        f"hao/quant/{name}.py"
        for name in (
            "allocate", "calibrate", "device", "distill", "floors", "folded", "hessian", "layers", "model", "network", "prune", "ranges",
            "sensitivity", "surgery", "walk",
        )
    ),
)  # fmt: skip


def digest(task: str) -> str:
    """Of everything that a task's figures come from."""
    return source_digest(TASKS[task].settings)


def source_digest(settings: dict[str, Any], more: Sequence[str] = ()) -> str:
    """SHA-256, first 16 digits, over settings and the code of ``SOURCES`` and ``more``, without its prose."""
    state = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for name in (*SOURCES, *more):
        state.update(name.encode() + b"\0" + _code((ROOT / name).read_text(encoding="utf-8")).encode())
    return state.hexdigest()[:16]


def _code(text: str) -> str:
    """A module's syntax tree without documentation strings: comments and layout do not count."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            node.body = [
                each for each in node.body if not (isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant))
            ]  # fmt: skip
    return _dump(tree)


def _dump(node: object) -> str:
    """As ``ast.dump``, but without what is empty, which one version of Python shows and another does not."""
    if isinstance(node, list):
        return f"[{', '.join(map(_dump, node))}]"
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = [(name, getattr(node, name, None)) for name in node._fields]
    return f"{type(node).__name__}({', '.join(f'{name}={_dump(value)}' for name, value in fields if value is not None and value != [])})"


def machine(device: torch.device = CPU) -> str:
    """What the last digits of a float depend on."""
    if device.type == "cuda":
        return f"torch {torch.__version__}, {torch.cuda.get_device_name(device)}, float32"
    return f"torch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}, {torch.get_num_threads()} thread"


def lines_of(task: str) -> Path:
    """The committed cells of a task."""
    return ROOT / "benchmarks" / "quant" / f"{task}.jsonl"


def read_cells(path: Path) -> dict[str, dict[str, Any]]:
    """Cells by key, in the order of seeds and folds."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.is_file() else []
    return {row["key"]: row for row in sorted(rows, key=lambda row: [int(part) for part in row["key"].split("/")])}


def compute(task: str, key: str, folder: Path, name: str = "cpu") -> dict[str, Any]:
    """One cell, as it stands in the file, on the device called ``name``."""
    torch.set_num_threads(1)
    device = settle(name)
    seed, part = key.split("/")
    found = significant(TASKS[task].compute(int(seed), part, folder, device))
    return {"key": key, "sources": digest(task), "machine": machine(device), **found}


def spread(function: Callable[..., Result], rows: Sequence[tuple[Any, ...]], workers: int, minutes: float = 1e9) -> Iterator[Result]:
    """Results of ``function`` over rows of arguments as they come, from ``workers`` processes (1: this one).

    ``minutes`` after the start no row is begun.
    """
    ends, rest = time.monotonic() + 60 * minutes, iter(rows)
    if workers == 1:
        yield from (function(*row) for row in itertools.takewhile(lambda _: time.monotonic() < ends, rest))
        return
    with futures.ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        running = {pool.submit(function, *row) for row in itertools.islice(rest, workers)}
        while running:
            done, running = futures.wait(running, return_when=futures.FIRST_COMPLETED)
            if time.monotonic() < ends:
                running |= {pool.submit(function, *row) for row in itertools.islice(rest, len(done))}
            for each in done:
                yield each.result()


def differences(kept: Any, found: Any, path: str = "") -> Iterator[str]:
    """Where two cells differ."""
    if isinstance(kept, dict) and isinstance(found, dict) and kept.keys() == found.keys():
        for key in kept:
            yield from differences(kept[key], found[key], f"{path}/{key}")
    elif isinstance(kept, list) and isinstance(found, list) and len(kept) == len(found):
        for index, (one, other) in enumerate(zip(kept, found, strict=True)):
            yield from differences(one, other, f"{path}/{index}")
    # Not a number equals itself here: the correlation of a constant.
    elif kept != found and not (kept != kept and found != found):
        yield f"{path}: {kept} is committed, {found} computed"


def drawn(task: str, cells: dict[str, dict[str, Any]]) -> str:
    """The cell to compute again, drawn by the digest of the sources."""
    return list(cells)[int(digest(task), 16) % len(cells)]


app = typer.Typer(add_completion=False, no_args_is_help=True)
TaskName = Annotated[str, typer.Argument(help="digits or shapes64")]
DeviceName = Annotated[str, typer.Option(help="cpu or cuda")]
Folder = Annotated[Path, typer.Option(help="rendered pictures")]


@app.command()
def run(
    task: TaskName,
    seeds: Annotated[str, typer.Option(help="networks (digits: five each), first..last; default: all")] = "",
    minutes: Annotated[float, typer.Option(help="start no cell after this long")] = 1e9,
    device: DeviceName = "cpu",
    workers: Annotated[int, typer.Option(help="processes, each with one thread")] = 1,
    out: Annotated[Path | None, typer.Option(help="file of cells; default: the committed one")] = None,
    folder: Folder = Path("build/data"),
) -> None:
    """Compute the cells that are missing, seed by seed; a cell is written as soon as it is known."""
    path, began = out or lines_of(task), time.monotonic()
    first, _, last = (seeds or f"0..{TASKS[task].seeds - 1}").partition("..")
    wanted = [f"{seed}/{part}" for seed in range(int(first), int(last or first) + 1) for part in TASKS[task].keys]
    missing = [key for key in wanted if key not in read_cells(path)]
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [(task, key, folder, device) for key in missing]
    for index, row in enumerate(spread(compute, rows, min(workers, max(1, len(rows))), minutes)):
        with path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(row) + "\n")
        typer.echo(f"{index + 1}/{len(missing)} {row['key']}: float {row['float']}, {time.monotonic() - began:.0f} s")


@app.command()
def check(
    task: TaskName,
    key: Annotated[str, typer.Option(help="default: drawn by the digest")] = "",
    stamp: Annotated[
        bool, typer.Option(help="where all numbers are equal, let all cells carry the digest of the sources as they are")
    ] = False,
    device: DeviceName = "cpu",
    out: Annotated[Path | None, typer.Option(help="file of cells; default: the committed one")] = None,
    folder: Folder = Path("build/data"),
) -> None:
    """Compute one cell again and compare every number; equal only on the machine that it names."""
    path = out or lines_of(task)
    cells = read_cells(path)
    chosen = key or drawn(task, cells)
    fresh = compute(task, chosen, folder, device)
    # A changed digest is what the numbers are held against, not a difference.
    found = list(differences(cells[chosen] | {"sources": fresh["sources"]}, fresh))
    if stamp and not found:
        lines = [json.dumps(row | {"sources": fresh["sources"]}) for row in cells.values()]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    typer.echo("\n".join(found) or f"{task} {chosen}: equal")
    raise typer.Exit(bool(found))


if __name__ == "__main__":
    app()
