"""Blocks of a DENSE operation: at most 16 channels in at most four planes, every channel once."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from hao.compiler.layout import Plane, _cut_blocks
from hao.compiler.ops import Ref, Value
from hao.engine.isa import LANES

SCATTER = 4
"""Destination planes that an instruction names (`docs/isa.md`)."""


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(1, LANES), min_size=1, max_size=12), st.randoms())
def test_blocks_cover_every_channel_once(sizes: list[int], random: object) -> None:
    """Whatever planes the channels of an output lie in: runs of 1 to 16 channels, one plane each, mixed."""
    total = sum(sizes)
    value = Value("out", total, 3, 3, False, 0, 255, "out")
    of = [plane for plane, size in enumerate(sizes) for _ in range(size)]
    random.shuffle(of)  # type: ignore[attr-defined]
    refs: list[Ref] = [(value, channel) for channel in range(total)]
    planes = [Plane(index, 3, 3) for index in range(len(sizes))]
    plane_of = {ref: planes[of[channel]] for channel, ref in enumerate(refs)}
    blocks = _cut_blocks(refs, plane_of)
    assert sorted(ref[1] for block in blocks for ref in block) == list(range(total))
    for block in blocks:
        assert 0 < len(block) <= LANES
        assert len({plane_of[ref] for ref in block}) <= SCATTER
    # four small planes a block are enough, so no more blocks than that, and full planes stay alone
    assert len(blocks) <= sum(size == LANES for size in sizes) + sum(size < LANES for size in sizes)
