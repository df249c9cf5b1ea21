"""Perturbations, sensitivities, orders, ranges of least error, noise reports, distilled images."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from hao.errors import DataError, QuantizationError
from hao.frontend.torch_import import from_torch
from hao.quant.calibrate import calibrate
from hao.quant.config import QuantConfig
from hao.quant.distill import Distilling, distance, distilled_images
from hao.quant.export import to_integer
from hao.quant.folded import FoldedNetwork, cross_entropy, macs
from hao.quant.hessian import Eigenvalue, Trace
from hao.quant.model import QuantModel
from hao.quant.ranges import ActivationRange
from hao.quant.sensitivity import (
    MENU,
    ORDERS,
    control,
    costs,
    kl_sensitivities,
    loss_increases,
    omega,
    precision_order,
    reverse,
    rounded,
    squared_errors,
    tuning_order,
)
from hao.quant.sqnr import decibels, sqnr
from tests.quant.networks import MEANS, images, network

torch.set_num_threads(1)


def spark() -> tuple[nn.Module, FoldedNetwork]:
    source = network("spark")
    return source, FoldedNetwork(source, from_torch(source, images("spark", 1)))


def test_perturbation_is_average_trace_times_squared_error() -> None:
    _, folded = spark()
    errors = squared_errors(folded)
    name = "widen.0"
    weight = folded.weights[name]
    assert errors[name][3] == pytest.approx(float((rounded(weight, 3) - weight).square().sum()), rel=1e-5)
    assert all(errors[each][2] > errors[each][3] > errors[each][4] > errors[each][8] > 0 for each in errors)
    assert all(squared_errors(folded, clip=False)[each][2] >= errors[each][2] for each in errors)
    rows = [Trace(each, folded.weights[each].numel(), 100.0 - 60 * k, 1.0, 50, True) for k, each in enumerate(errors)]
    found = omega(rows, errors)
    assert found["stem.0"][2] == pytest.approx(100 / 144 * errors["stem.0"][2])
    assert found["linear"] == dict.fromkeys(MENU, 0.0)
    tops = [Eigenvalue(each, 10 * (k + 1), 5.0 + k, 0.0, 3, True) for k, each in enumerate(errors)]
    assert precision_order(tops) == list(errors)
    harm = {each: (5.0 + k) * errors[each][4] for k, each in enumerate(errors)}
    assert tuning_order(tops, errors, dict.fromkeys(errors, 4)) == sorted(harm, key=lambda each: -harm[each])


@pytest.mark.parametrize("bits", range(2, 9))
def test_rounding_is_that_of_calibration(bits: int) -> None:
    source, folded = spark()
    model = QuantModel(copy.deepcopy(source), folded.graph, QuantConfig(weight_bits=bits, edge_bits=bits))
    calibrate(model, [images("spark", 16, 3)])
    compared = 0
    for node in model.graph.nodes:
        if node.name in model.bits and node.name != "deform.conv_scale":
            found = model.integers_of(node)
            torch.testing.assert_close(
                found.weight * found.scale[:, None, None, None], rounded(folded.weights[node.name], bits), rtol=1e-3, atol=1e-6
            )
            compared += found.weight.numel()
    assert compared > 2000


def test_measured_sensitivities_round_one_layer_alone() -> None:
    _, folded = spark()
    x = images("spark", 12, 5)
    y = folded(x).flatten(1).argmax(1)  # type: ignore[union-attr]
    batches = [(x[:8], y[:8]), (x[8:], y[8:])]
    found = loss_increases(folded, batches, cross_entropy, (2, 8))
    replaced = {"widen.0": rounded(folded.weights["widen.0"], 2)}
    with torch.no_grad():
        wanted = float(cross_entropy(folded(x, replaced), y) - cross_entropy(folded(x), y))
        p, q = (torch.log_softmax(value.flatten(1).double(), 1) for value in (folded(x), folded(x, replaced)))  # type: ignore[union-attr]
    assert found["widen.0"][2] == pytest.approx(wanted, rel=1e-3, abs=1e-6)
    told: list[tuple[str, int, int]] = []
    kl = kl_sensitivities(folded, [x[:8], x[8:]], (2, 8), lambda *row: told.append(row))
    assert told == [("divergences", k + 1, 2 * len(kl)) for k in range(2 * len(kl))]
    assert kl["widen.0"][2] == pytest.approx(float(nn.functional.kl_div(q, p, log_target=True, reduction="batchmean")), rel=1e-3)
    assert all(row[2] >= row[8] >= -1e-12 for row in kl.values()) and sum(row[2] > 10 * row[8] for row in kl.values()) >= 6


def test_controls_and_costs() -> None:
    _, folded = spark()
    errors = squared_errors(folded)
    tables = {kind: control(folded, errors, kind, 3) for kind in ORDERS}
    assert tables["random"] == control(folded, errors, "random", 3) != control(folded, errors, "random", 4)
    assert tables["parameters"]["linear"][2] == pytest.approx(errors["linear"][2] / 480)
    turned = reverse(tables["parameters"])
    order, backward = (sorted(table, key=lambda name: table[name][2]) for table in (tables["parameters"], turned))
    assert order == backward[::-1]
    with pytest.raises(QuantizationError, match="'alphabet'"):
        control(folded, errors, "alphabet")
    found, work = costs(folded), macs(folded.graph)
    assert work["stem.0"] == 16 * 64 * 9 and work["linear"] == 480 and work["separable.0"] == 16 * 64 * 9
    assert found.size["widen.0"][3] == 3 * 24 * 48 and found.bops["stem.0"][4] == 4 * 8 * work["stem.0"]
    for menu in ((), (1, 4), (4, 9)):
        with pytest.raises(QuantizationError, match="in the menu"):
            costs(folded, menu)


def test_ranges_of_least_error_clip_outliers() -> None:
    kept = ActivationRange(4, signed=False)
    kept.keeping = True
    values = torch.cat([torch.rand(4000), torch.tensor([9.0])])
    kept.watch(values, 100.0)
    kept.commit(None)

    def error() -> float:
        steps = torch.clamp(torch.floor(values / kept.scale + 0.5), 0, 15)
        return float((steps * kept.scale - values).square().mean())

    before = error()
    kept.fit()
    assert error() < 0.5 * before and 1.0 < float(kept.high) < 4.0
    _, folded = spark()
    ranges = {}
    for kind, percentile in (("max", 100.0), ("max", 99.0), ("mse", 100.0)):
        model = QuantModel(network("spark"), folded.graph, QuantConfig(activation_bits=4, activation_range=kind, percentile=percentile))  # type: ignore[arg-type]
        calibrate(model, [images("spark", 16, 3)])
        to_integer(model)
        ranges[kind, percentile] = float(model.range("stem.0").high)
    assert ranges["mse", 100.0] < ranges["max", 100.0] and ranges["max", 99.0] < ranges["max", 100.0]


def test_noise_report() -> None:
    _, folded = spark()
    x = images("spark", 16, 3)
    reports = {}
    for bits in (2, 4, 8):
        model = calibrate(QuantModel(network("spark"), folded.graph, QuantConfig(weight_bits=bits)), [x])
        reports[bits] = {row.name: row for row in sqnr(model, images("spark", 16, 8))}
        assert not model.range("stem.0")._seen and model.observing
    rows = reports[4]
    assert rows["stem.0"].weight_bits == 8 and rows["widen.0"].weight_bits == 4 and rows["add"].weight_bits == 0
    assert rows["add"].weights == float("inf")
    for name in ("separable.0", "widen.0", "deform.conv_channel"):
        assert reports[2][name].weights < reports[4][name].weights < reports[8][name].weights
        assert reports[2][name].own < reports[8][name].own
    assert rows["linear"].total < rows["linear"].own
    assert decibels(torch.tensor([10.0]), torch.tensor([11.0])) == pytest.approx(20.0)
    with pytest.raises(DataError):
        sqnr(model, x[:0])


def test_distilled_images_reproduce_the_statistics() -> None:
    source = network("mobilenet")
    mean, std = MEANS["mobilenet"]
    graph = from_torch(source, images("mobilenet", 1), mean=mean, std=std)
    before = {name: value.clone() for name, value in source.state_dict().items()}
    told: list[int] = []
    rule = Distilling(count=4, iterations=40, rate=0.2, seed=7)
    x = distilled_images(source, graph, rule, lambda _what, step, _steps: told.append(step))
    assert x.shape == (4, 3, 33, 33) and told == list(range(1, 41))
    assert all(torch.equal(value, before[name]) for name, value in source.state_dict().items())
    raw = x * torch.tensor(std)[:, None, None] + torch.tensor(mean)[:, None, None]
    assert float(raw.min()) >= -1e-3 and float(raw.max()) <= 255.001
    torch.testing.assert_close(distilled_images(source, graph, rule), x)

    def gap(batch: torch.Tensor) -> float:
        total = 0.0

        def note(norm: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
            nonlocal total
            total += float(distance(inputs[0], norm))

        hooks = [source.get_submodule(node.norm).register_forward_pre_hook(note) for node in graph.nodes if node.norm]
        with torch.no_grad():
            source(batch)
        for hook in hooks:
            hook.remove()
        return total

    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(1))
    assert gap(x) < 0.6 * gap(noise) and gap(x) < gap(images("mobilenet", 16, 3))  # whose statistics have not settled
    calibrate(QuantModel(source, graph), [x])


def test_networks_without_statistics_are_named() -> None:
    plain = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 1))
    with pytest.raises(QuantizationError, match="no batch normalization: none behind layer 'n0'"):
        distilled_images(plain, from_torch(plain, torch.zeros(1, 1, 6, 6)))


def test_weights_that_are_not_finite_are_named() -> None:
    source, folded = spark()
    model = QuantModel(source, folded.graph)
    with torch.no_grad():
        source.get_parameter("widen.0.weight")[0, 0] = torch.nan
    with pytest.raises(QuantizationError, match=r"'widen\.0' has weights"):
        calibrate(model, [images("spark", 4)])
