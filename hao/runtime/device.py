"""What a driver needs of a board, simulated or real: registers, buffers that both sides see, and the interrupt."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]

ALIGNMENT = 4096
"""Buffers start at multiples of this many bytes (a page; the engine's bases need 64)."""


class Buffer(Protocol):
    """Memory that host and engine share, through a host cache that is **not** coherent with the engine."""

    @property
    def address(self) -> int:
        """First byte, as the engine sees it."""

    @property
    def array(self) -> Bytes:
        """The host's view, ``uint8``."""

    def flush(self) -> None:
        """Make what the host wrote visible to the engine."""

    def invalidate(self) -> None:
        """Make what the engine wrote visible to the host."""


class Device(Protocol):
    """One board with the engine on it."""

    name: str

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
        """A buffer of ``size`` bytes, contents undefined, valid until ``release_all``.

        Raises:
            SimulationError: the board's memory is full.
        """

    def release_all(self) -> None:
        """Give all buffers back."""

    def wait_interrupt(self, timeout_cycles: int) -> bool:
        """Wait for the interrupt line; False when ``timeout_cycles`` of the engine's clock passed without it.

        Raises:
            SimulationError: the simulation stopped (an assertion, a protocol breach).
        """
