"""Pruned and implanted networks compute what the large ones compute with those channels silenced; scores are HAP's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from hao.errors import QuantizationError
from hao.frontend.float_graph import FloatGraph
from hao.frontend.torch_import import from_torch
from hao.quant.folded import FoldedNetwork, cross_entropy
from hao.quant.hessian import WeightHessian, exact_block
from hao.quant.network import GraphNetwork
from hao.quant.prune import (
    IndexSets,
    PruningPlan,
    channel_traces,
    hessian_scores,
    index_sets,
    magnitude_scores,
    plan_pruning,
    random_scores,
)
from hao.quant.surgery import pruned_network
from tests.quant.networks import MEANS, images, network
from tests.quant.test_hessian import Matrices, tiny

torch.set_num_threads(1)


def read(name: str) -> tuple[nn.Module, FloatGraph, IndexSets]:
    source = network(name)
    mean, std = MEANS[name]
    graph = from_torch(source, images(name, 1), mean=mean, std=std)
    return source, graph, index_sets(graph)


def flat(value: torch.Tensor | tuple[torch.Tensor, ...]) -> torch.Tensor:
    return torch.cat([each.flatten(1) for each in (value if isinstance(value, tuple) else (value,))], 1)


@torch.no_grad()
def silenced(source: nn.Module, graph: FloatGraph, sets: IndexSets, plan: PruningPlan) -> GraphNetwork:
    """All channels at their place, those that go multiplied by zero, implants' kernels masked to their centre."""
    model = GraphNetwork(source, graph)
    for node in model.graph.nodes:
        if node.kind not in ("conv", "deform"):
            continue
        layer = model.get_submodule(node.module)
        for channel, each in enumerate(sets.channels[node.name]):
            if each in plan.implanted and node.attributes["groups"] == 1:
                middle = node.attributes["kernel"] // 2
                centre = layer.weight[channel, :, middle, middle].clone()  # type: ignore[index]
                layer.weight[channel] = 0  # type: ignore[index, operator]
                layer.weight[channel, :, middle, middle] = centre  # type: ignore[index, operator]
            if each in plan.removed:
                for module in [layer, *([model.get_submodule(node.norm)] if node.norm else [])]:
                    for label in ("weight", "bias"):
                        if getattr(module, label, None) is not None:
                            getattr(module, label)[channel] = 0
    return model


@pytest.mark.parametrize("name", ["spark", "mobilenet", "codenet"])
def test_a_network_of_its_own_computes_the_same(name: str) -> None:
    source, graph, sets = read(name)
    model = pruned_network(source, graph, sets, PruningPlan(frozenset())).eval()
    x = images(name, 2, 3)
    with torch.no_grad():
        torch.testing.assert_close(flat(model(x)), flat(source(x)), rtol=1e-4, atol=1e-4)
    assert not {id(each) for each in model.parameters()} & {id(each) for each in source.parameters()}


@pytest.mark.parametrize(("name", "ratio"), [("spark", 0.4), ("mobilenet", 0.5), ("codenet", 0.3)])
def test_pruned_networks_compute_what_silenced_ones_do(name: str, ratio: float) -> None:
    source, graph, sets = read(name)
    plan = plan_pruning(graph, sets, random_scores(FoldedNetwork(source, graph), sets, 3), ratio, implants=0.25)
    assert plan.removed and (name != "codenet" or len(plan.removed) > 300)
    model, reference = pruned_network(source, graph, sets, plan).eval(), silenced(source, graph, sets, plan).eval()
    x = images(name, 2, 3)
    with torch.no_grad():
        wanted, before = flat(reference(x)), flat(source(x))
        torch.testing.assert_close(flat(model(x)), wanted, rtol=1e-3, atol=1e-3)
        assert float((wanted - before).abs().max()) > 1e-2
        folded = FoldedNetwork(model, model.graph)
        torch.testing.assert_close(flat(folded(x)), wanted, rtol=1e-3, atol=1e-3)
    for node in model.graph.nodes:
        if node.kind == "conv":
            weight = folded.weights[node.name]
            assert node.shape[0] == len(weight) and weight.shape[2] == node.attributes["kernel"]
    assert sum(each.numel() for each in model.parameters()) < sum(each.numel() for each in source.parameters())


