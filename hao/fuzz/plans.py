"""Networks whose plans say the most about the compiler: random plans, and networks that only just fit their engine."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from hao.boards import load_board
from hao.compiler.allocate import pack, spread
from hao.compiler.compile import Compilation, Planner
from hao.compiler.emit import Emitted, emit
from hao.compiler.layout import EVERY_MAP, place
from hao.compiler.ops import Lowered
from hao.compiler.plan import Plan, Segment, make_plan
from hao.compiler.rolling import rolled
from hao.compiler.segments import fit
from hao.compiler.tune import ordered
from hao.engine.config import CI_CONFIGS, EngineConfig
from hao.errors import CompileError, GraphError
from hao.fuzz.case import Case, draw_case
from hao.fuzz.pictures import draw_picture
from hao.ir.builder import RandomBuilder
from hao.ir.graph import Conv, Graph
from hao.ir.random_graph import random_graph
from hao.models.integer_codenet import random_codenet
from hao.runtime.timing import DramTiming

_LITTLE = EngineConfig(
    pi=8, po=8, px=1, dw_lanes=8, fm_words=640, win_depth=48, wb_words=256, pb_words=64, lm_entries=64, disp_entries=256,
    row_bytes=256, queue_depth=4,
)  # fmt: skip
TIGHT: Mapping[str, EngineConfig] = {
    "little": _LITTLE,
    "narrow": EngineConfig(
        po=8, dw_lanes=8, fm_words=1024, win_depth=64, wb_words=256, pb_words=64, lm_entries=64, disp_entries=512, row_bytes=256,
        queue_depth=4,
    ),
}  # fmt: skip
"""Engines with so little memory that small networks are striped, spilled or refused."""


def random_planner(seed: int, spills: float, rolls: float = 0.0) -> Callable[[Lowered, EngineConfig], tuple[Plan, Emitted]]:
    """A planner that draws everything that a plan may choose.

    Args:
        seed: of all draws.
        spills: chance of a tensor to go to DRAM.
        rolls: chance of a segment to keep its window slices through its stripes.
    """

    def planner(lowered: Lowered, config: EngineConfig) -> tuple[Plan, Emitted]:
        rng = np.random.default_rng(seed)
        layout = place(lowered, int(rng.choice([0, EVERY_MAP])))
        plan = make_plan(layout, lowered.outputs)
        if rng.integers(2):
            layout.ops = ordered(plan, config)
            plan = make_plan(layout, lowered.outputs)
        segments: list[Segment] = []
        while not segments or segments[-1].stop < len(plan.steps):
            start = segments[-1].stop if segments else 0
            stop = min(start + int(rng.integers(1, 6)), len(plan.steps))
            segments.append(Segment(start, stop, int(rng.choice([1, 2, 3, 4, 7, 16]))))
        spilled = {p for p in layout.planes if plan.spillable(p, segments) and rng.random() < spills}
        plan = replace(plan, segments=segments, spilled=spilled)
        for segment in segments:
            if rolls and segment.stop - segment.start > 1 and rng.random() < rolls:
                plan = rolled(plan, segment.start, segment.stop, segment.stripes) or plan
        emitted = emit(plan, config)
        failure = (spread if rng.integers(2) else pack)(emitted.drafts, config)
        if failure is not None:
            raise CompileError(f"{failure.owner} does not fit")
        return plan, emitted

    return planner


def rolling_planner(lowered: Lowered, config: EngineConfig) -> tuple[Plan, Emitted]:
    """A planner that puts all steps into one rolling segment of four stripes.

    Raises:
        CompileError: the steps cannot roll, or do not fit.
    """
    plan = make_plan(place(lowered), lowered.outputs)
    found = rolled(plan, 0, len(plan.steps), 4)
    if found is None:
        raise CompileError("the network cannot roll as a whole")
    emitted = emit(found, config)
    if spread(emitted.drafts, config) is not None:
        raise CompileError("the network does not fit as a whole")
    return found, emitted


@dataclass(frozen=True, slots=True, eq=False)
class Planned:
    """A case with the planner that compiles it; ``case.config`` is a name of ``CI_CONFIGS`` or ``TIGHT``."""

    case: Case
    planner: Planner = fit

    @property
    def config(self) -> EngineConfig:
        """The engine."""
        return {**CI_CONFIGS, **TIGHT}[self.case.config]


def tower(width: int = 64) -> Graph:
    """Five layers on maps of 48 x ``width``: the smallest network here whose plan rolls on the larger engines."""
    build = RandomBuilder(np.random.default_rng(1), (3, 48, width), (9, 8, 7))
    at = build.conv("stem", "image", 24, 3, stride=1, pad=1, weight_bits=8)
    at = build.depthwise("deep", at, weight_bits=8)
    at = build.conv("point", at, 40, weight_bits=8)
    at = build.depthwise("deeper", at, weight_bits=8)
    return build.graph("tower", [build.conv("last", at, 16, weight_bits=8)], {})


def units() -> Graph:
    """Two ShuffleNet units on 48 x 48: the order of their steps is worth changing, and striped pairs are worth passing."""
    build = RandomBuilder(np.random.default_rng(3), (3, 48, 48), (9, 8, 7))
    at = build.conv("stem", "image", 24, 3, stride=1, pad=1, weight_bits=8)
    for unit in ("a", "b"):
        left = build.conv(f"{unit}.left", build.depthwise(f"{unit}.short", at), 24)
        deep = build.depthwise(f"{unit}.deep", build.conv(f"{unit}.first", at, 24))
        right = build.conv(f"{unit}.right", deep, 24, like=left)
        at = build.shuffle(f"{unit}.mixed", build.concat(f"{unit}.both", [left, right]))
    return build.graph("units", [build.conv("last", at, 8, signed=True)], {})


def displacements() -> dict[str, Graph]:
    """Deformable layers whose displacement is shared, passed on, read by others, an output, or the layer's own input; 12 x 10 pixels."""
    graphs = {}
    for name in ("own", "shared", "dense", "output", "pooled", "doubled", "sliced", "itself"):
        build, at = _stem(2)
        outputs, source, step = [build.deform("first", at, (-3, 4))], at, "first.scale"
        if name == "dense":
            outputs.append(build.conv("reader", step, 3))
        elif name == "output":
            outputs.append(step)
        elif name == "pooled":
            step = build.max_pool("pool", step, 3, 1, 1)
        elif name == "doubled":
            source, step = build.upsample("wide", at), build.upsample("far", step)
        elif name == "sliced":
            step = build.split("half", build.concat("both", [step, step]), 1)[1]
        elif name == "itself":
            source = step
        if name not in ("own", "dense", "output"):
            outputs.append(build.deform("second", source, (-3, 4), displacement=step))
        graphs[name] = build.graph(f"displacement-{name}", outputs, {})
    return graphs


