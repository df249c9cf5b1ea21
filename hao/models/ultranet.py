"""A network of the shape of UltraNet, the detector that won the DAC-SDC contest of 2020: plain 3x3 convolutions, four poolings.

Layer shapes follow the published description (3x3 layers of 16, 32 and six times 64 channels, 2x2 max-pools behind the first
four, one 1x1 layer to 36); weights are our own or random, and so is the code.
"""

from __future__ import annotations

from torch import Tensor, nn

HEIGHT, WIDTH = 160, 320
"""The picture, pixels."""

IMAGE_STD = 255.0
"""The network's input is ``u8 / 255``."""

_WIDTHS = (16, 32, 64, 64, 64, 64, 64, 64)
_POOLED = 4
_OUTPUTS = 36
"""Six anchors of six numbers at every place of the last map."""


class UltraNet(nn.Module):
    """Eight 3x3 layers with ReLU, and a 1x1 one."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs = 3
        for index, width in enumerate(_WIDTHS):
            layers += [nn.Conv2d(inputs, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
            if index < _POOLED:
                layers.append(nn.MaxPool2d(2))
            inputs = width
        self.layers = nn.Sequential(*layers, nn.Conv2d(inputs, _OUTPUTS, 1))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """Pictures ``(N, 3, 160, 320)`` -> ``(N, 36, 10, 20)``."""
        return self.layers(x)  # type: ignore[no-any-return]
