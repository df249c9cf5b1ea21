"""Networks whose weights nobody has trained here: random ones, with statistics and ranges taken from pictures.

They compute what the trained network would cost to compute; what they say about a picture means nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from hao.data.photos import photo
from hao.errors import ModelError
from hao.frontend.torch_import import from_torch
from hao.ir.graph import Graph
from hao.models import mobilenetv2, ultranet
from hao.quant.calibrate import calibrate
from hao.quant.config import QuantConfig
from hao.quant.export import to_integer
from hao.quant.model import QuantModel

_PHOTOS = ("skimage/astronaut.png", "skimage/coins.png", "skimage/grass.png", "skimage/camera.png", "skimage/page.png")
_PICTURES = 5
_LARGEST = 3
"""Crops are up to so many times the network's picture, then shrunk."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a network is quantized: size of its picture, mean and deviation of it, and bit widths."""

    height: int
    width: int
    mean: tuple[int, ...]
    std: tuple[float, ...]
    quantization: QuantConfig


RECIPES: dict[str, Recipe] = {
    "mobilenetv2-1.0": Recipe(
        mobilenetv2.SIZE, mobilenetv2.SIZE, mobilenetv2.IMAGE_MEAN, mobilenetv2.IMAGE_STD,
        QuantConfig(weight_bits=8, edge_bits=8, weight_range="max"),
    ),
    "ultranet": Recipe(
        ultranet.HEIGHT, ultranet.WIDTH, (0, 0, 0), (ultranet.IMAGE_STD,) * 3,
        QuantConfig(weight_bits=4, edge_bits=4, activation_bits=4, percentile=99.9),
    ),
}  # fmt: skip
"""Networks by name."""


def build(name: str) -> nn.Module:
    """The float network called ``name``, with weights from the global random generator.

    Raises:
        ModelError: no such network.
    """
    if name not in RECIPES:
        raise ModelError(f"no untrained network {name!r}", f"one of {', '.join(RECIPES)}")
    return ultranet.UltraNet() if name == "ultranet" else mobilenetv2.MobileNetV2()


def pictures(height: int, width: int, count: int, seed: int) -> Tensor:
    """Crops of the photographs that ship in scikit-image, ``(count, 3, height, width)`` unsigned bytes.

    Raises:
        MissingTool: scikit-image is not installed.
    """
    from PIL import Image

    rng = np.random.default_rng(seed)
    found = []
    for index in range(count):
        pixels = photo(_PHOTOS[index % len(_PHOTOS)])
        most = min(_LARGEST, pixels.shape[0] / height, pixels.shape[1] / width)
        zoom = rng.uniform(min(0.5, most), most)
        rows, columns = int(height * zoom), int(width * zoom)
        top, left = rng.integers(pixels.shape[0] - rows + 1), rng.integers(pixels.shape[1] - columns + 1)
        crop = Image.fromarray(pixels[top : top + rows, left : left + columns])
        found.append(np.asarray(crop.resize((width, height), Image.Resampling.BILINEAR)))
    return torch.from_numpy(np.stack(found).transpose(0, 3, 1, 2).copy())


def _statistics(network: nn.Module, batch: Tensor) -> None:
    """Set the running statistics of batch normalization to those of ``batch``, so that random layers pass signals on."""
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    for module in norms:
        module.momentum = None
        module.reset_running_stats()
    with torch.no_grad():
        network.train()(batch)
    network.eval()


def random_network(name: str, seed: int = 0) -> Graph:
    """The integer graph of an untrained network.

    The same seed gives the same weights; statistics and ranges are sums in floating point, whose last bits depend on
    the machine, so that single integers may differ between machines.

    Args:
        name: one of ``RECIPES``.
        seed: of the weights and of the pictures' crops.

    Raises:
        ModelError: no such network.
        MissingTool: scikit-image is not installed.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = build(name)
        recipe = RECIPES[name]
        column = (slice(None), None, None)
        bytes_ = pictures(recipe.height, recipe.width, _PICTURES, seed)
        batch = (bytes_.float() - torch.tensor(recipe.mean)[column]) / torch.tensor(recipe.std)[column]
        _statistics(network, batch)
        graph = from_torch(network, batch, mean=recipe.mean, std=recipe.std, name=name)
        model = calibrate(QuantModel(network, graph, recipe.quantization), [batch])
        bits = f"W{recipe.quantization.weight_bits}A{recipe.quantization.activation_bits}"
        return to_integer(model, name, {"model": name, "weights": "random", "seed": seed, "bits": bits})
