"""Attribution of cycles on a made-up timeline, where every cause is known."""

from __future__ import annotations

import numpy as np

from hao.engine.config import ULTRA96, EngineConfig
from hao.engine.encode import Instruction
from hao.engine.isa import LoadTarget, Opcode, Unit
from hao.engine.trace import TraceEntry, TraceMap
from hao.report.stalls import LayerTime, layer_times

ROWS = {"y0": 0, "y1": 8, "out_w": 8}
DENSE = {**ROWS, "kernel": 1, "stride": 1, "n_in": 4}


def dense(**fields: int) -> Instruction:
    return Instruction(Opcode.DENSE, {**DENSE, **fields})


def load(target: LoadTarget) -> Instruction:
    return Instruction(Opcode.LOAD, {"target": target, "length": 4})


def times(program: list[Instruction], done: list[tuple[Unit, int]], config: EngineConfig = ULTRA96) -> dict[str, LayerTime]:
    """Layers are called ``dense0``, ``dw0`` and so on, by unit and sequence number."""
    count = dict.fromkeys(Unit, 0)
    entries = []
    for i in program:
        assert i.unit is not None
        if i.unit in (Unit.DENSE, Unit.DW):
            name = f"{i.unit.name.lower()}{count[i.unit]}"
            entries.append(TraceEntry(int(i.unit), count[i.unit], name, 8, 0, 64, tuple(range(16))))
        count[i.unit] += 1
    events = np.array([(int(unit), 1, cycle) for unit, cycle in done], np.int64)
    return layer_times(program, TraceMap(tuple(entries)), events, config)


def test_work_and_the_rest() -> None:
    found = times([dense()], [(Unit.DENSE, 150)])["dense0"]
    assert (found.total, found.compute, found.stalls["activations"]) == (150, 128, 22)


def test_waiting_for_weights_and_for_planes() -> None:
    program = [load(LoadTarget.WEIGHT), load(LoadTarget.FEATURE), dense(dep_load=1), dense(dep_load=2)]
    found = times(program, [(Unit.LOAD, 100), (Unit.DENSE, 240), (Unit.LOAD, 300), (Unit.DENSE, 440)])
    assert found["dense0"].stalls == {"weights": 100, "activations": 12, "requantization": 0, "dram": 0, "dependency": 0}
    assert found["dense1"].stalls == {"weights": 0, "activations": 12, "requantization": 0, "dram": 60, "dependency": 0}
    assert found["dense0"].total + found["dense1"].total == 440


def test_waiting_for_another_unit() -> None:
    program = [dense(), Instruction(Opcode.DW, {**ROWS, "dep_dense": 1}), dense(dep_dw=1)]
    found = times(program, [(Unit.DENSE, 128), (Unit.DW, 200), (Unit.DENSE, 330)])
    assert (found["dw0"].stalls["dependency"], found["dw0"].compute) == (128, 64)
    assert (found["dense1"].stalls["dependency"], found["dense1"].compute) == (72, 128)


def test_paces_of_tiles_and_of_results() -> None:
    # 2 groups of pixels last 2 cycles a tile, an 8-bit tile takes 16 to load
    narrow = times([dense(y1=1, out_w=4, w8=1)], [(Unit.DENSE, 64)])["dense0"]
    assert (narrow.compute, narrow.stalls["weights"]) == (8, 56)
    # one input plane: 32 groups of two pixels make 64 results
    thin = times([dense(n_in=1)], [(Unit.DENSE, 64)])["dense0"]
    assert (thin.compute, thin.stalls["requantization"], thin.stalls["activations"]) == (32, 32, 0)


def test_nothing_is_counted_twice_when_work_overlaps() -> None:
    found = times([dense(), dense()], [(Unit.DENSE, 140), (Unit.DENSE, 200)])["dense1"]
    assert (found.total, found.compute, sum(found.stalls.values())) == (60, 60, 0)
