"""Making a plan fit: where memory overflows, neighbouring steps are cut into stripes together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from hao.compiler.allocate import Failure, Policy, allocate
from hao.compiler.assemble import assemble
from hao.compiler.drafts import Space
from hao.compiler.emit import Emitted, emit
from hao.compiler.layout import place
from hao.compiler.ops import Lowered
from hao.compiler.plan import Plan, Segment, make_plan
from hao.compiler.timing import schedule
from hao.compiler.tune import ordered, overlapped
from hao.engine.config import EngineConfig
from hao.errors import CompileError

_STRIPES = (2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
_LONGEST = 10
_ATTEMPTS = 400


def _attempt(plan: Plan, config: EngineConfig, stop: int | None = None) -> tuple[Emitted, Failure | None]:
    """Draft and allocate; when the policy that favours overlap does not fit, pack tightly."""
    emitted = emit(plan, config, stop)
    failures = []
    for policy in (Policy.OLDEST, Policy.TIGHT):
        failure = allocate(emitted.drafts, config, policy)
        if failure is None:
            return emitted, None
        failures.append(failure)
    return emitted, max(failures, key=lambda failure: failure.draft)


def _joined(segments: list[Segment], start: int, stop: int, stripes: int) -> list[Segment]:
    """Replace the segments that overlap ``start .. stop`` by one that covers them all."""
    hit = [s for s in segments if s.start < stop and start < s.stop]
    joint = Segment(min(start, hit[0].start), max(stop, hit[-1].stop), max(stripes, *(s.stripes for s in hit)))
    return sorted([*(s for s in segments if s not in hit), joint], key=lambda s: s.start)


def _candidates(plan: Plan, step: int) -> Iterator[list[Segment]]:
    """Ways of striping around a step: few stripes and few steps first."""
    height = max(s.op.output.height for s in plan.steps)
    seen: set[tuple[Segment, ...]] = set()
    for stripes in (s for s in _STRIPES if s <= max(2, height)):
        for length in range(1, _LONGEST + 1):
            for start in range(max(0, step - length + 1), min(step, len(plan.steps) - length) + 1):
                segments = _joined(plan.segments, start, start + length, stripes)
                if tuple(segments) not in seen:
                    seen.add(tuple(segments))
                    yield segments


def _fitted(plan: Plan, config: EngineConfig) -> tuple[Plan, Emitted]:
    """Stripe where memory overflows until everything has a place."""
    emitted, failure = _attempt(plan, config)
    left = _ATTEMPTS
    while failure is not None:
        for segments in _candidates(plan, failure.step):
            left -= 1
            trial = replace(plan, segments=segments)
            end = next(s.stop for s in segments if s.start <= failure.step < s.stop)
            if _attempt(trial, config, end)[1] is None:
                plan = trial
                emitted, failure = _attempt(plan, config)
                break
            if left <= 0:
                raise _refusal(failure, config)
        else:
            raise _refusal(failure, config)
    return plan, emitted


def _variants(lowered: Lowered, config: EngineConfig) -> Iterator[Plan]:
    """Plans to choose from, striped for overlap: in the graph's order, and in one that keeps both cores busy."""
    layout = place(lowered)
    plain = make_plan(layout, lowered.outputs)
    yield replace(plain, segments=overlapped(plain))
    order = ordered(plain, config)
    if order != layout.ops:
        layout.ops = order
        busy = make_plan(layout, lowered.outputs)
        yield replace(busy, segments=overlapped(busy))


def fit(lowered: Lowered, config: EngineConfig) -> tuple[Plan, Emitted]:
    """Find the plan with the fewest estimated cycles among those that fit.

    Raises:
        CompileError: none fits; the layer, the memory and its size are named.
    """
    best: tuple[int, Plan] | None = None
    refused: CompileError | None = None
    for variant in _variants(lowered, config):
        try:
            plan, emitted = _fitted(variant, config)
        except CompileError as error:
            refused = refused or error
            continue
        cycles = schedule(assemble(emitted, config, lowered.image[1] * lowered.image[3]).program, config).total
        if best is None or cycles < best[0]:
            best = (cycles, plan)
    if best is None:
        assert refused is not None
        raise refused
    plan = best[1]
    return plan, _attempt(plan, config)[0]


def _refusal(failure: Failure, config: EngineConfig) -> CompileError:
    name = {Space.FEATURE: "fm_words", Space.WINDOW: "win_depth", Space.DISPLACEMENT: "disp_entries"}[failure.space]
    size = getattr(config, name)
    return CompileError(
        f"{failure.owner}: {failure.words} words of {failure.space.name.lower()} memory are needed, {failure.free} of {size} are free",
        f"raise {name}, or use a smaller image",
    )
