"""The multiplier primitives: right for every operand, wrong beyond their bounds, and equal to the DSP48E2 that they stand for."""

from __future__ import annotations

from pathlib import Path

import pytest

from hao.errors import SimulationError
from hao.resources import shared
from hao.synth.area import count
from hao.synth.sources import Sources
from hao.synth.yosys import BlockKey, synthesize
from sim.bench import BENCHES, simulate

RTL = "accel", "rtl"
LUTS = {"hao_dsp_row": 0, "hao_dw_pair_tap": 0, "hao_requant_dsp": 1, "hao_dsp_quad": 40, "hao_lut_multiplier": 150}
WITH_DSP = ("hao_dsp_row", "hao_requant_dsp", "hao_dsp_quad", "hao_dw_pair_tap")


def exhaustive(bench: str, compared: int, **parameters: int) -> int:
    return simulate(
        bench, "cocotb_exhaustive", parameters=parameters, sources=[BENCHES / f"{bench}.sv"], settings={"HAO_COMPARED": str(compared)}
    )


@pytest.mark.parametrize("bits", [4, 8])
def test_lut_multiplier(bits: int) -> None:
    assert exhaustive("hao_lut_multiplier_bench", 512 << bits, BWidth=bits) == 1


def pairs(bits: int) -> int:
    """Comparisons of the two-pixel bench: sides, other operands, operands, weights, lanes."""
    return 2 * 4 * 511 * 2**bits * 2


def test_two_pixels_of_eight_bit_weights() -> None:
    """Four products a lane, W8: every operand and weight in one lane, the other one strained."""
    assert exhaustive("hao_dsp_row_bench", pairs(8), Length=4, Weight=8) == 1


def test_two_pixels_of_four_bit_weights() -> None:
    """64 products a lane, W4."""
    assert exhaustive("hao_dsp_row_bench", pairs(4), Length=64, Weight=4) == 1


@pytest.mark.parametrize(("length", "weight"), [(5, 8), (65, 4)])
def test_bounds_are_tight(length: int, weight: int) -> None:
    """One product more, and lanes run into each other."""
    with pytest.raises(SimulationError, match="tests of cocotb_exhaustive failed"):
        exhaustive("hao_dsp_row_bench", pairs(weight), Length=length, Weight=weight)


def test_two_pixels_of_a_depthwise_tap() -> None:
    """Four taps of two pixels in a cascade: every operand and weight in one lane, the other one strained."""
    assert exhaustive("hao_dw_pair_tap_bench", pairs(8), Length=4) == 1


def test_five_taps_are_too_many() -> None:
    with pytest.raises(SimulationError):
        exhaustive("hao_dw_pair_tap_bench", pairs(8), Length=5)


def test_four_products() -> None:
    """Four W4A4 products a DSP, eight in a cascade: all combinations."""
    assert exhaustive("hao_dsp_quad_bench", 24 * 24 * 16 * 16 * 4, Length=8) == 1


def test_nine_of_four_products_are_too_many() -> None:
    with pytest.raises(SimulationError, match="tests of cocotb_exhaustive failed"):
        exhaustive("hao_dsp_quad_bench", 24 * 24 * 16 * 16 * 4, Length=9)


@pytest.mark.parametrize(
    ("module", "parameters", "dsp"),
    [
        ("hao_dsp_row", (("PO", "4"),), 4),
        ("hao_dsp_row", (("PO", "4"), ("AWidth", "9"), ("PWidth", "20"), ("Head", "0")), 4),
        ("hao_dw_pair_tap", (), 1),
        ("hao_requant_dsp", (), 1),
        ("hao_dsp_quad", (), 1),
        ("hao_lut_multiplier", (("BWidth", "4"),), 0),
        ("hao_lut_multiplier", (("BWidth", "8"),), 0),
    ],
)
def test_synthesis_keeps_the_promised_count(module: str, parameters: tuple[tuple[str, str], ...], dsp: int) -> None:
    """As many DSPs as promised, next to nothing beside them; no DSP for the multiplier in LUTs, and few LUTs."""
    area = count(synthesize(Sources.load(), BlockKey(module, parameters)))
    assert area.dsp == dsp
    assert area.ff == 0
    assert area.lut <= LUTS[module]


def primitive(module: str, folder: Path, text: str | None = None) -> Path:
    """The file of ``module`` with its DSP48E2 instances switched on, under another name."""
    source = text or (shared(RTL[0]) / RTL[1] / f"{module}.sv").read_text(encoding="utf-8")
    assert source.count("`ifdef SYNTHESIS") == 1
    assert f"module {module} " in source
    renamed = source.replace(f"module {module} ", f"module {module}_primitive ").replace("`ifdef SYNTHESIS", "`ifndef TWIN")
    target = folder / f"{module}_primitive.sv"
    target.write_text(renamed, encoding="utf-8")
    return target


def hold_twins(files: list[Path]) -> int:
    sources = [BENCHES / "hao_dsp_twin_bench.sv", BENCHES / "DSP48E2.sv", *files]
    compared = str((200_000 - 32) * 6)
    return simulate("hao_dsp_twin_bench", "cocotb_exhaustive", sources=sources, settings={"HAO_COMPARED": compared}, seed=5)


def test_twins_equal_primitives(tmp_path: Path) -> None:
    assert hold_twins([primitive(module, tmp_path) for module in WITH_DSP]) == 1


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("module", "good", "wrong"),
    [
        ("hao_dsp_row", "9'b000110101", "9'b000010101"),
        ("hao_dsp_row", ".BREG         (1)", ".BREG         (2)"),
        ("hao_requant_dsp", ".CEC           (step_i[2])", ".CEC           (step_i[3])"),
        ("hao_requant_dsp", "!accumulate_i", "accumulate_i"),
        ("hao_dsp_quad", "22'b0", "21'b0"),
        ("hao_dw_pair_tap", "upper_i, 18'b0})),", "upper_i, 17'b0})),"),
    ],
)
def test_wrong_instances_are_seen(module: str, good: str, wrong: str, tmp_path: Path) -> None:
    text = (shared(RTL[0]) / RTL[1] / f"{module}.sv").read_text(encoding="utf-8")
    head, tail = text.split("`ifdef SYNTHESIS")
    broken = head + "`ifdef SYNTHESIS" + tail.replace(good, wrong, 1)
    assert broken != text
    files = [primitive(each, tmp_path, broken if each == module else None) for each in WITH_DSP]
    with pytest.raises(SimulationError, match="tests of cocotb_exhaustive failed"):
        hold_twins(files)
