"""From a float network to the widths of its layers, by name of the method: what ``hao quantize`` and the search call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from hao.errors import QuantizationError
from hao.quant.allocate import Caps, Cycles, Setting, best_within, frontier, integer_program
from hao.quant.folded import Batches, FoldedNetwork, Loss, cross_entropy
from hao.quant.hessian import Eigenvalue, Probing, Progress, Trace, WeightHessian, hutchinson, power_iteration
from hao.quant.sensitivity import Costs, costs, kl_sensitivities, omega, squared_errors
from hao.quant.state import Samples, kept, load_samples, save_samples

METHODS = ("uniform", "hawq", "hawq2", "hawq3", "zeroq")
_BATCH = 64
_RESOLUTION = 4000


@dataclass(frozen=True, slots=True)
class Choice:
    """Widths and what they rest on.

    Attributes:
        bits: by layer.
        sensitivity: by layer and width; empty for uniform widths.
        price: size and bit operations.
        frontier: Pareto frontier over size, where the method has one.
        traces, eigenvalues: of the Hessian, where the method takes them.
        solve_seconds: of the integer program.
    """

    bits: dict[str, int]
    price: Costs
    sensitivity: dict[str, dict[int, float]] = field(default_factory=dict)
    frontier: tuple[Setting, ...] = ()
    traces: tuple[Trace, ...] = ()
    eigenvalues: tuple[Eigenvalue, ...] = ()
    solve_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """What to choose by.

    Attributes:
        method: of ``METHODS``: ``hawq`` (largest eigenvalue) and ``hawq2`` (average trace) with the Pareto frontier, ``hawq3``
            (average trace) with the integer program, ``zeroq`` (divergence) with the frontier by dynamic programming.
        menu: widths to choose from; the first is that of ``uniform``.
        caps: limits; methods with a frontier take size alone.
        ties: layers that share a width.
        activation_bits: for bit operations.
        probing: of traces.
    """

    method: str
    menu: tuple[int, ...]
    caps: Caps = field(default_factory=Caps)
    ties: tuple[tuple[str, ...], ...] = ()
    activation_bits: int = 8
    probing: Probing = field(default_factory=Probing)


def fidelity(outputs: Tensor | tuple[Tensor, ...], targets: Tensor) -> Tensor:
    """Loss without labels: squared distance of all results, flattened ``(N, values)``, to ``targets``, over their variance."""
    found = flattened(outputs)
    return (found - targets).square().mean() / targets.var().clamp(min=1e-12)


def flattened(outputs: Tensor | tuple[Tensor, ...]) -> Tensor:
    """All results of a batch side by side, ``(N, values)``."""
    return torch.cat([each.flatten(1) for each in ((outputs,) if isinstance(outputs, Tensor) else outputs)], 1)


def with_targets(network: FoldedNetwork, images: Tensor, labels: Tensor | None) -> tuple[Batches, Loss]:
    """Batches with their targets, and the loss: cross entropy where there are labels, else :func:`fidelity` to the float results."""
    batches: list[tuple[Tensor, Tensor]] = []
    for start in range(0, len(images), _BATCH):
        part = images[start : start + _BATCH]
        with torch.no_grad():
            batches.append((part, flattened(network(part)) if labels is None else labels[start : start + _BATCH]))
    return batches, fidelity if labels is None else cross_entropy


def choose_widths(
    network: FoldedNetwork,
    images: Tensor,
    labels: Tensor | None,
    question: Question,
    *,
    cycles: Cycles | None = None,
    work: Path | None = None,
    listen: Progress | None = None,
) -> Choice:
    """Choose the width of every layer.

    Args:
        network: the float network, folded.
        images: normalized ``(N, C, H, W)``.
        labels: ``(N,)`` class numbers, or None.
        question: method, menu and caps.
        cycles: latency per layer and width, for a cap on cycles.
        work: folder for what an interrupted run has computed.
        listen: told of progress.

    Raises:
        QuantizationError: no such method, a width that weights cannot have, caps that cannot be met, no images.
    """
    price = costs(network, question.menu, question.activation_bits)
    if question.method == "uniform":
        return Choice(dict.fromkeys(network.weights, question.menu[0]), price)
    if question.method not in METHODS:
        raise QuantizationError(f"there is no method {question.method!r}", f"one of {', '.join(METHODS)}")
    if question.method != "hawq3" and (question.caps.size is None or question.caps.bops or question.caps.cycles):
        raise QuantizationError(f"method {question.method!r} takes a cap on size alone", "give an average width, or use hawq3")
    if question.method != "hawq3":
        _fits(price, question)
    found = _measured(network, images, labels, question, work, listen)
    if question.method == "hawq3":
        answer = integer_program(found.sensitivity, price.size, price.bops, question.caps, cycles=cycles, ties=question.ties)
        return Choice(answer.bits, price, found.sensitivity, (), found.traces, found.eigenvalues, answer.seconds)
    resolution = sum(max(row.values()) for row in price.size.values()) // _RESOLUTION
    settings = frontier(found.sensitivity, price.size, question.ties, resolution if len(price.size) > 20 else 0)
    bits = best_within(settings, question.caps.size or 0).bits
    return Choice(bits, price, found.sensitivity, tuple(settings), found.traces, found.eigenvalues)


def _fits(price: Costs, question: Question) -> None:
    """Before anything is measured: the smallest widths are within the cap on size (the integer program says so itself)."""
    least = {name: min(row.values()) for name, row in price.size.items()}
    needed, cap = sum(least.values()), question.caps.size or 0
    if needed > cap:
        worst = max(least, key=lambda name: least[name])
        raise QuantizationError(
            f"the cap on size, {cap:g} bits, cannot be met: the smallest widths need {needed:g}, "
            f"most of it layer {worst!r} with {least[worst]:g}",
            "raise the cap, or offer smaller widths",
        )


@dataclass(frozen=True, slots=True)
class _Measured:
    sensitivity: dict[str, dict[int, float]]
    traces: tuple[Trace, ...] = ()
    eigenvalues: tuple[Eigenvalue, ...] = ()


def _measured(
    network: FoldedNetwork, images: Tensor, labels: Tensor | None, question: Question, work: Path | None, listen: Progress | None
) -> _Measured:  # fmt: skip
    if not len(images):
        raise QuantizationError("there are no images to measure sensitivity on", "give pictures, or --data-free")
    own = (*network.weights.values(), *network.biases.values())
    if question.method == "zeroq":
        file = kept(work, "divergences", (*own, images), question.menu, tuple(network.weights))
        return _Measured(kl_sensitivities(network, _split(images), question.menu, listen, file))
    batches, loss = with_targets(network, images, labels)
    operator = WeightHessian(network, batches, loss)
    errors = squared_errors(network, question.menu)
    parts = (*own, *(part for batch in batches for part in batch))
    if question.method == "hawq":
        file = kept(work, "eigenvalues", parts, question.probing.seed, tuple(network.weights))
        top = power_iteration(operator, seed=question.probing.seed, listen=listen, kept=file)
        table = {row.name: {bits: max(row.value, 0.0) / row.size * error for bits, error in errors[row.name].items()} for row in top}
        return _Measured(table, (), tuple(top))
    file = kept(work, "traces", parts, question.probing, tuple(network.weights))
    if file is None:
        return _Measured(omega(traces := hutchinson(operator, question.probing, listen=listen), errors), tuple(traces))
    seen: dict[str, Samples] = {}

    def save(samples: Mapping[str, Samples]) -> None:
        seen.update(samples)
        if file.due():
            save_samples(file, samples)

    traces = hutchinson(operator, question.probing, done=load_samples(file), save=save, listen=listen)
    if seen:
        save_samples(file, seen)
    return _Measured(omega(traces, errors), tuple(traces))


def _split(images: Tensor) -> Sequence[Tensor]:
    return [images[start : start + _BATCH] for start in range(0, len(images), _BATCH)]
