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
from hao.search.rates import GAP, Price, Rates, Work

_MAX_RING = 255
_PIECE_PIXELS = 64


@dataclass(slots=True)
class Trace:
    """The instructions of a segment: unit, what it costs, layer whose width matters (or -1), and those that must have completed."""

    program: list[tuple[int, int, int, tuple[int, ...]]] = field(default_factory=list)
    layers: list[str] = field(default_factory=list)


class Tracer:
    """Turns segments of a plan into instructions; segments that are the same subgraph share them.

    Args:
        plan: steps in the order of execution, every step its own segment.
        win_depth: addresses of a window bank.
        costs: every different cost so far, shared by the tracers of a search.
        known: traces by signature, shared by the tracers of one window.
    """

    def __init__(
        self, plan: Plan, win_depth: int, costs: dict[Work, int], known: dict[tuple[object, ...], Trace | None] | None = None
    ) -> None:  # fmt: skip
        self._plan, self._depth, self._costs = plan, win_depth, costs
        self._known: dict[tuple[object, ...], Trace | None] = known if known is not None else {}
        self._planes = {op: len(plan.layout.planes_of(op.inputs)) for op in plan.layout.ops if isinstance(op, DenseOp)}

    def layers(self, segment: Segment) -> list[str]:
        """Dense layers of a segment, in the order of a trace's."""
        ops = (op for step in self._plan.steps[segment.start : segment.stop] for op in (step.feeder, step.op))
        return [op.name for op in ops if isinstance(op, DenseOp)]

    def _signature(self, segment: Segment) -> tuple[object, ...]:
        """All that the instructions of a segment depend on."""
        made = {self._plan.steps[n].op.output: n - segment.start for n in range(segment.start, segment.stop)}
        found: list[object] = [segment.stripes]
        for number in range(segment.start, segment.stop):
            step = self._plan.steps[number]
            value = step.op.output
            planes = self._plan.layout.planes_of_value(value)
            kept = all(self._plan.resident(plane, segment) for plane in planes)
            needed = any(not self._plan.internal(plane, segment) or plane in self._plan.outputs for plane in planes)
            sources = tuple((made.get(source, -1), source.height, source.width) for source, _ in self._plan.sources[number])
            found.append((len(self._plan.layout.blocks[step.op]), value.height, value.width, kept, needed, sources))
            found += [self._shape(op) for op in (step.feeder, step.op) if op is not None]
        return tuple(found)

    def _shape(self, op: object) -> tuple[object, ...]:
        if isinstance(op, DenseOp):
            return ("dense", self._planes[op], op.kernel, op.stride, op.pad)
        if isinstance(op, DwOp):
            return ("dw", op.mode, op.in_height, op.in_width, op.stride, op.offset, op.tap_mask, op.up, op.reach, op.displacement is None)
        return (type(op).__name__, op.in_width if isinstance(op, ImageOp) else 0)

    def trace(self, segment: Segment) -> Trace | None:
        """Instructions of a segment; None: the window is too small."""
        key = self._signature(segment)
        if key not in self._known:
            self._known[key] = _Writer(self._plan, self._depth, self._costs, self._planes).write(segment)
        return self._known[key]


