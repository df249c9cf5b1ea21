"""Drafts of a whole plan: segments, stripes, buffers, stores and reloads."""

from __future__ import annotations

from dataclasses import dataclass, field

from hao.compiler.drafts import Buffer, Draft, Space
from hao.compiler.emit_ops import OpEmitter
from hao.compiler.layout import Block, Plane
from hao.compiler.ops import Op, Rows, Value
from hao.compiler.plan import Plan, Segment
from hao.compiler.rolling import lags, rings, stripes_of
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


@dataclass(slots=True, eq=False)
class Slice:
    """The window slice of one block of a rolling step: rows of its ring, rows filled so far, and its place once it has one."""

    ring: int
    filled: int = 0
    buffer: Buffer | None = None


class Emitter:
    """Turns a plan into drafts.

    Attributes:
        slices: window slices that live through the stripes of the rolling segment under way, by step and block.
    """

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
        self.slices: dict[Op, list[Slice]] = {}
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
            self.slices = {}
            if segment.rolling:
                self._roll(segment, done)
                continue
            for stripe in stripes_of(self.plan, segment, done):
                self._local = {}
                self._range = self._local_ranges(segment, stripe.rows, stripe.wanted)
                for number in range(segment.start, segment.stop):
                    self._run_step(number, stripe.rows[number])
        if stop is not None:
            for plane, buffer in self._resident.items():
                if any(reader >= stop for reader in self.plan.use[plane].readers):
                    buffer.last = _FOREVER
        return self.result

    def _run_step(self, number: int, rows: Rows) -> None:
        if rows[1] > rows[0]:
            self.step = number
            OpEmitter(self, self.plan.steps[number], rows).run()

    def _roll(self, segment: Segment, done: dict[Value, int]) -> None:
        """All stripes of a rolling segment, every step with its lag."""
        stripes = list(stripes_of(self.plan, segment, done))
        ranges = [self._local_ranges(segment, stripe.rows, stripe.wanted) for stripe in stripes]
        local: list[dict[Plane, Buffer]] = [{} for _ in stripes]
        behind = lags(self.plan, segment)
        for number, ring in rings(self.plan, segment, stripes, self.config.win_depth).items():
            self.slices[self.plan.steps[number].op] = [Slice(ring) for _ in self.plan.layout.blocks[self.plan.steps[number].op]]
        ahead = int(any(plane in self.plan.spilled for stripe in stripes for plane in stripe.wanted))
        for tick in range(len(stripes) + max(behind.values()) + ahead):
            if ahead and tick < len(stripes):
                self._local, self._range = local[tick], ranges[tick]
                self._reload(segment, stripes[tick].wanted)
            for number in range(segment.start, segment.stop):
                at = tick - behind[number] - ahead
                if 0 <= at < len(stripes):
                    self._local, self._range = local[at], ranges[at]
                    self._run_step(number, stripes[at].rows[number])

    def _reload(self, segment: Segment, wanted: dict[Plane, Rows]) -> None:
        """Bring what a stripe reads from DRAM, a stripe ahead."""
        self.step = segment.start
        for plane, need in wanted.items():
            if plane in self.plan.spilled and not self.plan.internal(plane, segment):
                self.source(plane, need)

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
