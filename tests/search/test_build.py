"""A found design on the simulated engine: bit-exact, and its cycles near the prediction."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rich.console import Console

from hao.boards import load_board
from hao.cli.build import Options, run_build
from hao.cli.networks import load_network
from hao.engine.config import CI_CONFIGS
from hao.errors import SearchError
from hao.search.engines import Grid
from hao.search.find import find
from hao.search.space import Request

_SEARCHED = ("pi", "po", "px", "dw_lanes", "fm_words", "win_depth", "wb_words")
SMALLEST = CI_CONFIGS["8x8x1"]


def test_found_design_is_built_and_measured(tmp_path: Path) -> None:
    values = SMALLEST.model_dump()
    frame = {name: value for name, value in values.items() if name not in _SEARCHED}
    grid = Grid(**{name: (values[name],) for name in _SEARCHED}, frames=(frame,))
    found = find(load_network("digits").graph, load_board("ultra96v2"), Request(grid=grid), names=("digits", "", "ultra96v2"))
    assert found.design is not None
    assert found.design.configuration == SMALLEST
    path, report = tmp_path / "design.json", tmp_path / "build.json"
    path.write_text(found.design.model_dump_json(), encoding="utf-8")
    assert run_build(Options(path, engines=("rtl",), json=report), Console(quiet=True)) == 0
    built = json.loads(report.read_text(encoding="utf-8"))
    assert built["engines"]["rtl"]["equal"]
    assert built["engines"]["rtl"]["compared"] > 1000
    assert abs(built["cycles_error"]) < 0.15


def test_a_broken_design_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "design.json"
    path.write_text('{"network": "digits"}', encoding="utf-8")
    with pytest.raises(SearchError, match="is no design"):
        run_build(Options(path), Console(quiet=True))
    with pytest.raises(SearchError, match="cannot be read"):
        run_build(Options(tmp_path / "absent.json"), Console(quiet=True))