def _stem(seed: int) -> tuple[RandomBuilder, str]:
    build = RandomBuilder(np.random.default_rng(seed), (3, 12, 10), (9, 8, 7))
    return build, build.conv("stem", "image", 20, 3, stride=1, pad=1, weight_bits=8)


def crafted() -> dict[str, Graph]:
    """What random networks seldom have: sums of channels in other lanes, up-sampled twice, channels read twice, windows of dense layers."""
    graphs = {}
    build, at = _stem(3)
    other = build.shuffle("mixed", at, 4)
    low, high = build.split("parts", at, 7)
    turned = build.concat("turned", [high, low])
    sums = [build.add("first", at, other), build.add("second", turned, at), build.add("third", other, other)]
    graphs["sums"] = build.graph("sums", sums, {})
    build, at = _stem(4)
    wide = build.upsample("wide", build.upsample("half", at))
    graphs["far"] = build.graph("far", [build.conv("far.low", wide, 9), build.depthwise("deep", wide), wide], {})
    build, at = _stem(5)
    small = build.conv("small", at, 20, 2, stride=2, weight_bits=2, like="stem")
    both = build.concat("both", [build.upsample("up", small), at])
    twice = build.concat("twice", [at, at])
    outputs = [build.conv("one", both, 18), build.conv("two", twice, 18, 3, pad=1, weight_bits=2), build.depthwise("three", both)]
    graphs["joined"] = build.graph("joined", outputs, {})
    build, at = _stem(6)
    outputs = [build.avg_pool("two", at, 2, 2), build.avg_pool("three", at, 3, 1), build.depthwise("four", at, 2, pad=0, weight_bits=4)]
    outputs.append(build.conv("five", at, 20, 5, pad=4, weight_bits=2))
    graphs["windows"] = build.graph("windows", outputs, {})
    return {**graphs, **shared(), **parted()}


