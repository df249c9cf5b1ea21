"""The commands of the search; they import their layers when they run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

_Board = Annotated[str, typer.Option(help="board, or the path of a board file")]
_Weights = Annotated[str, typer.Option(help="integer checkpoint, or random[:SEED]; the shipped ones when left out")]
_Json = Annotated[Path | None, typer.Option(help="write the report's JSON here too")]


def _names(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def search(
    network: Annotated[str, typer.Argument(help="such as codenet-1x-b or digits")],
    board: _Board = "ultra96v2",
    weights: _Weights = "",
    objective: Annotated[str, typer.Option(help="latency, or perturbation under --cycles")] = "latency",
    cycles: Annotated[float | None, typer.Option(help="most cycles of a frame", min=1)] = None,
    budget: Annotated[float | None, typer.Option(help="most perturbation; the network as it is when left out", min=0)] = None,
    perturbations: Annotated[Path | None, typer.Option(help="table of perturbations; from the weights when left out")] = None,
    orders: Annotated[str, typer.Option(help="orders of the steps: graph, tuned (the compiler's), busy, spilled")] = "graph,tuned",
    seconds: Annotated[float, typer.Option(help="of wall time for the proof", min=0)] = 60.0,
    solver: Annotated[str, typer.Option(help="cbc or highs")] = "cbc",
    relax: Annotated[bool, typer.Option("--relax", help="search again without each limit, to see which bind")] = False,
    design: Annotated[Path | None, typer.Option(help="write the design here, for hao build")] = None,
    json: _Json = None,
) -> None:
    """Find accelerator, mapping and bits for a network on a board, and prove that nothing in the space is better."""
    from hao.cli.search import Options, run_search
    from hao.cli.tables import make_console

    options = Options(
        network, board, weights, objective, cycles, budget, perturbations, _names(orders), seconds, solver, relax, design, json
    )  # fmt: skip
    raise typer.Exit(run_search(options, make_console()))


def build(
    design: Annotated[Path, typer.Argument(help="what hao search --design wrote")],
    engines: Annotated[str, typer.Option(help="csim, rtl")] = "csim,rtl",
    synth: Annotated[bool, typer.Option("--synth", help="synthesize it too: half an hour the first time")] = False,
    out: Annotated[Path | None, typer.Option(help="write the program image here")] = None,
    json: _Json = None,
) -> None:
    """Build a design that a search found and measure it: HLS kernel and RTL against the reference, predicted beside measured."""
    from hao.cli.build import Options, run_build
    from hao.cli.tables import make_console

    raise typer.Exit(run_build(Options(design, _names(engines), synth, out, json), make_console()))


def pareto(
    board: _Board = "ultra96v2",
    out: Annotated[Path, typer.Option(help="folder of CSV, PNG and page")] = Path("build/pareto"),
) -> None:
    """Show the front of accuracy against cycles of the trained digit networks, each on its best engine."""
    from hao.cli.pareto import Options, run_pareto
    from hao.cli.tables import make_console

    raise typer.Exit(run_pareto(Options(board, out), make_console()))


def nas(
    task: Annotated[str, typer.Option(help="digits, shapes64, or a folder with train/CLASS/*.jpg and val/CLASS/*.jpg")] = "digits",
    board: _Board = "slice-2",
    out: Annotated[Path | None, typer.Option(help="folder of everything; build/nas/TASK-BOARD-SEED when left out")] = None,
    data: Annotated[Path, typer.Option(help="generated pictures (shapes64)")] = Path("build/data"),
    pictures: Annotated[str, typer.Option(help="of shapes64: to train, to validate, to test on", show_default="20000,3000,10000")] = "",
    supernet_epochs: Annotated[int | None, typer.Option(help="of the supernet; digits, others", min=1, show_default="120, 28")] = None,
    warm: Annotated[
        int | None, typer.Option(help="of them, at first, those of the leading member alone; 0: none", min=0, show_default="0, 4")
    ] = None,
    rate: Annotated[
        float | None, typer.Option(help="of the supernet's training at first", min=1e-6, max=1, show_default="4e-3, 2e-3")
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="of a finalist alone", min=1, show_default="60, 12")] = None,
    quantized_epochs: Annotated[int | None, typer.Option(help="of its quantization-aware training", min=1, show_default="20, 4")] = None,
    evaluations: Annotated[int | None, typer.Option(help="architectures whose accuracy is asked", min=8, show_default="200, 150")] = None,
    finalists: Annotated[int | None, typer.Option(help="architectures trained alone", min=1, show_default="10, 6")] = None,
    folds: Annotated[int | None, typer.Option(help="of the winner's cross-validation; 0: none", min=0, show_default="5, 0")] = None,
    target: Annotated[
        float | None, typer.Option(help="percent of validation; the fastest that reaches it wins", min=0, max=100, show_default="97, 75")
    ] = None,
    engines: Annotated[str, typer.Option(help="that the winner must equal the reference on: csim, rtl")] = "csim,rtl",
    frames: Annotated[int, typer.Option(help="test pictures on those engines", min=1)] = 3,
    seed: Annotated[int, typer.Option(help="everything follows from it", min=0)] = 1,
    solver: Annotated[str, typer.Option(help="cbc or highs")] = "cbc",
    threads: Annotated[int, typer.Option(help="processor cores for training", min=1)] = 1,
    device: Annotated[str, typer.Option(help="PyTorch's, to train on: cpu, cuda")] = "cpu",
    batch: Annotated[int | None, typer.Option(help="pictures of a training step", min=1, show_default="128, 64")] = None,
    until: Annotated[str, typer.Option(help="stop behind supernet, architectures or trained, to go on later")] = "",
    bfloat16: Annotated[
        bool | None,
        typer.Option("--bfloat16/--float32", help="float training; quantized training is in float32", show_default="float32, bfloat16"),
    ] = None,
    inherit: Annotated[
        bool | None,
        typer.Option("--inherit/--from-nothing", help="weights that finalists begin with", show_default="nothing, the supernet's"),
    ] = None,
    json: _Json = None,
) -> None:
    """Search a network and its accelerator together for a task and a board; run it again to go on after an interruption."""
    from dataclasses import replace

    from hao.cli.nas import counts, run_nas, usual
    from hao.cli.tables import make_console

    place = out or Path("build/nas") / f"{Path(task).name}-{Path(board).stem}-{seed}"
    said: dict[str, Any] = {
        "pictures": counts(pictures) if pictures else None, "supernet_epochs": supernet_epochs, "epochs": epochs,
        "quantized_epochs": quantized_epochs, "evaluations": evaluations, "finalists": finalists, "folds": folds, "target": target,
        "batch": batch, "bfloat16": bfloat16, "inherit": inherit, "warm": warm, "rate": rate,
    }  # fmt: skip
    options = replace(
        usual(task), board=board, out=place, data=data, engines=_names(engines), frames=frames, seed=seed, solver=solver, threads=threads,
        json=json, device=device, until=until, **{name: value for name, value in said.items() if value is not None},
    )  # fmt: skip
    raise typer.Exit(run_nas(options, make_console()))


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.command()(search)
    app.command()(build)
    app.command()(pareto)
    app.command()(nas)
