"""``shapes64``: the classification set of the same generator, 64x64 pixels, one of twenty silhouettes a picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hao.data.cache import SHARD, crop_shard
from hao.data.photos import Split
from hao.errors import DataError

SIZES: dict[Split, int] = {"train": 20_000, "val": 5_000, "test": 10_000}
"""Pictures of each split."""


def shapes64(folder: Path, split: Split, count: int | None = None) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """The first ``count`` pictures (all, if None) of a split: ``(n, 64, 64, 3)`` u8 and labels ``(n,)``.

    Args:
        folder: rendered shards live here; missing ones are rendered now (about 600 pictures a second).

    Raises:
        DataError: more pictures asked than the split has, or damaged shards.
    """
    count = SIZES[split] if count is None else count
    if not 0 < count <= SIZES[split]:
        raise DataError(f"{count} pictures asked of shapes64 {split}", hint=f"it has {SIZES[split]}")
    shards = [crop_shard(folder, split, number) for number in range(-(-count // SHARD))]
    images = np.concatenate([shard.images for shard in shards])[:count]
    return images, np.concatenate([shard.labels[:, 0] for shard in shards])[:count]
