"""One whole search: tables, proof, compilation of what was found, and its verification."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hao.boards import Board
from hao.compiler.compile import Compilation
from hao.engine.config import ULTRA96, EngineConfig
from hao.errors import CompileError, SearchError
from hao.ir.graph import Graph
from hao.ir.serialize import network_digest
from hao.search.decompose import Progress, search
from hao.search.design import Design, Figure, MappedSegment
from hao.search.engines import compute_key
from hao.search.explain import Conflict, conflict
from hao.search.kept import Kept
from hao.search.mappings import ORDERS, plan_of
from hao.search.planner import compile_design
from hao.search.polish import Trial, polish
from hao.search.problem import RESOURCES, Answer, Outcome, Problem
from hao.search.solver import SolverName
from hao.search.space import Builder, Request, Space
from hao.search.verify import Verification, verify

_MOST_STRIPES = (32, 16)
"""Rolling stripes of the mappings that are tried beside the proven one."""
_RETRIES, _MARGIN = 4, 0.06
"""How often, and by which share, feature memories are taken for smaller when the compiler finds a mapping too fragmented."""


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What a search of a network came to.

    Attributes:
        trials: images that were compared for the design.
        margin: share of the feature memory left free for fragmentation.
        hand_made: what the certificate says of the hand-made engine, by order of the steps; empty: it is no member of the space.
        hand_made_value: the best that it reaches with the best mapping and widths; None: it does not fit.
        own_value: the same with the compiler's own mapping; None: that is not in the space.
        conflict: what to relax, where there is no solution.
        solve_seconds: wall time of bounds and solver.
    """

    space: Space
    outcome: Outcome
    design: Design | None
    compilation: Compilation | None
    verification: Verification | None
    margin: float
    hand_made: Mapping[str, str]
    hand_made_value: float | None
    conflict: Conflict | None
    solve_seconds: float
    trials: tuple[Trial, ...] = ()
    own_value: float | None = None


def _nothing(graph: Graph, names: tuple[str, str, str]) -> Design:
    """A design of nothing yet: network, weights and board alone."""
    return Design(
        network=names[0], weights=names[1], digest=network_digest(graph), board=names[2], configuration=EngineConfig(), order="graph",
        segments=(MappedSegment(steps=("none",), stripes=1),), widths={}, cycles=Figure(value=0, error=0), area={}, damage=0,
    )  # fmt: skip


def _design(builder: Builder, space: Space, answer: Answer, identity: Design) -> Design:
    """The answer as a design; ``identity`` brings network, board and digest."""
    config, order = space.engines[answer.candidate]
    plan = plan_of(builder.lowered, config, order, builder.own.steps if builder.own is not None else ())
    segments = tuple(
        MappedSegment(
            steps=tuple(step.op.name for step in plan.steps[c.start : c.stop]), stripes=c.stripes, rolling=c.rolling, template=c.label,
            cycles=c.cycles,
        )
        for c in answer.path
    )  # fmt: skip
    estimate = space.areas[answer.candidate]
    area = {name: Figure(value=getattr(estimate, name).value, error=getattr(estimate, name).error) for name in RESOURCES}
    chosen = zip(space.problem.groups, answer.widths, strict=True)
    widths = {group.name: group.widths[w] for group, w in chosen if not group.name.endswith("(copy)")}
    return identity.model_copy(
        update={
            "configuration": config, "order": order, "segments": segments, "area": area, "damage": answer.damage, "widths": widths,
            "cycles": Figure(value=round(answer.cycles), error=0.0),
        }
    )  # fmt: skip


def _engines(space: Space, answer: Answer) -> list[EngineConfig]:
    """Engines that fit the board and on which the answer's image may be faster: the largest with its cores, and the hand-made one."""
    limits, own = space.problem.limits.area, compute_key(space.engines[answer.candidate][0])
    pairs = zip(space.problem.candidates, space.engines, strict=True)
    fitting = [(c, config) for c, (config, _) in pairs if all(used <= limit for used, limit in zip(c.area, limits, strict=True))]
    largest = max((pair for pair in fitting if compute_key(pair[1]) == own), key=lambda pair: (pair[0].room, pair[0].ahead, pair[0].ring))
    return [largest[1], *(config for _, config in fitting if config == ULTRA96)]


