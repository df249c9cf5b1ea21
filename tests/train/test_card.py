"""The model card: every figure measured on the scenes it names, and the history of every run behind the weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from hao.data import cache
from hao.ir.serialize import network_digest
from hao.train import card as cards
from hao.train import quantized
from hao.train.loop import Trainer
from hao.train.recipe import Recipe
from hao.train.score import load_network

SCENES = 4
PHASE = {"task": "scenes", "size": 64, "images": 4, "batch": 4, "rate": 1e-3, "shards": 2, "smallest_crop": 128}


@pytest.fixture
def data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(cache, "SHARD", 8)
    monkeypatch.setattr(cards, "SHARD", 8)
    monkeypatch.setattr(cards, "_MODE_SCENES", 1)
    monkeypatch.setattr(quantized, "_CALIBRATION_SCENES", 4)
    torch.set_num_threads(1)
    return tmp_path / "data"


def test_a_card_tells_figures_data_and_history(data: Path, tmp_path: Path) -> None:
    weights = tmp_path / "w.safetensors"
    recipe = Recipe.model_validate({"name": "small", "phases": (PHASE,), "half": False, "validation_scenes": 4})
    Trainer(recipe, tmp_path, data).run.export(weights)
    model = quantized.quantizer("b", data)(load_network(weights))
    graph = quantized.convert(model, "b", "small", "trained")
    figures = cards.measured(model, model, weights, "b", data, SCENES)
    rows = figures["test_ap50_percent"]
    assert set(rows) == {"float", "float_displacement_forced_to_1", "post_training_integer", "fake_quantized", "integer"}
    assert all(row["low"] <= row["ap50"] <= row["high"] and row["scenes"] == SCENES for row in rows.values())
    assert rows["post_training_integer"] == rows["integer"]
    assert figures["modes"]["compared"] > 1_000_000
    assert figures["modes"]["largest_units_of_the_last_place"] <= 1
    assert len(figures["displacements"]) == 3
    card = cards.codenet_card("small", "b", network_digest(graph), recipe, weights, data, figures)
    assert card["data"]["train_digest"] == cards.data_digest(data, "train", 2) != cards.data_digest(data, "train", 1)
    assert [run["recipe"]["name"] for run in card["float_training"]] == ["small"]
    assert card["digest"] == network_digest(graph)
