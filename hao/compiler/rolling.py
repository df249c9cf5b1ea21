"""Rolling segments: which planes they must hold whole, how far each step lags, and the rings of their window slices."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from hao.compiler.layout import Plane
from hao.compiler.ops import DwOp, Rows, Value
from hao.compiler.plan import Plan, Segment, hull
from hao.engine.isa import WINDOW_BANKS, DwMode

_MOST_ROWS = 255
"""Rows of a window slice's ring."""


@dataclass(frozen=True, slots=True)
class Stripe:
    """Output rows of every step in one stripe, and rows wanted of every plane."""

    rows: dict[int, Rows]
    wanted: dict[Plane, Rows]


def stripes_of(plan: Plan, segment: Segment, done: dict[Value, int]) -> Iterator[Stripe]:
    """The stripes of a segment, in order; ``done`` moves on with them."""
    for number in range(segment.stripes):
        rows, wanted = plan.stripe_rows(segment, number, done)
        yield Stripe(rows, wanted)
        for step, (first, last) in rows.items():
            if last > first:
                value = plan.steps[step].op.output
                done[value] = max(done.get(value, 0), last)


def lags(plan: Plan, segment: Segment) -> dict[int, int]:
    """Stripes by which each step runs behind the first: one more wherever the dense core reads lane-wise results or the image."""
    producer = {plan.steps[n].op.output: n for n in range(segment.start, segment.stop)}
    result: dict[int, int] = {}
    for number in range(segment.start, segment.stop):
        step = plan.steps[number]
        inside = [producer[value] for value, _ in plan.sources[number] if producer.get(value, number) < number]
        result[number] = max((result[m] + int(step.dense and not plan.steps[m].dense_result) for m in inside), default=0)
    return result


def rings(plan: Plan, segment: Segment, stripes: list[Stripe], win_depth: int) -> dict[int, int]:
    """Rows of the ring of every window step: what one stripe reads, and room for the next one's rows where the window is large enough."""
    least: dict[int, int] = {}
    spare: dict[int, int] = {}
    weight: dict[int, int] = {}
    for number in range(segment.start, segment.stop):
        op = plan.steps[number].op
        if not isinstance(op, DwOp):
            continue
        spans = [op.slice_rows(s.rows[number]) for s in stripes if s.rows[number][1] > s.rows[number][0]]
        least[number] = max((last - first for first, last in spans), default=1)
        spare[number] = max((b[1] - a[1] for a, b in pairwise(spans)), default=0)
        weight[number] = -(-op.in_width // WINDOW_BANKS) * len(plan.layout.blocks[op])
    for part in (4, 2, 1, 0):
        wanted = {n: min(_MOST_ROWS, least[n] + spare[n] * part // 4) for n in least}
        if sum(wanted[n] * weight[n] for n in wanted) <= win_depth:
            return wanted
    return least


def _possible(plan: Plan, segment: Segment) -> bool:
    """Whether no step needs all of its input at once."""
    ops = [plan.steps[n].op for n in range(segment.start, segment.stop)]
    return not any(isinstance(op, DwOp) and op.mode is DwMode.SUM for op in ops)


def rolled(plan: Plan, start: int, stop: int, stripes: int) -> Plan | None:
    """The plan with steps ``start .. stop`` as one rolling segment; None where that cannot be.

    Segments that it cuts are parted; what is left of them keeps its stripes.
    """
    segment = Segment(start, stop, stripes, True)
    if not _possible(plan, segment):
        return None
    others: list[Segment] = []
    for old in plan.segments:
        for first, last in ((old.start, min(old.stop, start)), (max(old.start, stop), old.stop)):
            if first < last:
                if old.rolling and (first, last) != (old.start, old.stop):
                    return None
                others.append(replace(old, start=first, stop=last))
    candidate = replace(plan, segments=sorted([*others, segment], key=lambda s: s.start))
    candidate.kept = {plane for plane in plan.kept if not candidate.internal(plane, segment)}
    reaching = _reaching_back(candidate, segment)
    inside = {plane for plane in reaching if candidate.internal(plane, segment)}
    if (reaching - inside) & candidate.spilled:
        return None  # a tensor in DRAM whose rows are read back while later ones are made: its buffer holds one stripe alone
    candidate.kept |= inside
    return candidate if _counted(candidate, segment) else None


def _counted(plan: Plan, segment: Segment) -> bool:
    """Whether a ring can count the rows of every window slice that a stripe reads."""
    windowed = [(n, op) for n in range(segment.start, segment.stop) if isinstance(op := plan.steps[n].op, DwOp)]
    stripes = stripes_of(plan, segment, {}) if windowed else iter(())
    spans = (op.slice_rows(stripe.rows[n]) for stripe in stripes for n, op in windowed)
    return all(last - first <= _MOST_ROWS for first, last in spans)


def _reaching_back(plan: Plan, segment: Segment) -> set[Plane]:
    """Planes inside the segment of which some stripe reads rows that an earlier stripe computed."""
    found: set[Plane] = set()
    for stripe in stripes_of(plan, segment, {}):
        made: dict[Plane, Rows] = {}
        for number in range(segment.start, segment.stop):
            for plane in plan.layout.planes_of_value(plan.steps[number].op.output):
                if plane in made and made[plane] != stripe.rows[number]:
                    found.add(plane)
                made[plane] = hull(made.get(plane, (plane.height, 0)), stripe.rows[number])
        for plane, need in stripe.wanted.items():
            if plane in made and need[1] > need[0] and (need[0] < made[plane][0] or need[1] > made[plane][1]):
                found.add(plane)
    return found
