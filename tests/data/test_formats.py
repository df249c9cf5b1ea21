"""VOC and COCO layouts, shards, the user's own pictures, the demo's picture."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hao.data import cache, shapes64
from hao.data.coco import read_coco
from hao.data.demo import demo_image
from hao.data.images import PAD_COLOUR, fit, read_image
from hao.data.scenes import render_crop, render_scene
from hao.data.shapes import CLASSES
from hao.data.voc import VOC_CLASSES, read_voc, write_voc
from hao.errors import DataError


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "SHARD", 4)
    monkeypatch.setattr(shapes64, "SHARD", 4)


def test_voc_round_trip(tmp_path: Path) -> None:
    names = write_voc(tmp_path, "test", 3, first=5)
    samples = read_voc(tmp_path, "test", CLASSES)
    assert [sample.path.stem for sample in samples] == names
    for index, sample in zip(range(5, 8), samples, strict=True):
        scene = render_scene("test", index)
        assert np.array_equal(sample.image(), scene.image)
        assert np.array_equal(sample.boxes, scene.boxes.astype(np.float32))
        assert np.array_equal(sample.labels, scene.labels)
        assert not sample.ignored.any()


def voc(folder: Path, body: str) -> Path:
    (folder / "ImageSets/Main").mkdir(parents=True)
    (folder / "Annotations").mkdir()
    (folder / "ImageSets/Main/trainval.txt").write_text("000005\n")
    (folder / "Annotations/000005.xml").write_text(body)
    return folder


REAL = """<annotation><filename>000005.jpg</filename><object><name>chair</name><difficult>1</difficult>
<bndbox><xmin>263</xmin><ymin>211</ymin><xmax>324</xmax><ymax>339</ymax></bndbox></object></annotation>"""


def test_voc_counts_pixels_from_one(tmp_path: Path) -> None:
    (sample,) = read_voc(voc(tmp_path, REAL), "trainval")
    assert sample.path == tmp_path / "JPEGImages/000005.jpg"
    assert sample.boxes.tolist() == [[262, 210, 324, 339]]
    assert sample.labels.tolist() == [VOC_CLASSES.index("chair")]
    assert sample.ignored.tolist() == [True]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("chair", "throne", "throne"),
        ("<xmin>263</xmin>", "", "xmin"),
        ("263", "left", "left"),
        ("</annotation>", "", "cannot be read"),
        ("000005.jpg", "../../secret.jpg", "secret"),
        ("<annotation>", "<!DOCTYPE a [<!ENTITY x 'y'>]><annotation>", "document type"),
    ],
)
def test_bad_voc_is_named(tmp_path: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(DataError, match=said) as caught:
        read_voc(voc(tmp_path, REAL.replace(old, new)), "trainval")
    assert "000005.xml" in caught.value.message


def test_missing_voc_set_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"val\.txt"):
        read_voc(tmp_path, "val")


def coco() -> dict[str, list[dict[str, object]]]:
    return {
        "images": [{"id": 9, "file_name": "9.jpg"}, {"id": 4, "file_name": "4.jpg"}],
        "categories": [{"id": 18, "name": "dog"}, {"id": 3, "name": "car"}],
        "annotations": [
            {"image_id": 4, "category_id": 18, "bbox": [10.5, 20, 30, 40], "iscrowd": 0},
            {"image_id": 4, "category_id": 3, "bbox": [0, 0, 5, 6], "iscrowd": 1},
        ],
    }


def test_coco(tmp_path: Path) -> None:
    (tmp_path / "instances.json").write_text(json.dumps(coco()))
    data = read_coco(tmp_path / "instances.json", tmp_path / "images")
    assert (data.classes, data.category_ids, data.image_ids) == (("car", "dog"), (3, 18), (9, 4))
    empty, full = data.samples
    assert empty.boxes.shape == (0, 4)
    assert full.path == tmp_path / "images/4.jpg"
    assert full.boxes.tolist() == [[10.5, 20, 40.5, 60], [0, 0, 5, 6]]
    assert full.labels.tolist() == [1, 0]
    assert full.ignored.tolist() == [False, True]


@pytest.mark.parametrize("fault", ["text", "no images", "unknown picture", "unknown category", "short box", "path"])
def test_bad_coco_is_named(tmp_path: Path, fault: str) -> None:
    content = coco()
    if fault == "no images":
        del content["images"]
    elif fault == "unknown picture":
        content["annotations"][0]["image_id"] = 5
    elif fault == "unknown category":
        content["annotations"][0]["category_id"] = 5
    elif fault == "short box":
        content["annotations"][0]["bbox"] = [1, 2, 3]
    elif fault == "path":
        content["images"][0]["file_name"] = "../9.jpg"
    (tmp_path / "a.json").write_text("{" if fault == "text" else json.dumps(content))
    with pytest.raises(DataError, match=r"a\.json"):
        read_coco(tmp_path / "a.json", tmp_path)


def test_shards_hold_what_is_rendered(tmp_path: Path) -> None:
    for _ in range(2):
        shard = cache.scene_shard(tmp_path, "val", 1)
        for row in range(4):
            scene = render_scene("val", 4 + row)
            kept = shard.labels[row] >= 0
            assert np.array_equal(shard.images[row], scene.image)
            assert np.array_equal(shard.boxes[row][kept], scene.boxes)
            assert np.array_equal(shard.labels[row][kept], scene.labels)
    file = next(tmp_path.glob("scenes*images.npy"))
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(DataError, match="scenes-v1-val-0001"):
        cache.scene_shard(tmp_path, "val", 1)


def test_shapes64(tmp_path: Path) -> None:
    images, labels = shapes64.shapes64(tmp_path, "test", 6)
    assert images.shape == (6, 64, 64, 3)
    for index in range(6):
        image, label = render_crop("test", index)
        assert np.array_equal(images[index], image)
        assert labels[index] == label
    assert shapes64.SIZES == {"train": 20_000, "val": 5_000, "test": 10_000}
    with pytest.raises(DataError, match="5001"):
        shapes64.shapes64(tmp_path, "val", 5001)


def test_own_pictures_fit_and_boxes_return(tmp_path: Path) -> None:
    picture = np.zeros((40, 100, 3), np.uint8)
    picture[10:20, 50:80] = 255
    Image.fromarray(picture).save(tmp_path / "wide.png")
    fitted = fit(read_image(tmp_path / "wide.png"), 256)
    assert fitted.image.shape == (256, 256, 3)
    assert fitted.image[0, 0].tolist() == list(PAD_COLOUR)
    bright = np.argwhere(fitted.image[:, :, 0] > 200)
    (y0, x0), (y1, x1) = bright.min(0), bright.max(0) + 1
    back = fitted.to_original(np.array([[x0, y0, x1, y1], [-50, -50, 400, 400]], np.float32))
    assert np.abs(back[0] - (50, 10, 80, 20)).max() <= 1
    assert back[1].tolist() == [0, 0, 100, 40]


def test_bad_pictures_are_named(tmp_path: Path) -> None:
    good = tmp_path / "good.png"
    Image.fromarray(np.zeros((64, 64, 3), np.uint8) + np.arange(64, dtype=np.uint8)[:, None, None]).save(good)
    (tmp_path / "text.jpg").write_text("no picture")
    (tmp_path / "cut.png").write_bytes(good.read_bytes()[:80])
    for name in ("text.jpg", "cut.png", "absent.png", "."):
        with pytest.raises(DataError, match="cannot be read") as caught:
            read_image(tmp_path / name)
        assert str(tmp_path) in caught.value.message
    assert caught.value.exit_code == 4


def test_demo_image(tmp_path: Path) -> None:
    first, again, other = demo_image(), demo_image(), demo_image(seed=1)
    assert np.array_equal(first.image, again.image)
    assert not np.array_equal(first.image, other.image)
    assert first.image.shape == (256, 256, 3)
    assert len(first.boxes) == len(first.labels) == 6
    plain = demo_image(plain=True)
    assert plain.boxes.shape == (0, 4)
    Image.fromarray(np.full((30, 60, 3), 9, np.uint8)).save(tmp_path / "own.png")
    own = demo_image(tmp_path / "own.png", plain=True)
    assert own.image[128, 128].tolist() == [9, 9, 9]
    assert len(demo_image(tmp_path / "own.png").boxes) == 6
    with pytest.raises(DataError, match="negative"):
        demo_image(seed=-1)
