"""CenterNet decoding against an independent formulation, and without torch."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from torch.nn import functional

from hao.errors import ModelError
from hao.models.decode import STRIDE, TOP_K, decode, peaks


def heads(seed: int, side: int = 24) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return (
        rng.normal(size=(5, side, side)).astype(np.float32),
        rng.uniform(-1, 9, (2, side, side)).astype(np.float32),
        rng.random((2, side, side), np.float32),
    )


@pytest.mark.parametrize("seed", range(4))
def test_equals_the_max_pool_formulation(seed: int) -> None:
    heat, size, offset = heads(seed)
    logits = torch.from_numpy(heat)[None]
    kept = torch.where(functional.max_pool2d(logits, 3, 1, 1) == logits, logits.sigmoid(), torch.zeros(())).flatten()
    scores, order = kept.topk(TOP_K)
    found = decode(heat, size, offset)
    assert len(found.scores) == TOP_K
    assert np.array_equal(found.labels, (order // (24 * 24)).numpy())
    assert np.allclose(found.scores, scores.numpy(), atol=1e-6)
    for row, place in enumerate(order.tolist()):
        y, x = place % (24 * 24) // 24, place % 24
        (cx, cy), (w, h) = (x + offset[0, y, x], y + offset[1, y, x]), np.maximum(size[:, y, x], 0)
        assert np.allclose(found.boxes[row], STRIDE * np.array((cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2)), atol=1e-3)


def test_of_equal_neighbours_the_first_is_the_peak() -> None:
    heat = np.zeros((2, 4, 4), np.float32)
    heat[1, 0, 2] = heat[1, 3, 3] = 1
    assert [tuple(place) for place in np.argwhere(peaks(heat))] == [(0, 0, 0), (1, 0, 0), (1, 0, 2), (1, 3, 3)]
    found = decode(heat, np.ones((2, 4, 4), np.float32), np.zeros((2, 4, 4), np.float32), top_k=3)
    assert found.labels.tolist() == [1, 1, 0]
    assert found.boxes[:, 0].tolist() == [6, 10, -2]


@pytest.mark.parametrize("seed", range(3))
def test_equal_scores_in_a_fixed_order(seed: int) -> None:
    heat = np.random.default_rng(seed).integers(-3, 3, (3, 9, 7)).astype(np.float32)
    kept = np.argwhere(peaks(heat)).tolist()
    for c, y, x in np.ndindex(heat.shape):
        around = [(i, j) for i in range(max(y - 1, 0), min(y + 2, 9)) for j in range(max(x - 1, 0), min(x + 2, 7)) if (i, j) != (y, x)]
        beaten = any(heat[c, i, j] > heat[c, y, x] or (heat[c, i, j] == heat[c, y, x] and (i, j) < (y, x)) for i, j in around)
        assert ([c, y, x] in kept) is not beaten


def test_shapes_are_checked() -> None:
    heat, size, offset = heads(0)
    with pytest.raises(ModelError, match="do not belong together"):
        decode(heat, size[:1], offset)


def test_decoding_needs_no_torch() -> None:
    code = """
import sys
import hao.models.decode
from hao.data.demo import demo_image
demo_image()
sys.exit(bool({"torch", "sklearn"} & set(sys.modules)))
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