class Bottle(nn.Module):
    """Dense 3x3 of two strides, one with implants, a depthwise layer behind them; a residual sum; a linear layer on a map."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU())
        self.b = nn.Sequential(nn.Conv2d(16, 16, 3, 2, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU())
        self.c = nn.Sequential(nn.Conv2d(16, 16, 3, padding=1, groups=16, bias=False), nn.BatchNorm2d(16), nn.ReLU())
        self.d = nn.Sequential(nn.Conv2d(16, 8, 3, padding=1), nn.ReLU())
        self.e = nn.Conv2d(16, 8, 1)
        self.linear = nn.Linear(8 * 16, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.c(self.b(self.a(x)))
        return self.linear((self.d(x) + self.e(x)).flatten(1))  # type: ignore[no-any-return]


def bottle() -> tuple[nn.Module, FloatGraph, IndexSets]:
    torch.manual_seed(5)
    source = Bottle()
    for module in source.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.bias, 0.1, 0.5)
    graph = from_torch(source.eval(), torch.zeros(1, 1, 8, 8))
    return source, graph, index_sets(graph)


def test_sums_and_depthwise_layers_share_index_sets() -> None:
    _, _, sets = bottle()
    assert sets.channels["b.0"] == sets.channels["c.0"] != sets.channels["a.0"]
    assert sets.channels["d.0"] == sets.channels["e"] == sets.channels["add"]
    assert set(sets.channels["linear"]) <= sets.frozen and not set(sets.channels["d.0"]) & sets.frozen
    assert sets.members[sets.channels["d.0"][3]] == (("d.0", 3), ("e", 3))
    _, _, shuffled = read("codenet")
    assert set(shuffled.channels["layer1.1.b2.5"]) <= shuffled.frozen and not set(shuffled.channels["layer1.1.b2.0"]) & shuffled.frozen


@pytest.mark.parametrize("centre", [True, False])
def test_implants_are_the_centre_of_the_kernel_or_zero(centre: bool) -> None:
    source, graph, sets = bottle()
    b, d = sets.channels["b.0"], sets.channels["d.0"]
    plan = PruningPlan(frozenset((b[0], d[2])), frozenset((b[3], b[9])))
    model = pruned_network(source, graph, sets, plan, keep_centre=centre).eval()
    names = [node.name for node in model.graph.nodes]
    assert names[1:5] == ["a.0", "b.0.kept", "b.0.implant", "b.0"] and "layers.b/0" not in dict(model.named_modules())
    implant = model.get_submodule("layers.b/0/implant")
    assert implant.weight.shape == (2, 16, 1, 1)  # type: ignore[union-attr]
    assert bool(implant.weight.any()) is centre  # type: ignore[union-attr, operator]
    x = torch.rand(3, 1, 8, 8)
    reference = silenced(source, graph, sets, plan)
    if not centre:
        with torch.no_grad():
            reference.get_submodule("layers.b/0").weight[[3, 9]] = 0  # type: ignore[index, operator]
    torch.testing.assert_close(flat(model(x)), flat(reference.eval()(x)), rtol=1e-4, atol=1e-5)
    assert model.train()(x).requires_grad


def test_plans_follow_scores_caps_and_lanes() -> None:
    source, graph, sets = bottle()
    folded = FoldedNetwork(source, graph)
    scores = magnitude_scores(folded)
    plan = plan_pruning(graph, sets, scores, 0.5)
    harm = {each: sum(float(scores[layer][channel]) for layer, channel in sets.members[each]) for each in sets.prunable()}
    # Half of the 40 sets, but for one of the first layer's sixteen channels, which would have been left with none.
    assert len(plan.removed) == 19 and sum(each in plan.removed for each in sets.channels["a.0"]) == 15
    others = [each for each in harm if each not in sets.channels["a.0"]]
    assert max(harm[each] for each in others if each in plan.removed) <= min(harm[each] for each in others if each not in plan.removed)
    lanes = plan_pruning(graph, sets, scores, 0.6, multiple=8)
    widths = {node.name: node.shape[0] for node in pruned_network(source, graph, sets, lanes).graph.nodes}
    assert all(widths[name] % 8 == 0 for name in ("a.0", "b.0", "d.0")) and lanes.removed
    none = {name: torch.zeros_like(row) for name, row in scores.items()}
    none["d.0"] -= 1
    emptied = plan_pruning(graph, sets, none, 0.3, most=1.0)
    assert pruned_network(source, graph, sets, emptied).graph.nodes[-2].shape[0] == 1
    cheap = scores | {"b.0": torch.zeros(16), "c.0": torch.zeros(16)}
    mixed = plan_pruning(graph, sets, cheap, 0.3, implants=0.5)
    assert mixed.implanted <= set(sets.channels["b.0"]) and (len(mixed.removed), len(mixed.implanted)) == (6, 6)
    for wrong in ({"ratio": 1.0}, {"ratio": -0.1}, {"ratio": 0.5, "implants": 2.0}):
        with pytest.raises(QuantizationError, match="pruning ratio"):
            plan_pruning(graph, sets, scores, **wrong)  # type: ignore[arg-type]
    single = nn.Sequential(nn.Conv2d(1, 4, 3))
    alone = from_torch(single, torch.zeros(1, 1, 6, 6))
    with pytest.raises(QuantizationError, match="no channels"):
        plan_pruning(alone, index_sets(alone), {}, 0.5)


def test_a_random_order_prefers_no_set() -> None:
    """Sets of one member and of two or more go equally often: half of the time at a ratio of one half."""
    source, graph, sets = bottle()
    folded, gone = FoldedNetwork(source, graph), dict.fromkeys(sets.prunable(), 0)
    for seed in range(200):
        for each in plan_pruning(graph, sets, random_scores(folded, sets, seed), 0.5).removed:
            gone[each] += 1
    shares = {size: np.mean([gone[each] / 200 for each in gone if (len(sets.members[each]) > 1) == size]) for size in (False, True)}
    assert {len(sets.members[each]) for each in gone} >= {1, 2} and all(0.46 < share < 0.54 for share in shares.values()), shares


def test_channel_scores_are_half_the_mean_eigenvalue_times_the_norm() -> None:
    folded, batches = tiny()
    matrices = Matrices(WeightHessian(folded, batches, cross_entropy))
    traces = channel_traces(matrices, probes=512)
    scores = hessian_scores(folded, traces)
    for name, weight in folded.weights.items():
        block, per = exact_block(matrices, name), weight[0].numel()
        truth = torch.stack([block.diagonal()[k * per : (k + 1) * per].sum() for k in range(len(weight))])
        torch.testing.assert_close(traces[name].sum(), truth.sum(), rtol=0.2, atol=0.0)
        assert float(torch.corrcoef(torch.stack([traces[name], truth]))[0, 1]) > 0.95
        wanted = traces[name].clamp(min=0) / (2 * per) * weight.flatten(1).square().sum(1)
        torch.testing.assert_close(scores[name], wanted)
