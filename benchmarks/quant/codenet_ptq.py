"""AP50 of CoDeNet after post-training quantization alone, at uniform widths and at mixed ones: few bits, where effects show.

``python -m benchmarks.quant.codenet_ptq training/codenet-1x-b.safetensors --scenes 500``
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import torch
import typer

from hao.frontend.torch_import import from_torch
from hao.models.codenet import CONFIGS, IMAGE_MEAN, IMAGE_STD
from hao.quant.allocate import Caps
from hao.quant.choose import Question, choose_widths
from hao.quant.config import QuantConfig
from hao.quant.export import IntegerTwin
from hao.quant.folded import FoldedNetwork
from hao.quant.hessian import Probing
from hao.train.evaluate import scenes
from hao.train.feed import normalize
from hao.train.quantized import quantizer
from hao.train.score import load_network, score


def ptq_ap50(weights: Path, settings: QuantConfig, data: Path, count: int, config: str = "b") -> dict[str, float]:
    """AP50 of the integer network on ``count`` test scenes, with its 95 % interval.

    Args:
        weights: float weights.
        settings: widths and calibration.
        data: folder of rendered scenes.
        count: test scenes.
        config: CoDeNet configuration.
    """
    twin = IntegerTwin(quantizer(config, data, settings)(load_network(weights, config)))
    interval = score(twin, data, "test", count).interval
    return {"ap50": interval.ap50, "low": interval.low, "high": interval.high}


def mixed_widths(
    weights: Path, method: str, average: float, data: Path, images: int = 8, config: str = "b", seed: int = 0
) -> dict[str, int]:
    """Widths from {2, 3, 4, 8} at ``average`` bits by ``method``, on training scenes, loss: distance to the float results."""
    network = load_network(weights, config)
    size = CONFIGS[config].size
    graph = from_torch(network, torch.zeros(1, 3, size, size), mean=IMAGE_MEAN, std=IMAGE_STD)
    folded = FoldedNetwork(network, graph)
    count = sum(weight.numel() for weight in folded.weights.values())
    question = Question(method, (2, 3, 4, 8), Caps(size=average * count), probing=Probing(seed=seed, tolerance=0.2, most=64))
    pictures, _ = scenes(data, "train", images)
    return choose_widths(folded, normalize(pictures), None, question, work=Path("build/quant")).bits


def main(
    weights: Path,
    data: Annotated[Path, typer.Option(help="rendered scenes")] = Path("build/data"),
    count: Annotated[int, typer.Option("--scenes", help="test scenes")] = 500,
    average: Annotated[float, typer.Option(help="of mixed widths; 0 for uniform ones alone")] = 3.0,
    method: Annotated[str, typer.Option(help="of hao.quant.choose")] = "hawq2",
) -> None:
    """Print one JSON object: uniform W2, W3, W4, W8, and mixed widths."""
    rows: dict[str, Any] = {}
    for bits in (8, 4, 3, 2):
        rows[f"W{bits}"] = ptq_ap50(weights, QuantConfig(weight_bits=bits), data, count)
    if average:
        bits = mixed_widths(weights, method, average, data)
        rows[f"{method} @ {average}"] = ptq_ap50(weights, QuantConfig(overrides=bits), data, count)
    typer.echo(json.dumps({"scenes": count, **rows}, indent=1))


if __name__ == "__main__":
    typer.run(main)
