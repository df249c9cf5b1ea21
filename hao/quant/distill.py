"""Images from a network's own batch-normalization statistics (ZeroQ, arXiv 2001.00281): calibration without data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from hao.errors import QuantizationError
from hao.frontend.float_graph import FloatGraph
from hao.quant.state import Kept, resume_training, training_state

_EPSILON = 1e-6


@dataclass(frozen=True, slots=True)
class Distilling:
    """Settings of the optimization; the released code's.

    Attributes:
        count: images.
        iterations: steps of Adam.
        rate: at the start; a tenth of it after ``patience`` steps without progress.
        patience: steps.
        input_statistics: hold the image itself to mean 0 and deviation 1; None: where the graph subtracts a mean.
        seed: of the noise that the images start from.
    """

    count: int = 32
    iterations: int = 500
    rate: float = 0.5
    patience: int = 100
    input_statistics: bool | None = None
    seed: int = 0


def distilled_images(
    source: nn.Module, graph: FloatGraph, rule: Distilling | None = None, listen: Callable[[str, int, int], None] | None = None,
    kept: Kept | None = None,
) -> Tensor:  # fmt: skip
    """Normalized images ``(count, C, H, W)`` whose statistics in front of every batch normalization are the stored ones.

    Minimizes the squared distance of means and standard deviations (over images and pixels), as ZeroQ; in difference to
    its code the images stay within what bytes can express, so that quantized networks can be fed with them.

    Args:
        source, graph: the float model, not changed, and what the front end read from it.
        rule: settings.
        listen: told of ``(what, step, steps)``.
        kept: the state of an earlier, interrupted call with the same arguments, and where this one's goes.

    Raises:
        QuantizationError: the network has no batch normalization with statistics.
    """
    chosen = rule or Distilling()
    norms = [source.get_submodule(node.norm) for node in graph.nodes if node.norm]
    if not norms:
        layers = [node.name for node in graph.nodes if node.kind in ("conv", "deform")]
        raise QuantizationError(
            f"{graph.name} has no batch normalization: none behind layer {layers[0] if layers else ''!r} nor any other",
            "data-free calibration needs its statistics: give images, or import the network before folding",
        )
    parameter = next(source.parameters())
    shape = graph.nodes[0].shape
    generator = torch.Generator().manual_seed(chosen.seed)
    x = torch.randn((chosen.count, *shape), generator=generator).to(parameter.device, parameter.dtype).requires_grad_()
    mean = torch.tensor(graph.mean, device=x.device, dtype=x.dtype)[:, None, None]
    std = torch.tensor(graph.std, device=x.device, dtype=x.dtype)[:, None, None]
    low, high = -mean / std, (255 - mean) / std
    on_input = any(graph.mean) if chosen.input_statistics is None else chosen.input_statistics
    optimizer = torch.optim.Adam([x], lr=chosen.rate)
    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=chosen.patience, min_lr=1e-4)
    state = kept.load() if kept else None
    if state:
        resume_training(state, x, optimizer, schedule)
    with _Watch(source, norms) as watch:
        for step in range(state[1]["step"] if state else 0, chosen.iterations):
            optimizer.zero_grad()
            bounded = x.clamp(low, high)
            watch.seen.clear()
            source(bounded)
            loss = sum((distance(value, norm) for norm, value in watch.seen.items()), torch.zeros((), device=x.device, dtype=x.dtype))
            if on_input:
                loss = loss + (bounded.mean((0, 2, 3)) ** 2 + (bounded.std((0, 2, 3)) - 1) ** 2).sum()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            with torch.no_grad():
                x.clamp_(low, high)
            schedule.step(float(loss.detach()))
            if kept and (kept.due() or step + 1 == chosen.iterations):
                tensors, facts = training_state(x, optimizer, schedule)
                kept.save(tensors, facts | {"step": step + 1})
            if listen:
                listen("distilling", step + 1, chosen.iterations)
    return x.detach()


def distance(value: Tensor, norm: nn.Module) -> Tensor:
    """Squared distance of a batch's means and deviations, ``(N, C, H, W)``, to those that ``norm`` stores."""
    mean, variance = value.mean((0, 2, 3)), value.var((0, 2, 3), unbiased=False)
    wanted_mean, wanted_variance = norm.running_mean, norm.running_var
    assert isinstance(wanted_mean, Tensor) and isinstance(wanted_variance, Tensor)  # the front end checked it
    deviation = torch.sqrt(variance + _EPSILON) - torch.sqrt(wanted_variance + _EPSILON)
    return (mean - wanted_mean).square().sum() + deviation.square().sum()


class _Watch:
    """Keeps what the normalizations of a frozen model read."""

    def __init__(self, source: nn.Module, norms: list[nn.Module]) -> None:
        self.source, self.norms = source, norms
        self.seen: dict[nn.Module, Tensor] = {}

    def __enter__(self) -> _Watch:
        self._training = self.source.training
        self._wanted = [(parameter, parameter.requires_grad) for parameter in self.source.parameters()]
        self.source.eval()
        for parameter, _ in self._wanted:
            parameter.requires_grad_(False)
        self._hooks = [norm.register_forward_pre_hook(self._note) for norm in self.norms]
        return self

    def _note(self, module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        self.seen[module] = inputs[0]

    def __exit__(self, *_: object) -> None:
        for hook in self._hooks:
            hook.remove()
        for parameter, wanted in self._wanted:
            parameter.requires_grad_(wanted)
        self.source.train(self._training)
