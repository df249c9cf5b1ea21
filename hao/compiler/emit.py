"""Drafts of a whole plan: segments, stripes, buffers, stores and reloads."""

from __future__ import annotations

from dataclasses import dataclass, field

from hao.compiler.drafts import Buffer, Draft, Space
from hao.compiler.emit_ops import OpEmitter
from hao.compiler.layout import Block, Plane
from hao.compiler.ops import Rows, Value
from hao.compiler.plan import Plan, Segment
from hao.engine.config import EngineConfig
from hao.engine.isa import WORD_BYTES, BaseSelect, LoadTarget, Opcode

_FOREVER = 1 << 60


@dataclass(slots=True, eq=False)
class Emitted:
    """The drafts with the DRAM places they use.

    Attributes:
        drafts: in program order.
        output_offset: byte offset behind OUTPUT of every stored plane.
        output_bytes, scratch_bytes: sizes of the regions.
    """

    drafts: list[Draft] = field(default_factory=list)
    output_offset: dict[Plane, int] = field(default_factory=dict)
    output_bytes: int = 0
    scratch_bytes: int = 0


class Emitter:
    """Turns a plan into drafts."""

    def __init__(self, plan: Plan, config: EngineConfig) -> None:
        self.plan, self.config = plan, config
        self.result = Emitted()
        self.step = 0
        self._resident: dict[Plane, Buffer] = {}
        self._local: dict[Plane, Buffer] = {}
        self._range: dict[Plane, Rows] = {}
        self._written: dict[Plane, dict[tuple[int, int], int]] = {}
        self._stored: dict[Plane, int] = {}
        self._scratch: dict[Plane, int] = {}
        self._segment = Segment(0, 0)
        self._place_outputs()

    def _place_outputs(self) -> None:
        for plane in self.plan.outputs:
            self.result.output_offset[plane] = self.result.output_bytes
            self.result.output_bytes += plane.height * plane.width * WORD_BYTES
        for plane in self.plan.layout.planes:
            if plane in self.plan.spilled:
                self._scratch[plane] = self.result.scratch_bytes
                self.result.scratch_bytes += plane.height * plane.width * WORD_BYTES

    def run(self, stop: int | None = None) -> Emitted:
        """Draft everything, or the segments before step ``stop``.

        Raises:
            CompileError: a layer does not fit a buffer whatever the stripes.
        """
        done: dict[Value, int] = {}
        for segment in self.plan.segments:
            if stop is not None and segment.start >= stop:
                break
            self._segment = segment
            for stripe in range(segment.stripes):
                rows, wanted = self.plan.stripe_rows(segment, stripe, done)
                self._local = {}
                self._range = self._local_ranges(segment, rows, wanted)
                for number in range(segment.start, segment.stop):
                    first, last = rows[number]
                    if last <= first:
                        continue
                    self.step = number
                    step = self.plan.steps[number]
                    OpEmitter(self, step, (first, last)).run()
                    done[step.op.output] = max(done.get(step.op.output, 0), last)
        if stop is not None:
            for plane, buffer in self._resident.items():
                if any(reader >= stop for reader in self.plan.use[plane].readers):
                    buffer.last = _FOREVER
        return self.result

    def _local_ranges(self, segment: Segment, rows: dict[int, Rows], wanted: dict[Plane, Rows]) -> dict[Plane, Rows]:
        """Rows of every buffer of the stripe: what is computed in it, or reloaded for it."""
        ranges: dict[Plane, Rows] = {}
        for number in range(segment.start, segment.stop):
            value = self.plan.steps[number].op.output
            for plane in self.plan.layout.planes_of_value(value):
                low, high = ranges.get(plane, (plane.height, 0))
                ranges[plane] = (min(low, rows[number][0]), max(high, rows[number][1]))
        for plane, need in wanted.items():
            ranges.setdefault(plane, need)
        return ranges

    def add(self, draft: Draft) -> None:
        """Append a draft and stretch the lives of its buffers."""
        at = len(self.result.drafts)
        self.result.drafts.append(draft)
        planes = (buffer for buffer in draft.planes if buffer is not None)
        for buffer in (*draft.addresses.values(), *(b for b, _ in draft.rows.values()), *planes):
            if buffer not in draft.touches:
                draft.touches.append(buffer)
        for buffer in draft.touches:
            buffer.first = at if buffer.first < 0 else buffer.first
            buffer.last = at

    def buffer(self, plane: Plane, owner: str, space: Space, rows: Rows, local: bool) -> Buffer:
        """A fresh buffer for rows of a plane."""
        # one word of slack lets the allocator make the virtual address even
        words = (rows[1] - rows[0]) * plane.width + (1 if space is Space.FEATURE else 0)
        return Buffer(space, words, owner, self.step, rows[0], plane.width, local)

    def target(self, plane: Plane) -> Buffer:
        """The buffer that results of a plane go to."""
        owner = self.plan.steps[self.step].op.name
        space = Space.DISPLACEMENT if plane.displacement else Space.FEATURE
        if self.plan.resident(plane, self._segment):
            if plane not in self._resident:
                self._resident[plane] = self.buffer(plane, owner, space, (0, plane.height), False)
            return self._resident[plane]
        if plane not in self._local:
            self._local[plane] = self.buffer(plane, owner, space, self._range[plane], True)
        return self._local[plane]

    def source(self, plane: Plane, rows: Rows) -> Buffer | None:
        """The buffer that holds ``rows`` of a plane, reloaded from DRAM where it lives there; None when no row is read."""
        if rows[1] <= rows[0]:
            return None
        if plane in self._resident:
            return self._resident[plane]
        if plane not in self._local:
            need = self._range[plane]
            buffer = self.buffer(plane, self.plan.steps[self.step].op.name, Space.FEATURE, need, True)
            offset = self._scratch[plane] + need[0] * plane.width * WORD_BYTES
            fields = {
                "target": LoadTarget.FEATURE, "base_sel": BaseSelect.SCRATCH, "dram_offset": offset,
                "length": (need[1] - need[0]) * plane.width,
            }  # fmt: skip
            self.add(Draft(Opcode.LOAD, self.step, fields, rows={"dst_addr": (buffer, need[0])}))
            self._local[plane] = buffer
        return self._local[plane]

    def wrote(self, block: Block, number: int, last: int) -> None:
        """Note that a block has computed its rows up to ``last``; planes that are complete so far go to DRAM."""
        value = self.plan.steps[self.step].op.output
        for plane in self.plan.layout.scatter(value, block).planes:
            progress = self._written.setdefault(plane, {})
            progress[self.step, number] = max(progress.get((self.step, number), 0), last)
            if len(progress) < self.plan.use[plane].blocks:
                continue
            complete = min(progress.values())
            for base, offsets in ((BaseSelect.OUTPUT, self.result.output_offset), (BaseSelect.SCRATCH, self._scratch)):
                if plane in offsets and (base is BaseSelect.OUTPUT or not self.plan.internal(plane, self._segment)):
                    self._store(plane, base, offsets[plane], complete)
            self._stored[plane] = complete

    def _store(self, plane: Plane, base: BaseSelect, offset: int, complete: int) -> None:
        first = self._stored.get(plane, 0)
        if complete <= first:
            return
        fields = {
            "base_sel": base, "dram_offset": offset + first * plane.width * WORD_BYTES, "length": (complete - first) * plane.width,
        }  # fmt: skip
        self.add(Draft(Opcode.STORE, self.step, fields, rows={"src_addr": (self.target(plane), first)}))


def emit(plan: Plan, config: EngineConfig, stop: int | None = None) -> Emitted:
    """Draft the instructions of a plan, or of the segments before step ``stop`` (to see whether they fit).

    Raises:
        CompileError: a layer does not fit a buffer whatever the stripes.
    """
    return Emitter(plan, config).run(stop)
