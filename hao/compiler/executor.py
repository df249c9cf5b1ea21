"""The instruction-level executor: runs a program exactly as ``docs/isa.md`` says, in numpy.

It shares no code with the engines. Beside program order it has a checking mode: values that nobody defined, rows that the
window does not hold, accumulators that overflow and races that the dependency counts permit are errors that name
instruction and address.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from hao.compiler import executor_ops as ops
from hao.compiler.access import accesses
from hao.compiler.depend import Clocks, History
from hao.compiler.memories import Memories, memory_sizes
from hao.engine.config import EngineConfig
from hao.engine.encode import Instruction, decode_program
from hao.engine.isa import INSTRUCTION_BYTES, BaseSelect, Opcode, Unit
from hao.engine.taps import TAP_DTYPE, TapTrace
from hao.errors import SimulationError

_Run = Callable[[Instruction, Memories, EngineConfig, bool], ops.Result]
_RUN: dict[Opcode, _Run] = {
    Opcode.LOAD: ops.run_load,
    Opcode.LDI: ops.run_ldi,
    Opcode.DENSE: ops.run_dense,
    Opcode.FILL: ops.run_fill,
    Opcode.DW: ops.run_dw,
    Opcode.ADD: ops.run_add,
    Opcode.STORE: ops.run_store,
}


class HazardChecker:
    """Proves that any two instructions that touch the same address, one of them writing, are ordered.

    Two instructions are ordered when the dependency counts, the order within units and their transitive closure make the
    first complete before the second starts. The check is exact over address ranges, independent of timing and of data.
    """

    def __init__(self, config: EngineConfig, dram: Mapping[BaseSelect, int]) -> None:
        self._config = config
        self._history = History(memory_sizes(config, dram))
        self._clocks = Clocks()

    def check(self, i: Instruction, lists: Callable[[int], int]) -> None:
        """Check the next instruction of the program.

        Raises:
            SimulationError: it races with an earlier one, or waits for one that does not precede it.
        """
        unit = i.unit
        if unit is None:
            return
        sequence = self._clocks.length(unit)
        counts = np.array([i.dependencies[other] for other in Unit], np.int64)
        for other in Unit:
            if counts[other] > self._clocks.length(other):
                raise SimulationError(
                    f"{unit.name} instruction {sequence} waits for {counts[other]} {other.name} instructions, but only "
                    f"{self._clocks.length(other)} precede it: {i}",
                    "the program would never end",
                )
        touched = accesses(i, self._config, lists)
        self._clocks.add(unit, counts)
        known = self._clocks.before(unit)
        for access in touched:
            need = self._history.needs(unit, (access,))
            for other in Unit:
                if need[other] > known[other]:
                    raise SimulationError(
                        f"{unit.name} instruction {sequence} {'writes' if access.write else 'reads'} {access.memory.name} "
                        f"{access.start}..{access.start + access.length - 1} without waiting for {other.name} instruction "
                        f"{int(need[other]) - 1}: {i}",
                        "a dependency is missing",
                    )
        self._history.record(unit, sequence, touched)


class Executor:
    """Runs programs on the memories of one engine.

    Args:
        config: the engine.
        dram: bytes behind each base register; OUTPUT and SCRATCH need only have the right length.
        check: report undefined values, overflows, wrong window rows and races as errors.
        garbage: seed of random contents that on-chip memories wake up with; None for zeros.

    Attributes:
        memories: all memories, readable after :meth:`run`.
    """

    def __init__(
        self,
        config: EngineConfig,
        dram: Mapping[BaseSelect, bytes | bytearray],
        *,
        check: bool = False,
        garbage: int | None = None,
    ) -> None:
        self.config = config
        self.memories = Memories(config, dram, garbage)
        self._check = check
        self._sizes = {base: len(data) for base, data in dram.items()}

    def run(self, program: Sequence[Instruction]) -> TapTrace:
        """Execute ``program`` in program order up to its END.

        Returns:
            Every result word of DENSE, DW and ADD.

        Raises:
            SimulationError: the program leaves a memory, has no END, or fails a check.
        """
        checker = HazardChecker(self.config, self._sizes) if self._check else None
        counts = dict.fromkeys(Unit, 0)
        results: list[np.ndarray[tuple[int], np.dtype[np.void]]] = []
        for i in program:
            unit = i.unit
            if unit is None:
                return TapTrace(np.concatenate(results) if results else np.zeros(0, TAP_DTYPE))
            if checker is not None:
                checker.check(i, lambda entry: int(self.memories.lm[entry]))
            result = _RUN[i.opcode](i, self.memories, self.config, self._check)
            if len(result.pixels):
                rows = np.zeros(len(result.pixels), TAP_DTYPE)
                rows["unit"], rows["seq"], rows["p"], rows["data"] = int(unit), counts[unit], result.pixels, result.words
                results.append(rows)
            counts[unit] += 1
        raise SimulationError("the program has no END", "the program image is wrong; compile it again")

    def run_image(self, offset: int, count: int) -> TapTrace:
        """Execute the ``count`` instructions at byte ``offset`` of base IMAGE, as the hardware does."""
        data = self.memories.dram_bytes(BaseSelect.IMAGE)[offset : offset + count * INSTRUCTION_BYTES]
        return self.run(decode_program(data))

    def output(self, base: BaseSelect = BaseSelect.OUTPUT) -> bytes:
        """Bytes behind a base register, rounded up to whole words."""
        return self.memories.dram_bytes(base)
