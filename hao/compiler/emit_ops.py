"""Drafts of one step over some output rows: blocks of channels, window slices, chunks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from hao.compiler.content import BlockContent, dense_content, dw_content
from hao.compiler.drafts import Buffer, Draft, Space, Trace
from hao.compiler.layout import Block
from hao.compiler.ops import AddOp, DenseOp, DwOp, ImageOp, Rows, Value
from hao.compiler.plan import Step
from hao.compiler.timing import cut_at
from hao.engine.config import EngineConfig
from hao.engine.isa import LANES, SHIFTS, WINDOW_BANKS, BaseSelect, Destination, DwMode, Opcode
from hao.errors import CompileError

if TYPE_CHECKING:
    from hao.compiler.emit import Emitter

_MAX_RING = 255
_PIECE_PIXELS = 64
_Target: TypeAlias = tuple[dict[str, int], dict[str, Buffer]]


def best_cut(op: DenseOp, planes: int, rows: Rows, config: EngineConfig) -> tuple[Rows, ...]:
    """Output rows of a DENSE block in one part or two, whichever keeps the core for fewer cycles."""

    first, last = rows
    cut = first + cut_at(last - first, op.output.width, op.kernel**2 * planes, op.stride, op.bits, config)
    return (rows,) if cut == last else ((first, cut), (cut, last))


class OpEmitter:
    """Drafts one step for output rows."""

    def __init__(self, emitter: Emitter, step: Step, rows: Rows) -> None:
        self._emitter, self._step, self._rows = emitter, step, rows
        self._layout = emitter.plan.layout

    def run(self) -> None:
        """Draft every block."""
        op = self._step.op
        for number, block in enumerate(self._layout.blocks[op]):
            if isinstance(op, ImageOp):
                if number == 0:
                    self._image(op)
            elif isinstance(op, DenseOp):
                target = self._scatter(op.output, block)
                self._dense(op, number, block, self._rows, lambda _, target=target: target)  # type: ignore[misc]
            elif isinstance(op, AddOp):
                self._add(op, block)
            elif isinstance(op, DwOp):
                self._dw(op, number, block)
            self._emitter.wrote(block, number, self._rows[1])

    def _draft(self, opcode: Opcode, fields: dict[str, int], addresses: dict[str, Buffer]) -> Draft:
        return Draft(opcode, self._emitter.step, fields, addresses)

    def _trace(self, value: Value, block: Block, rows: Rows) -> Trace | None:
        if value.tensor is None:
            return None
        return Trace(value.tensor, tuple(block.channels.get(lane, -1) for lane in range(LANES)), value.width, rows)

    def _scatter(self, value: Value, block: Block) -> tuple[dict[str, int], dict[str, Buffer]]:
        """Fields that spread a block over its planes."""
        scatter = self._layout.scatter(value, block)
        buffers = [self._emitter.target(plane) for plane in scatter.planes]
        if scatter.planes[0].displacement:
            return {"dst": Destination.DISPLACEMENT}, {"dst_base0": buffers[0]}
        addresses = {f"dst_base{k}": buffers[min(k, len(buffers) - 1)] for k in range(4)}
        return {"lane_sel": scatter.select, "lane_mask": scatter.mask}, addresses

    def _image(self, op: ImageOp) -> None:
        planes = self._layout.planes_of_value(op.output)
        buffers = [self._emitter.target(plane) for plane in planes]
        fields = {
            "base_sel": BaseSelect.INPUT, "row_bytes": op.row_bytes, "in_w": op.in_width, "in_h": op.in_height,
            "y0": self._rows[0], "y1": self._rows[1], "out_w": op.output.width, "kernel": op.kernel, "stride": op.stride,
            "pad": op.pad, "channels": len(op.fill),
        }  # fmt: skip
        fields.update({f"fill{c}": value for c, value in enumerate(op.fill)})
        self._emitter.add(self._draft(Opcode.LDI, fields, {"dst_base0": buffers[0], "dst_base1": buffers[-1]}))

    def _dense(self, op: DenseOp, number: int, block: Block, rows: Rows, target: Callable[[Rows], _Target]) -> None:
        """Draft a block; rows are cut in two where that leaves fewer pixels over at the end of the core's chunks."""
        content: BlockContent = dense_content(self._layout, op, number, self._emitter.config)
        for part in best_cut(op, len(content.planes), rows, self._emitter.config):
            self._dense_part(op, block, content, part, target(part))

    def _dense_part(self, op: DenseOp, block: Block, content: BlockContent, rows: Rows, target: _Target) -> None:
        source = op.inputs[0][0]
        need = op.rows_read(source, rows)
        buffers = tuple(self._emitter.source(plane, need) for plane in content.planes)
        fields = {
            "in_w": source.width, "in_h": source.height, "out_w": op.output.width, "kernel": op.kernel, "stride": op.stride,
            "pad": op.pad, "x_signed": int(source.signed), "w8": int(op.bits == 8), "n_in": len(buffers), "y0": rows[0],
            "y1": rows[1], "lo": op.scaling.lo, "hi": op.scaling.hi, **target[0],
        }  # fmt: skip
        draft = self._draft(Opcode.DENSE, fields, target[1])
        draft.planes, draft.weights, draft.params = buffers, content.weights, content.params
        draft.trace = self._trace(op.output, block, rows)
        self._emitter.add(draft)

    def _add(self, op: AddOp, block: Block) -> None:
        a, b = (self._emitter.source(plane, self._rows) for plane in block.sources)
        assert a is not None and b is not None
        fields, addresses = self._scatter(op.output, block)
        signs = {"a_signed": int(op.a[0][0].signed), "b_signed": int(op.b[0][0].signed)}
        fields.update(
            m1=op.m1, m2=op.m2, shift=SHIFTS.index(op.shift), out_w=op.output.width, y0=self._rows[0], y1=self._rows[1],
            lo=op.lo, hi=op.hi, **signs,
        )  # fmt: skip
        draft = self._draft(Opcode.ADD, fields, {**addresses, "a_base": a, "b_base": b})
        draft.trace = self._trace(op.output, block, self._rows)
        self._emitter.add(draft)

    def _ring(self, op: DwOp) -> tuple[int, int]:
        """Rows of the slice's ring and output rows a chunk."""
        depth, pitch = self._emitter.config.win_depth, -(-op.in_width // WINDOW_BANKS)
        first, last = op.slice_rows(self._rows)
        most = min(depth // pitch, _MAX_RING)
        # half of the window, so that the next block's slice fills while this one is read
        half = min(depth // 2 // pitch, _MAX_RING)
        outputs = self._rows[1] - self._rows[0]
        if last - first <= half:
            return last - first, outputs
        span = max(high - low for low, high in (op.slice_rows((y, y + 1)) for y in range(*self._rows)))
        rows = half if half >= span + 2 * op.stride else most
        if op.mode is DwMode.SUM or rows < span:
            if last - first > most:
                raise CompileError(
                    f"{op.name}: {span} rows of {op.in_width} pixels take {span * pitch} window addresses",
                    f"win_depth is {depth}: raise it",
                )
            return last - first, outputs
        chunk = (rows - span) // op.stride + 1
        return rows, max(1, chunk // 2)

    def _piece(self, op: DwOp) -> int:
        """Output rows of a piece of an edge block: a quarter, but not below what the units need to run at full rate."""
        rows = self._rows[1] - self._rows[0]
        return max(-(-rows // 4), -(-_PIECE_PIXELS // op.output.width))

    def _window(self, op: DwOp, buffer: Buffer, ring: int, first: int) -> tuple[dict[str, int], dict[str, Buffer]]:
        pitch = -(-op.in_width // WINDOW_BANKS)
        fields = {"win_rows": ring, "win_pitch": pitch, "win_slot0": first % ring, "win_bank0": 3 * first % WINDOW_BANKS}
        return fields, {"win_base": buffer}

    def _roll(self, op: DwOp, number: int, block: Block) -> None:
        """A stripe of a rolling segment: the slice still holds the rows that the stripe before read too."""
        held = self._emitter.slices[op][number]
        if held.buffer is None:
            words = held.ring * -(-op.in_width // WINDOW_BANKS)
            held.buffer = Buffer(Space.WINDOW, words, op.name, self._emitter.step)
        last = op.slice_rows(self._rows)[1]
        if last > held.filled:
            self._feed(op, number, block, (held.filled, last), held.buffer, held.ring)
            held.filled = last
        self._reduce(op, number, block, self._rows, held.buffer, held.ring)

    def _dw(self, op: DwOp, number: int, block: Block) -> None:
        if op in self._emitter.slices:
            self._roll(op, number, block)
            return
        ring, chunk = self._ring(op)
        pitch = -(-op.in_width // WINDOW_BANKS)
        window = Buffer(Space.WINDOW, ring * pitch, op.name, self._emitter.step, local=True)
        filled = op.slice_rows(self._rows)[0]
        last = self._rows[1]
        edge = number in (0, len(self._layout.blocks[op]) - 1)
        if edge and op.mode is not DwMode.SUM:
            # a first block in pieces lets DW start early, a last one lets DENSE finish before it
            chunk = min(chunk, self._piece(op))
        for start in range(self._rows[0], last, chunk):
            rows = (start, min(start + chunk, last))
            need = op.slice_rows(rows)
            if need[1] > filled:
                self._feed(op, number, block, (max(filled, need[0]), need[1]), window, ring)
                filled = need[1]
            self._reduce(op, number, block, rows, window, ring)

    def _feed(self, op: DwOp, number: int, block: Block, rows: Rows, window: Buffer, ring: int) -> None:
        feeder = self._step.feeder
        if feeder is not None:

            def target(part: Rows) -> _Target:
                fields, addresses = self._window(op, window, ring, part[0])
                return {"dst": Destination.WINDOW, **fields}, addresses

            self._dense(feeder, number, self._layout.blocks[feeder][number], rows, target)
            return
        fields, addresses = self._window(op, window, ring, rows[0])
        plane = block.sources[0]
        source = self._emitter.source(plane, (rows[0] // 2, (rows[1] + 1) // 2) if op.up else rows)
        assert source is not None
        fields.update(out_w=op.in_width, up=int(op.up), y0=rows[0], y1=rows[1])
        self._emitter.add(self._draft(Opcode.FILL, fields, {**addresses, "src_base": source}))

    def _reduce(self, op: DwOp, number: int, block: Block, rows: Rows, window: Buffer, ring: int) -> None:
        total = op.mode is DwMode.SUM
        y0, y1 = (0, op.in_height) if total else rows
        fields, addresses = self._window(op, window, ring, y0 * op.stride + op.offset)
        scatter, targets = self._scatter(op.output, block)
        fields.update(scatter)
        fields.update(
            in_w=op.in_width, in_h=op.in_height, out_w=op.in_width if total else op.output.width, mode=op.mode,
            x_signed=int(op.inputs[0][0].signed), stride=op.stride, offset=op.offset, tap_mask=op.tap_mask, dilation=1,
            y0=y0, y1=y1, lo=op.scaling.lo, hi=op.scaling.hi,
        )  # fmt: skip
        draft = self._draft(Opcode.DW, fields, {**addresses, **targets})
        if op.displacement is not None:
            buffer = self._emitter.source(self._layout.place[op.displacement, 0][0], rows)
            assert buffer is not None
            draft.addresses["disp_base"] = buffer
            draft.fields["deform"] = 1
        draft.params = dw_content(self._layout, op, number)
        draft.trace = self._trace(op.output, block, rows)
        self._emitter.add(draft)

