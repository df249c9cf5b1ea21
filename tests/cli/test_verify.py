"""``hao verify`` and the pytest plugin: equal things pass, wrong ones end with the code of their kind and the signals of the layer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from hao.cli.main import invoke
from hao.cli.verify import pictures_for
from hao.compiler.compile import compile_in_full
from hao.engine.config import CI_CONFIGS
from hao.errors import CompileError, ConfigurationError, EngineMismatch, ModelError, SimulationError, UsageError
from hao.ir.random_graph import random_graph
from hao.ir.reference import execute
from hao.models import zoo
from hao.report.verification import Verification
from hao.runtime import rtl as rtl_module
from hao.runtime import verify as verify_module
from hao.runtime.rtl import RtlEngine, RtlResult
from hao.runtime.timing import DramTiming
from hao.runtime.verdict import program_of
from hao.runtime.waveform import AFTER_CYCLES, first_wrong, stopped_at
from tests.runtime.support import DIGITS, SMALL, digits, pictures
from tests.runtime.test_rtl import BOARD, SEEDED

PLUGIN = [] if any(each.name == "hao" for each in entry_points(group="pytest11")) else ["-p", "hao.pytest_plugin"]


def test_a_network_is_verified_and_told_to_machines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = ["--junitxml", str(tmp_path / "r" / "v.xml"), "--json", str(tmp_path / "v.json")]
    assert invoke(["verify", "digits", "--design", SMALL, "--count", "2", "--stalls", "40", *paths]) == 0
    assert "all 4 cases equal" in capsys.readouterr().out
    run = Verification.model_validate_json((tmp_path / "v.json").read_text())
    assert run.equal and run.stalls == 40
    assert [case.engine for case in run.cases] == ["csim", "rtl"] * 2
    assert all(case.compared > 5000 for case in run.cases)
    suite = ElementTree.parse(tmp_path / "r" / "v.xml").getroot()
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("4", "0", "0")
    assert {case.get("classname") for case in suite.iter("testcase")} == {"hao.digits.csim", "hao.digits.rtl"}


def test_a_design_is_verified_by_random_programs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.json"
    path.write_text(CI_CONFIGS[SMALL].model_dump_json())
    assert invoke(["verify", str(path), "--count", "2", "--stalls", "60"]) == 0
    said = capsys.readouterr().out
    assert "program-1 on rtl" in said and "all 2 cases equal" in said


def test_a_network_from_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    path = Path(zoo.__file__).parent / f"{DIGITS}.safetensors"
    assert invoke(["verify", str(path), "--design", SMALL, "--count", "1", "--engines", "rtl"]) == 0
    assert "all 1 cases equal" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["nothing"], ModelError.exit_code),
        (["nothing.json"], ConfigurationError.exit_code),
        (["digits", "--engines", "icarus"], UsageError.exit_code),
        (["digits", "--count", "0"], UsageError.exit_code),
        (["codenet-1x-b", "--weights", "random", "--design", SMALL], CompileError.exit_code),
    ],
)
def test_what_cannot_be_verified_has_its_code(arguments: list[str], code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["verify", *arguments]) == code
    assert capsys.readouterr().err.startswith("hao: ")


@pytest.mark.parametrize(("error", "kind"), [(EngineMismatch, "failure"), (SimulationError, "error")])
def test_a_defect_gives_its_code_and_its_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: type[EngineMismatch], kind: str
) -> None:
    """The second case fails; the others are run all the same."""
    judge, calls = verify_module.judge, []

    def failing(*arguments: object) -> object:
        calls.append(1)
        if len(calls) == 2:
            raise error("rtl differs from the reference: <layer> & more", "look")
        return judge(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(verify_module, "judge", failing)
    paths = ["--junitxml", str(tmp_path / "v.xml"), "--json", str(tmp_path / "v.json"), "--artefacts", str(tmp_path / "a")]
    assert invoke(["verify", "digits", "--design", SMALL, "--count", "3", "--engines", "rtl", *paths]) == error.exit_code
    assert "1 of 3 cases failed, first: rtl differs" in capsys.readouterr().err
    run = json.loads((tmp_path / "v.json").read_text())
    assert [case["equal"] for case in run["cases"]] == [True, False, True]
    assert run["cases"][1]["failure"]["exit_code"] == error.exit_code
    (told,) = list(ElementTree.parse(tmp_path / "v.xml").getroot().iter(kind))
    assert told.get("message") == "rtl differs from the reference: <layer> & more"


def test_the_window_begins_before_the_first_wrong_word() -> None:
    made = compile_in_full(zoo.load(DIGITS), CI_CONFIGS[SMALL])
    reference = execute(made.graph, pictures(1)[0])
    result = RtlEngine(CI_CONFIGS[SMALL], DramTiming.of_board(BOARD)).run(program_of(made.image), made.image.pack_input(pictures(1)[0]))
    assert isinstance(result, RtlResult) and result.cycle is not None
    assert first_wrong(made.image, result, reference) is None
    # one bit of one word of the second tensor is turned over
    entry = next(each for each in made.image.trace.entries if each.tensor == made.image.trace.names()[1])
    records = result.taps.records.copy()
    at = np.flatnonzero((records["unit"] == entry.unit) & (records["seq"] == entry.seq))[3]
    records["data"][at, entry.channels.index(max(entry.channels))] ^= 4
    wrong = RtlResult(result.output, type(result.taps)(records), 0.0, result.cycles, result.counters, result.cycle)
    window = first_wrong(made.image, wrong, reference)
    assert window is not None
    assert window.tensor == entry.tensor
    assert window.first < int(result.cycle[at]) == window.last - AFTER_CYCLES
    assert stopped_at("the simulation stopped in cycle 5000 while running: x") is not None
    assert stopped_at("not done after 10 cycles") is None


def test_pictures_for_a_network_without_any() -> None:
    graph = random_graph(3)
    made = pictures_for("", graph, 4, 1)
    assert len(made) == 4
    assert not made[0].any() and (made[1] == 255).all()
    assert len({each.tobytes() for each in pictures_for("", graph, 2, 1)}) == 2


TEST_FILE = f'''
import numpy as np
import pytest
from hao.errors import EngineMismatch

def test_equal(hao_rtl):
    engine = hao_rtl("digits", design="{SMALL}")
    pictures = engine.pictures(2)
    outputs = engine.run(pictures[0])
    assert outputs["linear"].size == 10
    assert engine.cycles > 1000
    assert all(case.equal for case in engine.check(*pictures))
    assert hao_rtl("digits", design="{SMALL}") is engine

def test_nothing_compared(hao_rtl):
    with pytest.raises(EngineMismatch, match="no value was compared"):
        hao_rtl("digits", design="{SMALL}").check()
'''


def test_the_plugin_in_another_repository(tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(TEST_FILE)
    command = [sys.executable, "-m", "pytest", "-q", *PLUGIN, "--hao-stalls", "30", "-p", "no:cacheprovider", "-W", "error"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout


@pytest.mark.nightly
def test_a_fault_in_the_rtl_ends_in_a_waveform_of_the_layer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sources = []
    for path in rtl_module.rtl_sources():
        copy = tmp_path / path.name
        text = path.read_text(encoding="utf-8")
        if path.name == "hao_requant.sv":
            assert text.count(SEEDED[0]) == 1
            text = text.replace(*SEEDED)
        copy.write_text(text, encoding="utf-8")
        sources.append(copy)
    monkeypatch.setattr(rtl_module, "rtl_sources", lambda: tuple(sources))
    arguments = ["verify", "digits", "--design", SMALL, "--count", "1", "--engines", "rtl", "--artefacts", str(tmp_path / "a")]
    assert invoke(arguments) == EngineMismatch.exit_code
    (waveform,) = (tmp_path / "a").glob("*.vcd")
    assert str(waveform) in capsys.readouterr().err
    assert waveform.stem.removeprefix(f"{DIGITS}-0-") in digits().trace.names()
    text = waveform.read_text(errors="replace")
    assert "i_multiplier" in text and "$enddefinitions" in text
    assert text.count("$scope module") > 100
    assert text.count("\n#") > 500  # two edges a cycle
