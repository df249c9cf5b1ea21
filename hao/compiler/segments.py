"""Making a plan fit: where memory overflows, neighbouring steps are cut into stripes together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain

from hao.compiler.allocate import Failure, pack, spread
from hao.compiler.assemble import assemble
from hao.compiler.drafts import Space
from hao.compiler.emit import Emitted, emit
from hao.compiler.layout import place
from hao.compiler.ops import Lowered
from hao.compiler.plan import Plan, Segment, make_plan
from hao.compiler.rolling import rolled
from hao.compiler.timing import schedule
from hao.compiler.tune import moved, ordered, overlapped, spilled
from hao.engine.config import EngineConfig
from hao.errors import CompileError

_STRIPES = (2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
_LONGEST = 10
_FACTORS = (2, 3, 4)
_MOVES = 12
"""Orders tried in search of a better one."""
_ROLLS, _REACH = 40, 3
"""Rolling segments tried, and how many of the segments behind a striped one they may take in."""
_ROLL_PIXELS = 2048
"""Pixels of the largest map below which rolling is not tried: stripes would be too short to gain anything."""
_ROLL_ROWS = (4, 2, 1, 8)
"""Rows of a rolling segment's last result in a stripe."""
_ATTEMPTS, _FEWER = 400, 80
"""Trials for plans that spill, and for those that need not."""


def _attempt(plan: Plan, config: EngineConfig, stop: int | None = None) -> tuple[Emitted, Failure | None]:
    """Draft and pack, up to a step if one is given."""
    emitted = emit(plan, config, stop)
    return emitted, pack(emitted.drafts, config)


def _joined(segments: list[Segment], start: int, stop: int, stripes: int) -> list[Segment]:
    """Replace the segments that overlap ``start .. stop`` by one that covers them all."""
    hit = [s for s in segments if s.start < stop and start < s.stop]
    joint = Segment(min(start, hit[0].start), max(stop, hit[-1].stop), max(stripes, *(s.stripes for s in hit)))
    return sorted([*(s for s in segments if s not in hit), joint], key=lambda s: s.start)


def _windows(plan: Plan, step: int) -> Iterator[tuple[int, int]]:
    """Runs of steps around a step, short ones first."""
    for length in range(1, _LONGEST + 1):
        for start in range(max(0, step - length + 1), min(step, len(plan.steps) - length) + 1):
            yield start, start + length


class _Search:
    """Trial and error within a budget."""

    def __init__(self, config: EngineConfig, attempts: int) -> None:
        self._config, self._left = config, attempts

    def fits(self, plan: Plan, segments: list[Segment], step: int) -> bool:
        """Whether everything up to the end of the segment of ``step`` finds a place."""
        self._left -= 1
        end = next(s.stop for s in segments if s.start <= step < s.stop)
        return _attempt(replace(plan, segments=segments), self._config, end)[1] is None

    def striped(self, plan: Plan, step: int) -> Plan | None:
        """The plan with the shortest run of steps around ``step``, in the fewest stripes, that makes it fit; None: none does."""
        seen: set[tuple[Segment, ...]] = set()
        for start, stop in _windows(plan, step):
            height = max(s.op.output.height for s in plan.steps[start:stop])
            options = [s for s in _STRIPES if s <= height] or [1]
            most = _joined(plan.segments, start, stop, options[-1])
            if tuple(most) in seen or not self.fits(plan, most, step):
                seen.add(tuple(most))
                if self._left <= 0:
                    return None
                continue
            for stripes in options:
                segments = _joined(plan.segments, start, stop, stripes)
                if stripes == options[-1] or self.fits(plan, segments, step):
                    return replace(plan, segments=segments)
        return None


def _fitted(plan: Plan, config: EngineConfig, attempts: int) -> tuple[Plan, Emitted]:
    """Stripe where memory overflows until everything has a place."""
    search = _Search(config, attempts)
    emitted, failure = _attempt(plan, config)
    while failure is not None:
        found = search.striped(plan, failure.step)
        if found is None:
            raise _refusal(failure, config)
        plan = found
        emitted, failure = _attempt(plan, config)
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


