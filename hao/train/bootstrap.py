"""Confidence intervals of AP50: scenes drawn with replacement, the score counted again each time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hao.errors import DataError
from hao.models.decode import Detections

OVERLAP = 0.5
_RECALLS = np.linspace(0, 1, 101)


@dataclass(frozen=True, slots=True, eq=False)
class ClassMatches:
    """One class: its detections in all pictures, best first, and its objects.

    Attributes:
        picture: ``(n,)`` picture of each detection.
        hit: ``(n,)`` whether it found an object.
        objects: ``(pictures,)`` objects of the class in each picture.
    """

    picture: NDArray[np.int64]
    hit: NDArray[np.bool_]
    objects: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Interval:
    """AP50 in percent, with the bounds of its central 95 % and the number of pictures behind it."""

    ap50: float
    low: float
    high: float
    pictures: int


def _overlaps(boxes: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """Intersections over unions, ``(n, 4)`` and ``(m, 4)`` -> ``(n, m)``."""
    corners = np.minimum(boxes[:, None, 2:], others[None, :, 2:]) - np.maximum(boxes[:, None, :2], others[None, :, :2])
    common = np.clip(corners, 0, None).prod(2)
    areas = [(each[:, 2:] - each[:, :2]).prod(1) for each in (boxes, others)]
    union: NDArray[np.float64] = areas[0][:, None] + areas[1][None] - common
    shares: NDArray[np.float64] = np.divide(common, union, out=np.zeros_like(common), where=union > 0)
    return shares


def _hits(overlaps: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which detections (rows, best first) find an object (columns): each takes the free object it overlaps most."""
    free, hit = np.ones(overlaps.shape[1], bool), np.zeros(len(overlaps), bool)
    for row, each in enumerate(overlaps):
        candidates = np.where(free, each, -1)
        if candidates.size and candidates.max() >= OVERLAP:
            free[candidates.argmax()], hit[row] = False, True
    return hit


def match(found: Sequence[Detections], truth: Sequence[tuple[NDArray[np.int32], NDArray[np.int32]]]) -> list[ClassMatches]:
    """Match detections to objects, class by class; ``truth`` is (boxes, labels) a picture.

    Raises:
        DataError: no pictures, or no objects in them.
    """
    if len(found) != len(truth) or not sum(len(labels) for _, labels in truth):
        raise DataError(f"nothing to evaluate: {len(found)} results for {len(truth)} pictures", hint="give pictures with objects")
    table = []
    for name in sorted({int(n) for _, labels in truth for n in labels}):
        rows: list[tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.bool_]]] = []
        objects = np.array([int((labels == name).sum()) for _, labels in truth], dtype=np.int64)
        for picture, (each, (boxes, labels)) in enumerate(zip(found, truth, strict=True)):
            mine = np.flatnonzero(each.labels == name)
            mine = mine[np.argsort(-each.scores[mine], kind="stable")]
            hit = _hits(_overlaps(each.boxes[mine].astype(np.float64), boxes[labels == name].astype(np.float64)))
            rows.append((each.scores[mine], np.full(len(mine), picture, dtype=np.int64), hit))
        scores, pictures, hits = (np.concatenate(column) for column in zip(*rows, strict=True))
        order = np.argsort(-scores, kind="stable")
        table.append(ClassMatches(pictures[order], hits[order], objects))
    return table


def weighted_ap50(table: Sequence[ClassMatches], weights: NDArray[np.int64]) -> float:
    """AP50 in percent when picture k counts ``weights[k]`` times; classes without objects then are left out."""
    scores = []
    for each in table:
        objects = int((weights * each.objects).sum())
        if objects:
            weight = weights[each.picture]
            true, all_ = np.cumsum(weight * each.hit), np.cumsum(weight)
            precision = np.maximum.accumulate((true / np.maximum(all_, 1))[::-1])[::-1]
            place = np.searchsorted(true / objects, _RECALLS, side="left")
            reached = place < len(precision)
            scores.append(float(precision[place[reached]].sum()) / len(_RECALLS))
    return 100 * float(np.mean(scores))


def bootstrap_ap50(
    found: Sequence[Detections], truth: Sequence[tuple[NDArray[np.int32], NDArray[np.int32]]], draws: int = 1000, seed: int = 0
) -> Interval:
    """AP50 and the central 95 % of ``draws`` resamplings of the pictures.

    Raises:
        DataError: no pictures, or no objects in them.
    """
    table, count = match(found, truth), len(truth)
    rng = np.random.default_rng(seed)
    drawn = [weighted_ap50(table, np.bincount(rng.integers(0, count, count), minlength=count)) for _ in range(draws)]
    low, high = np.percentile(drawn, (2.5, 97.5))
    return Interval(weighted_ap50(table, np.ones(count, dtype=np.int64)), float(low), float(high), count)
