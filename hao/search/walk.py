"""How long a segment takes and what it needs: its instructions walked through the five units, block by block, in stripes.

A segment begins when everything before it is complete and ends when its last result is: the time of a frame is the sum over its
segments. The rates of single instructions come from :mod:`hao.search.rates`; formulation ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from hao.compiler.layout import Plane
from hao.compiler.ops import AddOp, DenseOp, DwOp, ImageOp, Rows, Value
from hao.compiler.plan import Plan, Segment, Step
from hao.compiler.rolling import lags, rings, stripes_of
from hao.engine.isa import WINDOW_BANKS, DwMode, Opcode, Unit
from hao.search.rates import Work
from hao.search.replay import Trace

_MAX_RING = 255
_PIECE_PIXELS = 64


Traces: TypeAlias = dict[tuple[object, ...], Trace | None]


class Tracer:
    """Turns segments of a plan into instructions; segments that are the same subgraph share them.

    Args:
        plan: steps in the order of execution, every step its own segment.
        win_depth: addresses of a window bank.
        costs: every different cost so far, shared by the tracers of a search.
        known: traces by signature, shared by the tracers of one window.
        rolling: traces of rolling segments by signature, shared by all.
    """

    def __init__(
        self, plan: Plan, win_depth: int, costs: dict[Work, int], known: Traces | None = None, rolling: Traces | None = None
    ) -> None:  # fmt: skip
        self._plan, self._depth, self._costs = plan, win_depth, costs
        self._known: Traces = known if known is not None else {}
        self._rolling: Traces = rolling if rolling is not None else {}
        self._touched = [touched(plan, step) for step in plan.steps]

    def layers(self, segment: Segment) -> list[str]:
        """Dense layers of a segment, in the order of a trace's."""
        ops = (op for step in self._plan.steps[segment.start : segment.stop] for op in (step.feeder, step.op))
        return [op.name for op in ops if isinstance(op, DenseOp)]

    def _signature(self, segment: Segment, plan: Plan) -> tuple[object, ...]:
        """All that the instructions of a segment depend on."""
        made = {plan.steps[n].op.output: n - segment.start for n in range(segment.start, segment.stop)}
        numbers: dict[Plane, int] = {}
        found: list[object] = [segment.stripes, segment.rolling]
        for number in range(segment.start, segment.stop):
            step, touches = plan.steps[number], self._touched[number]
            value = step.op.output
            planes = plan.layout.planes_of_value(value)
            kept = all(plan.resident(plane, segment) for plane in planes)
            needed = any(not plan.internal(plane, segment) or plane in plan.outputs for plane in planes)
            sources = tuple((made.get(source, -1), source.height, source.width) for source, _ in plan.sources[number])
            read = tuple(tuple(numbers[p] for p in block if p in numbers) for block in (touches.whole, *touches.read))
            written = tuple(tuple(numbers.setdefault(p, len(numbers)) for p in block) for block in touches.written)
            stored = tuple(plane in plan.outputs for block in touches.written for plane in block)
            found.append((value.height, value.width, kept, needed, sources, read, written, stored))
            found += [self._shape(op, touches) for op in (step.feeder, step.op) if op is not None]
        return tuple(found)

    def _shape(self, op: object, touches: Touched) -> tuple[object, ...]:
        if isinstance(op, DenseOp):
            return ("dense", len(touches.whole), op.kernel, op.stride, op.pad)
        if isinstance(op, DwOp):
            return ("dw", op.mode, op.in_height, op.in_width, op.stride, op.offset, op.tap_mask, op.up, op.reach, op.displacement is None)
        return (type(op).__name__, *((op.in_width, op.kernel) if isinstance(op, ImageOp) else ()))

    def trace(self, segment: Segment, plan: Plan | None = None) -> Trace | None:
        """Instructions of a segment; None: the window is too small. ``plan`` is the one in which it rolls, where it does."""
        plan = plan or self._plan
        key = self._signature(segment, plan)
        if not segment.rolling:
            if key not in self._known:
                self._known[key] = Writer(plan, self._depth, self._costs, self._touched).write(segment)
            return self._known[key]
        roller = Roller(plan, self._depth, self._costs, self._touched)
        rows = roller.rows(segment)
        if rows is None:
            return None
        key = (*key, *rows)  # two windows that give the same rings give the same instructions
        if key not in self._rolling:
            self._rolling[key] = roller.write(segment)
        return self._rolling[key]


