"""Compiled networks on the HLS kernel: every tensor of the rewritten graph by taps, every output from DRAM, all counted."""

from __future__ import annotations

import numpy as np
import pytest

from hao.compiler.compile import compile_graph
from hao.compiler.rewrite import rewrite
from hao.engine.config import CI_CONFIGS, EngineConfig
from hao.ir.reference import execute
from hao.models.integer_codenet import random_codenet
from hao.runtime.csim import CsimEngine
from hao.runtime.csim_build import Arithmetic
from hao.runtime.verdict import Verdict, judge, program_of

SECONDS_EXACT, SECONDS_NATIVE = 30.0, 5.0
"""Bounds of the wall-clock time for a frame of 288 million multiply-accumulates."""


def run(config: EngineConfig, arithmetic: Arithmetic, size: int, seed: int) -> tuple[Verdict, float]:
    graph = random_codenet("b", size=size, seed=seed, d_range=(-7, 8))
    image = compile_graph(graph, config)
    pixels = np.random.default_rng(seed).integers(0, 256, (3, size, size)).astype(np.uint8)
    result = CsimEngine(config, arithmetic).run(program_of(image), image.pack_input(pixels))
    return judge("csim", image, result, execute(rewrite(graph), pixels)), result.seconds


@pytest.mark.parametrize("arithmetic", list(Arithmetic))
@pytest.mark.parametrize("name", CI_CONFIGS)
def test_small_codenet(name: str, arithmetic: Arithmetic) -> None:
    verdict, _ = run(CI_CONFIGS[name], arithmetic, 32 if name == "8x8x1" else 64, seed=3)
    verdict.require_equal()
    assert verdict.compared > 50_000


@pytest.mark.nightly
@pytest.mark.parametrize(("arithmetic", "limit"), [(Arithmetic.EXACT, SECONDS_EXACT), (Arithmetic.NATIVE, SECONDS_NATIVE)])
def test_codenet_frame(arithmetic: Arithmetic, limit: float) -> None:
    verdict, seconds = run(CI_CONFIGS["16x16x2"], arithmetic, 256, seed=0)
    verdict.require_equal()
    assert verdict.compared > 4_000_000
    assert seconds < limit
