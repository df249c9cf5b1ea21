"""Spark: the smallest network with every kind of layer that matters here, for 8x8 handwritten digits.

Dense 3x3, depthwise, deformable with predicted displacement, residual addition, max and average pooling, linear.
"""

from __future__ import annotations

from torch import Tensor, nn

from hao.models.deform import DeformableSeparable

SIZE = 8
"""Height and width of an image, pixels; one channel."""
IMAGE_STD = 255.0
"""The network's input is ``u8 / 255``."""
CLASSES = 10
_WIDTH, _WIDE = 24, 48


class Spark(nn.Module):
    """Digit classifier, about 5 000 parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU())
        self.separable = nn.Sequential(
            nn.Conv2d(16, 16, 3, padding=1, groups=16, bias=False),
            nn.BatchNorm2d(16),
            nn.Conv2d(16, _WIDTH, 1, bias=False),
            nn.BatchNorm2d(_WIDTH),
            nn.ReLU(),
        )
        self.deform = DeformableSeparable(_WIDTH, _WIDTH)
        self.norm = nn.BatchNorm2d(_WIDTH)
        self.relu = nn.ReLU()
        self.shrink = nn.MaxPool2d(2)
        self.widen = nn.Sequential(nn.Conv2d(_WIDTH, _WIDE, 1, bias=False), nn.BatchNorm2d(_WIDE), nn.ReLU())
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.linear = nn.Linear(_WIDE, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        """``(N, 1, 8, 8)`` -> logits ``(N, 10)`` (``(N, 10, 1, 1)`` once quantized)."""
        x = self.separable(self.stem(x))
        x = self.relu(x + self.norm(self.deform(x)))
        x = self.widen(self.shrink(x))
        return self.linear(self.pool(x).flatten(1))  # type: ignore[no-any-return]
