"""From drafts with addresses to the program: LOADs put in place, dependency counts, the trace map, the image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hao.compiler.depend import with_dependencies
from hao.compiler.drafts import Blob, Buffer, Draft
from hao.compiler.emit import Emitted
from hao.compiler.rings import Request, Ring, RingLoad
from hao.engine.config import EngineConfig
from hao.engine.encode import Instruction, encode_program
from hao.engine.isa import INSTRUCTION_BYTES, LIST_ENTRIES_PER_WORD, BaseSelect, LoadTarget, Opcode, Unit
from hao.engine.pack import DramBuilder, pack_list
from hao.engine.trace import TraceEntry, TraceMap

_HOIST = 12
"""Drafts by which LOADs run ahead in program order; the queues let them run farther ahead in time."""


@dataclass(frozen=True, slots=True, eq=False)
class Assembled:
    """A finished program.

    Attributes:
        program: instructions with dependency counts, END last.
        steps: plan step of every instruction; -1 for LOADs of rings and END.
        dram: bytes of base IMAGE, the program included, at ``offset``.
        trace: the trace map.
    """

    program: tuple[Instruction, ...]
    steps: tuple[int, ...]
    dram: bytes
    offset: int
    trace: TraceMap


def _list_requests(drafts: Sequence[Draft]) -> list[Request]:
    """Lists are shared by content: all blocks of a layer read the same planes."""
    blobs: dict[tuple[int, ...], Blob] = {}
    requests = []
    for at, draft in enumerate(drafts):
        if draft.opcode is not Opcode.DENSE:
            continue
        key = tuple(buffer.base if isinstance(buffer, Buffer) else 0 for buffer in draft.planes)
        if key not in blobs:
            data = pack_list(list(key))
            blobs[key] = Blob(len(data) // 16, "list of planes", lambda data=data: data)  # type: ignore[misc]
        requests.append(Request(at, blobs[key]))
    return requests


def _rings(drafts: Sequence[Draft], config: EngineConfig, dram: DramBuilder, blank: bool) -> dict[LoadTarget, Ring]:
    wanted = {
        LoadTarget.LIST: _list_requests(drafts),
        LoadTarget.PARAM: [Request(at, d.params) for at, d in enumerate(drafts) if d.params is not None],
        LoadTarget.WEIGHT: [Request(at, d.weights) for at, d in enumerate(drafts) if d.weights is not None],
    }
    sizes = {
        LoadTarget.LIST: config.lm_entries // LIST_ENTRIES_PER_WORD,
        LoadTarget.PARAM: config.pb_words,
        LoadTarget.WEIGHT: config.wb_words,
    }
    rings = {}
    for target, requests in wanted.items():
        rings[target] = Ring(target, sizes[target], max(1, sizes[target] // 4), _HOIST, dram, blank and target is not LoadTarget.LIST)
        rings[target].run(requests)
    return rings


def _instruction(draft: Draft, at: int, rings: dict[LoadTarget, Ring]) -> Instruction:
    values = dict(draft.fields)
    for name, buffer in draft.addresses.items():
        values[name] = buffer.address if name == "win_base" else buffer.base
    for name, (buffer, row) in draft.rows.items():
        values[name] = buffer.at_row(row)
    if draft.opcode is Opcode.DENSE:
        values["list_addr"] = rings[LoadTarget.LIST].addresses[at] * LIST_ENTRIES_PER_WORD
        values["w_addr"] = rings[LoadTarget.WEIGHT].addresses[at]
    if draft.params is not None:
        values["p_addr"] = rings[LoadTarget.PARAM].addresses[at]
    return Instruction(draft.opcode, values)


def _ring_instruction(load: RingLoad) -> Instruction:
    return Instruction(
        Opcode.LOAD, {"target": load.target, "dram_offset": load.offset, "dst_addr": load.address, "length": load.words}
    )


def assemble(emitted: Emitted, config: EngineConfig, input_bytes: int, *, blank: bool = False) -> Assembled:
    """Make the program of drafts whose buffers have addresses; ``blank`` leaves weights and parameters out, for estimates.

    Raises:
        CompileError: a blob does not fit its ring, a value does not fit its field, or the program is too long.
    """
    drafts, dram = emitted.drafts, DramBuilder()
    rings = _rings(drafts, config, dram, blank)
    loads = sorted((load for ring in rings.values() for load in ring.loads), key=lambda load: load.before)
    program: list[Instruction] = []
    steps: list[int] = []
    traced: list[TraceEntry] = []
    counts = dict.fromkeys(Unit, 0)
    waiting = iter([*loads, None])
    load = next(waiting)
    for at, draft in enumerate(drafts):
        while load is not None and load.before <= at:
            program.append(_ring_instruction(load))
            steps.append(-1)
            load = next(waiting)
        instruction = _instruction(draft, at, rings)
        unit = instruction.unit
        assert unit is not None
        if draft.trace is not None:
            t = draft.trace
            first, count = t.rows[0] * t.width, (t.rows[1] - t.rows[0]) * t.width
            traced.append(TraceEntry(int(unit), counts[unit], t.tensor, t.width, first, count, t.channels))
        counts[unit] += 1
        program.append(instruction)
        steps.append(draft.step)
    sizes = {
        BaseSelect.IMAGE: len(dram.tobytes()),
        BaseSelect.INPUT: input_bytes,
        BaseSelect.OUTPUT: emitted.output_bytes,
        BaseSelect.SCRATCH: emitted.scratch_bytes,
    }
    ready = [*with_dependencies(program, config, dram.tobytes(), sizes), Instruction(Opcode.END)]
    offset = dram.add(encode_program(ready), INSTRUCTION_BYTES)
    return Assembled(tuple(ready), (*steps, -1), dram.tobytes(), offset, TraceMap(tuple(traced)))