@dataclass(frozen=True, slots=True)
class Touched:
    """Planes of a step: ``whole`` are those that its dense part reads for every block; ``read`` and ``written`` go block by block."""

    whole: tuple[Plane, ...]
    read: tuple[tuple[Plane, ...], ...]
    written: tuple[tuple[Plane, ...], ...]


def touched(plan: Plan, step: Step) -> Touched:
    """The planes of a step."""
    op, layout = step.op, plan.layout
    dense = step.feeder if step.feeder is not None else op if isinstance(op, DenseOp) else None
    whole = tuple(layout.planes_of(dense.inputs)) if dense is not None else ()
    blocks = layout.blocks[op]
    extra = (layout.place[op.displacement, 0][0],) if isinstance(op, DwOp) and op.displacement is not None else ()
    read = tuple((*(() if dense is not None else block.sources), *extra) for block in blocks)
    if isinstance(op, ImageOp):
        return Touched(whole, read, (tuple(layout.planes_of_value(op.output)),))
    return Touched(whole, read, tuple(layout.scatter(op.output, block).planes for block in blocks))


class Writer:
    """Writes one trace. An instruction waits for the last ones that wrote the planes it reads."""

    def __init__(self, plan: Plan, depth: int, costs: dict[Work, int], touches: Sequence[Touched]) -> None:
        self._plan, self._depth, self._costs, self._touched = plan, depth, costs, touches
        self._trace = Trace()
        self._written: dict[Plane, int] = {}

    def _open(self, segment: Segment) -> None:
        ops = (op for step in self._plan.steps[segment.start : segment.stop] for op in (step.feeder, step.op))
        self._trace.layers = [op.name for op in ops if isinstance(op, DenseOp)]

    def write(self, segment: Segment) -> Trace | None:
        """The trace; None: the window is too small."""
        done: dict[Value, int] = {}
        self._open(segment)
        for stripe in range(segment.stripes):
            rows, _ = self._plan.stripe_rows(segment, stripe, done)
            for number in range(segment.start, segment.stop):
                if rows[number][1] <= rows[number][0]:
                    continue
                if not self._step(number, rows[number]):
                    return None
                self._store(number, rows[number])
                value = self._plan.steps[number].op.output
                done[value] = max(done.get(value, 0), rows[number][1])
        return self._trace

    def _wait(self, planes: Sequence[Plane]) -> tuple[int, ...]:
        """Instructions that must have completed before any of the planes is read."""
        return tuple({self._written[plane] for plane in planes if plane in self._written})

    def _note(self, number: int, block: int, instruction: int) -> None:
        """An instruction has written a block of a step."""
        for plane in self._touched[number].written[block]:
            self._written[plane] = instruction

    def _store(self, number: int, rows: Rows) -> None:
        """What leaves for DRAM of the rows that a step has written."""
        planes = dict.fromkeys(plane for block in self._touched[number].written for plane in block)
        for plane in planes:
            if plane in self._plan.outputs:
                self._add(Unit.STORE, Work(Opcode.STORE, rows[1] - rows[0], plane.width), (self._written[plane],))

    def _add(self, unit: Unit, cost: Work, after: tuple[int, ...], layer: str = "") -> int:
        """One instruction; its number."""
        slot = self._trace.layers.index(layer) if layer else -1
        self._trace.program.append((int(unit), self._costs.setdefault(cost, len(self._costs)), slot, after))
        return len(self._trace.program) - 1

    def _dense(self, op: DenseOp, planes: int, rows: int, after: tuple[int, ...], *, window: bool = False) -> int:
        read = op.inputs[0][0]
        size = (op.kernel, op.stride, op.pad, read.width, read.height)
        work = Work(Opcode.DENSE, rows, op.output.width, planes, *size, window=window)
        return self._add(Unit.DENSE, work, after, op.name)

    def _step(self, number: int, rows: Rows) -> bool:
        op, touches = self._plan.steps[number].op, self._touched[number]
        if isinstance(op, DwOp):
            return self._dw(number, op, rows)
        count, width = rows[1] - rows[0], op.output.width
        before = dict(self._written)
        for block, read in enumerate(touches.read if not isinstance(op, ImageOp) else touches.read[:1]):
            after = tuple({before[plane] for plane in (*touches.whole, *read) if plane in before})
            if isinstance(op, ImageOp):
                made = self._add(Unit.LOAD, Work(Opcode.LDI, count, width, kernel=op.kernel, in_width=op.in_width), after)
            elif isinstance(op, DenseOp):
                made = self._dense(op, len(touches.whole), count, after)
            else:
                assert isinstance(op, AddOp)
                made = self._add(Unit.DW, Work(Opcode.ADD, count, width), after)
            self._note(number, block, made)
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

    def _dw(self, number: int, op: DwOp, rows: Rows) -> bool:
        found = self._ring(op, rows)
        if found is None:
            return False
        ring, chunk = found
        overlapped = 2 * ring * -(-op.in_width // WINDOW_BANKS) <= self._depth
        touches = self._touched[number]
        whole = op.mode is DwMode.SUM
        piece = max(-(-(rows[1] - rows[0]) // 4), -(-_PIECE_PIXELS // op.output.width))
        dense = self._wait(touches.whole)
        finished = -1
        for block, read in enumerate(touches.read):
            step = min(chunk, piece) if block in (0, len(touches.read) - 1) and not whole else chunk
            after = (*dense, *self._wait(read))
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
            self._note(number, block, finished)
        return True

    def _feed(self, number: int, op: DwOp, rows: Rows, after: tuple[int, ...]) -> int:
        feeder = self._plan.steps[number].feeder
        if feeder is not None:
            return self._dense(feeder, len(self._touched[number].whole), rows[1] - rows[0], after, window=True)
        return self._add(Unit.FILL, Work(Opcode.FILL, rows[1] - rows[0], op.in_width, up=op.up), after)


class Roller(Writer):
    """Writes the trace of a rolling segment: every step with its lag, window slices that live through all stripes.

    A feed waits for the DW that last read the rows of the ring that it overwrites; a step waits for its own stripe of what it reads.
    """

    def rows(self, segment: Segment) -> tuple[int, ...] | None:
        """Rows of the rings, by step; None: the window is too small."""
        self._stripes = list(stripes_of(self._plan, segment, {}))
        self._ring_rows = rings(self._plan, segment, self._stripes, self._depth)
        used = 0
        for number, rows in self._ring_rows.items():
            op = self._dw_op(number)
            used += rows * -(-op.in_width // WINDOW_BANKS) * len(self._plan.layout.blocks[op])
        return None if used > self._depth else tuple(self._ring_rows.values())

    def write(self, segment: Segment) -> Trace | None:
        """The trace, behind :meth:`rows`."""
        stripes = self._stripes
        self._open(segment)
        behind = lags(self._plan, segment)
        self._spans = {n: [self._read(n, s.rows[n]) for s in stripes] for n in self._ring_rows}
        self._reduced: dict[tuple[int, int], list[int]] = {}
        self._by_stripe: list[dict[Plane, int]] = [{} for _ in stripes]
        for tick in range(len(stripes) + max(behind.values())):
            for number in range(segment.start, segment.stop):
                at = tick - behind[number]
                if 0 <= at < len(stripes):
                    self._turn(number, at, stripes[at].rows[number])
        return self._trace

    def _turn(self, number: int, at: int, rows: Rows) -> None:
        """A step's stripe: it sees what was written for this stripe and those before."""
        self._at, self._written = at, self._by_stripe[at]
        if at:
            for block in (*self._touched[number].read, self._touched[number].whole):
                for plane in block:
                    back = next((t for t in range(at, -1, -1) if plane in self._by_stripe[t]), at)
                    if back < at:
                        self._written[plane] = self._by_stripe[back][plane]
        if rows[1] > rows[0]:
            self._step(number, rows)
            self._store(number, rows)

    def _read(self, number: int, rows: Rows) -> Rows:
        return self._dw_op(number).slice_rows(rows) if rows[1] > rows[0] else (0, 0)

    def _dw_op(self, number: int) -> DwOp:
        op = self._plan.steps[number].op
        assert isinstance(op, DwOp)
        return op

    def _dw(self, number: int, op: DwOp, rows: Rows) -> bool:
        spans, touches = self._spans[number], self._touched[number]
        held = max((last for _, last in spans[: self._at]), default=0)
        last = spans[self._at][1]
        dense = self._wait(touches.whole)
        for block, read in enumerate(touches.read):
            done = self._reduced.setdefault((number, block), [-1] * len(spans))
            after = (*dense, *self._wait(read))
            begin = after
            if last > held:
                overwritten = [done[t] for t in range(self._at) if done[t] >= 0 and spans[t][0] <= last - 1 - self._ring_rows[number]]
                begin = (*after, self._feed(number, op, (held, last), (*after, *overwritten[-1:])))
            done[self._at] = self._add(Unit.DW, Work(Opcode.DW, rows[1] - rows[0], op.output.width), begin)
            self._note(number, block, done[self._at])
        return True
