"""The proof by decomposition: every engine is ruled out by a limit, by another engine, by its bound, or is solved to the end."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from hao.search.problem import Answer, Outcome, Problem, Status, damage_of, frame_cycles
from hao.search.program import Model
from hao.search.prune import Bound, too_large, undominated_candidates, undominated_choices
from hao.search.solver import SolverName

Progress: TypeAlias = Callable[[str, int, int], None]
"""Called with what is done, how much of it, and of how much."""
_TOLERANCE = 1e-6
"""Relative; the solver's own on integers is as large."""


def _quiet(what: str, done: int, total: int) -> None:
    """Say nothing."""


class _Run:
    """One search in progress."""

    def __init__(self, problem: Problem, seconds: float, solver: SolverName) -> None:
        self.problem, self.solver = problem, solver
        self.deadline = time.monotonic() + seconds
        self.best: Answer | None = None
        self.certificate: dict[str, str] = {}
        self.open: list[float] = []

    def left(self) -> float:
        return self.deadline - time.monotonic()

    def reached(self) -> float:
        """Value of the best point so far."""
        return float("inf") if self.best is None else self.best.value(self.problem.objective)

    def say(self, member: int, text: str) -> None:
        self.certificate[self.problem.candidates[member].name] = text

    def not_better(self, bound: float) -> bool:
        """Whether a bound rules out anything better than what is known."""
        return self.best is not None and bound >= self.reached() - _TOLERANCE * max(1.0, abs(self.reached()))

    def admissible(self, answer: Answer) -> bool:
        limits = self.problem.limits
        fits = limits.cycles is None or answer.cycles <= limits.cycles * (1 + _TOLERANCE)
        return fits and (limits.damage is None or answer.damage <= limits.damage * (1 + _TOLERANCE) + 1e-12)

    def attained(self, member: int, bound: Bound, value: float) -> bool:
        """Whether the fastest path of a candidate is admissible and reaches its bound: its optimum then, without a solver."""
        found = bound.fastest()
        if found is None or self.problem.objective != "latency" or self.left() <= 0:
            return False
        path, widths = found
        cycles = frame_cycles(self.problem, self.problem.candidates[member], path, widths)
        answer = Answer(member, path, widths, cycles, damage_of(self.problem, widths))
        if not self.admissible(answer):
            return False
        if answer.cycles < self.reached():
            self.best = answer
        if cycles <= value + _TOLERANCE * max(1.0, cycles):
            self.say(member, f"solved: {cycles:g} is its optimum, its bound is attained")
            return True
        return False

    def solve(self, member: int, bound: float) -> None:
        """Solve one candidate to the end, or until time runs out; DRAM constraints are added as they are violated."""
        model = Model(self.problem, [member], eager=False)
        while True:
            solved = model.solve(self.left(), self.solver)
            if solved.status == "infeasible":
                self.say(member, "no segments and widths meet all limits: proven by the solver")
                return
            if solved.status == "unknown":
                self.open.append(max(bound, solved.bound))
                self.say(member, f"time ran out; not below {max(bound, solved.bound):g}")
                return
            answer = model.read()
            exact = answer.cycles if self.problem.objective == "latency" else answer.damage
            honest = exact <= solved.objective + _TOLERANCE * max(1.0, abs(exact)) and self.admissible(answer)
            if self.admissible(answer) and exact < self.reached():
                self.best = answer
            if solved.status == "feasible":
                self.open.append(max(bound, solved.bound))
                self.say(member, f"time ran out at {exact:g}; not below {max(bound, solved.bound):g}")
                return
            if honest:
                self.say(member, f"solved: {exact:g} is its optimum")
                return
            if not model.tighten(answer):
                self.open.append(max(bound, solved.bound))
                self.say(member, f"the solver's {solved.objective:g} is {exact:g} when evaluated: not proven")
                return


