"""The integer program in PuLP: for one engine, and for all of them at once.

Variables: ``z`` one for every choice of a segment, ``y`` one-hot widths of every group, ``x`` one-hot engines (all at once only);
``f`` and ``d`` when the units and the DRAM are done with every step. Formulation ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any, TypeAlias

from hao.search.problem import Answer, Choice, Problem, damage_of, frame_cycles
from hao.search.solver import Solved, SolverName, solve

if TYPE_CHECKING:
    from pulp import LpProblem

Owned: TypeAlias = tuple[int, Choice]
"""A choice and the candidate that it belongs to."""


class Model:
    """The program over some candidates.

    Args:
        problem: the whole search.
        members: indices of the candidates; one alone needs no ``x``, several must agree on the steps of the layers.
        eager: write every constraint of the DRAM at once; else only those that :meth:`tighten` finds violated.
    """

    def __init__(self, problem: Problem, members: Sequence[int], *, eager: bool) -> None:
        import pulp

        self._pulp, self.problem, self.members = pulp, problem, tuple(members)
        self.lp: LpProblem = pulp.LpProblem("hao", pulp.LpMinimize)
        self.choices: list[Owned] = [(m, c) for m in members for c in problem.allowed(problem.candidates[m])]
        self._x = {m: self._binary(f"x{m}") for m in members} if len(self.members) > 1 else {}
        self._z = [self._binary(f"z{n}") for n in range(len(self.choices))]
        self._y = [[self._binary(f"y{g}_{b}") for b in range(len(group.widths))] for g, group in enumerate(problem.groups)]
        self._f = [self._positive(f"f{n}") for n in range(problem.steps + 1)]
        self._d = [self._positive(f"d{n}") for n in range(problem.steps + 1)]
        self._written: set[tuple[int, int]] = set()
        self._objective()
        self._chain()
        self._widths()
        self._times()
        if self._x:
            self._engines()
        if eager:
            for pair in combinations(range(problem.steps + 1), 2):
                self._buffer(*pair)

    def _binary(self, name: str) -> Any:
        return self.lp.add_variable(name, cat="Binary")

    def _positive(self, name: str) -> Any:
        return self.lp.add_variable(name, lowBound=0)

    def _sum(self, terms: Iterable[Any]) -> Any:
        return self._pulp.lpSum(terms)

    def _objective(self) -> None:
        problem = self.problem
        rows = zip(problem.groups, self._y, strict=True)
        damage = self._sum(d * y for group, row in rows for d, y in zip(group.damage, row, strict=True))
        total = self._f[problem.steps] + problem.overhead
        self.lp += total if problem.objective == "latency" else damage
        if problem.limits.damage is not None:
            self.lp += damage <= problem.limits.damage
        if problem.limits.cycles is not None:
            self.lp += total <= problem.limits.cycles

    def _chain(self) -> None:
        """Exact cover: the segments of every candidate form one path from the first step to the last, or none."""
        for member in self.members:
            used = self._x[member] if self._x else 1
            for node in range(self.problem.steps + 1):
                enter = self._sum(z for z, (m, c) in zip(self._z, self.choices, strict=True) if m == member and c.stop == node)
                leave = self._sum(z for z, (m, c) in zip(self._z, self.choices, strict=True) if m == member and c.start == node)
                if node == 0:
                    self.lp += leave == used
                elif node == self.problem.steps:
                    self.lp += enter == used
                else:
                    self.lp += enter == leave

    def _widths(self) -> None:
        for row in self._y:
            self.lp += self._sum(row) == 1
        bound: dict[tuple[int, int], list[Any]] = {}
        for z, (_, choice) in zip(self._z, self.choices, strict=True):
            for key in choice.bits:
                bound.setdefault(key, []).append(z)
        for (layer, width), held in bound.items():
            self.lp += self._sum(held) <= self._y[self.problem.layers[layer].group][width]
        for member in self.members:
            for row, free in zip(self._y, self.problem.open_widths(self.problem.candidates[member]), strict=True):
                shut = [y for b, y in enumerate(row) if b not in free]
                if shut:
                    self.lp += self._sum(shut) <= (len(shut) * (1 - self._x[member]) if self._x else 0)

    def _times(self) -> None:
        problem = self.problem
        pace = problem.limits.cycles_per_word
        self.lp += self._f[0] == 0
        self.lp += self._d[0] == 0
        pairs = list(zip(self._z, self.choices, strict=True))
        steps = problem.steps_of(problem.candidates[self.members[0]].table)
        for n in range(1, problem.steps + 1):
            ending = [(z, c) for z, (_, c) in pairs if c.stop == n]
            self.lp += self._f[n] >= self._f[n - 1] + self._sum(c.cycles * z for z, c in ending)
            layers = (layer for layer, step in zip(problem.layers, steps, strict=True) if step == n - 1)
            weights = self._sum(w * pace * y for layer in layers for w, y in zip(layer.words, self._y[layer.group], strict=True))
            self.lp += self._d[n] == self._d[n - 1] + self._sum(c.words * pace * z for z, c in ending if c.words) + weights
        self.lp += self._f[problem.steps] >= self._d[problem.steps]

    def _engines(self) -> None:
        self.lp += self._sum(self._x.values()) == 1
        for index, limit in enumerate(self.problem.limits.area):
            self.lp += self._sum(self.problem.candidates[m].area[index] * x for m, x in self._x.items()) <= limit

    def _buffer(self, first: int, last: int) -> None:
        """Between two ends of segments the DRAM brings what the buffer did not hold; inside a segment nothing is asked."""
        pace, problem = self.problem.limits.cycles_per_word, self.problem
        if pace == 0:
            return
        self._written.add((first, last))
        inside = self._sum(z for z, (_, c) in zip(self._z, self.choices, strict=True) if c.start < last < c.stop)
        ahead: Any = problem.candidates[self.members[0]].ahead
        if self._x:
            ahead = self._sum(problem.candidates[m].ahead * x for m, x in self._x.items())
        big = pace * (sum(max(layer.words) for layer in problem.layers) + self._most_words())
        gap = self._d[last] - self._d[first] - pace * ahead
        self.lp += self._f[last] - self._f[first] + big * inside >= gap
        if first == 0:
            self.lp += self._f[last] + big * inside >= self._d[last]

    def _most_words(self) -> int:
        most = [0] * self.problem.steps
        for _, choice in self.choices:
            most[choice.stop - 1] = max(most[choice.stop - 1], choice.words)
        return sum(most)

    def tighten(self, answer: Answer) -> bool:
        """Add the DRAM's constraints between the ends of an answer's segments; whether any was new."""
        ends = [0, *(choice.stop for choice in answer.path)]
        new = [pair for pair in combinations(ends, 2) if pair not in self._written]
        for pair in new:
            self._buffer(*pair)
        return bool(new) and self.problem.limits.cycles_per_word > 0

    def read(self) -> Answer:
        """The point that the variables hold, evaluated anew."""
        problem = self.problem
        member = self.members[0] if not self._x else max(self._x, key=lambda m: self._x[m].value() or 0)
        chosen = [c for z, (m, c) in zip(self._z, self.choices, strict=True) if m == member and (z.value() or 0) > 0.5]
        path = tuple(sorted(chosen, key=lambda c: c.start))
        widths = tuple(max(range(len(row)), key=lambda b, row=row: row[b].value() or 0) for row in self._y)  # type: ignore[misc]
        return Answer(member, path, widths, frame_cycles(problem, problem.candidates[member], path, widths), damage_of(problem, widths))

    def solve(self, seconds: float, solver: SolverName) -> Solved:
        """Run the solver once."""
        return solve(self.lp, seconds, solver)
