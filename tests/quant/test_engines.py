"""What the methods make of networks, calibrated and trained on, bit for bit on reference, HLS kernel and RTL; and that pruning saves
cycles there."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from hao.boards import load_board
from hao.engine.config import CI_CONFIGS
from hao.frontend.float_graph import FloatGraph
from hao.frontend.torch_import import from_torch
from hao.ir import graph as ir
from hao.ir.serialize import network_digest
from hao.quant.allocate import Caps, integer_program
from hao.quant.calibrate import calibrate
from hao.quant.choose import METHODS, Question, choose_widths
from hao.quant.config import QuantConfig
from hao.quant.distill import Distilling, distilled_images
from hao.quant.export import to_integer
from hao.quant.folded import FoldedNetwork
from hao.quant.hessian import Probing
from hao.quant.model import QuantModel
from hao.quant.prune import index_sets, magnitude_scores, plan_pruning
from hao.quant.sensitivity import costs, kl_sensitivities
from hao.quant.surgery import pruned_network
from hao.runtime.session import prepare, run_engines
from hao.runtime.timing import DramTiming
from tests.quant.networks import images, network

CONFIG = CI_CONFIGS["8x8x1"]
BOARD = load_board("ultra96v2")
torch.set_num_threads(1)


class Residual(nn.Module):
    """Dense 3x3 layers, a depthwise one, a residual sum, global pooling, a classifier."""

    def __init__(self, width: int = 24) -> None:
        super().__init__()

        def block(*layers: nn.Module) -> nn.Sequential:
            return nn.Sequential(*layers, nn.BatchNorm2d(width), nn.ReLU())

        self.stem = block(nn.Conv2d(1, width, 3, padding=1, bias=False))
        self.wide = block(nn.Conv2d(width, width, 3, padding=1, bias=False))
        self.depth = block(nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False))
        self.point = nn.Sequential(nn.Conv2d(width, width, 1, bias=False), nn.BatchNorm2d(width))
        self.linear = nn.Linear(width, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        x = torch.relu(x + self.point(self.depth(self.wide(x))))
        return self.linear(x.mean((2, 3)))  # type: ignore[no-any-return]


def residual() -> tuple[nn.Module, FloatGraph]:
    torch.manual_seed(2)
    source = Residual()
    source.train()
    with torch.no_grad():
        for step in range(15):
            source(images("spark", 8, step))
    return source.eval(), from_torch(source, images("spark", 1))


def engines_equal(graph: ir.Graph, seed: int = 1) -> dict[str, int]:
    """Run on both engines, hold every tensor against the reference; values compared and the RTL's cycles."""
    pixels = np.random.default_rng(seed).integers(0, 256, (1, 8, 8), dtype=np.uint8)
    made = prepare(graph, CONFIG, pixels)
    runs = run_engines(made, ("csim", "rtl"), DramTiming.of_board(BOARD), lambda *_: None)
    for run in runs.values():
        run.verdict.require_equal()
    return {"compared": min(run.verdict.compared for run in runs.values()), "cycles": runs["rtl"].result.cycles or 0}


def quantized(source: nn.Module, graph: FloatGraph, *, steps: int = 0, **settings: object) -> ir.Graph:
    """Calibrated, and trained on for ``steps`` steps."""
    model = calibrate(QuantModel(source, graph, QuantConfig(**settings)), [images("spark", 32, 40)])  # type: ignore[arg-type]
    calibrated = to_integer(model)
    optimizer = torch.optim.Adam(model.parameters(), 5e-3)
    x, y = images("spark", 32, 41), torch.arange(32) % 10
    model.train()
    for _ in range(steps):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x).flatten(1), y).backward()
        optimizer.step()
    trained = to_integer(model.eval())
    assert (network_digest(trained) != network_digest(calibrated)) == bool(steps)
    return trained


