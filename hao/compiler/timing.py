"""Estimated cycles of a program: the rates of ``docs/microarchitecture.md`` and the five queues, without running anything.

Used to choose between plans; what is published comes from the simulated engine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hao.engine.config import EngineConfig
from hao.engine.encode import DEPENDENCY_FIELDS, Instruction
from hao.engine.isa import LANES, TILE_WORDS, Opcode, Unit

_CHUNK = 32
"""Pixel groups whose partial sums the dense core holds."""
_CUT_COST = 8
"""Cycles that one instruction more must save."""
_GAP = 4
"""Idle cycles between two instructions of a unit."""
_FETCH = 5
"""Cycles an instruction takes to be read and queued."""
_FIRST_WORD = 60
"""Cycles from a request to its first word."""
_LATENCY = {Opcode.LOAD: 60, Opcode.LDI: 10, Opcode.DENSE: 30, Opcode.FILL: 12, Opcode.DW: 30, Opcode.ADD: 20, Opcode.STORE: 60}
"""Cycles from the last operand to completion: pipelines, and the DRAM."""


@dataclass(frozen=True, slots=True, eq=False)
class Schedule:
    """When every instruction of a program runs, in cycles from the start.

    Attributes:
        start, end: per instruction, in program order.
        total: end of the last.
        busy: cycles that each unit works.
    """

    start: list[int]
    end: list[int]
    total: int
    busy: dict[Unit, int]


def dense_walk(pixels: int, tiles: int, stride: int, bits: int, config: EngineConfig) -> int:
    """Cycles of one DENSE block over ``pixels`` outputs and ``tiles`` weight tiles (taps times input planes)."""
    groups = -(-pixels // config.px)
    halves = LANES // config.po
    words = TILE_WORDS[bits] // halves
    # two pixels an even distance apart lie in one bank
    clash = 2 if config.px == 2 and stride % 2 == 0 else 1
    total = 0
    for count, group in ((groups // _CHUNK, _CHUNK), (1, groups % _CHUNK)):
        walk = max(group * clash * (LANES // config.pi), words) * tiles * halves
        total += count * max(walk, group * config.px) if group else 0
    return total


def cut_at(rows: int, width: int, tiles: int, stride: int, bits: int, config: EngineConfig) -> int:
    """Output rows of the first of the two parts of a DENSE block that keep the core for fewer cycles; all of them where none do."""

    def cycles(count: int) -> int:
        return dense_walk(count * width, tiles, stride, bits, config)

    best, cut = cycles(rows) - _CUT_COST, rows
    for middle in range(1, rows):
        both = cycles(middle) + cycles(rows - middle)
        if both < best:
            best, cut = both, middle
    return cut


def _dense_cycles(i: Instruction, config: EngineConfig) -> int:
    pixels = (i["y1"] - i["y0"]) * i["out_w"]
    return dense_walk(pixels, i["kernel"] ** 2 * i["n_in"], i["stride"], 8 if i["w8"] else 4, config)


def _gather_cycles(i: Instruction) -> int:
    """Cycles of one LDI: the first window waits for its rows of the image, later ones for those that they read besides."""
    fill, emit = 2 * -(-i["in_w"] // 4), i["out_w"] * (2 if i["kernel"] == 3 else 1)
    more = i["y1"] - i["y0"] - 1
    return _FIRST_WORD + i["kernel"] * fill + more * max(i["stride"] * fill, emit) + emit


def occupancy(i: Instruction, config: EngineConfig) -> int:
    """Cycles for which an instruction keeps its unit, operands and memory permitting."""
    if i.opcode in (Opcode.LOAD, Opcode.STORE):
        return i["length"] * 5 // 4  # DRAM sustains about four words in five cycles
    if i.opcode is Opcode.END:
        return 0
    if i.opcode is Opcode.LDI:
        return _gather_cycles(i)
    pixels = (i["y1"] - i["y0"]) * i["out_w"]
    if i.opcode is Opcode.DENSE:
        return _dense_cycles(i, config)
    lanes = LANES // config.dw_lanes
    return pixels * {Opcode.FILL: 1, Opcode.DW: lanes, Opcode.ADD: 2 * lanes}[i.opcode]


def schedule(program: Sequence[Instruction], config: EngineConfig) -> Schedule:
    """Run the queues: fetch in program order, each unit in its own, dependencies and queue depths respected."""
    begun: dict[Unit, list[int]] = {unit: [] for unit in Unit}
    done: dict[Unit, list[int]] = {unit: [] for unit in Unit}
    free = dict.fromkeys(Unit, 0)
    busy = dict.fromkeys(Unit, 0)
    starts: list[int] = []
    ends: list[int] = []
    fetched = _LATENCY[Opcode.LOAD]
    for i in program:
        fetched += _FETCH
        unit = i.unit
        if unit is None:
            starts.append(fetched)
            ends.append(max(fetched, *ends) if ends else fetched)
            continue
        if len(begun[unit]) >= config.queue_depth:
            fetched = max(fetched, begun[unit][-config.queue_depth])
        start = max(fetched, free[unit])
        for other, name in DEPENDENCY_FIELDS.items():
            if i[name]:
                start = max(start, done[other][i[name] - 1] + 2)
        cycles = occupancy(i, config)
        free[unit] = start + cycles + _GAP
        busy[unit] += cycles
        begun[unit].append(start)
        end = start + cycles + _LATENCY[i.opcode]
        if done[unit]:
            end = max(end, done[unit][-1])
        done[unit].append(end)
        starts.append(start)
        ends.append(end)
    return Schedule(starts, ends, max(ends, default=0), busy)
