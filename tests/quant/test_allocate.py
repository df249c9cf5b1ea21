"""Frontiers and integer programs against enumeration; impossible caps by name."""

from __future__ import annotations

import itertools
import os

import numpy as np
import pytest

from hao.errors import QuantizationError
from hao.quant.allocate import Caps, best_within, frontier, integer_program, tie

Rows = dict[str, dict[int, float]]
Costs = dict[str, dict[int, int]]


def case(seed: int, layers: int, menu: tuple[int, ...]) -> tuple[Rows, Costs, Costs, Costs]:
    """Sensitivity falling with width, size, bit operations, cycles that only know two widths."""
    rng = np.random.default_rng(seed)
    names = [f"n{k}" for k in range(layers)]
    sensitivity = {name: {bits: float(rng.lognormal(0, 2) * 4.0**-bits) for bits in menu} for name in names}
    count = {name: int(rng.integers(10, 2000)) for name in names}
    work = {name: int(rng.integers(1000, 200_000)) for name in names}
    size = {name: {bits: count[name] * bits for bits in menu} for name in names}
    bops = {name: {bits: work[name] * bits * 8 for bits in menu} for name in names}
    return sensitivity, size, bops, {name: {bits: work[name] // (512 if bits <= 4 else 300) for bits in menu} for name in names}


def total(table: Rows | Costs, names: list[str], bits: tuple[int, ...]) -> float:
    return sum(table[name][width] for name, width in zip(names, bits, strict=True))


@pytest.mark.parametrize(("seed", "layers", "menu"), [(0, 5, (2, 3, 4, 8)), (1, 8, (2, 4, 8)), (2, 12, (4, 8)), (3, 6, (2, 4, 8))])
def test_equal_to_enumeration(seed: int, layers: int, menu: tuple[int, ...]) -> None:
    sensitivity, size, bops, cycles = case(seed, layers, menu)
    names = list(sensitivity)
    rng = np.random.default_rng(seed)
    ties = [("n0", "n3"), ("n3", "n4")] if seed == 3 else []
    every = [bits for bits in itertools.product(menu, repeat=layers) if not ties or bits[0] == bits[3] == bits[4]]
    tables = (size, bops, cycles)
    sums = [[total(table, names, bits) for table in tables] for bits in every]
    for _ in range(6):
        mix = rng.uniform(0.1, 0.9, 3)
        low, high = np.min(sums, axis=0), np.max(sums, axis=0)
        caps = low + (high - low) * mix
        fitting = [bits for bits, row in zip(every, sums, strict=True) if all(value <= cap for value, cap in zip(row, caps, strict=True))]
        limits = Caps(*map(float, caps))
        if not fitting:
            with pytest.raises(QuantizationError, match="cannot be met"):
                integer_program(sensitivity, size, bops, limits, cycles=lambda name, bits: cycles[name][bits], ties=ties)
            continue
        best = min(total(sensitivity, names, bits) for bits in fitting)
        found = integer_program(sensitivity, size, bops, limits, cycles=lambda name, bits: cycles[name][bits], ties=ties)
        assert found.perturbation == pytest.approx(best, rel=1e-6)
        assert tuple(found.bits.values()) in fitting
    front = frontier(sensitivity, size, ties)
    for setting in front:
        values = tuple(setting.bits.values())
        assert setting.cost == total(size, names, values) and setting.perturbation == pytest.approx(total(sensitivity, names, values))
        rivals = (total(sensitivity, names, bits) for bits, row in zip(every, sums, strict=True) if row[0] <= setting.cost)
        assert setting.perturbation == pytest.approx(min(rivals), rel=1e-12)
    assert front[0].cost == min(row[0] for row in sums)
    middle = (front[0].cost + front[-1].cost) / 2
    assert best_within(front, middle).perturbation == pytest.approx(
        integer_program(sensitivity, size, bops, Caps(size=middle), ties=ties).perturbation, rel=1e-6
    )


def spent() -> float:
    """Seconds on the processor, the solver's own process included."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def test_fifty_four_layers_and_three_widths_in_a_second() -> None:
    sensitivity, size, bops, cycles = case(9, 54, (2, 4, 8))
    caps = Caps(*(0.5 * sum(row[8] for row in table.values()) for table in (size, bops)), 0.7 * sum(row[8] for row in cycles.values()))
    start = spent()
    found = integer_program(sensitivity, size, bops, caps, cycles=lambda name, bits: cycles[name][bits], ties=[("n0", "n53")])
    assert found.bits["n0"] == found.bits["n53"] and len(set(found.bits.values())) == 3
    assert spent() - start < 1.0
    assert all(found.totals[label] <= getattr(caps, label) * (1 + 1e-6) for label in ("size", "bops", "cycles"))
    coarse = best_within(frontier(sensitivity, size, resolution=200), caps.size or 0)
    exact = best_within(frontier(sensitivity, size), caps.size or 0)
    assert exact.perturbation <= coarse.perturbation <= 1.05 * exact.perturbation


def test_caps_that_cannot_be_met_are_named() -> None:
    sensitivity, size, bops, _ = case(4, 4, (2, 8))
    least = {name: row[2] for name, row in size.items()}
    worst = max(least, key=lambda name: least[name])
    for cap in (0.9 * sum(least.values()), 0, -1):
        with pytest.raises(QuantizationError, match=rf"cap on size.*layer '{worst}'"):
            integer_program(sensitivity, size, bops, Caps(size=cap))
    with pytest.raises(QuantizationError, match="without a cycle model"):
        integer_program(sensitivity, size, bops, Caps(cycles=1.0))
    with pytest.raises(QuantizationError, match="below the least possible"):
        best_within(frontier(sensitivity, size), 1)
    with pytest.raises(QuantizationError, match="names layer 'x'"):
        tie(["a", "b"], [("a", "x")])
    assert tie(["a", "b", "c", "d"], [("a", "c"), ("c", "d")]) == [("a", "c", "d"), ("b",)]
