"""Widths of weights to choose from, and what each one perturbs: from a table of traces, or from the integer weights alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from hao.compiler.ops import DenseOp, IntArray
from hao.errors import SearchError
from hao.files import read_json

STORED = {2: 4, 3: 4, 4: 4, 5: 8, 6: 8, 7: 8, 8: 8}
"""Width at which the engine stores weights of each width."""


def narrowed(weight: IntArray, own: int, width: int) -> IntArray:
    """Weights ``(out, ...)`` of ``own`` bits on the grid of ``width`` bits, in units of the old one: nearest, narrow range."""
    if width >= own:
        return weight
    step = 1 << (own - width)
    most = (1 << (width - 1)) - 1
    return np.clip((weight + step // 2) // step, -most, most) * step


def own_width(op: DenseOp) -> int:
    """Least width that holds the weights of a layer, symmetric and narrow."""
    largest = int(np.abs(op.weight).max(initial=1))
    return max(2, largest.bit_length() + 1)


def damage_from_weights(op: DenseOp, own: int, width: int) -> float:
    """Squared change of the weights in units of the layer's output, summed: the perturbation with every trace equal to one."""
    change = (narrowed(op.weight, own, width) - op.weight).reshape(len(op.weight), -1).astype(np.float64)
    gain = op.scaling.multiplier.astype(np.float64) / np.exp2(op.scaling.shift.astype(np.float64))
    return float(((change * gain[:, None]) ** 2).sum())


def read_table(path: Path) -> dict[str, dict[int, float]]:
    """Perturbations by layer and width: the report of a ``hao quantize`` (``--json``), or a JSON file ``{"layers": {name: {"4": value}}}``.

    Raises:
        SearchError: unreadable, or a value that is no number, negative or of no width from 2 to 8; a report without sensitivities.
    """
    hint = 'give the JSON of hao quantize --method hawq3, or {"layers": {name: {"4": value, "8": value}}}'
    try:
        layers = read_json(path)["layers"]
        if isinstance(layers, list):
            layers = {row["name"]: row["sensitivity"] for row in layers}
        table = {str(name): {int(width): float(value) for width, value in row.items()} for name, row in layers.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise SearchError(f"{path} is no table of perturbations: {error}", hint) from error
    for name, row in table.items():
        wrong = [width for width, value in row.items() if width not in STORED or not (np.isfinite(value) and value >= 0)]
        if wrong or not row:
            raise SearchError(f"{path}: layer {name!r} has widths {wrong or 'none'} that cannot be used", hint)
    return table


def widths_of(op: DenseOp, name: str, table: Mapping[str, Mapping[int, float]] | None) -> dict[int, float]:
    """Widths of a layer and their perturbation, all of them, dominated ones too.

    Raises:
        SearchError: the table lacks the layer.
    """
    if table is None:
        own = own_width(op)
        return {width: damage_from_weights(op, own, width) for width in range(2, own + 1)}
    if name not in table:
        raise SearchError(f"the table of perturbations lacks layer {name!r}", "give a row for every dense layer")
    return dict(table[name])


def undominated(options: Mapping[int, float]) -> dict[int, float]:
    """Of the widths stored alike the one that perturbs least, the narrower one in a tie; a wide one only where it perturbs less."""
    best: dict[int, tuple[float, int]] = {}
    for width, damage in options.items():
        stored = STORED[width]
        best[stored] = min(best.get(stored, (float("inf"), 9)), (damage, width))
    if 4 in best and 8 in best and best[4][0] <= best[8][0]:
        del best[8]
    return {width: damage for damage, width in sorted(best.values(), key=lambda pair: pair[1])}
