"""Compiled networks on the checking executor against the reference, tensor by tensor."""

from __future__ import annotations

import numpy as np
import pytest

from hao.compiler.compile import Compilation, compile_in_full
from hao.compiler.executor import Executor
from hao.compiler.rewrite import rewrite
from hao.engine.config import CI_CONFIGS, ULTRA96, EngineConfig
from hao.engine.encode import DEPENDENCY_FIELDS
from hao.engine.isa import BaseSelect, Opcode
from hao.engine.taps import TapTrace
from hao.errors import CompileError, EngineMismatch, SimulationError
from hao.ir.builder import RandomBuilder, random_image
from hao.ir.graph import Graph, Upsample
from hao.ir.random_graph import MOTIFS, random_graph
from hao.ir.reference import execute
from hao.models import zoo
from hao.models.integer_codenet import random_codenet


def run_checked(graph: Graph, config: EngineConfig, seed: int = 0) -> tuple[Compilation, TapTrace, int]:
    """Compile, run with every check from random memory contents, and compare taps and outputs; values compared."""
    done = compile_in_full(graph, config)
    image = done.image
    picture = random_image(graph.nodes[0].shape, np.random.default_rng(seed))
    executor = Executor(config, image.regions(image.pack_input(picture)), check=True, garbage=seed + 1)
    taps = executor.run_image(image.manifest.program_offset, image.manifest.program_count)
    result = image.trace.compare(taps, execute(done.graph, picture))
    result.require_equal()
    original = execute(graph, picture)
    outputs = image.unpack_output(executor.output())
    assert list(outputs) == list(graph.outputs)
    for name in graph.outputs:
        assert np.array_equal(outputs[name], original[name]), name
    assert result.compared >= sum(original[name].size for name in graph.outputs)
    return done, taps, result.compared


@pytest.mark.parametrize("config", CI_CONFIGS.values(), ids=CI_CONFIGS.keys())
@pytest.mark.parametrize("seeds", [range(12), range(12, 24)], ids=str)
def test_random_networks(config, seeds) -> None:
    compared = sum(run_checked(random_graph(seed, 14), config, seed)[2] for seed in seeds)
    assert compared > 5000


@pytest.mark.parametrize("motif", MOTIFS)
def test_every_motif_on_the_smallest_engine(motif: str) -> None:
    config = CI_CONFIGS["8x8x1"]
    compared = 0
    for seed in range(6):
        try:
            compared += run_checked(random_graph(seed, 10, motifs=(motif,)), config, seed)[2]
        except CompileError as error:
            assert "the weights of 16 outputs take" in error.message
            assert motif == "dense"
    assert compared > 500


def tight(config: EngineConfig, **values: int) -> EngineConfig:
    """The configuration with some sizes changed."""
    return EngineConfig(**{**config.model_dump(), **values})


@pytest.mark.parametrize("words", [256, 288, 320])
def test_stripes_in_a_tiny_feature_memory(words: int) -> None:
    config = tight(ULTRA96, fm_words=words, win_depth=64, wb_words=512, pb_words=64, lm_entries=64)
    striped = compared = 0
    for seed in range(14):
        graph = random_graph(100 + seed, 8, max_channels=24)
        try:
            done, _, count = run_checked(graph, config, seed)
        except CompileError as error:
            assert str(config.fm_words) in error.message or "window" in error.message
            continue
        compared += count
        striped += any(segment.stripes > 1 for segment in done.plan.segments)
    assert compared > 5000
    assert striped > 0


def test_codenet_fits_ultra96_and_is_exact() -> None:
    graph = random_codenet("b", size=128, seed=3)
    done, taps, compared = run_checked(graph, ULTRA96)
    assert compared > 1_000_000
    assert len(taps) > 50_000
    assert sum(i.opcode is Opcode.LDI for i in done.assembled.program) >= 1


@pytest.mark.parametrize("config", CI_CONFIGS.values(), ids=CI_CONFIGS.keys())
def test_the_digits_network(config: EngineConfig) -> None:
    assert run_checked(zoo.load("digits-w4a8"), config)[2] > 1000


def test_displacements_at_their_bounds() -> None:
    for low, high in ((-8, 8), (0, 0), (8, 8), (-7, 8)):
        build = RandomBuilder(np.random.default_rng(low + 20 * high), (3, 24, 20), (1, 2, 3))
        at = build.conv("stem", "image", 20, 3, stride=1, pad=1, weight_bits=8)
        at = build.deform("deform", at, (low, high))
        build.conv("head", at, 5)
        graph = build.graph("deform", ["head"], {})
        for config in CI_CONFIGS.values():
            assert run_checked(graph, config)[2] > 10_000


def test_upsampling_moves_behind_pointwise_work() -> None:
    graph = random_codenet("b", size=64, seed=1)
    rewritten = rewrite(graph)
    image = random_image((3, 64, 64), np.random.default_rng(0))
    before, after = execute(graph, image), execute(rewritten, image)
    for name in set(before) & set(after):
        assert np.array_equal(before[name], after[name]), name
    assert "hm.0.low" in after
    assert after["hm.0.low"].shape[1] * 2 == before["hm.0"].shape[1]
    assert sum(isinstance(node, Upsample) for node in rewritten.nodes) >= 3


