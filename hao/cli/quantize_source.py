"""Float networks for ``hao quantize``: those that HAO trains or knows, and the user's own."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from hao.errors import CheckpointError, DataError, ModelError, UsageError
from hao.files import regular
from hao.frontend.float_graph import FloatGraph
from hao.frontend.torch_import import from_torch
from hao.quant.hessian import Progress
from hao.quant.state import kept

_EPOCHS = 60
_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")


@dataclass(frozen=True, slots=True, eq=False)
class FloatSource:
    """A float network to quantize.

    Attributes:
        name: of the network.
        network, graph: the model in evaluation mode, and what the front end read.
        images: normalized calibration images ``(N, C, H, W)``; empty where there are none.
        labels: of the images, or None.
        test: held-out images as bytes with labels, or None.
    """

    name: str
    network: nn.Module
    graph: FloatGraph
    images: Tensor
    labels: Tensor | None = None
    test: tuple[np.ndarray, np.ndarray] | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the user says about the network: see ``hao quantize --help``."""

    network: str
    weights: Path | None = None
    pictures: Path | None = None
    shape: tuple[int, ...] = ()
    mean: tuple[int, ...] = ()
    std: tuple[float, ...] = ()
    count: int = 256
    seed: int = 1
    work: Path = Path("build/quantize")


def load_source(wanted: Wanted, listen: Progress | None = None) -> FloatSource:
    """The float network called ``wanted.network``: ``digits``, ``codenet-1x-b``, or ``module:function`` of the user's own.

    Raises:
        ModelError: no such network.
        CheckpointError: its weights cannot be read.
        DataError: its pictures cannot.
    """
    if wanted.network == "digits":
        return _digits(wanted, listen)
    if wanted.network.startswith("codenet-"):
        return _codenet(wanted)
    if ":" in wanted.network:
        return _own(wanted)
    raise ModelError(f"there is no float network called {wanted.network!r}", "digits, codenet-1x-a to codenet-2x-e, or module:function")


def _digits(wanted: Wanted, listen: Progress | None) -> FloatSource:
    """Spark in floating point: trained from the seed in half a minute, and kept."""
    from safetensors.torch import save_file

    from hao.models.digits import IMAGE_STD, Spark
    from hao.train.digits import load_digits, normalize, train

    digits = load_digits()
    torch.manual_seed(wanted.seed)
    network = Spark()
    trained = wanted.weights or wanted.work / f"digits-float-{wanted.seed}.safetensors"
    if trained.is_file() or wanted.weights:
        _load(network, trained)
    else:
        halfway = kept(wanted.work, "training-float", network.state_dict().values())
        train(network, digits, _EPOCHS, 4e-3, torch.Generator().manual_seed(wanted.seed), kept=halfway, listen=listen)
        partial = trained.with_suffix(".partial")
        partial.parent.mkdir(parents=True, exist_ok=True)
        save_file(network.state_dict(), partial)
        partial.replace(trained)
    chosen = np.random.default_rng(wanted.seed).permutation(len(digits.train_images))[: wanted.count]
    images = normalize(digits.train_images[chosen])
    graph = from_torch(network.eval(), images, std=(IMAGE_STD,), name="digits")
    labels = torch.from_numpy(digits.train_labels[chosen]).long()
    return FloatSource("digits", network.eval(), graph, images, labels, (digits.test_images, digits.test_labels))


def _load(network: nn.Module, path: Path) -> None:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        network.load_state_dict(load_file(regular(path)))
    except (OSError, SafetensorError, RuntimeError, KeyError) as error:
        raise CheckpointError(f"weights {path} cannot be read: {error}", "give a safetensors file of the network's parameters") from error


def _codenet(wanted: Wanted) -> FloatSource:
    from hao.models.codenet import CONFIGS, IMAGE_MEAN, IMAGE_STD
    from hao.train.score import load_network

    config = wanted.network[-1]
    if config not in CONFIGS:
        raise ModelError(f"there is no network called {wanted.network!r}", "codenet-1x-a to codenet-1x-c, codenet-2x-d, codenet-2x-e")
    if wanted.weights is None:
        raise ModelError(f"{wanted.network} needs float weights", "give --weights, such as training/codenet-1x-b.safetensors")
    network = load_network(wanted.weights, config)
    size = CONFIGS[config].size
    images = _pictures(wanted, (3, size, size), IMAGE_MEAN, IMAGE_STD)
    graph = from_torch(network, torch.zeros(1, 3, size, size), mean=IMAGE_MEAN, std=IMAGE_STD, name=wanted.network)
    return FloatSource(wanted.network, network, graph, images)


def _own(wanted: Wanted) -> FloatSource:
    """A model that the user's function makes; the module is imported as Python imports any."""
    module, _, function = wanted.network.partition(":")
    try:
        network = getattr(importlib.import_module(module), function)()
    except (ImportError, AttributeError) as error:
        raise ModelError(
            f"{wanted.network} cannot be imported: {error}", "module:function of a function that returns an nn.Module"
        ) from error
    if not isinstance(network, nn.Module):
        raise ModelError(f"{wanted.network} returns a {type(network).__name__}", "return an nn.Module")
    if len(wanted.shape) != 3:
        raise UsageError("the shape of the network's image is not known", "give --shape CHANNELS,HEIGHT,WIDTH")
    if wanted.weights is not None:
        _load(network, wanted.weights)
    channels, height, width = wanted.shape
    mean, std = wanted.mean or (0,) * channels, wanted.std or (255.0,) * channels
    images = _pictures(wanted, (channels, height, width), mean, std)
    graph = from_torch(network.eval(), torch.zeros(1, channels, height, width), mean=mean, std=std, name=function)
    return FloatSource(function, network.eval(), graph, images)


def _pictures(wanted: Wanted, shape: tuple[int, int, int], mean: Sequence[int], std: Sequence[float]) -> Tensor:
    """The folder's pictures in the order of their names, scaled and normalized; none without a folder."""
    from hao.data.images import fit, read_image

    if wanted.pictures is None:
        return torch.zeros(0, *shape)
    channels, height, width = shape
    files = sorted(path for path in wanted.pictures.glob("*") if path.suffix.lower() in _SUFFIXES)[: wanted.count]
    if not files:
        raise DataError(f"there are no pictures in {wanted.pictures}", "give a folder of PNG or JPEG files")
    if height != width:
        raise UsageError(f"pictures are fitted to squares, the network reads {height} x {width}", "use --data-free")
    rows = [fit(read_image(path), height).image for path in files]
    grey = [row.mean(2, keepdims=True).round() if channels == 1 else row for row in rows]
    raw = torch.from_numpy(np.stack(grey).astype(np.float32)).permute(0, 3, 1, 2)
    column = (slice(None), None, None)
    return (raw - torch.tensor(mean, dtype=torch.float32)[column]) / torch.tensor(std, dtype=torch.float32)[column]
