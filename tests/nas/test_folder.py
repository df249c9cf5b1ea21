"""A folder of the user's pictures as a task: read, split, searched to the winner's design; refused with the name of what is wrong."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw
from typer.testing import CliRunner

from hao.cli.main import app
from hao.cli.networks import load_network
from hao.errors import DataError, UsageError
from hao.nas.corpus import load

CLASSES = ("bars", "disc", "square")
TRAIN, VAL = 30, 10


def _drawn(name: str, rng: np.random.Generator) -> Image.Image:
    """A dark figure on a light ground of any size and shape."""
    width, height = (int(each) for each in rng.integers(40, 120, 2))
    image = Image.new("RGB", (width, height), tuple(int(each) for each in rng.integers(150, 256, 3)))
    pen, colour = ImageDraw.Draw(image), tuple(int(each) for each in rng.integers(0, 90, 3))
    reach = min(width, height) * rng.uniform(0.25, 0.45)
    left, top, right, bottom = width / 2 - reach, height / 2 - reach, width / 2 + reach, height / 2 + reach
    if name == "disc":
        pen.ellipse((left, top, right, bottom), fill=colour)
    elif name == "square":
        pen.rectangle((left, top, right, bottom), fill=colour)
    else:
        for at in np.arange(left, right, 8):
            pen.line((at, top, at, bottom), fill=colour, width=3)
    return image


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures in several formats, beside files that are none."""
    rng, root = np.random.default_rng(1), tmp_path_factory.mktemp("drawn")
    for part, count in (("train", TRAIN), ("val", VAL)):
        for name in CLASSES:
            folder = root / part / name
            folder.mkdir(parents=True)
            for number in range(count):
                _drawn(name, rng).save(folder / f"{number}{('.png', '.jpg', '.JPEG', '.webp')[number % 4]}")
            (folder / "notes.txt").write_text("no picture", encoding="utf-8")
    return root


@pytest.fixture
def pictures(drawn: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    return shutil.copytree(drawn, tmp_path / "pictures")


def test_a_folder_is_read_and_split(drawn: Path, tmp_path: Path) -> None:
    found = load(str(drawn), tmp_path)
    assert found.names == CLASSES
    assert found.shape == (3, 64, 64)
    assert (len(found.train), len(found.valid), len(found.test)) == (72, 18, 30)
    assert np.bincount(found.valid.labels).tolist() == [6, 6, 6]
    every = {image.tobytes() for part in (found.train, found.valid, found.test) for image in part.images}
    assert len(every) == len(CLASSES) * (TRAIN + VAL)


def test_a_folder_is_searched_to_a_design(drawn: Path, tmp_path: Path) -> None:
    few = {"supernet-epochs": 6, "epochs": 10, "quantized-epochs": 4, "evaluations": 8, "finalists": 2, "folds": 0, "batch": 24}
    options = [part for name, value in few.items() for part in (f"--{name}", str(value))]
    result = CliRunner().invoke(app, ["nas", "--task", str(drawn), "--out", str(tmp_path / "s"), "--engines", "", *options])
    assert result.exit_code == 0, result.output
    report = json.loads((tmp_path / "s" / "report.json").read_text(encoding="utf-8"))
    assert report["classes"] == list(CLASSES)
    assert report["pictures"] == [72, 18, 30]
    assert all(row["status"] == "optimal" for row in report["finalists"])
    assert max(row["test"] for row in report["finalists"]) >= 60  # chance names a third; 30 pictures
    design = json.loads((tmp_path / "s" / "winner.json").read_text(encoding="utf-8"))
    network = load_network(design["network"], design["weights"])
    assert network.graph.metadata["classes"] == list(CLASSES)


def test_what_is_wrong_with_a_folder_is_named(pictures: Path, tmp_path: Path) -> None:
    damaged = pictures / "train" / "disc" / "4.png"
    kept = damaged.read_bytes()
    damaged.write_bytes(kept[: len(kept) // 2])
    with pytest.raises(DataError, match=r"train/disc/4\.png cannot be read"):
        load(str(pictures), tmp_path)
    damaged.write_bytes(kept)
    (pictures / "val" / "disc").rename(pictures / "val" / "disk")
    with pytest.raises(DataError, match="class 'disc' is in one of train and val alone"):
        load(str(pictures), tmp_path)
    (pictures / "val" / "disk").rename(pictures / "val" / "disc")
    for file in sorted((pictures / "train" / "bars").iterdir())[4:]:
        file.unlink()
    with pytest.raises(DataError, match="train/bars has fewer than 5 pictures"):
        load(str(pictures), tmp_path)
    for file in (pictures / "train" / "bars").iterdir():
        file.unlink()
    with pytest.raises(DataError, match="train/bars holds no pictures"):
        load(str(pictures), tmp_path)
    shutil.rmtree(pictures / "val")
    with pytest.raises(DataError, match="val cannot be read"):
        load(str(pictures), tmp_path)
    with pytest.raises(UsageError, match="neither a task nor a folder"):
        load("nosuch", tmp_path)


def test_one_class_is_no_task(pictures: Path, tmp_path: Path) -> None:
    for part in ("train", "val"):
        for name in CLASSES[1:]:
            shutil.rmtree(pictures / part / name)
    with pytest.raises(DataError, match="holds one class alone"):
        load(str(pictures), tmp_path)
