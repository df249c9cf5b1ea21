"""Does the sensitivity mean something? One trained network at a time: predictors against what really happens.

``python -m benchmarks.quant.study digits build/quant/digits.jsonl`` trains, measures and appends one line a network; lines that
are there are not computed again. ``python -m benchmarks.quant.tables`` turns the lines into the committed tables.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from torch import Tensor, nn
from torch.nn import functional

from hao.data.shapes64 import shapes64
from hao.frontend.float_graph import FloatGraph
from hao.frontend.torch_import import from_torch
from hao.quant.allocate import best_within, frontier
from hao.quant.calibrate import calibrate
from hao.quant.config import QuantConfig
from hao.quant.distill import Distilling, distilled_images
from hao.quant.folded import FoldedNetwork, cross_entropy
from hao.quant.hessian import Probing, WeightHessian, hutchinson, power_iteration
from hao.quant.model import QuantModel
from hao.quant.prune import channel_traces, hessian_scores, index_sets, magnitude_scores, plan_pruning, random_scores
from hao.quant.sensitivity import MENU, control, costs, kl_sensitivities, loss_increases, omega, reverse, squared_errors
from hao.quant.surgery import pruned_network
from hao.train.digits import load_digits

AVERAGES = (2.5, 3.0, 3.5)
RATIOS = (0.3, 0.5)
FOLDS = 5
CALIBRATION, PROBED = 256, 128
SOURCES = (
    "benchmarks/quant/study.py",
    *(f"hao/quant/{name}.py" for name in ("allocate", "distill", "folded", "hessian", "prune", "sensitivity")),
)


@dataclass(frozen=True, slots=True)
class Data:
    """Normalized images and labels: to train on, and held out."""

    train: tuple[Tensor, Tensor]
    test: tuple[Tensor, Tensor]
    classes: int
    std: float


class Small(nn.Module):
    """MobileNetV2-like: a dense stem and inverted blocks, two of them residual; eleven layers with weights."""

    def __init__(self, channels: int, classes: int, width: int, stem_stride: int) -> None:
        super().__init__()
        self.stem = _block(nn.Conv2d(channels, width, 3, stem_stride, 1, bias=False))
        self.first, self.second, self.third = _inverted(width, 1), _inverted(width, 2), _inverted(width, 1)
        self.linear = nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        x = x + self.first(x)
        x = self.second(x)
        x = x + self.third(x)
        return self.linear(x.mean((2, 3)))  # type: ignore[no-any-return]


def _block(layer: nn.Conv2d, *, relu: bool = True) -> nn.Sequential:
    return nn.Sequential(layer, nn.BatchNorm2d(layer.out_channels), *([nn.ReLU()] if relu else []))


def _inverted(width: int, stride: int) -> nn.Sequential:
    wide = 2 * width
    return nn.Sequential(
        _block(nn.Conv2d(width, wide, 1, bias=False)),
        _block(nn.Conv2d(wide, wide, 3, stride, 1, groups=wide, bias=False)),
        _block(nn.Conv2d(wide, width, 1, bias=False), relu=False),
    )


def digits(fold: int) -> Data:
    """Fold ``fold`` of five of all 1797 digits is held out."""
    whole = load_digits()
    images = np.concatenate([whole.train_images, whole.test_images])
    labels = np.concatenate([whole.train_labels, whole.test_labels])
    x, y = torch.from_numpy(images.astype(np.float32) / 255), torch.from_numpy(labels).long()
    held = torch.arange(len(x)) % FOLDS == fold
    return Data((x[~held], y[~held]), (x[held], y[held]), 10, 255.0)


def shapes(folder: Path, count: tuple[int, int]) -> Data:
    """The first pictures of shapes64's training and test parts."""
    parts = []
    for split, each in zip(("train", "test"), count, strict=True):
        images, labels = shapes64(folder, split, each)  # type: ignore[arg-type]
        parts.append((torch.from_numpy(images.transpose(0, 3, 1, 2).astype(np.float32) / 255), torch.from_numpy(labels).long()))
    return Data(parts[0], parts[1], 20, 255.0)


