"""Integer checkpoints that somebody damaged, or forged with the right digest: refused, never executed, never half-loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from hao.errors import CheckpointError, GraphError
from hao.ir import serialize
from hao.ir.check import check
from hao.ir.graph import Graph
from hao.ir.random_graph import random_graph
from hao.ir.serialize import load_graph, network_digest, save_graph
from tests.fuzz.hostile import ABSURD, DEEP, closed, mutated, opened, places, replaced

LIMITS = settings(max_examples=200, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
GRAPH = random_graph(9, 12)


def _bytes(graph: Graph) -> bytes:
    structure, arrays = serialize._encode(graph)
    structure["digest"] = serialize._digest(structure, arrays)
    return closed(structure, arrays, "hao")


DATA = _bytes(GRAPH)
RECORD, TENSORS = opened(DATA, "hao")


def signed(record: dict[str, Any], tensors: dict[str, np.ndarray]) -> bytes:
    """A file whose digest is right."""
    plain = {name: value for name, value in record.items() if name != "digest"}
    return closed({**plain, "digest": serialize._digest(plain, tensors)}, tensors, "hao")


def refused(path: Path, data: bytes) -> CheckpointError:
    path.write_bytes(data)
    with pytest.raises(CheckpointError) as caught:
        load_graph(path)
    assert caught.value.exit_code == 5 and path.name in caught.value.message
    return caught.value


def loaded(path: Path, data: bytes) -> Graph | None:
    """The network of a file, which must be legal; None where it was refused."""
    path.write_bytes(data)
    try:
        graph = load_graph(path)
    except CheckpointError:
        return None
    check(graph)
    return graph


@LIMITS
@given(mutated(DATA))
def test_damaged_files(tmp_path: Path, data: bytes) -> None:
    graph = loaded(tmp_path / "net", data)
    assert graph is None or network_digest(graph) == network_digest(GRAPH)


@pytest.mark.parametrize("size", [-1, 0, True, 1.0, 1e308])
def test_shapes_that_are_none(tmp_path: Path, size: Any) -> None:
    """A size of -1 would let numpy work out the shape: what a file does not say is not guessed."""
    at = next(("nodes", k, "weight", 0) for k, row in enumerate(RECORD["nodes"]) if row.get("weight_bits", 0) > 4)
    error = refused(tmp_path / "net", signed(replaced(RECORD, at, size), TENSORS))
    assert "a shape of" in error.message


@LIMITS
@example(("nodes", 3, "weight", 0), 1e308)
@given(st.sampled_from([at for at in places(RECORD) if at[0] != "digest"]), st.sampled_from(ABSURD))
def test_forged_structures(tmp_path: Path, at: tuple[Any, ...], value: Any) -> None:
    """Either refused, or a legal network that can be written and read again."""
    graph = loaded(tmp_path / "net", signed(replaced(RECORD, at, value), TENSORS))
    if graph is not None:
        save_graph(graph, tmp_path / "again")
        assert network_digest(load_graph(tmp_path / "again")) == network_digest(graph)


@LIMITS
@given(st.sampled_from(sorted(TENSORS)), st.sampled_from(["absent", "empty", "short", "float", "wide", "deep", "end"]))
def test_forged_tensors(tmp_path: Path, name: str, how: str) -> None:
    tensors = dict(TENSORS)
    value = tensors.pop(name)
    changed = {
        "empty": value.reshape(-1)[:0],
        "short": value.reshape(-1)[:-1],
        "float": value.astype(np.float64) * np.nan,
        "wide": value.astype(np.int64) * (1 << 40),
        "deep": value.reshape((1,) * 12 + value.shape),
        "end": np.full_like(value, np.iinfo(value.dtype).max),
    }
    if how != "absent":
        tensors[name] = np.ascontiguousarray(changed[how])
    graph = loaded(tmp_path / "net", signed(RECORD, tensors))
    if graph is not None:
        save_graph(graph, tmp_path / "again")


@pytest.mark.parametrize(
    "text", [DEEP, '{"a":' * 50_000, "9" * 6000, '{"format": ' + "9" * 6000 + "}", "NaN", "null", "[]", "7", '{"format": 1}']
)
def test_structures_that_are_no_structures(tmp_path: Path, text: str) -> None:
    assert refused(tmp_path / "net", closed(text, TENSORS, "hao")).hint


def test_structure_nested_too_deeply_inside(tmp_path: Path) -> None:
    import json

    text = json.dumps(RECORD).replace('"metadata": {', '"metadata": {"a": ' + "[" * 900 + "]" * 900 + ", ")
    assert refused(tmp_path / "net", closed(text, TENSORS, "hao")).hint


NAMES = (
    "", "1st", "a b", "a\nb", "a;b", "a]b", "$x", "`id`", "../x", "a/b", "a\\b", '"', "'", "{{ x }}", "{% x %}", "xyz\u0000", "é",
    "a\u202eb", "[exec reboot]", '"; system("id"); //', "<script>", "%s", "a\u2028b",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_names_that_would_break_out(name: str, tmp_path: Path) -> None:
    """No tensor has a name that means anything to C++, SystemVerilog, Tcl, a shell, HTML, a template or a path."""
    stem = GRAPH.nodes[1].name
    text = {node: (name if node == stem else node) for node in (each.name for each in GRAPH.nodes)}
    record = {
        **RECORD,
        "nodes": [{**row, "name": text[row["name"]], "inputs": [text[each] for each in row["inputs"]]} for row in RECORD["nodes"]],
        "outputs": [text[each] for each in RECORD["outputs"]],
    }
    assert "digest" not in refused(tmp_path / "net", signed(record, TENSORS)).message


def test_an_enormous_shape_takes_no_memory(tmp_path: Path) -> None:
    """Shapes of 2^40 elements are refused before anything of their size is made."""
    at = next(index for index, row in enumerate(RECORD["nodes"]) if row["kind"] == "Conv")
    for shape in ([1 << 20, 1 << 20, 1, 1], [1, 1 << 62, 4, 4], [-1, -1, 1, 1], [0, 0, 0, 0], [1] * 40, []):
        error = refused(tmp_path / "net", signed(replaced(RECORD, ("nodes", at, "weight"), shape), TENSORS))
        assert "digest" not in error.message, shape
    channels = RECORD["nodes"][0]["shape"][0]
    error = refused(tmp_path / "net", signed(replaced(RECORD, ("nodes", 0, "shape"), [channels, 1 << 40, 1 << 40]), TENSORS))
    assert "digest" not in error.message and "means" not in error.message


def test_an_illegal_graph_is_an_error_of_ours() -> None:
    with pytest.raises(GraphError):
        check(Graph("x", (), ("a",)))
