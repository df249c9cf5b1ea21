"""The digits network: what ships is loadable without PyTorch, and its training reaches what its card says."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from hao.errors import CheckpointError, DataError, ModelError
from hao.ir.serialize import network_digest
from hao.models import zoo
from hao.quant.compare import layer_differences
from hao.train.digits import load_digits, main, make, normalize


def test_the_zoo_needs_neither_torch_nor_sklearn() -> None:
    code = (
        "import sys; from hao.models import zoo; from hao.ir.reference import execute\n"
        "g = zoo.load('digits-w4a8'); images, labels = zoo.samples('digits-w4a8')\n"
        "assert execute(g, images[0])[g.outputs[0]].argmax() == labels[0]\n"
        "assert not {'torch', 'sklearn'} & set(sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_card_names_the_graph_that_ships() -> None:
    for name in zoo.names():
        assert zoo.card(name)["digest"] == network_digest(zoo.load(name))


def test_held_out_digits_are_those_of_the_data_set() -> None:
    images, labels = zoo.samples("digits-w4a8")
    digits = load_digits()
    assert (images == digits.test_images).all() and (labels == digits.test_labels).all()
    train = {image.tobytes() for image in digits.train_images}
    assert len(digits.train_images) + len(images) == 1797
    assert not any(image.tobytes() in train for image in images)


def test_damaged_zoo_files_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in zoo.FOLDER.glob("digits*"):
        shutil.copy(path, tmp_path)
    monkeypatch.setattr(zoo, "FOLDER", tmp_path)
    for name in ("digits-w4a8.safetensors", "digits-test.safetensors"):
        (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:-5])
    with pytest.raises(CheckpointError, match="digits-w4a8"):
        zoo.load("digits-w4a8")
    with pytest.raises(DataError, match="digits-w4a8"):
        zoo.samples("digits-w4a8")
    with pytest.raises(ModelError, match="digits-w4a8"):
        zoo.load("digits")


def test_a_short_training_learns_and_converts() -> None:
    torch.set_num_threads(1)
    _, model, graph, card = make(seed=3, float_epochs=8, quantized_epochs=1)
    reached = card["test_accuracy_percent"]
    assert reached["float"] > 80 and reached["integer"] > 80
    assert card["digest"] == network_digest(graph)
    rows = layer_differences(model, normalize(load_digits().test_images[:64]))
    assert max(row.largest for row in rows) <= 1 and sum(row.compared for row in rows) > 100_000


@pytest.mark.nightly
def test_the_full_training_reaches_97_percent(tmp_path: Path) -> None:
    main(tmp_path, seed=1)
    card = json.loads((tmp_path / "digits-w4a8.json").read_text(encoding="utf-8"))
    assert card["test_accuracy_percent"]["integer"] >= 97
