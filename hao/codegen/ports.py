"""Widths of the ports between processing system and programmable logic on Zynq UltraScale+.

The first-stage boot loader sets them for the design that the board booted with. A design loaded later needs them set again:
a memory port left at 64 bits drops half of every 128-bit word, without an error. The registers are those of AMD UG1087
(AFIFM, FPD_SLCR); the port is the one that the generated block design uses, ``S_AXI_HP0_FPD`` (AFIFM2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from hao.errors import BoardError

AFIFM2 = 0xFD38_0000
"""First register of the interface behind S_AXI_HP0_FPD."""
FPD_SLCR_AFI_FS = 0xFD61_5000


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a system register: address of the 32-bit register, position, width in bits, and the value wanted."""

    name: str
    address: int
    lsb: int
    width: int
    value: int

    @property
    def mask(self) -> int:
        """The field's bits in the register."""
        return ((1 << self.width) - 1) << self.lsb


FIELDS = (
    Field("AFIFM2.RDCTRL.FABRIC_WIDTH", AFIFM2 + 0x00, 0, 2, 0),
    Field("AFIFM2.WRCTRL.FABRIC_WIDTH", AFIFM2 + 0x14, 0, 2, 0),
    Field("FPD_SLCR.AFI_FS.DW_SS0_SEL", FPD_SLCR_AFI_FS, 8, 2, 0),
)
"""Memory port 128 bits in both directions (0; 1 is 64, 2 is 32); M_AXI_HPM0_FPD 32 bits (0; 1 is 64, 2 is 128)."""


class SystemRegisters(Protocol):
    """Access to the processing system's own registers, by physical address."""

    def read(self, address: int) -> int:
        """The 32-bit register at ``address``."""

    def write(self, address: int, value: int) -> None:
        """Write the 32-bit register at ``address``."""


def set_port_widths(registers: SystemRegisters) -> tuple[str, ...]:
    """Give the ports the widths of the generated design; returns the fields that had to be changed.

    Raises:
        BoardError: a field does not keep its value.
    """
    changed = []
    for field in FIELDS:
        before = registers.read(field.address)
        wanted = (before & ~field.mask) | field.value << field.lsb
        if wanted == before:
            continue
        registers.write(field.address, wanted)
        if registers.read(field.address) & field.mask != wanted & field.mask:
            raise BoardError(f"{field.name} at 0x{field.address:X} cannot be set", "run as root; the firmware may forbid the access")
        changed.append(field.name)
    return tuple(changed)
