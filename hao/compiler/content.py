"""What the rings hold for each block: weight tiles, requantization parameters, depthwise taps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hao.compiler.drafts import Blob
from hao.compiler.layout import Layout, Plane
from hao.compiler.ops import DenseOp, DwOp, IntArray, Scaling
from hao.engine.config import EngineConfig
from hao.engine.isa import DW_PARAM_WORDS, LANES, REQUANT_WORDS, SHIFTS, TAPS, TILE_WORDS, DwMode
from hao.engine.pack import pack_requant, pack_taps, pack_tiles
from hao.errors import CompileError

ACC_MIN, ACC_MAX = -(1 << 26), (1 << 26) - 1


@dataclass(frozen=True, slots=True, eq=False)
class BlockContent:
    """Planes that a DENSE block reads, its weights and its parameters."""

    planes: tuple[Plane, ...]
    weights: Blob
    params: Blob


def _requant_data(scaling: Scaling, channels: dict[int, int]) -> bytes:
    bias, multiplier = np.zeros(LANES, np.int64), np.zeros(LANES, np.int64)
    shift = np.full(LANES, SHIFTS[0], np.int64)
    for lane, channel in channels.items():
        bias[lane], multiplier[lane], shift[lane] = scaling.bias[channel], scaling.multiplier[channel], scaling.shift[channel]
    return pack_requant(bias, multiplier, shift)


def _tile_data(layout: Layout, op: DenseOp, channels: dict[int, int], planes: tuple[Plane, ...]) -> bytes:
    kernel = op.kernel
    tiles = np.zeros((kernel * kernel, len(planes), LANES, LANES), np.int64)
    index = {plane: at for at, plane in enumerate(planes)}
    places = [layout.place[ref] for ref in op.inputs]
    columns = np.array([at for at, (plane, _) in enumerate(places) if plane in index], np.int64)
    at_plane = np.array([index[places[at][0]] for at in columns], np.int64)
    at_lane = np.array([places[at][1] for at in columns], np.int64)
    outs, lanes = np.array(list(channels.values())), np.array(list(channels))
    part = op.weight[outs[:, None], columns].reshape(len(outs), len(columns), -1)
    tiles[:, at_plane[None, :], lanes[:, None], at_lane[None, :]] = part.transpose(2, 0, 1)
    return pack_tiles(tiles, op.bits)


def check_accumulator(op: DenseOp | DwOp) -> None:
    """Refuse sums that could leave 27 bits for any input within the bounds of the values read.

    Raises:
        CompileError: names the layer and the bound.
    """
    weight: IntArray = op.weight.reshape(len(op.weight), -1) if isinstance(op, DenseOp) else op.taps
    if isinstance(op, DwOp) and op.mode is DwMode.MAX:
        return
    low = min(0, *(value.lo for value, _ in op.inputs))
    high = max(0, *(value.hi for value, _ in op.inputs))
    repeat = op.in_height * op.in_width if isinstance(op, DwOp) and op.mode is DwMode.SUM else 1
    least = np.minimum(weight * low, weight * high).sum(axis=1) * repeat
    most = np.maximum(weight * low, weight * high).sum(axis=1) * repeat
    for bias in (np.int64(0), op.scaling.bias):
        if (least + bias).min() < ACC_MIN or (most + bias).max() > ACC_MAX:
            worst = int(max(-(least + bias).min(), (most + bias).max()))
            raise CompileError(f"{op.name}: its accumulator reaches {worst}", f"27 signed bits hold {ACC_MAX}: use narrower weights")


def dense_content(layout: Layout, op: DenseOp, number: int, config: EngineConfig) -> BlockContent:
    """Content of block ``number`` of a DENSE operation; the same object each time.

    Raises:
        CompileError: the block's weights are larger than the weight buffer, or the accumulator could overflow.
    """
    found = layout.content.get((op, number))
    if isinstance(found, BlockContent):
        return found
    if number == 0:
        check_accumulator(op)
    channels = layout.blocks[op][number].channels
    used = (op.weight[list(channels.values())] != 0).any(axis=(0, 2, 3))
    planes = tuple(layout.planes_of(ref for ref, live in zip(op.inputs, used, strict=True) if live)) or tuple(
        layout.planes_of(op.inputs)[:1]
    )
    words = op.kernel**2 * len(planes) * TILE_WORDS[op.bits]
    if words > config.wb_words:
        raise CompileError(
            f"{op.name}: the weights of 16 outputs take {words} words", f"the weight buffer holds {config.wb_words}: raise wb_words"
        )
    content = BlockContent(
        planes,
        Blob(words, op.name, lambda: _tile_data(layout, op, channels, planes)),
        Blob(REQUANT_WORDS, op.name, lambda: _requant_data(op.scaling, channels)),
    )
    layout.content[op, number] = content
    return content


def dw_content(layout: Layout, op: DwOp, number: int) -> Blob:
    """Parameters and taps of block ``number`` of a DW operation; the same object each time.

    Raises:
        CompileError: the accumulator could overflow.
    """
    found = layout.content.get((op, number))
    if isinstance(found, Blob):
        return found
    if number == 0:
        check_accumulator(op)
    channels = layout.blocks[op][number].channels
    taps = np.zeros((TAPS, LANES), np.int64)
    for lane, channel in channels.items():
        taps[:, lane] = op.taps[channel]
    tail = b"" if op.mode is DwMode.MAX else pack_taps(taps)
    blob = Blob(
        REQUANT_WORDS if op.mode is DwMode.MAX else DW_PARAM_WORDS,
        op.name,
        lambda: _requant_data(op.scaling, channels) + tail,
    )
    layout.content[op, number] = blob
    return blob
