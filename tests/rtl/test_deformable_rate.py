"""Deformable depthwise costs what plain depthwise costs: busy cycles of the depthwise core on preloaded slices of 64 x 64 pixels."""

from __future__ import annotations

import numpy as np

from benchmarks.deformable import PIXELS, Bench, gather, preloaded, streamed
from hao.boards import load_board
from hao.engine.config import ULTRA96
from hao.engine.isa import Opcode
from hao.runtime.rtl import RtlEngine
from hao.runtime.timing import DramTiming

SLICES = 2


def busy(bench: Bench, engine: RtlEngine) -> int:
    result, compared = bench.run(engine)
    assert compared == (SLICES + 1) * PIXELS
    assert result.counters is not None
    return result.counters.units["DW"].busy


def test_deformable_costs_what_plain_costs() -> None:
    engine = RtlEngine(ULTRA96, DramTiming.of_board(load_board("ultra96v2")))
    plain = busy(preloaded("plain", SLICES), engine)
    assert SLICES * PIXELS <= plain < 1.05 * SLICES * PIXELS
    square = preloaded("square", SLICES)
    steps = np.unique(np.frombuffer(square.input[-16 * PIXELS :], np.int8)[::16])
    assert steps.min() == -8 and steps.max() == 8 and len(steps) == 17
    assert busy(square, engine) <= 1.05 * plain


def test_deformable_beside_streaming() -> None:
    """Three slices through DRAM and back: within a twentieth of plain, and not held up by the core."""
    engine = RtlEngine(ULTRA96, DramTiming.of_board(load_board("ultra96v2")))
    cycles = []
    for variant in ("plain", "square"):
        result, compared = streamed(variant, 3).run(engine)
        assert compared == 4 * PIXELS and result.cycles is not None
        cycles.append(result.cycles)
    assert cycles[1] <= 1.05 * cycles[0]


def test_the_gather_fetches_every_sample_inside_the_map() -> None:
    bench = gather(64)
    loads = [i for i in bench.instructions if i.opcode is Opcode.LOAD]
    assert 64 * 4 < len(loads) <= 64 * 9
    assert {i["length"] for i in loads} == {16}
