"""``hao search``: accelerator, mapping and bits for a network and a board, with the proof."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from hao.boards import load_board
from hao.cli.networks import load_network
from hao.cli.ticker import Ticker
from hao.errors import UsageError
from hao.report.schema import write_text
from hao.report.search import Limit, Predicted, SearchReport, Tried, Verified
from hao.search.design import Design
from hao.search.explain import binding
from hao.search.find import Found, find
from hao.search.mappings import Order
from hao.search.precision import read_table
from hao.search.problem import Objective, Problem
from hao.search.prune import Bound
from hao.search.solver import SolverName
from hao.search.space import Request

_ORDERS: dict[str, Order] = {"graph": "graph", "tuned": "tuned", "busy": "busy", "spilled": "spilled"}
_OBJECTIVES: dict[str, Objective] = {"latency": "latency", "perturbation": "perturbation"}
_SOLVERS: dict[str, SolverName] = {"cbc": "cbc", "highs": "highs"}
NOT_FOUND = 19


@dataclass(frozen=True, slots=True)
class Options:
    """What the user asked for; see ``hao search --help``."""

    network: str
    board: str = "ultra96v2"
    weights: str = ""
    objective: str = "latency"
    cycles: float | None = None
    budget: float | None = None
    perturbations: Path | None = None
    orders: tuple[str, ...] = ("graph", "tuned")
    seconds: float = 60.0
    solver: str = "cbc"
    relax: bool = False
    design: Path | None = None
    json: Path | None = None


def _chosen(known: dict[str, str], name: str, what: str) -> str:
    if name not in known:
        raise UsageError(f"there is no {what} called {name!r}", f"known: {', '.join(known)}")
    return known[name]


def paths(problem: Problem, member: int) -> float:
    """Exact covers of the steps that fit a candidate, without the widths."""
    kinds = {(c.start, c.stop, c.label) for c in problem.allowed(problem.candidates[member])}
    count = [1.0] + [0.0] * problem.steps
    for stop in range(1, problem.steps + 1):
        count[stop] = sum(count[start] for start, end, _ in kinds if end == stop)
    return count[-1]


def _feasible(found: Found) -> int:
    """Engines that fit the board and on which the network has a mapping within the limits, as far as bounds tell."""
    problem = found.space.problem
    known: dict[tuple[int, ...], bool] = {}
    engines = set()
    for candidate, (config, _) in zip(problem.candidates, found.space.engines, strict=True):
        if any(used > limit for used, limit in zip(candidate.area, problem.limits.area, strict=True)):
            continue
        key = (candidate.table, candidate.room, candidate.ring, candidate.ahead, candidate.largest, candidate.buffer)
        if key not in known:
            known[key] = Bound(problem, candidate).value() < float("inf")
        if known[key]:
            engines.add(config)
    return len(engines)


def _report(options: Options, found: Found) -> SearchReport:
    space, outcome, design = found.space, found.outcome, found.design
    counts = space.counts
    factors = {name.removeprefix("grid_"): value for name, value in counts.items() if name.startswith("grid_")}
    answer, checked = outcome.answer, found.verification
    area = None if design is None else {name: figure.value for name, figure in design.area.items()}
    return SearchReport(
        network=options.network, board=options.board, objective=options.objective, status=outcome.status, gap=outcome.gap,
        configurations=_feasible(found), grid=counts["grid"], factors=factors,
        mappings=0.0 if answer is None else paths(space.problem, answer.candidate),
        bit_settings=float(counts["bit_settings"]), bit_settings_offered=float(counts["bit_settings_offered"]),
        pruned=dict(outcome.counts), table_seconds=space.seconds,
        tables=counts["tables"], kept_tables=counts["kept_tables"], solve_seconds=found.solve_seconds,
        conflict="" if found.conflict is None else found.conflict.sentence(space.problem.limits), hand_made=dict(found.hand_made),
        hand_made_value=found.hand_made_value, own_value=found.own_value,
        fragmentation_margin=found.margin,
        predicted=None if answer is None or area is None else Predicted(cycles=answer.cycles, **area),
        verified=None if checked is None else Verified(
            cycles=checked.cycles.cycles, error=checked.cycles.error, highest=checked.highest, violations=checked.violations,
            damage=checked.damage, area=checked.area,
        ),
        trials=tuple(Tried(engine=t.engine, mapping=t.mapping, cycles=t.cycles) for t in found.trials),
        design=design,
    )  # fmt: skip


def _print(console: Console, report: SearchReport) -> None:
    factors = " x ".join(f"{count} {name}" for name, count in report.factors.items())
    console.print(f"engines: {factors} = {report.grid}; {report.configurations} fit the board and have a mapping")
    console.print(f"mappings of the network on the engine found: {report.mappings:.3g}; bit settings: {report.bit_settings:.3g}"
                  f" after dominance, {report.bit_settings_offered:.3g} before")  # fmt: skip
    console.print("left out exactly: " + ", ".join(f"{count} {name}" for name, count in report.pruned.items()))
    kept = f" ({report.kept_tables} of {report.tables} from an earlier search)" if report.kept_tables else ""
    console.print(f"tables {report.table_seconds:.1f} s{kept}, proof {report.solve_seconds:.1f} s")
    if report.design is None:
        text = {"infeasible": "infeasible: these limits conflict", "unknown": "time ran out before anything was found"}
        console.print(f"[bold red]{text.get(report.status, report.status)}[/]: {report.conflict}")
        return
    _print_design(console, report, report.design)


def _print_design(console: Console, report: SearchReport, design: Design) -> None:
    gap = "proven" if report.gap == 0 else f"gap {100 * (report.gap or 0):.2f} %"
    config = design.configuration
    console.print(
        f"[bold]{report.status}[/] ({gap}): {config.name}, {config.dw_lanes} depthwise lanes, order {design.order}; feature memory "
        f"{config.fm_words} words, window {config.win_depth}, weights {config.wb_words}"
    )
    area = ", ".join(f"{name} {figure.value:g} ± {figure.error:g}" for name, figure in design.area.items())
    if report.predicted is not None:
        console.print(f"optimum of the integer program: {report.predicted.cycles:,.0f} cycles; perturbation {design.damage:g}")
    for tried in report.trials:
        took = "does not compile" if tried.cycles is None else f"{tried.cycles:,} cycles"
        console.print(f"  image on {tried.engine}, mapping {tried.mapping}: {took}")
    console.print(f"fastest image taken: {design.cycles.value:,.0f} ± {design.cycles.error:.0f} cycles; {area}")
    if report.verified is not None:
        kept = "; ".join(report.verified.violations) or "every address and limit kept"
        console.print(
            f"from the program image: {report.verified.cycles:,} cycles ± {100 * report.verified.error:.0f} %, "
            f"perturbation {report.verified.damage:g}, {kept}"
        )
        text = "not synthesized (hao build --synth does it): limits were held against the model"
        if report.verified.area is not None:
            text = ", ".join(f"{name} {value:g}" for name, value in report.verified.area.items())
        console.print(f"from the committed synthesis: {text}")
    for order, why in report.hand_made.items():
        console.print(f"the hand-made engine, order {order}: {why}")
    if report.hand_made_value is not None:
        console.print(f"the hand-made engine with its best mapping and bits: {report.hand_made_value:,.6g}")
    if report.own_value is not None:
        console.print(f"the hand-made engine with the compiler's own mapping, by the same tables: {report.own_value:,.6g}")
    if report.binding_known:
        bound = ", ".join(f"{limit.limit} (without it {limit.without:,.0f})" for limit in report.binding)
        console.print(f"limits that bind: {bound or 'none, the largest engines of the grid fit'}")


def run_search(options: Options, console: Console) -> int:
    """Search, print, write; the exit code is 0 where a design was found.

    Raises:
        HaoError: see ``docs/exit-codes.md``.
    """
    board = load_board(options.board)
    network = load_network(options.network, options.weights)
    objective = _OBJECTIVES[_chosen(dict(_OBJECTIVES), options.objective, "objective")]
    solver = _SOLVERS[_chosen(dict(_SOLVERS), options.solver, "solver")]
    orders = tuple(_ORDERS[_chosen(dict(_ORDERS), name, "order")] for name in options.orders)
    if objective == "perturbation" and options.cycles is None:
        raise UsageError("least perturbation needs a latency cap", "give --cycles")
    widths = None if options.perturbations is None else read_table(options.perturbations)
    request = Request(objective, widths, options.budget, options.cycles, orders)
    with Ticker(console) as ticker:
        found = find(
            network.graph, board, request, names=(options.network, options.weights, options.board), seconds=options.seconds, solver=solver,
            progress=ticker.tell, perturbations=options.perturbations,
        )  # fmt: skip
        report = _report(options, found)
        if options.relax and found.outcome.answer is not None:
            better = binding(found.space.problem, found.outcome, options.seconds, solver)
            limits = tuple(Limit(limit=item.limit, without=item.value or 0.0) for item in better)
            report = report.model_copy(update={"binding": limits, "binding_known": True})
    _print(console, report)
    if options.design is not None and report.design is not None:
        write_text(options.design, report.design.model_dump_json(indent=1) + "\n")
    if options.json is not None:
        write_text(options.json, report.model_dump_json(indent=1) + "\n")
    return 0 if report.design is not None else NOT_FOUND
