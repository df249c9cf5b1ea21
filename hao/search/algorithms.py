"""Search algorithms over the family: random, regularized evolution, and Monte-Carlo tree search with an accuracy predictor.

All of them ask one *oracle* for (cycles, accuracy) and are charged for every accuracy that they ask; cycles are exact and free, since
the integer program gives them without training. Every algorithm yields the points in the order in which it paid for them.
"""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from hao.models.searchable import Architecture
from hao.search.pareto import Point, front, hypervolume
from hao.search.predictor import LEAST_ROWS, Floats, Predictor

Algorithm: TypeAlias = Callable[["Task", random.Random], Iterator[Architecture]]
GENES = ("width", "first", "second", "third", "bits")


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """What can be asked.

    Attributes:
        members: all architectures that exist.
        cycles: exact, of every member.
        accuracy: what an evaluation costs one unit for.
        features: for the predictor.
        worst: reference point of the hyper-volume.
        budget: evaluations.
    """

    members: tuple[Architecture, ...]
    cycles: Mapping[Architecture, float]
    accuracy: Callable[[Architecture], float]
    features: Mapping[Architecture, Floats]
    worst: Point
    budget: int

    def point(self, member: Architecture) -> Point:
        """Cycles and accuracy: one evaluation."""
        return self.cycles[member], self.accuracy(member)


def genes(member: Architecture) -> tuple[object, ...]:
    """An architecture as a path of decisions, in the order of ``GENES``."""
    return (member.width, *member.blocks, member.bits)


def at_random(task: Task, rng: random.Random) -> Iterator[Architecture]:
    """Members without repetition."""
    order = list(task.members)
    rng.shuffle(order)
    yield from order[: task.budget]


def evolution(task: Task, rng: random.Random, population: int = 16, sample: int = 6) -> Iterator[Architecture]:
    """Regularized evolution (Real et al., 2019) with two goals: the parent is a non-dominated member of a random sample.

    Members that were paid for once are not paid for again, so that no evaluation is wasted.
    """
    alive: deque[tuple[Architecture, Point]] = deque()
    seen: set[Architecture] = set()
    exist = set(task.members)
    for _ in range(task.budget):
        child = None
        if len(alive) >= population:
            pool = rng.sample(list(alive), sample)
            best = front([point for _, point in pool])
            parent = next(m for m, point in rng.sample(pool, len(pool)) if point in best)
            options = [m for m in _neighbours(parent, task.members) if m not in seen and m in exist]
            child = rng.choice(options) if options else None
        if child is None:
            child = rng.choice([m for m in task.members if m not in seen])
        seen.add(child)
        yield child
        alive.append((child, task.point(child)))
        if len(alive) > population:
            alive.popleft()


def _neighbours(member: Architecture, members: Sequence[Architecture]) -> list[Architecture]:
    own = genes(member)
    return [m for m in members if sum(a != b for a, b in zip(genes(m), own, strict=True)) == 1]


@dataclass(slots=True)
class _Node:
    """A partial architecture: visits, summed reward, children by the next gene, members below that are unpaid."""

    members: list[Architecture]
    visits: int = 0
    reward: float = 0.0
    children: dict[object, _Node] = field(default_factory=dict)


class TreeSearch:
    """Monte-Carlo tree search: a path of genes by UCT, a rollout judged by the predictor, the reward a gain of hyper-volume.

    Args:
        task: what can be asked.
        rng: source of all choices.
        warm: evaluations spent at random on the predictor's first training set; they are charged like any other.
        rollouts: simulated paths for every evaluation; they cost nothing.
    """

    def __init__(self, task: Task, rng: random.Random, warm: int = 16, rollouts: int = 40, explore: float = 0.5) -> None:
        self._task, self._rng, self._warm, self._rollouts, self._explore = task, rng, warm, rollouts, explore
        self._paid: dict[Architecture, Point] = {}
        self._guess: dict[Architecture, float] = {}

    def run(self) -> Iterator[Architecture]:
        """Architectures in the order in which they are paid for."""
        warm = self._rng.sample(self._task.members, min(self._warm, self._task.budget, len(self._task.members)))
        for member in warm:
            yield self._pay(member)
        while len(self._paid) < min(self._task.budget, len(self._task.members)):
            yield self._pay(self._next())

    def _pay(self, member: Architecture) -> Architecture:
        self._paid[member] = self._task.point(member)
        return member

    def _learn(self) -> None:
        rows = [self._task.features[m] for m in self._paid]
        if len(rows) < LEAST_ROWS:
            self._guess = dict.fromkeys(self._task.members, 0.0)
            return
        model = Predictor().fit(rows, [accuracy for _, accuracy in self._paid.values()])
        guesses = model.predict([self._task.features[m] for m in self._task.members])
        self._guess = dict(zip(self._task.members, map(float, guesses), strict=True))

    def _gain(self, member: Architecture, now: float, points: list[Point]) -> float:
        return hypervolume([*points, (self._task.cycles[member], self._guess[member])], self._task.worst) - now

    def _next(self) -> Architecture:
        """The unpaid member that the tree's rollouts judge best."""
        self._learn()
        points = front(list(self._paid.values()))
        now = hypervolume(points, self._task.worst)
        root = _Node([m for m in self._task.members if m not in self._paid])
        best, most, scale = self._rng.choice(root.members), -1.0, 1e-12
        for _ in range(self._rollouts):
            path, member = self._descend(root, scale)
            gain = self._gain(member, now, points)
            scale = max(scale, gain)
            if gain > most:
                best, most = member, gain
            for node in path:
                node.visits += 1
                node.reward += gain
        return best

    def _descend(self, root: _Node, scale: float) -> tuple[list[_Node], Architecture]:
        node, path, depth = root, [root], 0
        while depth < len(GENES):
            options: dict[object, list[Architecture]] = {}
            for member in node.members:
                options.setdefault(genes(member)[depth], []).append(member)
            fresh = [gene for gene in options if gene not in node.children]
            depth += 1
            if fresh:
                gene = self._rng.choice(fresh)
                node.children[gene] = _Node(options[gene])
                path.append(node.children[gene])
                return path, self._rng.choice(options[gene])
            total = math.log(max(node.visits, 2))

            def value(child: _Node, total: float = total) -> float:
                return child.reward / child.visits / scale + self._explore * math.sqrt(total / child.visits)

            node = max(node.children.values(), key=value)
            path.append(node)
        return path, node.members[0]


def tree_search(task: Task, rng: random.Random) -> Iterator[Architecture]:
    """:class:`TreeSearch` with its defaults."""
    yield from TreeSearch(task, rng).run()


ALGORITHMS: dict[str, Algorithm] = {"random": at_random, "evolution": evolution, "tree": tree_search}


def volumes(task: Task, algorithm: Algorithm, seed: int) -> tuple[list[float], list[Point]]:
    """Hyper-volume after every evaluation, and the points."""
    points: list[Point] = []
    found: list[float] = []
    for member in algorithm(task, random.Random(seed)):
        points.append(task.point(member))
        found.append(hypervolume(points, task.worst))
    return found, points
