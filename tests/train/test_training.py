"""Targets, losses, evaluation, checkpoints and the loop."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from hao.data import cache
from hao.errors import CheckpointError, DataError, TrainingError
from hao.models.codenet import build
from hao.models.decode import Detections, decode
from hao.train.bootstrap import bootstrap_ap50, match, weighted_ap50
from hao.train.evaluate import average_precision, detect, displacement_histograms
from hao.train.feed import Feed, normalize
from hao.train.loop import Trainer, learning_rate, load_float, steps_of
from hao.train.losses import detection_loss, focal_loss
from hao.train.recipe import Phase, Recipe, read_recipe
from hao.train.score import load_network, score
from hao.train.state import Learner, keep_full_precision
from hao.train.targets import gaussian_radius, make_targets

PHASE = {"task": "scenes", "size": 64, "images": 12, "batch": 4, "rate": 1e-3, "shards": 2, "smallest_crop": 128}


@pytest.fixture
def shards(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(cache, "SHARD", 8)
    torch.set_num_threads(1)
    return tmp_path / "data"


@pytest.mark.parametrize(("width", "height"), [(4, 4), (10, 3), (28, 28), (1, 1), (2, 20)])
def test_gaussian_radius_keeps_the_overlap(width: float, height: float) -> None:
    def overlap(a: tuple[float, ...], b: tuple[float, ...]) -> float:
        common = max(0, min(a[2], b[2]) - max(a[0], b[0])) * max(0, min(a[3], b[3]) - max(a[1], b[1]))
        areas = [(c[2] - c[0]) * (c[3] - c[1]) for c in (a, b)]
        return common / (sum(areas) - common)

    r = gaussian_radius(width, height)
    assert r > 0
    worst = min(
        overlap((0, 0, width, height), moved)
        for moved in ((r, r, width + r, height + r), (r, r, width - r, height - r), (-r, -r, width + r, height + r))
    )
    assert math.isclose(worst, 0.7, abs_tol=1e-9)


def test_targets_decode_to_the_boxes() -> None:
    boxes = [np.array([[10, 20, 50, 44], [100, 30, 131, 127]], np.float32), np.zeros((0, 4), np.float32)]
    labels = [np.array([3, 7], np.int32), np.zeros(0, np.int32)]
    targets = make_targets(boxes, labels, 128, 20)
    assert targets.heat.shape == (2, 20, 32, 32)
    assert sorted(zip(*np.nonzero(targets.heat == 1), strict=True)) == [(0, 3, 8, 7), (0, 7, 19, 28)]
    assert not targets.heat[1].any()
    size, offset = np.zeros((2, 2, 32, 32), np.float32)
    for place, wh, xy in zip(targets.position, targets.size, targets.offset, strict=True):
        size[:, place // 32, place % 32], offset[:, place // 32, place % 32] = wh, xy
    found = decode(np.where(targets.heat[0] > 0.99, 9.0, -9.0).astype(np.float32), size, offset, top_k=2)
    assert {(int(n), *b) for n, b in zip(found.labels, found.boxes.tolist(), strict=True)} == {(3, 10, 20, 50, 44), (7, 100, 30, 131, 127)}


def test_focal_loss_by_its_formula() -> None:
    torch.manual_seed(0)
    logits, target = torch.randn(2, 3, 5, 5, dtype=torch.float64), torch.rand(2, 3, 5, 5, dtype=torch.float64)
    target[0, 1, 2, 3] = target[1, 2, 4, 4] = 1
    expected = 0.0
    for z, y in zip(logits.flatten().tolist(), target.flatten().tolist(), strict=True):
        p = 1 / (1 + math.exp(-z))
        expected -= (1 - p) ** 2 * math.log(p) if y == 1 else (1 - y) ** 4 * p**2 * math.log(1 - p)
    assert math.isclose(focal_loss(logits, target).item(), expected / 2, rel_tol=1e-9)


def test_loss_reads_the_heads_at_the_objects() -> None:
    heads = (torch.full((2, 20, 8, 8), -9.0), torch.zeros(2, 2, 8, 8), torch.zeros(2, 2, 8, 8))
    heads[1][1, :, 2, 5] = torch.tensor([4.0, 6.0])
    heads[0][1, 4, 2, 5] = 9.0
    # Output pixels: width 3, height 8, centre (5.25, 2.5); the boxes are in pixels of the picture.
    box = 4 * np.array([[3.75, -1.5, 6.75, 6.5]], np.float32)
    targets = make_targets([np.zeros((0, 4), np.float32), box], [np.zeros(0, np.int32), np.array([4], np.int32)], 32, 20)
    loss = detection_loss(heads, targets, class_weight=0.5)
    assert (loss.size.item(), loss.offset.item()) == (3.0, 0.75)
    named = math.log(1 + 19 * math.exp(-18))
    assert math.isclose(loss.naming.item(), named, abs_tol=1e-6)
    assert math.isclose(loss.total.item(), loss.heat.item() + 0.3 + 0.75 + 0.5 * loss.naming.item(), rel_tol=1e-6)


def noisy_detections(seed: int) -> tuple[list[Detections], list[tuple[np.ndarray, np.ndarray]]]:
    rng = np.random.default_rng(seed)
    found, truth = [], []
    for _ in range(12):
        corner, side = rng.uniform(0, 200, (6, 2)), rng.uniform(30, 60, (6, 2))
        boxes, labels = np.concatenate((corner, corner + side), 1), rng.integers(0, 4, 6)
        truth.append((boxes.round().astype(np.int32), labels.astype(np.int32)))
        moved = boxes + rng.normal(0, 4, boxes.shape)
        wrong = np.where(rng.random(6) < 0.2, (labels + 1) % 4, labels)
        found.append(Detections(moved.astype(np.float32), wrong.astype(np.int32), rng.random(6).astype(np.float32)))
    return found, truth


def plain_average_precision(found: list[Detections], truth: list[tuple[np.ndarray, np.ndarray]]) -> float:
    """Straight from the definition: greedy matching by score, precision made monotone, 101 recall points."""
    classes, total = sorted({int(n) for _, labels in truth for n in labels}), 0.0
    for name in classes:
        rows = [
            (s, k, b)
            for k, each in enumerate(found)
            for b, n, s in zip(each.boxes.tolist(), each.labels, each.scores, strict=True)
            if n == name
        ]
        free = {
            (k, m): b
            for k, (boxes, labels) in enumerate(truth)
            for m, (b, n) in enumerate(zip(boxes.tolist(), labels, strict=True))
            if n == name
        }
        objects, hits, curve = len(free), 0, []
        for rank, (_, k, box) in enumerate(sorted(rows, key=lambda row: -row[0]), 1):
            best, most = None, 0.5
            for key, other in free.items():
                width, height = (min(box[2 + a], other[2 + a]) - max(box[a], other[a]) for a in (0, 1))
                common = max(width, 0) * max(height, 0)
                areas = sum((c[2] - c[0]) * (c[3] - c[1]) for c in (box, other))
                if key[0] == k and common / (areas - common) >= most:
                    best, most = key, common / (areas - common)
            if best is not None:
                del free[best]
                hits += 1
            curve.append((hits / objects, hits / rank))
        total += sum(max((p for r, p in curve if r >= k / 100 - 1e-12), default=0.0) for k in range(101)) / 101
    return 100 * total / len(classes)


@pytest.mark.parametrize("seed", range(3))
def test_average_precision_by_its_definition(seed: int) -> None:
    found, truth = noisy_detections(seed)
    ours = average_precision(found, truth)
    assert 20 < ours < 95
    assert math.isclose(ours, plain_average_precision(found, truth), abs_tol=1e-6)
    interval = bootstrap_ap50(found, truth, draws=200)
    assert math.isclose(ours, interval.ap50, abs_tol=1e-9)
    assert interval.low < ours < interval.high
    assert interval.pictures == len(truth)


def test_bootstrap_weights_equal_repeated_pictures() -> None:
    found, truth = noisy_detections(4)
    weights = np.array([0, 3, 1, 2, 0, 0, 1, 1, 2, 1, 0, 1])
    picked = [k for k, weight in enumerate(weights) for _ in range(weight)]
    repeated = average_precision([found[k] for k in picked], [truth[k] for k in picked])
    assert math.isclose(weighted_ap50(match(found, truth), weights), repeated, abs_tol=1e-9)


def test_average_precision_of_perfect_and_empty_answers() -> None:
    _, truth = noisy_detections(1)
    perfect = [Detections(boxes.astype(np.float32), labels, np.ones(len(labels), np.float32)) for boxes, labels in truth]
    nothing = [Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.int32), np.zeros(0, np.float32)) for _ in truth]
    assert average_precision(perfect, truth) == 100
    assert average_precision(nothing, truth) == 0
    with pytest.raises(DataError, match="nothing to evaluate"):
        average_precision([], [])


def test_normalization_is_zero_at_the_integer_mean() -> None:
    image = np.full((1, 2, 2, 3), (104, 114, 120), np.uint8)
    assert torch.equal(normalize(image), torch.zeros(1, 3, 2, 2))


@pytest.mark.parametrize("task", ["scenes", "objects", "crops"])
def test_feed_is_a_function_of_its_key_and_step(shards: Path, task: str) -> None:
    phase = Phase.model_validate(PHASE | {"task": task})
    one, two = (Feed(shards, phase, (3, 0), 20) for _ in range(2))
    first, again, other = one.batch(5), two.batch(5), two.batch(6)
    assert torch.equal(first.images, again.images)
    assert not torch.equal(first.images, other.images)
    assert first.images.shape == (4, 3, 64, 64)
    assert first.images.is_contiguous(memory_format=torch.channels_last)
    seen = np.concatenate([one._order(step) for step in range(4)])
    assert task == "objects" or sorted(seen.tolist()) == list(range(16))


def test_targets_follow_crops_and_turns(shards: Path) -> None:
    """Each target's centre lies on a painted marker, whatever the augmentation."""
    phase = Phase.model_validate(PHASE | {"size": 128})
    feed = Feed(shards, phase, (1, 0), 20)
    image, boxes = np.full((256, 256, 3), (104, 114, 120), np.uint8), np.zeros((8, 3, 4), np.int32)
    for k, (x, y) in enumerate(((40, 60), (180, 90), (120, 200))):
        boxes[:, k] = (x - 20, y - 10, x + 20, y + 10)
        image[y - 10 : y + 10, x - 20 : x + 20] = 255
    labels = np.tile(np.arange(3, dtype=np.int32), (8, 1))
    feed.shards = [cache.Annotated(np.stack([image] * 8), boxes, labels)] * 2
    checked = 0
    for step in range(8):
        batch = feed.batch(step)
        assert batch.targets is not None
        for picture, place in zip(batch.targets.picture, batch.targets.position, strict=True):
            y, x = (int(v) * 4 + 2 for v in divmod(int(place), 32))
            window = batch.images[int(picture)][:, y - 1 : y + 2, x - 1 : x + 2]
            # The mean colour is at most 0.3 away from zero after variation; the marker is above 1.3.
            assert window.min() > 1
            checked += 1
    assert checked > 50


