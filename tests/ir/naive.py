"""A second executor of the integer graph: plain Python integers and loops over pixels, written from the operators' formulas.

Rounding is ``floor(a / b + 1/2)`` as an exact quotient, not a shift. Slow, shares no code with the reference.
"""

from __future__ import annotations

from itertools import product
from typing import Any

from hao.ir import graph as ir

Map = list[list[list[int]]]


def rescale(value: int, multiplier: int, shift: int, low: int, high: int) -> int:
    rounded = (2 * value * multiplier + 2**shift) // 2 ** (shift + 1)
    return max(low, min(high, rounded))


def execute(graph: ir.Graph, image: Any) -> dict[str, Map]:
    values: dict[str, Map] = {}
    for node in graph.nodes:
        read = [values[name] for name in node.inputs]
        if isinstance(node, ir.Input):
            values[node.name] = [
                [[int(pixel) - mean for pixel in row] for row in plane] for plane, mean in zip(image, node.mean, strict=True)
            ]
        else:
            values[node.name] = _RULES[type(node)](node, *read)
    return values


def _at(plane: list[list[int]], y: int, x: int, outside: int = 0) -> int:
    return plane[y][x] if 0 <= y < len(plane) and 0 <= x < len(plane[0]) else outside


def _map(channels: int, height: int, width: int, value: Any) -> Map:
    return [[[value(c, y, x) for x in range(width)] for y in range(height)] for c in range(channels)]


def _final(node: Any, channel: int, total: int) -> int:
    rule = node.requant
    return rescale(total + int(rule.bias[channel]), int(rule.multiplier[channel]), int(rule.shift[channel]), rule.lo, rule.hi)


def _side(size: int, kernel: int, stride: int, pad: int) -> int:
    return len(range(-pad, size + pad - kernel + 1, stride))


def _conv(node: ir.Conv, x: Map) -> Map:
    out, per_group, kernel, _ = node.weight.shape
    height, width = (_side(n, kernel, node.stride, node.pad) for n in (len(x[0]), len(x[0][0])))

    def value(o: int, y: int, z: int) -> int:
        first = 0 if node.groups == 1 else o
        total = 0
        for c, i, j in product(range(per_group), range(kernel), range(kernel)):
            weight = int(node.weight[o, c, i, j])
            total += weight * _at(x[first + c], y * node.stride - node.pad + i, z * node.stride - node.pad + j)
        return _final(node, o, total)

    return _map(out, height, width, value)


def _deform(node: ir.DeformConv, x: Map, displacement: Map) -> Map:
    def value(c: int, y: int, z: int) -> int:
        d = displacement[0][y][z]
        taps = product((-1, 0, 1), (-1, 0, 1))
        return _final(node, c, sum(int(node.weight[c, 0, i + 1, j + 1]) * _at(x[c], y + i * d, z + j * d) for i, j in taps))

    return _map(len(x), len(x[0]), len(x[0][0]), value)


def _pool(node: ir.MaxPool | ir.AvgPool, x: Map) -> Map:
    whole = node.kernel == 0
    rows, columns = (len(x[0]), len(x[0][0])) if whole else (node.kernel, node.kernel)
    pad = node.pad if isinstance(node, ir.MaxPool) else 0
    height, width = (1, 1) if whole else (_side(n, node.kernel, node.stride, pad) for n in (len(x[0]), len(x[0][0])))

    def value(c: int, y: int, z: int) -> int:
        places = product(range(rows), range(columns))
        inside = [(y * node.stride - pad + i, z * node.stride - pad + j) for i, j in places]
        found = [x[c][a][b] for a, b in inside if 0 <= a < len(x[0]) and 0 <= b < len(x[0][0])]
        return max(found) if isinstance(node, ir.MaxPool) else rescale(sum(found), node.multiplier, node.shift, node.lo, node.hi)

    return _map(len(x), height, width, value)


def _add(node: ir.Add, a: Map, b: Map) -> Map:
    def value(c: int, y: int, z: int) -> int:
        return rescale(a[c][y][z] * node.m1 + b[c][y][z] * node.m2, 1, node.shift, node.lo, node.hi)

    return _map(len(a), len(a[0]), len(a[0][0]), value)


def _requantize(node: ir.Requantize, a: Map) -> Map:
    return [[[rescale(v, node.multiplier, node.shift, node.lo, node.hi) for v in row] for row in plane] for plane in a]


def _shuffle(node: ir.Shuffle, x: Map) -> Map:
    per_group = len(x) // node.groups
    result: list[Any] = [None] * len(x)
    for g, i in product(range(node.groups), range(per_group)):
        result[i * node.groups + g] = x[g * per_group + i]
    return result


_RULES: dict[type[ir.Node], Any] = {
    ir.Conv: _conv,
    ir.DeformConv: _deform,
    ir.MaxPool: _pool,
    ir.AvgPool: _pool,
    ir.Add: _add,
    ir.Requantize: _requantize,
    ir.Concat: lambda _, *parts: [plane for part in parts for plane in part],
    ir.Slice: lambda node, x: x[node.start : node.stop],
    ir.Shuffle: _shuffle,
    ir.Upsample: lambda _, x: _map(len(x), 2 * len(x[0]), 2 * len(x[0][0]), lambda c, y, z: x[c][y // 2][z // 2]),
}
