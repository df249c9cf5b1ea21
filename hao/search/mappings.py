"""Plans to search in: orders of the steps, tensors resident or spilled, and the segments that each allows, rolling ones among them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, get_args

from hao.compiler.layout import place
from hao.compiler.ops import DenseOp, DwOp, ImageOp, Lowered, Op
from hao.compiler.plan import Plan, Segment, Step, make_plan
from hao.compiler.rolling import rolled
from hao.compiler.segments import fit
from hao.compiler.tune import ordered, spilled
from hao.engine.config import ULTRA96, EngineConfig
from hao.errors import CompileError

Order: TypeAlias = Literal["graph", "tuned", "busy", "spilled"]
"""Steps as in the graph; in the order that the compiler finds for the hand-made engine, moves and all; in its first guess at one
that keeps both cores busy; as in the graph with large tensors in DRAM."""

ORDERS: tuple[Order, ...] = get_args(Order)
_JUDGE = ULTRA96
"""The engine by whose rates the busy order is made, for every engine."""
LONGEST, LONGEST_ROLLING = 4, 8
"""Steps of a segment."""
_STRIPES = (2, 4, 8, 16)
_STRIPED_PIXELS = 128
"""Output pixels of a stripe at least; smaller ones bring nothing."""
_ROLLING_ROWS = (1, 2, 4, 8)
"""Rows of a rolling segment's last result in a stripe."""
_ROLLING_SINGLE = 32
"""Rows of the last map above which stripes of a single one are not worth their instructions."""
_ROLLING_PIXELS = 2048
"""Pixels of the largest map below which nothing rolls: as in the compiler."""


@dataclass(frozen=True, slots=True)
class Own:
    """What the compiler itself decides on for the hand-made engine: the names of the steps in order, and its segments."""

    steps: tuple[str, ...]
    segments: tuple[Segment, ...]


def own_plan(lowered: Lowered) -> Own | None:
    """The compiler's own plan for the hand-made engine; None where that engine does not hold the network's tensors.

    Args:
        lowered: the network, lowered for the hand-made engine.
    """
    try:
        plan, _ = fit(lowered, ULTRA96)
    except CompileError:
        return None
    return None if plan.spilled else Own(names_of(plan), tuple(plan.segments))


def names_of(plan: Plan) -> tuple[str, ...]:
    """Names of the steps in order; a copy that the compiler made has the name of the step that reads it."""
    return tuple(step.op.name for step in plan.steps)


def _in_order(plan: Plan, names: Sequence[str]) -> Iterator[Op]:
    """The operations in the order of ``names``; of several steps of one name the earlier comes first."""
    waiting: dict[str, list[Step]] = {}
    for step in plan.steps:
        waiting.setdefault(step.op.name, []).append(step)
    for name in names:
        step = waiting[name].pop(0)
        if step.feeder is not None:
            yield step.feeder
        yield step.op


