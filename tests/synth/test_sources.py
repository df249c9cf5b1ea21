"""What synthesis reads: no comments, nothing that simulation alone sees; and what a digest depends on."""

from __future__ import annotations

import pytest

from hao.errors import SynthesisError
from hao.synth.sources import Sources, as_synthesized
from hao.synth.yosys import BlockKey, plan_block


def test_what_simulation_alone_sees_is_left_out() -> None:
    text = "a; // why\n\n`ifndef SYNTHESIS\n  assert (b);\n`else\n  c;\n`endif\n`ifdef SYNTHESIS\n  d;\n`else\n  e;\n`endif\n  // f\ng;\n"
    assert as_synthesized(text) == "a;\n  c;\n  d;\ng;\n"


def test_conditions_nest() -> None:
    text = "`ifndef SYNTHESIS\n`ifdef SYNTHESIS\na;\n`else\nb;\n`endif\n`else\n`ifdef SYNTHESIS\nc;\n`endif\n`endif\n"
    assert as_synthesized(text) == "c;\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("`define X 1\n", "`define X 1"),
        ("`ifdef VERILATOR\n`endif\n", "`ifdef VERILATOR"),
        ("`endif\n", "`endif"),
        ("`ifdef SYNTHESIS\n", "without its `endif"),
    ],
)
def test_other_directives_are_refused(text: str, words: str) -> None:
    with pytest.raises(SynthesisError, match=words):
        as_synthesized(text)


def digest(sources: Sources, module: str) -> str:
    return plan_block(sources, BlockKey(module)).digest()


def changed(sources: Sources, file: str, old: str, new: str) -> Sources:
    text = sources.files[file]
    assert text.count(old) == 1
    return Sources({**sources.files, file: text.replace(old, new)})


def test_a_digest_depends_on_the_block_and_on_the_headers_below() -> None:
    sources = Sources.load()
    body = changed(sources, "hao_requant_dsp.sv", ".PREG         (1)", ".PREG         (0)")
    assert digest(body, "hao_requant") != digest(sources, "hao_requant")  # dissolved in it
    assert digest(body, "hao_dense") == digest(sources, "hao_dense")
    header = changed(sources, "hao_mac_array.sv", "parameter int unsigned PI = 16", "parameter int unsigned PI = 8")
    assert digest(header, "hao_dense") != digest(sources, "hao_dense")  # the box that it sees
    assert digest(header, "hao_requant") == digest(sources, "hao_requant")


def test_in_one_block_everything_below_is_read_whole() -> None:
    sources = Sources.load()
    texts, boxes = sources.in_one_block().closure("hao_dense")
    assert boxes == {"DSP48E2"}
    assert texts["hao_requant.sv"] == sources.text("hao_requant") != sources.header("hao_requant")
    assert sources.closure("hao_dense")[1] > {"hao_dense_out", "hao_mac_array"}
    body = changed(sources, "hao_mac_array.sv", "{x[0], 18'b0}", "{x[0], 17'b0}")
    assert digest(body, "hao_dense") == digest(sources, "hao_dense")
    assert digest(body.in_one_block(), "hao_dense") != digest(sources.in_one_block(), "hao_dense")


def test_unknown_modules_are_named() -> None:
    with pytest.raises(SynthesisError, match="no module 'hao_absent'"):
        Sources.load().text("hao_absent")
