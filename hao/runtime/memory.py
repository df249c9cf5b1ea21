"""The simulated board's memory as buffers: a write-back cache that forgets nothing and shares nothing by itself.

The host works on a copy (its cache). A line that it has written is *dirty* until ``flush``; a dirty line may reach DRAM at any
moment before that, over whatever the engine has written there: ``evict`` does that to half of them. So a forgotten flush,
a forgotten invalidate and a dirty line left in a buffer that the engine writes all show.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

import numpy as np

from hao.errors import SimulationError
from hao.runtime.device import ALIGNMENT, Bytes

LINE_BYTES = 64
"""A line of the host's cache (Cortex-A53)."""


@dataclass(slots=True, eq=False)
class CachedBuffer:
    """A buffer whose host view is a copy; see ``hao.runtime.device.Buffer``.

    Attributes:
        address: first byte, as the engine sees it.
        array: the host's view.
        memory: the same bytes in the board's DRAM.
        clean: what the cache holds of lines that are not dirty.
    """

    address: int
    array: Bytes
    memory: Bytes
    owner: BoardMemory
    clean: Bytes = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        # a fresh buffer's lines are dirty: somebody wrote them before they were handed out
        self.clean = ~self.array

    def flush(self) -> None:
        """Copy the host's view to DRAM."""
        self.memory[:] = self.array
        self.clean[:] = self.array

    def invalidate(self) -> None:
        """Copy DRAM to the host's view."""
        self.array[:] = self.memory
        self.clean[:] = self.memory

    def release(self) -> None:
        """Give the memory back."""
        self.owner.release(self)

    def evict(self, rng: np.random.Generator) -> int:
        """Write back every second dirty line, drawn at random; returns how many."""
        dirty = np.unique(np.flatnonzero(self.array != self.clean) // LINE_BYTES)
        chosen = dirty[rng.random(dirty.size) < 0.5]
        for line in chosen.tolist():
            part = slice(line * LINE_BYTES, (line + 1) * LINE_BYTES)
            self.memory[part] = self.array[part]
            self.clean[part] = self.array[part]
        return int(chosen.size)


@dataclass(slots=True)
class BoardMemory:
    """Hands out buffers of a DRAM that lies at ``base``; fresh ones hold noise, so that unwritten data shows.

    Attributes:
        base: address of the first byte.
        dram: all bytes of the simulated DRAM.
        seed: seed of the noise and of evictions.
    """

    base: int
    dram: Bytes
    seed: int = 1
    _taken: dict[int, CachedBuffer] = field(default_factory=dict, init=False)
    _rng: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        self._rng = np.random.default_rng(self.seed)

    def _place(self, size: int) -> int:
        """Start of the first gap that holds ``size`` bytes."""
        start = 0
        for taken in sorted(self._taken):
            if start + size <= taken:
                break
            # an unmapped page between buffers would be better still; a gap of noise is what there is
            end = taken + max(self._taken[taken].memory.size, 1)
            start = -(-end // ALIGNMENT) * ALIGNMENT + ALIGNMENT
        return start

    def allocate(self, size: int) -> CachedBuffer:
        """A buffer of ``size`` bytes at the start of a page.

        Raises:
            SimulationError: the memory is full.
        """
        start = self._place(size + ALIGNMENT)
        if start + max(size, 1) > self.dram.size:
            raise SimulationError(f"the simulated DRAM of {self.dram.size} bytes cannot hold another {size}", "simulate a larger memory")
        rng = np.random.default_rng((self.seed, start))
        memory = self.dram[start : start + size]
        memory[:] = rng.integers(0, 256, size, dtype=np.uint8)
        made = CachedBuffer(self.base + start, rng.integers(0, 256, size, dtype=np.uint8), memory, self)
        self._taken[start] = made
        return made

    def release(self, buffer: CachedBuffer) -> None:
        """Forget ``buffer``; releasing it twice is harmless."""
        start = buffer.address - self.base
        if self._taken.get(start) is buffer:
            del self._taken[start]

    def release_all(self) -> None:
        """Forget every buffer."""
        self._taken.clear()

    def evict(self) -> int:
        """Let the host's cache write back dirty lines of its own accord; returns how many."""
        return sum(buffer.evict(self._rng) for buffer in self._taken.values())
