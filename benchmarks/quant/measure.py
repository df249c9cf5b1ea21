"""Everything that the study measures on one trained network: predictors and controls against what really happens."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from scipy import stats
from torch import Tensor, nn

from benchmarks.quant.networks import Data, Held, fit
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
from hao.quant.sensitivity import MENU, control, costs, kl_sensitivities, omega, reverse, rounded, squared_errors
from hao.quant.surgery import pruned_network

AVERAGES = (2.5, 3.0, 3.5)
RATIOS = (0.2, 0.4)
CALIBRATION, DISTILLED = 256, 64
PREDICTORS = (
    "HAWQ-V2 trace", "HAWQ eigenvalue", "ZeroQ distilled", "KL, real images", "KL, Gaussian noise",
    "weight norm", "parameters", "random", "reversed trace",
)  # fmt: skip
CALIBRATIONS = ("real images", "distilled", "Gaussian noise")
PRUNINGS = ("HAP", "HAP + implants", "magnitude", "magnitude, per layer", "random", "reversed HAP")

Table = dict[str, dict[int, float]]


class Subject:
    """A trained float network with all that is derived from it.

    Args:
        network: in evaluation mode.
        data: that it was trained on.
        seed: of every draw below.
        probed: images of the Hessian and of the divergences on real images.
    """

    def __init__(self, network: nn.Module, data: Data, seed: int, probed: int) -> None:
        self.network, self.data, self.seed = network, data, seed
        channels = data.channels
        self.graph: FloatGraph = from_torch(network, data.train[0][:1], mean=(data.mean,) * channels, std=(data.std,) * channels)
        self.folded = FoldedNetwork(network, self.graph)
        self.held = Held(network, data)
        self.probed = data.some(probed, seed)
        self.operator = WeightHessian(self.folded, [self.probed], cross_entropy)
        rule = Distilling(count=DISTILLED, iterations=100, rate=0.1, seed=seed)
        drawn = distilled_images(network, self.graph, rule)
        noise = torch.randn(drawn.shape, generator=torch.Generator().manual_seed(seed)).to(drawn.device)
        self.pictures = {"real images": data.some(CALIBRATION, seed)[0], "distilled": drawn, "Gaussian noise": noise}
        self._seen: dict[tuple[str, tuple[int, ...]], list[float]] = {}

    def quantized(self, bits: dict[str, int], calibration: str = "real images") -> list[float]:
        """Outcome of post-training quantization to the given widths, activations to 8 bits; measured once each."""
        key = calibration, tuple(bits.values())
        if key not in self._seen:
            model = QuantModel(copy.deepcopy(self.network), self.graph, QuantConfig(overrides=bits))
            self._seen[key] = self.held.outcome(calibrate(model, [self.pictures[calibration]]))
        return self._seen[key]


def predicted(subject: Subject) -> tuple[dict[str, Table], float]:
    """Sensitivity of every layer and width by every method and control; the median relative half-width of the traces."""
    folded, seed = subject.folded, subject.seed
    errors = squared_errors(folded)
    traces = hutchinson(subject.operator, Probing(seed=seed, tolerance=0.1, sketch=6, pilot=16, most=48))
    top = {row.name: max(row.value, 0.0) / row.size for row in power_iteration(subject.operator, seed=seed, tolerance=0.03, most=12)}
    hessian = omega(traces, errors)
    found = (
        hessian,
        {name: {bits: top[name] * error for bits, error in row.items()} for name, row in errors.items()},
        kl_sensitivities(folded, [subject.pictures["distilled"]]),
        kl_sensitivities(folded, [subject.probed[0]]),
        kl_sensitivities(folded, [subject.pictures["Gaussian noise"]]),
        control(folded, errors, "weight norm"),
        control(folded, errors, "parameters"),
        control(folded, errors, "random", seed),
        reverse(hessian),
    )
    width = float(np.median([row.half_width / max(abs(row.value), 1e-30) for row in traces]))
    return dict(zip(PREDICTORS, found, strict=True)), width


def alone(subject: Subject) -> tuple[Table, Table]:
    """Loss increase, and KL to the float network, when one layer alone is rounded: measured on all held-out images."""
    before = subject.held.outcome(subject.folded)[0]
    loss: Table = {}
    divergence: Table = {}
    for name, weight in subject.folded.weights.items():
        rows = {bits: subject.held.outcome(subject.folded, {name: rounded(weight, bits)}) for bits in MENU}
        loss[name] = {bits: row[0] - before for bits, row in rows.items()}
        divergence[name] = {bits: row[1] for bits, row in rows.items()}
    return loss, divergence


def correlations(tables: dict[str, Table], truth: Table) -> dict[str, list[float]]:
    """Spearman's of each predictor with the truth: over all layers and widths, then over layers at each width of the menu."""
    real = np.array([[row[bits] for bits in MENU] for row in truth.values()])
    found = {}
    for label, table in tables.items():
        guess = np.array([[table[name][bits] for bits in MENU] for name in truth])
        pairs = [(guess.ravel(), real.ravel()), *zip(guess.T, real.T, strict=True)]
        found[label] = [float(stats.spearmanr(*pair).statistic) for pair in pairs]
    return found


