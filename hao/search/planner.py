"""Hands a design's order, segments and stripes to the compiler in place of its own choice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hao.compiler.allocate import pack, spread
from hao.compiler.compile import Compilation, Planner, compile_in_full
from hao.compiler.emit import Emitted, emit
from hao.compiler.ops import Lowered
from hao.compiler.plan import Plan, Segment
from hao.compiler.rolling import rolled
from hao.engine.config import EngineConfig
from hao.errors import CompileError
from hao.ir.graph import Graph
from hao.search.design import MappedSegment, Order
from hao.search.mappings import names_of, plan_of


def planner(order: Order, segments: Sequence[MappedSegment]) -> Planner:
    """A planner that keeps to a design.

    The planner raises:
        CompileError: the segments are not those of the network, or the memory is too fragmented for them.
    """

    def plan(lowered: Lowered, config: EngineConfig) -> tuple[Plan, Emitted]:
        if order == "compiler":
            raise CompileError("the compiler's own mapping has no planner", "use compile_design")
        wanted = tuple(name for segment in segments for name in segment.steps)
        found = plan_of(lowered, config, order, wanted if order == "tuned" else ())
        if names_of(found) != wanted:
            raise CompileError("the segments of the design are not those of the network", "search again")
        found = _cut(found, segments)
        drafts = emit(found, config)
        failure = pack(drafts.drafts, config)
        if failure is None:
            failure = spread(drafts.drafts, config)
        if failure is not None:
            space = failure.space.name.lower()
            raise CompileError(
                f"{failure.owner}: {failure.words} words of {space} memory are needed, {failure.free} are free in pieces",
                "search again: the next best design is tried",
            )
        return found, drafts

    return plan


def _cut(plan: Plan, segments: Sequence[MappedSegment]) -> Plan:
    """The plan in these segments, rolling ones with what they hold whole."""
    at, cut = 0, []
    for segment in segments:
        cut.append(Segment(at, at + len(segment.steps), segment.stripes))
        at += len(segment.steps)
    found: Plan | None = replace(plan, segments=cut)
    for place, segment in zip(cut, segments, strict=True):
        if segment.rolling and found is not None:
            found = rolled(found, place.start, place.stop, place.stripes)
        if found is None:
            raise CompileError(f"the segment from {segment.steps[0]} to {segment.steps[-1]} cannot roll", "search again")
    assert found is not None
    return found


def compile_design(graph: Graph, config: EngineConfig, order: Order, segments: Sequence[MappedSegment]) -> Compilation:
    """Compile a network as a design says; with order ``compiler`` as the compiler does of itself.

    Raises:
        CompileError: the design does not belong to the network, or does not fit after all.
        GraphError: the graph is not legal.
    """
    return compile_in_full(graph, config) if order == "compiler" else compile_in_full(graph, config, planner(order, segments))
