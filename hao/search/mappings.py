"""Plans to search in: orders of the steps, tensors resident or spilled, and the segments that each allows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from hao.compiler.layout import place
from hao.compiler.ops import DenseOp, DwOp, ImageOp, Lowered
from hao.compiler.plan import Plan, Segment, make_plan
from hao.compiler.tune import ordered, spilled
from hao.engine.config import ULTRA96, EngineConfig

Order: TypeAlias = Literal["graph", "busy", "spilled"]
"""Steps as in the graph; in an order that keeps both cores busy; as in the graph with large tensors in DRAM."""

_JUDGE = ULTRA96
"""The engine by whose rates the busy order is made, for every engine."""
LONGEST = 4
_STRIPES = (2, 4, 8, 16)
_STRIPED_PIXELS = 128
"""Output pixels of a stripe at least; smaller ones bring nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class Mapping:
    """One plan: its order, and every step a segment of its own."""

    order: Order
    plan: Plan


def plan_of(lowered: Lowered, config: EngineConfig, order: Order) -> Plan:
    """The plan of an order; the same that :func:`hao.search.planner.planner` hands to the compiler.

    Args:
        lowered: the network.
        config: an engine; its feature memory decides on what is spilled.
        order: which.
    """
    if order == "spilled":
        layout = place(lowered, config.fm_words // 8)
        return spilled(make_plan(layout, lowered.outputs), config)
    layout = place(lowered)
    plain = make_plan(layout, lowered.outputs)
    if order == "busy":
        return make_plan(replace(layout, ops=ordered(plain, _JUDGE)), lowered.outputs)
    return plain


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
    return text if segment.stripes == 1 else f"{text} in {segment.stripes} stripes"


def segments(plan: Plan) -> Iterator[Segment]:
    """Every segment that may pay: single steps; runs of up to ``LONGEST`` that share a tensor or two units, whole or in stripes."""
    if plan.spilled:
        yield from _spilled_segments(plan)
        return
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
    """Whether every step waits for all of the one before: nothing overlaps then, and the run is no faster than its steps."""
    return all(
        plan.steps[n - 1].op.output in {value for value, _ in plan.sources[n]} for n in range(start + 1, stop)
    )  # fmt: skip


def _chained(plan: Plan, start: int, stop: int) -> bool:
    """Whether some step of the run reads what another one computes, so that stripes can pass it on."""
    made = {plan.steps[n].op.output for n in range(start, stop)}
    readers = (value for n in range(start, stop) for value, _ in plan.sources[n])
    sums = any(isinstance(step.op, DwOp) and step.op.mode.name == "SUM" for step in plan.steps[start:stop])
    return not sums and any(value in made for value in readers)
