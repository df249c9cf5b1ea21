"""Every property of the list holds for all time, and every fault seeded into the RTL breaks one that names it."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from hao.cli.prove import prove_all
from hao.errors import ProofError, ProofUndecided
from hao.formal.prove import Method, Proof, Status, checker_text, labels, prove, run_yosys
from hao.formal.tasks import TASKS, Task
from hao.resources import shared

FAULTS = {
    # task, file, text and what it becomes, one of the properties that must fail
    "overflow": ("hao_fifo(Depth=2, FallThrough=0)", "hao_fifo", "assign in_ready_o  = !full;", "assign in_ready_o  = 1'b1;", "capacity"),
    "pointer not wrapped": (
        "hao_fifo(Depth=3, FallThrough=1)", "hao_fifo", "(32'(ptr) == Depth - 1) ? '0 :", "", "pointers_agree",
    ),
    "place given twice": (
        "hao_fifo_pair", "hao_fifo_pair", "assign in_ready_o  = in_ready_q;", "assign in_ready_o  = 1'b1;", "capacity",
    ),
    "word lost in the stage": ("hao_fifo_ram(Depth=2)", "hao_fifo_ram", "32'(behind_q) != Behind", "1'b1", "output_stage_has_room"),
    "burst one word too long": (
        "hao_burst(MaxBurst=64)", "hao_burst", "16'(MaxBurst) - 16'", "16'(MaxBurst + 1) - 16'", "inside_4_kib",
    ),
    "last burst unmarked": ("hao_burst(MaxBurst=4)", "hao_burst", "last_q   <= left_next <= 16'(MaxBurst);", "", "last_is_marked"),
    "stall counted at rest": ("hao_counters", "hao_counters", "if (stall_i[u] && active_i[u])", "if (stall_i[u])", "every_counter_counts"),
    "dependency off by one": (
        "hao_issue(QueueDepth=3)", "hao_issue", "difference = count - needed;", "difference = count - needed + 16'd1;", "only_when_reached",
    ),
    "halt ignored": ("hao_issue(QueueDepth=3)", "hao_issue", "met_q <= head_valid && met && !halt_i;", "met_q <= head_valid && met;",
                     "only_when_reached"),
    "cleared with traffic": (
        "hao_control", "hao_control", "if (dma_idle_i) state = Clear;", "state = Clear;", "cleared_only_when_idle"),
    "halt for ever": ("hao_control", "hao_control", "if (active_i == '0) state = Drain;", "if (active_i != '0) state = Drain;",
                      "halt_is_bounded"),
    "answer withdrawn": (
        "hao_regs", "hao_regs", "else if (s_axil_bready) bvalid_q <= 1'b0;", "else bvalid_q <= 1'b0;", "write_answer_is_held"),
    "end before the units": ("hao_fetch", "hao_fetch", "opcode == OpEnd && units_idle_i;", "opcode == OpEnd;", "end_only_at_rest"),
    "one word too many on the way": (
        "hao_store", "hao_store", "asking_q     <= reading && room;", "asking_q     <= reading;",
                                     "room_for_every_answer"),
    "room seen one word late": ("hao_store", "hao_store", "!(read && credit_q == 4'd1)", "!(read && credit_q == 4'd0)", "credit_is_room"),
    "reader starved": ("hao_feature_memory(PX=2)", "hao_feature_memory", "dense_first_q <= !dense_first_q;", "dense_first_q <= 1'b1;",
                       "store_waits_bounded"),
    "writer starved": ("hao_feature_memory(PX=1)", "hao_feature_memory",
                       "turn_wr_q[b] <= {bank_grant[b][1:0], bank_grant[b][2]};", "turn_wr_q[b] <= 3'b001;", "writer_2_waits_bounded"),
    "room counted once": ("hao_read_dma(MaxBurst=4, Outstanding=2)", "hao_read_dma", "32'(used_q[c]) + 32'(burst_beats[c])",
                          "32'(used_q[c])", "fits_1"),
    "idle too early": ("hao_read_dma(MaxBurst=4, Outstanding=2)", "hao_read_dma", "idle_o    = !arvalid_q && !order_valid;",
                       "idle_o    = !arvalid_q;", "idle_owes_nothing"),
    "last beat early": ("hao_write_dma(MaxBurst=4, Outstanding=2)", "hao_write_dma", "wlast_q  <= (sent_q == data_len);",
                        "wlast_q  <= (sent_q + 8'd1 >= data_len);", "last_where_promised"),
    "no ready, no wait": ("hao_write_dma(MaxBurst=4, Outstanding=2)", "hao_write_dma", "assign w_free     = !wvalid_q || m_axi_wready;",
                          "assign w_free     = 1'b1;", "data_is_held"),
}  # fmt: skip
ALWAYS = ("burst one word too long", "dependency off by one", "last beat early", "cleared with traffic", "room seen one word late")
"""Seen in every run; the others at night."""


def task(name: str) -> Task:
    """The task of a name."""
    return next(each for each in TASKS if each.name == name)


@pytest.mark.parametrize("name", [pytest.param(each.name, marks=pytest.mark.nightly if each.nightly else ()) for each in TASKS])
def test_holds(name: str) -> None:
    proof = prove(task(name))
    assert proof.failed == ()
    assert proof.status is (Status.BOUNDED if task(name).bound else Status.PROVEN), proof
    assert proof.properties and proof.reached


@pytest.mark.parametrize("fault", [pytest.param(name, marks=() if name in ALWAYS else pytest.mark.nightly) for name in FAULTS])
def test_broken_property_is_seen(fault: str) -> None:
    name, module, text, wrong, expected = FAULTS[fault]
    sound = (shared("accel") / "rtl" / f"{module}.sv").read_text(encoding="utf-8")
    assert sound.count(text) == 1, f"the text of {fault!r} is not in {module} once"
    proof = prove(task(name), {f"{module}.sv": sound.replace(text, wrong)}, look_at=(expected,))
    assert proof.status is Status.FAILED, proof
    assert expected in proof.failed


def test_a_failure_is_found_by_the_bounded_search() -> None:
    """A proof for all time may never end on a faulty module, so a search from reset comes first and says how long the failure takes."""
    name, module, text, wrong, _ = FAULTS["room seen one word late"]
    sound = (shared("accel") / "rtl" / f"{module}.sv").read_text(encoding="utf-8")
    proof = prove(task(name), {f"{module}.sv": sound.replace(text, wrong)}, look_at=())
    assert (proof.status, proof.method) == (Status.FAILED, Method.BOUNDED)
    assert 8 <= proof.cycles <= 20, "eight words fill the buffer"
    assert proof.seconds < 60


def test_what_is_not_decided_in_time_is_said_to_be_undecided() -> None:
    """One second is too little for the DMA: the answer is neither yes nor no, and it comes soon."""
    begin = time.monotonic()
    proof = prove(task("hao_write_dma(MaxBurst=4, Outstanding=2)"), seconds=1)
    assert (proof.status, proof.failed) == (Status.UNDECIDED, ())
    assert 0 < proof.cycles < 20 and time.monotonic() - begin < 240


def test_a_solver_that_does_not_keep_its_limit_is_killed(tmp_path: Path) -> None:
    """The process ends when it has used its time, whatever the solver does."""
    endless = "read_verilog -icells dummy.v\n" + "hierarchy -check\nproc\nopt\n" * 100_000
    (tmp_path / "dummy.v").write_text("module dummy(input a, output y); assign y = a; endmodule\n", encoding="utf-8")
    begin = time.monotonic()
    assert not run_yosys(tmp_path, endless, 3)
    assert time.monotonic() - begin < 60
    assert run_yosys(tmp_path, "read_verilog -icells dummy.v\n", 60)


def test_undecided_and_failed_end_differently(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has an error and an exit code of its own."""
    sound = Proof("hao_control", Status.PROVEN, Method.PDR, ("a",), (), (), 0, 1.0)

    def ends(status: Status, failed: tuple[str, ...] = ()) -> int:
        monkeypatch.setattr("hao.cli.prove.prove", lambda _: replace(sound, status=status, failed=failed))
        return prove_all("hao_control", None, Console(quiet=True))

    assert ends(Status.PROVEN) == ends(Status.BOUNDED) == 0
    with pytest.raises(ProofError, match="failed, first hao_control: a") as error:
        ends(Status.FAILED, ("a",))
    assert error.value.exit_code == 29
    with pytest.raises(ProofUndecided, match="not decided, first hao_control within 120 s") as error:
        ends(Status.UNDECIDED)
    assert error.value.exit_code == 30


def test_every_checker_is_run_and_listed() -> None:
    """No checker lies about unused, no label twice, and the page names every module with its number of properties."""
    files = {path.stem for path in (shared("accel") / "formal").glob("*.sv")}
    assert files == {each.checker for each in TASKS}
    page = (shared("accel").parent / "docs" / "trust.md").read_text(encoding="utf-8")
    for checker in sorted(files):
        text = checker_text(checker)
        found = re.findall(r"^\s*(\w+):\s*assert\b", text, re.MULTILINE)
        assert len(found) == len(set(found)), checker
        assert "assert property" not in text, "Yosys reads no concurrent assertions"
        properties, states = labels(text)
        assert f"| `{checker.replace('formal_', 'hao_')}` | {len(properties)} |" in page, (checker, len(properties), len(states))


def test_an_unknown_property_cannot_pass() -> None:
    """A checker whose only property is false is reported, by both engines: the status is read, not assumed."""
    wrong = {"hao_ram.sv": "module hao_ram; endmodule\n"}
    with pytest.raises(Exception, match="Yosys refused"):
        prove(task("hao_fifo_ram(Depth=2)"), wrong)
