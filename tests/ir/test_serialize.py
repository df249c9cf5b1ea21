"""Files of integer graphs: what is read is what was written, and nothing damaged gets through."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from hao.errors import CheckpointError, GraphError
from hao.ir.graph import Conv, DeformConv, Graph
from hao.ir.random_graph import random_graph, random_image
from hao.ir.reference import digest, execute, outputs
from hao.ir.serialize import load_graph, network_digest, pack_nibbles, save_graph, unpack_nibbles
from hao.models.integer_codenet import random_codenet


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "net.safetensors"
    save_graph(random_graph(11), path)
    return path


@pytest.mark.parametrize("seed", range(12))
def test_round_trip(seed: int, tmp_path: Path) -> None:
    graph = random_graph(seed)
    save_graph(graph, tmp_path / "g.safetensors")
    back = load_graph(tmp_path / "g.safetensors")
    assert (back.name, back.outputs, back.metadata) == (graph.name, graph.outputs, graph.metadata)
    assert [(type(node), node.name, node.inputs, node.scale) for node in back.nodes] == [
        (type(node), node.name, node.inputs, node.scale) for node in graph.nodes
    ]
    image = random_image(graph.nodes[0].shape, np.random.default_rng(seed))
    first, second = (digest(outputs(item, execute(item, image)).values()) for item in (graph, back))
    assert first == second
    assert network_digest(back) == network_digest(graph)


def test_weights_that_lie_channels_last_come_back_in_order(tmp_path: Path) -> None:
    graph = random_codenet("b", seed=1)
    nodes = tuple(
        replace(node, weight=np.ascontiguousarray(node.weight.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2))
        if isinstance(node, Conv | DeformConv)
        else node
        for node in graph.nodes
    )
    # Up to four bits are packed, which puts them in order anyway: it takes a wider layer to see the fault.
    assert any(isinstance(node, Conv) and node.weight_bits > 4 and not node.weight.flags.c_contiguous for node in nodes)
    save_graph(replace(graph, nodes=nodes), tmp_path / "g.safetensors")
    assert network_digest(load_graph(tmp_path / "g.safetensors")) == network_digest(graph)


def test_writing_is_deterministic(tmp_path: Path) -> None:
    for name in ("a", "b"):
        save_graph(random_graph(5), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert not list(tmp_path.glob("*.partial"))


def test_four_bit_weights_take_half_a_byte(tmp_path: Path) -> None:
    for bits in range(2, 5):
        low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
        values = np.random.default_rng(bits).integers(low, high, (5, 3, 1, 1), endpoint=True)
        values.flat[:2] = low, high
        packed = pack_nibbles(values)
        assert packed.nbytes == 8
        np.testing.assert_array_equal(unpack_nibbles(packed, values.shape), values)
    with pytest.raises(ValueError, match="bytes"):
        unpack_nibbles(packed[:-1], values.shape)


def test_digest_names_the_network_and_not_its_metadata() -> None:
    graph = random_graph(5)
    assert network_digest(graph) == network_digest(Graph(graph.name, graph.nodes, graph.outputs, {"note": 1}))
    assert network_digest(graph) != network_digest(random_graph(6))
    graph.nodes[1].requant.bias[0] += 1  # type: ignore[attr-defined]
    assert network_digest(graph) != network_digest(random_graph(5))


def test_every_truncation_is_refused(saved: Path) -> None:
    whole = saved.read_bytes()
    cuts = [0, 1, 7, 8, 9, len(whole) // 3, len(whole) // 2, len(whole) - 1]
    for cut in cuts:
        saved.write_bytes(whole[:cut])
        with pytest.raises(CheckpointError, match=r"net\.safetensors"):
            load_graph(saved)


def test_no_flipped_bit_survives(saved: Path) -> None:
    whole = bytearray(saved.read_bytes())
    places = np.random.default_rng(0).integers(0, len(whole) * 8, 400)
    for place in places:
        flipped = bytearray(whole)
        flipped[place // 8] ^= 1 << (place % 8)
        saved.write_bytes(flipped)
        with pytest.raises(CheckpointError):
            load_graph(saved)


def _rewrite(path: Path, **changes: object) -> None:
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as file:
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        structure = json.loads(file.metadata()["hao"])
    save_file(arrays, path, {"hao": json.dumps(structure | changes)})


def test_other_versions_and_foreign_files_are_refused(saved: Path, tmp_path: Path) -> None:
    _rewrite(saved, format=2)
    with pytest.raises(CheckpointError, match="version 2"):
        load_graph(saved)
    save_file({"x": np.zeros(3)}, tmp_path / "foreign")
    with pytest.raises(CheckpointError, match="no integer network"):
        load_graph(tmp_path / "foreign")
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_graph(tmp_path / "absent")
    with pytest.raises(CheckpointError):
        load_graph(tmp_path)


def test_an_altered_structure_is_refused_even_with_a_valid_file(saved: Path) -> None:
    _rewrite(saved, outputs=["nothing"])
    with pytest.raises(CheckpointError, match="damaged"):
        load_graph(saved)


def test_a_consistent_file_of_an_illegal_network_is_refused(saved: Path) -> None:
    from safetensors import safe_open

    from hao.ir import serialize

    with safe_open(saved, framework="numpy") as file:
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        structure = json.loads(file.metadata()["hao"])
    structure.pop("digest")
    structure["outputs"] = ["nothing"]
    structure["digest"] = serialize._digest(structure, arrays)
    save_file(arrays, saved, {"hao": json.dumps(structure)})
    with pytest.raises(CheckpointError, match="illegal network"):
        load_graph(saved)


def test_an_illegal_graph_is_not_written(tmp_path: Path) -> None:
    graph = random_graph(1)
    with pytest.raises(GraphError):
        save_graph(Graph("g", graph.nodes, ("nothing",)), tmp_path / "g")
    assert not list(tmp_path.iterdir())
