"""A real board through PYNQ as a device: overlay, registers, buffers and interrupt behind ``hao.runtime.device.Device``.

PYNQ is not installed with HAO; it is part of the board's system image. Only what is named in ``_Pynq`` is used of it.
"""

from __future__ import annotations

import contextlib
import importlib
import time
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np

from hao.codegen.ports import set_port_widths
from hao.codegen.rtl_ip import CONTROL_BYTES, IP_TOP
from hao.errors import BoardError, MissingTool, SimulationError
from hao.runtime.device import Bytes
from hao.runtime.uio import UioInterrupt, find_uio

_PAGE = 4096


class _Mmio(Protocol):
    def read(self, offset: int = 0) -> int: ...
    def write(self, offset: int, value: int) -> None: ...


class _Pynq(Protocol):
    """What is used of the module ``pynq``."""

    Overlay: Any
    MMIO: Any
    Clocks: Any
    allocate: Any


def import_pynq() -> _Pynq:
    """The module ``pynq``.

    Raises:
        MissingTool: it is not there.
    """
    try:
        return cast(_Pynq, importlib.import_module("pynq"))
    except ImportError as error:
        message = "the Python package 'pynq' is not installed here"
        raise MissingTool(message, "run this on the board, with PYNQ's system image; Board('sim') runs anywhere") from error


class PynqBuffer:
    """A contiguous buffer of PYNQ; see ``hao.runtime.device.Buffer``. It may begin behind the start of its memory, to be aligned."""

    def __init__(self, raw: Any, size: int, alignment: int) -> None:
        start = int(raw.device_address)
        skip = -start % alignment
        self._raw = raw
        self.address = start + skip
        self.array: Bytes = np.asarray(raw)[skip : skip + size]

    def flush(self) -> None:
        """Write the host's cache back."""
        self._raw.flush()

    def invalidate(self) -> None:
        """Drop what the host's cache holds."""
        self._raw.invalidate()

    def release(self) -> None:
        """Give the memory back to PYNQ; twice is harmless."""
        raw, self._raw = self._raw, None
        self.array = np.zeros(0, np.uint8)
        if raw is not None:
            raw.freebuffer()


class _SystemRegisters:
    """The processing system's registers, a page at a time."""

    def __init__(self, pynq: _Pynq) -> None:
        self._pynq = pynq

    def _page(self, address: int) -> tuple[_Mmio, int]:
        base = address - address % _PAGE
        return cast(_Mmio, self._pynq.MMIO(base, _PAGE)), address - base

    def read(self, address: int) -> int:
        page, offset = self._page(address)
        return int(page.read(offset))

    def write(self, address: int, value: int) -> None:
        page, offset = self._page(address)
        page.write(offset, value)


def _engine_address(blocks: dict[str, Any], bitstream: Path) -> int:
    """Physical address of the engine's registers, from the hardware description beside the bitstream."""
    for description in blocks.values():
        if str(description.get("type", "")).split(":")[2:3] == [IP_TOP]:
            return int(description["phys_addr"])
    there = ", ".join(sorted(blocks)) or "nothing"
    raise BoardError(f"{bitstream} holds no block {IP_TOP} (it holds {there})", "build it with hao bitstream, and copy hao.hwh beside it")


class PynqDevice:
    """The engine in a bitstream that PYNQ loads.

    Args:
        bitstream: ``hao.bit``, with ``hao.hwh`` beside it.
        download: load it into the logic; False where it is there already.
        alignment: of buffers, bytes.
        uio: device file of the interrupt; looked up when left out.

    Raises:
        MissingTool: PYNQ is not installed.
        BoardError: no such file, no permission, a bitstream that PYNQ refuses, no engine in it, or ports that cannot be set up.
    """

    name = "pynq"

    def __init__(self, bitstream: Path, download: bool = True, alignment: int = _PAGE, uio: Path | None = None) -> None:
        self._pynq = import_pynq()
        for path in (bitstream, bitstream.with_suffix(".hwh")):
            if not path.is_file():
                raise BoardError(f"there is no {path}", "hao bitstream builds hao.bit and hao.hwh: copy both to the board")
        try:
            self.overlay = self._pynq.Overlay(str(bitstream), download=download)
            self.changed_ports = set_port_widths(_SystemRegisters(self._pynq))
            address = _engine_address(dict(self.overlay.ip_dict), bitstream)
            self._mmio = cast(_Mmio, self._pynq.MMIO(address, CONTROL_BYTES))
        except (OSError, RuntimeError, ValueError) as error:
            raise BoardError(f"{bitstream} cannot be loaded: {error}", "run as root, with a bitstream for this board") from error
        self._alignment = alignment
        self._buffers: list[PynqBuffer] = []
        self.clock_mhz = float(self._pynq.Clocks.fclk0_mhz)
        path_of_interrupt = uio or find_uio()
        self._interrupt = None if path_of_interrupt is None else UioInterrupt(path_of_interrupt)
        self.interrupts = self._interrupt is not None

    def mmio_read(self, offset: int) -> int:
        """The register at byte ``offset``; see ``Device``."""
        return int(self._mmio.read(offset)) & 0xFFFF_FFFF

    def mmio_write(self, offset: int, value: int) -> None:
        """Write the register at byte ``offset``; see ``Device``."""
        self._mmio.write(offset, value)

    def allocate(self, size: int) -> PynqBuffer:
        """A contiguous buffer; see ``Device``."""
        try:
            raw = self._pynq.allocate(shape=(size + self._alignment,), dtype=np.uint8)
        except (RuntimeError, MemoryError, OSError) as error:
            message = f"the board has no contiguous memory of {size} bytes: {error}"
            raise SimulationError(message, "remove other programs, or enlarge the kernel's cma= area") from error
        made = PynqBuffer(raw, size, self._alignment)
        self._buffers.append(made)
        return made

    def release_all(self) -> None:
        """Give all buffers back."""
        for buffer in self._buffers:
            buffer.release()
        self._buffers.clear()

    def wait_interrupt(self, timeout_cycles: int) -> bool:
        """Wait for the interrupt line; see ``Device``."""
        if self._interrupt is None:
            self.pause(timeout_cycles)
            return False
        return self._interrupt.wait(timeout_cycles / (self.clock_mhz * 1e6))

    def pause(self, cycles: int) -> None:
        """Sleep; see ``Device``."""
        time.sleep(cycles / (self.clock_mhz * 1e6))

    def elapsed(self) -> int:
        """Time in cycles of the engine's clock; see ``Device``."""
        return int(time.monotonic() * self.clock_mhz * 1e6)

    def close(self) -> None:
        """Give buffers and interrupt back; the bitstream stays loaded."""
        self.release_all()
        if self._interrupt is not None:
            with contextlib.suppress(OSError):
                self._interrupt.close()
            self._interrupt, self.interrupts = None, False
