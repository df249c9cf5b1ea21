"""Random programs on the HLS kernel, held against the executor: result words, DRAM and every byte of every memory."""

from __future__ import annotations

import functools

import pytest

from hao.compiler.random_program import random_program
from hao.engine.config import CI_CONFIGS, EngineConfig
from hao.engine.isa import Opcode
from hao.runtime.csim import CsimEngine
from hao.runtime.csim_build import Arithmetic, build_csim, plan_csim
from tests.hls.support import compare_with_executor

OPERATIONS = 12
ALONE = (Opcode.LDI, Opcode.DENSE, Opcode.FILL, Opcode.DW, Opcode.ADD, Opcode.STORE)
ODD = EngineConfig(pi=8, po=8, px=2, dw_lanes=8, fm_words=5001, win_depth=200, wb_words=1024, disp_entries=999, row_bytes=336)


@functools.cache
def engine(config: EngineConfig, arithmetic: Arithmetic) -> CsimEngine:
    return CsimEngine(config, arithmetic)


@pytest.mark.parametrize("arithmetic", list(Arithmetic))
@pytest.mark.parametrize("config", CI_CONFIGS.values(), ids=list(CI_CONFIGS))
def test_mixed_programs(config: EngineConfig, arithmetic: Arithmetic) -> None:
    compared, executed = 0, dict.fromkeys(Opcode, 0)
    for seed in range(24):
        program = random_program(seed, config, OPERATIONS)
        compared += compare_with_executor(engine(config, arithmetic), program)
        for instruction in program.program:
            executed[instruction.opcode] += 1
    assert compared > 1_500_000
    assert min(executed.values()) >= 10, executed


@pytest.mark.parametrize("opcode", ALONE, ids=lambda opcode: opcode.name)
@pytest.mark.parametrize("config", CI_CONFIGS.values(), ids=list(CI_CONFIGS))
def test_one_operation(config: EngineConfig, opcode: Opcode) -> None:
    compared = 0
    for seed in range(100, 112):
        compared += compare_with_executor(engine(config, Arithmetic.NATIVE), random_program(seed, config, 10, (opcode,)))
    assert compared > 500_000


def test_configuration_of_no_round_numbers() -> None:
    compared = sum(compare_with_executor(engine(ODD, Arithmetic.NATIVE), random_program(seed, ODD, OPERATIONS)) for seed in range(40))
    assert compared > 2_000_000


def test_memories_may_wake_up_with_anything() -> None:
    config = CI_CONFIGS["16x16x2"]
    kernel = engine(config, Arithmetic.NATIVE)
    for seed in range(12):
        program = random_program(seed, config, OPERATIONS)
        runs = [kernel.execute(program.dram(), program.program_offset, program.program_count, fill=fill) for fill in (0x00, 0xA5, 0xFF)]
        assert len({(result.output, scratch) for result, scratch in runs}) == 1
        assert len(runs[0][0].output) > 0


def test_two_configurations_share_a_process() -> None:
    first, second = CI_CONFIGS["16x16x2"], CI_CONFIGS["8x8x1"]
    for seed in range(30, 36):
        for config in (first, second):
            assert compare_with_executor(engine(config, Arithmetic.NATIVE), random_program(seed, config, 6)) > 0


@pytest.mark.parametrize("arithmetic", list(Arithmetic))
@pytest.mark.parametrize("config", CI_CONFIGS.values(), ids=list(CI_CONFIGS))
def test_compiler_has_nothing_to_say(config: EngineConfig, arithmetic: Arithmetic) -> None:
    log = build_csim(plan_csim(config, arithmetic)).with_name("build.log")
    assert log.is_file()
    assert log.read_text() == ""


@pytest.mark.nightly
@pytest.mark.parametrize("arithmetic", list(Arithmetic))
@pytest.mark.parametrize("config", [*CI_CONFIGS.values(), ODD], ids=lambda config: f"{config.name}-{config.fm_words}")
def test_many_programs(config: EngineConfig, arithmetic: Arithmetic) -> None:
    compared = sum(
        compare_with_executor(engine(config, arithmetic), random_program(seed, config, OPERATIONS)) for seed in range(1000, 1600)
    )
    assert compared > 50_000_000
