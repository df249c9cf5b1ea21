"""Holds what the compiler believes an instruction touches against what it does, without looking into either.

Dependency counts and the executor's race check both come from ``hao.compiler.access``; an error there would be believed by both. So
every instruction of a program is run twice: on the memories as they are, and on a copy where every address that it is not said to read
holds other bytes. It must change nothing that it is not said to write, and must leave the same in both where it is said to write.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from hao.compiler.access import Access, accesses
from hao.compiler.depend import lanes_of
from hao.compiler.executor import _RUN
from hao.compiler.memories import DRAM_OF, Memories, Memory
from hao.engine.config import EngineConfig
from hao.engine.encode import Instruction
from hao.engine.isa import BaseSelect
from hao.errors import SimulationError

_Bytes = npt.NDArray[np.uint8]
_WHOLE = frozenset({Memory.FM, Memory.WB, Memory.PB, Memory.DISP, *DRAM_OF.values()})
"""Memories in which every address of a written range is written; a row of the window leaves some banks of its addresses alone."""


def _views(memories: Memories) -> dict[Memory, _Bytes]:
    """Every memory as bytes, addresses first: ``(addresses, bytes of one)``; writes go through to the memories."""
    window = np.moveaxis(memories.window, 1, 0)
    found = {
        Memory.FM: memories.fm,
        Memory.WIN: window,
        Memory.WB: memories.wb,
        Memory.PB: memories.pb,
        Memory.LM: memories.lm.view(np.uint8).reshape(-1, 2),
        Memory.DISP: memories.disp.view(np.uint8).reshape(-1, 1),
    }
    return found | {memory: memories.dram[base] for base, memory in DRAM_OF.items()}


def _masks(views: Mapping[Memory, _Bytes], touched: Sequence[Access], write: bool) -> dict[Memory, npt.NDArray[np.bool_]]:
    masks = {memory: np.zeros(view.shape, np.bool_) for memory, view in views.items()}
    for access in touched:
        if access.write is write:
            part = masks[access.memory][access.start : access.start + access.length]
            if access.memory is Memory.FM:
                part[:, lanes_of(access.lanes)] = True
            else:
                part[...] = True
    return masks


def _disturbed(memories: Memories, reads: Mapping[Memory, npt.NDArray[np.bool_]]) -> Memories:
    """A copy in which every byte that is not said to be read is another one."""
    other = copy.deepcopy(memories)
    for memory, view in _views(other).items():
        view[~reads[memory]] ^= 0x5A
    return other


def _fail(i: Instruction, memory: Memory, where: npt.NDArray[np.bool_], what: str) -> None:
    if where.any():
        address = int(np.argwhere(where)[0][0])
        raise SimulationError(f"{i.opcode.name} {what} {memory.name} {address}: {i}", "hao.compiler.access is wrong")


def check_instruction(i: Instruction, memories: Memories, config: EngineConfig) -> int:
    """Run one instruction on ``memories`` and hold its footprint against ``accesses``.

    Returns:
        bytes said to be read or written.

    Raises:
        SimulationError: it changes what it is not said to write, leaves alone what it is, or depends on what it is not said to read.
    """
    touched = accesses(i, config, lambda entry: int(memories.lm[entry]))
    before = {memory: view.copy() for memory, view in _views(memories).items()}
    reads, writes = _masks(before, touched, False), _masks(before, touched, True)
    other = _disturbed(memories, reads)
    other_before = {memory: view.copy() for memory, view in _views(other).items()}
    first, second = _RUN[i.opcode](i, memories, config, False), _RUN[i.opcode](i, other, config, False)
    if not np.array_equal(first.words, second.words):
        raise SimulationError(
            f"{i.opcode.name} has results that depend on what it is not said to read: {i}", "hao.compiler.access is wrong"
        )
    after, other_after = _views(memories), _views(other)
    for memory, mask in writes.items():
        changed = (after[memory] != before[memory]) | (other_after[memory] != other_before[memory])
        _fail(i, memory, changed & ~mask, "changes, and is not said to write,")
        unequal = after[memory] != other_after[memory]
        # bytes that the instruction left alone differ already, where they were disturbed
        _fail(
            i,
            memory,
            unequal & mask & (changed if memory not in _WHOLE else True),
            "leaves alone, or fills from what it is not said to read,",
        )
    return sum(int(mask.sum()) for mask in (*reads.values(), *writes.values()))


def check_program(program: Sequence[Instruction], config: EngineConfig, dram: Mapping[BaseSelect, bytes], garbage: int = 1) -> int:
    """Run a program instruction by instruction, each held against what it is said to touch.

    Args:
        program: up to its END.
        config: the engine.
        dram: bytes behind each base.
        garbage: seed of what on-chip memories wake up with.

    Returns:
        bytes said to be read or written, over all instructions.

    Raises:
        SimulationError: see :func:`check_instruction`.
    """
    memories = Memories(config, dram, garbage)
    return sum(check_instruction(i, memories, config) for i in program if i.unit is not None)
