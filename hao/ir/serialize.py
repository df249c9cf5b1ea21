"""Integer graphs as files: one safetensors file, weights of up to four bits packed two a byte, everything else in JSON.

Tensors are named by the position of their node (``n12.weight``); the metadata entry ``hao`` holds the structure, the
format's version and a digest over all of it. Nothing is executed on loading.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save

from hao.errors import CheckpointError, HaoError
from hao.files import parse_json, read_safetensors
from hao.ir import graph as ir
from hao.ir.check import check
from hao.ir.graph import Conv, DeformConv, Graph, IntArray, Node, Requant

FORMAT_VERSION = 1
_KINDS: dict[str, type[Node]] = {
    kind.__name__: kind
    for kind in (
        ir.Input,
        Conv,
        DeformConv,
        ir.MaxPool,
        ir.AvgPool,
        ir.Add,
        ir.Requantize,
        ir.Concat,
        ir.Slice,
        ir.Shuffle,
        ir.Upsample,
    )
}
_STORED = {"bias": np.int32, "multiplier": np.int32, "shift": np.uint8}


def network_digest(graph: Graph) -> str:
    """SHA-256 over structure and numbers of ``graph`` (metadata excluded), hexadecimal: the identity of the network."""
    structure, arrays = _encode(graph)
    structure.pop("metadata")
    return _digest(structure, arrays)


def save_graph(graph: Graph, path: str | os.PathLike[str]) -> None:
    """Write ``graph`` to ``path``; the file appears whole or not at all.

    Raises:
        GraphError: the graph is not legal.
        CheckpointError: the file cannot be written.
    """
    check(graph)
    structure, arrays = _encode(graph)
    structure["digest"] = _digest(structure, arrays)
    target = Path(path)
    partial = target.with_name(target.name + ".partial")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(save(arrays, {"hao": _json(structure)}))
        partial.replace(target)
    except OSError as error:
        raise CheckpointError(f"{target} cannot be written: {error.strerror}", "choose another place") from error


def load_graph(path: str | os.PathLike[str]) -> Graph:
    """Read and check a graph that :func:`save_graph` wrote.

    Raises:
        CheckpointError: no such file; or truncated, altered, foreign, of another version, or not a legal network.
    """
    source = Path(path)
    try:
        metadata, arrays = read_safetensors(source)
    except (OSError, ValueError) as error:
        detail = getattr(error, "strerror", None) or str(error)
        raise CheckpointError(f"{source} cannot be read as an integer network: {detail}", "is the file complete?") from error
    structure = _parse(source, metadata)
    stated = structure.pop("digest", None)
    if stated != _digest(structure, arrays):
        raise CheckpointError(f"{source} is damaged: its digest is not the one it was written with", "copy or generate it again")
    try:
        graph = _decode(structure, arrays)
        check(graph)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise CheckpointError(f"{source} describes no network: {error}", "generate it again") from error
    except HaoError as error:
        raise CheckpointError(f"{source} holds an illegal network: {error.message}", error.hint) from error
    return graph


def pack_nibbles(values: IntArray) -> npt.NDArray[np.uint8]:
    """Signed values of up to four bits, flattened, two a byte, the first in the low nibble; padded with 0 to full bytes."""
    signed = np.asarray(values).astype(np.int8).ravel()
    nibbles = np.append(signed, np.zeros(signed.size % 2, dtype=np.int8)).view(np.uint8) & 0xF
    return (nibbles[0::2] | nibbles[1::2] << 4).astype(np.uint8)


def unpack_nibbles(packed: npt.NDArray[np.uint8], shape: tuple[int, ...]) -> IntArray:
    """Inverse of :func:`pack_nibbles`.

    Raises:
        ValueError: the bytes are not as many as ``shape`` needs.
    """
    count = math.prod(shape)
    if packed.size != (count + 1) // 2:
        raise ValueError(f"{packed.size} bytes for {count} values of four bits")
    nibbles = np.stack([packed & 0xF, packed >> 4], axis=1).ravel()[:count].astype(np.int64)
    return ((nibbles ^ 8) - 8).reshape(shape)


def _json(structure: dict[str, Any]) -> str:
    return json.dumps(structure, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _digest(structure: dict[str, Any], arrays: dict[str, npt.NDArray[Any]]) -> str:
    state = hashlib.sha256(_json(structure).encode())
    for name in sorted(arrays):
        value = np.ascontiguousarray(arrays[name])
        state.update(f"{name} {value.dtype.str} {value.shape}".encode())
        state.update(value.tobytes())
    return state.hexdigest()


def _encode(graph: Graph) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    arrays: dict[str, npt.NDArray[Any]] = {}
    rows: list[dict[str, Any]] = []
    for index, node in enumerate(graph.nodes):
        row: dict[str, Any] = {"kind": type(node).__name__}
        for item in fields(node):
            value = getattr(node, item.name)
            if item.name == "weight":
                narrow = node.weight_bits <= 4 if isinstance(node, Conv | DeformConv) else False
                arrays[f"n{index}.weight"] = pack_nibbles(value) if narrow else np.asarray(value).astype(np.int8)
                row["weight"] = list(value.shape)
            elif isinstance(value, Requant):
                row["requant"] = {"lo": value.lo, "hi": value.hi, "bits": value.bits, "signed": value.signed}
                arrays |= {f"n{index}.{label}": getattr(value, label).astype(kind) for label, kind in _STORED.items()}
            else:
                row[item.name] = list(value) if isinstance(value, tuple) else value
        rows.append(row)
    # safetensors (0.8) writes the memory of an array as it lies, whatever its strides: only C order comes back as it went.
    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    structure = {"format": FORMAT_VERSION, "name": graph.name, "nodes": rows, "outputs": list(graph.outputs), "metadata": graph.metadata}
    return structure, arrays


def _parse(source: Path, metadata: dict[str, str]) -> dict[str, Any]:
    if "hao" not in metadata:
        raise CheckpointError(f"{source} is a safetensors file, but no integer network of HAO's", "give a file that `hao` exported")
    try:
        structure = parse_json(metadata["hao"])
    except ValueError as error:
        raise CheckpointError(f"{source} is damaged: {error}", "copy or generate it again") from error
    version = structure.get("format") if isinstance(structure, dict) else None
    if version != FORMAT_VERSION:
        raise CheckpointError(f"{source} has format version {version}, this HAO reads {FORMAT_VERSION}", "export the network again")
    return dict(structure)


def _integers(arrays: dict[str, npt.NDArray[Any]], name: str) -> npt.NDArray[Any]:
    if arrays[name].dtype not in (np.int8, np.uint8, np.int32):
        raise ValueError(f"tensor {name} is of type {arrays[name].dtype}")
    return arrays[name]


def _shape(given: object) -> tuple[int, ...]:
    if not isinstance(given, tuple) or not all(type(size) is int and size > 0 for size in given):
        raise ValueError(f"a shape of {given!r}")
    return given


def _decode(structure: dict[str, Any], arrays: dict[str, npt.NDArray[Any]]) -> Graph:
    nodes: list[Node] = []
    for index, row in enumerate(structure["nodes"]):
        values = dict(row)
        kind = _KINDS[values.pop("kind")]
        values |= {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
        if "weight" in values:
            stored = _integers(arrays, f"n{index}.weight")
            shape = _shape(values["weight"])
            values["weight"] = unpack_nibbles(stored, shape) if values["weight_bits"] <= 4 else stored.astype(np.int64).reshape(shape)
            bias, multiplier, shift = (_integers(arrays, f"n{index}.{label}") for label in _STORED)
            values["requant"] = Requant(bias, multiplier, shift, **values["requant"])
        nodes.append(kind(**values))
    return Graph(structure["name"], tuple(nodes), tuple(structure["outputs"]), structure["metadata"])
