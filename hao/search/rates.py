"""How long one instruction keeps its unit: what the segment tables are made of. Any cycle model that answers this can stand behind it."""

from __future__ import annotations

from typing import ClassVar, Protocol

from hao.compiler.timing import occupancy
from hao.engine.config import EngineConfig
from hao.engine.encode import Instruction
from hao.engine.isa import Opcode

GAP = 4
"""Idle cycles between two instructions of a unit."""


class Rates(Protocol):
    """Cycles of instructions on one engine, operands and memory permitting."""

    def dense(self, pixels: int, planes: int, kernel: int, stride: int, bits: int) -> int:
        """One block of 16 outputs over ``pixels`` from ``planes`` planes, weights of 4 or 8 bits."""

    def dw(self, pixels: int) -> int:
        """One block of 16 channels over ``pixels``."""

    def add(self, pixels: int) -> int:
        """The same for a residual add."""

    def fill(self, pixels: int) -> int:
        """One plane into the window, ``pixels`` of it."""

    def image(self, pixels: int) -> int:
        """Gathering the image for ``pixels`` outputs."""

    def latency(self, opcode: Opcode) -> int:
        """Cycles from the last operand to completion, with what dispatching the next instruction takes."""


class OccupancyRates:
    """The rates of ``docs/microarchitecture.md``, as the compiler uses them."""

    _LATENCY: ClassVar = {Opcode.LDI: 72, Opcode.DENSE: 32, Opcode.FILL: 14, Opcode.DW: 32, Opcode.ADD: 22}

    def __init__(self, config: EngineConfig) -> None:
        self._config = config
        self._known: dict[tuple[int, ...], int] = {}

    def _cycles(self, key: tuple[int, ...], opcode: Opcode, fields: dict[str, int]) -> int:
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = occupancy(Instruction(opcode, fields), self._config)
        return found

    def dense(self, pixels: int, planes: int, kernel: int, stride: int, bits: int) -> int:
        """See :class:`Rates`."""
        key = (int(Opcode.DENSE), pixels, planes, kernel, stride, bits)
        fields = {"y1": 1, "out_w": pixels, "n_in": planes, "kernel": kernel, "stride": stride, "w8": int(bits > 4)}
        return self._cycles(key, Opcode.DENSE, fields)

    def _pixels(self, opcode: Opcode, pixels: int) -> int:
        return self._cycles((int(opcode), pixels), opcode, {"y1": 1, "out_w": pixels})

    def dw(self, pixels: int) -> int:
        """See :class:`Rates`."""
        return self._pixels(Opcode.DW, pixels)

    def add(self, pixels: int) -> int:
        """See :class:`Rates`."""
        return self._pixels(Opcode.ADD, pixels)

    def fill(self, pixels: int) -> int:
        """See :class:`Rates`."""
        return self._pixels(Opcode.FILL, pixels)

    def image(self, pixels: int) -> int:
        """See :class:`Rates`."""
        return self._pixels(Opcode.LDI, pixels)

    def latency(self, opcode: Opcode) -> int:
        """See :class:`Rates`."""
        return self._LATENCY[opcode]
