"""The hardware half of the architecture search: the best engine of a member of the family, solved exactly, in a fraction of a second."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from hao.boards import Board
from hao.engine.config import EngineConfig
from hao.errors import SearchError
from hao.ir.builder import RandomBuilder
from hao.ir.graph import Graph
from hao.models.searchable import DIGITS, EXPANSIONS, KERNELS, Architecture, Family, Operator
from hao.search.decompose import search
from hao.search.engines import Grid
from hao.search.explain import conflict
from hao.search.problem import Outcome
from hao.search.solver import SolverName
from hao.search.space import Builder, Request, Subgraphs

LOOP_GRID = Grid(fm_words=(1024, 4096), win_depth=(128,), wb_words=(512, 1024, 2048), frames=(Grid().frames[0],))
"""Engines that are solved over inside the loop: all kinds of cores; buffers that hold every member."""


@dataclass(frozen=True, slots=True)
class Solved:
    """The proven optimum of one member: its cycles, engine, and how long it took."""

    cycles: float
    config: EngineConfig
    outcome: Outcome
    seconds: float


def _block(build: RandomBuilder, name: str, operator: Operator, at: str, width: int, bits: int) -> str:
    if operator in KERNELS:
        return build.conv(f"{name}.0", at, width, KERNELS[operator], pad=KERNELS[operator] // 2, weight_bits=bits)
    if operator == "sep":
        return build.conv(f"{name}.2", build.depthwise(f"{name}.0", at, weight_bits=bits), width, weight_bits=bits)
    if operator in EXPANSIONS:
        wide = build.conv(f"{name}.body.0", at, EXPANSIONS[operator] * width, weight_bits=bits)
        deep = build.depthwise(f"{name}.body.3", wide, weight_bits=bits, signed=False)
        return build.add(f"{name}.add", at, build.conv(f"{name}.body.6", deep, width, weight_bits=bits, signed=True), relu=True)
    if operator == "deform":
        moved = build.deform(f"{name}.body.conv", at, (0, 3), weight_bits=bits)
        return build.add(f"{name}.add", at, build.conv(f"{name}.body.conv_channel", moved, width, weight_bits=bits, signed=True), relu=True)
    if operator == "shuffle":
        kept, taken = build.split(f"{name}.split", at, width // 2)
        narrow = build.conv(f"{name}.b2.0", taken, width // 2, weight_bits=bits)
        deep = build.depthwise(f"{name}.b2.3", narrow, weight_bits=bits)
        made = build.conv(f"{name}.b2.5", deep, width // 2, weight_bits=bits)
        return build.shuffle(f"{name}.shuffle", build.concat(f"{name}.concat", [kept, made]))
    return at


def graph_of(member: Architecture, side: tuple[int, int] = (8, 8), family: Family = DIGITS) -> Graph:
    """The member for pictures of ``side`` (height, width) as an integer graph with random numbers: all that its time depends on."""
    build, at = RandomBuilder(np.random.default_rng(0), (family.channels, *side), (0,) * family.channels), "image"
    for place, (stride, out) in enumerate(zip(family.stem, family.stem_widths(member.width), strict=True)):
        at = build.conv(f"stem.{3 * place}", at, out, 3, stride=stride, pad=1, weight_bits=member.bits if place else 8)
    at = _block(build, "before", member.blocks[0], at, member.width, member.bits)
    at = build.max_pool("shrink", at, 2, 2)
    at = _block(build, "middle", member.blocks[1], at, member.width, member.bits)
    at = _block(build, "last", member.blocks[2], at, member.width, member.bits)
    at = build.conv("widen.0", at, 2 * member.width, weight_bits=member.bits)
    at = build.avg_pool("pool", at)
    return build.graph(member.name, [build.conv("linear", at, family.classes, weight_bits=8, signed=True)])


class Hardware:
    """Solves members one after another; subgraphs that were walked once are not walked again.

    Args:
        board: whose limits hold.
        grid: the engines.
    """

    def __init__(self, board: Board, grid: Grid = LOOP_GRID, solver: SolverName = "cbc") -> None:
        self._board, self._grid, self._solver = board, grid, solver
        self._subgraphs = Subgraphs()

    def solve(self, member: Architecture, side: tuple[int, int] = (8, 8), family: Family = DIGITS) -> Solved:
        """The engine with the fewest cycles, its mapping, and the proof.

        Raises:
            SearchError: no engine of the grid fits the board.
        """
        begun = time.perf_counter()
        graph = graph_of(member, side, family)
        request = Request(grid=self._grid, fixed_widths=True, orders=("graph",))
        space = Builder(graph, self._board, request, subgraphs=self._subgraphs).build()
        outcome = search(space.problem, 30.0, self._solver)
        if outcome.answer is None:
            relax = conflict(space.problem, 30.0, self._solver).sentence(space.problem.limits)
            raise SearchError(f"{member.name}: no engine of the grid fits {self._board.name}", relax)
        config, _ = space.engines[outcome.answer.candidate]
        return Solved(outcome.answer.cycles, config, outcome, time.perf_counter() - begun)
