"""Shrinks a failing case while it keeps failing in the same way."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from hao.fuzz.case import Case, image_shape
from hao.fuzz.reduce import REDUCTIONS, legal
from hao.ir.graph import Graph

Fails = Callable[[Case], bool]
"""Whether a case fails in the way that is looked for."""


@dataclass(slots=True)
class _Budget:
    attempts: int
    until: float

    def spend(self) -> bool:
        self.attempts -= 1
        return self.attempts >= 0 and time.monotonic() < self.until


def _cropped(case: Case, graph: Graph) -> Case:
    channels, height, width = image_shape(graph)
    return replace(case, graph=graph, pixels=np.ascontiguousarray(case.pixels[:channels, :height, :width]))


def _candidates(case: Case) -> Iterator[Case]:
    for reduction in REDUCTIONS:
        for graph in reduction(case.graph):
            small = legal(graph)
            if small is not None:
                yield _cropped(case, small)
    if case.timing.stall:
        yield replace(case, timing=replace(case.timing, stall=0))
    if case.fill:
        yield replace(case, fill=0)
    for value in (0, 255):
        if (case.pixels != value).any() and (case.pixels != 0).any():
            yield replace(case, pixels=np.full_like(case.pixels, value))


def shrink(case: Case, fails: Fails, *, attempts: int = 400, seconds: float = 120.0) -> Case:
    """A smaller case that still fails; the case itself where nothing smaller does.

    Args:
        case: fails.
        fails: tried on every candidate; must be deterministic.
        attempts, seconds: bounds of the search, whichever comes first.
    """
    budget = _Budget(attempts, time.monotonic() + seconds)
    progress = True
    while progress:
        progress = False
        for candidate in _candidates(case):
            if not budget.spend():
                return case
            if fails(candidate):
                case, progress = candidate, True
                break
    return case
