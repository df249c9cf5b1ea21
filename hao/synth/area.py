"""Counts the cells of a netlist as resources of an UltraScale+ device."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, fields

from hao.synth.yosys import Json

# LUTs that a memory or shift-register cell occupies (AMD UG574, distributed RAM and SRL)
_MEMORY_LUTS = {
    "RAM32X1S": 1, "RAM64X1S": 1, "RAM128X1S": 2, "RAM256X1S": 4, "RAM512X1S": 8, "RAM32X1D": 2, "RAM64X1D": 2, "RAM128X1D": 4,
    "RAM256X1D": 8, "RAM32M": 4, "RAM64M": 4, "RAM32M16": 8, "RAM64M8": 8, "SRL16E": 1, "SRLC16E": 1, "SRLC32E": 1,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Area:
    """Resources of one or many blocks. ``bram36`` counts 36 Kb blocks, a half for one of 18 Kb."""

    lut_logic: int = 0
    lut_memory: int = 0
    ff: int = 0
    dsp: int = 0
    bram36: float = 0.0
    uram: int = 0

    @property
    def lut(self) -> int:
        """Logic and memory LUTs together."""
        return self.lut_logic + self.lut_memory

    def __add__(self, other: Area) -> Area:
        return Area(*(getattr(self, field.name) + getattr(other, field.name) for field in fields(self)))


def count(netlist: Json) -> Area:
    """Resources of one netlist without its black boxes.

    Every LUT and inverter cell counts as one LUT: two small functions that would share a LUT6 count twice, so the figure is an upper bound.
    """
    kinds = Counter(str(cell["type"]) for cell in netlist["cells"].values())
    total = {
        prefix: sum(number for kind, number in kinds.items() if kind.startswith(prefix))
        for prefix in ("FD", "DSP48", "RAMB36", "RAMB18", "URAM")
    }
    logic = sum(number for kind, number in kinds.items() if kind in ("LUT1", "LUT2", "LUT3", "LUT4", "LUT5", "LUT6", "INV"))
    memory = sum(_MEMORY_LUTS.get(kind, 0) * number for kind, number in kinds.items())
    return Area(logic, memory, total["FD"], total["DSP48"], total["RAMB36"] + total["RAMB18"] / 2, total["URAM"])