def shared() -> dict[str, Graph]:
    """Planes that two layers write, a block of weights that are all zero, lane-wise layers of one tap."""
    graphs = {}
    build, at = _stem(7)
    halves = [build.conv("low", at, 7, 3, pad=1), build.conv("high", at, 9), build.depthwise("deep", at, signed=False)]
    both = build.concat("both", halves)
    graphs["halves"] = build.graph("halves", [both, build.conv("one", both, 5)], {})
    build, at = _stem(8)
    build.conv("part", at, 36)
    node = build.nodes[-1]
    assert isinstance(node, Conv)
    build.nodes[-1] = replace(node, weight=np.where(np.arange(36)[:, None, None, None] < 16, 0, node.weight))
    graphs["nothing"] = build.graph("nothing", ["part", build.conv("last", "part", 9)], {})
    build, at = _stem(9)
    at = build.conv("two", build.depthwise("one", at, 1, pad=0), 18)
    at = build.conv("four", build.depthwise("three", at, 2, stride=2, pad=0), 17)
    graphs["points"] = build.graph("points", [build.depthwise("five", at, 1, pad=0)], {})
    return graphs


def parted() -> dict[str, Graph]:
    """Channels that nobody reads, depthwise kernels that are wide or one pixel, layers of which every few channels go to another
    reader, single channels, concatenations of one tensor, a plane of two layers one of which runs ahead, sums of
    tensors of several ranges, a row that takes a fifth of half the window."""
    graphs = {}
    build, at = _stem(10)
    halves = [build.depthwise("unread", build.conv("low", at, 16)), build.depthwise("deep", at), build.conv("plain", at, 16, signed=True)]
    read = build.split("parts", build.concat("all", halves), 16)[1]
    outputs = [build.conv("last", read, 5, 3, pad=1), build.depthwise("wide", "plain", 5, pad=2, weight_bits=5)]
    outputs.append(build.depthwise("every", "plain", 1, stride=2, pad=0))
    graphs["dropped"] = build.graph("dropped", outputs, {})
    build, at = _stem(11)
    outputs = []
    for name, sizes in (("six", (11, 11, 6, 1, 1)), ("four", (14, 4, 3))):
        left = build.conv(name, at, sum(sizes) + 1)
        for number, size in enumerate(sizes):
            part, left = build.split(f"{name}.{number}", left, size)
            outputs.append(build.conv(f"{name}.{number}.reader", part, 3))
        outputs.append(build.conv(f"{name}.reader", left, 3))
    graphs["cut"] = build.graph("cut", outputs, {})
    build, at = _stem(12)
    first, rest = build.split("ends", at, 1)
    other = build.split("far", rest, 4)[1]
    total = build.add("sum", first, build.split("one", other, 1)[0])
    alone = build.concat("alone", [build.upsample("up", build.concat("of.one", [at]))])
    graphs["single"] = build.graph("single", [total, build.conv("last", alone, 5)], {})
    build, at = _stem(13)
    ahead, low = build.split("a", build.conv("first", at, 20), 16)
    both = build.concat("both", [low, build.conv("second", at, 4, like=low)])
    graphs["ahead"] = build.graph("ahead", [build.conv("far", ahead, 5, 5, pad=2), build.conv("near", both, 5)], {})
    build, at = _stem(14)
    narrow = build.conv("narrow", at, 6, signed=True)
    node = build.nodes[-1]
    assert isinstance(node, Conv)
    build.nodes[-1] = replace(node, requant=replace(node.requant, lo=-20, hi=30))
    other = build.concat("other", [build.conv("full", at, 6, signed=True), narrow])
    graphs["clipped"] = build.graph("clipped", [build.add("sum", build.shuffle("mixed", build.conv("one", at, 12), 4), other)], {})
    build = RandomBuilder(np.random.default_rng(15), (1, 8, 120), (9,))
    at = build.depthwise("deep", build.conv("stem", "image", 8, weight_bits=8))
    graphs["broad"] = build.graph("broad", [at], {})
    return graphs


