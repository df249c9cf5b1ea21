"""``hao compile``: a network as a program image for one engine, to be taken to a board."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from hao.cli.generate import read_design
from hao.cli.networks import load_network
from hao.compiler.compile import compile_in_full
from hao.engine.flat import write_flat
from hao.ir.types import infer


def compile_to(network: str, weights: str, design: str, out: Path, flat: Path | None, console: Console) -> int:
    """Compile and write; return the exit code.

    Args:
        network, weights: see ``hao run``.
        design: the engine.
        out: program image.
        flat: the same as a flat image for the C driver; None for none.
        console: the terminal.

    Raises:
        ModelError, CheckpointError: no such network.
        ConfigurationError: no such design.
        CompileError: the network does not fit the engine.
    """
    config = read_design(design)
    found = load_network(network, weights)
    with console.status(f"compiling {found.name}"):
        made = compile_in_full(found.graph, config)
    made.image.save(out)
    form = made.image.manifest
    if flat is not None:
        types = infer(made.graph)
        write_flat(made.image, flat, {name: types[name].scale for name in made.graph.outputs})
        console.print(f"  {flat}", markup=False)
    console.print(
        f"  {out}: {form.network} for {config.name} ({form.config_digest[:16]}), {form.program_count:,} instructions, "
        f"{len(made.image.dram):,} bytes, digest {made.image.digest[:16]}",
        markup=False,
        soft_wrap=True,
    )
    return 0
