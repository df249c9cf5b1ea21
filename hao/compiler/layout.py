"""Where every channel lives: planes, lanes, and the blocks of 16 that the units compute.

Slices, concatenations and shuffles cost nothing: a channel gets one place for life. Channels that DENSE computes are
grouped by who reads them, packed into planes of 16 and given lanes by edge colouring, so that each reader reads as few
planes as possible and each block of outputs is written at once. Lane-wise units (DW, ADD) keep the lanes of what they read.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from hao.compiler.coloring import Edge, color_edges
from hao.compiler.ops import AddOp, DenseOp, DwOp, ImageOp, Lowered, Op, Ref, Value, identity_scaling
from hao.engine.isa import LANES

EVERY_MAP = 1 << 32
"""More pixels than any map has."""

SCATTER = 4
"""Planes that one block may be written to."""


@dataclass(slots=True, eq=False)
class Plane:
    """Up to 16 channels of one map: ``lanes`` gives the channel of each lane used. A displacement has a plane of its own memory."""

    index: int
    height: int
    width: int
    displacement: bool = False
    lanes: dict[int, Ref] = field(default_factory=dict)

    @property
    def values(self) -> tuple[Value, ...]:
        """Values with a channel in the plane."""
        return tuple(dict.fromkeys(value for value, _ in self.lanes.values()))


@dataclass(slots=True, eq=False)
class Block:
    """Up to 16 output channels that one instruction computes.

    ``channels`` gives the channel of each lane used. ``sources`` are the planes that a lane-wise block reads: one, or two
    for ADD.
    """

    channels: dict[int, int]
    sources: tuple[Plane, ...] = ()


@dataclass(frozen=True, slots=True)
class Scatter:
    """Planes that a block is written to, two bits a lane that choose among them, and the lanes written."""

    planes: tuple[Plane, ...]
    select: int
    mask: int


@dataclass(slots=True, eq=False)
class Layout:
    """The placement of a network.

    Attributes:
        ops: the operations, with the copies that lane-wise units made necessary.
        place: plane and lane of every channel that is stored.
        blocks: blocks of every operation, in order.
        direct: DENSE operations whose blocks go straight into the window of the DW operation given.
        planes: every plane.
        content: weights and parameters by operation and block, kept by :mod:`hao.compiler.content`.
        scattered: how each block of a value is spread over planes, kept by :meth:`scatter`.
    """

    ops: list[Op]
    place: dict[Ref, tuple[Plane, int]] = field(default_factory=dict)
    blocks: dict[Op, list[Block]] = field(default_factory=dict)
    direct: dict[DwOp, DenseOp] = field(default_factory=dict)
    planes: list[Plane] = field(default_factory=list)
    content: dict[tuple[Op, int], object] = field(default_factory=dict)
    scattered: dict[Block, Scatter] = field(default_factory=dict)
    whole: dict[Value, list[Plane]] = field(default_factory=dict)

    def new_plane(self, value: Value) -> Plane:
        """An empty plane of the size of ``value``."""
        plane = Plane(len(self.planes), value.height, value.width, value.displacement)
        self.planes.append(plane)
        return plane

    def put(self, ref: Ref, plane: Plane, lane: int) -> None:
        """Give a channel its place."""
        plane.lanes[lane] = ref
        self.place[ref] = (plane, lane)

    def planes_of_value(self, value: Value) -> list[Plane]:
        """Planes with a channel of ``value``; none where it goes straight into the window."""
        if value not in self.whole:
            self.whole[value] = self.planes_of((value, c) for c in range(value.channels) if (value, c) in self.place)
        return self.whole[value]

    def scatter(self, value: Value, block: Block) -> Scatter:
        """How a block of ``value`` is spread over its planes."""
        found = self.scattered.get(block)
        if found is None:
            planes = self.planes_of((value, channel) for channel in block.channels.values())
            select = sum(planes.index(self.place[value, channel][0]) << 2 * lane for lane, channel in block.channels.items())
            found = Scatter(tuple(planes), select, sum(1 << lane for lane in block.channels))
            self.scattered[block] = found
        return found

    def planes_of(self, refs: Iterable[Ref]) -> list[Plane]:
        """Planes that hold ``refs``, in order of first use."""
        return list(dict.fromkeys(self.place[ref][0] for ref in refs))


def natural_blocks(channels: int) -> list[Block]:
    """Channels 16 by 16, in order."""
    return [Block({c - at: c for c in range(at, min(at + LANES, channels))}) for at in range(0, channels, LANES)]


class _Readers:
    """Who reads each channel: the reason to keep channels together."""

    def __init__(self, lowered: Lowered, mixed: int) -> None:
        self.by_ref: dict[Ref, list[object]] = {}
        for op in lowered.ops:
            for ref in dict.fromkeys(op.reads()):
                self.by_ref.setdefault(ref, []).append(op)
        for name, refs in lowered.outputs:
            for ref in dict.fromkeys(refs):
                self.by_ref.setdefault(ref, []).append(name)
        self._mixed = mixed

    def signature(self, ref: Ref) -> tuple[object, ...]:
        value = ref[0]
        readers = self.by_ref.get(ref, [])
        alone = value.height * value.width > self._mixed or any(isinstance(r, AddOp) for r in readers)
        return (value.height, value.width, *(id(r) for r in readers), id(value) if alone else None)


def _find_direct(lowered: Lowered, readers: _Readers) -> dict[DwOp, DenseOp]:
    """DENSE operations that only one DW reads, channel for channel: their results need no feature memory."""
    producers = {op.output: op for op in lowered.ops if isinstance(op, DenseOp)}
    direct: dict[DwOp, DenseOp] = {}
    for op in lowered.ops:
        if not isinstance(op, DwOp) or op.up or not op.inputs:
            continue
        value = op.inputs[0][0]
        whole = op.inputs == tuple((value, c) for c in range(value.channels))
        alone = all(readers.by_ref.get((value, c)) == [op] for c in range(value.channels))
        if value in producers and whole and alone and op.displacement is not value:
            direct[op] = producers[value]
    return direct


def _fill_planes(layout: Layout, refs: list[Ref]) -> dict[Ref, Plane]:
    """Pack the channels of one class into the fewest planes, channels of one value together."""
    runs: dict[Value, list[Ref]] = {}
    for ref in refs:
        runs.setdefault(ref[0], []).append(ref)
    count = -(-len(refs) // LANES)
    planes = [layout.new_plane(refs[0][0]) for _ in range(count)]
    room = dict.fromkeys(planes, LANES)
    found: dict[Ref, Plane] = {}

    def take(part: list[Ref], plane: Plane) -> None:
        room[plane] -= len(part)
        found.update(dict.fromkeys(part, plane))

    rests: list[list[Ref]] = []
    empty = iter(planes)
    for run in runs.values():
        whole = len(run) // LANES * LANES
        for at in range(0, whole, LANES):
            take(run[at : at + LANES], next(empty))
        if len(run) > whole:
            rests.append(run[whole:])
    for rest in sorted(rests, key=len, reverse=True):
        fitting = [plane for plane in planes if room[plane] >= len(rest)]
        if fitting:
            take(rest, min(fitting, key=lambda plane: (room[plane], plane.index)))
            continue
        left = rest
        while left:
            plane = max(planes, key=lambda plane: (room[plane], -plane.index))
            part, left = left[: room[plane]], left[room[plane] :]
            take(part, plane)
    return found


def _cut_blocks(refs: Sequence[Ref], plane_of: dict[Ref, Plane]) -> list[list[Ref]]:
    """Cut the channels of one DENSE operation into blocks of at most 16 in at most four planes."""
    runs: dict[Plane, list[Ref]] = {}
    for ref in refs:
        runs.setdefault(plane_of[ref], []).append(ref)
    blocks: list[list[Ref]] = [run for run in runs.values() if len(run) == LANES]
    left = sorted((run for run in runs.values() if len(run) < LANES), key=len, reverse=True)
    while left:
        block = left.pop(0)
        planes = 1
        while left and planes < SCATTER and len(block) < LANES:
            room = LANES - len(block)
            # small runs first keeps the number of planes of the last blocks down; the last plane tops the block up
            at = len(left) - 1 if planes < SCATTER - 1 and len(left[-1]) <= room else 0
            part, rest = left[at][:room], left[at][room:]
            del left[at]
            if rest:
                left.append(rest)
                left.sort(key=len, reverse=True)
            block = [*block, *part]
            planes += 1
        blocks.append(block)
    return blocks


def _place_dense(layout: Layout, dense: list[DenseOp], readers: _Readers) -> None:
    classes: dict[tuple[object, ...], list[Ref]] = {}
    for op in dense:
        for channel in range(op.output.channels):
            ref = (op.output, channel)
            classes.setdefault(readers.signature(ref), []).append(ref)
    plane_of: dict[Ref, Plane] = {}
    for refs in classes.values():
        plane_of.update(_fill_planes(layout, refs))
    edges: list[Edge] = []
    order: list[tuple[DenseOp, int, Ref]] = []
    for op in dense:
        refs = [(op.output, channel) for channel in range(op.output.channels)]
        for number, block in enumerate(_cut_blocks(refs, plane_of)):
            for at, ref in enumerate(block):
                edges.append(((id(op), number), plane_of[ref].index, at))
                order.append((op, number, ref))
    lanes = color_edges(edges, LANES)
    for (op, number, ref), lane in zip(order, lanes, strict=True):
        blocks = layout.blocks.setdefault(op, [])
        while len(blocks) <= number:
            blocks.append(Block({}))
        blocks[number].channels[lane] = ref[1]
        layout.put(ref, plane_of[ref], lane)


def _place_lanewise(layout: Layout, op: Op, sources: list[tuple[tuple[Plane, ...], int]]) -> None:
    """Blocks of a lane-wise operation: channel ``c`` sits in lane ``sources[c][1]`` of planes ``sources[c][0]``."""
    blocks: list[Block] = []
    for channel, (planes, lane) in enumerate(sources):
        block = next((b for b in blocks if b.sources == planes and lane not in b.channels), None)
        if block is None:
            block = Block({}, planes)
            blocks.append(block)
        block.channels[lane] = channel
    layout.blocks[op] = blocks
    for block in blocks:
        plane = layout.new_plane(op.output)
        for lane, channel in block.channels.items():
            layout.put((op.output, channel), plane, lane)


def _place_direct(layout: Layout, op: DwOp, dense: DenseOp) -> None:
    layout.blocks[dense] = natural_blocks(dense.output.channels)
    layout.blocks[op] = natural_blocks(op.output.channels)
    for block in layout.blocks[op]:
        plane = layout.new_plane(op.output)
        for lane, channel in block.channels.items():
            layout.put((op.output, channel), plane, lane)


def _copied(layout: Layout, refs: tuple[Ref, ...], like: tuple[Ref, ...], name: str, tensor: str) -> tuple[DenseOp, tuple[Ref, ...]]:
    """A DENSE copy of ``refs`` with each channel in the lane that ``like`` has, plane for plane."""
    source = refs[0][0]
    low, high = min(value.lo for value, _ in refs), max(value.hi for value, _ in refs)
    value = Value(f"{name}.copy", len(refs), source.height, source.width, source.signed, low, high, tensor)
    distinct = tuple(dict.fromkeys(refs))
    weight = np.zeros((len(refs), len(distinct), 1, 1), np.int64)
    for at, ref in enumerate(refs):
        weight[at, distinct.index(ref)] = 1
    op = DenseOp(name, value, distinct, weight, 4, identity_scaling(len(refs), low, high))
    blocks: dict[Plane, list[tuple[Block, Plane]]] = {}
    for channel, other in enumerate(like):
        plane, lane = layout.place[other]
        fitting = [pair for pair in blocks.setdefault(plane, []) if lane not in pair[0].channels]
        if not fitting:
            fitting = [(Block({}), layout.new_plane(value))]
            blocks[plane].extend(fitting)
        fitting[0][0].channels[lane] = channel
        layout.put((value, channel), fitting[0][1], lane)
    layout.blocks[op] = [block for pairs in blocks.values() for block, _ in pairs]
    return op, tuple((value, channel) for channel in range(len(refs)))


def _place_add(layout: Layout, op: AddOp) -> list[Op]:
    before: list[Op] = []
    if any(layout.place[x][1] != layout.place[y][1] for x, y in zip(op.a, op.b, strict=True)):
        copy, copied = _copied(layout, op.b, op.a, op.name, op.b_tensor)
        before.append(copy)
        op = replace(op, b=copied)
    pairs = [(layout.place[x], layout.place[y]) for x, y in zip(op.a, op.b, strict=True)]
    _place_lanewise(layout, op, [((p, q), lane) for (p, lane), (q, _) in pairs])
    return [*before, op]


def place(lowered: Lowered, mixed: int = EVERY_MAP) -> Layout:
    """Place every channel.

    Args:
        lowered: the operations.
        mixed: channels of different operations may share a plane on maps of up to so many pixels. A shared plane cannot live
            in DRAM.
    """
    layout = Layout([])
    readers = _Readers(lowered, mixed)
    layout.direct = _find_direct(lowered, readers)
    windowed = set(layout.direct.values())
    dense = [op for op in lowered.ops if isinstance(op, DenseOp) and op not in windowed and not op.output.displacement]
    _place_dense(layout, dense, readers)
    for op in lowered.ops:
        if isinstance(op, AddOp):
            layout.ops.extend(_place_add(layout, op))
            continue
        if isinstance(op, DwOp) and op in layout.direct:
            _place_direct(layout, op, layout.direct[op])
        elif isinstance(op, DwOp):
            _place_lanewise(layout, op, [((plane,), lane) for plane, lane in (layout.place[ref] for ref in op.inputs)])
        elif isinstance(op, ImageOp):
            layout.blocks[op] = natural_blocks(op.output.channels)
            for block in layout.blocks[op]:
                plane = layout.new_plane(op.output)
                for lane, channel in block.channels.items():
                    layout.put((op.output, channel), plane, lane)
        elif isinstance(op, DenseOp) and op.output.displacement:
            layout.blocks[op] = [Block({0: 0})]
            layout.put((op.output, 0), layout.new_plane(op.output), 0)
        layout.ops.append(op)
    return layout
