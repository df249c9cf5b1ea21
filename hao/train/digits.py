"""Trains Spark on scikit-learn's digits, quantizes it and writes it for the zoo; takes well under a minute.

``python -m hao.train.digits FOLDER`` writes ``digits-w4a8.safetensors``, its card and the held-out digits.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import torch
import typer
from safetensors.numpy import save
from torch import Tensor, nn
from torch.nn import functional

from hao.errors import MissingTool, TrainingError
from hao.frontend.torch_import import from_torch
from hao.ir.graph import Graph
from hao.ir.reference import execute
from hao.ir.serialize import network_digest, save_graph
from hao.models.digits import IMAGE_STD, Spark
from hao.quant.calibrate import calibrate
from hao.quant.config import QuantConfig
from hao.quant.export import to_integer
from hao.quant.hessian import Progress
from hao.quant.model import QuantModel
from hao.quant.state import Kept, resume_training, training_state

NAME = "digits-w4a8"
TEST_DIGITS = 360
_BATCH = 64
_LEVELS = 15
"""The data set's pixels run from 0 to 16; times 15 they fill a byte to 240."""


@dataclass(frozen=True, slots=True)
class Digits:
    """Pictures ``(N, 1, 8, 8)`` as unsigned bytes, and labels ``(N,)``, split once and for all."""

    train_images: npt.NDArray[np.uint8]
    train_labels: npt.NDArray[np.int32]
    test_images: npt.NDArray[np.uint8]
    test_labels: npt.NDArray[np.int32]


def load_digits() -> Digits:
    """The data set, shuffled by a fixed permutation; the last ``TEST_DIGITS`` are held out.

    Raises:
        MissingTool: scikit-learn is not installed.
    """
    try:
        from sklearn import datasets
    except ImportError as error:
        raise MissingTool("scikit-learn is not installed", "pip install 'hao[train]'") from error
    bunch = datasets.load_digits()
    order = np.random.default_rng(2021).permutation(len(bunch.target))
    images = (bunch.images * _LEVELS).astype(np.uint8)[order][:, None]
    labels = bunch.target.astype(np.int32)[order]
    cut = len(order) - TEST_DIGITS
    return Digits(images[:cut], labels[:cut], images[cut:], labels[cut:])


def normalize(images: npt.NDArray[np.uint8]) -> Tensor:
    """Bytes to the network's input."""
    return torch.from_numpy(images.astype(np.float32) / np.float32(IMAGE_STD))


