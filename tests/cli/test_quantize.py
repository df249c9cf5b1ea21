"""``hao quantize`` on a small network of the user's own: methods, caps, resume, files, and errors that name the layer."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from hao.cli.main import invoke
from hao.ir.graph import Conv
from hao.ir.serialize import load_graph, network_digest
from hao.report.quantize import QuantizeReport

torch.set_num_threads(1)


def small() -> nn.Module:
    """Dense, depthwise, pointwise, linear; statistics settled on noise."""
    torch.manual_seed(4)
    layers = []
    for layer in (nn.Conv2d(1, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1, groups=8), nn.Conv2d(8, 16, 1)):
        layers += [layer, nn.BatchNorm2d(layer.out_channels), nn.ReLU()]
    model = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 5))
    with torch.no_grad():
        for _ in range(20):
            model(torch.rand(16, 1, 8, 8))
    return model.eval()


def plain() -> nn.Module:
    """No batch normalization."""
    return nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Conv2d(8, 4, 1))


def broken() -> nn.Module:
    """Weights that are not finite."""
    model = small()
    with torch.no_grad():
        model[3].weight[2] = torch.nan
    return model


def call(tmp_path: Path, *options: str, network: str = "small") -> tuple[int, QuantizeReport | None]:
    out = tmp_path / "report.json"
    out.unlink(missing_ok=True)
    common = ["--shape", "1,8,8", "--seed", "3", "--work", str(tmp_path), "--json", str(out), "--iterations", "8", "--probes", "32"]
    code = invoke(["quantize", f"{__name__}:{network}", *common, "--out", str(tmp_path / "net.safetensors"), *options])
    return code, QuantizeReport.model_validate_json(out.read_text()) if out.is_file() else None


@pytest.fixture
def pictures(tmp_path: Path) -> str:
    folder = tmp_path / "pictures"
    folder.mkdir()
    rng = np.random.default_rng(1)
    for index in range(12):
        Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(folder / f"{index:02}.png")
    return str(folder)


def test_without_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, report = call(
        tmp_path, "--data-free", "--average-bits", "3.5", "--plain", str(tmp_path / "p"), "--qonnx", str(tmp_path / "q.onnx")
    )
    assert code == 0 and report is not None
    assert report.method == "zeroq" and report.data_free and report.images == 32 and report.average_bits <= 3.5
    graph = load_graph(tmp_path / "net.safetensors")
    assert network_digest(graph) == report.digest == json.loads((tmp_path / "p.json").read_text())["digest"]
    assert {node.name: node.weight_bits for node in graph.nodes if isinstance(node, Conv)} == {row.name: row.bits for row in report.layers}
    assert (tmp_path / "q.onnx").stat().st_size > 1000
    assert all(set(row.sensitivity) == {2, 3, 4, 8} and row.total_db is not None for row in report.layers)
    assert report.frontier[0][1] > report.frontier[-1][1]
    text = capsys.readouterr().out
    assert "zeroq" in text and report.layers[0].name in text
    assert call(tmp_path, "--data-free", "--average-bits", "3.5")[1] == report


@pytest.mark.parametrize("method", ["hawq", "hawq2", "hawq3", "uniform"])
def test_methods(tmp_path: Path, pictures: str, method: str) -> None:
    code, report = call(
        tmp_path, "--pictures", pictures, "--method", method, "--menu", "4,5,8", "--average-bits", "5", "--calibration", "mse"
    )
    assert code == 0 and report is not None
    assert report.loss == "distance to the float results" and report.images == 12
    assert {row.bits for row in report.layers} <= {4, 5, 8} and report.average_bits <= 5
    if method in ("hawq2", "hawq3"):
        assert all(row.trace is not None and row.converged is not None for row in report.layers)
        (state,) = tmp_path.glob("traces-*.safetensors")
        again = call(
            tmp_path, "--pictures", pictures, "--method", method, "--menu", "4,5,8", "--average-bits", "5", "--calibration", "mse"
        )[1]
        assert again is not None and again.layers == report.layers and state.is_file()
    assert (report.layers[0].eigenvalue is not None) is (method == "hawq")


def test_caps_on_cycles_and_pruning(tmp_path: Path, pictures: str) -> None:
    options = ("--pictures", pictures, "--menu", "4,8", "--configuration", "8x8x1")
    _, free = call(tmp_path, *options, "--cycles", "1e9")
    assert free is not None and {row.bits for row in free.layers} == {8} and free.cycles is not None
    _, least = call(tmp_path, *options[:2], *options[4:], "--menu", "4", "--cycles", "1e9")
    assert least is not None and least.cycles is not None and least.cycles < free.cycles
    cap = (least.cycles + free.cycles) / 2
    code, tight = call(tmp_path, *options, "--cycles", str(cap), "--bops", "1")
    assert code == 0 and tight is not None and tight.cycles is not None and tight.cycles <= cap
    assert {row.bits for row in tight.layers} == {4, 8} and tight.solve_seconds is not None
    _, pruned = call(tmp_path, *options, "--cycles", "1e9", "--prune", "0.4")
    assert pruned is not None and sum(row.parameters for row in pruned.layers) < sum(row.parameters for row in free.layers)
    assert pruned.bops < free.bops


@pytest.mark.parametrize(
    ("network", "options", "code", "words"),
    [
        ("plain", ["--data-free"], 18, "no batch normalization: none behind layer 'n0'"),
        ("broken", ["--data-free"], 18, "layer 'n3' has weights that are not finite"),
        ("small", ["--data-free", "--method", "hawq3", "--size", "0.01"], 18, "cap on size"),
        ("small", ["--data-free", "--average-bits", "1.5"], 18, "most of it layer 'n6'"),
        ("small", ["--data-free", "--menu", "1,4"], 18, "1 bits in the menu"),
        ("small", ["--data-free", "--menu", "a"], 2, "no menu of widths"),
        ("small", ["--data-free", "--method", "guess"], 18, "no method 'guess'"),
        ("small", ["--data-free", "--method", "hawq2", "--bops", "1"], 18, "cap on size alone"),
        ("small", ["--data-free", "--tie", "n0,nothing"], 18, "names layer 'nothing'"),
        ("small", ["--data-free", "--device", "warp"], 2, "no device"),
        ("small", ["--data-free", "--activations", "5"], 2, "5 activation bits"),
        ("small", ["--method", "uniform"], 18, "without images"),
        ("small", ["--data-free", "--epochs", "1"], 2, "no labels"),
        ("nothing", ["--data-free"], 13, "cannot be imported"),
    ],
)
def test_errors(tmp_path: Path, capsys: pytest.CaptureFixture[str], network: str, options: list[str], code: int, words: str) -> None:
    assert call(tmp_path, *options, network=network)[0] == code
    captured = capsys.readouterr()
    assert words in " ".join((captured.out + captured.err).split())
