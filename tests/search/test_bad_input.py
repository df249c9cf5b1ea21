"""What cannot be searched is refused by name, and nothing that was there is lost: designs, reports, tables of an earlier search."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hao.boards import load_board
from hao.cli.main import invoke
from hao.cli.networks import load_network
from hao.errors import SearchError
from hao.ir.builder import RandomBuilder
from hao.ir.serialize import save_graph
from hao.resources import shared
from hao.search.engines import Grid
from hao.search.find import find
from hao.search.space import Request

SMALL = Grid(pi=(8, 16), po=(8,), px=(1,), fm_words=(1024, 4096), win_depth=(128,), wb_words=(512, 1024))
NAMES = ("digits", "", "ultra96v2")


@pytest.fixture
def design(tmp_path: Path) -> Path:
    """A design of an earlier search."""
    path = tmp_path / "design.json"
    path.write_text("what was found before", encoding="utf-8")
    return path


def unchanged(design: Path) -> bool:
    """Whether the earlier design is still there, and nothing beside it."""
    return design.read_text(encoding="utf-8") == "what was found before" and len(list(design.parent.glob("*.json"))) == 1


@pytest.mark.parametrize(
    ("line", "words"),
    [("dsp = 360", "resources.dsp"), ("bram36 = 216", "resources.bram36"), ("engine_mhz = 250.0", "clock.engine_mhz")],
)
def test_a_board_without_a_field_is_refused_by_its_name(design: Path, capsys: pytest.CaptureFixture[str], line: str, words: str) -> None:
    text = (shared("boards") / "ultra96v2.toml").read_text(encoding="utf-8")
    assert line in text
    board = design.parent / "mine.toml"
    board.write_text(text.replace(line, ""), encoding="utf-8")
    assert invoke(["search", "digits", "--board", str(board), "--design", str(design), "--json", str(design.parent / "r.json")]) != 0
    assert words in capsys.readouterr().err
    assert invoke(["nas", "--board", str(board), "--out", str(design.parent / "nas")]) != 0
    assert words in capsys.readouterr().err
    assert not (design.parent / "nas").exists()
    assert unchanged(design)


@pytest.mark.parametrize(("kind", "words"), [("kernel", "large: kernel 19"), ("image", "image: 4 channels")])
def test_a_network_with_an_unsupported_node_is_refused_by_its_name(
    design: Path, capsys: pytest.CaptureFixture[str], kind: str, words: str
) -> None:
    channels = 4 if kind == "image" else 3
    build = RandomBuilder(np.random.default_rng(1), (channels, 24, 24), (0,) * channels)
    at = build.conv("stem", "image", 16, 3, pad=1)
    if kind == "kernel":
        at = build.conv("large", at, 16, 19, pad=9)
    graph = build.graph("odd", [build.conv("last", at, 8)])
    path = design.parent / "odd.safetensors"
    save_graph(graph, path)
    assert invoke(["search", "odd", "--weights", str(path), "--design", str(design)]) != 0
    assert words in capsys.readouterr().err
    assert unchanged(design)


def test_limits_that_nothing_meets_leave_the_earlier_design(design: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["search", "digits", "--board", "slice-16", "--orders", "graph", "--design", str(design)]) == 19
    said = capsys.readouterr().out
    assert "these limits conflict" in said
    assert "dsp from 22 to" in said
    assert unchanged(design)


def test_a_killed_solver_costs_no_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The solver dies in the middle of the proof: the tables are kept, the next search only proves."""
    monkeypatch.setenv("HAO_CACHE", str(tmp_path / "cache"))
    killed = tmp_path / "cbc"
    killed.write_text("#!/bin/sh\nkill -9 $$\n", encoding="utf-8")
    killed.chmod(0o755)
    graph, board = load_network("digits").graph, load_board("ultra96v2")
    free = find(graph, board, Request(grid=SMALL, orders=("graph",)), names=NAMES)
    assert free.outcome.answer is not None
    request = Request("perturbation", cycles=free.outcome.answer.cycles * 0.9, damage=1e9, grid=SMALL, orders=("graph",))
    for table in (tmp_path / "cache" / "segments").iterdir():
        table.unlink()
    monkeypatch.setenv("HAO_CBC", str(killed))
    with pytest.raises(SearchError, match="the solver ended with status"):
        find(graph, board, request, names=NAMES)
    monkeypatch.delenv("HAO_CBC")
    again = find(graph, board, request, names=NAMES)
    assert again.space.counts["kept_tables"] == again.space.counts["tables"] > 0
    assert again.outcome.status in ("optimal", "infeasible")
