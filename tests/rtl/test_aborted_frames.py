"""Frames that end before their time leave nothing behind: see `hao.fuzz.aborts`."""

from __future__ import annotations

from pathlib import Path

import pytest

from hao.codegen.rtl import PACKAGE_FILE, render_package, rtl_sources
from hao.compiler.random_program import random_program
from hao.engine.config import CI_CONFIGS
from hao.fuzz.aborts import Abort, AbortReport, Quiet, abort_frames
from hao.mutation.engine_jury import ENDED, ENDS, quiet_programs
from hao.runtime.rtl import plan_engine
from hao.runtime.verilated import build_model, plan_model


def run(config: str, ends: int, *, programs: int = 3, seed: int = 1, library: Path | None = None) -> AbortReport:
    drawn = [Quiet.of(random_program(9000 + seed * 100 + k, CI_CONFIGS[config], 16)) for k in range(programs)]
    return abort_frames(library or build_model(plan_engine(CI_CONFIGS[config])), drawn, ends, seed)


@pytest.mark.parametrize("config", sorted(CI_CONFIGS))
def test_the_next_frame_is_as_if_nothing_had_been(config: str) -> None:
    """Those that `hao mutate` judges faults by."""
    report = abort_frames(build_model(plan_engine(CI_CONFIGS[config])), quiet_programs(config), ENDS, 1)
    assert report.passed, report.problems[:3]
    assert set(report.aborted) == {kind.value for kind in Abort} and sum(report.aborted.values()) == ENDED * ENDS
    assert report.compared > 50_000


@pytest.mark.nightly
@pytest.mark.parametrize("config", sorted(CI_CONFIGS))
def test_many_ends(config: str) -> None:
    report = run(config, 50, programs=12, seed=2)
    assert report.passed, report.problems[:3]


@pytest.mark.nightly
def test_a_wrong_clear_is_seen() -> None:
    """A register that a clear leaves at another value is seen by the frame behind it."""
    module, text, wrong = "hao_dense", "else if (clear_i)        count_q <= '0;", "else if (clear_i)        count_q <= '1;"
    config, sources = CI_CONFIGS["8x8x1"], {f"rtl/{PACKAGE_FILE}": render_package().encode()}
    for path in rtl_sources():
        sound = path.read_text(encoding="utf-8")
        assert path.stem != module or sound.count(text) == 1
        sources[f"rtl/{path.name}"] = (sound.replace(text, wrong) if path.stem == module else sound).encode()
    report = run("8x8x1", 20, library=build_model(plan_model(sources, config.parameters(), config.digest64())))
    assert not report.passed
