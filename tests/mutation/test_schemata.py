"""Faults behind numbers: each lies in the expression where it belongs, and what no number can choose is left out."""

from __future__ import annotations

import pytest

from hao.mutation.engine_jury import EngineJury, faulty_sources
from hao.mutation.mutant import Mutant, Verdict
from hao.mutation.schemata import switched
from hao.mutation.verilog_faults import verilog_mutants

SOURCE = """module m #(
  parameter int N = 4
) (
  input logic [3:0] a_i, b_i
);
  typedef struct packed {logic x; logic y;} pair_t;
  pair_t pair;
  if (N == 4) begin : gen_four
    assign o = a_i == b_i;  // a_i == 4
  end
  function automatic logic [3:0] more(logic [3:0] v);
    return v + 4'd1;
  endfunction
  other #(.Width(N + 1)) u_other (.in_i(a_i && b_i));
  always_ff @(posedge clk_i) begin
    if (a_i > b_i) q <= {a_i - b_i, c_i};
    else if (go) q[a_i + 1] <= '0;
    case (a_i)
      4'd1: r = b_i != c_i;
      default: r = '0;
    endcase
    pair <= '{x: a_i == c_i, y: b_i != c_i};
  end
endmodule
"""


def _alone(number: int, mutant: Mutant) -> str:
    return switched(SOURCE, [(number, mutant)])[0]


def test_every_fault_is_where_it_belongs() -> None:
    """Each expression twice, faulty and sound, and the rest of the source as it was."""
    faults = {(mutant.line, mutant.before): mutant for mutant in verilog_mutants("m.sv", SOURCE)}
    places = {
        (9, "=="): "assign o =  ((hao_fault == 7) ? ( a_i != b_i) : ( a_i == b_i)) ;",
        (12, "+"): "return ((hao_fault == 7) ? ( v - 4'd1) : ( v + 4'd1)) ;",
        (14, "&&"): ".in_i( ((hao_fault == 7) ? (a_i || b_i) : (a_i && b_i)) )",
        (16, ">"): "if ( ((hao_fault == 7) ? (a_i >= b_i) : (a_i > b_i)) ) q <= {a_i - b_i, c_i};",
        (16, "-"): "q <= ((hao_fault == 7) ? ( {a_i + b_i, c_i}) : ( {a_i - b_i, c_i})) ;",
        (19, "!="): "r = ((hao_fault == 7) ? ( b_i == c_i) : ( b_i != c_i)) ;",
        (22, "=="): "'{x: ((hao_fault == 7) ? ( a_i != c_i) : ( a_i == c_i)) , y: b_i != c_i};",
        (22, "!="): "y: ((hao_fault == 7) ? ( b_i == c_i) : ( b_i != c_i)) };",
    }
    for key, wanted in places.items():
        text = _alone(7, faults[key])
        assert " ".join(wanted.split()) in " ".join(text.split()), (key, text)
        assert text.count("hao_fault == 7") == 1


def test_what_no_number_can_choose_is_left_out() -> None:
    """Parameters, conditions of generate, left sides and labels of cases are constants or no values."""
    numbered = list(enumerate(verilog_mutants("m.sv", SOURCE), 1))
    text, included = switched(SOURCE, numbered)
    left_out = {(mutant.line, mutant.before) for number, mutant in numbered if number not in included}
    assert left_out == {(14, "+"), (17, "+"), (19, "1")}
    assert text.count("int hao_fault;") == 1 and "if (N == 4) begin : gen_four" in text
    assert switched(SOURCE, []) == (SOURCE, [])


def test_nearly_all_faults_of_the_engine_are_in_one_model() -> None:
    faulty = faulty_sources()
    assert len(faulty.faults) > 1500 and len(faulty.left_out) < len(faulty.faults) // 20
    assert len(set(faulty.faults.values())) == len(faulty.faults)


@pytest.mark.nightly
def test_faults_of_the_engine_are_seen() -> None:
    """Number 0 is the sound engine; a dropped stall, a wrong depthwise tap and a wrong register are not."""
    jury = EngineJury()
    assert jury.judge(0) == (Verdict.SURVIVED, "")
    chosen = [number for number, mutant in jury.faulty.faults.items() if mutant.kind in ("dropped stall", "shift")][:20]
    verdicts = [jury.judge(number)[0] for number in chosen]
    assert sum(verdict in (Verdict.KILLED, Verdict.CRASHED) for verdict in verdicts) > len(chosen) // 2
