"""Data, network and training of the study of sensitivities."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from hao.data.shapes64 import shapes64
from hao.train.digits import load_digits

FOLDS = 5
TRAIN_SHAPES, TEST_SHAPES = 12_000, 10_000
_SHAPES_MEAN, _SHAPES_STD = 110, 64.0
_BATCH = 64


@dataclass(frozen=True, slots=True)
class Data:
    """Normalized images and labels, to train on and held out; input is ``(u8 - mean) / std``."""

    train: tuple[Tensor, Tensor]
    test: tuple[Tensor, Tensor]
    classes: int
    mean: int
    std: float

    @property
    def channels(self) -> int:
        """Of an image."""
        return self.train[0].shape[1]

    def some(self, count: int, seed: int) -> tuple[Tensor, Tensor]:
        """``count`` training images, drawn by ``seed``, with their labels."""
        chosen = torch.randperm(len(self.train[0]), generator=torch.Generator().manual_seed(seed))[:count]
        chosen = chosen.to(self.device)
        return self.train[0][chosen], self.train[1][chosen]

    @property
    def device(self) -> torch.device:
        """Where images and labels are."""
        return self.train[0].device

    @property
    def layout(self) -> torch.memory_format:
        """Of images and weights: what the device convolves fastest in float32."""
        return torch.channels_last if self.channels > 1 and self.device.type == "cpu" else torch.contiguous_format

    def to(self, device: torch.device) -> Data:
        """The same on ``device``."""
        moved = [(images.to(device), labels.to(device)) for images, labels in (self.train, self.test)]
        if device.type != "cpu":
            moved = [(images.contiguous(), labels) for images, labels in moved]
        return replace(self, train=moved[0], test=moved[1])


class Small(nn.Module):
    """Nine layers with weights: a dense stem (pooled where ``stride`` is 2), a residual inverted block as in MobileNetV2, a depthwise
    separable one that halves the map and doubles the channels, a residual bottleneck of a dense 3x3 and a 1x1 layer, a classifier."""

    def __init__(self, channels: int, classes: int, width: int, stride: int) -> None:
        super().__init__()
        self.stem = _block(nn.Conv2d(channels, width, 3, stride, 1, bias=False))
        self.pool = nn.MaxPool2d(3, 2, 1) if stride > 1 else nn.Identity()
        self.first = _inverted(width)
        self.second = nn.Sequential(
            _block(nn.Conv2d(width, width, 3, 2, 1, groups=width, bias=False)), _block(nn.Conv2d(width, 2 * width, 1, bias=False))
        )
        self.third = nn.Sequential(
            _block(nn.Conv2d(2 * width, width, 3, 1, 1, bias=False)), _block(nn.Conv2d(width, 2 * width, 1, bias=False), relu=False)
        )
        self.linear = nn.Linear(2 * width, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(self.stem(x))
        x = x + self.first(x)
        x = self.second(x)
        x = x + self.third(x)
        return self.linear(x.mean((2, 3)))  # type: ignore[no-any-return]


def _block(layer: nn.Conv2d, *, relu: bool = True) -> nn.Sequential:
    return nn.Sequential(layer, nn.BatchNorm2d(layer.out_channels), *([nn.ReLU()] if relu else []))


def _inverted(width: int) -> nn.Sequential:
    wide = 2 * width
    return nn.Sequential(
        _block(nn.Conv2d(width, wide, 1, bias=False)),
        _block(nn.Conv2d(wide, wide, 3, 1, 1, groups=wide, bias=False)),
        _block(nn.Conv2d(wide, width, 1, bias=False), relu=False),
    )


def digits(seed: int, fold: int) -> Data:
    """Fold ``fold`` of all 1797 digits is held out; ``seed`` deals them into five folds."""
    whole = load_digits()
    order = np.random.default_rng([seed, FOLDS]).permutation(len(whole.train_labels) + len(whole.test_labels))
    images = np.concatenate([whole.train_images, whole.test_images])[order]
    x = _normalized(images, 0, 255.0)
    y = torch.from_numpy(np.concatenate([whole.train_labels, whole.test_labels])[order]).long()
    held = torch.arange(len(x)) % FOLDS == fold
    return Data((x[~held], y[~held]), (x[held], y[held]), 10, 0, 255.0)


def shapes(folder: Path, train: int = TRAIN_SHAPES, test: int = TEST_SHAPES) -> Data:
    """The first pictures of shapes64's training and test parts; all of the latter by default."""
    parts = []
    for split, count in (("train", train), ("test", test)):
        images, labels = shapes64(folder, split, count)  # type: ignore[arg-type]
        x = _normalized(images.transpose(0, 3, 1, 2), _SHAPES_MEAN, _SHAPES_STD)
        parts.append((x.contiguous(memory_format=torch.channels_last), torch.from_numpy(labels).long()))
    return Data(parts[0], parts[1], 20, _SHAPES_MEAN, _SHAPES_STD)


def _normalized(images: NDArray[np.uint8], mean: int, std: float) -> Tensor:
    return (torch.from_numpy(np.ascontiguousarray(images)).float() - mean) / std


def fit(model: nn.Module, data: Data, epochs: int, rate: float, seed: int) -> nn.Module:
    """Adam with a cosine schedule, batches of 64."""
    generator = torch.Generator().manual_seed(seed)
    x, y = data.train
    model.to(memory_format=data.layout)  # type: ignore[call-overload]
    optimizer = torch.optim.Adam(model.parameters(), rate, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(1, epochs * (len(x) // _BATCH)))
    model.train()
    for _ in range(epochs):
        order = torch.randperm(len(x), generator=generator).to(x.device)
        for start in range(0, len(x) - _BATCH + 1, _BATCH):
            chosen = order[start : start + _BATCH]
            optimizer.zero_grad()
            functional.cross_entropy(model(x[chosen]).flatten(1), y[chosen]).backward()
            optimizer.step()
            schedule.step()
    return model.eval()


class Held:
    """The held-out images and what the float network says of them: every outcome is measured here.

    Args:
        network: the float network.
        data: whose held-out part.
    """

    def __init__(self, network: nn.Module, data: Data) -> None:
        self.images, self.labels = data.test
        self.exact = self._logits(network).log_softmax(1)

    @torch.no_grad()
    def _logits(self, model: nn.Module, *arguments: object) -> Tensor:
        return torch.cat([model(part, *arguments).flatten(1) for part in self.images.split(500)]).double()

    def outcome(self, model: nn.Module, *arguments: object) -> list[float]:
        """Loss, KL to the float network, accuracy in percent; ``arguments`` follow the images."""
        rough = self._logits(model, *arguments).log_softmax(1)
        loss = functional.nll_loss(rough, self.labels)
        divergence = (self.exact.exp() * (self.exact - rough)).sum(1).mean()
        return [float(loss), float(divergence), float(100 * (rough.argmax(1) == self.labels).double().mean())]
