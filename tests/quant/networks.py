"""Float networks for the tests of front end and quantization."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hao.models.codenet import IMAGE_MEAN, IMAGE_STD, build
from hao.models.digits import Spark

MEANS: dict[str, tuple[tuple[int, ...], tuple[float, ...]]] = {
    "codenet": (IMAGE_MEAN, IMAGE_STD),
    "mobilenet": ((124, 116, 104), (58.4, 57.1, 57.4)),
    "spark": ((), ()),
}


class Inverted(nn.Module):
    """MobileNetV2's block: expand, depthwise, project without activation, residual addition where shapes allow it."""

    def __init__(self, channels: int, out: int, stride: int) -> None:
        super().__init__()
        wide = 3 * channels
        self.layers = nn.Sequential(
            nn.Conv2d(channels, wide, 1, bias=False),
            nn.BatchNorm2d(wide),
            nn.ReLU6(inplace=True),
            nn.Conv2d(wide, wide, 3, stride, 1, groups=wide, bias=False),
            nn.BatchNorm2d(wide),
            nn.ReLU6(inplace=True),
            nn.Conv2d(wide, out, 1, bias=False),
            nn.BatchNorm2d(out),
        )
        self.residual = stride == 1 and channels == out

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x) if self.residual else self.layers(x)


class MobileNet(nn.Module):
    """Small MobileNetV2: odd widths, residual additions, global pooling, dropout, linear."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 10, 3, 2, 1, bias=False), nn.BatchNorm2d(10), nn.ReLU6(inplace=True))
        self.blocks = nn.Sequential(Inverted(10, 14, 1), Inverted(14, 14, 1), Inverted(14, 22, 2), Inverted(22, 22, 1))
        self.last = nn.Sequential(nn.Conv2d(22, 40, 1, bias=False), nn.BatchNorm2d(40), nn.ReLU6(inplace=True))
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(40, 7))

    def forward(self, x: Tensor) -> Tensor:
        x = self.last(self.blocks(self.stem(x)))
        return self.classifier(x.mean([2, 3]))


def images(name: str, count: int, seed: int = 0) -> Tensor:
    """Normalized images whose bytes are smooth plus noise."""
    size, channels = {"codenet": (64, 3), "mobilenet": (33, 3), "spark": (8, 1)}[name]
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.randint(0, 256, (count, channels, 4, 4), generator=generator).float()
    smooth = nn.functional.interpolate(coarse, size=size, mode="bilinear")
    raw = (smooth + 15 * torch.randn(smooth.shape, generator=generator)).clamp(0, 255).round()
    mean, std = (torch.tensor(values or (default,) * channels).float() for values, default in zip(MEANS[name], (0, 255), strict=True))
    return (raw - mean[:, None, None]) / std[:, None, None]


def network(name: str, seed: int = 0) -> nn.Module:
    """A network with settled batch-normalization statistics and random gains, in evaluation mode."""
    torch.manual_seed(seed)
    model: nn.Module = {"codenet": lambda: build("b", d_min=-3, d_max=5), "mobilenet": MobileNet, "spark": Spark}[name]()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.6, 1.4)
            nn.init.normal_(module.bias, 0.1, 0.3)
    model.train()
    with torch.no_grad():
        for step in range(15):
            model(images(name, 4, 100 + step))
    return model.eval()
