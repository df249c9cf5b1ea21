"""Synthesizes the array of a third pixel (hao_third_pixel.sv) and adds it to the engine's committed table.

    python benchmarks/third_pixel/measure.py

Measured: multipliers, adder trees, operand and weight registers, partial sums, the third bank of the feature memory, the third lane of
DENSE's addresses. Not measured, and not added: arbitration over a third bank and the way of its answers. So the sum is a lower bound.
"""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from hao.codegen.rtl import parameter_values
from hao.engine.config import ULTRA96
from hao.synth.area import Area
from hao.synth.design import Design, synthesize_design
from hao.synth.paths import estimate
from hao.synth.report import read_table, table_path
from hao.synth.sources import Sources, as_synthesized

_ARRAY = Path(__file__).with_name("hao_third_pixel.sv")
AIM, MOST = 48_000, 55_000
"""LUTs of the whole engine as Yosys counts: aimed at, and allowed."""


def _measured(sources: Sources, module: str, parameters: dict[str, str]) -> tuple[Design, Area]:
    design = synthesize_design(sources, module, parameters)
    return design, design.total()


def main() -> None:
    """Print the parts, the sum, and what it is held against."""
    console = Console(highlight=False)
    plain = Sources.load()
    sources = Sources({**plain.files, _ARRAY.name: as_synthesized(_ARRAY.read_text(encoding="utf-8"))})
    design, array = _measured(sources, "hao_third_pixel", {})
    for key, places in design.places().items():
        one = design.area(key)
        console.print(f"  {key.label}, {len(places)}: {one.lut} LUT, {one.ff} FF, {one.dsp} DSP")
    timing = estimate(design)
    console.print(f"array: {array.lut} LUT, {array.ff} FF, {timing.logic_levels} levels, {timing.critical.delay_ns} ns (estimate)")
    engine = read_table(table_path("16x16x2"))
    bank = next(row for row in engine.modules if row.module == "hao_fm_bank")
    lane = _measured(sources, "hao_dense_lane", {"PX": "2", "K": "1"})[1]
    console.print(f"a bank: {bank.area.lut} LUT, {bank.ff} FF; an address lane: {lane.lut} LUT, {lane.ff} FF")
    lut = engine.lut + array.lut + bank.area.lut + lane.lut
    ff = engine.ff + array.ff + bank.ff + lane.ff
    values = parameter_values(ULTRA96)
    console.print(f"engine {values['PI']}x{values['PO']}x{values['PX']}: {engine.lut} LUT, {engine.ff} FF")
    console.print(f"with the third pixel at least {lut} LUT, {ff} FF; {lut - AIM:+} LUT beside {AIM}, {lut - MOST:+} beside {MOST}")


if __name__ == "__main__":
    main()
