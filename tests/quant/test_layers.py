"""Quantization of one tensor: roundings, clips, gradients, ranges."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hao.frontend.float_graph import FloatGraph, FloatNode
from hao.quant.layers import BIAS_LIMIT, Surroundings, best_clip, fake_quantize, integers, round_half_up
from hao.quant.ranges import ActivationRange, make_ranges, non_negative, shared_ranges


def test_rounding_is_half_up() -> None:
    x = torch.tensor([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5])
    assert round_half_up(x).tolist() == [-2, -1, 0, 1, 2, 3]
    assert torch.round(x).tolist() != round_half_up(x).tolist()


def test_fake_quantization_gives_steps_and_passes_gradients_inside() -> None:
    x = torch.tensor([-3.0, 0.12, 0.13, 30.0], requires_grad=True)
    y = fake_quantize(x, torch.tensor(0.25), 0, 100)
    y.sum().backward()
    assert y.tolist() == [0.0, 0.0, 0.25, 25.0]
    assert x.grad is not None and x.grad.tolist() == [0.0, 1.0, 1.0, 0.0]


@pytest.mark.parametrize("bits", range(2, 9))
def test_weights_use_the_whole_narrow_range_and_err_half_a_step(bits: int) -> None:
    weight = torch.randn(6, 5, 3, 3, dtype=torch.float64)
    around = Surroundings(torch.tensor(0.02, dtype=torch.float64), torch.tensor(0.05, dtype=torch.float64), 255.0)
    found = integers(weight, torch.zeros(6, dtype=torch.float64), bits, torch.ones(6, dtype=torch.float64), around)
    largest = (1 << (bits - 1)) - 1
    assert found.weight.abs().flatten(1).amax(1).tolist() == [largest] * 6
    error = (found.weight * found.scale[:, None, None, None] - weight).abs().flatten(1).amax(1)
    assert bool((error <= found.scale * 0.5000001).all())


def test_a_large_bias_raises_the_scale_instead_of_overflowing() -> None:
    weight, bias = torch.full((1, 4, 1, 1), 1e-9), torch.tensor([50.0])
    around = Surroundings(torch.tensor(0.01), torch.tensor(0.1), 255.0)
    found = integers(weight, bias, 4, torch.ones(1), around)
    assert 0.9 * BIAS_LIMIT < float(found.bias) <= BIAS_LIMIT
    assert float(found.bias * found.scale * 0.01) == pytest.approx(50.0, rel=1e-6)


def test_products_that_overflow_raise_the_scale() -> None:
    weight = torch.ones(1, 4096, 7, 7)
    found = integers(weight, torch.zeros(1), 8, torch.ones(1), Surroundings(torch.tensor(0.01), torch.tensor(9.0), 255.0))
    assert float(found.weight.abs().sum()) * 255 < 1 << 26


def test_clipping_lowers_the_squared_error_of_few_bits() -> None:
    weight = torch.randn(8, 64, 3, 3)
    ratio = best_clip(weight, 4)
    assert bool((ratio <= 1).all()) and float(ratio.mean()) < 0.95

    def error(share: torch.Tensor) -> torch.Tensor:
        step = (weight.abs().flatten(1).amax(1) * share / 7)[:, None, None, None]
        return ((weight / step + 0.5).floor().clamp(-7, 7) * step - weight).square().sum()

    assert error(ratio) < error(torch.ones(8))
    assert best_clip(torch.zeros(2, 3, 1, 1), 4).tolist() == [1.0, 1.0]


def test_range_covers_in_calibration_and_averages_in_training() -> None:
    kept = ActivationRange(8, signed=True)
    for values in ([-1.0, 2.0], [-4.0, 1.0]):
        kept.watch(torch.tensor(values), 100.0)
        kept.commit(None)
    assert (float(kept.low), float(kept.high)) == (-4.0, 2.0)
    assert float(kept.scale) == pytest.approx(4 / 127)
    kept.watch(torch.tensor([-8.0, 0.0]), 100.0)
    kept.watch(torch.tensor([-2.0, 6.0]), 100.0)
    kept.commit(0.75)
    assert (float(kept.low), float(kept.high)) == (-5.0, 3.0)
    unsigned = ActivationRange(4, signed=False)
    unsigned.watch(torch.arange(1001.0), 99.0)
    unsigned.commit(None)
    assert float(unsigned.high) == 990.0 and float(unsigned.scale) == pytest.approx(66.0)


def _node(name: str, kind: str, inputs: tuple[str, ...], clip: tuple[float, float] | None = None) -> FloatNode:
    return FloatNode(name, kind, inputs, (4, 8, 8), clip=clip)  # type: ignore[arg-type]


def test_tensors_that_meet_share_a_range_and_others_do_not() -> None:
    relu = (0.0, np.inf)
    nodes = (
        _node("image", "input", ()),
        _node("a", "conv", ("image",), relu),
        _node("pool", "maxpool", ("a",)),
        _node("b", "conv", ("pool",), relu),
        _node("left", "slice", ("pool",)),
        _node("linear", "conv", ("left",)),
        _node("cat", "concat", ("left", "b")),
        _node("up", "upsample", ("linear",)),
        _node("sum", "add", ("cat", "up")),
        _node("mean", "avgpool", ("cat",)),
    )
    graph = FloatGraph("g", nodes, ("sum", "mean"), False, (0,), (1.0,))
    groups = shared_ranges(graph)
    assert {name for name, root in groups.items() if root == "a"} == {"a", "pool", "b", "left", "cat"}
    assert groups["up"] == groups["linear"] == "linear"
    assert groups["sum"] == "sum" and groups["mean"] == "mean" and groups["image"] == "image"
    assert non_negative(graph) == {"a", "pool", "b", "left", "cat", "mean"}
    ranges, keys = make_ranges(graph, 8)
    assert len(ranges) == 5
    assert not ranges[keys["cat"]].signed and ranges[keys["up"]].signed and ranges[keys["sum"]].signed
