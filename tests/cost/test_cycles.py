"""The cycle model by itself: properties that any program must show, and its refusals."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from hao.boards import Board, load_board
from hao.compiler.compile import compile_graph
from hao.cost.cycles import estimate_cycles, published_error
from hao.cost.layers import LayerShape, layer_cycles
from hao.engine.config import CI_CONFIGS, ULTRA96, EngineConfig
from hao.engine.encode import Instruction
from hao.engine.isa import Opcode, Unit
from hao.errors import CostError
from hao.ir.random_graph import random_graph

BOARD = load_board("ultra96v2")


def _with_latency(board: Board, cycles: int) -> Board:
    return board.model_copy(update={"dram": board.dram.model_copy(update={"read_latency_cycles": cycles})})


def _program(seed: int, config: EngineConfig) -> tuple[Instruction, ...]:
    return compile_graph(random_graph(seed), config).program()


@pytest.mark.parametrize("name", CI_CONFIGS)
def test_every_instruction_completes_in_order(name: str) -> None:
    config = CI_CONFIGS[name]
    program = _program(3, config)
    estimate = estimate_cycles(program, config, BOARD)
    assert len(estimate.timeline) == len(program) - 1
    for unit in Unit:
        mine = [each for each in estimate.timeline if each.unit is unit]
        assert all(each.start < each.end for each in mine)
        assert all(a.start < b.start and a.end < b.end for a, b in pairwise(mine))
    assert estimate.cycles > max(each.end for each in estimate.timeline)
    assert max(estimate.busy.values()) < estimate.cycles
    assert estimate.low <= estimate.cycles <= estimate.high and estimate.error == published_error()


def test_dependencies_are_kept() -> None:
    program = _program(5, ULTRA96)
    estimate = estimate_cycles(program, ULTRA96, BOARD)
    ends = {unit: [each.end for each in estimate.timeline if each.unit is unit] for unit in Unit}
    for each in estimate.timeline:
        for unit, count in program[each.index].dependencies.items():
            assert count == 0 or each.start > ends[unit][count - 1]


def test_a_slower_memory_is_never_faster() -> None:
    program = _program(4, ULTRA96)
    cycles = [estimate_cycles(program, ULTRA96, _with_latency(BOARD, latency)).cycles for latency in (20, 60, 120, 240, 480)]
    assert cycles == sorted(cycles) and cycles[-1] > cycles[0] + 420


def test_the_same_twice() -> None:
    program = _program(6, ULTRA96)
    assert estimate_cycles(program, ULTRA96, BOARD) == estimate_cycles(program, ULTRA96, BOARD)


def test_programs_that_cannot_be_weighed_are_refused() -> None:
    program = _program(3, ULTRA96)
    with pytest.raises(CostError, match="END"):
        estimate_cycles(program[:-1], ULTRA96, BOARD)
    with pytest.raises(CostError, match="END"):
        estimate_cycles((), ULTRA96, BOARD)
    forward = (Instruction(Opcode.LOAD, {"length": 4, "dep_dense": 1}), *program[1:])
    with pytest.raises(CostError, match="comes after"):
        estimate_cycles(forward, ULTRA96, BOARD)


def test_a_layer_costs_what_its_arithmetic_says() -> None:
    point = LayerShape("dense", 64, 64, 64, 64)
    assert layer_cycles(point, ULTRA96).dense == 64 * 64 // 2 * 4 * 4
    assert layer_cycles(point, ULTRA96).load_words == 4 * (4 * 8 + 8)
    assert layer_cycles(replace(point, weight_bits=8), ULTRA96).load_words == 4 * (4 * 16 + 8)
    half = EngineConfig(px=1)
    assert layer_cycles(point, half).dense == 2 * layer_cycles(point, ULTRA96).dense
    depthwise = LayerShape("depthwise", 64, 64, 64, 64, kernel=3)
    assert layer_cycles(depthwise, ULTRA96).dw == (64 * 64 + 1) * 4
    assert layer_cycles(depthwise, EngineConfig(dw_lanes=8)).dw == (2 * 64 * 64 + 1) * 4
    strided = LayerShape("dense", 16, 16, 32, 32, kernel=3, stride=2, pad=1)
    assert layer_cycles(strided, ULTRA96).dense > 1.9 * 9 * 32 * 32 // 2  # both pixels in one bank


def test_layers_that_are_none_are_refused() -> None:
    with pytest.raises(CostError, match="empty"):
        layer_cycles(LayerShape("dense", 16, 0, 4, 4), ULTRA96)
    with pytest.raises(CostError, match="bits"):
        layer_cycles(LayerShape("dense", 16, 16, 4, 4, weight_bits=9), ULTRA96)
