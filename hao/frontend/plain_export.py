"""Integer networks for programs of others: arrays as .npz, structure as JSON; ``examples/run_plain.py`` runs them with numpy alone."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hao.errors import CheckpointError
from hao.ir.check import check
from hao.ir.graph import Conv, DeformConv, Graph, Node
from hao.ir.serialize import network_digest

FORMAT = "hao-plain-1"
_ARRAYS = ("bias", "multiplier", "shift")


def export_plain(graph: Graph, path: Path) -> tuple[Path, Path]:
    """Write ``path`` with suffixes ``.npz`` and ``.json``; both appear whole or not at all.

    The JSON object has ``format``, ``name``, ``digest`` (of the network), ``outputs``, ``metadata`` and ``nodes`` in the order
    of computation, each with ``name``, ``kind`` (the class in :mod:`hao.ir.graph`, where its arithmetic is written), ``inputs``,
    ``scale`` (what one unit is worth, or null) and the class's own fields. Arrays of layers with weights are
    ``NAME.weight`` (int8, ``(out, in / groups, k, k)``), ``NAME.bias``, ``NAME.multiplier`` (int32) and ``NAME.shift`` (uint8).

    Returns:
        paths of the arrays and of the structure.

    Raises:
        GraphError: the graph is not legal.
        CheckpointError: the files cannot be written.
    """
    check(graph)
    arrays: dict[str, npt.NDArray[Any]] = {}
    nodes = [_plain(node, arrays) for node in graph.nodes]
    structure = {
        "format": FORMAT,
        "name": graph.name,
        "digest": network_digest(graph),
        "outputs": list(graph.outputs),
        "metadata": graph.metadata,
        "nodes": nodes,
    }
    data, text = path.with_suffix(".npz"), path.with_suffix(".json")
    try:
        data.parent.mkdir(parents=True, exist_ok=True)
        partial = data.with_name(f".{data.name}.partial")
        with partial.open("wb") as stream:
            np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]
        partial.replace(data)
        partial = text.with_name(f".{text.name}.partial")
        partial.write_text(json.dumps(structure, indent=1) + "\n", encoding="utf-8")
        partial.replace(text)
    except OSError as error:
        raise CheckpointError(f"{data} cannot be written: {error}", "choose another place") from error
    return data, text


def _plain(node: Node, arrays: dict[str, npt.NDArray[Any]]) -> dict[str, Any]:
    row: dict[str, Any] = {"name": node.name, "kind": type(node).__name__, "inputs": list(node.inputs), "scale": node.scale}
    for item in fields(node):
        if item.name in ("weight", "requant") or item.name in row:
            continue
        value = getattr(node, item.name)
        row[item.name] = list(value) if isinstance(value, tuple) else value
    if isinstance(node, Conv | DeformConv):
        rule = node.requant
        row |= {"lo": rule.lo, "hi": rule.hi, "bits": rule.bits, "signed": rule.signed}
        arrays[f"{node.name}.weight"] = node.weight.astype(np.int8)
        for label, kind in zip(_ARRAYS, (np.int32, np.int32, np.uint8), strict=True):
            arrays[f"{node.name}.{label}"] = getattr(rule, label).astype(kind)
    return row