@pytest.mark.parametrize("method", [each for each in METHODS if each != "uniform"])
def test_widths_that_each_method_chooses(method: str) -> None:
    """Three bits on average from {2, 4, 8}, the trained network's labels; then five steps of training in those widths."""
    source, graph = residual()
    folded, x = FoldedNetwork(source, graph), images("spark", 24, 50)
    labels = folded(x).flatten(1).argmax(1)  # type: ignore[union-attr]
    count = sum(weight.numel() for weight in folded.weights.values())
    rough = Probing(tolerance=0.5, sketch=2, pilot=4, most=4)
    bits = choose_widths(folded, x, labels, Question(method, (2, 4, 8), Caps(size=3.0 * count), probing=rough)).bits
    assert len(set(bits.values())) >= 2
    integer = quantized(source, graph, steps=5, overrides=bits)
    assert {node.name: node.weight_bits for node in integer.nodes if isinstance(node, ir.Conv)} == bits
    assert engines_equal(integer)["compared"] > 6000


def test_mixed_widths_of_the_integer_program() -> None:
    """Spark: deformable, depthwise, sums; widths 2 to 8 chosen by KL on distilled images under a cap on size."""
    source = network("spark")
    graph = from_torch(source, images("spark", 1))
    folded = FoldedNetwork(source, graph)
    drawn = distilled_images(source, graph, Distilling(count=8, iterations=15, seed=3))
    menu = (2, 3, 4, 5, 6, 7, 8)
    table, price = kl_sensitivities(folded, [drawn], menu), costs(folded, menu)
    cap = 4.2 * sum(weight.numel() for weight in folded.weights.values())
    bits = integer_program(table, price.size, price.bops, Caps(size=cap), ties=[("separable.2", "deform.conv_channel")]).bits
    assert len(set(bits.values())) >= 3 and bits["separable.2"] == bits["deform.conv_channel"]
    integer = to_integer(calibrate(QuantModel(source, graph, QuantConfig(overrides=bits, activation_range="mse")), [drawn]))
    widths = {node.name: node.weight_bits for node in integer.nodes if isinstance(node, ir.Conv | ir.DeformConv)}
    assert widths == bits
    assert engines_equal(integer)["compared"] > 8000


@pytest.mark.parametrize("activations", [8, 4])
def test_every_width_in_one_network(activations: int) -> None:
    source, graph = residual()
    bits = dict(zip(("stem.0", "wide.0", "depth.0", "point.0", "linear"), (8, 2, 3, 5, 6), strict=True))
    integer = quantized(source, graph, steps=5, overrides=bits, activation_bits=activations)
    assert [node.weight_bits for node in integer.nodes if isinstance(node, ir.Conv)] == [8, 2, 3, 5, 6]
    assert engines_equal(integer)["compared"] > 6000


def test_pruned_and_implanted_networks_take_fewer_cycles() -> None:
    source, graph = residual()
    folded, sets = FoldedNetwork(source, graph), index_sets(graph)
    whole = engines_equal(quantized(source, graph, weight_bits=4))
    scores = magnitude_scores(folded)
    plan = plan_pruning(graph, sets, scores, 0.45, multiple=8)
    small = pruned_network(source, graph, sets, plan).eval()
    widths = {node.name: node.shape[0] for node in small.graph.nodes if node.kind == "conv"}
    assert sum(widths.values()) < 4 * 24 + 10 and all(count % 8 == 0 for name, count in widths.items() if name != "linear")
    pruned = engines_equal(quantized(small, small.graph, weight_bits=4))
    assert pruned["cycles"] < 0.9 * whole["cycles"]
    cheap = scores | {"wide.0": torch.zeros(24), "depth.0": torch.zeros(24)}
    implanted = pruned_network(source, graph, sets, plan_pruning(graph, sets, cheap, 0.3, implants=1.0)).eval()
    names = [node.name for node in implanted.graph.nodes]
    assert "wide.0.implant" in names and "wide.0.kept" in names
    found = engines_equal(quantized(implanted, implanted.graph, steps=5, weight_bits=4, overrides={"wide.0.implant": 2}))
    assert min(found["compared"], pruned["compared"]) > 3000