def mixed(subject: Subject, tables: dict[str, Table]) -> dict[str, list[float]]:
    """Outcomes of every predictor's widths at equal average bits, of uniform widths, and of calibrations without data."""
    size = costs(subject.folded).size
    count = sum(weight.numel() for weight in subject.folded.weights.values())
    rows: dict[str, list[float]] = {}
    chosen = {}
    for label, table in tables.items():
        front = frontier(table, size)
        for average in AVERAGES:
            chosen[label, average] = best_within(front, average * count).bits
            rows[f"{label} @ {average}"] = subject.quantized(chosen[label, average])
    for width in MENU:
        rows[f"uniform @ {width}"] = subject.quantized(dict.fromkeys(size, width))
    for calibration in CALIBRATIONS:
        rows[f"calibrated on {calibration} @ 4"] = subject.quantized(dict.fromkeys(size, 4), calibration)
    # From end to end: widths and ranges from the same images.
    for label, calibration in zip(("KL, real images", "ZeroQ distilled", "KL, Gaussian noise"), CALIBRATIONS, strict=True):
        rows[f"all by {calibration} @ 3.0"] = subject.quantized(chosen[label, 3.0], calibration)
    return rows


def pruned(subject: Subject, epochs: int) -> dict[str, list[float]]:
    """Outcomes of pruning by each score, before and after fine-tuning, and the share of channels that the poorest layer kept."""
    folded, graph, seed = subject.folded, subject.graph, subject.seed
    hessian = hessian_scores(folded, channel_traces(subject.operator, seed, probes=16))
    sets = index_sets(graph)
    scores: dict[str, dict[str, Tensor]] = {
        "HAP": hessian,
        "HAP + implants": hessian,
        "magnitude": magnitude_scores(folded),
        "magnitude, per layer": {name: row / row.mean() for name, row in magnitude_scores(folded).items()},
        "random": random_scores(folded, sets, seed),
        "reversed HAP": {name: -row for name, row in hessian.items()},
    }
    rows: dict[str, list[float]] = {}
    whole = {node.name: node.shape[0] for node in graph.nodes}
    for ratio in RATIOS:
        for label in PRUNINGS:
            plan = plan_pruning(graph, sets, scores[label], ratio, implants=0.3 if "implants" in label else 0.0)
            model = pruned_network(subject.network, graph, sets, plan).eval()
            left = min(node.shape[0] / whole[node.name] for node in model.graph.nodes if node.name in whole)
            rows[f"{label} @ {ratio} before"] = [*subject.held.outcome(model), left]
            rows[f"{label} @ {ratio} after"] = [*subject.held.outcome(fit(model, subject.data, epochs, 2e-3, seed)), left]
    return rows


def cell(network: nn.Module, data: Data, seed: int, probed: int, tuning: int | None) -> dict[str, Any]:
    """Everything about one trained network; ``tuning``: epochs of fine-tuning after pruning, None: no pruning."""
    subject = Subject(network, data, seed, probed)
    tables, width = predicted(subject)
    loss, divergence = alone(subject)
    return {
        "float": subject.held.outcome(network),
        "half width": width,
        "spearman, loss": correlations(tables, loss),
        "spearman, KL": correlations(tables, divergence),
        "mixed": mixed(subject, tables),
        "pruned": pruned(subject, tuning) if tuning else {},
    }


def significant(value: Any, digits: int = 5) -> Any:
    """``value`` with every number rounded to so many significant digits."""
    if isinstance(value, float):
        return float(f"{value:.{digits}g}")
    if isinstance(value, dict):
        return {key: significant(each, digits) for key, each in value.items()}
    return [significant(each, digits) for each in value] if isinstance(value, Sequence) and not isinstance(value, str) else value
