"""Training for the architecture search: the supernet in epochs that can be interrupted, single networks, their quantization."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from hao.errors import CheckpointError, EngineMismatch, TrainingError, UsageError
from hao.files import regular
from hao.frontend.torch_import import from_torch
from hao.ir.graph import Graph
from hao.ir.reference import execute
from hao.models.searchable import Architecture, Searchable
from hao.models.supernet import Supernet
from hao.nas.corpus import Corpus, Part
from hao.nas.curriculum import Curriculum
from hao.quant.calibrate import calibrate
from hao.quant.config import QuantConfig
from hao.quant.export import to_integer
from hao.quant.integer import IntegerNetwork
from hao.quant.model import QuantModel

Tell: TypeAlias = Callable[[str, int, int], None]
"""Called with what is done, how much of it, and of how much."""
SUPERNET = "supernet"
_BATCH, _SMOOTHING, _DECAY = 128, 0.05, 0.02
_RATE, _ALONE_RATE, _INHERITED_RATE, _QUANTIZED_RATE = 4e-3, 1e-2, 3e-3, 2e-3
_EVERY, _CALIBRATED, _STATISTICS = 5, 512, 512
_MOMENTS = ("exp_avg", "exp_avg_sq", "step")
_NAMED, _REFERENCE = 256, 8
"""Pictures that the integer network names at once, and how many of a part the reference computes too."""


@dataclass(frozen=True, slots=True)
class Lessons:
    """How everything is trained.

    Attributes:
        supernet, alone, quantized: epochs of the supernet, of a network alone, and of its quantization-aware training behind them.
        warm: of the supernet's epochs, those at the beginning in which its widest dense member learns alone; with 0 the sandwich rule
            holds throughout (see :mod:`hao.nas.curriculum`).
        rate: of the supernet's training at its beginning.
        batch: pictures of a step.
        bfloat16: convolutions and matrix products of float training in bfloat16; quantization-aware training is in float32 always.
        inherit: finalists begin with the supernet's weights instead of random ones.
    """

    supernet: int = 120
    alone: int = 60
    quantized: int = 20
    batch: int = _BATCH
    bfloat16: bool = False
    inherit: bool = False
    warm: int = 0
    rate: float = _RATE


def check_device(name: str) -> str:
    """``name`` where PyTorch can compute on it.

    Raises:
        UsageError: it cannot.
    """
    try:
        torch.empty(1, device=name)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        said = str(error).splitlines()[0]
        raise UsageError(f"PyTorch cannot compute on {name!r}: {said}", "give --device cpu, or cuda where there is a GPU") from error
    return name


def _turned(images: Tensor, views: int, generator: torch.Generator) -> Tensor:
    """A batch ``(N, C, H, W)`` in one of ``views`` (see :class:`Corpus`), drawn."""
    if views == 1:
        return images
    view = int(torch.randint(0, views, (1,), generator=generator))
    mirrored = images.flip(3) if view % 2 else images
    return torch.rot90(mirrored, view // 2, (2, 3))


def _moved(images: Tensor, most: int, generator: torch.Generator) -> Tensor:
    """A batch moved by up to ``most`` pixels either way, zeros behind it."""
    if most == 0:
        return images
    height, width = images.shape[2:]
    dy, dx = (int(each) for each in torch.randint(0, 2 * most + 1, (2,), generator=generator))
    return functional.pad(images, (most, most, most, most))[:, :, dy : dy + height, dx : dx + width]


def _lanes(images: Tensor) -> Tensor:
    """Channels beside one another in memory: convolutions take about half the time on a processor."""
    return images.contiguous(memory_format=torch.channels_last)


def _batches(corpus: Corpus, part: Part, size: int, generator: torch.Generator, device: str) -> Iterator[tuple[Tensor, Tensor]]:
    order = torch.randperm(len(part), generator=generator).numpy()
    size = min(size, len(order))
    for start in range(0, len(order) - size + 1, size):
        rows = order[start : start + size]
        images = _turned(corpus.normalized(part.images[rows], device), corpus.views, generator)
        yield _lanes(_moved(images, corpus.shift, generator)), torch.from_numpy(part.labels[rows]).to(device)


def _loss(logits: Tensor, labels: Tensor, where: str) -> Tensor:
    loss = functional.cross_entropy(logits.float().flatten(1), labels, label_smoothing=_SMOOTHING)
    if not bool(torch.isfinite(loss)):
        raise TrainingError(f"the loss is not finite in {where}", "start again with another --seed")
    return loss


def _cosine(rate: float, done: int, total: int) -> float:
    return rate * 0.5 * (1 + float(np.cos(np.pi * done / max(total, 1))))


def _save(path: Path, net: Supernet, optimizer: torch.optim.Optimizer, epoch: int, key: str) -> None:
    content = {f"net.{name}": value.detach().cpu().contiguous() for name, value in net.named_parameters()}
    for name, value in net.named_parameters():
        state = optimizer.state.get(value, {})
        kept = {kind: state[kind].detach().cpu() for kind in _MOMENTS if kind in state}
        content |= {f"{kind}.{name}": moment.clone(memory_format=torch.contiguous_format) for kind, moment in kept.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    save_file(content, partial, {"epoch": str(epoch), "key": key})
    partial.replace(path)


def _restore(path: Path, net: Supernet, optimizer: torch.optim.Optimizer | None, key: str) -> int:
    hint = f"delete {path} to train it again"
    try:
        with safe_open(regular(path), "pt") as file:
            about = file.metadata() or {}
            content = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        epoch = int(about["epoch"])
        if key and about["key"] != key:
            raise CheckpointError(f"{path} is of another search", hint)
        with torch.no_grad():
            for name, value in net.named_parameters():
                value.copy_(content[f"net.{name}"])
                moments = {kind: content[f"{kind}.{name}"] for kind in _MOMENTS if f"{kind}.{name}" in content}
                if moments and optimizer is not None:
                    where = {kind: "cpu" if kind == "step" else value.device for kind in moments}
                    optimizer.state[value] = {kind: moment.to(where[kind]) for kind, moment in moments.items()}
    except (OSError, SafetensorError, KeyError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"{path} cannot be used: {error}", hint) from error
    return epoch


def new_supernet(corpus: Corpus, seed: int) -> Supernet:
    """The supernet of a task, untrained."""
    torch.manual_seed(seed)
    return Supernet(corpus.family)


def load_supernet(path: Path, corpus: Corpus) -> Supernet:
    """A trained supernet, on the processor.

    Raises:
        CheckpointError: the checkpoint is damaged, or of another kind of pictures.
    """
    net = new_supernet(corpus, 0)
    _restore(path, net, None, "")
    return net


def train_supernet(
    corpus: Corpus, lessons: Lessons, seed: int, path: Path, key: str, tell: Tell, device: str = "cpu"
) -> Supernet:  # fmt: skip
    """Train the supernet, or go on from where ``path`` stands: on the processor the result is the same to the last bit.

    Args:
        corpus: its training part is read alone.
        lessons: epochs in all, pictures of a step.
        seed: of weights, members, order and shifts.
        path: checkpoint, written every few epochs and at the end.
        key: identity of the search; a checkpoint of another one is refused.
        tell: told about epochs.
        device: of PyTorch.

    Raises:
        CheckpointError: the checkpoint is damaged or of another search.
        TrainingError: the loss is no longer finite.
    """
    net, epochs = new_supernet(corpus, seed), lessons.supernet
    net.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(net.parameters(), lr=_RATE, weight_decay=_DECAY)
    done = _restore(path, net, optimizer, key) if path.exists() else 0
    curriculum = Curriculum(corpus.family, epochs, lessons.warm)
    steps = max(1, len(corpus.train) // lessons.batch)
    for epoch in range(done, epochs):
        tell(SUPERNET, epoch, epochs)
        generator = torch.Generator().manual_seed(seed * 100_003 + epoch)
        chance = random.Random(f"{seed}-{epoch}")
        for step, (images, labels) in enumerate(_batches(corpus, corpus.train, lessons.batch, generator, device)):
            for group in optimizer.param_groups:
                group["lr"] = _cosine(lessons.rate, epoch * steps + step, epochs * steps)
            optimizer.zero_grad()
            for member in curriculum.draw(epoch, chance):
                with torch.autocast(images.device.type, torch.bfloat16, lessons.bfloat16):
                    logits = net(images, member)
                _loss(logits, labels, f"epoch {epoch} of the supernet").backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        if epoch % _EVERY == _EVERY - 1 or epoch == epochs - 1:
            _save(path, net, optimizer, epoch + 1, key)
    tell(SUPERNET, epochs, epochs)
    return net


@torch.no_grad()
def accuracy(network: nn.Module, corpus: Corpus, part: Part) -> float:
    """Percent of the pictures that a torch model names."""
    right, device = 0, str(next(network.parameters()).device)
    for start in range(0, len(part), 1024):
        logits = network(_lanes(corpus.normalized(part.images[start : start + 1024], device))).flatten(1)
        right += int((logits.argmax(1).cpu().numpy() == part.labels[start : start + 1024]).sum())
    return 100 * right / len(part)


class Inherited:
    """Accuracy of members with the supernet's weights, on the validation part; batch statistics are those of training pictures."""

    def __init__(self, net: Supernet, corpus: Corpus) -> None:
        self._net, self._corpus = net, corpus
        self._seen = _lanes(corpus.normalized(corpus.train.images[:_STATISTICS], str(next(net.parameters()).device)))

    def network(self, member: Architecture) -> Searchable:
        """The member with the supernet's weights, where that is."""
        return self._net.inherit(member, self._seen)

    def accuracy(self, member: Architecture) -> float:
        """Percent."""
        return accuracy(self.network(member), self._corpus, self._corpus.valid)


