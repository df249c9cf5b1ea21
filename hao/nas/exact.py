"""The winner on the simulated engines, over pictures of the test part: equal to the reference, bit for bit, or refused."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from hao.errors import EngineMismatch
from hao.ir.reference import execute
from hao.ir.serialize import load_graph
from hao.nas.finalists import Finalist, Setting, network_path
from hao.nas.learn import Tell
from hao.runtime.session import Prepared, run_engines
from hao.runtime.timing import DramTiming
from hao.search.planner import compile_design

EXACT = "engines"


@dataclass(frozen=True, slots=True)
class Proof:
    """What one engine computed: ``compared`` values of ``frames`` frames, all equal; cycles of the first frame, where it counts them."""

    engine: str
    frames: int
    compared: int
    cycles: int | None
    right: int


def prove(winner: Finalist, setting: Setting, engines: Sequence[str], frames: int, tell: Tell) -> list[Proof]:
    """Run the winner on its own engine.

    Args:
        winner: with its design.
        setting: of the search.
        engines: of csim and rtl.
        frames: pictures of the test part, its first.
        tell: told about frames.

    Raises:
        EngineMismatch: an engine disagrees with the reference.
        BuildError, MissingTool, SimulationError: from the engines.
    """
    graph = load_graph(network_path(setting.folder, winner.member))
    begun = time.perf_counter()
    made = compile_design(graph, winner.design.configuration, winner.design.order, winner.design.segments)
    spent = time.perf_counter() - begun
    timing = DramTiming.of_board(setting.board, 0, 1)
    compared, right, cycles = dict.fromkeys(engines, 0), dict.fromkeys(engines, 0), dict[str, int | None]()
    for frame in range(frames):
        tell(EXACT, frame, frames)
        pixels = setting.corpus.test.images[frame]
        prepared = Prepared(graph, made.graph, made.image, pixels, execute(made.graph, pixels), 0.0, spent)
        for name, run in run_engines(prepared, engines, timing, lambda *_: None).items():
            if not run.verdict.equal:
                raise EngineMismatch(f"{name} disagrees with the reference on test picture {frame}", "hao build shows the design")
            compared[name] += run.verdict.compared
            cycles.setdefault(name, run.result.cycles)
            (logits,) = (prepared.reference[each] for each in made.graph.outputs)
            right[name] += int(logits.ravel().argmax() == setting.corpus.test.labels[frame])
    return [Proof(name, frames, compared[name], cycles.get(name), right[name]) for name in engines]
