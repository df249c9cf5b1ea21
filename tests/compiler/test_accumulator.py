"""The compiler's bound on sums: 27 signed bits to the last unit, from the values that can come and not from those that did."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext

import numpy as np
import pytest

from hao.compiler.content import check_accumulator, dense_content, dw_content
from hao.compiler.layout import Layout, natural_blocks
from hao.compiler.ops import DenseOp, DwOp, Scaling, Value
from hao.engine.config import CI_CONFIGS
from hao.engine.isa import LANES, DwMode
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


@pytest.mark.parametrize("channels", [1, 16, 17, 40])
def test_one_channel_of_any_block_is_refused(channels: int) -> None:
    """When the content of the blocks is made, whatever their number; a layer within its bound is not refused."""
    for dense_layer in (True, False):
        for wrong in {None, 0, channels - 1}:
            bias = np.zeros(channels, np.int64)
            if wrong is not None:
                bias[wrong] = MOST
            source = Value("in", channels, 3, 3, False, 0, 255)
            inputs = tuple((source, channel) for channel in range(channels))
            output = Value("out", channels, 3, 3, False, 0, 255)
            layout = Layout([])
            plane = layout.new_plane(source)
            for channel, ref in enumerate(inputs[:LANES]):
                layout.put(ref, plane, channel)
            op: DenseOp | DwOp
            if dense_layer:
                op = DenseOp("op", output, inputs[:1], np.ones((channels, 1, 1, 1), np.int64), 4, Scaling(bias, bias, bias, 0, 255))
            else:
                op = DwOp("op", output, inputs, DwMode.MAC, np.ones((channels, 9), np.int64), Scaling(bias, bias, bias, 0, 255), 3, 3)
            layout.blocks[op] = natural_blocks(channels)
            refused = pytest.raises(CompileError, match="its accumulator reaches") if wrong is not None else nullcontext()
            with refused:
                for number in range(len(layout.blocks[op])):
                    if isinstance(op, DenseOp):
                        dense_content(layout, op, number, CI_CONFIGS["8x8x1"])
                    else:
                        dw_content(layout, op, number)