def test_objects_are_named_from_the_cell_under_their_centre() -> None:
    learner = Learner(build("b"), 1024, 20)
    torch.nn.init.zeros_(learner.classifier.bias)
    torch.nn.init.zeros_(learner.classifier.weight)
    learner.classifier.weight.data[:, 0] = 1
    features = torch.zeros(2, 1024, 4, 4)
    features[:, 0] = torch.arange(32.0).reshape(2, 4, 4)
    boxes = [np.array([[0, 0, 8, 8], [96, 30, 126, 60]], np.float32), np.array([[60, 100, 80, 120]], np.float32)]
    targets = make_targets(boxes, [np.array([1, 2], np.int32), np.array([3], np.int32)], 128, 20)
    named = learner.name_objects(features, targets)
    assert named[:, 0].tolist() == [0, 4 * 1 + 3, 16 + 4 * 3 + 2]


def test_learning_rate_rises_and_falls() -> None:
    phase = Phase(task="scenes", size=64, images=1000, batch=10, rate=1.0, warmup=0.1, final=0.1, shards=1)
    rates = [learning_rate(phase, step) for step in range(steps_of(phase) + 1)]
    assert rates.index(max(rates)) == 9
    assert math.isclose(rates[-1], 0.1)
    assert all(a >= b for a, b in itertools.pairwise(rates[10:]))