class _Writer:
    """Writes one trace."""

    def __init__(self, plan: Plan, depth: int, costs: dict[Work, int], planes: Mapping[DenseOp, int]) -> None:
        self._plan, self._depth, self._costs, self._planes = plan, depth, costs, planes
        self._trace = Trace()
        self._complete: dict[Value, int] = {}

    def write(self, segment: Segment) -> Trace | None:
        """The trace; None: the window is too small."""
        done: dict[Value, int] = {}
        ops = (op for step in self._plan.steps[segment.start : segment.stop] for op in (step.feeder, step.op))
        self._trace.layers = [op.name for op in ops if isinstance(op, DenseOp)]
        for stripe in range(segment.stripes):
            rows, _ = self._plan.stripe_rows(segment, stripe, done)
            for number in range(segment.start, segment.stop):
                if rows[number][1] <= rows[number][0]:
                    continue
                if not self._step(number, rows[number]):
                    return None
                value = self._plan.steps[number].op.output
                done[value] = max(done.get(value, 0), rows[number][1])
        return self._trace

    def _add(self, unit: Unit, cost: Work, after: tuple[int, ...], layer: str = "") -> int:
        """One instruction; its number."""
        slot = self._trace.layers.index(layer) if layer else -1
        self._trace.program.append((int(unit), self._costs.setdefault(cost, len(self._costs)), slot, after))
        return len(self._trace.program) - 1

    def _dense(self, op: DenseOp, rows: int, after: tuple[int, ...]) -> int:
        read = op.inputs[0][0]
        work = Work(
            Opcode.DENSE, rows, op.output.width, self._planes[op], op.kernel, op.stride, op.pad, read.width, read.height
        )  # fmt: skip
        return self._add(Unit.DENSE, work, after, op.name)

    def _step(self, number: int, rows: Rows) -> bool:
        op = self._plan.steps[number].op
        after = tuple({self._complete[value] for value, _ in self._plan.sources[number] if value in self._complete})
        if isinstance(op, DwOp):
            return self._dw(number, op, rows, after)
        count, width = rows[1] - rows[0], op.output.width
        last = -1
        for _ in range(1 if isinstance(op, ImageOp) else len(self._plan.layout.blocks[op])):
            if isinstance(op, ImageOp):
                last = self._add(Unit.LOAD, Work(Opcode.LDI, count, width, in_width=op.in_width), after)
            elif isinstance(op, DenseOp):
                last = self._dense(op, count, after)
            else:
                assert isinstance(op, AddOp)
                last = self._add(Unit.DW, Work(Opcode.ADD, count, width), after)
        self._complete[op.output] = last
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

    def _dw(self, number: int, op: DwOp, rows: Rows, after: tuple[int, ...]) -> bool:
        found = self._ring(op, rows)
        if found is None:
            return False
        ring, chunk = found
        overlapped = 2 * ring * -(-op.in_width // WINDOW_BANKS) <= self._depth
        blocks = len(self._plan.layout.blocks[op])
        whole = op.mode is DwMode.SUM
        piece = max(-(-(rows[1] - rows[0]) // 4), -(-_PIECE_PIXELS // op.output.width))
        finished = -1
        for block in range(blocks):
            step = min(chunk, piece) if block in (0, blocks - 1) and not whole else chunk
            # without room for two rings the next slice waits for this one
            begin = after if overlapped or finished < 0 else (*after, finished)
            filled, last = op.slice_rows(rows)[0], -1
            for start in range(rows[0], rows[1], step):
                part = (start, min(start + step, rows[1]))
                need = op.slice_rows(part)
                if need[1] > filled:
                    last = self._feed(number, op, (max(filled, need[0]), need[1]), begin)
                    filled = need[1]
                size = (op.in_height, op.in_width) if whole else (part[1] - part[0], op.output.width)
                finished = self._add(Unit.DW, Work(Opcode.DW, *size), (*after, last) if last >= 0 else after)
        self._complete[op.output] = finished
        return True

    def _feed(self, number: int, op: DwOp, rows: Rows, after: tuple[int, ...]) -> int:
        feeder = self._plan.steps[number].feeder
        if feeder is not None:
            return self._dense(feeder, rows[1] - rows[0], after)
        return self._add(Unit.FILL, Work(Opcode.FILL, rows[1] - rows[0], op.in_width, up=op.up), after)


class Walker:
    """Replays traces on one engine.

    Args:
        rates: the engine's.
        costs: what the traces' instructions cost; it may grow later.
    """

    def __init__(self, rates: Rates, costs: Mapping[Work, int]) -> None:
        self._rates, self._costs = rates, costs
        self._prices: list[tuple[Price, Price]] = []
        self._walked: dict[tuple[int, tuple[int, ...]], int] = {}

    def cycles(self, trace: Trace, bits: tuple[int, ...]) -> int:
        """Cycles of a segment whose dense layers' weights are stored in ``bits``, 4 or 8 each."""
        key = (id(trace), bits)
        if key not in self._walked:
            new = list(self._costs)[len(self._prices) :]
            self._prices += [(self._rates.price(work, 4), self._rates.price(work, 8)) for work in new]
            self._walked[key] = self._replay(trace, bits)
        return self._walked[key]

    def _replay(self, trace: Trace, bits: tuple[int, ...]) -> int:
        free = [0] * (max(Unit) + 1)
        ends: list[int] = []
        demand, newest = [0.0, 0.0], [-1, -1]
        for unit, cost, layer, after in trace.program:
            cycles, latency, wanted = self._prices[cost][layer >= 0 and bits[layer] > 4]
            start = free[unit]
            for n in after:
                if ends[n] > start:
                    start = ends[n]
            stop = start + cycles
            if unit in _READERS:
                mine, other = (0, 1) if unit == Unit.DENSE else (1, 0)
                until = free[_READERS[other]]
                if until > start and demand[other]:
                    own, others = _slowed(wanted, demand[other], dense_first=mine == 0)
                    stop += round((min(until, stop) - start) * own)
                    late = round((min(until, stop) - start) * others)
                    free[_READERS[other]] += late
                    ends[newest[other]] += late
                demand[mine], newest[mine] = wanted, len(ends)
            free[unit] = stop + GAP
            ends.append(stop + latency)
        return max(ends, default=0)


_READERS = (int(Unit.DENSE), int(Unit.FILL))
"""Units whose reads of the feature memory meet."""


def _slowed(wanted: float, met: float, *, dense_first: bool) -> tuple[float, float]:
    """By which share two readers of the feature memory take longer while both run: the one asked about, the other.

    DENSE and FILL share one request a cycle; FILL has half of it at least, and DENSE what FILL leaves.
    """
    dense, fill = (wanted, met) if dense_first else (met, wanted)
    if not (dense and fill):
        return 0.0, 0.0
    granted = min(fill, max(0.5, 1.0 - dense))
    left = min(dense, max(0.5, 1.0 - granted))
    slow_dense, slow_fill = dense / left - 1.0, fill / granted - 1.0
    return (slow_dense, slow_fill) if dense_first else (slow_fill, slow_dense)


class Room:
    """What a segment needs of the feature memory, the tensors that live through it included."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._life: dict[Plane, tuple[int, int]] = {}
        self._always = [0] * len(plan.steps)
        self._near: list[set[Plane]] = [set() for _ in plan.steps]
        for plane, use in plan.use.items():
            touching = (*use.writers, *use.readers)
            if plane.displacement or not touching:
                continue
            self._life[plane] = (min(touching), max(touching))
            for number in touching:
                self._near[number].add(plane)
            if plane not in plan.spilled:
                for number in range(min(touching), max(touching) + 1):
                    self._always[number] += _whole(plane)

    def words(self, segment: Segment) -> int:
        """Words of feature memory at the peak of the segment."""
        near = set().union(*self._near[segment.start : segment.stop])
        held = [(plane, self._plan.resident(plane, segment)) for plane in near]
        done: dict[Value, int] = {}
        peak = 0
        for stripe in range(segment.stripes):
            rows, wanted = self._plan.stripe_rows(segment, stripe, done)
            sizes = self._sizes(segment, rows, wanted)
            for number in range(segment.start, segment.stop):
                peak = max(peak, self._always[number] + sum(self._change(segment, number, *item, sizes) for item in held))
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

    def _change(self, segment: Segment, number: int, plane: Plane, resident: bool, sizes: dict[Plane, int]) -> int:
        """What a plane near the segment takes at a step beyond its whole life, which is counted already."""
        first, last = self._life[plane]
        counted = _whole(plane) if plane not in self._plan.spilled and first <= number <= last else 0
        if resident:
            if segment.stripes > 1:  # stripes come back to what the segment reads and writes
                first = segment.start if segment.start <= first < segment.stop else first
                last = segment.stop - 1 if segment.start <= last < segment.stop else last
            return (_whole(plane) if first <= number <= last else 0) - counted
        inside = max(first, segment.start) <= number <= min(last, segment.stop - 1)
        return (sizes.get(plane, 0) if inside else 0) - counted


def _whole(plane: Plane) -> int:
    return plane.height * plane.width + 1
