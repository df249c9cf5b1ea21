"""The tool that seeds faults finds them where they are, puts them in, and counts honestly; the published table is what it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from hao.mutation.engine_jury import faulty_sources
from hao.mutation.equivalent import excused, reason_of, reasons
from hao.mutation.mutant import Mutant, Verdict, interval, sample, text_digest
from hao.mutation.python_faults import python_mutants
from hao.mutation.python_runner import PythonJury, in_child
from hao.mutation.rtl_runner import benches_of, judge_by_bench, judge_by_proof, proofs_of
from hao.mutation.survey import SEED, Row, Table, counted, digest_of, files_of, population, sound_text
from hao.mutation.verilog_faults import verilog_mutants

BENCHES = tuple({repr(bench): bench for file in files_of("rtl") for bench in benches_of(Path(file).stem)}.values())
TABLE = Path(__file__).resolve().parents[2] / "benchmarks" / "mutation.json"
PYTHON = '''def f(a, b):
    """Says 1 + 1."""
    if a > 3:
        raise ValueError("1 + 1")
    return min(a + 1, -b) if a <= b and not b else a >> 2
'''
VERILOG = """module m (
  input logic a_i
);
  // a == b
  assign x = (a_i == b) && ready_i && !c;
`ifndef SYNTHESIS
  assert property (a == b);
`endif
endmodule
"""


def test_faults_of_python() -> None:
    found = {(mutant.kind, mutant.before, mutant.after) for mutant in python_mutants("f.py", PYTHON)}
    assert {("bound", "min", "max"), ("sign", "+", "-"), ("comparison", "<=", "<"), ("condition", "and", "or")} <= found
    assert {("shift", ">>", "<<"), ("off by one", "2", "3"), ("off by one", "1", "2"), ("condition", "not ", "")} <= found
    assert ("comparison", ">", ">=") not in found, "refusals are left alone"
    for mutant in python_mutants("f.py", PYTHON):
        changed = mutant.apply(PYTHON)
        assert changed != PYTHON and changed.count("\n") == PYTHON.count("\n")
        compile(changed, "f.py", "exec")
        with pytest.raises(ValueError, match="not the text"):
            mutant.apply("x" + PYTHON)


def test_faults_of_verilog() -> None:
    found = [(mutant.line, mutant.kind, mutant.before) for mutant in verilog_mutants("m.sv", VERILOG)]
    assert (5, "comparison", "==") in found and (5, "dropped stall", " && ready_i") in found
    assert all(line == 5 for line, _, _ in found), "comments, headers and assertions are left alone"


def test_every_reason_speaks_of_one_fault() -> None:
    """One that speaks of two may be true of the first and hide the second."""
    faults: dict[str, list[Mutant]] = {}
    for target in ("reference", "compiler", "rtl"):
        for mutant in population(target):
            faults.setdefault(mutant.file, []).append(mutant)
    assert {(file, part): len(excused(part, faults[file], sound_text(file))) for file, part, _ in reasons()} == {
        (file, part): 1 for file, part, _ in reasons()
    }


def test_samples_and_intervals() -> None:
    everything = [Mutant("f", line, "sign", 0, 1, "+", "-") for line in range(100)]
    drawn = sample(everything, 10, 1)
    assert drawn == sample(everything, 10, 1) and len({mutant.line for mutant in drawn}) == 10
    assert sample(everything, 1000, 1) == everything
    low, high = interval(95, 100)
    assert 0.88 < low < 0.95 < high < 0.99
    assert interval(0, 0) == (0.0, 1.0)
    for total in range(1, 1200):
        assert (interval(total, total)[1], interval(0, total)[0]) == (1.0, 0.0)


def test_children_end_by_themselves() -> None:
    assert in_child(lambda: "seven") == "seven"
    assert in_child(lambda: str(1 // 0)) is None
    assert in_child(lambda: str(sum(iter(int, 1))), seconds=1) is None


def test_rounding_faults_of_the_reference_are_seen() -> None:
    text = sound_text("hao/ir/reference.py")
    jury = PythonJury(("csim-native",), SEED, 12)
    line = text[: text.index("product += np.int64(1) << (s - 1)")].count("\n") + 1
    chosen = [mutant for mutant in python_mutants("hao/ir/reference.py", text) if mutant.line == line]
    assert len(chosen) >= 3
    assert {jury.judge(mutant, text)[0] for mutant in chosen} <= {Verdict.KILLED, Verdict.CRASHED}


def test_a_dropped_stall_is_seen() -> None:
    file = "accel/rtl/hao_write_dma.sv"
    text = sound_text(file)
    drain = next(mutant for mutant in verilog_mutants(file, text) if mutant.before == " && !drain_i")
    assert judge_by_proof(drain, text)[0] is Verdict.KILLED


def test_a_bench_sees_a_fault_and_nothing_else() -> None:
    """One build holds all faults; the number chooses."""
    file = "accel/rtl/hao_fifo_pair.sv"
    text, faulty, bench = sound_text(file), faulty_sources(), benches_of("hao_fifo_pair")[0]
    line = next(number for number, words in enumerate(text.splitlines(), 1) if words.strip().startswith("next_valid_q <= !head_free"))
    number = next(number for number, mutant in faulty.faults.items() if (mutant.file, mutant.line) == (file, line))
    assert judge_by_bench(number, faulty, bench)[0] is Verdict.KILLED
    assert judge_by_bench(0, faulty, bench)[0] is Verdict.SURVIVED


def test_modules_have_benches_or_proofs() -> None:
    """Only what the whole engine alone can run has neither."""
    modules = {Path(file).stem for file in files_of("rtl")}
    without = {module for module in modules if not benches_of(module) and not proofs_of(module)}
    assert without == {"hao_engine", "hao_frontend", "hao_ram", "hao_units"}


@pytest.mark.nightly
@pytest.mark.parametrize("bench", sorted({bench.top: bench for bench in BENCHES}), ids=str)
def test_every_bench_passes_on_the_sound_rtl(bench: str) -> None:
    """Or every fault would count as seen."""
    faulty = faulty_sources()
    for each in (each for each in BENCHES if each.top == bench):
        assert judge_by_bench(0, faulty, each)[0] is Verdict.SURVIVED


def _table() -> Table:
    return Table.model_validate_json(TABLE.read_text(encoding="utf-8"))


def test_the_published_table_is_whole() -> None:
    table = _table()
    assert table.digest == digest_of(table.surveys)
    for survey in table.surveys:
        assert survey.drawn == len(survey.rows) <= survey.population
        assert survey.seen == sum(row.verdict in (Verdict.KILLED, Verdict.CRASHED) for row in survey.rows)
        assert survey.equivalent == sum(bool(row.reason) for row in survey.rows)
        assert survey == counted(survey.target, survey.seed, survey.population, survey.rows, survey.seconds)
        judged = survey.drawn - survey.equivalent - survey.other
        assert survey.rate == pytest.approx(survey.seen / judged) and survey.low <= survey.rate <= survey.high
        assert all(row.file in files_of(survey.target) for row in survey.rows)


def _current(row: Row) -> bool:
    return text_digest(sound_text(row.file)) == row.source


def test_a_row_of_the_table_repeats() -> None:
    """One fault of the reference whose source is still the measured one, drawn by the table's digest."""
    table = _table()
    rows = [row for survey in table.surveys if survey.target == "reference" for row in survey.rows if _current(row)]
    assert rows, "the reference has changed: measure again with hao mutate"
    row = rows[int(table.digest[:8], 16) % len(rows)]
    cases = int(row.by.split(":")[1]) + 1 if row.by else 12
    verdict, _ = PythonJury(("csim-native",), SEED, cases).judge(row.mutant, sound_text(row.file))
    assert verdict is row.verdict or (row.reason and reason_of(row.mutant, sound_text(row.file)) == row.reason)