def recipe(**changes: object) -> Recipe:
    phases = (PHASE | {"task": "objects", "images": 8}, PHASE | {"class_weight": 1.0, "deep_weight": 1.0})
    base = {"name": "small", "phases": phases, "half": False, "validation_scenes": 8, "validate_every": 1e9, "save_every": 1e9}
    return Recipe.model_validate(base | changes)


def test_resuming_equals_not_stopping(shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hao.train.loop._CROPS_CHECKED", 8)
    whole = Trainer(recipe(), tmp_path / "whole", shards, export=tmp_path / "out.safetensors")
    whole.train()
    assert (tmp_path / "out.json").is_file()
    for _ in range(10):
        parts = Trainer(recipe(), tmp_path / "parts", shards)
        if parts.run.progress.phase == 2:
            break
        parts.train(seconds=0)
    assert parts.run.progress.images == whole.run.progress.images == 20
    assert [h["phase"] for h in parts.run.progress.history] == [0, 1]
    for mine, theirs in zip(parts.run.average.state_dict().items(), whole.run.average.state_dict().items(), strict=True):
        assert mine[0] == theirs[0]
        assert torch.equal(mine[1], theirs[1]), mine[0]
    records = [json.loads(line) for line in (tmp_path / "parts/small.log").read_text().splitlines()]
    assert "ap50" in records[-1]
    assert set(records[-1]["displacements"]) == {f"deconv_layers.{k}.displacement" for k in (0, 4, 8)}


def test_export_is_small_and_loads(shards: Path, tmp_path: Path) -> None:
    trainer = Trainer(recipe(), tmp_path, shards)
    trainer.run.export(tmp_path / "out.safetensors")
    assert (tmp_path / "out.safetensors").stat().st_size <= 4 << 20
    net = build("b")
    load_float(net, tmp_path / "out.safetensors")
    exported = trainer.run.average.net.state_dict()
    assert all(torch.equal(value, exported[name].half().to(value.dtype)) for name, value in net.state_dict().items())
    header = json.loads((tmp_path / "out.json").read_text())
    assert (header["image_mean"], header["generator_version"], header["origin"]) == ([104, 114, 120], 1, [])
    later = Trainer(recipe(name="later"), tmp_path, shards, initial=tmp_path / "out.safetensors")
    assert [run["recipe"]["name"] for run in later.run.origin] == ["small"]
    with pytest.raises(CheckpointError, match=r"shape|lacks|unknown"):
        load_float(build("d"), tmp_path / "out.safetensors")
    with pytest.raises(CheckpointError, match=r"lacks|unknown"):
        load_float(build("b", operator="plain"), tmp_path / "out.safetensors")


def test_a_network_can_begin_with_the_backbone_of_another(shards: Path, tmp_path: Path) -> None:
    first = Trainer(recipe(), tmp_path, shards)
    first.run.export(tmp_path / "w.safetensors")
    second = Trainer(
        recipe(name="plain", operator="plain", begin_with="backbone", seed=9), tmp_path, shards, initial=tmp_path / "w.safetensors"
    )
    mine, theirs = second.run.learner.net.state_dict(), first.run.learner.net.state_dict()
    for name, value in mine.items():
        assert torch.equal(value, theirs[name].half().to(value.dtype)) or not name.startswith("layer"), name
    assert not torch.equal(mine["hm.0.weight"], theirs["hm.0.weight"])


def test_bad_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "x.safetensors").write_bytes(b"\x10" * 100)
    for name in ("x.safetensors", "absent.safetensors"):
        with pytest.raises(CheckpointError, match=name.split(".")[0]):
            load_float(build("b"), tmp_path / name)
    (tmp_path / "r.json").write_text('{"name": "x", "phases": [{"task": "scenes"}]}')
    with pytest.raises(TrainingError, match=r"phases\.0\.size"):
        read_recipe(tmp_path / "r.json")
    with pytest.raises(TrainingError, match=r"none\.json"):
        read_recipe(tmp_path / "none.json")