def fit(model: nn.Module, data: Data, epochs: int, rate: float, seed: int) -> nn.Module:
    """Adam with a cosine schedule, batches of 64."""
    generator = torch.Generator().manual_seed(seed)
    images, labels = data.train
    optimizer = torch.optim.Adam(model.parameters(), rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(1, epochs * (len(images) // 64)))
    model.train()
    for _ in range(epochs):
        order = torch.randperm(len(images), generator=generator)
        for start in range(0, len(images) - 63, 64):
            chosen = order[start : start + 64]
            optimizer.zero_grad()
            functional.cross_entropy(model(images[chosen]).flatten(1), labels[chosen]).backward()
            optimizer.step()
            schedule.step()
    return model.eval()


@torch.no_grad()
def outcome(model: nn.Module, exact: nn.Module, data: Data) -> dict[str, float]:
    """Loss, KL to the float network and accuracy (percent) on held-out images."""
    images, labels = data.test
    logits = torch.cat([model(part).flatten(1) for part in images.split(500)])
    truth = torch.cat([exact(part).flatten(1) for part in images.split(500)])
    p, q = truth.log_softmax(1).double(), logits.log_softmax(1).double()
    return {
        "loss": float(functional.cross_entropy(logits, labels)),
        "kl": float((p.exp() * (p - q)).sum(1).mean()),
        "accuracy": float(100 * (logits.argmax(1) == labels).double().mean()),
    }


def tables(network: nn.Module, graph: FloatGraph, folded: FoldedNetwork, data: Data, seed: int) -> dict[str, dict[str, dict[int, float]]]:
    """Sensitivity of every layer and width by every method and control."""
    chosen = torch.randperm(len(data.train[0]), generator=torch.Generator().manual_seed(seed))
    x, y = (part[chosen[:PROBED]] for part in data.train)
    operator = WeightHessian(folded, [(x, y)], cross_entropy)
    errors = squared_errors(folded)
    traces = hutchinson(operator, Probing(seed=seed, tolerance=0.2, sketch=6, pilot=16, most=48))
    top = {row.name: max(row.value, 0.0) for row in power_iteration(operator, seed=seed, tolerance=0.03, most=12)}
    hessian = omega(traces, errors)
    drawn = distilled_images(network, graph, Distilling(count=64, iterations=120, rate=0.1, seed=seed))
    noise = torch.randn(drawn.shape, generator=torch.Generator().manual_seed(seed))
    return {
        "HAWQ-V2 trace": hessian,
        "HAWQ eigenvalue": {
            name: {bits: top[name] / folded.weights[name].numel() * e for bits, e in row.items()} for name, row in errors.items()
        },
        "ZeroQ distilled": kl_sensitivities(folded, [drawn]),
        "KL, Gaussian noise": kl_sensitivities(folded, [noise]),
        "KL, real images": kl_sensitivities(folded, [x]),
        "random": control(folded, errors, "random", seed),
        "parameters": control(folded, errors, "parameters"),
        "weight norm": control(folded, errors, "weight norm"),
        "reversed trace": reverse(hessian),
    }


def quantized(network: nn.Module, graph: FloatGraph, bits: dict[str, int], x: Tensor) -> QuantModel:
    """Post-training quantization to the given widths, activations to 8 bits."""
    return calibrate(QuantModel(copy.deepcopy(network), graph, QuantConfig(overrides=bits)), [x])


def mixed(network: nn.Module, graph: FloatGraph, found: dict[str, Any], folded: FoldedNetwork, data: Data, seed: int) -> dict[str, Any]:
    """Post-training outcome of every method's widths at equal average bits, and of uniform widths."""
    x = data.train[0][torch.randperm(len(data.train[0]), generator=torch.Generator().manual_seed(seed))[:CALIBRATION]]
    size = costs(folded).size
    count = sum(weight.numel() for weight in folded.weights.values())
    rows: dict[str, Any] = {}
    for label, table in found.items():
        front = frontier(table, size)
        for average in AVERAGES:
            bits = best_within(front, average * count).bits
            rows[f"{label} @ {average}"] = outcome(quantized(network, graph, bits, x), network, data)
    for width in MENU:
        rows[f"uniform @ {width}"] = outcome(quantized(network, graph, dict.fromkeys(size, width), x), network, data)
    # The same widths, but calibrated on images that are none.
    drawn = distilled_images(network, graph, Distilling(count=64, iterations=120, rate=0.1, seed=seed))
    for label, images in (
        ("distilled", drawn),
        ("Gaussian noise", torch.randn(drawn.shape, generator=torch.Generator().manual_seed(seed))),
    ):
        rows[f"calibrated on {label} @ 4"] = outcome(quantized(network, graph, dict.fromkeys(size, 4), images), network, data)
    return rows


def pruned(network: nn.Module, graph: FloatGraph, folded: FoldedNetwork, data: Data, seed: int, epochs: int) -> dict[str, Any]:
    """Outcome of pruning by Hessian, with implants, by magnitude and at random, before and after fine-tuning."""
    chosen = torch.randperm(len(data.train[0]), generator=torch.Generator().manual_seed(seed))[:PROBED]
    operator = WeightHessian(folded, [(data.train[0][chosen], data.train[1][chosen])], cross_entropy)
    hessian = hessian_scores(folded, channel_traces(operator, seed, probes=16))
    scores = {"HAP": hessian, "magnitude": magnitude_scores(folded), "random": random_scores(folded, seed)}
    sets, rows = index_sets(graph), {}
    for ratio in RATIOS:
        for label, table in scores.items():
            model: nn.Module = pruned_network(network, graph, sets, plan_pruning(graph, sets, table, ratio)).eval()
            rows[f"{label} @ {ratio} before"] = outcome(model, network, data)
            rows[f"{label} @ {ratio} after"] = outcome(fit(model, data, epochs, 1e-3, seed), network, data)
    return rows


def one(data: Data, make: Callable[[], nn.Module], seed: int, epochs: tuple[int, int]) -> dict[str, Any]:
    """Everything about one trained network."""
    torch.manual_seed(seed)
    network = fit(make(), data, epochs[0], 4e-3, seed)
    graph = from_torch(network, data.train[0][:1], std=(data.std,) * data.train[0].shape[1])
    folded = FoldedNetwork(network, graph)
    found = tables(network, graph, folded, data, seed)
    measured = loss_increases(folded, [data.test], cross_entropy)
    divergence = kl_sensitivities(folded, [data.test[0]])
    return {
        "float": outcome(network, network, data),
        "sensitivity": {label: [[row[bits] for bits in MENU] for row in table.values()] for label, table in found.items()},
        "measured": [[row[bits] for bits in MENU] for row in measured.values()],
        "divergence": [[row[bits] for bits in MENU] for row in divergence.values()],
        "mixed": mixed(network, graph, found, folded, data, seed),
        "pruned": pruned(network, graph, folded, data, seed, epochs[1]),
    }


def digest() -> str:
    """SHA-256 over the sources that the figures come from, first 16 digits."""
    state = hashlib.sha256()
    for name in SOURCES:
        state.update((Path(__file__).resolve().parents[2] / name).read_bytes())
    return state.hexdigest()[:16]


def cases(task: str, folder: Path, seeds: int) -> Iterator[tuple[str, Callable[[], dict[str, Any]]]]:
    """Key and computation of every network of a task."""
    if task == "digits":
        for seed in range(seeds):
            for fold in range(FOLDS):
                yield (
                    f"{seed}/{fold}",
                    lambda seed=seed, fold=fold: one(digits(fold), lambda: Small(1, 10, 8, 1), 100 * seed + fold, (12, 2)),
                )  # type: ignore[misc]
    else:
        data = shapes(folder, (6000, 2000))
        for seed in range(seeds):
            yield str(seed), lambda seed=seed: one(data, lambda: Small(3, 20, 16, 2), seed, (4, 1))  # type: ignore[misc]


def main(
    task: Annotated[str, typer.Argument(help="digits or shapes64")],
    lines: Annotated[Path, typer.Argument(help="results, one JSON object a line")],
    seeds: Annotated[int, typer.Option(help="networks (digits: a fold)")] = 4,
    folder: Annotated[Path, typer.Option(help="rendered pictures")] = Path("build/data"),
) -> None:
    """Compute what is missing."""
    torch.set_num_threads(1)
    there = {row["key"] for row in map(json.loads, lines.read_text().splitlines())} if lines.is_file() else set()
    lines.parent.mkdir(parents=True, exist_ok=True)
    for key, compute in cases(task, folder, seeds):
        if key not in there:
            row = {"key": key, "task": task, "sources": digest(), "torch": torch.__version__, **compute()}
            with lines.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(row) + "\n")
            typer.echo(f"{key}: {row['float']}")


if __name__ == "__main__":
    typer.run(main)
