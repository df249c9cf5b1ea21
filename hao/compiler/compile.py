"""The compiler's front door: an integer graph and an engine in, a program image out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from hao.compiler.assemble import Assembled, assemble
from hao.compiler.emit import Emitted
from hao.compiler.lower import lower
from hao.compiler.ops import Lowered
from hao.compiler.plan import Plan
from hao.compiler.rewrite import rewrite
from hao.compiler.segments import fit
from hao.engine.config import EngineConfig
from hao.engine.image import ProgramImage
from hao.engine.isa import ISA_VERSION
from hao.engine.manifest import InputFormat, Manifest, OutputPlacement
from hao.ir.graph import Graph
from hao.ir.serialize import network_digest

Planner: TypeAlias = Callable[[Lowered, EngineConfig], tuple[Plan, Emitted]]


@dataclass(frozen=True, slots=True, eq=False)
class Compilation:
    """A compiled network with what led to it, for models and reports.

    Attributes:
        graph: the rewritten graph, whose tensors the taps are compared with.
        plan: steps, segments and placement.
        assembled: program, and the plan step of every instruction.
        image: the program image.
    """

    graph: Graph
    plan: Plan
    assembled: Assembled
    image: ProgramImage


def _outputs(lowered: Lowered, plan: Plan, emitted: Emitted) -> tuple[OutputPlacement, ...]:
    placements = []
    for name, refs in lowered.outputs:
        planes = plan.layout.planes_of(refs)
        channels = tuple((planes.index(plan.layout.place[ref][0]), plan.layout.place[ref][1]) for ref in refs)
        bits, signed = lowered.signed[name]
        placements.append(
            OutputPlacement(
                name=name,
                height=planes[0].height,
                width=planes[0].width,
                bits=bits,
                signed=signed,
                planes=tuple(emitted.output_offset[plane] for plane in planes),
                channels=channels,
            )
        )
    return tuple(placements)


def compile_in_full(graph: Graph, config: EngineConfig, planner: Planner = fit) -> Compilation:
    """Compile, and keep everything that was decided on the way.

    Args:
        graph: the integer graph.
        config: the engine.
        planner: decides on segments and spills and gives drafts with addresses.

    Raises:
        CompileError: a layer does not fit the engine; layer and limit are named.
        GraphError: the graph is not legal.
    """
    rewritten = rewrite(graph)
    lowered = lower(rewritten, config)
    plan, emitted = planner(lowered, config)
    channels, height, width, row_bytes = lowered.image
    form = InputFormat(channels=channels, height=height, width=width, row_bytes=row_bytes)
    assembled = assemble(emitted, config, form.size)
    manifest = Manifest(
        isa_version=ISA_VERSION,
        network=graph.name,
        network_digest=network_digest(graph),
        config=config,
        config_digest=config.digest(),
        program_offset=assembled.offset,
        program_count=len(assembled.program),
        input=form,
        outputs=_outputs(lowered, plan, emitted),
        output_bytes=emitted.output_bytes,
        scratch_bytes=emitted.scratch_bytes,
        tensors=assembled.trace.names(),
    )
    return Compilation(rewritten, plan, assembled, ProgramImage(manifest, assembled.dram, assembled.trace))


def compile_graph(graph: Graph, config: EngineConfig) -> ProgramImage:
    """Compile an integer graph for an engine.

    The result is the same for the same graph and configuration. Engines that run it are compared tap by tap with the
    reference's tensors of :func:`hao.compiler.rewrite.rewrite` of the graph, whose outputs equal those of ``graph``.

    Raises:
        CompileError: a layer does not fit the engine; layer and limit are named.
        GraphError: the graph is not legal.
    """
    return compile_in_full(graph, config).image