def test_prepare_wraps_the_network_and_divergence_is_reported(shards: Path, tmp_path: Path) -> None:
    def explode(net: torch.nn.Module) -> torch.nn.Module:
        torch.nn.init.constant_(net.hm[-1].bias, math.nan)
        return net

    trainer = Trainer(recipe(phases=(PHASE,)), tmp_path, shards, prepare=explode)
    with pytest.raises(TrainingError, match="nan"):
        trainer.train()


def test_strided_depthwise_stays_in_float32_under_autocast() -> None:
    torch.manual_seed(0)
    net = torch.nn.Sequential(
        torch.nn.Conv2d(8, 8, 3, stride=2, padding=1, groups=8, bias=False), torch.nn.Conv2d(8, 4, 1), torch.nn.Conv2d(4, 4, 3, stride=2)
    )
    keep_full_precision(net)
    seen: list[torch.dtype] = []
    for module in net:
        module.register_forward_hook(lambda _module, _inputs, output: seen.append(output.dtype))
    with torch.autocast("cpu", torch.bfloat16):
        out = net(torch.randn(1, 8, 16, 16))
    assert seen == [torch.float32, torch.bfloat16, torch.bfloat16]
    out.float().sum().backward()
    assert all(parameter.grad is not None for parameter in net.parameters())
    assert net(torch.randn(1, 8, 16, 16)).dtype == torch.float32


def test_displacement_histograms_count_every_pixel() -> None:
    net = build("b").eval()
    images = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)
    tables = displacement_histograms(net, images)
    assert [sum(table.values()) for table in tables.values()] == [3 * 4, 3 * 16, 3 * 64]
    net.force_displacement(1)
    assert [set(table) for table in displacement_histograms(net, images).values()] == [{1}, {1}, {1}]
    assert len(detect(net, images)) == 3


def test_score_of_an_export(shards: Path, tmp_path: Path) -> None:
    Trainer(recipe(), tmp_path, shards).run.export(tmp_path / "w.safetensors")
    free = score(load_network(tmp_path / "w.safetensors"), shards, "val", count=4, draws=20)
    forced = score(load_network(tmp_path / "w.safetensors", forced=1), shards, "val", count=4, draws=20)
    assert free.interval.pictures == 4
    assert 0 <= free.interval.low <= free.interval.high <= 100
    assert len(forced.constant_layers) == len(free.displacements) == 3
    assert len(free.constant_layers) < 3