def handmade() -> Iterator[Planned]:
    """The networks of ``displacements`` and ``crafted`` on the smallest and the largest engine, planned and by drawn plans."""
    for name, graph in {**displacements(), **crafted()}.items():
        for config in ("8x8x1", "16x16x2"):
            yield Planned(_case(f"{name}:{config}", config, graph, 1))
            for seed in range(3):
                planner = random_planner(seed, 0.4 * (seed % 2), 0.5)
                yield Planned(_case(f"{name}:{config}:{seed}", config, graph, 1), planner)
    for name, graph in parted().items():
        yield Planned(_case(f"{name}:8x8x1:rolling", "8x8x1", graph, 1), rolling_planner)
    for config, seed in (("8x8x1", 5), ("8x8x1", 7), ("16x16x2", 4)):  # rolling segments that read rows of DRAM
        yield Planned(_case(f"dropped:{config}:{seed}", config, parted()["dropped"], 1), random_planner(seed, 0.4, 1.0))


def _case(name: str, config: str, graph: Graph, seed: int) -> Case:
    data, pixels = draw_picture(graph.nodes[0].shape, np.random.default_rng(seed))  # type: ignore[attr-defined]
    timing = DramTiming.of_board(load_board("ultra96v2"))
    return Case(name, config, graph, pixels, timing, seed % 256, "plans", data)


def _tight(count: int) -> Iterator[Planned]:
    for config in TIGHT:
        for seed in range(count):
            try:
                graph = random_graph(seed, 10, max_size=40, max_channels=48)
            except GraphError:
                continue
            yield Planned(_case(f"{config}:{seed}", config, graph, seed))


def _random(count: int) -> Iterator[Planned]:
    for config in CI_CONFIGS:
        for seed in range(count):
            graph = random_graph(100 + seed, 12, max_size=24)
            planner = random_planner(seed, 0.4 * (seed % 2), 0.9 * (seed // 2 % 2))
            yield Planned(_case(f"plan:{config}:{seed}", config, graph, seed), planner)


def telling(cases: int = 120, tight: int = 60, random: int = 16) -> list[Planned]:
    """Networks that together run nearly all of the compiler, in a fixed order, cheap ones first.

    Args:
        cases: of continuous integration's fuzz cases (seed 2026).
        tight: networks for each engine of ``TIGHT``.
        random: random plans for each engine of ``CI_CONFIGS``.
    """
    board = load_board("ultra96v2")
    found = [Planned(draw_case(2026, index, list(CI_CONFIGS), board)) for index in range(cases)]
    found += [*handmade(), *_random(random), *_tight(tight)]
    found += [Planned(_case(f"tower:{config}", config, tower(), 1)) for config in ("16x16x2", "16x8x1")]
    found.append(Planned(_case("units:16x16x2", "16x16x2", units(), 1)))
    found.append(Planned(_case("codenet-b-64", "8x8x1", random_codenet("b", seed=1, size=64), 1)))
    return found


def plan_digest(made: Compilation) -> str:
    """First 16 digits of the SHA-256 over all that a compilation decided: program, data, outputs, traced tensors, steps; no versions."""
    manifest = made.image.manifest.model_dump_json(
        include={"program_offset", "program_count", "input", "outputs", "output_bytes", "scratch_bytes"}
    )
    state = hashlib.sha256(manifest.encode())
    state.update(repr((made.assembled.trace.entries, made.assembled.steps)).encode())
    state.update(made.assembled.dram)
    return state.hexdigest()[:16]
