"""What can be left out without losing the optimum, and is counted: dominated segments, dominated engines, bounds by Lagrange."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hao.search.problem import RESOURCES, Candidate, Choice, Problem

_INFINITY = float("inf")
_ROUNDS = 24


def _covers(strong: Choice, weak: Choice) -> bool:
    """Whether ``strong`` can stand in for ``weak`` in every solution."""
    return (
        strong.cycles <= weak.cycles
        and strong.words <= weak.words
        and strong.room <= weak.room
        and strong.ring <= weak.ring
        and strong.held <= weak.held
        and set(strong.bits) <= set(weak.bits)
    )


def undominated_choices(problem: Problem) -> tuple[Problem, int]:
    """The problem without choices that another one of the same steps can stand in for, and how many there were."""
    tables: list[tuple[Choice, ...]] = []
    dropped = 0
    for table in problem.tables:
        places: dict[tuple[int, int], list[Choice]] = {}
        for choice in table:
            held = places.setdefault((choice.start, choice.stop), [])
            if any(_covers(other, choice) for other in held):
                continue
            held[:] = [other for other in held if not _covers(choice, other)]
            held.append(choice)
        kept = tuple(choice for held in places.values() for choice in held)
        dropped += len(table) - len(kept)
        tables.append(kept)
    return replace(problem, tables=tuple(tables)), dropped


def too_large(problem: Problem, candidate: Candidate) -> str:
    """Which limit a candidate's area exceeds; empty if none."""
    over = [
        f"{name} {used:g} of {limit:g}"
        for name, used, limit in zip(RESOURCES, candidate.area, problem.limits.area, strict=True)
        if used > limit
    ]
    return ", ".join(over)


def undominated_candidates(problem: Problem, members: Sequence[int]) -> tuple[list[int], dict[int, int]]:
    """Candidates whose buffers no other one of the same table covers, and for each of the others one that does.

    Larger buffers allow every choice that smaller ones allow and never make a frame longer, so the optimum of a covered candidate
    is not better than that of the one that covers it.
    """
    by_table: dict[int, list[int]] = {}
    for member in members:
        by_table.setdefault(problem.candidates[member].table, []).append(member)
    kept: list[int] = []
    covered: dict[int, int] = {}
    for group in by_table.values():
        order = sorted(group, key=lambda m: tuple(-v for v in _sizes(problem.candidates[m])))
        front: list[int] = []
        for member in order:
            sizes = _sizes(problem.candidates[member])
            by = next((f for f in front if all(a >= b for a, b in zip(_sizes(problem.candidates[f]), sizes, strict=True))), None)
            if by is None:
                front.append(member)
            else:
                covered[member] = by
        kept += front
    return sorted(kept), covered


def _sizes(candidate: Candidate) -> tuple[int, ...]:
    return candidate.room, candidate.ring, candidate.ahead, candidate.largest, candidate.buffer


