"""Steps, segments and stripes: which rows of every operation are computed when.

A *segment* is a run of steps that are executed stripe by stripe, so that what passes between them never exists whole.
Rows that neighbouring stripes share are computed again, except where the result stays in memory anyway.

A *rolling* segment computes no row twice: the window slices of its lane-wise steps live through all its stripes and keep the
rows that the next stripe reads too. What passes to a step that reads farther back is held whole (``Plan.kept``). Steps run
with a lag of stripes, so that neither core waits for the other's work on the same stripe.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hao.compiler.layout import Layout, Plane
from hao.compiler.ops import DenseOp, DwOp, Op, Ref, Rows, Value


@dataclass(frozen=True, slots=True)
class Segment:
    """Steps ``start`` to ``stop`` (exclusive) in ``stripes`` stripes."""

    start: int
    stop: int
    stripes: int = 1
    rolling: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One operation, with the DENSE that fills its window where that goes past the feature memory."""

    op: Op
    feeder: DenseOp | None = None

    def reads(self) -> tuple[Ref, ...]:
        """Channels read from memory."""
        if self.feeder is None:
            return self.op.reads()
        extra = self.op.reads()[len(self.feeder.weight) :]
        return (*self.feeder.reads(), *extra)

    def rows_read(self, value: Value, rows: Rows) -> Rows:
        """Rows of ``value`` that output ``rows`` depend on."""
        if self.feeder is None or (isinstance(self.op, DwOp) and value is self.op.displacement):
            return self.op.rows_read(value, rows)
        assert isinstance(self.op, DwOp)
        return self.feeder.rows_read(value, self.op.slice_rows(rows))

    def rows_added(self, value: Value, rows: Rows) -> Rows:
        """Rows of ``value`` that output ``rows`` need when the window still holds what the rows before them read."""
        op = self.op
        if not isinstance(op, DwOp) or value is op.displacement:
            return self.rows_read(value, rows)
        held = op.slice_rows((0, rows[0]))[1] if rows[0] else 0
        fed = (held, max(held, op.slice_rows(rows)[1]))
        if fed[1] == fed[0]:
            return (0, 0)
        if self.feeder is not None:
            return self.feeder.rows_read(value, fed)
        return (fed[0] // 2, (fed[1] + 1) // 2) if op.up else fed

    @property
    def dense(self) -> bool:
        """Whether the dense core reads its inputs."""
        return self.feeder is not None or isinstance(self.op, DenseOp)

    @property
    def dense_result(self) -> bool:
        """Whether the dense core computes its result."""
        return isinstance(self.op, DenseOp)


@dataclass(slots=True, eq=False)
class PlaneUse:
    """Who writes and reads a plane: step numbers; ``blocks`` counts the blocks that write it."""

    writers: set[int] = field(default_factory=set)
    readers: set[int] = field(default_factory=set)
    blocks: int = 0


@dataclass(slots=True, eq=False)
class Plan:
    """A placed network cut into segments.

    Attributes:
        steps: in execution order.
        segments: cover the steps without gaps.
        spilled: planes that live in DRAM between their segment and their readers'.
        kept: planes inside a rolling segment that are held whole.
        outputs: planes stored to OUTPUT.
        sources: values that each step reads, with the planes it reads them in.
    """

    layout: Layout
    steps: list[Step]
    segments: list[Segment]
    use: dict[Plane, PlaneUse]
    outputs: dict[Plane, None]
    sources: list[list[tuple[Value, list[Plane]]]]
    spilled: set[Plane] = field(default_factory=set)
    kept: set[Plane] = field(default_factory=set)

    def internal(self, plane: Plane, segment: Segment) -> bool:
        """Whether writers and readers of a plane are all in ``segment``."""
        use = self.use[plane]
        return all(segment.start <= k < segment.stop for k in (*use.writers, *use.readers))

    def spillable(self, plane: Plane, segments: list[Segment]) -> bool:
        """Whether a plane may live in DRAM: whole words are stored, so one segment must write all of it."""
        writers = self.use[plane].writers
        return not plane.displacement and any(all(s.start <= k < s.stop for k in writers) for s in segments)

    def resident(self, plane: Plane, segment: Segment) -> bool:
        """Whether the plane is held whole on chip."""
        return plane in self.kept or (not self.internal(plane, segment) and plane not in self.spilled)

    def stripe_rows(self, segment: Segment, stripe: int, done: dict[Value, int]) -> tuple[dict[int, Rows], dict[Plane, Rows]]:
        """What one stripe computes.

        Args:
            segment: the segment.
            stripe: its number.
            done: rows of every value computed by earlier stripes and kept on chip.

        Returns:
            output rows of every step, and rows needed of every plane that is read.
        """
        wanted: dict[Plane, Rows] = {}
        rows: dict[int, Rows] = {}
        for number in reversed(range(segment.start, segment.stop)):
            step = self.steps[number]
            value = step.op.output
            planes = self.layout.planes_of_value(value)
            span = (value.height, 0)
            for plane in planes:
                span = hull(span, wanted.get(plane, (value.height, 0)))
            if any(not self.internal(plane, segment) or plane in self.outputs for plane in planes):
                part = (value.height * stripe // segment.stripes, value.height * (stripe + 1) // segment.stripes)
                span = hull(span, part)
            if segment.rolling or all(self.resident(plane, segment) for plane in planes):
                kept = done.get(value, 0)
                span = (kept, max(span[1], kept))
            rows[number] = span
            if span[1] <= span[0]:
                continue
            for source, planes in self.sources[number]:
                need = step.rows_added(source, span) if segment.rolling else step.rows_read(source, span)
                for plane in planes:
                    wanted[plane] = hull(wanted.get(plane, (plane.height, 0)), need)
        return rows, wanted


def hull(a: Rows, b: Rows) -> Rows:
    """Smallest range that holds both; a range that ends before it starts is empty."""
    if a[1] <= a[0]:
        return b
    if b[1] <= b[0]:
        return a
    return min(a[0], b[0]), max(a[1], b[1])


def make_plan(layout: Layout, outputs: tuple[tuple[str, tuple[Ref, ...]], ...]) -> Plan:
    """Every step its own segment, one stripe each."""
    windowed = set(layout.direct.values())
    steps = [
        Step(op, layout.direct.get(op) if isinstance(op, DwOp) else None)
        for op in layout.ops
        if not (isinstance(op, DenseOp) and op in windowed)
    ]
    use = {plane: PlaneUse() for plane in layout.planes}
    sources: list[list[tuple[Value, list[Plane]]]] = []
    for number, step in enumerate(steps):
        for block in layout.blocks[step.op]:
            for plane in layout.planes_of((step.op.output, c) for c in block.channels.values()):
                use[plane].writers.add(number)
                use[plane].blocks += 1
        read: dict[Value, dict[Plane, None]] = {}
        for ref in step.reads():
            read.setdefault(ref[0], {})[layout.place[ref][0]] = None
        sources.append([(value, list(planes)) for value, planes in read.items()])
        for plane in layout.planes_of(step.reads()):
            use[plane].readers.add(number)
    stored = dict.fromkeys(layout.planes_of(ref for _, refs in outputs for ref in refs))
    segments = [Segment(number, number + 1) for number in range(len(steps))]
    return Plan(layout, steps, segments, use, stored, sources)
