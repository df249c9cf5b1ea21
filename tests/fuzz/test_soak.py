"""Frames back to back through the driver with faults at random: see `hao.fuzz.soak`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hao.boards import load_board
from hao.codegen.rtl import PACKAGE_FILE, render_package, rtl_sources
from hao.compiler.compile import compile_graph
from hao.engine.config import CI_CONFIGS
from hao.errors import SimulationError
from hao.fuzz.soak import EXPECTED, Sabotage, Saboteur, SoakReport, Work, soak
from hao.ir.graph import Graph
from hao.ir.random_graph import random_graph, random_image
from hao.runtime.rtl import plan_engine
from hao.runtime.timing import DramTiming
from hao.runtime.verilated import build_model, plan_model

NETWORK = random_graph(12, 8, max_size=12, max_channels=24)
SOMETIMES_HARMLESS = {Sabotage.READ_SHORT.value}
"""A program that does not read the last rows of its picture meets no fault there."""


def run(
    graph: Graph,
    config: str,
    frames: int,
    *,
    seed: int,
    memory: int,
    longest: int,
    pictures: int = 5,
    stall: int = 30,
    library: Path | None = None,
) -> SoakReport:
    image, rng = compile_graph(graph, CI_CONFIGS[config]), np.random.default_rng(seed)
    work = [Work.of(image, graph, random_image(graph.nodes[0].shape, rng)) for _ in range(pictures)]  # type: ignore[attr-defined]
    timing = DramTiming.of_board(load_board("ultra96v2"), stall, seed)
    with Saboteur(library or build_model(plan_engine(CI_CONFIGS[config])), timing, memory) as board:
        board.rng, board.memory_bytes, board.longest = rng, memory, longest
        # a reset raises no interrupt, so it is noticed when the wait ends: short, where frames are
        return soak(board, image, work, frames, timeout_cycles=50 * longest)


def judge(report: SoakReport, frames: int) -> None:
    assert report.passed, (report.unexpected[:3], report)
    assert report.frames == frames and report.wrong == 0
    assert set(report.harmless) <= SOMETIMES_HARMLESS, report.harmless
    assert sum(report.injected.values()) == report.lost + sum(report.harmless.values())
    assert report.right >= frames // 2


def test_every_fault_is_reported_and_the_next_frame_is_right() -> None:
    report = run(NETWORK, "8x8x1", 60, seed=3, memory=1 << 22, longest=3000)
    judge(report, 60)
    assert len(report.reported) >= 5, report.reported


@pytest.mark.nightly
def test_a_thousand_frames() -> None:
    report = run(NETWORK, "8x8x1", 1000, seed=4, memory=1 << 22, longest=3000)
    judge(report, 1000)
    assert set(report.injected) == {kind.value for kind in EXPECTED}


@pytest.mark.nightly
def test_fifty_frames_of_codenet() -> None:
    from hao.models.integer_codenet import random_codenet

    graph = random_codenet("b", seed=1)
    report = run(graph, "16x16x2", 50, seed=5, memory=1 << 24, longest=500_000, pictures=2, stall=0)
    judge(report, 50)
    assert report.lost == sum(report.reported.values()) > 0 and report.compared > report.right


def test_a_wrong_frame_is_seen() -> None:
    """The soak compares: with the reference of another picture every frame is wrong."""
    image, rng = compile_graph(NETWORK, CI_CONFIGS["8x8x1"]), np.random.default_rng(1)
    first, second = (Work.of(image, NETWORK, random_image(NETWORK.nodes[0].shape, rng)) for _ in range(2))  # type: ignore[attr-defined]
    timing = DramTiming.of_board(load_board("ultra96v2"))
    with Saboteur(build_model(plan_engine(CI_CONFIGS["8x8x1"])), timing, 1 << 22) as board:
        board.rng, board.memory_bytes = rng, 1 << 22
        report = soak(board, image, [Work(first.frame, second.wanted)], 2, chance=0)
    assert report.wrong == 2 and not report.passed


@pytest.mark.nightly
@pytest.mark.parametrize("response", ["rresp", "bresp"])
def test_an_engine_that_sees_only_decode_errors_is_found(response: str) -> None:
    """SLVERR differs from DECERR in one bit: an engine that looks at the other one is not good enough."""
    config, faulty, changed = CI_CONFIGS["8x8x1"], {f"rtl/{PACKAGE_FILE}": render_package().encode()}, 0
    for path in rtl_sources():
        text = path.read_text(encoding="utf-8")
        wrong = text.replace(f"valid && m_axi_{response}[1]", f"valid && m_axi_{response}[0]")
        changed += wrong != text
        faulty[f"rtl/{path.name}"] = wrong.encode()
    assert changed == 1
    library = build_model(plan_model(faulty, config.parameters(), config.digest64()))
    try:
        report = run(NETWORK, "8x8x1", 200, seed=4, memory=1 << 22, longest=3000, library=library)
    except SimulationError as error:  # the noise that it took for data can break an assertion
        assert "Assertion failed" in error.message
        return
    assert not report.passed
    kind = Sabotage.READ_REFUSED if response == "rresp" else Sabotage.WRITE_REFUSED
    assert report.reported[kind.value] < report.injected[kind.value]
    away = Sabotage.READ_AWAY if response == "rresp" else Sabotage.WRITE_AWAY
    assert report.reported[away.value] == report.injected[away.value]