class Bound:
    """Certified lower bounds of one candidate: shortest paths with the other goal priced in (Lagrange), the DRAM's total beside.

    Valid because every tie between layers, the buffer of weights and the integrality of the prices are only relaxed.
    """

    def __init__(self, problem: Problem, candidate: Candidate) -> None:
        self._problem, self._pace = problem, problem.limits.cycles_per_word
        widths = self._widths = problem.open_widths(candidate)
        sharing = [0] * len(problem.groups)
        for layer in problem.layers:
            sharing[layer.group] += 1
        self._share = [
            {b: problem.groups[layer.group].damage[b] / sharing[layer.group] for b in widths[layer.group]} for layer in problem.layers
        ]  # fmt: skip
        self.open = all(widths)
        self._words = sum(min((layer.words[b] for b in widths[layer.group]), default=0) for layer in problem.layers)
        unread = [g for g, count in enumerate(sharing) if count == 0]
        self._fixed = sum(min(problem.groups[g].damage) for g in unread)
        at_step: list[list[int]] = [[] for _ in range(problem.steps)]
        for index, step in enumerate(problem.steps_of(candidate.table)):
            at_step[step].append(index)
        self._edges: list[list[tuple[int, int, float, Choice]]] = [[] for _ in range(problem.steps + 1)]
        for choice in problem.allowed(candidate) if self.open else ():
            held = dict(choice.bits)
            if any(b not in self._share[index] for index, b in held.items()):
                continue
            inside = [index for step in range(choice.start, choice.stop) for index in at_step[step]]
            damage = sum(self._share[i][held[i]] if i in held else min(self._share[i].values()) for i in inside)
            self._edges[choice.stop].append((choice.start, choice.cycles, damage, choice))

    def _shortest(self, alpha: float, beta: float) -> tuple[float, float, float]:
        """Smallest ``alpha * cycles + beta * damage`` over all paths, with the cycles and the damage of that path."""
        best: list[tuple[float, float, float]] = [(0.0, 0.0, self._fixed)]
        for node in range(1, self._problem.steps + 1):
            found = (_INFINITY, _INFINITY, _INFINITY)
            for start, cycles, damage, _ in self._edges[node]:
                before = best[start]
                value = before[0] + alpha * cycles + beta * damage
                if value < found[0]:
                    found = (value, before[1] + cycles, before[2] + damage)
            best.append(found)
        value, cycles_sum, damage_sum = best[-1]
        return value + beta * self._fixed, cycles_sum, damage_sum

    def fastest(self) -> tuple[tuple[Choice, ...], tuple[int, ...]] | None:
        """The path with the fewest cycles, and the least perturbing widths that it allows; None: there is none, or ties forbid it.

        A point of the space, though limits may exclude it; where it reaches the bound, it is the optimum.
        """
        best: list[tuple[float, tuple[Choice, ...]]] = [(0.0, ())]
        for node in range(1, self._problem.steps + 1):
            options = [(best[start][0] + cycles, best[start][1], choice) for start, cycles, _, choice in self._edges[node]]
            cycles, path, last = min(options, key=lambda o: o[0], default=(_INFINITY, (), None))
            best.append((cycles, (*path, last) if last is not None else ()))
        if best[-1][0] == _INFINITY:
            return None
        held: dict[int, int] = {}
        for choice in best[-1][1]:
            for layer, width in choice.bits:
                if held.setdefault(self._problem.layers[layer].group, width) != width:
                    return None
        widths = []
        for number, (group, free) in enumerate(zip(self._problem.groups, self._widths, strict=True)):
            widths.append(held.get(number, min(free, key=lambda b, group=group: group.damage[b])))  # type: ignore[misc]
        return best[-1][1], tuple(widths)

    def value(self) -> float:
        """No point of the candidate is better than this; infinity: it has none."""
        problem, limits = self._problem, self._problem.limits
        fastest, kindest = self._shortest(1.0, 0.0), self._shortest(0.0, 1.0)
        if fastest[0] == _INFINITY:
            return _INFINITY
        least_cycles = max(fastest[1], self._words * self._pace) + problem.overhead
        least_damage = kindest[2]
        if limits.damage is not None and least_damage > limits.damage * (1 + 1e-12) + 1e-12:
            return _INFINITY
        if limits.cycles is not None and least_cycles > limits.cycles + 1e-9:
            return _INFINITY
        if problem.objective == "latency":
            other = limits.damage
            return least_cycles if other is None else max(least_cycles, self._priced(other, cycles_first=True) + problem.overhead)
        other = None if limits.cycles is None else limits.cycles - problem.overhead
        return least_damage if other is None else max(least_damage, self._priced(other, cycles_first=False))

    def _priced(self, limit: float, *, cycles_first: bool) -> float:
        """The best Lagrange bound that a bisection of the price finds; every price gives a valid one."""
        best = 0.0
        low, high = 0.0, 1.0
        for grow in (True, False):
            for _ in range(_ROUNDS):
                price = high if grow else (low + high) / 2
                value, cycles, damage = self._shortest(1.0, price) if cycles_first else self._shortest(price, 1.0)
                best = max(best, value - price * limit)
                used = damage if cycles_first else cycles
                if grow:
                    if used <= limit:
                        break
                    low, high = high, high * 4
                elif used > limit:
                    low = price
                else:
                    high = price
        return best
