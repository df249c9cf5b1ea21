"""The simulated board's memory as buffers: a write-back cache that forgets nothing and shares nothing by itself."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from hao.errors import SimulationError
from hao.runtime.device import ALIGNMENT, Bytes


@dataclass(frozen=True, slots=True, eq=False)
class CachedBuffer:
    """A buffer whose host view is a copy: a forgotten ``flush`` or ``invalidate`` shows, as on the real board.

    Attributes:
        address: first byte, as the engine sees it.
        array: the host's view.
        memory: the same bytes in the board's DRAM.
    """

    address: int
    array: Bytes
    memory: Bytes

    def flush(self) -> None:
        """Copy the host's view to DRAM."""
        self.memory[:] = self.array

    def invalidate(self) -> None:
        """Copy DRAM to the host's view."""
        self.array[:] = self.memory


@dataclass(slots=True)
class BoardMemory:
    """Hands out buffers of a DRAM that lies at ``base``; fresh ones hold noise, so that unwritten data shows.

    Attributes:
        base: address of the first byte.
        dram: all bytes of the simulated DRAM.
        seed: seed of the noise.
    """

    base: int
    dram: Bytes
    seed: int = 1
    _next: int = field(default=0, init=False)

    def allocate(self, size: int) -> CachedBuffer:
        """A buffer of ``size`` bytes at the next page.

        Raises:
            SimulationError: the memory is full.
        """
        start = self._next
        end = start + max(size, 1)
        if end > self.dram.size:
            raise SimulationError(f"the simulated DRAM of {self.dram.size} bytes cannot hold another {size}", "simulate a larger memory")
        # an unmapped page between buffers would be better still; a gap of noise is what there is
        self._next = -(-end // ALIGNMENT) * ALIGNMENT + ALIGNMENT
        rng = np.random.default_rng((self.seed, start))
        memory = self.dram[start : start + size]
        memory[:] = rng.integers(0, 256, size, dtype=np.uint8)
        return CachedBuffer(self.base + start, rng.integers(0, 256, size, dtype=np.uint8), memory)

    def release_all(self) -> None:
        """Forget every buffer."""
        self._next = 0
