"""Campaigns: everything equal on every engine, counted; and a seeded fault is found, shrunk and replayed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hao.boards import load_board
from hao.cli.main import invoke
from hao.compiler import content
from hao.engine.config import CI_CONFIGS
from hao.errors import DataError, UsageError
from hao.fuzz.campaign import Campaign, Plan
from hao.fuzz.case import Case, draw_case
from hao.fuzz.engines import ENGINES, Fleet
from hao.fuzz.outcome import Verdict
from hao.fuzz.programs import ProgramCase, draw_program, run_program, shrink_program
from hao.fuzz.reduce import REDUCTIONS, legal
from hao.fuzz.report import FuzzReport
from hao.fuzz.reproducer import load_reproducer, save_reproducer
from hao.fuzz.shrink import shrink
from hao.ir.graph import Conv
from hao.ir.random_graph import random_graph
from hao.ir.serialize import network_digest
from hao.runtime.csim import CsimEngine

BOARD = load_board("ultra96v2")
SMALL = "8x8x1"


def plan(cases: int, **values: object) -> Plan:
    return replace(Plan(cases, 1, CI_CONFIGS, BOARD), **values)


def test_fixed_budget_on_every_engine() -> None:
    """What continuous integration runs: 120 networks and 30 programs over all configurations."""
    report = Campaign(plan(120, programs=30, seed=2026)).run()
    assert report.failures == ()
    assert report.cases == 150 and report.programs == 30
    assert report.equal >= 120 and report.equal + report.refused == 150
    assert report.compared > 3_000_000 and report.cycles > 500_000
    assert set(report.spread["configuration"]) == set(CI_CONFIGS)
    assert min(report.spread["operator"].values()) >= 10
    assert set(report.spread["weight bits"]) == set("2345678")


def test_an_interrupted_run_goes_on() -> None:
    """Twenty cases in two runs are the twenty of one, in every count."""
    whole = plan(16, programs=4, engines=("executor",), seed=8)
    at_once = Campaign(whole).run()
    report = Campaign(replace(whole, seconds=0)).run()
    assert (report.cases, report.planned, report.planned_programs) == (1, 20, 4)
    report = Campaign(replace(whole, seconds=1e-9, before=report)).run()
    assert report.cases == 2
    report = Campaign(replace(whole, before=report)).run()
    times = {"seconds": 0.0, "cpu_seconds": {}}
    assert report.model_copy(update=times) == at_once.model_copy(update=times) and report.cases == 20
    for other in (replace(whole, seed=9), replace(whole, cases=17), replace(whole, stalls=(0,)), replace(whole, commit="x")):
        with pytest.raises(UsageError, match="another"):
            Campaign(replace(other, before=report))


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(10))
def test_nightly_budget(seed: int, tmp_path: Path) -> None:
    """5 000 networks and 1 000 programs."""
    report = Campaign(plan(500, programs=100, seed=100 + seed, folder=tmp_path)).run()
    assert report.failures == ()
    assert report.cases == 600 and report.equal > 480


@pytest.fixture
def wrong_biases(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A compiler that spoils the bias of channel 5 and above of every layer."""
    right = content._requant_data

    def wrong(scaling: content.Scaling, channels: dict[int, int]) -> bytes:
        bias = scaling.bias.copy()
        bias[5:] += 1 << 20
        return right(replace(scaling, bias=bias), channels)

    monkeypatch.setattr(content, "_requant_data", wrong)
    yield


def test_a_wrong_compiler_is_found_and_shrunk(wrong_biases: None, tmp_path: Path) -> None:
    report = Campaign(plan(12, engines=("executor",), folder=tmp_path, seed=4)).run()
    assert len(report.failures) >= 5 and not report.passed
    failure = report.failures[0]
    assert failure.stage == "executor" and "differs from the reference" in failure.message
    case, config = load_reproducer(Path(failure.reproducer))
    assert isinstance(case, Case)
    assert Fleet(("executor",), {case.config: config}).run(case).verdict is Verdict.FAILED
    assert len(case.graph.nodes) <= 3 and case.pixels.size <= 12
    assert all(len(node.weight) == 6 for node in case.graph.nodes[-1:] if isinstance(node, Conv))


