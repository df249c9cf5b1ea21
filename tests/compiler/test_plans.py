"""Any plan computes the same: random segments, stripes, order and spills, each held against the reference."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from hao.compiler.allocate import spread
from hao.compiler.coloring import color_edges
from hao.compiler.compile import compile_in_full
from hao.compiler.emit import Emitted, emit
from hao.compiler.executor import Executor
from hao.compiler.layout import place
from hao.compiler.ops import Lowered
from hao.compiler.plan import Plan, Segment, make_plan
from hao.compiler.rolling import rolled
from hao.compiler.timing import occupancy, schedule
from hao.engine.config import CI_CONFIGS, EngineConfig
from hao.engine.isa import Opcode
from hao.errors import CompileError
from hao.fuzz.engines import Fleet
from hao.fuzz.outcome import Verdict
from hao.fuzz.plans import handmade, random_planner, tower
from hao.ir.builder import random_image
from hao.ir.random_graph import random_graph
from hao.ir.reference import execute
from hao.models.integer_codenet import random_codenet


@pytest.mark.parametrize("config", CI_CONFIGS.values(), ids=CI_CONFIGS.keys())
@pytest.mark.parametrize("spills", [0.0, 0.4])
def test_random_plans_compute_the_same(config: EngineConfig, spills: float) -> None:
    compared = refused = stored = 0
    for seed in range(10):
        graph = random_graph(seed, 14, max_size=28)
        try:
            done = compile_in_full(graph, config, random_planner(seed, spills))
        except CompileError:
            refused += 1
            continue
        image = done.image
        picture = random_image(graph.nodes[0].shape, np.random.default_rng(seed))
        executor = Executor(config, image.regions(image.pack_input(picture)), check=True, garbage=seed)
        taps = executor.run_image(image.manifest.program_offset, image.manifest.program_count)
        result = image.trace.compare(taps, execute(done.graph, picture))
        result.require_equal()
        original = execute(graph, picture)
        for name, value in image.unpack_output(executor.output()).items():
            assert np.array_equal(value, original[name])
        compared += result.compared
        stored += image.manifest.scratch_bytes
    assert compared > 50_000
    assert refused <= 2
    assert (stored > 0) == (spills > 0)


@pytest.mark.parametrize("config", CI_CONFIGS.values(), ids=CI_CONFIGS.keys())
@pytest.mark.parametrize("spills", [0.0, 0.4])
def test_rolling_plans_compute_the_same(config: EngineConfig, spills: float) -> None:
    """Segments whose window slices live through their stripes; networks taller than a stripe, spills and lags included."""
    compared = rolling = kept = 0
    for seed in range(100, 112):
        graph = random_graph(seed, 12, max_size=24)
        try:
            done = compile_in_full(graph, config, random_planner(seed, spills, 0.9))
        except CompileError:
            continue
        image = done.image
        picture = random_image(graph.nodes[0].shape, np.random.default_rng(seed))
        executor = Executor(config, image.regions(image.pack_input(picture)), check=True, garbage=seed)
        taps = executor.run_image(image.manifest.program_offset, image.manifest.program_count)
        result = image.trace.compare(taps, execute(done.graph, picture))
        result.require_equal()
        compared += result.compared
        rolling += sum(s.rolling and s.stripes > 1 for s in done.plan.segments)
        kept += len(done.plan.kept)
    assert compared > 30_000
    assert rolling >= 5
    assert kept > 0


def test_crafted_networks_compute_the_same() -> None:
    """Sums of other lanes, channels read twice, far up-sampling, windows of dense layers: planned, and by drawn plans.

    A drawn plan of ``windows`` once rolled a tensor that lived in DRAM and was read back inside the segment.
    """
    fleet, ends = Fleet(("executor",)), Counter[str]()
    for planned in handmade():
        outcome = fleet.run(planned.case, None, planned.planner)
        assert outcome.verdict is not Verdict.FAILED, (planned.case.name, outcome.message)
        ends[outcome.verdict.value] += 1
    assert ends["equal"] >= 85 and ends["refused"] <= 5, ends


def test_a_rolling_segment_computes_no_row_twice() -> None:
    """Every result word appears once in the taps, which is not so for the same steps in plain stripes."""
    graph = tower(40)
    config = CI_CONFIGS["16x16x2"]
    words = {}
    for roll in (False, True):

        def planner(lowered: Lowered, config: EngineConfig, roll: bool = roll) -> tuple[Plan, Emitted]:
            plan = make_plan(place(lowered), lowered.outputs)
            whole = Segment(0, len(plan.steps), 12)
            plan = rolled(plan, 0, len(plan.steps), 12) if roll else replace(plan, segments=[whole])
            assert plan is not None
            emitted = emit(plan, config)
            assert spread(emitted.drafts, config) is None
            return plan, emitted

        done = compile_in_full(graph, config, planner)
        words[roll] = sum(entry.count for entry in done.image.trace.entries)
    blocks = 2 + 2 + 3 + 3 + 1
    assert words[True] == blocks * 48 * 40 < words[False]


def test_edge_colouring_is_proper_and_tight() -> None:
    rng = np.random.default_rng(5)
    for _ in range(200):
        colors = int(rng.integers(1, 17))
        left, right = (int(rng.integers(1, 12)) for _ in range(2))
        room_left, room_right = dict.fromkeys(range(left), colors), dict.fromkeys(range(right), colors)
        edges = []
        for _ in range(int(rng.integers(1, 200))):
            a, b = int(rng.integers(left)), int(rng.integers(right))
            if room_left[a] and room_right[b]:
                room_left[a] -= 1
                room_right[b] -= 1
                edges.append((a, b, int(rng.integers(colors))))
        found = color_edges(edges, colors)
        assert len(found) == len(edges)
        assert all(0 <= color < colors for color in found)
        for side in (0, 1):
            seen = [(edge[side], color) for edge, color in zip(edges, found, strict=True)]
            assert len(set(seen)) == len(seen)


@pytest.mark.parametrize(("letter", "limit"), [("b", 640_000), ("a", 610_000)])
def test_estimated_cycles_of_codenet(letter: str, limit: int) -> None:
    """The estimate is within the target, and never below what the busiest unit needs."""
    config = CI_CONFIGS["16x16x2"]
    program = compile_in_full(random_codenet(letter), config).assembled.program
    timed = schedule(program, config)
    assert max(timed.busy.values()) < timed.total < limit
    dense = sum(occupancy(i, config) for i in program if i.opcode is Opcode.DENSE)
    assert 540_000 < dense < 560_000 or letter == "a"
    for i, start, end in zip(program, timed.start, timed.end, strict=True):
        assert end >= start + occupancy(i, config)


@pytest.mark.nightly
def test_a_network_that_spills() -> None:
    """CoDeNet c at 512 x 512: tensors larger than the feature memory go to DRAM by stripes."""
    config = CI_CONFIGS["16x16x2"]
    graph = random_codenet("c")
    done = compile_in_full(graph, config)
    image = done.image
    assert image.manifest.scratch_bytes > 0
    picture = random_image(graph.nodes[0].shape, np.random.default_rng(0))
    executor = Executor(config, image.regions(image.pack_input(picture)), check=True, garbage=0)
    taps = executor.run_image(image.manifest.program_offset, image.manifest.program_count)
    result = image.trace.compare(taps, execute(done.graph, picture))
    result.require_equal()
    assert result.compared > 10_000_000
