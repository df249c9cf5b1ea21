"""Blocks of a DENSE operation: at most 16 channels in at most four planes, every channel once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hao.compiler.emit_ops import best_cut
from hao.compiler.layout import Plane, _cut_blocks
from hao.compiler.ops import DenseOp, Ref, Value, identity_scaling
from hao.compiler.timing import dense_walk
from hao.engine.config import CI_CONFIGS
from hao.engine.isa import LANES

SCATTER = 4
"""Destination planes that an instruction names (`docs/isa.md`)."""


def spread_over(sizes: Sequence[int], shuffle: Callable[[list[int]], None] = lambda _: None) -> tuple[list[Ref], dict[Ref, Plane]]:
    """Channels of one value, as many in each plane as ``sizes`` say, and the plane of each."""
    value = Value("out", sum(sizes), 3, 3, False, 0, 255, "out")
    of = [plane for plane, size in enumerate(sizes) for _ in range(size)]
    shuffle(of)
    refs: list[Ref] = [(value, channel) for channel in range(sum(sizes))]
    planes = [Plane(index, 3, 3) for index in range(len(sizes))]
    return refs, {ref: planes[of[channel]] for channel, ref in enumerate(refs)}


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(1, LANES), min_size=1, max_size=12), st.randoms())
def test_blocks_cover_every_channel_once(sizes: list[int], random: object) -> None:
    """Whatever planes the channels of an output lie in: runs of 1 to 16 channels, one plane each, mixed."""
    refs, plane_of = spread_over(sizes, random.shuffle)  # type: ignore[attr-defined]
    blocks = _cut_blocks(refs, plane_of)
    assert sorted(ref[1] for block in blocks for ref in block) == list(range(sum(sizes)))
    for block in blocks:
        assert 0 < len(block) <= LANES
        assert len({plane_of[ref] for ref in block}) <= SCATTER
    # four small planes a block are enough, so no more blocks than that, and full planes stay alone
    assert len(blocks) <= sum(size == LANES for size in sizes) + sum(size < LANES for size in sizes)


@pytest.mark.parametrize("sizes", [(1, 1, 1, 6, 11, 11), (1, 1, 1, 7, 10, 10)], ids=str)
def test_the_last_plane_of_a_block_tops_it_up(sizes: tuple[int, ...]) -> None:
    """Two blocks are enough; with small planes alone behind the first one a third would be needed."""
    refs, plane_of = spread_over(sizes)
    assert len(_cut_blocks(refs, plane_of)) == 2


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(1, 40), st.integers(2, 40)), st.sampled_from(sorted(CI_CONFIGS)))
def test_a_block_is_cut_where_that_saves_more_than_eight_cycles(shape: tuple[int, int, int, int], name: str) -> None:
    """Against every cut, counted here by weight tiles: taps times input planes."""
    (kernel, planes, width, rows), config = shape, CI_CONFIGS[name]
    source = Value("in", 16, rows, width, False, 0, 255)
    weight = np.zeros((1, 16, kernel, kernel), np.int64)
    scaling = identity_scaling(1, 0, 255)
    op = DenseOp("op", Value("out", 1, rows, width, False, 0, 255), ((source, 0),), weight, 4, scaling)
    cost = {n: dense_walk(n * width, kernel * kernel * planes, 1, 4, config) for n in range(1, rows + 1)}
    parts = best_cut(op, planes, (0, rows), config)
    assert parts[0][0] == 0 and parts[-1][1] == rows and all(a[1] == b[0] for a, b in pairwise(parts))
    least = min(cost[cut] + cost[rows - cut] for cut in range(1, rows))
    found = sum(cost[last - first] for first, last in parts)
    assert (len(parts), found) == ((2, least) if least < cost[rows] - 8 else (1, cost[rows]))
