"""CoDeNet: ShuffleNetV2 backbone, three deformable up blocks, CenterNet heads (arXiv 2006.08357, FPGA 2021).

Structure, parameter names and shapes are those of the released PyTorch checkpoints.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

import torch
from torch import Tensor, nn

from hao.errors import ModelError
from hao.models.deform import DEFAULT_RANGE, DeformableSeparable, Displacement, PlainSeparable
from hao.models.variants import FloatDeformable

IMAGE_MEAN = (104, 114, 120)
"""Integer mean of red, green and blue; the network's input is ``(u8 - mean) / std``, so padding is exactly zero."""

IMAGE_STD = (73.7, 69.9, 70.9)
"""Standard deviation per channel on the scale of u8; folded into the first layer when quantized."""

BACKBONE = "layer"
"""How the names of the backbone's parameters begin."""

Operator = Literal["deformable", "plain", "full", "depthwise", "bounded", "square"]
_STAGE_REPEATS = (3, 7, 3)
_UP_WIDTHS = (256, 128, 64)
_HEAD_WIDTH = 64


@dataclass(frozen=True, slots=True)
class CoDeNetConfig:
    """One published configuration.

    Attributes:
        name: letter of the paper's table.
        size: height and width of the image, pixels; a multiple of 32.
        widths: channels of the first layer, the three stages and the last backbone layer.
        maxpool: first layer of stride 2 and a 3x3 max-pool of stride 2, instead of one layer of stride 4.
        classes: number of object classes.
        operator: of the up blocks: deformable (co-designed, rounded); for the ablation plain depthwise or a float variant.
        d_min, d_max: bounds of the displacement, pixels.
    """

    name: str
    size: int
    widths: tuple[int, int, int, int, int]
    maxpool: bool
    classes: int = 20
    operator: Operator = "deformable"
    d_min: int = DEFAULT_RANGE[0]
    d_max: int = DEFAULT_RANGE[1]


_WIDTHS_1X = (24, 116, 232, 464, 1024)
_WIDTHS_2X = (24, 244, 488, 976, 2153)
CONFIGS: Mapping[str, CoDeNetConfig] = MappingProxyType(
    {
        "a": CoDeNetConfig("a", 256, _WIDTHS_1X, maxpool=False),
        "b": CoDeNetConfig("b", 256, _WIDTHS_1X, maxpool=True),
        "c": CoDeNetConfig("c", 512, _WIDTHS_1X, maxpool=False),
        "d": CoDeNetConfig("d", 512, _WIDTHS_2X, maxpool=False),
        "e": CoDeNetConfig("e", 512, _WIDTHS_2X, maxpool=True),
    }
)


