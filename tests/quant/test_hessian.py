"""Traces, eigenvalues and their intervals against exact Hessians."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from hao.errors import QuantizationError
from hao.frontend.torch_import import from_torch
from hao.quant.folded import Batches, FoldedNetwork, cross_entropy
from hao.quant.hessian import ActivationHessian, Probing, WeightHessian, exact_block, hutchinson, power_iteration
from tests.quant.networks import MEANS, images, network

SEEDS = 200
torch.set_num_threads(1)  # matrices this small are multiplied faster by one thread


class Tiny(nn.Module):
    """Dense, depthwise, pooled, linear: few enough weights for exact Hessians."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 6, 3, padding=1, bias=False),
            nn.BatchNorm2d(6),
            nn.ReLU(),
            nn.Conv2d(6, 6, 3, padding=1, groups=6, bias=False),
            nn.BatchNorm2d(6),
            nn.ReLU(),
            nn.Conv2d(6, 12, 1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(12, 6),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)  # type: ignore[no-any-return]


def tiny(seed: int = 0) -> tuple[FoldedNetwork, Batches]:
    """Trained a little, in float64; two batches of unequal size."""
    torch.manual_seed(seed)
    model, x = Tiny(), torch.randn(40, 1, 5, 5)
    y = x.mean((2, 3))[:, 0].mul(8).long().clamp(-3, 2) + 3
    optimizer = torch.optim.Adam(model.parameters(), 0.02)
    for _ in range(60):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    folded = FoldedNetwork(model.eval().double(), from_torch(model.float(), x[:1], std=(1.0,)))
    folded.double()
    folded.weights = {name: value.double() for name, value in folded.weights.items()}
    folded.biases = {name: value.double() for name, value in folded.biases.items()}
    return folded, [(x[:30].double(), y[:30]), (x[30:].double(), y[30:])]


class Matrices:
    """The same blocks as matrices, so that hundreds of runs are quick."""

    def __init__(self, operator: WeightHessian) -> None:
        self.shapes, self.device, self.dtype = operator.shapes, operator.device, operator.dtype
        self.blocks = {name: exact_block(operator, name) for name in operator.shapes}

    def __call__(self, name: str, vectors: Tensor) -> Tensor:
        return (vectors.flatten(1) @ self.blocks[name]).reshape(vectors.shape)


@pytest.fixture(scope="module")
def exact() -> tuple[WeightHessian, Matrices]:
    folded, batches = tiny()
    operator = WeightHessian(folded, batches, cross_entropy)
    return operator, Matrices(operator)


def test_products_are_those_of_the_hessian(exact: tuple[WeightHessian, Matrices]) -> None:
    """Against torch.autograd.functional.hessian of the loss over all images."""
    operator, matrices = exact
    assert list(operator.shapes.values()) == [(6, 1, 3, 3), (6, 1, 3, 3), (12, 6, 1, 1), (6, 12, 1, 1)]
    x, y = (torch.cat(items) for items in zip(*operator.batches, strict=True))
    for name, block in matrices.blocks.items():

        def loss(weight: Tensor, name: str = name) -> Tensor:
            return cross_entropy(operator.network(x, {name: weight}), y)

        size = block.shape[0]
        truth = torch.autograd.functional.hessian(loss, operator.network.weights[name]).reshape(size, size)
        torch.testing.assert_close(block, truth, rtol=1e-9, atol=1e-12)


def test_intervals_cover_the_trace(exact: tuple[WeightHessian, Matrices]) -> None:
    _, matrices = exact
    covered = dict.fromkeys(matrices.shapes, 0)
    for seed in range(SEEDS):
        for row in hutchinson(matrices, Probing(seed=seed)):
            truth = float(matrices.blocks[row.name].trace())
            assert row.converged and row.half_width <= 0.05 * abs(row.value)
            covered[row.name] += abs(row.value - truth) <= row.half_width
    assert all(0.92 * SEEDS <= count <= 0.98 * SEEDS for count in covered.values()), covered


def test_plain_hutchinson_covers_too_and_needs_more_probes(exact: tuple[WeightHessian, Matrices]) -> None:
    _, matrices = exact
    plain = hutchinson(matrices, Probing(sketch=0, most=20_000))
    sketched = hutchinson(matrices, Probing())
    assert sum(row.probes for row in plain) > 2 * sum(row.probes for row in sketched)
    for row in plain:
        assert abs(row.value - float(matrices.blocks[row.name].trace())) <= 2 * row.half_width


def test_estimates_on_the_network_are_those_on_its_matrices(exact: tuple[WeightHessian, Matrices]) -> None:
    """The coverage above is that of the real operator: same probes, same samples."""
    operator, matrices = exact
    rule = Probing(seed=3, pilot=8, most=8, tolerance=1.0)
    for real, dense in zip(hutchinson(operator, rule), hutchinson(matrices, rule), strict=True):
        assert (real.name, real.size, real.probes) == (dense.name, dense.size, dense.probes)
        assert real.value == pytest.approx(dense.value, rel=1e-9) and real.half_width == pytest.approx(dense.half_width, rel=1e-6)


