"""Choosing between plans that fit: order of steps and stripes that let the units overlap, judged by estimated cycles."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from hao.compiler.layout import Layout
from hao.compiler.ops import DenseOp, DwOp, ImageOp, Op, Value
from hao.compiler.plan import Plan, Segment, Step
from hao.engine.config import EngineConfig
from hao.engine.isa import LANES

_STRIPE_PIXELS = 512
"""Output pixels of a stripe below which striping for overlap costs more than it brings."""
_MOST_STRIPES = 8


@dataclass(frozen=True, slots=True)
class Work:
    """Cycles a step keeps the dense core and the depthwise core."""

    dense: int
    dw: int


def _dense_work(layout: Layout, op: DenseOp, config: EngineConfig) -> int:
    pixels = op.output.height * op.output.width
    planes = len(layout.planes_of(op.inputs))
    passes = (LANES // config.pi) * (LANES // config.po)
    walk = -(-pixels // config.px) * planes * op.kernel**2 * passes
    return max(walk, pixels) * len(layout.blocks[op])


def work(layout: Layout, step: Step, config: EngineConfig) -> Work:
    """Estimate of a step."""
    pixels = step.op.output.height * step.op.output.width
    if isinstance(step.op, DenseOp):
        return Work(_dense_work(layout, step.op, config), 0)
    if isinstance(step.op, ImageOp):
        return Work(0, 0)
    feed = 0 if step.feeder is None else _dense_work(layout, step.feeder, config)
    return Work(feed, max(pixels, 1) * len(layout.blocks[step.op]) * (LANES // config.dw_lanes))


def ordered(plan: Plan, config: EngineConfig) -> list[Op]:
    """Operations in an order that keeps both cores busy: list scheduling on two resources.

    Of the steps whose inputs are scheduled, the one that can start first is next; dense work goes before depthwise.
    """
    producer: dict[Value, int] = {step.op.output: number for number, step in enumerate(plan.steps)}
    needs = [{producer[value] for value, _ in plan.sources[number]} for number in range(len(plan.steps))]
    works = [work(plan.layout, step, config) for step in plan.steps]
    finish: dict[int, int] = {}
    dense_free = dw_free = 0
    order: list[int] = []
    while len(order) < len(plan.steps):
        ready = [n for n in range(len(plan.steps)) if n not in finish and needs[n] <= finish.keys()]

        def start(n: int) -> int:
            inputs = max((finish[m] for m in needs[n]), default=0)
            return max(inputs, dense_free if works[n].dense else dw_free if works[n].dw else 0)  # noqa: B023

        chosen = min(ready, key=lambda n: (start(n), works[n].dense == 0, n))
        begin, cost = start(chosen), works[chosen]
        finish[chosen] = begin + max(cost.dense, cost.dw)
        if cost.dense:
            dense_free = begin + cost.dense
        if cost.dw:
            dw_free = max(dw_free, finish[chosen])
        order.append(chosen)
    lanewise = {n for n in order if works[n].dw and not works[n].dense}
    return list(_with_feeders(plan.steps[n] for n in _sunk(order, lanewise, needs)))


def _sunk(order: list[int], lanewise: set[int], needs: list[set[int]]) -> list[int]:
    """Move lane-wise steps down to their first reader, so that both can be cut into stripes together."""
    result: list[int] = []
    waiting: list[int] = []
    for n in order:
        if n in lanewise and not any(m in needs[n] for m in waiting):
            waiting.append(n)
            continue
        for m in [m for m in waiting if m in needs[n]]:
            waiting.remove(m)
            result.append(m)
        if n in lanewise:
            waiting.append(n)
        else:
            result.append(n)
    return [*result, *waiting]


def moved(plan: Plan, original: Sequence[Op]) -> Iterator[list[Op]]:
    """Orders in which one dense step that was brought forward goes back behind one of the striped pairs that follow it."""
    rank = {op.output: at for at, op in enumerate(original)}
    pairs = {s.stop for s in plan.segments if s.stop - s.start > 1}
    for number, step in enumerate(plan.steps):
        if not isinstance(step.op, DenseOp) or any(s.start <= number < s.stop and s.stop - s.start > 1 for s in plan.segments):
            continue
        readers = set().union(*(plan.use[p].readers for p in plan.layout.planes_of_value(step.op.output)))
        last = min(readers, default=len(plan.steps))
        passed = any(rank.get(other.op.output, -1) < rank.get(step.op.output, -1) for other in plan.steps[number + 1 :])
        for stop in sorted(pairs):
            if passed and number + 1 < stop <= last:
                steps = [*plan.steps[:number], *plan.steps[number + 1 : stop], step, *plan.steps[stop:]]
                yield list(_with_feeders(steps))


def _with_feeders(steps: Iterable[Step]) -> Iterator[Op]:
    for step in steps:
        if step.feeder is not None:
            yield step.feeder
        yield step.op


def _pair_stripes(first: Step, second: Step) -> int:
    """Stripes with which ``second`` starts on what ``first`` has finished; 1: not worth it."""
    value = first.op.output
    if all(ref[0] is not value for ref in second.reads()):
        return 1
    pixels = value.height * value.width
    if isinstance(first.op, ImageOp):
        return max(1, min(_MOST_STRIPES, pixels // _STRIPE_PIXELS, value.height // 4))
    if not isinstance(first.op, DwOp) or first.feeder is not None or not isinstance(second.op, DenseOp) or second.op.kernel > 1:
        return 1
    most = value.height // (2 * first.op.reach * 2)
    return max(1, min(_MOST_STRIPES // 2, pixels // _STRIPE_PIXELS, most))


def spilled(plan: Plan, config: EngineConfig) -> Plan:
    """The plan with large tensors in DRAM, and the steps that pass one on to a single reader in one segment."""
    big = {
        op.output
        for op in plan.layout.ops
        if sum(plane.height * plane.width for plane in plan.layout.planes_of_value(op.output)) > config.fm_words // 4
    }
    segments: list[Segment] = []
    for number, step in enumerate(plan.steps):
        joined = False
        if segments:
            before = plan.steps[segments[-1].stop - 1].op.output
            readers = set().union(*(plan.use[plane].readers for plane in plan.layout.planes_of_value(before)))
            joined = readers == {number} and before in {value for value, _ in plan.sources[number]} and before in big
        if joined or (segments and isinstance(step.op, DenseOp) and isinstance(plan.steps[number - 1].op, ImageOp)):
            segments[-1] = Segment(segments[-1].start, number + 1)
        else:
            segments.append(Segment(number, number + 1))
    planes = {plane for value in big for plane in plan.layout.planes_of_value(value) if plan.spillable(plane, segments)}
    return replace(plan, segments=segments, spilled=planes)


def overlapped(plan: Plan) -> list[Segment]:
    """Segments that pair lane-wise steps, and the image, with the dense step that reads them."""
    segments: list[Segment] = []
    at = 0
    while at < len(plan.steps):
        stripes = _pair_stripes(plan.steps[at], plan.steps[at + 1]) if at + 1 < len(plan.steps) else 1
        length = 2 if stripes > 1 else 1
        segments.append(Segment(at, at + length, stripes))
        at += length
    return segments
