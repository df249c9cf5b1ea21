"""``python -m hao.train RECIPE.json``: run or resume a recipe, with progress on the terminal."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from hao.errors import HaoError

# Large buffers come and go every step: giving them back to the system each time costs a sixth of the speed, and spinning
# threads starve one another on a shared machine. The C library reads these before Python starts.
ENVIRONMENT = {
    "MALLOC_MMAP_THRESHOLD_": str(8 << 30),
    "MALLOC_TRIM_THRESHOLD_": str(16 << 30),
    "MALLOC_TOP_PAD_": str(256 << 20),
    "THP_MEM_ALLOC_ENABLE": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
}


def run(
    recipe: Path,
    folder: Annotated[Path, typer.Option(help="checkpoints and logs")] = Path("build/train"),
    data: Annotated[Path, typer.Option(help="rendered pictures")] = Path("build/data"),
    minutes: Annotated[float, typer.Option(help="stop after this long; resume later")] = 1e9,
    initial: Annotated[Path | None, typer.Option(help="float weights to start from")] = None,
    export: Annotated[Path | None, typer.Option(help="float16 weights, written at every validation")] = None,
    threads: Annotated[int, typer.Option(help="processor cores")] = 2,
) -> None:
    """Train by a recipe; resumes when the folder holds its checkpoint."""
    import torch
    from rich.console import Console

    from hao.train.loop import Trainer
    from hao.train.recipe import read_recipe

    console = Console(stderr=True)

    def show(record: dict[str, Any]) -> None:
        shown = {k: v for k, v in record.items() if k not in ("time", "displacements")}
        console.print("  ".join(f"{k} {v}" for k, v in shown.items()), highlight=False)
        # Threads meet at a barrier in every layer: on a busy machine the slowest sets the pace, and one alone does more.
        busy = os.getloadavg()[0] > (os.cpu_count() or 1) + threads / 2
        torch.set_num_threads(1 if busy else threads)

    try:
        torch.set_num_threads(threads)
        trainer = Trainer(read_recipe(recipe), folder, data, initial=initial, export=export, listen=show)
        signal.signal(signal.SIGTERM, lambda *_: trainer.stop())
        trainer.train(minutes * 60)
    except HaoError as error:
        console.print(str(error), style="red", highlight=False)
        raise typer.Exit(error.exit_code) from error


def main() -> None:
    """Entry point; restarts itself once with the allocator settings above."""
    if any(os.environ.get(key) != value for key, value in ENVIRONMENT.items()):
        os.execve(sys.executable, [sys.executable, "-m", "hao.train", *sys.argv[1:]], os.environ | ENVIRONMENT)
    typer.run(run)


if __name__ == "__main__":
    main()
