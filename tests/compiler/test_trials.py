"""How many plans the compiler tries, and which rolling segments: nothing is tried twice as often, or half as often, as is written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from hao.compiler import segments
from hao.compiler.layout import place
from hao.compiler.lower import lower
from hao.compiler.ops import Lowered
from hao.compiler.plan import Plan, Segment, make_plan
from hao.compiler.rewrite import rewrite
from hao.engine.config import CI_CONFIGS
from hao.ir.builder import RandomBuilder

CONFIG = CI_CONFIGS["16x16x2"]


def parts(height: int = 48, width: int = 64) -> tuple[Lowered, Plan]:
    """Five steps: the image, a depthwise layer with the dense one that feeds it, three dense ones."""
    build = RandomBuilder(np.random.default_rng(1), (3, height, width), (9, 8, 7))
    at = build.depthwise("deep", build.conv("stem", "image", 16, 3, stride=1, pad=1))
    lowered = lower(
        rewrite(build.graph("parts", [build.conv("last", build.conv("fourth", build.conv("third", at, 16), 16), 16)], {})), CONFIG
    )
    return lowered, make_plan(place(lowered), lowered.outputs)


@pytest.mark.parametrize("budget", [1, 2, 5, 8])
def test_a_search_for_stripes_ends_with_its_budget(budget: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing ever fits: as many plans are tried as are allowed."""
    _, plan = parts()
    tried = []

    def never(plan: Plan, config: object, stop: int | None = None) -> tuple[Any, Any]:
        tried.append(plan)
        return None, "no room"

    monkeypatch.setattr(segments, "_attempt", never)
    assert segments._Search(CONFIG, budget).striped(plan, 2) is None
    assert len(tried) == budget


@pytest.mark.parametrize(("steps", "step"), [(1, 0), (5, 4), (9, 0), (14, 6), (30, 15)])
def test_runs_around_a_step(steps: int, step: int) -> None:
    """Every run of up to ten steps that the step belongs to, short ones first."""
    plan = replace(parts()[1], steps=[parts()[1].steps[0]] * steps)
    runs = [(first, first + length) for length in range(1, 11) for first in range(steps - length + 1)]
    assert list(segments._windows(plan, step)) == [(first, last) for first, last in runs if first <= step < last]


