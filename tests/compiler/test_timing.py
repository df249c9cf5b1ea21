"""The estimate that plans are chosen by, beside the program-level cycle model, which is held against the RTL."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hao.boards import load_board
from hao.compiler.allocate import spread
from hao.compiler.compile import Planner, compile_in_full
from hao.compiler.emit import Emitted, emit
from hao.compiler.layout import place
from hao.compiler.ops import Lowered
from hao.compiler.plan import Plan, Segment, make_plan
from hao.compiler.timing import schedule
from hao.cost.cycles import estimate_cycles
from hao.engine.config import CI_CONFIGS, EngineConfig
from hao.ir.builder import RandomBuilder
from hao.models.integer_codenet import random_codenet

BOARD = load_board("ultra96v2")


def in_stripes(count: int) -> Planner:
    """A planner that computes everything together in ``count`` stripes."""

    def planner(lowered: Lowered, config: EngineConfig) -> tuple[Plan, Emitted]:
        plan = make_plan(place(lowered), lowered.outputs)
        plan = replace(plan, segments=[Segment(0, len(plan.steps), count)])
        emitted = emit(plan, config)
        assert spread(emitted.drafts, config) is None
        return plan, emitted

    return planner


@pytest.mark.parametrize("stripes", [2, 4, 8, 16, 32])
@pytest.mark.parametrize("stride", [1, 2])
def test_short_stripes_of_the_image_cost_what_they_do(stride: int, stripes: int) -> None:
    """A stripe waits for its first rows of the image: in 32 stripes that is half of the time."""
    build = RandomBuilder(np.random.default_rng(1), (3, 32 * stride, 128 * stride), (9, 8, 7))
    graph = build.graph("stem", [build.conv("stem", "image", 16, 3, stride=stride, pad=1)], {})
    made = compile_in_full(graph, CI_CONFIGS["16x16x2"], in_stripes(stripes))
    program = made.assembled.program
    known = estimate_cycles(program, CI_CONFIGS["16x16x2"], BOARD, made.assembled.offset).cycles
    ratio = schedule(program, CI_CONFIGS["16x16x2"]).total / known
    assert 0.9 < ratio < 1.1


@pytest.mark.nightly
def test_more_feature_memory_makes_no_slower_plan() -> None:
    """Of CoDeNet-1x b: 32 768 words had a plan of 647 245 cycles where 24 576 had one of 616 903."""
    graph, cycles = random_codenet("b", seed=1), []
    for words in (24576, 32768):
        config = EngineConfig(fm_words=words)
        made = compile_in_full(graph, config)
        cycles.append(estimate_cycles(made.assembled.program, config, BOARD, made.assembled.offset).cycles)
    assert cycles[1] < 1.005 * cycles[0]