def _spilling(lowered: Lowered, config: EngineConfig) -> Iterator[Plan]:
    """Plans for networks whose tensors do not fit on chip."""
    layout = place(lowered, config.fm_words // 8)
    yield spilled(make_plan(layout, lowered.outputs), config)


def _finer(plan: Plan, factor: int) -> Plan:
    """Striped segments in ``factor`` times as many stripes, so that one is loaded while another is computed."""
    segments = []
    for segment in plan.segments:
        height = max(step.op.output.height for step in plan.steps[segment.start : segment.stop])
        stripes = segment.stripes * factor if segment.stripes > 1 else 1
        segments.append(replace(segment, stripes=max(segment.stripes, min(stripes, height // 2))))
    return replace(plan, segments=segments)


def _refined(plan: Plan, emitted: Emitted, config: EngineConfig) -> Iterator[tuple[Plan, Emitted]]:
    """A plan that fits, and finer ones that fit too."""
    spread(emitted.drafts, config)
    yield plan, emitted
    if plan.spilled:
        for factor in _FACTORS:
            finer = _finer(plan, factor)
            drafts, failure = _attempt(finer, config)
            if failure is None and spread(drafts.drafts, config) is None:
                yield finer, drafts


class _Best:
    """The plan with the fewest estimated cycles so far."""

    def __init__(self, lowered: Lowered, config: EngineConfig) -> None:
        self._config, self._input = config, lowered.image[1] * lowered.image[3]
        self.plan: Plan | None = None
        self.cycles = 0

    def offer(self, plan: Plan, emitted: Emitted) -> bool:
        """Take the plan if it is better; whether it was."""
        cycles = schedule(assemble(emitted, self._config, self._input, blank=True).program, self._config).total
        better = self.plan is None or cycles < self.cycles
        if better:
            self.plan, self.cycles = plan, cycles
        return better


def _moves(best: _Best, lowered: Lowered, config: EngineConfig) -> None:
    """Improve the order of steps by single moves, while that helps."""
    left = _MOVES
    improved = True
    while improved and left > 0 and best.plan is not None and not best.plan.spilled:
        improved = False
        for order in moved(best.plan, lowered.ops):
            left -= 1
            best.plan.layout.ops = order
            trial = make_plan(best.plan.layout, lowered.outputs)
            trial = replace(trial, segments=overlapped(trial))
            emitted, failure = _attempt(trial, config)
            if failure is None and spread(emitted.drafts, config) is None and best.offer(trial, emitted):
                improved = True
                break
            if left <= 0:
                break


def _rolls(plan: Plan) -> Iterator[tuple[int, int, int]]:
    """Rolling segments worth a trial, as start, stop and stripes: striped ones and what follows them, large maps first."""
    def pixels(segment: Segment) -> int:
        return max(s.op.output.height * s.op.output.width for s in plan.steps[segment.start : segment.stop])

    striped = [s for s in plan.segments if s.stripes > 1 and not s.rolling and pixels(s) >= _ROLL_PIXELS]
    for segment in sorted(striped, key=pixels, reverse=True):
        stops = sorted(s.stop for s in plan.segments if s.stop >= segment.stop)[:_REACH]
        for stop in stops:
            height = plan.steps[stop - 1].op.output.height
            for rows in _ROLL_ROWS:
                if rows < height and stop - segment.start > 1:
                    yield segment.start, stop, -(-height // rows)


def _roll(best: _Best, config: EngineConfig) -> None:
    """Let striped segments roll where that helps."""
    assert best.plan is not None
    taken: list[tuple[int, int]] = []
    left = _ROLLS
    for start, stop, stripes in _rolls(best.plan):
        if left <= 0:
            return
        base = best.plan
        if any(start < b and a < stop and (a, b) != (start, stop) and a != start for a, b in taken):
            continue
        trial = rolled(base, start, stop, stripes)
        if trial is None:
            continue
        left -= 1
        emitted, failure = _attempt(trial, config)
        if failure is None and spread(emitted.drafts, config) is None and best.offer(trial, emitted):
            taken.append((start, stop))


def fit(lowered: Lowered, config: EngineConfig) -> tuple[Plan, Emitted]:
    """Find the plan with the fewest estimated cycles among those that fit.

    Raises:
        CompileError: none fits; the layer, the memory and its size are named.
    """
    best = _Best(lowered, config)
    refused: CompileError | None = None
    for variant in chain(_variants(lowered, config), _spilling(lowered, config)):
        if best.plan is not None and variant.spilled:
            break
        try:
            fitted = _fitted(variant, config, _ATTEMPTS if variant.spilled else _FEWER)
        except CompileError as error:
            refused = refused or error
            continue
        for plan, emitted in _refined(*fitted, config):
            best.offer(plan, emitted)
    if best.plan is None:
        assert refused is not None
        raise refused
    _moves(best, lowered, config)
    _roll(best, config)
    emitted = emit(best.plan, config)
    spread(emitted.drafts, config)
    return best.plan, emitted


def _refusal(failure: Failure, config: EngineConfig) -> CompileError:
    name = {Space.FEATURE: "fm_words", Space.WINDOW: "win_depth", Space.DISPLACEMENT: "disp_entries"}[failure.space]
    size = getattr(config, name)
    return CompileError(
        f"{failure.owner}: {failure.words} words of {failure.space.name.lower()} memory are needed, {failure.free} of {size} are free",
        f"raise {name}, or use a smaller image",
    )
