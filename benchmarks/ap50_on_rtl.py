"""AP50 of the trained CoDeNet b from what the RTL computes, held against the integer reference scene by scene.

    python benchmarks/ap50_on_rtl.py --scenes 200 --out benchmarks/ap50-on-rtl.json

Every output value of every scene is compared; a difference ends the run with the scene, the tensor, the index and both values.
About three seconds a scene and core.
"""

from __future__ import annotations

import argparse
import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from hao.boards import load_board
from hao.compiler.compile import compile_in_full
from hao.data.scenes import render_scene
from hao.engine.config import CI_CONFIGS
from hao.errors import EngineMismatch
from hao.ir.graph import Graph
from hao.ir.reference import execute
from hao.ir.serialize import network_digest
from hao.ir.types import infer
from hao.models import zoo
from hao.models.decode import Detections, decode
from hao.runtime.rtl import RtlEngine
from hao.runtime.timing import DramTiming
from hao.runtime.verdict import program_of
from hao.train.bootstrap import bootstrap_ap50

NETWORK, CONFIGURATION, BOARD, SPLIT = "codenet-1x-b-w4a8", "16x16x2", "ultra96v2", "test"


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """One scene: what the RTL found, what is there, cycles of the frame and values compared."""

    found: Detections
    boxes: np.ndarray
    labels: np.ndarray
    cycles: int
    compared: int


@cache
def _made():  # type: ignore[no-untyped-def]
    made = compile_in_full(zoo.load(NETWORK), CI_CONFIGS[CONFIGURATION])
    return made, RtlEngine(made.image.config, DramTiming.of_board(load_board(BOARD)))


def boxes_of(graph: Graph, outputs: dict[str, np.ndarray]) -> Detections:
    """Decoded heads in real units."""
    types = infer(graph)
    heads = [outputs[name] * np.float64(types[name].scale) for name in graph.outputs]
    return decode(heads[0], heads[1], heads[2])


def run_scene(index: int) -> Seen:
    """One scene on the RTL and on the reference.

    Raises:
        EngineMismatch: an output differs.
    """
    made, engine = _made()
    scene = render_scene(SPLIT, index)
    planes = np.ascontiguousarray(scene.image.transpose(2, 0, 1))
    result = engine.run(program_of(made.image), made.image.pack_input(planes))
    outputs = made.image.unpack_output(result.output)
    wanted = execute(made.graph, planes)
    for name in made.graph.outputs:
        wrong = np.argwhere(outputs[name] != wanted[name])
        if len(wrong):
            place = tuple(int(k) for k in wrong[0])
            raise EngineMismatch(
                f"scene {index}, {name}{place}: RTL {outputs[name][place]}, reference {wanted[name][place]}", "run hao verify"
            )
    compared = sum(outputs[name].size for name in made.graph.outputs)
    return Seen(boxes_of(made.graph, outputs), scene.boxes, scene.labels, int(result.cycles), compared)


def main() -> None:
    """Run, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenes", type=int, default=200)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--processes", type=int, default=2)
    chosen = parser.parse_args()
    _made()  # the model is built once, before there are several processes
    with ProcessPoolExecutor(chosen.processes) as pool:
        seen = []
        for scene in pool.map(run_scene, range(chosen.scenes)):
            seen.append(scene)
            print(f"\r{len(seen)}/{chosen.scenes} scenes", end="", flush=True)
    interval = bootstrap_ap50([each.found for each in seen], [(each.boxes, each.labels) for each in seen], 1000)
    cycles = [each.cycles for each in seen]
    result = {
        "network": NETWORK,
        "digest": network_digest(zoo.load(NETWORK)),
        "configuration": CONFIGURATION,
        "board": BOARD,
        "split": SPLIT,
        "scenes": interval.pictures,
        "compared": sum(each.compared for each in seen),
        "equal": True,
        "ap50": round(interval.ap50, 2),
        "low": round(interval.low, 2),
        "high": round(interval.high, 2),
        "cycles": {"least": min(cycles), "most": max(cycles)},
    }
    chosen.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(f"\n{json.dumps(result)}")


if __name__ == "__main__":
    main()
