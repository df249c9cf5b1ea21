"""What a bit width costs in accuracy: perturbations Ω of HAWQ 1 and 2, KL of ZeroQ, the loss itself, and control orders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from hao.errors import QuantizationError
from hao.quant.folded import Batches, FoldedNetwork, Loss, macs
from hao.quant.hessian import Eigenvalue, Progress, Trace
from hao.quant.layers import best_clip, round_half_up
from hao.quant.state import Kept

Table = Mapping[str, Mapping[int, float]]
"""A figure for every layer and bit width."""
MENU = (2, 3, 4, 8)


def check_menu(menu: Sequence[int]) -> tuple[int, ...]:
    """The widths of a menu, sorted.

    Raises:
        QuantizationError: a width that weights cannot have, or none.
    """
    wrong = [bits for bits in menu if not 2 <= bits <= 8]
    if wrong or not menu:
        raise QuantizationError(f"{wrong[0] if wrong else 'no'} bits in the menu of weight widths", "weights have 2 to 8 bits")
    return tuple(sorted(set(menu)))


@torch.no_grad()
def rounded(weight: Tensor, bits: int, *, clip: bool = True) -> Tensor:
    """Weights ``(out, ...)`` rounded to ``bits``, symmetric, narrow, per output channel; ``clip`` at the least squared error.

    Calibration uses the same scales, except where the engine's format makes them larger (dead channels, huge biases).
    """
    ratio = best_clip(weight, bits) if clip else torch.ones(len(weight), device=weight.device, dtype=weight.dtype)
    largest = (1 << (bits - 1)) - 1
    step = (weight.abs().flatten(1).amax(1) * ratio / largest).clamp(min=1e-30).reshape(-1, *(1,) * (weight.ndim - 1))
    return torch.clamp(round_half_up(weight / step), -largest, largest) * step


def squared_errors(network: FoldedNetwork, menu: Sequence[int] = MENU, *, clip: bool = True) -> dict[str, dict[int, float]]:
    """``|Q_b(W) - W|^2`` of every layer's folded weights."""
    return {
        name: {bits: float((rounded(weight, bits, clip=clip) - weight).double().square().sum()) for bits in check_menu(menu)}
        for name, weight in network.weights.items()
    }


def omega(traces: Sequence[Trace], errors: Table) -> dict[str, dict[int, float]]:
    """HAWQ-V2's perturbation ``Tr(H) / n * |Q_b(W) - W|^2``; a trace below zero, whose network is at no optimum, counts as zero."""
    return {row.name: {bits: max(row.average, 0.0) * error for bits, error in errors[row.name].items()} for row in traces}


def precision_order(rows: Sequence[Eigenvalue]) -> list[str]:
    """HAWQ's order of precision, ``lambda / n`` descending: the first layers deserve the most bits."""
    return [row.name for row in sorted(rows, key=lambda row: -row.value / row.size)]


def tuning_order(rows: Sequence[Eigenvalue], errors: Table, bits: Mapping[str, int]) -> list[str]:
    """HAWQ's order of fine-tuning, ``lambda * |Q(W) - W|^2`` descending."""
    return [row.name for row in sorted(rows, key=lambda row: -row.value * errors[row.name][bits[row.name]])]


@torch.no_grad()
def loss_increases(
    network: FoldedNetwork, batches: Batches, loss: Loss, menu: Sequence[int] = MENU, *, clip: bool = True
) -> dict[str, dict[int, float]]:
    """What the loss really rises by when one layer alone is rounded."""
    before = network.mean_loss(batches, loss)
    return {
        name: {bits: network.mean_loss(batches, loss, {name: rounded(weight, bits, clip=clip)}) - before for bits in check_menu(menu)}
        for name, weight in network.weights.items()
    }