def train(
    model: nn.Module,
    digits: Digits,
    epochs: int,
    rate: float,
    generator: torch.Generator,
    batch: int = _BATCH,
    *,
    kept: Kept | None = None,
    listen: Progress | None = None,
) -> None:
    """AdamW with a cosine schedule, ``batch`` pictures a step; pictures are shifted by up to one pixel.

    Args:
        model: where its first parameter is, training runs.
        digits: the data set.
        epochs, rate: of the schedule.
        generator: of order and shifts.
        batch: pictures a step.
        kept: the state of an earlier, interrupted call with the same arguments, and where this one's goes.
        listen: told of progress.

    Raises:
        TrainingError: the loss is no longer finite.
    """
    device = next(model.parameters()).device
    images, labels = normalize(digits.train_images).to(device), torch.from_numpy(digits.train_labels).long().to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.02)
    steps = epochs * (len(images) // batch)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    model.train()
    state = kept.load() if kept else None
    if state:
        resume_training(state, model, optimizer, schedule, generator)
    for epoch in range(state[1]["epoch"] if state else 0, epochs):
        order = torch.randperm(len(images), generator=generator).to(device)
        for start in range(0, len(images) - batch + 1, batch):
            chosen = order[start : start + batch]
            dy, dx = (int(value) for value in torch.randint(0, 3, (2,), generator=generator))
            shifted = functional.pad(images[chosen], (1, 1, 1, 1))[:, :, dy : dy + 8, dx : dx + 8]
            loss = functional.cross_entropy(model(shifted).flatten(1), labels[chosen], label_smoothing=0.05)
            if not bool(torch.isfinite(loss)):
                raise TrainingError(f"the loss is {float(loss)} in epoch {epoch}", "lower the rate")
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
        if listen:
            listen("training", epoch + 1, epochs)
        if kept and (kept.due() or epoch + 1 == epochs):
            tensors, facts = training_state(model, optimizer, schedule, generator)
            kept.save(tensors, facts | {"epoch": epoch + 1})
    model.eval()


@torch.no_grad()
def accuracy(model: nn.Module, images: npt.NDArray[np.uint8], labels: npt.NDArray[np.int32]) -> float:
    """Percent of pictures that a torch model names."""
    named = model(normalize(images)).flatten(1).argmax(1).numpy()
    return float(100 * (named == labels).mean())


def integer_accuracy(graph: Graph, images: npt.NDArray[np.uint8], labels: npt.NDArray[np.int32]) -> float:
    """Percent of pictures that an integer graph names, on the reference."""
    named = np.array([execute(graph, image)[graph.outputs[0]].ravel().argmax() for image in images])
    return float(100 * (named == labels).mean())


def make(seed: int = 1, float_epochs: int = 60, quantized_epochs: int = 30) -> tuple[Spark, QuantModel, Graph, dict[str, Any]]:
    """Train, quantize, train on, convert.

    Returns:
        the float network (its weights moved on with the quantized one), the quantized one, the integer graph, its card.
    """
    digits = load_digits()
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    network = Spark()
    train(network, digits, float_epochs, 4e-3, generator)
    reached = {"float": accuracy(network, digits.test_images, digits.test_labels)}
    example = normalize(digits.train_images)
    model = QuantModel(network, from_torch(network, example, std=(IMAGE_STD,), name=NAME), QuantConfig(weight_bits=4))
    calibrate(model, [example[:512]])
    reached["post_training"] = accuracy(model, digits.test_images, digits.test_labels)
    train(model, digits, quantized_epochs, 1e-3, generator)
    graph = to_integer(model, NAME, {"model": "spark", "weights": "trained", "bits": "W4A8"})
    reached["integer"] = integer_accuracy(graph, digits.test_images, digits.test_labels)
    return network, model, graph, _card(graph, seed, reached, (float_epochs, quantized_epochs))


def _card(graph: Graph, seed: int, reached: dict[str, float], epochs: tuple[int, int]) -> dict[str, Any]:
    return {
        "name": NAME,
        "task": "classify 8x8 handwritten digits, ten classes",
        "network": "hao.models.digits.Spark",
        "digest": network_digest(graph),
        "bits": "weights 4 (first and last layer 8), activations 8",
        "input": "one channel, unsigned bytes: the data set's pixels (0 to 16) times 15",
        "data": "scikit-learn's digits: the test part of UCI's Optical Recognition of Handwritten Digits (Alpaydin, Kaynak; CC BY 4.0)",
        "split": f"permutation of seed 2021; the last {TEST_DIGITS} of 1797 are held out and were read once",
        "training": f"{epochs[0]} epochs float, then {epochs[1]} quantization-aware, AdamW, seed {seed}, shifts by one pixel",
        "test_accuracy_percent": {key: round(value, 2) for key, value in reached.items()},
        "samples": "digits-test.safetensors",
        "command": "python -m hao.train.digits hao/models/zoo",
    }


def main(folder: Annotated[Path, typer.Argument(help="where the three files go")], seed: int = 1) -> None:
    """Train Spark and write it with its card and the held-out digits."""
    # Tensors this small are computed faster by one thread than handed around.
    torch.set_num_threads(1)
    _, _, graph, card = make(seed)
    digits = load_digits()
    save_graph(graph, folder / f"{NAME}.safetensors")
    held_out: dict[str, npt.NDArray[Any]] = {"images": digits.test_images, "labels": digits.test_labels}
    for name, content in (
        (card["samples"], save(held_out)),
        (f"{NAME}.json", (json.dumps(card, indent=1) + "\n").encode()),
    ):
        partial = folder / f"{name}.partial"
        partial.write_bytes(content)
        partial.replace(folder / name)
    typer.echo(json.dumps(card["test_accuracy_percent"]))


if __name__ == "__main__":
    typer.run(main)