def _calmer(problem: Problem, outcome: Outcome, seconds: float, solver: SolverName) -> dict[str, Answer]:
    """Optima without rolling segments of many stripes, where these are in the optimum: the sum is least exact for short stripes."""
    found: dict[str, Answer] = {}
    known = [outcome.answer]
    for most in _MOST_STRIPES:
        tables = tuple(tuple(c for c in table if not c.rolling or c.stripes <= most) for table in problem.tables)
        answer = search(replace(problem, tables=tables), seconds, solver).answer
        if answer is not None and all(answer.path != other.path for other in known if other is not None):
            found[f"of the program, at most {most} rolling stripes"] = answer
            known.append(answer)
    return found


def _smaller(problem: Problem, share: float) -> Problem:
    return replace(problem, candidates=tuple(replace(c, room=int(c.room * (1 - share))) for c in problem.candidates))


def find(
    graph: Graph,
    board: Board,
    request: Request,
    *,
    names: tuple[str, str, str],
    seconds: float = 60.0,
    solver: SolverName = "cbc",
    progress: Progress | None = None,
    perturbations: Path | None = None,
) -> Found:
    """Search a network's accelerator, mapping and widths.

    Args:
        graph: the integer network.
        board: whose limits and DRAM hold.
        request: objective, limits, engines.
        names: network, weights and board as on the command line, for the design.
        seconds: of wall time for the proof.
        solver: of the integer programs.
        progress: told what is being done.
        perturbations: file that the request's widths were read from, for the verification.

    Raises:
        SearchError: no engine holds the network at all, or the solver failed.
        MissingTool: the solver is not installed.
        CompileError: the network is not one for this engine.
    """
    builder = Builder(graph, board, request, progress=progress, kept=Kept(graph))
    space = builder.build()
    begun = time.monotonic()
    margin = 0.0
    tell: Progress = progress or (lambda what, done, total: None)  # noqa: ARG005
    nothing = _nothing(graph, names)
    for _ in range(_RETRIES):
        outcome = search(_smaller(space.problem, margin), seconds, solver, tell)
        spent = time.monotonic() - begun
        problem = _smaller(space.problem, margin)
        hand_made = _hand_made(space, outcome), _alone(space, problem, seconds, solver)
        own = _alone(space, own_problem(problem, builder), seconds, solver, ("tuned",)) if builder.own is not None else None
        if outcome.answer is None:
            why = conflict(space.problem, seconds, solver) if outcome.status == "infeasible" else None
            return Found(space, outcome, None, None, None, margin, *hand_made, why, spent, own_value=own)
        design = _design(builder, space, outcome.answer, nothing)
        try:
            compile_design(graph, design.configuration, design.order, design.segments)
        except CompileError:
            margin += _MARGIN
            continue
        tell("images", 0, 1)
        calm = _calmer(problem, outcome, seconds, solver)
        designs = {"of the program": design} | {name: _design(builder, space, each, nothing) for name, each in calm.items()}
        best = polish(graph, board, designs, _engines(space, outcome.answer))
        tell("images", 1, 1)
        design, compilation = best.design, best.compilation
        modelled: dict[str, float] = {name: figure.value for name, figure in design.area.items()}
        checked = verify(compilation, graph, board, names[2], modelled, design.widths, perturbations)
        return Found(space, outcome, design, compilation, checked, margin, *hand_made, None, spent, best.trials, own)
    raise SearchError("no mapping that was found fits the feature memory in one piece", "give --orders spilled, or a larger board")


def _hand_made(space: Space, outcome: Outcome) -> dict[str, str]:
    """What the proof says of the hand-made engine, by order."""
    return {
        order: outcome.certificate.get(space.problem.candidates[number].name, "")
        for number, (config, order) in enumerate(space.engines)
        if config == ULTRA96
    }  # fmt: skip


def own_problem(problem: Problem, builder: Builder) -> Problem:
    """The problem with no segments but those that the compiler itself decides on for the hand-made engine, in its order."""
    known = set() if builder.own is None else {(s.start, s.stop, s.stripes, s.rolling) for s in builder.own.segments}
    tables = tuple(tuple(c for c in table if (c.start, c.stop, c.stripes, c.rolling) in known) for table in problem.tables)
    return replace(problem, tables=tables)


def _alone(space: Space, problem: Problem, seconds: float, solver: SolverName, orders: Sequence[str] = ORDERS) -> float | None:
    """The optimum of the hand-made engine alone, in some orders of the steps."""
    pairs = zip(problem.candidates, space.engines, strict=True)
    own = tuple(c for c, (config, order) in pairs if config == ULTRA96 and order in orders)
    if not own:
        return None
    answer = search(replace(problem, candidates=own), seconds, solver).answer
    return None if answer is None else answer.value(problem.objective)