def fit(
    network: nn.Module, corpus: Corpus, part: Part, epochs: int, rate: float, generator: torch.Generator, batch: int = _BATCH,
    bfloat16: bool = False,
) -> None:  # fmt: skip
    """AdamW with a cosine schedule, where the network is.

    Raises:
        TrainingError: the loss is no longer finite.
    """
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=_DECAY)
    steps, device = max(1, len(part) // batch), str(next(network.parameters()).device)
    network.train()
    for epoch in range(epochs):
        for step, (images, labels) in enumerate(_batches(corpus, part, batch, generator, device)):
            for group in optimizer.param_groups:
                group["lr"] = _cosine(rate, epoch * steps + step, epochs * steps)
            with torch.autocast(images.device.type, torch.bfloat16, bfloat16):
                logits = network(images)
            loss = _loss(logits, labels, f"epoch {epoch}")
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    network.eval()


def train_alone(
    member: Architecture, corpus: Corpus, part: Part, lessons: Lessons, seed: int, device: str = "cpu",
    begin: Searchable | None = None,
) -> tuple[QuantModel, Graph]:  # fmt: skip
    """A member from nothing, or from the weights of ``begin``: float training, calibration, quantization-aware training, integers.

    Returns:
        the quantized network and its integer graph.

    Raises:
        TrainingError: the loss is no longer finite.
    """
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    network = Searchable(member, corpus.family) if begin is None else begin
    network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    rate = _ALONE_RATE if begin is None else _INHERITED_RATE
    fit(network, corpus, part, lessons.alone, rate, generator, lessons.batch, lessons.bfloat16)
    network.cpu()  # what is read from it, and its ranges, are a matter of numbers on the processor
    example = corpus.normalized(part.images[:_CALIBRATED])
    read = from_torch(network, example, mean=corpus.mean, std=corpus.std, name=member.name)
    model = QuantModel(network, read, QuantConfig(weight_bits=member.bits))
    calibrate(model, [example])
    fit(model.to(device), corpus, part, lessons.quantized, _QUANTIZED_RATE, generator, lessons.batch)
    model.cpu()
    about: dict[str, Any] = {"model": member.name, "weights": "trained", "task": corpus.name, "bits": f"W{member.bits}A8"}
    about |= {"classes": list(corpus.names)} if corpus.names else {}
    return model, to_integer(model, member.name, about)


@torch.no_grad()
def integer_hits(graph: Graph, part: Part) -> int:
    """Pictures that an integer graph names: many at once, the first few by the reference too.

    Raises:
        EngineMismatch: the two disagree.
    """
    network, named = IntegerNetwork(graph), []
    for start in range(0, len(part), _NAMED):
        logits = network(torch.from_numpy(part.images[start : start + _NAMED]))[graph.outputs[0]].flatten(1)
        named.append(logits.argmax(1).numpy())
    found = np.concatenate(named)
    for image, name in zip(part.images[:_REFERENCE], found, strict=False):
        if int(execute(graph, image)[graph.outputs[0]].ravel().argmax()) != int(name):
            raise EngineMismatch(f"{graph.name}: the batched integer network disagrees with the reference", "this is a fault: report it")
    return int((found == part.labels).sum())
