"""The notebook of the board, run on the simulator: every cell, in order."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hao.runtime import board as board_module
from tests.runtime.support import digits

NOTEBOOK = Path(__file__).resolve().parents[2] / "examples" / "pynq" / "hao_on_the_board.ipynb"


def test_every_cell_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    digits().save(tmp_path / "codenet.hao")
    monkeypatch.chdir(tmp_path)
    cells = ["".join(cell["source"]) for cell in json.loads(NOTEBOOK.read_text())["cells"] if cell["cell_type"] == "code"]
    assert len(cells) >= 7
    assert cells[0].startswith('KIND = "pynq"')
    names: dict[str, object] = {}
    for cell in [cells[0].replace('"pynq"', '"sim"', 1), *cells[1:]]:
        exec(compile(cell, "cell", "exec"), names)
    said = capsys.readouterr().out
    assert "digits" in said
    assert "is not done after 100 cycles" in said
    assert isinstance(names["board"], board_module.Board)
