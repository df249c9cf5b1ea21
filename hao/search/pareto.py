"""Pareto fronts of accuracy against cycles, and the area they dominate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

Point: TypeAlias = tuple[float, float]
"""Cycles (less is better), accuracy in percent (more is better)."""


def front(points: Sequence[Point]) -> list[Point]:
    """Points that no other one beats in both, by rising cycles; of equal ones one."""
    best: list[Point] = []
    for cycles, accuracy in sorted(set(points), key=lambda p: (p[0], -p[1])):
        if not best or accuracy > best[-1][1]:
            best.append((cycles, accuracy))
    return best


def hypervolume(points: Sequence[Point], worst: Point) -> float:
    """Area between the front and ``worst`` (most cycles, least accuracy); points beyond it count nothing."""
    inside = [p for p in front(points) if p[0] < worst[0] and p[1] > worst[1]]
    total, level = 0.0, worst[1]
    for cycles, accuracy in inside:
        total += (worst[0] - cycles) * (accuracy - level)
        level = accuracy
    return total


def distance(points: Sequence[Point], exact: Sequence[Point], scale: Point) -> float:
    """Mean distance from every point of the exact front to the nearest point found, axes divided by ``scale`` (IGD)."""
    found = front(points)
    total = 0.0
    for cycles, accuracy in exact:
        total += min(((cycles - c) / scale[0]) ** 2 + ((accuracy - a) / scale[1]) ** 2 for c, a in found) ** 0.5
    return total / len(exact)
