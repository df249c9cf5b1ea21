"""Judges the cycle model against the simulated engine, and explains where they differ.

    python benchmarks/cycle_model.py judge            random networks drawn after the model's commit, and named ones
    python benchmarks/cycle_model.py fixed            the small set that continuous integration recomputes
    python benchmarks/cycle_model.py explain 105 8x8x1     one random network (or a named one), instruction by instruction

Simulated cycles are kept in ``build/cycle-model.json`` under the digests of engine, program and timing, so that a changed model is
judged again without simulating again. ``judge`` and ``fixed`` write ``hao/cost/data/cycles-judged.toml``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hao.boards import load_board
from hao.cli.networks import load_network
from hao.compiler.compile import compile_graph
from hao.cost.cycles import run_model
from hao.cost.judged import JUDGED, Judged, Row, drawn_config, model_digest, model_files, read_judged, render, seeds
from hao.cost.machine import Machine
from hao.engine.config import CI_CONFIGS, EngineConfig
from hao.engine.image import ProgramImage
from hao.errors import CompileError, HaoError
from hao.ir.graph import Graph, Input
from hao.ir.random_graph import random_graph
from hao.runtime.rtl import RtlEngine, plan_engine
from hao.runtime.timing import DramTiming
from hao.runtime.verdict import program_of
from hao.toolchain import tool_versions

BOARD = "ultra96v2"
NAMED = ("codenet-1x-b", "codenet-1x-a", "codenet-1x-c", "mobilenetv2-1.0", "ultranet")
FIXED = ((11, "8x8x1"), (42, "8x8x1"), (200, "8x8x1"))
"""Development networks on the smallest engine: few cycles, every opcode."""
_STORE = Path("build/cycle-model.json")


@dataclass(frozen=True, slots=True)
class Subject:
    """A network on a configuration."""

    name: str
    graph: Graph
    label: str
    config: EngineConfig


def last_commit() -> str:
    """The commit that changed the model last: what the judging seeds follow from."""
    command = ["git", "log", "-1", "--format=%H", "--", *map(str, model_files())]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


class Simulated:
    """Cycles of the simulated engine, remembered."""

    def __init__(self) -> None:
        self._known: dict[str, int] = json.loads(_STORE.read_text()) if _STORE.exists() else {}
        self._engines: dict[str, RtlEngine] = {}
        self.timing = DramTiming.of_board(load_board(BOARD))

    def engine(self, config: EngineConfig) -> RtlEngine:
        """The Verilated engine of ``config``."""
        digest = config.digest()
        if digest not in self._engines:
            self._engines[digest] = RtlEngine(config, self.timing)
        return self._engines[digest]

    def cycles(self, image: ProgramImage, graph: Graph) -> int:
        """Of one frame, deterministic memory."""
        key = hashlib.sha256(f"{plan_engine(image.config).digest()} {image.digest} {self.timing}".encode()).hexdigest()
        if key not in self._known:
            result = self.engine(image.config).run(program_of(image), image.pack_input(picture(graph)), taps=False)
            assert result.cycles is not None
            self._known[key] = result.cycles
            _STORE.parent.mkdir(parents=True, exist_ok=True)
            _STORE.write_text(json.dumps(self._known, indent=0) + "\n")
        return self._known[key]


def picture(graph: Graph) -> npt.NDArray[np.uint8]:
    """Random bytes of the network's input shape: cycles do not depend on them."""
    shape = next(node.shape for node in graph.nodes if isinstance(node, Input))
    return np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)


def predict(image: ProgramImage) -> Machine:
    """The model, run."""
    return run_model(image.program(), image.config, load_board(BOARD), image.manifest.program_offset)


def judge_one(subject: Subject, simulated: Simulated) -> Row:
    """Both figures."""
    image = compile_graph(subject.graph, subject.config)
    found, guess = simulated.cycles(image, subject.graph), predict(image).total
    row = Row(network=subject.name, configuration=subject.label, simulated=found, predicted=guess)
    print(f"{subject.name:<20} {subject.label:<10} {found:>9} {guess:>9} {100 * row.error:+.2f} %", flush=True)
    return row


def judge_random(commit: str, label: str, config: EngineConfig, count: int, simulated: Simulated) -> tuple[list[Row], int]:
    """``count`` networks that fit, and how many did not."""
    rows: list[Row] = []
    refused = 0
    for seed in seeds(commit, label):
        if len(rows) == count:
            return rows, refused
        try:
            rows.append(judge_one(Subject(f"random-{seed}", random_graph(seed), label, config), simulated))
        except CompileError:
            refused += 1
    raise AssertionError("seeds never end")


