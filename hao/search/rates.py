"""How long one instruction keeps its unit: what the segment tables are made of. Any cycle model that answers this can stand behind it."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from hao.compiler.timing import cut_at
from hao.cost.latencies import latencies
from hao.cost.walks import Window, dense_walk
from hao.engine.config import EngineConfig
from hao.engine.isa import LANES, WORD_BYTES, Opcode

GAP = 1
"""Idle cycles between two instructions of a unit."""
_DISPATCH = 3
"""Cycles from a completion to the start of what waited for it."""

_STORED = 1.25
"""Cycles in which a word goes to DRAM."""
_CROWD, _CROWD_POINTS = 0.75, 0.4
"""Share of the other units' writes that meet those of LDI in a bank, gathering a kernel of 3, and single pixels."""
_GATHER_ROWS, _PIXEL_BYTES, _DRAM = 3, 4, 60
"""Image rows that must be there before the first pixel, bytes of one of theirs, cycles until the DRAM answers."""
_WORD = 2
"""Cycles in which a word of the image enters the gathering rows."""
_ROW = 32
"""Cycles between two image rows at the least, however short they are."""


class Work(NamedTuple):
    """What an instruction does: ``rows`` of ``width`` results; for DENSE planes, kernel, stride, padding and size of the input.

    ``up``: FILL reads through nearest up-sampling; ``window``: DENSE writes to the window, not to the feature memory.
    """

    opcode: Opcode
    rows: int
    width: int
    planes: int = 0
    kernel: int = 1
    stride: int = 1
    pad: int = 0
    in_width: int = 0
    in_height: int = 0
    up: bool = False
    window: bool = False


class Price(NamedTuple):
    """Cycles that an instruction keeps its unit, and from its last operand to those that wait for it.

    ``demand`` are the reads of the feature memory that it asks for a cycle, ``writes`` its results there a cycle; ``crowded``: cycles
    that another unit's write costs it.
    """

    cycles: int
    latency: int
    demand: float
    writes: float = 0.0
    crowded: float = 0.0


class Rates(Protocol):
    """Prices of instructions on one engine, operands and memory permitting."""

    def price(self, work: Work, bits: int) -> Price:
        """Price of one instruction; ``bits`` are those that the weights of DENSE are stored in, 4 or 8."""


class EngineRates:
    """The rates and pipeline depths of :mod:`hao.cost`."""

    def __init__(self, config: EngineConfig) -> None:
        self._config, self._known = config, latencies()

    def price(self, work: Work, bits: int) -> Price:
        """See :class:`Rates`."""
        known, config = self._known, self._config
        pixels, pace = work.rows * work.width, LANES // config.dw_lanes
        if work.opcode is Opcode.DENSE:
            cut = cut_at(work.rows, work.width, work.kernel**2 * work.planes, work.stride, bits, config)
            if cut == work.rows:
                return self._dense(work, bits)
            # two instructions, as the compiler makes of it
            first, second = (self._dense(work._replace(rows=rows), bits) for rows in (cut, work.rows - cut))
            cycles = first.cycles + GAP + second.cycles
            demand = (first.demand * first.cycles + second.demand * second.cycles) / cycles
            return Price(cycles, second.latency, demand, 0.0 if work.window else pixels / cycles)
        if work.opcode is Opcode.DW:
            return Price(pixels * pace + 1, known.dw_params + known.dw_out_pair + _DISPATCH, 0.0, 1.0 / pace)
        if work.opcode is Opcode.ADD:
            return Price(2 * pixels * pace, known.dw_setup + known.add_first + known.add_out_pair + _DISPATCH, 1.0 / pace, 0.5 / pace)
        if work.opcode is Opcode.FILL:
            requests = work.rows * -(-(work.width // 2 if work.up else work.width) // config.px)
            return Price(pixels, known.fill_setup + known.fill_out + _DISPATCH, requests / max(pixels, 1))
        if work.opcode is Opcode.STORE:
            return Price(round(_STORED * pixels), _DISPATCH, 1.0 / _STORED)
        crowd = _CROWD if work.kernel > 1 else _CROWD_POINTS
        image_row = _WORD * -(-_PIXEL_BYTES * work.in_width // WORD_BYTES)
        row = max(2 * work.width + known.ldi_row, image_row * -(-work.in_width // work.width), _ROW)
        latency = known.ldi_setup + known.ldi_out + _DISPATCH
        return Price(work.rows * row + _GATHER_ROWS * image_row + _DRAM, latency, 0.0, 0.0, crowd / config.px)

    def _dense(self, work: Work, bits: int) -> Price:
        known, config = self._known, self._config
        window = Window(work.in_width, work.in_height, work.width, 0, work.rows, work.kernel, work.stride, work.pad)
        walk = dense_walk(window, work.planes, bits, config.pi, config.po, config.px)
        cycles = max(walk.cycles, walk.drained)
        ways = known.dense_setup + known.dense_first + walk.tile_words + known.dense_sums + known.dense_out + round(walk.behind)
        return Price(round(cycles), ways + _DISPATCH, walk.beats / cycles, 0.0 if work.window else work.rows * work.width / cycles)
