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
