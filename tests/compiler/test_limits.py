"""Networks at a limit of the engine compute the same; one step beyond they are refused by name."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hao.boards import load_board
from hao.compiler.compile import compile_graph
from hao.compiler.lower import lower
from hao.compiler.ops import DenseOp, DwOp, ImageOp, Op
from hao.compiler.rewrite import rewrite
from hao.engine.config import CI_CONFIGS, EngineConfig
from hao.engine.isa import DwMode
from hao.errors import CompileError, GraphError
from hao.fuzz.case import Case
from hao.fuzz.engines import Fleet
from hao.fuzz.outcome import Verdict
from hao.ir.builder import RandomBuilder, random_image
from hao.ir.graph import Conv, Graph
from hao.runtime.timing import DramTiming

CONFIG = "16x16x2"


def pooled(height: int, width: int) -> Graph:
    """Global average pooling over a map."""
    build = RandomBuilder(np.random.default_rng(1), (1, height, width), (7,))
    at = build.avg_pool("pool", build.conv("stem", "image", 3, weight_bits=8))
    return build.graph("pooled", [at], {})


def run(graph: Graph, config: EngineConfig = CI_CONFIGS[CONFIG]) -> tuple[Verdict, str]:
    rng = np.random.default_rng(5)
    picture = random_image(graph.nodes[0].shape, rng)  # type: ignore[attr-defined]
    timing = DramTiming.of_board(load_board("ultra96v2"))
    outcome = Fleet(("executor",), {CONFIG: config}).run(Case("limit", CONFIG, graph, picture, timing, 90, "limits", "random"))
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


def engine(**sizes: int) -> EngineConfig:
    return CI_CONFIGS[CONFIG].model_copy(update=sizes)


def lowered(graph: Graph, config: EngineConfig) -> list[Op]:
    return list(lower(rewrite(graph), config).ops)


@pytest.mark.parametrize(("height", "width", "addresses"), [(30, 22, 60), (60, 11, 60), (255, 1, 255)])
def test_global_pooling_takes_the_whole_window(height: int, width: int, addresses: int) -> None:
    """Rows of 11 pixels an address: as many as there are, and one fewer is too few for a map that is no square."""
    last = lowered(pooled(height, width), engine(win_depth=addresses))[-1]
    assert isinstance(last, DwOp) and last.mode is DwMode.SUM
    with pytest.raises(CompileError, match="global pooling"):
        lowered(pooled(height, width), engine(win_depth=addresses - 1))


def test_global_pooling_over_the_widest_rows() -> None:
    """255 addresses a row, eight rows; the map is up-sampled, for no image is as wide."""
    ends = {}
    for width in (350, 351):
        build = RandomBuilder(np.random.default_rng(1), (1, 1, width), (7,))
        at = build.conv("stem", "image", 3, weight_bits=8)
        for number in range(3):
            at = build.upsample(f"up{number}", at)
        try:
            last = lowered(build.graph("wide", [build.avg_pool("pool", at)], {}), engine(win_depth=4096))[-1]
            ends[width] = isinstance(last, DwOp) and last.mode is DwMode.SUM
        except CompileError as error:
            ends[width] = "global pooling over 8x2808" in error.message
    assert ends == {350: True, 351: True}


@pytest.mark.parametrize(("kernel", "stride"), [(3, 3), (4, 4), (5, 2), (2, 4)])
def test_pools_that_the_window_cannot_do(kernel: int, stride: int) -> None:
    build = RandomBuilder(np.random.default_rng(2), (1, 13, 9), (7,))
    at = build.avg_pool("pool", build.conv("stem", "image", 3, weight_bits=8), kernel, stride)
    assert run(build.graph("pools", [at], {}))[0] is Verdict.EQUAL


def _chosen(weight: np.ndarray, bits: int, kernel: int, image: bool) -> DenseOp:
    """The operation of a convolution with these weights that reads every channel twice, of the image or behind a layer."""
    build = RandomBuilder(np.random.default_rng(3), (1, 9, 7), (0,))
    at = "image" if image else build.conv("stem", "image", 1, weight_bits=8)
    build.conv("last", build.concat("twice", [at, at]), 1, kernel, weight_bits=bits)
    node = build.nodes[-1]
    assert isinstance(node, Conv)
    build.nodes[-1] = replace(node, weight=np.broadcast_to(weight[None, :, None, None], (1, 2, kernel, kernel)).copy())
    last = lowered(build.graph("chosen", ["last"], {}), engine())[-1]
    assert isinstance(last, DenseOp)
    return last


@pytest.mark.parametrize("image", [False, True], ids=["behind a layer", "of the image"])
@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize(
    ("weights", "bits", "stored"),
    [((3, 4), 4, 4), ((4, 4), 4, 8), ((-4, -4), 4, 4), ((-4, -5), 4, 8), ((7, 7), 4, 8), ((3, 4), 5, 8), ((3, 4), 8, 8), ((60, 60), 8, 8)],
    ids=str,
)
def test_weights_that_add_up_are_stored_in_as_many_bits_as_the_sum_needs(
    weights: tuple[int, int], bits: int, stored: int, kernel: int, image: bool
) -> None:
    """Of a channel that is read twice; declared widths above four bits are kept, whatever the values."""
    op = _chosen(np.array(weights), bits, kernel, image)
    assert op.bits == stored
    assert set(op.weight.ravel().tolist()) - {0} == {sum(weights)}


@pytest.mark.parametrize("kernel", [3, 5], ids=["gathered", "raw"])
def test_the_image_has_values_up_to_255(kernel: int) -> None:
    """And the accumulator's bound counts with no more."""
    build = RandomBuilder(np.random.default_rng(3), (1, 9, 7), (0,))
    build.conv("last", "image", 1, kernel, weight_bits=8)
    op = lowered(build.graph("image", ["last"], {}), engine())[-1]
    assert isinstance(op, DenseOp)
    assert {(value.lo, value.hi) for value, _ in op.inputs} == {(0, 255)}


