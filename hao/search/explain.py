"""Which limits bind, and where there is no solution, which ones conflict and by how much each would have to give."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from hao.search.decompose import search
from hao.search.problem import RESOURCES, Limits, Outcome, Problem
from hao.search.prune import Bound
from hao.search.solver import SolverName

_MARGIN = 1e-9


@dataclass(frozen=True, slots=True)
class Relaxed:
    """One limit: the best value without it, with all others kept; None: still no solution."""

    limit: str
    value: float | None


def without(limits: Limits, name: str) -> Limits:
    """The limits with one of them taken away."""
    if name in RESOURCES:
        area = tuple(float("inf") if resource == name else limit for resource, limit in zip(RESOURCES, limits.area, strict=True))
        return replace(limits, area=(area[0], area[1], area[2], area[3]))
    if name == "bandwidth":
        return replace(limits, cycles_per_word=0.0)
    return replace(limits, damage=None) if name == "perturbation" else replace(limits, cycles=None)


def names(problem: Problem) -> tuple[str, ...]:
    """Limits that the problem has."""
    limits = problem.limits
    soft = (("perturbation", limits.damage is not None), ("cycles", limits.cycles is not None))
    return (*RESOURCES, "bandwidth", *(name for name, there in soft if there))


def binding(problem: Problem, found: Outcome, seconds: float, solver: SolverName = "cbc") -> list[Relaxed]:
    """Limits whose removal alone makes the optimum better, with what it becomes. Searches once a limit."""
    if found.answer is None:
        return []
    value = found.answer.value(problem.objective)
    better = []
    for name in names(problem):
        other = search(replace(problem, limits=without(problem.limits, name)), seconds, solver)
        if other.answer is not None and other.answer.value(problem.objective) < value - max(1e-6 * abs(value), _MARGIN):
            better.append(Relaxed(name, other.answer.value(problem.objective)))
    return better


@dataclass(frozen=True, slots=True)
class Conflict:
    """Why there is no solution.

    Attributes:
        alone: limits that suffice to be relaxed alone, with the least value that admits a solution.
        together: if none does, one set of limits to relax at once, with their values.
    """

    alone: Mapping[str, float]
    together: Mapping[str, float]

    def sentence(self, limits: Limits) -> str:
        """One line: what to relax, from what to what."""
        now = dict(zip(RESOURCES, limits.area, strict=True))
        now |= {"perturbation": limits.damage or 0.0, "cycles": limits.cycles or 0.0}
        chosen, word = (self.alone, "or") if self.alone else (self.together, "and")
        parts = [f"{name} from {now[name]:g} to {value:g}" if name in now else f"{name} x {value:g}" for name, value in chosen.items()]
        return f"relax {f' {word} '.join(parts)}" if parts else "no engine of the grid holds the network, whatever the limits"


def conflict(problem: Problem, seconds: float, solver: SolverName = "cbc") -> Conflict:
    """Find what to relax, by how much."""
    alone: dict[str, float] = {}
    for name in names(problem):
        free = replace(problem, limits=without(problem.limits, name))
        found = search(free, seconds, solver)
        if found.answer is not None:
            alone[name] = _least(free, name, found, seconds, solver)
    return Conflict(alone, {} if alone else _together(problem, seconds, solver))


def _least(free: Problem, name: str, found: Outcome, seconds: float, solver: SolverName) -> float:
    """Least value of a limit with which there is a solution."""
    assert found.answer is not None
    if name == "perturbation":
        other = search(replace(free, objective="perturbation"), seconds, solver)
        return found.answer.damage if other.answer is None else other.answer.damage
    if name == "cycles":
        other = search(replace(free, objective="latency"), seconds, solver)
        return found.answer.cycles if other.answer is None else other.answer.cycles
    if name == "bandwidth":
        return float("inf")
    index = RESOURCES.index(name)
    best = free.candidates[found.answer.candidate].area[index]
    for member in sorted(range(len(free.candidates)), key=lambda m: free.candidates[m].area[index]):
        candidate = free.candidates[member]
        if candidate.area[index] >= best:
            break
        fits = all(used <= limit for used, limit in zip(candidate.area, free.limits.area, strict=True))
        if fits and Bound(free, candidate).value() < float("inf"):
            single = search(replace(free, candidates=(candidate,)), seconds, solver)
            if single.answer is not None:
                return candidate.area[index]
    return best




def _together(problem: Problem, seconds: float, solver: SolverName) -> dict[str, float]:
    """Limits to relax at once: the engine that exceeds the device by the least sum of shares; soft limits only where they must give."""
    limits = problem.limits.area

    def excess(member: int) -> float:
        area = problem.candidates[member].area
        return sum(max(0.0, used / limit - 1) if limit else float(used > 0) * 1e3 for used, limit in zip(area, limits, strict=True))

    soft = replace(problem.limits, damage=None, cycles=None)
    for kept in (problem.limits, soft):
        for member in sorted(range(len(problem.candidates)), key=excess):
            candidate = problem.candidates[member]
            if Bound(replace(problem, limits=kept), candidate).value() == float("inf"):
                continue
            single = search(replace(problem, candidates=(candidate,), limits=replace(kept, area=candidate.area)), seconds, solver)
            if single.answer is None:
                continue
            needs = {n: used for n, used, limit in zip(RESOURCES, candidate.area, limits, strict=True) if used > limit}
            if problem.limits.damage is not None and single.answer.damage > problem.limits.damage + _MARGIN:
                needs["perturbation"] = single.answer.damage
            if problem.limits.cycles is not None and single.answer.cycles > problem.limits.cycles * (1 + 1e-6):
                needs["cycles"] = single.answer.cycles
            return needs
    return {}
