"""``hao quantize`` killed in any of its stages goes on where it was and ends with the network and the report of an undisturbed run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor

from hao.cli import quantize_source
from hao.cli.main import invoke
from hao.quant.state import Facts, Kept
from hao.report.quantize import QuantizeReport
from tests.cli.test_quantize import small

torch.set_num_threads(1)
NETWORK = [f"{small.__module__}:small", "--shape", "1,8,8", "--iterations", "24", "--probes", "48"]
CASES = {
    "distilled": [*NETWORK, "--data-free", "--average-bits", "3"],
    "divergences": [*NETWORK, "--data-free", "--average-bits", "3"],
    "traces": [*NETWORK, "--data-free", "--method", "hawq2", "--average-bits", "3"],
    "eigenvalues": [*NETWORK, "--data-free", "--method", "hawq", "--average-bits", "3"],
    "channels": [*NETWORK, "--data-free", "--method", "uniform", "--menu", "4", "--prune", "0.3"],
    "training-float": ["digits", "--method", "uniform", "--menu", "4"],
    "staged": ["digits", "--method", "hawq", "--average-bits", "3", "--epochs", "1", "--staged"],
    "training": ["digits", "--method", "uniform", "--menu", "3", "--epochs", "3"],
}

OFTEN = """
import sys, torch
from hao.cli.main import invoke
from hao.quant.state import Kept
torch.set_num_threads(1)
Kept.due = lambda self: True
sys.exit(invoke(sys.argv[1:]))
"""


class Killed(BaseException):
    """Stands for a signal: no part of HAO catches it."""


def call(work: Path, options: list[str]) -> tuple[QuantizeReport, bytes]:
    out, report = work / "net.safetensors", work / "report.json"
    common = ["--seed", "3", "--work", str(work), "--out", str(out), "--json", str(report)]
    assert invoke(["quantize", *options, *common]) == 0
    found = QuantizeReport.model_validate_json(report.read_text())
    return found.model_copy(update={"solve_seconds": None}), out.read_bytes()


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Kept, "due", lambda self: True)
    monkeypatch.setattr(quantize_source, "_EPOCHS", 3)


@pytest.mark.parametrize("case", CASES)
def test_killed_in_a_stage(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = case.replace("staged", "training")
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    written: list[str] = []
    save = Kept.save

    def counted(self: Kept, tensors: Mapping[str, Tensor], facts: Facts) -> None:
        save(self, tensors, facts)
        written.append(self.path.name.rpartition("-")[0])

    monkeypatch.setattr(Kept, "save", counted)
    expected = call(whole, CASES[case])
    total, half = written.count(stage), max(1, written.count(stage) // 2)
    assert total >= 3
    written.clear()

    def killing(self: Kept, tensors: Mapping[str, Tensor], facts: Facts) -> None:
        counted(self, tensors, facts)
        if written.count(stage) == half:
            raise Killed

    monkeypatch.setattr(Kept, "save", killing)
    with pytest.raises(Killed):
        call(broken, CASES[case])
    monkeypatch.setattr(Kept, "save", counted)
    written.clear()
    assert call(broken, CASES[case]) == expected
    # What was done is not done again.
    assert written.count(stage) == total - half
    # A state that is damaged is none.
    for file in broken.glob(f"{stage}-*.safetensors"):
        file.write_bytes(file.read_bytes()[:-7])
    assert call(broken, CASES[case]) == expected


def test_killed_by_a_signal(tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    options = list(CASES["distilled"])
    options[options.index("24")] = "600"
    expected = call(whole, options)
    command = [sys.executable, "-c", OFTEN, "quantize", *options]
    command += ["--seed", "3", "--work", str(broken), "--out", str(broken / "net.safetensors"), "--json", str(broken / "report.json")]
    process = subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"}, cwd=Path(__file__).parents[2])
    ends = time.monotonic() + 120
    while not list(broken.glob("distilled-*.safetensors")) and process.poll() is None and time.monotonic() < ends:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert list(broken.glob("distilled-*.safetensors")) and not (broken / "report.json").is_file()
    assert call(broken, options) == expected
