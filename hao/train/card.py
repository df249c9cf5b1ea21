"""The model card of a trained CoDeNet: what it is, what it was trained on, what it reaches and how sure that is."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hao.data.cache import SHARD, scene_shard
from hao.data.photos import PHOTOS, Split
from hao.data.scenes import GENERATOR_VERSION
from hao.data.shapes import CLASSES
from hao.models.codenet import CONFIGS
from hao.quant.compare import layer_differences
from hao.quant.export import IntegerTwin
from hao.quant.model import QuantModel
from hao.train.evaluate import scenes
from hao.train.feed import normalize
from hao.train.recipe import Recipe
from hao.train.score import Score, load_network, score
from hao.train.state import read_checkpoint

_MODE_SCENES = 4


def data_digest(folder: Path, split: Split, shards: int) -> str:
    """SHA-256 over pixels, boxes and labels of the first ``shards`` shards of ``split``, in order, hexadecimal."""
    total = hashlib.sha256(f"scenes-v{GENERATOR_VERSION}".encode())
    for number in range(shards):
        shard = scene_shard(folder, split, number)
        for array in (shard.images, shard.boxes, shard.labels):
            total.update(np.ascontiguousarray(array).data)
    return total.hexdigest()


def _row(result: Score) -> dict[str, Any]:
    interval = result.interval
    return {"ap50": round(interval.ap50, 2), "low": round(interval.low, 2), "high": round(interval.high, 2), "scenes": interval.pictures}


def measured(model: QuantModel, calibrated: QuantModel, initial: Path, config: str, data: Path, count: int) -> dict[str, Any]:
    """AP50 on the first ``count`` test scenes, percent with its central 95 % bootstrap interval.

    Rows: the float network, the same with every displacement forced to 1, quantized without training (mode ``integer``), and
    ``model`` in modes ``float`` (fake-quantized) and ``integer``; then the displacements that mode ``float`` of ``model``
    used, and how far its two modes differ layer by layer.
    """
    free = score(load_network(initial, config), data, "test", count)
    rows: dict[str, Any] = {
        "float": _row(free),
        "float_displacement_forced_to_1": _row(score(load_network(initial, config, forced=1), data, "test", count)),
        "post_training_integer": _row(score(IntegerTwin(calibrated), data, "test", count)),
    }
    fake = score(model, data, "test", count)
    rows |= {"fake_quantized": _row(fake), "integer": _row(score(IntegerTwin(model), data, "test", count))}
    images, _ = scenes(data, "test", _MODE_SCENES)
    layers = layer_differences(model, normalize(images))
    compared = sum(row.compared for row in layers)
    return {
        "test_ap50_percent": rows,
        "displacements": fake.displacements,
        "constant_layers": list(fake.constant_layers),
        "modes": {
            "compared": compared,
            "differing_share": sum(row.differing for row in layers) / compared,
            "largest_units_of_the_last_place": max(row.largest for row in layers),
        },
    }


def codenet_card(name: str, config: str, digest: str, recipe: Recipe, initial: Path, data: Path, figures: dict[str, Any]) -> dict[str, Any]:
    """Everything a reader needs to judge the network or to train it again.

    Args:
        name: of the zoo entry.
        config: CoDeNet configuration, a to e.
        digest: of the integer graph.
        recipe: of the quantization-aware training.
        initial: the float weights it started from; recipe, history and seconds are read from its header.
        data: folder of rendered scenes.
        figures: what `measured` returned.
    """
    _, header = read_checkpoint(initial)
    recipes = [recipe.model_dump(), *(run["recipe"] for run in (header, *header.get("origin", [])))]
    shards = max(phase["shards"] for each in recipes for phase in each["phases"])
    test_shards = -(-max(row["scenes"] for row in figures["test_ap50_percent"].values()) // SHARD)
    return {
        "name": name,
        "task": f"find {len(CLASSES)} silhouettes in photographs, {CONFIGS[config].size}x{CONFIGS[config].size}",
        "network": f"hao.models.codenet.CoDeNet, configuration {config}",
        "digest": digest,
        "bits": "weights 4 (first layer and last layers of the heads 8), activations 8",
        "trained_on": "generated shapes: real objects mean nothing to it",
        "classes": list(CLASSES),
        "data": {
            "generator": f"hao.data.scenes, version {GENERATOR_VERSION}",
            "photographs": {split: list(names) for split, names in PHOTOS.items()},
            "train_scenes": shards * SHARD,
            "train_digest": data_digest(data, "train", shards),
            "test_digest": data_digest(data, "test", test_shards),
            "selection": "by validation scenes and photographs only",
        },
        "float_training": [_told(run) for run in [header, *header.get("origin", [])]],
        "quantized_training": recipe.model_dump(),
        "torch": torch.__version__,
        **figures,
    }


def _told(run: dict[str, Any]) -> dict[str, Any]:
    """Recipe and learning curve of one run, the displacement histograms left out."""
    progress = run["progress"]
    history = [{key: value for key, value in row.items() if key != "displacements"} for row in progress["history"]]
    return {"recipe": run["recipe"], "seconds": round(progress["seconds"]), "images": progress["images"], "history": history}
