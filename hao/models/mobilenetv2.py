"""MobileNetV2 (arXiv 1801.04381): inverted residuals with linear bottlenecks, for pictures of 224 x 224 pixels.

Structure, parameter names and shapes are those of the checkpoints that torchvision publishes.
"""

from __future__ import annotations

from torch import Tensor, nn

from hao.errors import ModelError

SIZE = 224
"""Height and width of the picture, pixels."""

IMAGE_MEAN = (124, 116, 104)
"""Integer mean of red, green and blue on the scale of u8 (published: 123.675, 116.28, 103.53)."""

IMAGE_STD = (58.395, 57.12, 57.375)
"""Standard deviation per channel on the scale of u8, as published."""

_STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
"""Expansion, output channels, repeats and stride of the first, as in table 2 of the paper."""
_FIRST, _LAST = 32, 1280


def _rounded(channels: float) -> int:
    """The nearest multiple of eight that is at least nine tenths of ``channels``, as the published networks round."""
    result = max(8, int(channels + 4) // 8 * 8)
    return result + 8 if result < 0.9 * channels else result


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, kernel, stride, (kernel - 1) // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU6(inplace=True))


class InvertedResidual(nn.Module):
    """1x1 expansion, 3x3 depthwise, linear 1x1; added to its input where shape and stride allow."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
        super().__init__()
        self.residual = stride == 1 and inputs == outputs
        hidden = inputs * expansion
        layers: list[nn.Module] = [] if expansion == 1 else [_conv(inputs, hidden, 1)]
        layers += [_conv(hidden, hidden, 3, stride, hidden), nn.Conv2d(hidden, outputs, 1, bias=False), nn.BatchNorm2d(outputs)]
        self.conv = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """``(N, inputs, H, W)`` -> ``(N, outputs, H/stride, W/stride)``."""
        return x + self.conv(x) if self.residual else self.conv(x)  # type: ignore[no-any-return]


class MobileNetV2(nn.Module):
    """The classifier.

    Args:
        width: multiplier of all channels; the last layer never shrinks.
        classes: scores that it gives.

    Raises:
        ModelError: the multiplier is not positive.
    """

    def __init__(self, width: float = 1.0, classes: int = 1000) -> None:
        super().__init__()
        if width <= 0:
            raise ModelError(f"a width multiplier of {width}", "a positive number, such as 1.0 or 1.4")
        channels = _rounded(_FIRST * width)
        layers: list[nn.Module] = [_conv(3, channels, 3, 2)]
        for expansion, outputs, repeats, stride in _STAGES:
            for repeat in range(repeats):
                layers.append(InvertedResidual(channels, _rounded(outputs * width), 1 if repeat else stride, expansion))
                channels = _rounded(outputs * width)
        last = _rounded(_LAST * max(1.0, width))
        self.features = nn.Sequential(*layers, _conv(channels, last, 1))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(last, classes))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")

    def forward(self, x: Tensor) -> Tensor:
        """Normalized pictures ``(N, 3, 224, 224)`` -> scores ``(N, classes)`` (``(N, classes, 1, 1)`` once quantized)."""
        return self.classifier(self.pool(self.features(x)).flatten(1))  # type: ignore[no-any-return]