@pytest.mark.parametrize(("weight_bits", "stored"), [(2, 4), (4, 4), (5, 8), (8, 8)])
def test_depthwise_kernels_beyond_the_window_keep_their_weights(weight_bits: int, stored: int) -> None:
    """As dense ones, in as many bits as are declared at least."""
    build = RandomBuilder(np.random.default_rng(3), (1, 9, 7), (0,))
    at = build.conv("stem", "image", 20, weight_bits=8)
    graph = build.graph("beyond", [build.depthwise("deep", at, 5, pad=2, weight_bits=weight_bits)], {})
    op = lowered(graph, engine())[-1]
    assert isinstance(op, DenseOp) and op.bits == stored
    assert run(graph)[0] is Verdict.EQUAL


@pytest.mark.parametrize(
    ("kernel", "pad", "stride", "gathered"), [(1, 0, 1, True), (3, 0, 4, True), (3, 1, 1, True), (3, 2, 1, False), (5, 1, 1, False)]
)
def test_what_the_gather_unit_takes(kernel: int, pad: int, stride: int, gathered: bool) -> None:
    """Kernels of 1 and 3 with padding 0 or 1 (`docs/isa.md`); for others the image's bytes are brought in as they are."""
    build = RandomBuilder(np.random.default_rng(3), (3, 9, 7), (0, 0, 0))
    graph = build.graph("image", [build.conv("last", "image", 4, kernel, pad=pad, stride=stride, weight_bits=8)], {})
    load, dense = lowered(graph, engine())
    assert isinstance(load, ImageOp) and isinstance(dense, DenseOp)
    wanted = (kernel, pad, stride, 1, 0, 1) if gathered else (1, 0, 1, kernel, pad, stride)
    assert (load.kernel, load.pad, load.stride, dense.kernel, dense.pad, dense.stride) == wanted
    assert run(graph)[0] is Verdict.EQUAL


@pytest.mark.parametrize(("width", "verdict"), [(231, Verdict.EQUAL), (232, Verdict.REFUSED)])
def test_a_window_that_just_holds_what_a_row_needs(width: int, verdict: Verdict) -> None:
    """Three rows of 21 addresses each; of 22 there are only two."""
    build = RandomBuilder(np.random.default_rng(4), (1, 6, width), (0,))
    graph = build.graph("rows", [build.depthwise("deep", build.conv("stem", "image", 3, weight_bits=8))], {})
    found, words = run(graph, engine(win_depth=64))
    assert found is verdict
    assert verdict is Verdict.EQUAL or words.startswith("deep: 3 rows of 232 pixels take 66 window addresses")


@pytest.mark.parametrize(("weight", "reached"), [(100, "0..200"), (-100, "-200..0"), (70, "0..140")])
def test_a_channel_that_is_read_twice_says_what_its_weights_reach(weight: int, reached: str) -> None:
    build = RandomBuilder(np.random.default_rng(1), (2, 6, 6), (0, 0))
    at = build.conv("stem", "image", 8, weight_bits=8)
    last = build.conv("last", build.concat("twice", [at, at]), 4, 1, weight_bits=8)
    graph = build.graph("twice", [last], {})
    nodes = [replace(n, weight=np.full_like(n.weight, weight)) if n.name == last and isinstance(n, Conv) else n for n in graph.nodes]
    with pytest.raises(CompileError, match=f" {reached}\n"):
        lowered(replace(graph, nodes=tuple(nodes)), CI_CONFIGS[CONFIG])


def test_weights_without_columns_are_refused_as_the_graph_they_are_in() -> None:
    """Whatever the compiler looks at first: behind an up-sampling it asks for the side of the kernel before it checks the graph."""
    build = RandomBuilder(np.random.default_rng(1), (2, 6, 6), (0, 0))
    last = build.conv("last", build.upsample("up", build.conv("stem", "image", 8, weight_bits=8)), 4, 1, weight_bits=8)
    graph = build.graph("flat", [last], {})
    nodes = [replace(n, weight=n.weight[..., 0]) if n.name == last and isinstance(n, Conv) else n for n in graph.nodes]
    with pytest.raises(GraphError, match="last"):
        compile_graph(replace(graph, nodes=tuple(nodes)), CI_CONFIGS[CONFIG])
