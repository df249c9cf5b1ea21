"""The proven answer and the compiler's own mapping tried in the compiler, on a few engines; the fastest image wins.

The integer program adds up segments (``docs/decisions/0501``). What it proves is the optimum of its own space by that sum; here the images
are compared by the program-level model, whose error is smaller.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from hao.boards import Board
from hao.compiler.compile import Compilation
from hao.cost.area import Estimate, estimate_area
from hao.cost.cycles import estimate_cycles, published_error
from hao.engine.config import EngineConfig
from hao.errors import CompileError
from hao.ir.graph import Graph
from hao.search.design import Design, Figure, MappedSegment
from hao.search.engines import describe
from hao.search.planner import compile_design
from hao.search.problem import RESOURCES


@dataclass(frozen=True, slots=True)
class Trial:
    """One image: engine, whose mapping, cycles by the program-level model; None: it does not compile."""

    engine: str
    mapping: str
    cycles: int | None


@dataclass(frozen=True, slots=True, eq=False)
class Polished:
    """The fastest image with its design, and everything that was tried."""

    design: Design
    compilation: Compilation
    trials: tuple[Trial, ...]


def _area(config: EngineConfig) -> dict[str, Estimate]:
    found = estimate_area(config)
    return {name: getattr(found, name) for name in RESOURCES}


def _variants(designs: Mapping[str, Design], config: EngineConfig) -> Iterator[tuple[str, Design]]:
    """The mappings to try on an engine: those of the program, and the compiler's own."""
    made = {name: design.model_copy(update={"configuration": config}) for name, design in designs.items()}
    yield from made.items()
    yield "of the compiler", next(iter(made.values())).model_copy(update={"order": "compiler"})


def own_segments(compilation: Compilation) -> tuple[MappedSegment, ...]:
    """The segments that the compiler decided on, for people and for the check when the design is compiled again."""
    plan = compilation.plan
    return tuple(
        MappedSegment(
            steps=tuple(step.op.name for step in plan.steps[s.start : s.stop]), stripes=s.stripes, rolling=s.rolling, template="compiler"
        )
        for s in plan.segments
    )  # fmt: skip


def polish(graph: Graph, board: Board, designs: Mapping[str, Design], engines: Sequence[EngineConfig]) -> Polished:
    """Compile every variant on every engine and take the fastest image; of equals the one with the least memory.

    Args:
        graph: the network.
        board: for the DRAM.
        designs: of the integer program, by what is said of their mapping; the first one compiles.
        engines: others that fit the board.

    Raises:
        CompileError: not even the design itself compiles.
    """
    best: Polished | None = None
    key: tuple[float, float] | None = None
    trials: list[Trial] = []
    for config in dict.fromkeys((*(design.configuration for design in designs.values()), *engines)):
        for mapping, variant in _variants(designs, config):
            try:
                made = compile_design(graph, config, variant.order, variant.segments)
            except CompileError:
                trials.append(Trial(describe(config), mapping, None))
                continue
            cycles = estimate_cycles(made.assembled.program, config, board, made.assembled.offset).cycles
            trials.append(Trial(describe(config), mapping, cycles))
            rank = (float(cycles), estimate_area(config).bram36.value)
            if key is None or rank < key:
                segments = own_segments(made) if variant.order == "compiler" else variant.segments
                figure = Figure(value=cycles, error=round(cycles * published_error()))
                area = {name: Figure(value=part.value, error=part.error) for name, part in _area(config).items()}
                known = {"segments": segments, "cycles": figure, "area": area}
                key, best = rank, Polished(variant.model_copy(update=known), made, ())
    if best is None:
        raise CompileError("the design does not fit its engine after all", "search again")
    return replace(best, trials=tuple(trials))
