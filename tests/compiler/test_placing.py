"""Where channels may be put, and what the window slices of rolling segments may take: to the last pixel and row."""

from __future__ import annotations

import numpy as np
import pytest

from hao.boards import load_board
from hao.compiler.allocate import _Arena, spread
from hao.compiler.drafts import Buffer, Space
from hao.compiler.emit import Emitted, emit
from hao.compiler.layout import place
from hao.compiler.lower import lower
from hao.compiler.ops import DwOp, Lowered, Value, identity_scaling
from hao.compiler.plan import Plan, Segment, make_plan
from hao.compiler.rewrite import rewrite
from hao.compiler.rolling import rings, rolled, stripes_of
from hao.compiler.segments import _spilling
from hao.engine.config import CI_CONFIGS, EngineConfig
from hao.engine.isa import DwMode
from hao.errors import CompileError
from hao.fuzz.case import Case
from hao.fuzz.engines import Fleet
from hao.fuzz.outcome import Verdict
from hao.ir.builder import RandomBuilder, random_image
from hao.runtime.timing import DramTiming

CONFIG = CI_CONFIGS["8x8x1"]


def pair(height: int, width: int) -> Lowered:
    """Two layers of five channels that one layer reads: together they fill less than a plane."""
    build = RandomBuilder(np.random.default_rng(1), (1, height, width), (0,))
    at = build.conv("stem", "image", 16, weight_bits=8)
    both = build.concat("both", [build.conv("low", at, 5), build.conv("high", at, 5)])
    return lower(rewrite(build.graph("pair", [build.conv("last", both, 16)], {})), CONFIG)


def planes_of_the_pair(plan: Plan) -> int:
    return sum(any(value.name in ("low", "high") for value in plane.values) for plane in plan.layout.planes)


@pytest.mark.parametrize(("mixed", "planes"), [(62, 2), (63, 1), (64, 1)])
def test_layers_share_a_plane_on_maps_of_up_to_so_many_pixels(mixed: int, planes: int) -> None:
    lowered = pair(7, 9)
    assert planes_of_the_pair(make_plan(place(lowered, mixed), lowered.outputs)) == planes


@pytest.mark.parametrize(("height", "planes"), [(16, 1), (17, 2)])
def test_plans_that_spill_mix_layers_on_maps_of_up_to_an_eighth_of_the_memory(height: int, planes: int) -> None:
    assert CONFIG.fm_words == 8 * 16 * 16
    (plan,) = _spilling(pair(height, 16), CONFIG)
    assert planes_of_the_pair(plan) == planes


def rolling(width: int = 13) -> tuple[Plan, Segment]:
    """Six steps on 24 rows, all in one rolling segment of eight stripes; nobody reads the channels of ``dead``."""
    build = RandomBuilder(np.random.default_rng(1), (1, 24, width), (0,))
    at = build.conv("stem", "image", 20, weight_bits=8)
    halves = [build.depthwise("dead", at), build.depthwise("deep", at), build.max_pool("pool", at, 3, 2, 1)]
    live = build.split("parts", build.concat("both", halves[:2]), 20)[1]
    graph = build.graph("rolling", [build.conv("last", live, 16), build.conv("half", halves[2], 16)], {})
    lowered = lower(rewrite(graph), CONFIG)
    plan = make_plan(place(lowered), lowered.outputs)
    return plan, Segment(0, len(plan.steps), 8, True)


def named(plan: Plan, found: dict[int, int]) -> dict[str, int]:
    return {plan.steps[number].op.name: rows for number, rows in found.items()}