@torch.no_grad()
def kl_sensitivities(
    network: FoldedNetwork,
    batches: Sequence[Tensor],
    menu: Sequence[int] = MENU,
    listen: Progress | None = None,
    kept: Kept | None = None,
) -> dict[str, dict[int, float]]:
    """ZeroQ's sensitivity: mean over images of ``KL(M(x) || M_b(x))`` when one layer alone is rounded.

    Distributions are softmax over the channels of every pixel of every result, averaged over pixels, summed over results.
    ``kept`` holds the figures of an earlier, interrupted call with the same arguments, and takes this one's.
    """
    found: dict[str, dict[int, float]] = {name: dict.fromkeys(check_menu(menu), 0.0) for name in network.weights}
    state, done = kept.load() if kept else None, 0
    if state:
        done, rows = state[1]["done"], state[1]["rows"]
        found = {name: dict(zip(row, rows[name], strict=True)) for name, row in found.items()}
    count = sum(len(images) for images in batches)
    for part, images in enumerate(batches):
        if done >= (part + 1) * len(found):
            continue
        exact = _log_probabilities(network(images))
        for index, (name, weight) in enumerate(network.weights.items()):
            if done > part * len(found) + index:
                continue
            if listen:
                listen("divergences", part * len(found) + index + 1, len(batches) * len(found))
            for bits in found[name]:
                rough = _log_probabilities(network(images, {name: rounded(weight, bits)}))
                found[name][bits] += divergence(exact, rough) * len(images) / count
            last = part + 1 == len(batches) and index + 1 == len(found)
            if kept and (kept.due() or last):
                rows = {each: list(row.values()) for each, row in found.items()}
                kept.save({}, {"done": part * len(found) + index + 1, "rows": rows})
    return found


def divergence(exact: Sequence[Tensor], rough: Sequence[Tensor]) -> float:
    """Kullback-Leibler divergence of log-probabilities ``(N, classes, ...)``, averaged over images and pixels, summed over results."""
    return sum(float((p.exp() * (p - q)).sum(1).mean()) for p, q in zip(exact, rough, strict=True))


def _log_probabilities(outputs: Tensor | tuple[Tensor, ...]) -> list[Tensor]:
    return [functional.log_softmax(item.double(), 1) for item in ((outputs,) if isinstance(outputs, Tensor) else outputs)]


@dataclass(frozen=True, slots=True)
class Costs:
    """What widths cost, per layer and bit width.

    Attributes:
        size: bits of weights.
        bops: multiply-accumulates times weight bits times activation bits.
    """

    size: dict[str, dict[int, int]]
    bops: dict[str, dict[int, int]]


def costs(network: FoldedNetwork, menu: Sequence[int] = MENU, activation_bits: int = 8) -> Costs:
    """Size and BOPS of every layer at every width (HAWQ-V3)."""
    widths, work = check_menu(menu), macs(network.graph)
    size = {name: {bits: weight.numel() * bits for bits in widths} for name, weight in network.weights.items()}
    return Costs(size, {name: {bits: work[name] * bits * activation_bits for bits in widths} for name in network.weights})


ORDERS = ("random", "parameters", "weight norm")


def control(network: FoldedNetwork, errors: Table, kind: str, seed: int = 0) -> dict[str, dict[int, float]]:
    """Perturbations whose weight per layer is no Hessian, to hold Ω against.

    Args:
        network, errors: as for :func:`omega`.
        kind: ``random`` (log-normal), ``parameters`` (fewer parameters, more sensitive: ``1 / n``), ``weight norm``
            (``1 / |W|^2``: relative error).
        seed: of the random kind.

    Raises:
        QuantizationError: no such kind.
    """
    rng = np.random.default_rng(seed)
    found = {}
    for name, weight in network.weights.items():
        match kind:
            case "random":
                factor = float(np.exp(2 * rng.standard_normal()))
            case "parameters":
                factor = 1 / weight.numel()
            case "weight norm":
                factor = 1 / float(weight.double().square().sum())
            case _:
                raise QuantizationError(f"there is no control order {kind!r}", f"one of {', '.join(ORDERS)}")
        found[name] = {bits: factor * error for bits, error in errors[name].items()}
    return found


def reverse(sensitivity: Table) -> dict[str, dict[int, float]]:
    """The control that must lose: each layer gets the figures of the layer at the opposite end of the order.

    Layers are ordered by their figure at the smallest width; the shares between widths stay a layer's own.
    """
    lowest = {name: min(row) for name, row in sensitivity.items()}
    order = sorted(sensitivity, key=lambda name: sensitivity[name][lowest[name]])
    opposite = dict(zip(order, reversed(order), strict=True))
    tiny = np.finfo(np.float64).tiny
    return {
        name: {
            bits: value / max(row[lowest[name]], tiny) * sensitivity[opposite[name]][lowest[opposite[name]]] for bits, value in row.items()
        }
        for name, row in sensitivity.items()
    }
