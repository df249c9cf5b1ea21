"""The compiler's bound on sums: 27 signed bits to the last unit, from the values that can come and not from those that did."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from hao.compiler.content import check_accumulator
from hao.compiler.ops import DenseOp, DwOp, Scaling, Value
from hao.engine.isa import DwMode
from hao.errors import CompileError

MOST, LEAST = (1 << 26) - 1, -(1 << 26)


def scaling(bias: int, channels: int = 1) -> Scaling:
    ones = np.ones(channels, np.int64)
    return Scaling(ones * bias, ones, ones, 0, 255)


def dense(weights: Sequence[int], low: int, high: int, bias: int) -> DenseOp:
    source = Value("in", len(weights), 1, 1, low < 0, low, high)
    inputs = tuple((source, channel) for channel in range(len(weights)))
    return DenseOp("op", Value("out", 1, 1, 1, False, 0, 255), inputs, np.array(weights)[None, :, None, None], 8, scaling(bias))


def summed(rows: int, columns: int, bias: int) -> DwOp:
    source = Value("in", 1, rows, columns, False, 0, 255)
    taps = np.eye(9, dtype=np.int64)[None, 4]
    return DwOp("op", Value("out", 1, 1, 1, False, 0, 255), ((source, 0),), DwMode.SUM, taps, scaling(bias), rows, columns)


# weights, range of the inputs, and the largest and the smallest sum that they can give
BOUNDS = {
    "unsigned": ([100, -20], 0, 255, 25_500, -5_100),
    "signed": ([100, -20], -128, 127, 12_700 + 2_560, -12_800 - 2_540),
    "never below 3": ([5], 3, 10, 50, 0),
    "never below 3, negative weight": ([-5], 3, 10, 0, -50),
    "never above -3": ([5], -10, -3, 0, -50),
    "never above -3, negative weight": ([-5], -10, -3, 50, 0),
    "the sum of all inputs alone": ([8191], 0, 8193, MOST, 0),
    "the least sum alone": ([-(1 << 13)], 0, 1 << 13, 0, LEAST),
}


@pytest.mark.parametrize("name", BOUNDS)
def test_sums_may_reach_the_bound_and_no_unit_more(name: str) -> None:
    """Zero belongs to every range: padding and tiles that are not there add none."""
    weights, low, high, most, least = BOUNDS[name]
    for bias, wrong, reached in ((MOST - most, MOST - most + 1, MOST + 1), (LEAST - least, LEAST - least - 1, 1 - LEAST)):
        check_accumulator(dense(weights, low, high, bias))
        with pytest.raises(CompileError, match=f"reaches {reached}\\b"):
            check_accumulator(dense(weights, low, high, wrong))


def test_sums_without_the_bias_are_bounded_too() -> None:
    """The engine adds the bias last: a negative one does not make room."""
    with pytest.raises(CompileError, match=f"reaches {8192 * 8193}"):
        check_accumulator(dense([8192, 0], 0, 8193, -5_000_000))
    check_accumulator(dense([8191], 0, 8193, -1))


def test_pools_add_every_pixel() -> None:
    rows, columns = 257, 1024
    assert rows * columns * 255 <= MOST
    check_accumulator(summed(rows, columns, MOST - rows * columns * 255))
    with pytest.raises(CompileError):
        check_accumulator(summed(rows, columns, MOST - rows * columns * 255 + 1))
    with pytest.raises(CompileError):
        check_accumulator(summed(rows, columns + 3, 0))
