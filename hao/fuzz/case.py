"""One fuzz case: a network, an engine, a picture and a memory timing; everything follows from two numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from hao.boards import Board
from hao.errors import GraphError
from hao.fuzz.numbers import harden
from hao.fuzz.pictures import draw_picture
from hao.fuzz.wild import wild_graph
from hao.ir.graph import Graph, Input
from hao.ir.random_graph import random_graph
from hao.runtime.timing import DramTiming

STALLS = (0, 16, 60, 120, 200)
"""Chances of a stall in a cycle, of 256, that cases are drawn with."""

_SIZES = ((6, 16), (12, 32), (20, 48), (20, 100), (40, 24))
"""Largest map side and most channels, drawn together so that work stays bounded."""


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """A network on an engine with one picture.

    Attributes:
        name: how to find it again, such as ``7:123`` for case 123 of seed 7.
        config: name of the engine's configuration.
        graph: a legal network.
        pixels: ``(C, H, W)`` unsigned bytes.
        timing: of the DRAM behind the RTL.
        fill: byte that the memories of the executor's and the kernel's wake up with.
        origin: generator of the network: ``motifs`` or ``wild``, with ``+numbers`` where its numbers are adversarial.
        data: kind of the picture.
    """

    name: str
    config: str
    graph: Graph
    pixels: npt.NDArray[np.uint8]
    timing: DramTiming
    fill: int
    origin: str
    data: str


def image_shape(graph: Graph) -> tuple[int, int, int]:
    """Shape of the picture that ``graph`` reads."""
    return next(node.shape for node in graph.nodes if isinstance(node, Input))


def draw_timing(board: Board, stall: int, rng: np.random.Generator) -> DramTiming:
    """The board's DRAM with random stalls; two of three have other latencies, rates and depths than any board."""
    timing = DramTiming.of_board(board, stall, int(rng.integers(1, 1 << 31)))
    if rng.random() < 1 / 3:
        return timing
    peak = float(rng.choice([4.0, 8.0, 16.0]))
    return replace(
        timing,
        read_latency=int(rng.integers(1, 200)),
        write_latency=int(rng.integers(1, 200)),
        turnaround=int(rng.integers(0, 20)),
        peak_rate=peak,
        sustained_rate=peak * float(rng.uniform(0.3, 1.0)),
        outstanding_reads=int(rng.integers(1, 9)),
        outstanding_writes=int(rng.integers(1, 9)),
    )


def _network(rng: np.random.Generator) -> tuple[str, Graph]:
    max_size, max_channels = _SIZES[int(rng.integers(len(_SIZES)))]
    wild = rng.random() < 0.5
    make = wild_graph if wild else random_graph
    for _ in range(20):
        try:
            graph = make(int(rng.integers(1 << 31)), int(rng.integers(2, 15)), max_size=max_size, max_channels=max_channels)
            break
        except GraphError:
            continue  # numbers that the accumulator's bound refuses: draw another
    else:
        graph = random_graph(int(rng.integers(1 << 31)), 4, max_size=6, max_channels=8)
    origin = "wild" if wild else "motifs"
    return (f"{origin}+numbers", harden(graph, rng)) if rng.random() < 0.5 else (origin, graph)


def draw_case(seed: int, index: int, configs: Sequence[str], board: Board, stalls: Sequence[int] = STALLS) -> Case:
    """Draw case ``index`` of ``seed``.

    Args:
        seed, index: everything but the names of ``configs`` follows from them.
        configs: names of configurations to draw from.
        board: whose DRAM the RTL sees.
        stalls: chances of a stall, of 256, to draw from.
    """
    rng = np.random.default_rng([seed, index])
    config, stall = str(rng.choice(list(configs))), int(rng.choice(list(stalls)))
    timing, fill = draw_timing(board, stall, rng), int(rng.integers(256))
    origin, graph = _network(rng)
    data, pixels = draw_picture(image_shape(graph), rng)
    return Case(f"{seed}:{index}", config, graph, pixels, timing, fill, origin, data)