def plan_of(lowered: Lowered, config: EngineConfig, order: Order, steps: Sequence[str] = ()) -> Plan:
    """The plan of an order, every step a segment of its own; the same that :func:`hao.search.planner.planner` hands to the compiler.

    Args:
        lowered: the network.
        config: an engine; its feature memory decides on what is spilled.
        order: which.
        steps: the names in order, of a tuned one; as busy where left out.

    Raises:
        CompileError: ``steps`` are not those of the network.
    """
    if order == "spilled":
        layout = place(lowered, config.fm_words // 8)
        return spilled(make_plan(layout, lowered.outputs), config)
    layout = place(lowered)
    plain = make_plan(layout, lowered.outputs)
    if order == "graph":
        return plain
    if order == "busy" or not steps:
        return make_plan(replace(layout, ops=ordered(plain, _JUDGE)), lowered.outputs)
    if sorted(steps) != sorted(names_of(plain)):
        raise CompileError("the steps of the design are not those of the network", "search again")
    return make_plan(replace(layout, ops=list(_in_order(plain, steps))), lowered.outputs)


def _template(plan: Plan, segment: Segment) -> str:
    """Subgraph template of a segment, such as ``dense+dw+dense``."""
    kinds = []
    for step in plan.steps[segment.start : segment.stop]:
        if step.feeder is not None:
            kinds.append("dense")
        kinds.append("image" if isinstance(step.op, ImageOp) else "dense" if isinstance(step.op, DenseOp) else "dw")
    return "+".join(kinds)


def label(plan: Plan, segment: Segment) -> str:
    """A segment for people: template and stripes."""
    text = _template(plan, segment)
    kind = "rolling stripes" if segment.rolling else "stripes"
    return text if segment.stripes == 1 else f"{text} in {segment.stripes} {kind}"


def segments(plan: Plan, own: Own | None = None) -> list[tuple[Segment, Plan]]:
    """Every segment that may pay, each with the plan in which it is a segment: single steps; runs of up to ``LONGEST`` that share a
    tensor or two units, whole or in stripes; runs of up to ``LONGEST_ROLLING`` in rolling stripes; the compiler's own."""
    if plan.spilled:
        return [(segment, plan) for segment in _spilled_segments(plan)]
    theirs = own.segments if own is not None and own.steps == names_of(plan) else ()
    found = []
    for segment in dict.fromkeys((*_plain_segments(plan), *_rolling_segments(plan), *theirs)):
        inside = rolled(plan, segment.start, segment.stop, segment.stripes) if segment.rolling else plan
        if inside is not None:
            found.append((segment, inside))
    return found


def _rolling_segments(plan: Plan) -> Iterator[Segment]:
    """Runs in which one step reads what another makes, on maps large enough, in stripes of a few rows."""
    for start in range(len(plan.steps)):
        for stop in range(start + 2, min(start + LONGEST_ROLLING, len(plan.steps)) + 1):
            pixels = max(step.op.output.height * step.op.output.width for step in plan.steps[start:stop])
            if pixels < _ROLLING_PIXELS or not _mixed(plan, start, stop) or not _chained(plan, start, stop):
                continue
            height = plan.steps[stop - 1].op.output.height
            for rows in _ROLLING_ROWS:
                if rows < height and (rows > 1 or height <= _ROLLING_SINGLE):
                    yield Segment(start, stop, -(-height // rows), True)


def _plain_segments(plan: Plan) -> Iterator[Segment]:
    for start in range(len(plan.steps)):
        yield Segment(start, start + 1)
        for stop in range(start + 2, min(start + LONGEST, len(plan.steps)) + 1):
            if not _mixed(plan, start, stop):
                continue
            if not _serial(plan, start, stop):
                yield Segment(start, stop)
            if _chained(plan, start, stop):
                yield from (Segment(start, stop, n) for n in _stripes(plan, start, stop))


def _spilled_segments(plan: Plan) -> Iterator[Segment]:
    """With tensors in DRAM: the runs that pass one on, in any number of stripes."""
    for segment in plan.segments:
        yield segment
        yield from (replace(segment, stripes=n) for n in (2, 4, 8, 16, 32, 64) if n <= _height(plan, segment.start, segment.stop))


def _height(plan: Plan, start: int, stop: int) -> int:
    return max(step.op.output.height for step in plan.steps[start:stop])


def _stripes(plan: Plan, start: int, stop: int) -> Iterator[int]:
    pixels = max(step.op.output.height * step.op.output.width for step in plan.steps[start:stop])
    for count in _STRIPES:
        if count <= _height(plan, start, stop) and pixels // count >= _STRIPED_PIXELS:
            yield count


def _mixed(plan: Plan, start: int, stop: int) -> bool:
    """Whether both cores work in the run, or the image is gathered in it."""
    steps = plan.steps[start:stop]
    dense = any(isinstance(step.op, DenseOp) or step.feeder is not None for step in steps)
    lanewise = any(not isinstance(step.op, DenseOp | ImageOp) for step in steps)
    return (dense and lanewise) or any(isinstance(step.op, ImageOp) for step in steps)


def _serial(plan: Plan, start: int, stop: int) -> bool:
    """Whether every step waits for all of the one before: nothing overlaps then, and the run is no faster than its steps.

    A lane-wise step waits for the plane alone that its block reads.
    """
    return all(
        plan.steps[n].dense and plan.steps[n - 1].op.output in {value for value, _ in plan.sources[n]} for n in range(start + 1, stop)
    )


def _chained(plan: Plan, start: int, stop: int) -> bool:
    """Whether some step of the run reads what another one computes, so that stripes can pass it on."""
    made = {plan.steps[n].op.output for n in range(start, stop)}
    readers = (value for n in range(start, stop) for value, _ in plan.sources[n])
    sums = any(isinstance(step.op, DwOp) and step.op.mode.name == "SUM" for step in plan.steps[start:stop])
    return not sums and any(value in made for value in readers)