def test_a_reproducer_says_what_the_case_was(tmp_path: Path) -> None:
    case = draw_case(1, 1, (SMALL,), BOARD)
    again, config = load_reproducer(save_reproducer(case, CI_CONFIGS[SMALL], "rtl", "a message", tmp_path, "one"))
    assert isinstance(again, Case) and config == CI_CONFIGS[SMALL]
    assert network_digest(again.graph) == network_digest(case.graph)
    assert np.array_equal(again.pixels, case.pixels)
    assert again.timing == case.timing and again.fill == case.fill
    program = draw_program(1, 1, {SMALL: CI_CONFIGS[SMALL]}, BOARD)
    back, _ = load_reproducer(save_reproducer(program, CI_CONFIGS[SMALL], "rtl", "", tmp_path, "two"))
    assert isinstance(back, ProgramCase)
    assert back.program == replace(program.program, program=back.program.program) or back.program.image == program.program.image
    assert back.program.program == program.program.program and back.timing == program.timing
    path = tmp_path / "two.json"
    for text in ("", "{}", path.read_text()[:-40], path.read_text().replace('"version": 1', '"version": 2')):
        path.write_text(text)
        with pytest.raises(DataError):
            load_reproducer(path)


def test_a_faulty_kernel_is_found_by_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel that loses the last byte of OUTPUT; the shrunk program still has the fault and few instructions."""
    right = CsimEngine.execute

    def wrong(self: CsimEngine, *arguments: object, **options: object) -> object:
        result, scratch = right(self, *arguments, **options)  # type: ignore[arg-type]
        return replace(result, output=result.output[:-1] + bytes([result.output[-1] ^ 1])), scratch

    fleet = Fleet(("csim-native",), {SMALL: CI_CONFIGS[SMALL]})
    case = draw_program(1, 2, fleet.configs, BOARD)
    assert run_program(fleet, case).verdict is Verdict.EQUAL
    monkeypatch.setattr(CsimEngine, "execute", wrong)
    outcome = run_program(fleet, case)
    assert outcome.verdict is Verdict.FAILED and outcome.stage == "csim-native" and "OUTPUT" in outcome.message
    small = shrink_program(fleet, case, outcome.stage, 60)
    assert len(small.program.program) < len(case.program.program) // 2


def test_reductions_keep_graphs_legal_and_make_them_smaller() -> None:
    graph = random_graph(3, 12)
    kept = dict.fromkeys((reduction.__name__ for reduction in REDUCTIONS), 0)
    for reduction in REDUCTIONS:
        for candidate in reduction(graph):
            kept[reduction.__name__] += legal(candidate) is not None
    assert min(kept.values()) >= 2, kept


def test_shrinking_ends_where_nothing_smaller_fails() -> None:
    case = draw_case(6, 0, (SMALL,), BOARD)
    small = shrink(case, lambda each: any(isinstance(node, Conv) for node in each.graph.nodes), seconds=60)
    assert len(small.graph.nodes) == 2
    assert small.pixels.shape[1:] == (1, 1) and not small.pixels.any()
    assert len(small.graph.nodes[1].weight) == 1 and not small.graph.nodes[1].weight.any()
    assert shrink(case, lambda each: False) is case


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = tmp_path / "fuzz.json"
    options = ["--engines", "executor,csim-native", "--configs", SMALL, "--json", str(report), "--out", str(tmp_path)]
    assert invoke(["fuzz", "--cases", "6", "--programs", "2", "--seed", "3", *options]) == 0
    read = FuzzReport.model_validate_json(report.read_text())
    assert read.cases == 8 and read.programs == 2 and read.passed
    assert "8 cases (seed 3, from 0)" in capsys.readouterr().out
    for wrong in (["--cases", "0"], ["--engines", "silicon"], ["--configs", "1x1x1"], ["--stall", "999"], ["--stall", "x"]):
        assert invoke(["fuzz", *options, *wrong]) == 2, wrong
    assert invoke(["fuzz", "--replay", str(tmp_path / "absent.json")]) == 4
    assert invoke(["fuzz", "--cases", "6", "--programs", "2", "--seed", "3", *options, "--resume"]) == 0
    assert FuzzReport.model_validate_json(report.read_text()).cases == 8
    assert invoke(["fuzz", "--cases", "6", "--programs", "2", "--seed", "4", *options, "--resume"]) == 2
    report.write_text("{}")
    assert invoke(["fuzz", "--cases", "6", "--programs", "2", "--seed", "3", *options, "--resume"]) == 4


def test_engines_are_known() -> None:
    assert set(Campaign(plan(1)).fleet.engines) == set(ENGINES)