def _shrunk(problem: Problem, answer: Answer, members: list[int]) -> Answer:
    """The same point on the smallest engine of the same table that holds it and is no slower."""
    owner = problem.candidates[answer.candidate]
    fitting = []
    for member in members:
        other = problem.candidates[member]
        holds = other.table == owner.table and all(map(other.holds, answer.path))
        if not holds or any(w not in free for w, free in zip(answer.widths, problem.open_widths(other), strict=True)):
            continue
        cycles = frame_cycles(problem, other, answer.path, answer.widths)
        if cycles <= answer.cycles + _TOLERANCE:
            share = sum(used / limit for used, limit in zip(other.area, problem.limits.area, strict=True) if limit)
            fitting.append((share, member, cycles))
    if not fitting:
        return answer
    _, member, cycles = min(fitting)
    return replace(answer, candidate=member, cycles=min(cycles, answer.cycles))


def search(problem: Problem, seconds: float = 60.0, solver: SolverName = "cbc", progress: Progress = _quiet) -> Outcome:
    """Find the best point and prove it, by decomposition.

    Args:
        problem: the search.
        seconds: of wall time for bounds and solver together.
        solver: of the integer programs.
        progress: told about bounds and solved engines.

    Raises:
        MissingTool: the solver is not installed.
        SearchError: the solver crashed.
    """
    slim, dropped = undominated_choices(problem)
    run = _Run(slim, seconds, solver)
    fitting: list[int] = []
    for member, candidate in enumerate(slim.candidates):
        over = too_large(slim, candidate)
        if over:
            run.say(member, f"too large: {over}")
        else:
            fitting.append(member)
    kept, covered = undominated_candidates(slim, fitting)
    for member, by in covered.items():
        run.say(member, f"not better than {slim.candidates[by].name}, whose buffers are as large")
    bounds: dict[int, float] = {}
    parts: dict[int, Bound] = {}
    for done, member in enumerate(kept):
        progress("bounds", done, len(kept))
        parts[member] = Bound(slim, slim.candidates[member])
        bounds[member] = parts[member].value()
    solved = bounded = 0
    for done, member in enumerate(sorted(kept, key=lambda m: bounds[m])):
        progress("engines", done, len(kept))
        if bounds[member] == float("inf"):
            run.say(member, "no segments fit its buffers and the limits: proven by its bound")
            bounded += 1
        elif run.not_better(bounds[member]):
            run.say(member, f"bound: not below {bounds[member]:g}")
            bounded += 1
        else:
            solved += 1
            if not run.attained(member, parts[member], bounds[member]):
                run.solve(member, bounds[member])
    counts = {
        "candidates": len(slim.candidates), "fitting": len(fitting), "covered": len(covered), "bounded": bounded, "solved": solved,
        "choices": sum(len(t) for t in problem.tables), "dominated_choices": dropped,
    }  # fmt: skip
    return _outcome(run, fitting, counts)


def _outcome(run: _Run, fitting: list[int], counts: dict[str, int]) -> Outcome:
    problem = run.problem
    open_bound = min((bound for bound in run.open if not run.not_better(bound)), default=None)
    status: Status
    if run.best is None:
        status, bound = ("unknown", open_bound) if open_bound is not None else ("infeasible", float("inf"))
    else:
        status, bound = ("optimal", run.reached()) if open_bound is None else ("feasible", open_bound)
    answer = None if run.best is None else _shrunk(problem, run.best, fitting)
    return Outcome(status, answer, float("-inf") if bound is None else bound, problem.objective, run.certificate, counts)


def judge(problem: Problem, seconds: float = 60.0, solver: SolverName = "cbc") -> Outcome:
    """The same search as one integer program over all engines: for small spaces, to hold the decomposition against.

    Raises:
        MissingTool: the solver is not installed.
        SearchError: the solver crashed.
    """
    members = [m for m, c in enumerate(problem.candidates) if problem.allowed(c)]
    if not members:
        return Outcome("infeasible", None, float("inf"), problem.objective)
    model = Model(problem, members, eager=True)
    solved = model.solve(seconds, solver)
    if solved.status in ("infeasible", "unknown"):
        return Outcome(solved.status, None, solved.bound, problem.objective)
    return Outcome(solved.status, model.read(), solved.bound, problem.objective)
