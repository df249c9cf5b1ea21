"""The plain export, run by the example, equals the reference on every tensor."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hao.errors import CheckpointError
from hao.frontend.plain_export import export_plain
from hao.ir.graph import DeformConv, Graph
from hao.ir.random_graph import random_graph, random_image
from hao.ir.reference import execute
from hao.ir.serialize import network_digest

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "run_plain.py"


def plain_graphs(count: int) -> list[Graph]:
    """Random networks without deformable layers."""
    graphs = (random_graph(seed) for seed in range(200))
    found = [graph for graph in graphs if not any(isinstance(node, DeformConv) for node in graph.nodes)]
    assert len(found) >= count
    return found[:count]


def test_the_example_equals_the_reference(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("run_plain", EXAMPLE)
    assert spec is not None and spec.loader is not None
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    compared, kinds = 0, set()
    for graph in (random_graph(seed) for seed in range(40)):
        data, text = export_plain(graph, tmp_path / "net")
        structure = json.loads(text.read_text(encoding="utf-8"))
        assert structure["digest"] == network_digest(graph)
        image = random_image(graph.nodes[0].shape, np.random.default_rng(1))
        with np.load(data, allow_pickle=False) as arrays:
            values = example.run(structure, arrays, image)
        for name, expected in execute(graph, image).items():
            np.testing.assert_array_equal(values[name], expected, err_msg=f"{graph.name}: {name}")
            compared += expected.size
        kinds |= {type(node).__name__ for node in graph.nodes}
    assert compared > 100_000
    assert kinds == {"Input", "Conv", "MaxPool", "AvgPool", "Add", "Requantize", "Concat", "Slice", "Shuffle", "Upsample", "DeformConv"}


def test_the_example_runs_by_itself(tmp_path: Path) -> None:
    graph = plain_graphs(1)[0]
    _, text = export_plain(graph, tmp_path / "net")
    image = random_image(graph.nodes[0].shape, np.random.default_rng(2))
    np.save(tmp_path / "image.npy", image)
    command = [sys.executable, str(EXAMPLE), str(text), str(tmp_path / "image.npy")]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=tmp_path)
    assert all(name in done.stdout for name in graph.outputs)


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match="cannot be written"):
        export_plain(plain_graphs(1)[0], tmp_path / "file" / "net")
