"""The executor on random programs, and that its checks find what they are for."""

from __future__ import annotations

import numpy as np
import pytest

from hao.compiler.executor import Executor
from hao.compiler.random_program import random_program
from hao.engine.config import CI_CONFIGS
from hao.engine.encode import DEPENDENCY_FIELDS, Instruction
from hao.engine.isa import BaseSelect, LoadTarget, Opcode
from hao.engine.pack import pack_list, pack_requant, pack_tiles
from hao.engine.taps import TapTrace
from hao.errors import SimulationError

CONFIGS = pytest.mark.parametrize("config", CI_CONFIGS.values(), ids=CI_CONFIGS.keys())


@CONFIGS
def test_random_programs_pass_every_check(config) -> None:
    words = 0
    for seed in range(12):
        taps, output, _ = random_program(seed, config, 20).expected()
        words += len(taps)
        assert any(output)
    assert words > 1000


@CONFIGS
def test_checking_changes_no_result(config) -> None:
    program = random_program(77, config, 25)
    taps, output, scratch = program.expected()
    plain = Executor(config, program.dram())
    assert plain.run_image(program.program_offset, program.program_count).difference(taps) is None
    assert plain.output()[: program.output_bytes] == output
    assert plain.output(BaseSelect.SCRATCH)[: program.scratch_bytes] == scratch


def test_every_kept_dependency_is_needed() -> None:
    config = CI_CONFIGS["8x16x2"]
    program = random_program(5, config, 40)
    removed = 0
    for at, i in enumerate(program.program):
        for name in DEPENDENCY_FIELDS.values():
            if i[name] == 0:
                continue
            less = [*program.program[:at], i.replace(**{name: i[name] - 1}), *program.program[at + 1 :]]
            removed += 1
            with pytest.raises(SimulationError, match="without waiting for"):
                Executor(config, program.dram(), check=True).run(less)
    assert removed > 20


def test_a_dependency_on_the_future_is_found() -> None:
    config = CI_CONFIGS["16x16x2"]
    program = random_program(6, config, 5)
    first = program.program[0].replace(dep_dw=1)
    with pytest.raises(SimulationError, match="waits for 1 DW instructions, but only 0 precede"):
        Executor(config, program.dram(), check=True).run([first, *program.program[1:]])


def _one_dense(check: bool, **fields: int) -> TapTrace:
    config = CI_CONFIGS["16x16x2"]
    tiles = np.zeros((1, 1, 16, 16), np.int64)
    tiles[0, 0, 3, 5] = -7
    weights, params = pack_tiles(tiles, 4), pack_requant(np.full(16, 10), np.full(16, 1 << 16), np.full(16, 16))
    image = pack_list([0]) + params + weights + bytes(range(32))
    loads = [
        Instruction(Opcode.LOAD, {"target": LoadTarget.LIST, "length": 1}),
        Instruction(Opcode.LOAD, {"target": LoadTarget.PARAM, "length": 8, "dram_offset": 16}),
        Instruction(Opcode.LOAD, {"target": LoadTarget.WEIGHT, "length": 8, "dram_offset": 144}),
        Instruction(Opcode.LOAD, {"target": LoadTarget.FEATURE, "length": 2, "dram_offset": 272}),
    ]
    values = {"in_w": 2, "in_h": 1, "out_w": 2, "kernel": 1, "stride": 1, "n_in": 1, "y1": 1, "lo": -128, "hi": 127}
    values |= {"lane_mask": 0xFFFF, "dst_base0": 4, "dst_base1": 4, "dst_base2": 4, "dst_base3": 4, "dep_load": 4} | fields
    program = [*loads, Instruction(Opcode.DENSE, values), Instruction(Opcode.END)]
    return Executor(config, {BaseSelect.IMAGE: image}, check=check).run(program)


def test_dense_by_hand() -> None:
    data = _one_dense(True).records["data"].view(np.int8)
    expected = np.full((2, 16), 10)
    expected[:, 3] = [10 - 7 * 5, 10 - 7 * 21]
    assert np.array_equal(data, np.clip(expected, -128, 127))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"n_in": 2}, "WB word 8 was never written"),
        ({"in_h": 2, "y1": 2}, "computed from undefined feature memory"),
        ({"p_addr": 4}, "PB word 8 was never written"),
        ({"list_addr": 8}, "LM entry 8 was never written"),
        ({"dst_base0": 24575}, "address 24576 is outside FM"),
        ({"dep_load": 3}, "without waiting for LOAD instruction 3"),
        ({"stride": 0}, "outside its range"),
        ({"out_w": 0}, "no output pixel"),
    ],
)
def test_wrong_operands_are_found(fields: dict[str, int], message: str) -> None:
    with pytest.raises(SimulationError, match=message):
        _one_dense(True, **fields)
