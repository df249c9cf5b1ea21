"""A stand-in for the module ``pynq``, with the Verilated engine behind it and the hazards of the real one in front.

Memory ports start at 64 bits, as a design loaded after boot finds them: until they are set, every second half word that the engine
would see is lost. Buffers go through a cache that is not coherent; allocation is not aligned to what the engine wants.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hao.codegen.ports import FIELDS
from hao.runtime.memory import CachedBuffer
from hao.runtime.simulated import SimulatedBoard

ENGINE_ADDRESS = 0xA000_0000
SKEW = 64 + 24
"""Where in its page a buffer begins: PYNQ promises no alignment."""


class Array(np.ndarray[Any, np.dtype[np.uint8]]):
    """``PynqBuffer``: an array with an address."""

    device_address: int
    cached: CachedBuffer
    system: System

    def flush(self) -> None:
        self.cached.array[SKEW:] = np.asarray(self)
        self.cached.flush()
        if self.system.narrow:
            self.cached.memory.reshape(-1, 8)[1::2] = 0

    def invalidate(self) -> None:
        self.cached.invalidate()
        np.asarray(self)[:] = self.cached.array[SKEW:]

    def freebuffer(self) -> None:
        self.cached.release()


@dataclass
class System:
    """The board: the engine, and the processing system's registers."""

    board: SimulatedBoard
    registers: dict[int, int] = field(default_factory=lambda: {each.address: (1 if each.lsb == 0 else 2 << 8) | 0x3000 for each in FIELDS})
    stuck: bool = False
    refusal: Exception | None = None
    downloads: list[str] = field(default_factory=list)
    blocks: dict[str, dict[str, object]] = field(
        default_factory=lambda: {"hao": {"phys_addr": ENGINE_ADDRESS, "type": "hao:hao:hao_engine_ip:1.0"}, "ps": {"type": "x:y:zynq:1"}}
    )

    @property
    def narrow(self) -> bool:
        """Whether the memory port still drops half of every word."""
        return any(self.registers[each.address] & each.mask for each in FIELDS if each.lsb == 0)


def fake_pynq(system: System) -> object:
    """The module."""

    class Overlay:
        def __init__(self, path: str, download: bool = True) -> None:
            if system.refusal is not None:
                raise system.refusal
            if download:
                system.downloads.append(path)
            self.ip_dict = system.blocks

    class MMIO:
        def __init__(self, base: int, length: int) -> None:
            self.base = base
            self.length = length

        def read(self, offset: int = 0) -> int:
            assert 0 <= offset < self.length and offset % 4 == 0
            if self.base == ENGINE_ADDRESS:
                return system.board.mmio_read(offset)
            return system.registers[self.base + offset]

        def write(self, offset: int, value: int) -> None:
            assert 0 <= offset < self.length and offset % 4 == 0
            if self.base == ENGINE_ADDRESS:
                system.board.mmio_write(offset, value)
            elif not system.stuck:
                system.registers[self.base + offset] = value

    class Clocks:
        fclk0_mhz = 249.9975

    def allocate(shape: tuple[int, ...], dtype: object) -> Array:
        assert dtype is np.uint8
        (size,) = shape
        cached = system.board.allocate(-(-(size + SKEW) // 16) * 16 + SKEW % 16)
        size = cached.array.size - SKEW
        made = np.zeros(size, np.uint8).view(Array)
        made[:] = cached.array[SKEW:]
        made.device_address, made.cached, made.system = cached.address + SKEW, cached, system
        return made

    class Module:
        pass

    module = Module()
    for name, value in {"Overlay": Overlay, "MMIO": MMIO, "Clocks": Clocks, "allocate": allocate}.items():
        setattr(module, name, value)
    return module