def judge_named(names: Sequence[str], simulated: Simulated) -> list[Row]:
    """The networks of ``hao bench``, where this version has them."""
    rows = []
    for name in names:
        try:
            graph = load_network(name, "random").graph
        except HaoError as error:
            print(f"{name}: {error.message}", flush=True)
            continue
        rows.append(judge_one(Subject(name, graph, "16x16x2", CI_CONFIGS["16x16x2"]), simulated))
    return rows


def fixed_rows(simulated: Simulated) -> list[Row]:
    """The set that continuous integration recomputes."""
    return [judge_one(Subject(f"random-{seed}", random_graph(seed), label, CI_CONFIGS[label]), simulated) for seed, label in FIXED]


def write(judged: Judged) -> None:
    """Write the committed file."""
    JUDGED.write_text(render(judged), encoding="utf-8")
    print(f"largest error {100 * judged.largest_error:.2f} % over {len(judged.rows)} rows: {JUDGED}")


def judge(arguments: argparse.Namespace) -> None:
    """All of it."""
    commit, simulated = arguments.commit or last_commit(), Simulated()
    rows, refused = judge_named([name for name in arguments.named.split(",") if name], simulated), 0
    configs = {name: CI_CONFIGS[name] for name in arguments.configurations.split(",") if name}
    configs |= {f"drawn-{number}": drawn_config(commit, number) for number in range(arguments.drawn)}
    for label, config in configs.items():
        more, no = judge_random(commit, label, config, arguments.networks, simulated)
        rows, refused = [*rows, *more], refused + no
    parameters = {label: parameters_of(config) for label, config in configs.items() if label.startswith("drawn")}
    versions = {key: str(value) for key, value in tool_versions().items()}
    write(Judged(commit, model_digest(), BOARD, versions, refused, parameters, tuple(rows), tuple(fixed_rows(simulated))))


def parameters_of(config: EngineConfig) -> dict[str, int]:
    """Parameters by name."""
    return {name: int(value) for name, value in config.model_dump().items()}


def fixed(_: argparse.Namespace) -> None:
    """Recompute the small set alone; everything else stays as it was judged."""
    write(replace(read_judged(), fixed=tuple(fixed_rows(Simulated()))))


def explain(arguments: argparse.Namespace) -> None:
    """Print when every instruction is taken and completes, in both."""
    name, config = arguments.network, CI_CONFIGS[arguments.configuration]
    graph = random_graph(int(name)) if name.isdecimal() else load_network(name, "random").graph
    image = compile_graph(graph, config)
    simulated, guess = Simulated(), predict(image)
    result = simulated.engine(config).run(program_of(image), image.pack_input(picture(graph)))
    assert result.events is not None
    times: dict[tuple[int, int], Iterator[int]] = {
        (unit, done): iter(result.events[(result.events[:, 0] == unit) & (result.events[:, 1] == done), 2].tolist())
        for unit in range(5) for done in range(2)
    }  # fmt: skip
    first = guess.taken[0] - int(result.events[0, 2])
    print(f"{graph.name} on {config.name}: simulated {result.cycles}, predicted {guess.total}; cycles and how far the model is off")
    for number, i in enumerate(image.program()):
        if i.unit is None:
            continue
        start, end = next(times[int(i.unit), 0]) + first, next(times[int(i.unit), 1]) + first
        early, late = guess.taken[number] - start, guess.completed[number] - end
        if abs(late) >= arguments.least:
            print(f"{number:5} {i.opcode.name:<6} {start:>8} {early:+6} {end:>8} {late:+6}  {end - start:>7}")


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("judge")
    command.add_argument("--commit", default="", help="whose seeds; the last one that changed the model when left out")
    command.add_argument("--networks", type=int, default=20)
    command.add_argument("--configurations", default=",".join(CI_CONFIGS))
    command.add_argument("--drawn", type=int, default=0, help="configurations drawn from the commit besides")
    command.add_argument("--named", default=",".join(NAMED), help="networks of hao bench, on 16x16x2; empty: none")
    command.set_defaults(run=judge)
    commands.add_parser("fixed").set_defaults(run=fixed)
    command = commands.add_parser("explain")
    command.add_argument("network")
    command.add_argument("configuration", choices=CI_CONFIGS)
    command.add_argument("--least", type=int, default=0, help="only instructions that are off by so many cycles")
    command.set_defaults(run=explain)
    arguments = parser.parse_args()
    arguments.run(arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main())
