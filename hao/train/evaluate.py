"""AP50 of a detector by pycocotools, and the displacements it used."""

from __future__ import annotations

import contextlib
import io
import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hao.data.cache import Annotated, scene_shard
from hao.data.photos import Split
from hao.errors import DataError, MissingTool
from hao.models.decode import Detections, decode
from hao.models.deform import Displacement, round_half_up
from hao.train.feed import normalize

Detector = Callable[[Tensor], tuple[Tensor, Tensor, Tensor]]
Truth = tuple[NDArray[np.int32], NDArray[np.int32]]
"""Boxes ``(n, 4)`` and labels ``(n,)`` of one picture."""


def detect(model: Detector, images: NDArray[np.uint8], batch: int = 16) -> list[Detections]:
    """Detections in ``(N, H, W, 3)`` u8 pictures, in order; computed where the model's buffers are."""
    first = next(itertools.chain(model.parameters(), model.buffers()), None) if isinstance(model, nn.Module) else None
    device = torch.device("cpu") if first is None else first.device
    found: list[Detections] = []
    with torch.inference_mode():
        for start in range(0, len(images), batch):
            heads = [head.float().cpu().numpy() for head in model(normalize(images[start : start + batch]).to(device))]
            found += [decode(*maps) for maps in zip(*heads, strict=True)]
    return found


def average_precision(found: Sequence[Detections], truth: Sequence[Truth]) -> float:
    """AP at an intersection over union of 0.5, mean over classes, in percent; ``truth`` is (boxes, labels) a picture.

    Raises:
        MissingTool: pycocotools is not installed.
        DataError: no pictures, or no objects in them.
    """
    try:
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
    except ImportError as error:
        raise MissingTool("pycocotools is not installed", hint="pip install 'hao[test]'") from error
    if len(found) != len(truth) or not sum(len(labels) for _, labels in truth):
        raise DataError(f"nothing to evaluate: {len(found)} results for {len(truth)} pictures", hint="give pictures with objects")
    with contextlib.redirect_stdout(io.StringIO()):
        reference, result = COCO(), COCO()
        reference.dataset, result.dataset = _coco_truth(truth), _coco_found(found, truth)
        reference.createIndex()
        result.createIndex()
        evaluation = COCOeval(reference, result, "bbox")
        evaluation.params.iouThrs = np.array([0.5])
        evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, 1e10]], ["all"]
        evaluation.params.maxDets = [100]
        evaluation.evaluate()
        evaluation.accumulate()
    precision = evaluation.eval["precision"]
    return float(100 * precision[precision > -1].mean())


def _coco_truth(truth: Sequence[Truth]) -> dict[str, list[dict[str, object]]]:
    annotations: list[dict[str, object]] = []
    for picture, (boxes, labels) in enumerate(truth):
        for box, label in zip(boxes, labels, strict=True):
            annotations.append(_annotation(len(annotations) + 1, picture, box, int(label)))
    names = sorted({int(n) for _, labels in truth for n in labels})
    return {"images": [{"id": k} for k in range(len(truth))], "annotations": annotations, "categories": [{"id": n} for n in names]}


def _coco_found(found: Sequence[Detections], truth: Sequence[Truth]) -> dict[str, list[dict[str, object]]]:
    base = _coco_truth(truth)
    annotations: list[dict[str, object]] = []
    for picture, each in enumerate(found):
        for box, label, score in zip(each.boxes, each.labels, each.scores, strict=True):
            annotations.append(_annotation(len(annotations) + 1, picture, box, int(label)) | {"score": float(score)})
    return base | {"annotations": annotations}


def _annotation(number: int, picture: int, box: NDArray[np.generic], label: int) -> dict[str, object]:
    x0, y0, x1, y1 = (float(v) for v in box)
    width, height = x1 - x0, y1 - y0
    return {
        "id": number,
        "image_id": picture,
        "category_id": label,
        "bbox": [x0, y0, width, height],
        "area": width * height,
        "iscrowd": 0,
    }


def scenes(folder: Path, split: Split, count: int) -> tuple[NDArray[np.uint8], list[Truth]]:
    """The first ``count`` scenes of ``split`` and their (boxes, labels)."""
    images, truth = [], []
    for shard in _shards(folder, split, count):
        images.append(np.asarray(shard.images))
        truth += [(boxes[labels >= 0], labels[labels >= 0]) for boxes, labels in zip(shard.boxes, shard.labels, strict=True)]
    return np.concatenate(images)[:count], truth[:count]


def _shards(folder: Path, split: Split, count: int) -> Iterator[Annotated]:
    held, number = 0, 0
    while held < count:
        shard = scene_shard(folder, split, number)
        held, number = held + len(shard.images), number + 1
        yield shard


def displacement_histograms(model: nn.Module, images: NDArray[np.uint8]) -> dict[str, dict[int, int]]:
    """How often each deformable layer used each rounded displacement, over ``images``; empty without such layers."""
    counts: dict[str, dict[int, int]] = {}

    def count(name: str) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
        def hook(_module: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
            values, numbers = torch.unique(round_half_up(output.float()).long(), return_counts=True)
            for value, number in zip(values.tolist(), numbers.tolist(), strict=True):
                counts[name][value] = counts[name].get(value, 0) + number

        return hook

    handles = []
    for name, module in model.named_modules():
        if isinstance(module, Displacement):
            counts[name] = {}
            handles.append(module.register_forward_hook(count(name)))
    detect(model, images)
    for handle in handles:
        handle.remove()
    return {name: dict(sorted(table.items())) for name, table in counts.items()}
