"""``hao estimate`` from the outside: a network, a program image, its JSON, its picture, its refusals."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hao.cli.main import invoke
from hao.cli.networks import load_network
from hao.compiler.compile import compile_graph
from hao.engine.config import CI_CONFIGS
from hao.report.estimate import EstimateReport


def test_network_and_its_program_image_cost_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = tmp_path / "digits.hao"
    compile_graph(load_network("digits").graph, CI_CONFIGS["8x8x1"]).save(image)
    found = []
    for subject, extra in (("digits", ["--config", "8x8x1"]), (str(image), [])):
        path, picture = tmp_path / "estimate.json", tmp_path / "frame.html"
        assert invoke(["estimate", subject, *extra, "--json", str(path), "--timeline", str(picture)]) == 0
        found.append(EstimateReport.model_validate(json.loads(path.read_text())))
        assert picture.read_text().count("<rect") == found[-1].instructions - 1
    network, program = found
    assert network.cycles == program.cycles and network.area == program.area and network.configuration == "8x8x1"
    assert 0 < network.cycles.error < 0.1 * network.cycles.value and network.estimated
    assert network.frames_per_second.value == pytest.approx(250e6 / network.cycles.value)
    assert "estimated" in capsys.readouterr().out


def test_what_cannot_be_estimated_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = tmp_path / "digits.hao"
    compile_graph(load_network("digits").graph, CI_CONFIGS["8x8x1"]).save(image)
    assert invoke(["estimate", str(image), "--config", "16x16x2"]) == 2
    assert invoke(["estimate", "nothing"]) == 13
    assert invoke(["estimate", str(tmp_path / "absent.hao")]) == 6
    assert invoke(["estimate", "digits", "--config", "3x3x3"]) == 14
    assert "--config" in capsys.readouterr().err
