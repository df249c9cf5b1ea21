"""How long a segment takes and what it needs: its instructions walked through the five units, block by block, in stripes.

A segment begins when everything before it is complete and ends when its last result is: the time of a frame is the sum over its
segments. The rates of single instructions come from :mod:`hao.search.rates`; formulation ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hao.compiler.layout import Plane
from hao.compiler.ops import AddOp, DenseOp, DwOp, ImageOp, Rows, Value
from hao.compiler.plan import Plan, Segment
from hao.engine.isa import WINDOW_BANKS, DwMode, Opcode, Unit
from hao.search.rates import GAP, Rates

_MAX_RING = 255
_PIECE_PIXELS = 64


@dataclass(slots=True)
class _Clock:
    """When the units are free, and when values are complete."""

    rates: Rates
    free: dict[Unit, int] = field(default_factory=lambda: dict.fromkeys(Unit, 0))
    complete: dict[Value, int] = field(default_factory=dict)
    end: int = 0

    def run(self, unit: Unit, opcode: Opcode, cycles: int, ready: int) -> int:
        """One instruction; when its result is there."""
        start = max(self.free[unit], ready)
        self.free[unit] = start + cycles + GAP
        done = start + cycles + self.rates.latency(opcode)
        self.end = max(self.end, done)
        return done


class Walker:
    """Walks segments of one plan on one engine.

    Args:
        plan: steps in the order of execution, every step its own segment.
        rates: the engine's.
        win_depth: addresses of a window bank.
    """

    def __init__(self, plan: Plan, rates: Rates, win_depth: int) -> None:
        self._plan, self._rates, self._depth = plan, rates, win_depth
        self._planes = {
            op: len(plan.layout.planes_of(op.inputs)) for op in plan.layout.ops if isinstance(op, DenseOp)
        }  # fmt: skip

    def cycles(self, segment: Segment, bits: Mapping[str, int]) -> int | None:
        """Cycles of a segment with the weights of dense layers stored in ``bits[name]``; None: the window is too small."""
        clock = _Clock(self._rates)
        done: dict[Value, int] = {}
        for stripe in range(segment.stripes):
            rows, _ = self._plan.stripe_rows(segment, stripe, done)
            for number in range(segment.start, segment.stop):
                if rows[number][1] <= rows[number][0]:
                    continue
                if not self._step(clock, number, rows[number], bits):
                    return None
                value = self._plan.steps[number].op.output
                done[value] = max(done.get(value, 0), rows[number][1])
        return clock.end

    def _step(self, clock: _Clock, number: int, rows: Rows, bits: Mapping[str, int]) -> bool:
        op = self._plan.steps[number].op
        ready = max((clock.complete.get(value, 0) for value, _ in self._plan.sources[number]), default=0)
        blocks = len(self._plan.layout.blocks[op])
        pixels = (rows[1] - rows[0]) * op.output.width
        if isinstance(op, DwOp):
            return self._dw(clock, number, op, rows, ready, bits)
        if isinstance(op, ImageOp):
            done = clock.run(Unit.LOAD, Opcode.LDI, self._rates.image(pixels), ready)
        elif isinstance(op, DenseOp):
            cycles = self._rates.dense(pixels, self._planes[op], op.kernel, op.stride, bits.get(op.name, op.bits))
            done = max(clock.run(Unit.DENSE, Opcode.DENSE, cycles, ready) for _ in range(blocks))
        else:
            assert isinstance(op, AddOp)
            done = max(clock.run(Unit.DW, Opcode.ADD, self._rates.add(pixels), ready) for _ in range(blocks))
        clock.complete[op.output] = done
        return True

    def _ring(self, op: DwOp, rows: Rows) -> tuple[int, int] | None:
        """Rows of the ring and output rows a piece, as the compiler chooses them; None: no ring is large enough."""
        pitch = -(-op.in_width // WINDOW_BANKS)
        most, half = (min(size // pitch, _MAX_RING) for size in (self._depth, self._depth // 2))
        first, last = op.slice_rows(rows)
        if last - first <= half:
            return last - first, rows[1] - rows[0]
        span = max(high - low for low, high in (op.slice_rows((y, y + 1)) for y in range(*rows)))
        ring = half if half >= span + 2 * op.stride else most
        if op.mode is DwMode.SUM or ring < span:
            return None if last - first > most else (last - first, rows[1] - rows[0])
        return ring, max(1, ((ring - span) // op.stride + 1) // 2)

    def _dw(self, clock: _Clock, number: int, op: DwOp, rows: Rows, ready: int, bits: Mapping[str, int]) -> bool:
        found = self._ring(op, rows)
        if found is None:
            return False
        ring, chunk = found
        overlapped = 2 * ring * -(-op.in_width // WINDOW_BANKS) <= self._depth
        blocks = len(self._plan.layout.blocks[op])
        finished = 0
        whole = op.mode is DwMode.SUM
        piece = max(-(-(rows[1] - rows[0]) // 4), -(-_PIECE_PIXELS // op.output.width))
        for block in range(blocks):
            step = min(chunk, piece) if block in (0, blocks - 1) and not whole else chunk
            # without room for two rings the next slice waits for this one
            begin = ready if overlapped else max(ready, finished)
            filled, last = op.slice_rows(rows)[0], begin
            for start in range(rows[0], rows[1], step):
                part = (start, min(start + step, rows[1]))
                need = op.slice_rows(part)
                if need[1] > filled:
                    last = self._feed(clock, number, op, (max(filled, need[0]), need[1]), begin, bits)
                    filled = need[1]
                pixels = op.in_height * op.in_width if whole else (part[1] - part[0]) * op.output.width
                finished = clock.run(Unit.DW, Opcode.DW, self._rates.dw(pixels), max(last, ready))
        clock.complete[op.output] = finished
        return True

    def _feed(self, clock: _Clock, number: int, op: DwOp, rows: Rows, ready: int, bits: Mapping[str, int]) -> int:
        pixels = (rows[1] - rows[0]) * op.in_width
        feeder = self._plan.steps[number].feeder
        if feeder is None:
            return clock.run(Unit.FILL, Opcode.FILL, self._rates.fill(pixels), ready)
        cycles = self._rates.dense(pixels, self._planes[feeder], feeder.kernel, feeder.stride, bits.get(feeder.name, feeder.bits))
        return clock.run(Unit.DENSE, Opcode.DENSE, cycles, ready)


class Room:
    """What a segment needs of the feature memory beside the tensors that live through it."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        last = {plane: max((*use.readers, *use.writers), default=-1) for plane, use in plan.use.items()}
        first = {plane: min(use.writers, default=len(plan.steps)) for plane, use in plan.use.items()}
        self._lives = [(plane, first[plane], last[plane]) for plane in plan.use if not plane.displacement]

    def words(self, segment: Segment) -> int:
        """Words of feature memory while the segment runs, its own buffers and what stays resident together; at its peak."""
        done: dict[Value, int] = {}
        peak = 0
        for stripe in range(segment.stripes):
            rows, wanted = self._plan.stripe_rows(segment, stripe, done)
            sizes = self._sizes(segment, rows, wanted)
            for number in range(segment.start, segment.stop):
                peak = max(peak, self._alive(segment, number, sizes))
                value = self._plan.steps[number].op.output
                done[value] = max(done.get(value, 0), rows[number][1])
        return peak

    def _sizes(self, segment: Segment, rows: dict[int, Rows], wanted: dict[Plane, Rows]) -> dict[Plane, int]:
        """Words of the planes that are not held whole."""
        sizes: dict[Plane, int] = {}
        for number in range(segment.start, segment.stop):
            for plane in self._plan.layout.planes_of_value(self._plan.steps[number].op.output):
                sizes[plane] = max(sizes.get(plane, 0), (rows[number][1] - rows[number][0]) * plane.width + 1)
        for plane, need in wanted.items():
            sizes.setdefault(plane, (need[1] - need[0]) * plane.width + 1)
        return sizes

    def _alive(self, segment: Segment, number: int, sizes: dict[Plane, int]) -> int:
        total = 0
        for plane, first, last in self._lives:
            if self._plan.resident(plane, segment):
                if segment.stripes > 1:
                    first = segment.start if segment.start <= first < segment.stop else first
                    last = segment.stop - 1 if segment.start <= last < segment.stop else last
                if first <= number <= last:
                    total += plane.height * plane.width + 1
            elif plane in sizes and max(first, segment.start) <= number <= min(last, segment.stop - 1):
                total += sizes[plane]
        return total
