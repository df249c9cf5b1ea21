"""What a driver needs of a board, simulated or real: registers, buffers that both sides see, the interrupt, and a clock."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]

ALIGNMENT = 4096
"""Buffers start at multiples of this many bytes (a page; the engine's bases need 64)."""

BASE_ALIGNMENT = 64
"""Base addresses that the engine takes are multiples of this many bytes."""

ADDRESS_BITS = 40
"""Width of the engine's addresses."""


class Buffer(Protocol):
    """Memory that host and engine share, through a host cache that is **not** coherent with the engine."""

    @property
    def address(self) -> int:
        """First byte, as the engine sees it: a multiple of 64 below 2^40."""

    @property
    def array(self) -> Bytes:
        """The host's view, ``uint8``."""

    def flush(self) -> None:
        """Make what the host wrote visible to the engine; no line of the buffer stays dirty in the host's cache."""

    def invalidate(self) -> None:
        """Make what the engine wrote visible to the host; what the host wrote since the last flush may be lost."""

    def release(self) -> None:
        """Give the memory back; the host's view must not be used afterwards."""


class Device(Protocol):
    """One board with the engine on it. Times are cycles of the engine's clock."""

    name: str
    interrupts: bool
    """Whether ``wait_interrupt`` can be used; a driver polls otherwise."""

    def mmio_read(self, offset: int) -> int:
        """The 32-bit register at byte ``offset``.

        Raises:
            SimulationError: the access failed.
        """

    def mmio_write(self, offset: int, value: int) -> None:
        """Write the 32-bit register at byte ``offset``.

        Raises:
            SimulationError: the access failed.
        """

    def allocate(self, size: int) -> Buffer:
        """A buffer of ``size`` bytes, contents undefined, valid until it is released.

        Raises:
            SimulationError: the board's memory is full.
        """

    def release_all(self) -> None:
        """Give all buffers back."""

    def wait_interrupt(self, timeout_cycles: int) -> bool:
        """Wait for the interrupt line; False when ``timeout_cycles`` passed without it.

        Raises:
            SimulationError: the simulation stopped (an assertion, a protocol breach).
        """

    def pause(self, cycles: int) -> None:
        """Let about ``cycles`` pass.

        Raises:
            SimulationError: the simulation stopped.
        """

    def elapsed(self) -> int:
        """A count of cycles that never goes back; its origin is arbitrary."""

    def close(self) -> None:
        """Give the board back; nothing of it may be used afterwards."""
