"""The search itself: Monte-Carlo tree search over the family, accuracies inherited from the supernet, cycles exact and proven."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from hao.models.searchable import Architecture, macs_of, members, parameters_of, parse
from hao.nas.corpus import Corpus
from hao.nas.learn import Inherited, Tell
from hao.nas.ledger import Ledger
from hao.search.algorithms import Task, TreeSearch
from hao.search.hardware import Hardware
from hao.search.pareto import Point, front
from hao.search.predictor import features

SEARCH = "architectures"
_WARM, _ROLLOUTS = 32, 16


def floor_of(classes: int) -> float:
    """Accuracy in percent below which a network dominates nothing: five times chance, but no more than half."""
    return min(50.0, 500.0 / classes)


class Cycles(Mapping[Architecture, float]):
    """Proven cycles of members, each solved when it is first asked for, and kept.

    Attributes:
        seconds: of every solution.
    """

    def __init__(self, hardware: Hardware, corpus: Corpus, ledger: Ledger) -> None:
        self._hardware, self._corpus, self._ledger = hardware, corpus, ledger

    def __getitem__(self, member: Architecture) -> float:
        if member.name not in self._ledger.rows:
            found = self._hardware.solve(member, self._corpus.side, self._corpus.family)
            engine = f"{found.config.name}-dw{found.config.dw_lanes}"
            self._ledger.add(member.name, {"cycles": round(found.cycles), "engine": engine, "seconds": round(found.seconds, 4)})
        return float(self._ledger.rows[member.name]["cycles"])

    def __iter__(self) -> Iterator[Architecture]:
        return map(parse, self._ledger.rows)

    def __len__(self) -> int:
        return len(self._ledger.rows)

    def engine(self, member: Architecture) -> str:
        """Name of the engine that a solved member runs fastest on."""
        return str(self._ledger.rows[member.name]["engine"])

    @property
    def seconds(self) -> list[float]:
        """Wall seconds of every solution."""
        return [float(row["seconds"]) for row in self._ledger.rows.values()]


@dataclass(frozen=True, slots=True, eq=False)
class Explored:
    """What the tree search saw.

    Attributes:
        points: cycles and inherited validation accuracy of every architecture that was evaluated, in order.
        solved: hardware problems solved; median and 95 % quantile of their wall seconds.
        evaluation_seconds: median wall seconds of an inherited accuracy.
    """

    points: dict[Architecture, Point]
    solved: int
    median_seconds: float
    late_seconds: float
    evaluation_seconds: float


def explore(corpus: Corpus, inherited: Inherited, hardware: Hardware, folder: Path, seed: int, budget: int, tell: Tell) -> Explored:
    """Search; what ``folder`` holds of an interrupted search is not computed again.

    Raises:
        SearchError: no engine fits the board; the hint says what to relax.
    """
    paid, cycles = Ledger(folder / "evaluated.jsonl"), Cycles(hardware, corpus, Ledger(folder / "solved.jsonl"))

    def evaluate(member: Architecture) -> float:
        if member.name not in paid.rows:
            begun = time.perf_counter()
            reached = inherited.accuracy(member)
            paid.add(member.name, {"accuracy": reached, "seconds": round(time.perf_counter() - begun, 4)})
        return float(paid.rows[member.name]["accuracy"])

    family = corpus.family
    every = members(family)
    slowest = cycles[Architecture(family.widest, ("dense5", "dense5", "dense5"), 8)]
    task = Task(
        members=every, cycles=cycles, accuracy=evaluate,
        features={m: features(m, macs_of(m, corpus.side, family), parameters_of(m, family)) for m in every},
        worst=(slowest * 1.01, floor_of(family.classes)), budget=budget,
    )  # fmt: skip
    found: dict[Architecture, Point] = {}
    for member in TreeSearch(task, random.Random(seed), warm=min(_WARM, budget), rollouts=_ROLLOUTS).run():
        found[member] = task.point(member)
        tell(SEARCH, len(found), budget)
    times = sorted(cycles.seconds)
    spent = statistics.median(float(row["seconds"]) for row in paid.rows.values())
    return Explored(found, len(times), statistics.median(times), times[int(0.95 * (len(times) - 1))], spent)


def best_of(points: Mapping[Architecture, Point], count: int, worst: Point) -> list[Architecture]:
    """``count`` architectures by rising cycles: fronts are peeled off until there are enough; the last one is spread evenly."""
    left, chosen = dict(points), list[Architecture]()
    while left and len(chosen) < count:
        best = set(front(list(left.values())))
        layer = sorted((m for m, point in left.items() if point in best and point[1] > worst[1]), key=lambda m: (left[m], m))
        if not layer:
            break
        room = count - len(chosen)
        if len(layer) > room:
            steps = [round(n * (len(layer) - 1) / max(room - 1, 1)) for n in range(room)]
            chosen += [layer[n] for n in (steps if room > 1 else [len(layer) - 1])]
        else:
            chosen += layer
        for member in layer:
            del left[member]
    return sorted(chosen, key=lambda m: (points[m], m))
