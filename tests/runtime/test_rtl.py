"""The RTL behind the simulated board: whole networks, all configurations, with random stalls, every value counted."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from hao.boards import load_board
from hao.compiler.compile import compile_graph, compile_in_full
from hao.engine.config import CI_CONFIGS, ULTRA96
from hao.errors import CompileError, ConfigurationMismatch, EngineMismatch
from hao.ir.random_graph import random_graph
from hao.ir.reference import execute
from hao.models import zoo
from hao.models.integer_codenet import random_codenet
from hao.runtime.rtl import RtlEngine, plan_engine
from hao.runtime.timing import DramTiming
from hao.runtime.verdict import Verdict, judge, program_of, tensor_times
from hao.runtime.verilated import build_model

BOARD = load_board("ultra96v2")
STALLS = (0, 40, 160)
SEEDED = ("round[15 + 4*code]", "round[14 + 4*code]")
"""A rounding constant of half its size, in the requantization lanes."""


def engine(name: str, stall: int = 0, seed: int = 1) -> RtlEngine:
    return RtlEngine(CI_CONFIGS[name], DramTiming.of_board(BOARD, stall, seed), timeout_cycles=5_000_000)


def run_network(name: str, seed: int, stall: int) -> Verdict | None:
    """A random network on random data; None where it does not fit the configuration."""
    try:
        made = compile_in_full(random_graph(seed), CI_CONFIGS[name])
    except CompileError:
        return None
    form = made.image.manifest.input
    pixels = np.random.default_rng(seed).integers(0, 256, (form.channels, form.height, form.width), dtype=np.uint8)
    result = engine(name, stall, seed + 1).run(program_of(made.image), made.image.pack_input(pixels))
    return judge("rtl", made.image, result, execute(made.graph, pixels))


@pytest.mark.parametrize("stall", STALLS)
@pytest.mark.parametrize("name", CI_CONFIGS)
def test_random_networks(name: str, stall: int) -> None:
    verdicts = [run_network(name, seed, stall) for seed in range(10 * stall, 10 * stall + 8)]
    fitting = [verdict for verdict in verdicts if verdict is not None]
    assert len(fitting) >= 4
    for verdict in fitting:
        verdict.require_equal()
    assert sum(verdict.compared for verdict in fitting) > 5000


def test_stalls_change_the_cycles_and_nothing_else() -> None:
    image = compile_graph(zoo.load("digits-w4a8"), ULTRA96)
    frame = image.pack_input(zoo.samples("digits-w4a8")[0][0])
    results = [engine("16x16x2", stall, seed).run(program_of(image), frame) for stall, seed in ((0, 1), (0, 2), (100, 1), (100, 2))]
    assert len({result.output for result in results}) == 1
    assert all(results[0].taps.difference(result.taps) is None for result in results)
    assert results[0].cycles == results[1].cycles
    assert len({result.cycles for result in results}) == 3


def test_digits_are_read_right() -> None:
    image = compile_graph(zoo.load("digits-w4a8"), ULTRA96)
    images, labels = zoo.samples("digits-w4a8")
    rtl = engine("16x16x2")
    found = [image.unpack_output(rtl.run(program_of(image), image.pack_input(each)).output)["linear"].argmax() for each in images[:30]]
    assert (np.array(found) == labels[:30]).sum() >= 28


def test_frames_one_after_another_are_equal_and_timed_alike() -> None:
    image = compile_graph(zoo.load("digits-w4a8"), ULTRA96)
    frame = image.pack_input(zoo.samples("digits-w4a8")[0][3])
    once, thrice = (engine("16x16x2").run(program_of(image), frame, frames=frames) for frames in (1, 3))
    assert once.output == thrice.output
    assert once.taps.difference(thrice.taps) is None
    assert once.cycles is not None
    assert thrice.cycles is not None
    assert abs(once.cycles - thrice.cycles) < 200  # another place in the refresh interval


def test_a_whole_frame_of_codenet() -> None:
    graph = random_codenet("b", seed=5, d_range=(-7, 8))
    made = compile_in_full(graph, ULTRA96)
    pixels = np.random.default_rng(5).integers(0, 256, (3, 256, 256), dtype=np.uint8)
    result = engine("16x16x2").run(program_of(made.image), made.image.pack_input(pixels))
    verdict = judge("rtl", made.image, result, execute(made.graph, pixels))
    verdict.require_equal()
    assert verdict.compared > 4_000_000
    assert result.cycles is not None
    assert result.cycles <= 1_200_000
    times = tensor_times(made.image.trace, result)
    assert set(times) == set(made.image.trace.names())
    assert all(0 < time.first <= time.last < result.cycles for time in times.values())


def test_an_image_for_another_configuration_is_refused() -> None:
    image = compile_graph(zoo.load("digits-w4a8"), CI_CONFIGS["8x16x2"])
    with pytest.raises(ConfigurationMismatch, match="the engine on rtl is"):
        engine("16x16x2").run(program_of(image), bytes(image.manifest.input.size))


def test_a_fault_seeded_into_the_rtl_is_found() -> None:
    plan = plan_engine(CI_CONFIGS["8x8x1"])
    text = plan.files["rtl/hao_requant.sv"].decode()
    old = SEEDED[0]
    assert text.count(old) == 1
    files = {**plan.files, "rtl/hao_requant.sv": text.replace(*SEEDED).encode()}
    faulty = RtlEngine.__new__(RtlEngine)
    faulty.config, faulty.timing, faulty._timeout = CI_CONFIGS["8x8x1"], DramTiming.of_board(BOARD), 1_000_000
    faulty._library = build_model(dataclasses.replace(plan, files=files))
    made = compile_in_full(zoo.load("digits-w4a8"), CI_CONFIGS["8x8x1"])
    pixels = zoo.samples("digits-w4a8")[0][0]
    result = faulty.run(program_of(made.image), made.image.pack_input(pixels))
    with pytest.raises(EngineMismatch, match=r"rtl differs from the reference: \S+\["):
        judge("rtl", made.image, result, execute(made.graph, pixels)).require_equal()