def test_eigenvalues(exact: tuple[WeightHessian, Matrices]) -> None:
    _, matrices = exact
    for row in power_iteration(matrices):
        values = torch.linalg.eigvalsh(matrices.blocks[row.name])
        truth = float(values[values.abs().argmax()])
        assert row.converged and row.residual <= 1e-3
        assert row.value == pytest.approx(truth, rel=1e-3)
    stopped = power_iteration(matrices, most=2)
    assert not all(row.converged for row in stopped) and all(row.iterations <= 2 for row in stopped)


def test_activation_traces_are_means_over_images(exact: tuple[WeightHessian, Matrices]) -> None:
    folded = exact[0].network
    x, y = exact[0].batches[1]
    name = folded.graph.outputs[0]
    operator = ActivationHessian(folded, x, y, cross_entropy, [name])
    (row,) = hutchinson(operator, Probing(tolerance=0.02))
    p = torch.softmax(folded(x).flatten(1), 1)  # type: ignore[union-attr]
    truth = float((p * (1 - p)).sum(1).mean())  # of softmax with cross entropy: diag(p) - p p'
    assert row.value == pytest.approx(truth, rel=0.05)


def test_activation_traces_of_an_inner_tensor_are_those_of_each_image(exact: tuple[WeightHessian, Matrices]) -> None:
    """Against torch.autograd.functional.hessian of every image's loss, averaged; behind a ReLU, in front of a depthwise layer."""
    folded, (x, y) = exact[0].network, exact[0].batches[1]
    x, y, name = x[:4], y[:4], "layers.0"
    assert next(node.clip for node in folded.graph.nodes if node.name == name) is not None
    (row,) = hutchinson(ActivationHessian(folded, x, y, cross_entropy, [name]), Probing(tolerance=0.02))
    traces = []
    for image, label in zip(x.split(1), y.split(1), strict=True):

        def loss(offset: Tensor, image: Tensor = image, label: Tensor = label) -> Tensor:
            return cross_entropy(folded(image, offsets={name: offset}), label)

        zero = torch.zeros(1, 6, 5, 5, dtype=x.dtype)
        traces.append(float(torch.autograd.functional.hessian(loss, zero).reshape(150, 150).trace()))
    assert row.converged and abs(row.value - sum(traces) / len(traces)) <= 2 * row.half_width


def test_resumed_estimates_are_the_same(exact: tuple[WeightHessian, Matrices]) -> None:
    _, matrices = exact
    kept: list[dict[str, np.ndarray]] = []
    whole = hutchinson(matrices, Probing(seed=5), save=lambda samples: kept.append(dict(samples)))
    assert len(kept) > 6
    for cut in (0, 3, len(kept) - 1):
        assert hutchinson(matrices, Probing(seed=5), done=kept[cut]) == whole


def test_deformable_layers_have_smooth_hessians_and_rounded_values() -> None:
    source = network("spark")
    mean, std = MEANS["spark"]
    folded = FoldedNetwork(source, from_torch(source, images("spark", 1), mean=mean, std=std))
    x = images("spark", 4, 2)
    with torch.no_grad():
        torch.testing.assert_close(folded(x), source(x)[:, :, None, None], rtol=1e-4, atol=1e-4)
        assert not torch.equal(folded(x, smooth=True), folded(x))  # type: ignore[arg-type]
    y = source(x).argmax(1)
    smooth = WeightHessian(folded, [(x, y)], cross_entropy, ["deform.conv_scale", "deform.conv"])
    for name in smooth.shapes:
        block = exact_block(smooth, name)
        assert float(block.abs().max()) > 0
        torch.testing.assert_close(block, block.T, rtol=1e-3, atol=1e-4 * float(block.abs().max()))


def test_bad_networks_are_named(exact: tuple[WeightHessian, Matrices]) -> None:
    model = Tiny().eval()
    graph = from_torch(model, torch.zeros(1, 1, 5, 5))
    with torch.no_grad():
        model.layers[6].weight[3, 2] = torch.nan  # type: ignore[index]
    with pytest.raises(QuantizationError, match=r"layer 'layers\.6' has weights"):
        FoldedNetwork(model, graph)
    folded, batches = tiny(1)
    with pytest.raises(QuantizationError, match="without images"):
        WeightHessian(folded, [], cross_entropy)
    broken = WeightHessian(folded, batches, lambda outputs, targets: cross_entropy(outputs, targets) * torch.inf)
    with pytest.raises(QuantizationError, match=r"Hessian of layer 'layers\.0'"):
        hutchinson(broken)
    with pytest.raises(QuantizationError, match=r"Hessian of layer 'layers\.0'"):
        power_iteration(broken)
