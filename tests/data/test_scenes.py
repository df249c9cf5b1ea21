"""The generator: frozen, class-blind in colour, honest about occlusion and splits."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from hao.data.draw import Draw
from hao.data.photos import PHOTOS, SPLITS, photo, photo_path
from hao.data.scenes import GENERATOR_VERSION, MAX_OBJECTS, MIN_VISIBLE_PERCENT, SIZE_RANGE, render_crop, render_scene
from hao.data.shapes import CLASSES, SILHOUETTES, class_mask
from hao.errors import DataError


def digest(*arrays: np.ndarray) -> str:
    state = hashlib.sha256()
    for array in arrays:
        state.update(str(array.shape).encode())
        state.update(np.ascontiguousarray(array).astype("<i4").tobytes())
    return state.hexdigest()[:16]


FROZEN = {
    ("train", 0): ("ca117676e608782f", "efc9ccffaee8dea0"),
    ("train", 123456): ("35377b9ef63e3361", "e81a3705b08f77f9"),
    ("val", 0): ("5bdcd83f8981a4d5", "57c9885e9e554350"),
    ("val", 123456): ("b6c5f5ef0f89ba64", "de810aa9cae9ef93"),
    ("test", 0): ("9d5caa17d49545d2", "a395c106e33c3cbb"),
    ("test", 123456): ("17fccfff0a3e02d2", "929a857bc34b8882"),
}


@pytest.mark.parametrize("name", list(FROZEN))
def test_the_generator_is_frozen(name: tuple[str, int]) -> None:
    """A change here makes every trained network's figures void: raise GENERATOR_VERSION and train again."""
    assert GENERATOR_VERSION == 1
    scene = render_scene(*name)
    assert (digest(scene.boxes, scene.labels, scene.visible), digest(scene.image)) == FROZEN[name]


def test_crops_are_frozen() -> None:
    assert [(label, digest(image)) for image, label in (render_crop("test", index) for index in (0, 7))] == [
        (1, "398f625ee9847447"),
        (6, "5892c0bfae36f528"),
    ]


def test_draws_are_those_of_the_raw_stream() -> None:
    draw = Draw(1, 2, 3)
    raw = np.random.PCG64(np.random.SeedSequence((1, 2, 3)))
    assert [draw.below(1000) for _ in range(5)] == [(int(raw.random_raw()) >> 32) * 1000 >> 32 for _ in range(5)]
    assert {Draw(4).between(3, 5) for _ in range(1)} <= {3, 4, 5}
    sizes = [Draw(9, k).log_between(*SIZE_RANGE) for k in range(2000)]
    assert min(sizes) == SIZE_RANGE[0]
    assert max(sizes) == SIZE_RANGE[1]
    middle = (SIZE_RANGE[0] * SIZE_RANGE[1]) ** 0.5
    assert 0.45 < sum(size < middle for size in sizes) / len(sizes) < 0.55


def test_scenes_keep_their_promises() -> None:
    longest, seen = [], 0
    for index in range(150):
        scene = render_scene("train", index)
        assert scene.image.shape == (256, 256, 3)
        assert scene.image.dtype == np.uint8
        assert len(scene.boxes) == len(scene.labels) == len(scene.visible) <= MAX_OBJECTS
        assert (scene.boxes[:, :2] >= 0).all()
        assert (scene.boxes[:, 2:] <= 256).all()
        assert (scene.boxes[:, 2:] > scene.boxes[:, :2]).all()
        assert (scene.visible >= MIN_VISIBLE_PERCENT).all()
        assert (scene.visible <= 100).all()
        longest += (scene.boxes[:, 2:] - scene.boxes[:, :2]).max(1).tolist()
        seen |= sum(1 << label for label in set(scene.labels.tolist()))
    assert seen == (1 << len(CLASSES)) - 1
    assert np.percentile(longest, 98) / np.percentile(longest, 2) >= 4
    assert min(longest) >= 12


def test_occlusion_is_measured_and_happens() -> None:
    visible = np.concatenate([render_scene("train", index).visible for index in range(100)])
    assert visible.min() < 80
    assert (visible == 100).mean() > 0.4


def test_splits_share_no_photograph() -> None:
    names = [name for split in SPLITS for name in PHOTOS[split]]
    assert len(names) == len(set(names)) == 21
    assert all(photo(name).ndim == 3 for name in names)
    pixels = {digest(photo(name)) for name in names}
    assert len(pixels) == len(names)


def test_colour_does_not_tell_the_class() -> None:
    from sklearn.ensemble import RandomForestClassifier

    def histograms(split: str, count: int) -> tuple[np.ndarray, np.ndarray]:
        rows, labels = [], []
        for index in range(count):
            scene = render_scene(split, index)
            for (x0, y0, x1, y1), label in zip(scene.boxes, scene.labels, strict=True):
                bins = scene.image[y0:y1, x0:x1].reshape(-1, 3).astype(int) // 64 @ (16, 4, 1)
                rows.append(np.bincount(bins, minlength=64) / len(bins))
                labels.append(label)
        return np.array(rows), np.array(labels)

    train, held_out = histograms("train", 500), histograms("test", 250)
    assert len(held_out[1]) > 900
    score = RandomForestClassifier(100, random_state=0).fit(*train).score(*held_out)
    assert score < 2 / len(CLASSES)


def test_silhouettes_differ_pairwise_at_any_turn() -> None:
    """Each class, in eight random poses, against each other class: never nearly the same mask."""

    def masks(label: int) -> list[np.ndarray]:
        poses = []
        for pose in range(8):
            mask = class_mask(label, 32, Draw(label, pose))
            square = np.zeros((34, 34), bool)
            top, left = (34 - mask.shape[0]) // 2, (34 - mask.shape[1]) // 2
            square[top : top + mask.shape[0], left : left + mask.shape[1]] = mask >= 128
            poses.append(square)
        return poses

    every = [masks(label) for label in range(len(SILHOUETTES))]
    compared = 0
    for first in range(len(every)):
        for second in range(first):
            for a in every[first]:
                for b in every[second]:
                    assert (a & b).sum() / (a | b).sum() < 0.93, (CLASSES[first], CLASSES[second])
                    compared += 1
    assert compared == 190 * 64


def test_bad_names() -> None:
    with pytest.raises(DataError, match="'dev'"):
        render_scene("dev", 0)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="-1"):
        render_scene("test", -1)
    with pytest.raises(DataError, match=r"nothing\.png"):
        photo_path("skimage/nothing.png")