def test_rings_hold_what_a_stripe_reads_and_room_for_the_next_where_the_window_has_it() -> None:
    """Three rows of a result a stripe: five rows read, three new; one and two rows of a pool of stride 2: five read, up to four new.

    Two blocks of two addresses a row each, so each row of a ring costs four; a step that never runs counts one row.
    """
    plan, segment = rolling()
    stripes = list(stripes_of(plan, segment, {}))
    least, spare = {"dead": 1, "deep": 5, "pool": 5}, {"dead": 0, "deep": 3, "pool": 4}
    full = {name: least[name] + spare[name] for name in least}
    cost = 4 * sum(full.values())
    assert named(plan, rings(plan, segment, stripes, cost)) == full
    for part in (2, 1, 0):
        wanted = {name: least[name] + spare[name] * part // 4 for name in least}
        assert named(plan, rings(plan, segment, stripes, cost - 1)) == wanted
        cost = 4 * sum(wanted.values())
        assert named(plan, rings(plan, segment, stripes, cost)) == wanted
    assert named(plan, rings(plan, segment, stripes, cost - 1)) == least, "allocation will say that there is no room"


@pytest.mark.parametrize(("height", "possible"), [(508, True), (509, False)])
def test_a_stripe_reads_no_more_rows_than_a_ring_counts(height: int, possible: bool) -> None:
    """Two stripes of a 3x3 layer: half of the rows and one more, at most 255. With 256 a program once wrote over its own rows."""
    build = RandomBuilder(np.random.default_rng(1), (1, height, 11), (0,))
    at = build.depthwise("deep", build.conv("stem", "image", 8, weight_bits=8))
    graph = build.graph("tall", [build.conv("last", at, 8)], {})

    def planner(lowered: Lowered, config: EngineConfig) -> tuple[Plan, Emitted]:
        plan = make_plan(place(lowered), lowered.outputs)
        found = rolled(plan, 0, len(plan.steps), 2)
        if found is None:
            raise CompileError("no ring counts so many rows")
        emitted = emit(found, config)
        assert spread(emitted.drafts, config) is None
        return found, emitted

    timing = DramTiming.of_board(load_board("ultra96v2"))
    picture = random_image((1, height, 11), np.random.default_rng(5))
    case = Case("tall", "16x16x2", graph, picture, timing, 90, "limits", "random")
    outcome = Fleet(("executor",), CI_CONFIGS).run(case, None, planner)
    assert outcome.verdict is (Verdict.EQUAL if possible else Verdict.REFUSED), outcome.message


@pytest.mark.parametrize("value", [0, 255])
def test_image_channels_of_mean_zero_keep_their_ends_where_lanes_copy_them(value: int) -> None:
    """A sum takes channel 1 into the lane of channel 0: nothing clips it on the way."""
    build = RandomBuilder(np.random.default_rng(2), (3, 8, 8), (0, 0, 0))
    first, rest = build.split("slices", "image", 1)
    second, _ = build.split("more", rest, 1)
    timing = DramTiming.of_board(load_board("ultra96v2"))
    graph = build.graph("sums", [build.add("sum", first, second)], {})
    case = Case("sums", "8x8x1", graph, np.full((3, 8, 8), value, np.uint8), timing, 90, "limits", "equal")
    outcome = Fleet(("executor",), CI_CONFIGS).run(case)
    assert outcome.verdict is Verdict.EQUAL, outcome.message


def test_a_plan_begins_with_every_step_alone() -> None:
    """What :func:`make_plan` gives without a planner is a program already."""
    lowered = pair(7, 9)
    plan = make_plan(place(lowered), lowered.outputs)
    assert [(segment.start, segment.stop) for segment in plan.segments] == [(number, number + 1) for number in range(len(plan.steps))]


@pytest.mark.parametrize("words", [(3, 2), (1, 4), (5, 5)], ids=str)
def test_a_refusal_counts_the_free_words(words: tuple[int, int]) -> None:
    """All of them, in however many pieces: here before, between and behind two buffers, none of which is large enough."""
    arena = _Arena(40, {})
    for address, size in ((words[0], 10), (words[0] + 10 + words[1], 10)):
        arena._live.append(Buffer(Space.WINDOW, size, "there", 0, first=0, last=9, address=address))
    assert arena.place(Buffer(Space.WINDOW, 21, "new", 0, first=1, last=2), 1) == 20


def _depthwise(displacement: tuple[int, int] | None) -> DwOp:
    source = Value("in", 1, 40, 5, False, 0, 255)
    shift = None if displacement is None else Value("shift", 1, 40, 5, True, *displacement, displacement=True)
    taps, scaling = np.ones((1, 9), np.int64), identity_scaling(1, 0, 255)
    output = Value("out", 1, 40, 5, False, 0, 255)
    return DwOp("op", output, ((source, 0),), DwMode.MAC, taps, scaling, 40, 5, displacement=shift)


@pytest.mark.parametrize(("displacement", "reach"), [(None, 1), ((0, 0), 1), ((-3, 1), 3), ((-1, 4), 4), ((2, 5), 5)], ids=str)
def test_taps_lie_within_their_reach(displacement: tuple[int, int] | None, reach: int) -> None:
    op = _depthwise(displacement)
    assert op.reach == reach
    assert op.slice_rows((20, 21)) == (20 - reach, 21 + reach)