class ChannelShuffle(nn.Module):
    """Interleave the channel groups: channel ``g*C/G + c`` moves to ``c*G + g``."""

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, x: Tensor) -> Tensor:
        """``(N, C, H, W)`` -> the same shape."""
        batch, channels, height, width = x.shape
        grouped = x.view(batch, self.groups, channels // self.groups, height, width)
        return grouped.transpose(1, 2).reshape(batch, channels, height, width)

    def extra_repr(self) -> str:
        return f"groups={self.groups}"


def _pointwise(in_channels: int, out_channels: int) -> list[nn.Module]:
    return [nn.Conv2d(in_channels, out_channels, 1, bias=False), nn.BatchNorm2d(out_channels), nn.ReLU(inplace=True)]


def _depthwise(channels: int, stride: int) -> list[nn.Module]:
    conv = nn.Conv2d(channels, channels, 3, stride=stride, padding=1, groups=channels, bias=False)
    return [conv, nn.BatchNorm2d(channels)]


class ShuffleUnit(nn.Module):
    """ShuffleNetV2 unit: split (stride 1) or copy (stride 2), two branches, concatenation, shuffle of two groups."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        half = out_channels // 2
        branch_in = half if stride == 1 else in_channels
        if stride == 2:
            self.b1 = nn.Sequential(*_depthwise(in_channels, 2), *_pointwise(in_channels, half))
        self.b2 = nn.Sequential(*_pointwise(branch_in, half), *_depthwise(half, stride), *_pointwise(half, half))
        self.shuffle = ChannelShuffle(2)

    def forward(self, x: Tensor) -> Tensor:
        """``(N, in, H, W)`` -> ``(N, out, H/stride, W/stride)``."""
        if self.stride == 1:
            kept, worked = x.chunk(2, dim=1)
            return self.shuffle(torch.cat((kept, self.b2(worked)), dim=1))  # type: ignore[no-any-return]
        return self.shuffle(torch.cat((self.b1(x), self.b2(x)), dim=1))  # type: ignore[no-any-return]


class CoDeNet(nn.Module):
    """The detector; three maps at a quarter of the image's resolution."""

    def __init__(self, config: CoDeNetConfig) -> None:
        super().__init__()
        self.config = config
        widths = config.widths
        stem: list[nn.Module] = [
            nn.Conv2d(3, widths[0], 3, stride=2 if config.maxpool else 4, padding=1, bias=False),
            nn.BatchNorm2d(widths[0]),
            nn.ReLU(inplace=True),
        ]
        if config.maxpool:
            stem.append(nn.MaxPool2d(3, stride=2, padding=1))
        self.layer0 = nn.Sequential(*stem)
        self.layer1, self.layer2, self.layer3 = (_stage(widths[i], widths[i + 1], _STAGE_REPEATS[i]) for i in range(3))
        self.layer4 = nn.Sequential(*_pointwise(widths[3], widths[4]))
        self.deconv_layers = _up_blocks(config)
        self.hm, self.wh, self.reg = (_head(channels) for channels in (config.classes, 2, 2))
        # A prior of one positive in ten (sigmoid(-2.19)), as published, so that the first steps are not all negatives.
        nn.init.constant_(self.hm[-1].bias, -2.19)  # type: ignore[arg-type]

    def features(self, x: Tensor) -> Tensor:
        """Backbone only: ``(N, 3, H, W)`` -> ``(N, widths[4], H/32, W/32)``."""
        return self.layer4(self.layer3(self.layer2(self.layer1(self.layer0(x)))))  # type: ignore[no-any-return]

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Normalized image ``(N, 3, H, W)`` -> heat map logits, box sizes and centre offsets.

        Shapes ``(N, classes, H/4, W/4)``, ``(N, 2, H/4, W/4)`` and ``(N, 2, H/4, W/4)``; sizes and offsets are
        (width, height) and (x, y) in pixels of the output map.
        """
        return self.heads(self.features(x))

    def heads(self, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Up blocks and heads on `features`' output; returns what `forward` does."""
        shared = self.deconv_layers(features)
        return self.hm(shared), self.wh(shared), self.reg(shared)

    def displacements(self) -> dict[str, Displacement]:
        """The displacement modules by name, for histograms and for forcing a constant."""
        return {name: module for name, module in self.named_modules() if isinstance(module, Displacement)}

    def force_displacement(self, value: int | None) -> None:
        """Use ``value`` pixels everywhere instead of the predicted displacement; None undoes it."""
        for module in self.displacements().values():
            module.forced = value


def _stage(in_channels: int, out_channels: int, repeats: int) -> nn.Sequential:
    units = [ShuffleUnit(in_channels, out_channels, 2)]
    units += [ShuffleUnit(out_channels, out_channels, 1) for _ in range(repeats)]
    return nn.Sequential(*units)


def _up_blocks(config: CoDeNetConfig) -> nn.Sequential:
    layers: list[nn.Module] = []
    channels = config.widths[4]
    for width in _UP_WIDTHS:
        if config.operator == "deformable":
            layers.append(DeformableSeparable(channels, width, config.d_min, config.d_max))
        elif config.operator == "plain":
            layers.append(PlainSeparable(channels, width))
        else:
            layers.append(FloatDeformable(channels, width, config.operator, config.d_min, config.d_max))
        layers += [nn.BatchNorm2d(width), nn.ReLU(inplace=True), nn.Upsample(scale_factor=2, mode="nearest")]
        channels = width
    return nn.Sequential(*layers)


def _head(out_channels: int) -> nn.Sequential:
    return nn.Sequential(
        *_pointwise(_UP_WIDTHS[-1], _HEAD_WIDTH),
        *_depthwise(_HEAD_WIDTH, 1),
        nn.ReLU(inplace=True),
        nn.Conv2d(_HEAD_WIDTH, out_channels, 1),
    )


def build(name: str, **changes: int | str) -> CoDeNet:
    """CoDeNet of configuration ``a`` to ``e``; ``changes`` replace fields of its CoDeNetConfig.

    Raises:
        ModelError: no such configuration.
    """
    if name not in CONFIGS:
        raise ModelError(f"no CoDeNet configuration {name!r}", hint=f"one of {', '.join(CONFIGS)}")
    return CoDeNet(replace(CONFIGS[name], **changes))  # type: ignore[arg-type]
