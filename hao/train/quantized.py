"""``python -m hao.train.quantized RECIPE.json``: CoDeNet from float weights to a trained integer graph.

Calibration on training scenes, quantization-aware training by the recipe, conversion, and the accuracy of each step on
held-out scenes.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import torch
import typer
from torch import nn

from hao.errors import HaoError, TrainingError
from hao.frontend.torch_import import from_torch
from hao.ir.graph import Graph
from hao.ir.serialize import network_digest, save_graph
from hao.models.codenet import CONFIGS, IMAGE_MEAN, IMAGE_STD
from hao.quant.calibrate import calibrate
from hao.quant.config import QuantConfig
from hao.quant.export import to_integer
from hao.quant.model import QuantModel
from hao.train.card import codenet_card, measured
from hao.train.evaluate import scenes
from hao.train.feed import normalize
from hao.train.loop import Trainer
from hao.train.recipe import Recipe, read_recipe
from hao.train.score import load_network

_CALIBRATION_SCENES, _CALIBRATION_BATCH = 96, 16


def quantizer(config: str, data: Path, settings: QuantConfig | None = None) -> Callable[[nn.Module], QuantModel]:
    """What turns a float CoDeNet into a calibrated quantized one: the ``prepare`` of a Trainer.

    Args:
        config: CoDeNet configuration, a to e.
        data: folder of rendered scenes; the first training scenes calibrate.
        settings: bit widths; default: weights 4 (first and last layers 8), activations 8.
    """

    def prepare(net: nn.Module) -> QuantModel:
        images, _ = scenes(data, "train", _CALIBRATION_SCENES)
        size = CONFIGS[config].size
        device = next(net.parameters()).device
        example = torch.zeros(1, 3, size, size, device=device)
        graph = from_torch(net.eval(), example, mean=IMAGE_MEAN, std=IMAGE_STD, name=network_name(config))
        starts = range(0, len(images), _CALIBRATION_BATCH)
        return calibrate(QuantModel(net, graph, settings), [normalize(images[k : k + _CALIBRATION_BATCH]).to(device) for k in starts])

    return prepare


def network_name(config: str) -> str:
    """The published name of a configuration, ``codenet-1x-b``."""
    return f"codenet-{'1x' if CONFIGS[config].widths[4] == 1024 else '2x'}-{config}"


def trained(recipe: Recipe, initial: Path, folder: Path, data: Path, minutes: float) -> QuantModel:
    """Quantization-aware training by ``recipe`` from float weights, or from where its checkpoint stands; the averaged model.

    Raises:
        TrainingError: the recipe computes in bfloat16, which cannot hold a quantized layer's sums.
    """
    if recipe.half:
        raise TrainingError(f"recipe {recipe.name!r} computes in bfloat16", 'quantization-aware recipes say "half": false')
    trainer = Trainer(recipe, folder, data, initial=initial, prepare=quantizer(recipe.config, data))
    trainer.train(minutes * 60)
    model = trainer.run.average.net
    assert isinstance(model, QuantModel)
    return model.eval()


def convert(model: QuantModel, config: str, name: str, weights: str) -> Graph:
    """The integer graph of a CoDeNet, with what a host needs to know about it."""
    return to_integer(model, name, {"model": network_name(config), "weights": weights, "bits": f"W{model.config.weight_bits}A8"})


def main(
    recipe: Path,
    initial: Annotated[Path, typer.Option(help="float weights")],
    out: Annotated[Path, typer.Option(help="integer graph to write; its model card goes beside it as JSON")],
    folder: Annotated[Path, typer.Option(help="checkpoints and logs")] = Path("build/train"),
    data: Annotated[Path, typer.Option(help="rendered pictures")] = Path("build/data"),
    minutes: Annotated[float, typer.Option(help="stop after this long; resume later")] = 1e9,
    scenes_measured: Annotated[int, typer.Option(help="test scenes of the model card; 0 for none")] = 2000,
    threads: Annotated[int, typer.Option(help="processor cores")] = 2,
) -> None:
    """Quantize, train on, convert and measure."""
    try:
        torch.set_num_threads(threads)
        plan = read_recipe(recipe)
        if out.resolve() == (folder / f"{plan.name}.safetensors").resolve():
            raise TrainingError(f"{out} is the checkpoint of this run", "give another place for the integer graph")
        model = trained(plan, initial, folder, data, minutes)
        graph = convert(model, plan.config, plan.name, "trained")
        save_graph(graph, out)
        if scenes_measured:
            calibrated = quantizer(plan.config, data)(load_network(initial, plan.config))
            figures = measured(model, calibrated, initial, plan.config, data, scenes_measured)
            card = codenet_card(plan.name, plan.config, network_digest(graph), plan, initial, data, figures)
            out.with_suffix(".json").write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
            typer.echo(json.dumps(figures["test_ap50_percent"]))
    except HaoError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(error.exit_code) from error


if __name__ == "__main__":
    typer.run(main)