@pytest.mark.parametrize("better", [True, False])
def test_twelve_orders_are_tried(better: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether each of them is better, and the search begins anew, or none."""
    lowered, plan = parts()
    offered = []

    class Best(segments._Best):
        def offer(self, plan: Plan, emitted: object) -> bool:
            offered.append(plan)
            return better

    def orders(plan: Plan, original: object) -> Iterator[list[Any]]:
        while True:
            yield list(lowered.ops)

    monkeypatch.setattr(segments, "moved", orders)
    best = Best(lowered, CONFIG)
    best.plan = plan
    segments._moves(best, lowered, CONFIG)
    assert len(offered) == segments._MOVES == 12


def test_rolling_segments_have_two_steps_and_two_stripes_at_least() -> None:
    """From a striped segment on, with what follows it, in stripes of 1, 2, 4 and 8 rows of the last result."""
    _, plan = parts()
    assert len(plan.steps) == 5
    for cut in ([Segment(0, 1, 4), Segment(1, 2), Segment(2, 5)], [Segment(0, 2, 3), Segment(2, 3), Segment(3, 5)], [Segment(0, 5, 2)]):
        found = list(segments._rolls(replace(plan, segments=cut)))
        stops = [segment.stop for segment in cut[:3] if segment.stop > 1]
        assert sorted(found) == sorted((0, stop, 48 // rows) for stop in stops for rows in (1, 2, 4, 8))
    _, low = parts(8, 256)
    found = list(segments._rolls(replace(low, segments=[Segment(0, 5, 2)])))
    assert sorted(found) == [(0, 5, 2), (0, 5, 4), (0, 5, 8)], "eight rows are all of them: one stripe"
    assert list(segments._rolls(replace(low, segments=[Segment(0, 5, 2, True)]))) == []
    for start in (1, 2):
        found = list(segments._rolls(replace(plan, segments=[Segment(0, start), Segment(start, start + 1, 4), Segment(start + 1, 5)])))
        assert sorted(found) == sorted((start, 5, 48 // rows) for rows in (1, 2, 4, 8)), "one step alone has nothing to pass on"


def test_rolling_segments_count_rows_of_their_last_result_and_pixels_of_their_largest_map() -> None:
    """Here the last layer halves the map: 24 rows of 32 pixels would not be worth it, those before them are."""
    build = RandomBuilder(np.random.default_rng(1), (3, 48, 64), (9, 8, 7))
    at = build.depthwise("deep", build.conv("stem", "image", 16, 3, stride=1, pad=1))
    lowered = lower(rewrite(build.graph("half", [build.conv("last", build.conv("third", at, 16), 16, 2, stride=2)], {})), CONFIG)
    plan = make_plan(place(lowered), lowered.outputs)
    steps = len(plan.steps)
    found = list(segments._rolls(replace(plan, segments=[Segment(0, steps, 2)])))
    assert sorted(found) == [(0, steps, 24 // rows) for rows in (8, 4, 2, 1)]
    found = list(segments._rolls(replace(plan, segments=[Segment(0, steps - 1, 2), Segment(steps - 1, steps, 2)])))
    assert {start for start, _, _ in found} == {0}


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_finer_stripes_have_two_rows_of_the_largest_map_at_least(factor: int) -> None:
    """Only striped segments are cut further, and none into fewer stripes than it had."""
    build = RandomBuilder(np.random.default_rng(1), (3, 48, 64), (9, 8, 7))
    at = build.conv("stem", "image", 16, 3, stride=1, pad=1)
    at = build.conv("half", at, 16, 2, stride=2)
    lowered = lower(rewrite(build.graph("finer", [build.conv("last", build.conv("third", at, 16, 4, stride=4), 16)], {})), CONFIG)
    plan = make_plan(place(lowered), lowered.outputs)
    assert [step.op.output.height for step in plan.steps] == [48, 48, 24, 6, 6]
    for start, height, cut in ((1, 48, 2), (1, 48, 10), (1, 48, 16), (2, 24, 5), (3, 6, 2), (3, 6, 6)):
        kept = [Segment(n, n + 1) for n in range(start)]
        finer = segments._finer(replace(plan, segments=[*kept, Segment(start, 5, cut)]), factor).segments
        assert finer == [*kept, Segment(start, 5, max(cut, min(cut * factor, height // 2)))]


@pytest.mark.parametrize(("taken", "other", "tried"), [
    ((1, 4), (1, 3), True), ((1, 4), (1, 5), True), ((1, 4), (0, 1), True), ((1, 4), (4, 6), True), ((1, 4), (0, 6), False),
    ((1, 4), (0, 2), False), ((1, 4), (3, 6), False), ((1, 4), (2, 3), False),
], ids=str)  # fmt: skip
@pytest.mark.parametrize("better", [True, False])
def test_rolling_segments_that_were_taken_are_left_alone(
    taken: tuple[int, int], other: tuple[int, int], tried: bool, better: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But for ones that begin where they do, which take their place; what brought nothing is in nobody's way."""
    lowered, plan = parts()
    trials = []

    def trial(plan: Plan, start: int, stop: int, stripes: int) -> Plan:
        trials.append((start, stop))
        return plan

    class Best(segments._Best):
        def offer(self, plan: Plan, emitted: object) -> bool:
            return better

    monkeypatch.setattr(segments, "_rolls", lambda _: [(*taken, 2), (*other, 2)])
    monkeypatch.setattr(segments, "rolled", trial)
    best = Best(lowered, CONFIG)
    best.plan = plan
    segments._roll(best, CONFIG)
    assert trials == ([taken, other] if tried or not better else [taken])


@pytest.mark.parametrize("possible", [True, False])
def test_forty_rolling_segments_are_tried(possible: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """None of which is better here; what cannot roll is no trial."""
    lowered, plan = parts()
    trials = []

    class Best(segments._Best):
        def offer(self, plan: Plan, emitted: object) -> bool:
            trials.append(plan)
            return False

    monkeypatch.setattr(segments, "_rolls", lambda _: [(0, 2, 2)] * 100)
    monkeypatch.setattr(segments, "rolled", lambda plan, *_: trials.append(None) if not possible else plan)
    best = Best(lowered, CONFIG)
    best.plan = plan
    segments._roll(best, CONFIG)
    assert len(trials) == (segments._ROLLS if possible else 100) and segments._ROLLS == 40


@pytest.mark.parametrize("height", [1, 2, 3, 4])
def test_no_map_is_cut_into_more_stripes_than_it_has_rows(height: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor into more than are needed, when a cut is needed at all."""
    _, plan = parts(height, 64)
    tried: list[int] = []

    def attempt(plan: Plan, config: object, stop: int | None = None) -> tuple[Any, Any]:
        tried.append(max(segment.stripes for segment in plan.segments))
        return None, None if tried[-1] >= wanted else "no room"

    monkeypatch.setattr(segments, "_attempt", attempt)
    for wanted in (1, height):
        found = segments._Search(CONFIG, 80).striped(plan, 2)
        assert found is not None
        assert max(segment.stripes for segment in found.segments) == max(wanted, min(2, height))
    assert max(tried) == height
