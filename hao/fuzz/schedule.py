"""Runs a program in orders that its dependency counts permit: whatever the order, the results must be those of program order.

The compiler's counts and the executor's race check share :mod:`hao.compiler.depend`; this check uses the counts alone. Instructions
of a unit start in order, each as soon as its counts are reached; which unit goes first is drawn anew for every run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from hao.compiler.executor import _RUN
from hao.compiler.memories import Memories
from hao.engine.config import EngineConfig
from hao.engine.encode import Instruction
from hao.engine.isa import BaseSelect, Unit
from hao.errors import SimulationError

Results = dict[tuple[Unit, int], bytes]


def _queues(program: Sequence[Instruction]) -> dict[Unit, list[Instruction]]:
    queues: dict[Unit, list[Instruction]] = {unit: [] for unit in Unit}
    for i in program:
        if i.unit is not None:
            queues[i.unit].append(i)
    return queues


def _run(i: Instruction, unit: Unit, at: int, memories: Memories, config: EngineConfig, results: Results) -> None:
    result = _RUN[i.opcode](i, memories, config, False)
    results[unit, at] = result.words.tobytes() + result.pixels.tobytes()


def run_in_order(
    program: Sequence[Instruction], config: EngineConfig, dram: Mapping[BaseSelect, bytes], garbage: int
) -> tuple[Results, bytes]:
    """Results of every instruction and OUTPUT in program order."""
    memories, results = Memories(config, dram, garbage), Results()
    counts = dict.fromkeys(Unit, 0)
    for i in program:
        if i.unit is not None:
            _run(i, i.unit, counts[i.unit], memories, config, results)
            counts[i.unit] += 1
    return results, memories.dram_bytes(BaseSelect.OUTPUT)


def run_permitted(
    program: Sequence[Instruction], config: EngineConfig, dram: Mapping[BaseSelect, bytes], garbage: int, rng: np.random.Generator
) -> tuple[Results, bytes]:
    """The same in a random permitted order.

    Raises:
        SimulationError: no instruction may start, and some are left.
    """
    memories, results, queues = Memories(config, dram, garbage), Results(), _queues(program)
    counts = dict.fromkeys(Unit, 0)
    order = [Unit(int(unit)) for unit in rng.permutation(len(Unit))]
    while any(counts[unit] < len(queue) for unit, queue in queues.items()):
        if rng.random() < 0.1:  # mostly one unit runs as far ahead of the others as it can
            order = [Unit(int(unit)) for unit in rng.permutation(len(Unit))]
        for unit in order:
            if counts[unit] < len(queues[unit]):
                i = queues[unit][counts[unit]]
                if all(counts[other] >= i.dependencies[other] for other in Unit):
                    _run(i, unit, counts[unit], memories, config, results)
                    counts[unit] += 1
                    break
        else:
            raise SimulationError("no instruction may start: the dependency counts wait for one another", "a dependency count is wrong")
    return results, memories.dram_bytes(BaseSelect.OUTPUT)


def check_orders(program: Sequence[Instruction], config: EngineConfig, dram: Mapping[BaseSelect, bytes], seed: int, orders: int = 4) -> int:
    """Compare ``orders`` permitted orders with program order.

    Returns:
        bytes compared.

    Raises:
        SimulationError: a result depends on the order, or nothing may start.
    """
    rng = np.random.default_rng(seed)
    wanted, output = run_in_order(program, config, dram, seed)
    compared = 0
    for _ in range(orders):
        found, left = run_permitted(program, config, dram, seed, rng)
        for (unit, at), words in wanted.items():
            if found[unit, at] != words:
                raise SimulationError(
                    f"{unit.name} instruction {at} gives another result in another permitted order", "a dependency is missing"
                )
            compared += len(words)
        if left != output:
            raise SimulationError("OUTPUT differs in another permitted order", "a dependency is missing")
        compared += len(output)
    return compared
