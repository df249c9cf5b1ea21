"""What the tests of the driver share: a small engine, the digits network compiled for it, and the reference's answers."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from hao.boards import load_board
from hao.compiler.compile import compile_in_full
from hao.engine.config import CI_CONFIGS
from hao.engine.image import ProgramImage
from hao.ir.reference import execute
from hao.models import zoo
from hao.runtime.rtl import plan_engine
from hao.runtime.simulated import SimulatedBoard
from hao.runtime.timing import DramTiming
from hao.runtime.verilated import build_model

SMALL = "8x8x1"
DIGITS = "digits-w4a8"


@functools.cache
def small_engine() -> Path:
    """The library of the small engine."""
    return build_model(plan_engine(CI_CONFIGS[SMALL]))


@functools.cache
def digits() -> ProgramImage:
    """The digits network for it."""
    return compile_in_full(zoo.load(DIGITS), CI_CONFIGS[SMALL]).image


def pictures(count: int) -> list[np.ndarray]:
    """Digits, ``(1, 8, 8)``."""
    return [np.asarray(each) for each in zoo.samples(DIGITS)[0][:count]]


@functools.cache
def _reference(index: int) -> dict[str, np.ndarray]:
    graph = compile_in_full(zoo.load(DIGITS), CI_CONFIGS[SMALL]).graph
    tensors = execute(graph, pictures(index + 1)[index])
    return {name: tensors[name] for name in graph.outputs}


def differing(outputs: dict[str, np.ndarray], index: int) -> int:
    """How many values differ from the reference's for digit ``index``; all of them must be there."""
    expected = _reference(index)
    assert set(outputs) == set(expected)
    assert all(outputs[name].size == tensor.size > 0 for name, tensor in expected.items())
    return sum(int((outputs[name] != tensor.reshape(outputs[name].shape)).sum()) for name, tensor in expected.items())


@pytest.fixture
def simulated() -> Iterator[SimulatedBoard]:
    """A fresh simulated board with the small engine, its memory stalled at random."""
    with SimulatedBoard(small_engine(), DramTiming.of_board(load_board("ultra96v2"), 30, 3), 1 << 22) as made:
        yield made
