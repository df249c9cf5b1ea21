"""Where a layer's cycles went: work, and what the unit waited for, from when the RTL's instructions completed.

Instructions of a unit complete in order, so the time between two completions belongs to the later one, and every cycle of a
unit up to its last completion is given to some instruction. Of that time an instruction

* waits until the last instruction that it names has completed: for weights, parameters or lists (``weights``), for words of DRAM
  (``dram``: reloaded planes and the image), or for another unit's result or a free buffer (``dependency``);
* works: multiplying groups of pixels, or a word a cycle (``compute``);
* is held to the pace of the weight tiles on chip (``weights``) or of one result word a cycle (``requantization``);
* and the rest is what it lost to others in the memories, to clashes of its own reads and to the pipeline (``activations``).

The first three are known exactly; the last is the remainder, and takes what the others, which may overlap, do not explain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from hao.engine.config import EngineConfig
from hao.engine.encode import DEPENDENCY_FIELDS, Instruction
from hao.engine.isa import LANES, TILE_WORDS, LoadTarget, Opcode, Unit
from hao.engine.trace import TraceMap

CAUSES = ("weights", "activations", "requantization", "dram", "dependency")
_CHUNK = 32
"""Pixel groups whose partial sums the dense core holds."""


@dataclass(slots=True)
class LayerTime:
    """Cycles between the completions that belong to a tensor: ``compute`` and ``stalls`` by cause sum to ``total``."""

    total: int = 0
    compute: int = 0
    stalls: dict[str, int] = field(default_factory=lambda: dict.fromkeys(CAUSES, 0))


def completions(events: npt.NDArray[np.int64]) -> dict[Unit, list[int]]:
    """Cycle in which each instruction of every unit completed, in order."""
    return {unit: [int(cycle) for cycle in events[(events[:, 0] == unit) & (events[:, 1] == 1), 2]] for unit in Unit}


def _paces(i: Instruction, config: EngineConfig) -> tuple[int, int, int]:
    """Cycles of work, those more that weight tiles need, and those more that results need."""
    pixels = (i["y1"] - i["y0"]) * i["out_w"]
    if i.opcode is not Opcode.DENSE:
        return pixels * (LANES // config.dw_lanes) * (2 if i.opcode is Opcode.ADD else 1), 0, 0
    passes, halves = LANES // config.pi, LANES // config.po
    groups, tiles = -(-pixels // config.px), i["kernel"] ** 2 * i["n_in"] * halves
    words = TILE_WORDS[8 if i["w8"] else 4] // halves
    work = groups * passes * tiles
    full, rest = divmod(groups, _CHUNK)
    late = full * max(0, words - _CHUNK * passes) + (max(0, words - rest * passes) if rest else 0)
    return work, late * tiles, max(0, pixels * halves - work - late * tiles)


def _wait(i: Instruction, done: dict[Unit, list[int]], loads: Sequence[Instruction]) -> tuple[int, str]:
    """When the last instruction that ``i`` names completed, and what it was for; 0 where it names none."""
    latest, cause = 0, "dependency"
    for unit, name in DEPENDENCY_FIELDS.items():
        count = i[name]
        if not count or done[unit][count - 1] <= latest:
            continue
        latest, cause = done[unit][count - 1], "dependency"
        if unit is Unit.LOAD:
            load = loads[count - 1]
            reload = load.opcode is Opcode.LDI or load["target"] == LoadTarget.FEATURE
            cause = "dram" if reload else "weights"
    return latest, cause


def layer_times(
    program: Sequence[Instruction], trace: TraceMap, events: npt.NDArray[np.int64], config: EngineConfig
) -> dict[str, LayerTime]:
    """Work and stalls of every traced tensor.

    Args:
        program: instructions in program order, fewer than 2^16 a unit.
        trace: which tensor the instructions of DENSE and DW compute.
        events: ``(m, 3)`` unit, 0 taken or 1 completed, cycle.
        config: the engine.
    """
    done = completions(events)
    owner = {(entry.unit, entry.seq): entry.tensor for entry in trace.entries}
    loads = [i for i in program if i.unit is Unit.LOAD]
    result: dict[str, LayerTime] = {}
    sequence = dict.fromkeys(Unit, 0)
    for i in program:
        unit = i.unit
        if unit is None:
            continue
        at = sequence[unit]
        sequence[unit] += 1
        name = owner.get((int(unit), at))
        if name is None:
            continue
        before = done[unit][at - 1] if at else 0
        span = done[unit][at] - before
        ready, cause = _wait(i, done, loads)
        waited = min(max(0, ready - before), span)
        time = result.setdefault(name, LayerTime())
        time.total += span
        time.stalls[cause] += waited
        left = span - waited
        for key, cycles in zip(("", "weights", "requantization"), _paces(i, config), strict=True):
            part = min(cycles, left)
            left -= part
            if key:
                time.stalls[key] += part
            else:
                time.compute += part
        time.stalls["activations"] += left
    return result