def test_channel_moves_cost_no_instruction() -> None:
    """ShuffleNet stages read the ideal number of planes and never copy (colouring of byte lanes)."""
    done = compile_in_full(random_codenet("b", size=64), ULTRA96)
    reads = {}
    for step in done.plan.steps:
        op = step.feeder if step.feeder is not None else step.op
        reads[op.name] = len(done.plan.layout.planes_of(op.reads()))
        assert not op.output.name.endswith(".copy")
    for stage, ideal in ((1, 4), (2, 8), (3, 15)):
        for unit in (1, 2, 3):
            assert reads[f"layer{stage}.{unit}.b2.0"] == ideal
            blocks = done.plan.layout.blocks[next(op for op in done.plan.layout.ops if op.name == f"layer{stage}.{unit}.b2.5")]
            assert len(blocks) == ideal


def test_a_missing_dependency_is_found_in_a_network() -> None:
    graph = random_graph(4, 12)
    config = CI_CONFIGS["8x16x2"]
    image = compile_in_full(graph, config).image
    program = image.program()
    picture = random_image(graph.nodes[0].shape, np.random.default_rng(0))
    found = 0
    for at, i in enumerate(program):
        for name in DEPENDENCY_FIELDS.values():
            if i[name] == 0:
                continue
            less = [*program[:at], i.replace(**{name: i[name] - 1}), *program[at + 1 :]]
            with pytest.raises(SimulationError, match="without waiting for"):
                Executor(config, image.regions(image.pack_input(picture)), check=True).run(less)
            found += 1
    assert found > 20


def test_a_wrong_result_is_named() -> None:
    graph = random_graph(7, 10)
    config = CI_CONFIGS["16x16x2"]
    done, taps, _ = run_checked(graph, config)
    picture = random_image(graph.nodes[0].shape, np.random.default_rng(0))
    reference = execute(done.graph, picture)
    records = taps.records.copy()
    entry = done.image.trace.entries[0]
    lane = next(lane for lane, channel in enumerate(entry.channels) if channel >= 0)
    hit = (records["unit"] == entry.unit) & (records["seq"] == entry.seq) & (records["p"] == entry.first)
    records["data"][hit, lane] ^= 1
    result = done.image.trace.compare(TapTrace(records), reference)
    assert not result.equal
    assert sum(layer.differences for layer in result.layers) == 1
    with pytest.raises(EngineMismatch, match=rf"{entry.tensor}\[{entry.channels[lane]}, 0, 0\]"):
        result.require_equal()
    fewer = done.image.trace.compare(TapTrace(taps.records[:-1]), reference)
    assert not fewer.equal
    assert "elements reported" in (fewer.first_difference or "")
    assert not done.image.trace.compare(TapTrace(taps.records[:0]), reference).equal


def test_compilation_is_deterministic() -> None:
    graph = random_graph(11, 12)
    first, second = (compile_in_full(graph, ULTRA96).image for _ in range(2))
    assert first.tobytes() == second.tobytes()


def build_net(channels: int, size: int, kernel: int = 3, image: int = 3) -> Graph:
    """Stem and one dense layer."""
    build = RandomBuilder(np.random.default_rng(0), (image, size, size), [0] * image)
    at = build.conv("stem", "image", channels, 1, weight_bits=8)
    build.conv("wide", at, 16, kernel, pad=kernel // 2, weight_bits=8)
    return build.graph("net", ["wide"], {})


@pytest.mark.parametrize(
    ("graph", "config", "message"),
    [
        (build_net(64, 8), tight(ULTRA96, wb_words=512), "wide: the weights of 16 outputs take 576 words"),
        (build_net(16, 200), tight(ULTRA96, row_bytes=512), "image image: a row of 200 pixels takes 800 bytes"),
        (build_net(16, 4, image=4), ULTRA96, "image image: 4 channels"),
        (build_net(200, 40), tight(ULTRA96, fm_words=256), r"(stem|wide): \d+ words of feature memory are needed, \d+ of 256 are free"),
    ],
)
def test_what_does_not_fit_is_refused(graph: Graph, config: EngineConfig, message: str) -> None:
    with pytest.raises(CompileError, match=message):
        compile_in_full(graph, config)


def test_the_output_region_is_written_whole() -> None:
    graph = random_graph(21, 10)
    config = CI_CONFIGS["16x8x1"]
    image = compile_in_full(graph, config).image
    picture = random_image(graph.nodes[0].shape, np.random.default_rng(0))
    executor = Executor(config, image.regions(image.pack_input(picture)))
    executor.run_image(image.manifest.program_offset, image.manifest.program_count)
    assert executor.memories.dram_known[BaseSelect.OUTPUT].any(axis=1).all()
