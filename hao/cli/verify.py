"""``hao verify``: a design or a network held against its definition, for people and for continuous integration."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console

import hao
from hao.boards import load_board
from hao.cli.generate import read_design
from hao.cli.networks import load_network
from hao.engine.config import CI_CONFIGS
from hao.errors import EngineMismatch, HaoError, UsageError, error_classes
from hao.ir.graph import Graph, Input
from hao.report.schema import write_text
from hao.report.verification import Case, Verification, junit
from hao.runtime.timing import DramTiming
from hao.runtime.verify import Picture, Plan, verify_design, verify_network


@dataclass(frozen=True, slots=True)
class Options:
    """What the user asked for; see ``hao verify --help``."""

    target: str
    design: str
    weights: str
    board: str
    stalls: int
    seed: int
    count: int
    engines: tuple[str, ...]
    artefacts: Path
    junitxml: Path | None
    json: Path | None


def is_design(target: str) -> bool:
    """Whether ``target`` names a configuration or a file with one; everything else is a network."""
    return target in CI_CONFIGS or target.endswith(".json")


def load_target(target: str, weights: str) -> tuple[str, Graph]:
    """The name in the zoo (empty for a file) and the graph of a network: one by name, or the path of an integer checkpoint."""
    if target.endswith(".safetensors"):
        from hao.ir.serialize import load_graph

        return "", load_graph(Path(target))
    found = load_network(target, weights)
    return found.zoo, found.graph


def pictures_for(zoo_name: str, graph: Graph, count: int, seed: int) -> list[Picture]:
    """Held-out pictures of the zoo's network where it ships some; random ones otherwise, the first two all 0 and all 255."""
    from hao.models import zoo

    if zoo_name and zoo.card(zoo_name).get("samples"):
        return [np.asarray(each) for each in zoo.samples(zoo_name)[0][:count]]
    shape = next(node for node in graph.nodes if isinstance(node, Input)).shape
    rng = np.random.default_rng(seed)
    extremes = [np.zeros(shape, np.uint8), np.full(shape, 255, np.uint8)]
    return [*extremes, *(rng.integers(0, 256, shape, dtype=np.uint8) for _ in range(count))][:count] if count > 2 else [
        rng.integers(0, 256, shape, dtype=np.uint8) for _ in range(count)
    ]  # fmt: skip


def _cases(options: Options, plan: Plan) -> Iterator[Case]:
    if is_design(options.target):
        yield from verify_design(plan, options.count, options.seed)
        return
    name, graph = load_target(options.target, options.weights)
    yield from verify_network(graph, plan, pictures_for(name, graph, options.count, options.seed), options.engines)


def _line(case: Case) -> str:
    if case.failure is not None:
        return f"FAILED {case.name} on {case.engine}: {case.failure.message}"
    cycles = "" if case.cycles is None else f", {case.cycles:,} cycles"
    return f"equal  {case.name} on {case.engine}: {case.compared:,} values{cycles}, {case.seconds:.1f} s"


def raise_first(run: Verification) -> None:
    """Raise the first failure as the error that it was, so that the exit code tells its kind.

    Raises:
        HaoError: of the class of the first failure; ``EngineMismatch`` when nothing was compared.
    """
    failure = run.first_failure
    if failure is not None:
        kind = next((cls for cls in error_classes() if cls.__name__ == failure.error), HaoError)
        failed = sum(case.failure is not None for case in run.cases)
        where = f"; waveform {failure.waveform}" if failure.waveform else ""
        raise kind(f"{failed} of {len(run.cases)} cases failed, first: {failure.message}", f"{failure.hint}{where}".strip("; "))
    if not run.equal:
        raise EngineMismatch("no value was compared", "give --count at least 1")


def verify(options: Options, console: Console) -> int:
    """Run all cases, print them, write the files; return the exit code.

    Raises:
        UsageError: no such engine, or nothing to do.
        HaoError: of the class of the first failure, after the files are written; any other from building and compiling.
    """
    unknown = [name for name in options.engines if name not in ("csim", "rtl")]
    if unknown or not options.engines or options.count < 1:
        raise UsageError("nothing would be verified" if not unknown else f"there is no engine {unknown[0]!r}", "engines: csim, rtl")
    config = read_design(options.target if is_design(options.target) else options.design)
    board = load_board(options.board)
    plan = Plan(config, DramTiming.of_board(board, options.stalls, options.seed), options.artefacts)
    cases = []
    with console.status(f"building and running {options.target} on {config.name}"):
        for case in _cases(options, plan):
            cases.append(case)
            console.print(_line(case), markup=False, soft_wrap=True)
    run = Verification(
        target=options.target,
        configuration=config.name,
        configuration_digest=config.digest(),
        board=board.name,
        stalls=options.stalls,
        cases=tuple(cases),
        hao_version=hao.__version__,
    )
    if options.json is not None:
        write_text(options.json, run.model_dump_json(indent=2) + "\n")
    if options.junitxml is not None:
        write_text(options.junitxml, junit(run))
    raise_first(run)
    console.print(f"all {len(cases)} cases equal, {sum(case.compared for case in cases):,} values compared", markup=False)
    return 0
