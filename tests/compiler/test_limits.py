"""Networks at a limit of the engine compute the same; one step beyond they are refused by name."""

from __future__ import annotations

import numpy as np
import pytest

from hao.boards import load_board
from hao.engine.config import CI_CONFIGS
from hao.fuzz.case import Case
from hao.fuzz.engines import Fleet
from hao.fuzz.outcome import Verdict
from hao.ir.builder import RandomBuilder, random_image
from hao.ir.graph import Graph
from hao.runtime.timing import DramTiming

CONFIG = "16x16x2"


def pooled(height: int, width: int) -> Graph:
    """Global average pooling over a map."""
    build = RandomBuilder(np.random.default_rng(1), (1, height, width), (7,))
    at = build.avg_pool("pool", build.conv("stem", "image", 3, weight_bits=8))
    return build.graph("pooled", [at], {})


def run(graph: Graph) -> tuple[Verdict, str]:
    rng = np.random.default_rng(5)
    picture = random_image(graph.nodes[0].shape, rng)  # type: ignore[attr-defined]
    timing = DramTiming.of_board(load_board("ultra96v2"))
    outcome = Fleet(("executor",), CI_CONFIGS).run(Case("limit", CONFIG, graph, picture, timing, 90, "limits", "random"))
    assert outcome.verdict is not Verdict.FAILED, outcome.message
    return outcome.verdict, outcome.message


@pytest.mark.parametrize(("height", "width"), [(255, 11), (255, 22)])
def test_global_pooling_over_as_many_rows_as_an_instruction_counts(height: int, width: int) -> None:
    assert run(pooled(height, width))[0] is Verdict.EQUAL


@pytest.mark.parametrize(("height", "width"), [(256, 11), (255, 23)])
def test_global_pooling_beyond_is_refused(height: int, width: int) -> None:
    """256 rows do not fit the instruction's field; 255 rows of 23 pixels take 765 of the window's 512 addresses."""
    assert run(pooled(height, width)) == (
        Verdict.REFUSED,
        f"pool: global pooling over {height}x{width} pixels",
    )
