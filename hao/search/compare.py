"""Search algorithms compared on the tabular benchmark: hyper-volume at equal evaluations, paired seeds, significance.

``python -m hao.search.compare FILE`` writes the comparison as JSON; it reads the two committed tables and takes minutes.
"""

from __future__ import annotations

import json
import random
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from hao.models.searchable import parse
from hao.search.algorithms import ALGORITHMS, Task, volumes
from hao.search.costed import TRAINED, read_costed
from hao.search.pareto import Point, distance, front, hypervolume
from hao.search.predictor import Predictor, features, kendall
from hao.search.tabular import Row, read_rows

SEEDS, BUDGET = 30, 60
BUDGETS = ("slice-2", "slice-5-8", "slice-3-4", "ultra96v2")
"""Boards whose limits are budgets of hardware: from the smallest that holds an engine to the real one."""
LEVELS = (85.0, 90.0, 94.0, 96.0)
"""Percent of the validation pictures at which joint and sequential are compared."""
TRAINING_SIZES = (16, 32, 64, 128)


def make_task(board: str, budget: int = BUDGET) -> Task:
    """The benchmark on one board: accuracies from training, cycles from the integer program.

    Raises:
        DataError: a table is damaged.
    """
    rows = {parse(row.name): row for row in read_rows(TRAINED)}
    cycles = {parse(row.name): row.cycles for row in read_costed() if row.board == board}
    members = tuple(member for member in rows if member in cycles)
    return Task(
        members=members, cycles=cycles, accuracy=lambda member: rows[member].accuracy,
        features={member: features(member, rows[member].macs, rows[member].parameters) for member in members},
        worst=(max(cycles.values()) * 1.01, min(rows[m].accuracy for m in members) - 1.0), budget=budget,
    )  # fmt: skip


def compare(task: Task, seeds: int = SEEDS) -> dict[str, Any]:
    """Every algorithm on the same seeds, and tests of the tree search against each of the others.

    Returns:
        by algorithm the hyper-volume after 25, 50 and 100 % of the budget relative to that of the exhaustive front, and the mean distance
        to that front; by other algorithm the Wilcoxon signed-rank test of the pairs.
    """
    from scipy.stats import wilcoxon

    every: list[Point] = [task.point(member) for member in task.members]
    exact = front(every)
    whole = hypervolume(every, task.worst)
    scale = (task.worst[0], 100.0)
    finals: dict[str, list[float]] = {}
    found: dict[str, Any] = {}
    for name, algorithm in ALGORITHMS.items():
        runs = [volumes(task, algorithm, seed) for seed in range(seeds)]
        finals[name] = [curve[-1] / whole for curve, _ in runs]
        at = {f"{share:.0%}": statistics.mean(c[int(share * task.budget) - 1] / whole for c, _ in runs) for share in (0.25, 0.5, 1.0)}
        far = statistics.mean(distance(points, exact, scale) for _, points in runs)
        found[name] = {"volume": at, "deviation": statistics.stdev(finals[name]), "distance": far}
    tests = {}
    for name in finals:
        if name == "tree":
            continue
        pairs = [a - b for a, b in zip(finals["tree"], finals[name], strict=True)]
        p = float(wilcoxon(pairs).pvalue) if any(pairs) else 1.0
        tests[name] = {"wins": sum(d > 0 for d in pairs), "losses": sum(d < 0 for d in pairs), "mean": statistics.mean(pairs), "p": p}
    return {"members": len(task.members), "front": exact, "budget": task.budget, "seeds": seeds, "algorithms": found, "tree_against": tests}


def rank_quality(rows: Sequence[Row], repeats: int = 10) -> dict[str, Any]:
    """Kendall's tau with the accuracies: of MACs alone, of parameters alone, and of the predictor on members it was not fitted to."""
    truth = [row.accuracy for row in rows]
    every = [features(parse(row.name), row.macs, row.parameters) for row in rows]
    found: dict[str, Any] = {
        "macs": kendall([row.macs for row in rows], truth), "parameters": kendall([row.parameters for row in rows], truth), "predictor": {},
    }  # fmt: skip
    for size in TRAINING_SIZES:
        taus = []
        for seed in range(repeats):
            order = list(range(len(rows)))
            random.Random(seed).shuffle(order)
            seen, unseen = order[:size], order[size:]
            model = Predictor().fit([every[n] for n in seen], [truth[n] for n in seen])
            taus.append(kendall(list(model.predict([every[n] for n in unseen])), [truth[n] for n in unseen]))
        found["predictor"][str(size)] = {"mean": statistics.mean(taus), "deviation": statistics.stdev(taus)}
    return found


@dataclass(frozen=True, slots=True)
class Pair:
    """Joint against sequential on one board at one accuracy: names, accuracies, proven cycles, engines."""

    board: str
    at_least: float
    sequential: str
    sequential_accuracy: float
    sequential_cycles: float
    sequential_engine: str
    joint: str
    joint_accuracy: float
    joint_cycles: float
    joint_engine: str

    @property
    def same(self) -> bool:
        """Whether both name the same network."""
        return self.sequential == self.joint


def joint_against_sequential(boards: Sequence[str] = BUDGETS, levels: Sequence[float] = LEVELS) -> list[Pair]:
    """Both ways to a network of at least so many percent, on every board.

    Sequential: first the network with the fewest multiply-accumulates that is accurate enough, no hardware in sight; then its best
    engine, proven. Joint: of all networks that are accurate enough the one whose proven best engine takes the fewest cycles.

    Raises:
        DataError: a table is damaged.
    """
    rows = {row.name: row for row in read_rows(TRAINED)}
    costed = {(row.board, row.name): row for row in read_costed()}
    found = []
    for board in boards:
        for level in levels:
            enough = [row for row in rows.values() if row.accuracy >= level and (board, row.name) in costed]
            if not enough:
                continue
            first = min(enough, key=lambda row: (row.macs, row.parameters, -row.accuracy, row.name))
            best = min(enough, key=lambda row, board=board: (costed[board, row.name].cycles, -row.accuracy, row.name))  # type: ignore[misc]
            one, two = costed[board, first.name], costed[board, best.name]
            found.append(
                Pair(
                    board, level, first.name, first.accuracy, one.cycles, one.engine, best.name, best.accuracy, two.cycles, two.engine
                )
            )  # fmt: skip
    return found


def main(
    file: Annotated[Path, typer.Argument(help="where the comparison goes")],
    boards: Annotated[str, typer.Option(help="boards, separated by commas")] = "slice-2,ultra96v2",
    seeds: int = SEEDS,
    budget: int = BUDGET,
) -> None:
    """Compare on the committed tables."""
    content: dict[str, Any] = {"ranks": rank_quality(read_rows(TRAINED))}
    for board in boards.split(","):
        task = make_task(board, budget)
        content[board] = compare(task, seeds)
    content["joint"] = [{**asdict(pair), "same": pair.same} for pair in joint_against_sequential()]
    file.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    typer.echo(f"{file}: {', '.join(content)}")


if __name__ == "__main__":
    typer.run(main)
