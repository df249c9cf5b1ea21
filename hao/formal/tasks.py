"""What is proven: one checker of ``accel/formal`` with the values of its parameters each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

NO_PARAMETERS: Mapping[str, int] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Task:
    """One proof.

    Attributes:
        checker: module of ``accel/formal``, which instantiates the module under proof and names every property.
        parameters: of the checker.
        seconds: limit of the proof, by the clock, beside those of the searches that it begins with; beyond it the task is undecided, which
            is a failure.
        nightly: too long for continuous integration.
        bound: cycles after reset that are searched where no proof for all time was found; 0: a proof is wanted.
    """

    checker: str
    parameters: Mapping[str, int] = field(default_factory=lambda: NO_PARAMETERS)
    seconds: int = 120
    nightly: bool = False
    bound: int = 0

    @property
    def module(self) -> str:
        """The module under proof."""
        return self.checker.replace("formal_", "hao_", 1)

    @property
    def name(self) -> str:
        """Readable and unique, ``hao_fifo(Depth=1)``."""
        inner = ", ".join(f"{key}={value}" for key, value in self.parameters.items())
        return f"{self.module}({inner})" if inner else self.module


TASKS: tuple[Task, ...] = (
    Task("formal_fifo", {"Depth": 1, "FallThrough": 0}),
    Task("formal_fifo", {"Depth": 2, "FallThrough": 0}, nightly=True),
    Task("formal_fifo", {"Depth": 3, "FallThrough": 1}),
    Task("formal_fifo", {"Depth": 4, "FallThrough": 0}, nightly=True),
    Task("formal_fifo_pair"),
    Task("formal_fifo_ram", {"Depth": 2}),
    Task("formal_fifo_ram", {"Depth": 4}, nightly=True),
    Task("formal_burst", {"MaxBurst": 4}, nightly=True),
    Task("formal_burst", {"MaxBurst": 64}),
    Task("formal_counters"),
    Task("formal_control"),
    Task("formal_regs"),
    Task("formal_fetch", bound=10),
    Task("formal_issue", {"QueueDepth": 3}),
    Task("formal_store"),
    Task("formal_feature_memory", {"PX": 1}, nightly=True),
    Task("formal_feature_memory", {"PX": 2}),
    Task("formal_read_dma", {"MaxBurst": 4, "Outstanding": 2}, bound=10),
    Task("formal_write_dma", {"MaxBurst": 4, "Outstanding": 2}),
    Task("formal_write_dma", {"MaxBurst": 4, "Outstanding": 2, "Fair": 1}, nightly=True),
)
"""Everything that is proven."""
