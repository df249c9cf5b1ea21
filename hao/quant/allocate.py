"""Bit widths from sensitivities: the Pareto frontier by dynamic programming (HAWQ-V2, ZeroQ), and HAWQ-V3's integer program."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hao.errors import QuantizationError
from hao.ir.graph import IntArray
from hao.quant.sensitivity import Table

Cycles = Callable[[str, int], float]
"""Latency of a layer at a width, cycles: from the cycle model of the chosen engine."""
Bits = Mapping[str, int]
_RELATIVE = 1e-6


@dataclass(frozen=True, slots=True)
class Setting:
    """One choice of widths.

    Attributes:
        cost: its total cost.
        perturbation: its total sensitivity.
        bits: by layer.
    """

    cost: int
    perturbation: float
    bits: dict[str, int]


def tie(names: Sequence[str], ties: Sequence[Sequence[str]]) -> list[tuple[str, ...]]:
    """Layers in groups that share a width, in the order of ``names``; groups of ``ties`` that overlap are one.

    Raises:
        QuantizationError: a tie names no layer.
    """
    group = {name: [name] for name in names}
    for tied in ties:
        unknown = [name for name in tied if name not in group]
        if unknown:
            raise QuantizationError(f"a tie names layer {unknown[0]!r}, which the network does not have", "see the layers in the report")
        merged = list(dict.fromkeys(name for member in tied for name in group[member]))
        for name in merged:
            group[name] = merged
    return [tuple(each) for each in {id(each): each for each in group.values()}.values()]


def frontier(
    sensitivity: Table, cost: Mapping[str, Mapping[int, int]], ties: Sequence[Sequence[str]] = (), resolution: int = 0
) -> list[Setting]:
    """All settings that no other beats in cost and perturbation, by rising cost; exact where ``resolution`` is 0.

    Args:
        sensitivity: per layer and width; sensitivities of layers add up.
        cost: per layer and width, such as bits of weights.
        ties: layers that share a width.
        resolution: of settings whose cost differs by less than this only the best is kept: bounds the work on large networks.
    """
    groups = tie(list(sensitivity), ties)
    totals, values = np.zeros(1, np.int64), np.zeros(1)
    steps: list[tuple[IntArray, IntArray, list[int]]] = []
    for group in groups:
        menu = list(sensitivity[group[0]])
        price = np.array([sum(cost[name][bits] for name in group) for bits in menu], np.int64)
        harm = np.array([sum(sensitivity[name][bits] for name in group) for bits in menu])
        sums, harms = (totals[:, None] + price).ravel(), (values[:, None] + harm).ravel()
        order = np.lexsort((harms, sums // max(resolution, 1)))
        best = np.minimum.accumulate(harms[order])
        keep = order[np.concatenate([[True], best[1:] < best[:-1]])]
        steps.append((keep // len(menu), keep % len(menu), menu))
        totals, values = sums[keep], harms[keep]
    found = []
    for at in range(len(totals)):
        bits, state = {}, at
        for group, (previous, choice, menu) in zip(reversed(groups), reversed(steps), strict=True):
            bits.update(dict.fromkeys(group, menu[choice[state]]))
            state = int(previous[state])
        found.append(Setting(int(totals[at]), float(values[at]), {name: bits[name] for name in sensitivity}))
    return found


def best_within(settings: Sequence[Setting], cap: float) -> Setting:
    """The setting of least perturbation whose cost is at most ``cap``.

    Raises:
        QuantizationError: the cheapest costs more.
    """
    fitting = [setting for setting in settings if setting.cost <= cap]
    if not fitting:
        least = min(settings, key=lambda setting: setting.cost)
        raise QuantizationError(f"a cap of {cap:g} is below the least possible, {least.cost}", "raise the cap, or offer smaller widths")
    return min(fitting, key=lambda setting: (setting.perturbation, setting.cost))


@dataclass(frozen=True, slots=True)
class Caps:
    """Upper limits; None where there is none.

    Attributes:
        size: bits of weights.
        bops: bit operations.
        cycles: latency.
    """

    size: float | None = None
    bops: float | None = None
    cycles: float | None = None


@dataclass(frozen=True, slots=True)
class Solution:
    """Answer of the integer program: widths by layer, its totals, and seconds in the solver."""

    bits: dict[str, int]
    perturbation: float
    totals: dict[str, float]
    seconds: float


def integer_program(
    sensitivity: Table, size: Mapping[str, Mapping[int, int]], bops: Mapping[str, Mapping[int, int]], caps: Caps, *,
    cycles: Cycles | None = None, ties: Sequence[Sequence[str]] = (),
) -> Solution:  # fmt: skip
    """HAWQ-V3: widths of least total perturbation within the caps, one-hot, solved by CBC to proven optimality.

    Args:
        sensitivity: per layer and width.
        size, bops: per layer and width.
        caps: limits.
        cycles: latency per layer and width; needed for a cap on cycles.
        ties: layers that share a width (branches that meet).

    Raises:
        QuantizationError: no widths meet a cap; the cap and the layer that costs most are named.
    """
    import pulp
    from pulp.apis.coin_api import COIN_CMD, pulp_cbc_path

    limits = _limits(sensitivity, size, bops, caps, cycles)
    groups = tie(list(sensitivity), ties)
    _possible(groups, sensitivity, limits)
    problem = pulp.LpProblem("hawq_v3", pulp.LpMinimize)
    menus = [list(sensitivity[group[0]]) for group in groups]
    chosen = [{bits: problem.add_variable(f"x{k}_{bits}", cat="Binary") for bits in menu} for k, menu in enumerate(menus)]
    scale = max((value for row in sensitivity.values() for value in row.values()), default=1.0) or 1.0

    def total(table: Table) -> Any:
        return pulp.lpSum(
            sum(table[name][bits] for name in group) * variable
            for group, row in zip(groups, chosen, strict=True)
            for bits, variable in row.items()
        )

    problem += total({name: {bits: value / scale for bits, value in row.items()} for name, row in sensitivity.items()})
    for row in chosen:
        problem += pulp.lpSum(row.values()) == 1
    for table, cap, _ in limits.values():
        problem += total({name: {bits: value / cap for bits, value in row.items()} for name, row in table.items()}) <= 1
    status = problem.solve(COIN_CMD(path=pulp_cbc_path, msg=False, gapRel=0.0))
    if pulp.LpStatus[status] != "Optimal" or problem.sol_status != pulp.LpSolutionOptimal:
        state = pulp.LpStatus[status].lower()
        raise QuantizationError(f"the caps cannot be met together: the integer program is {state}", "raise a cap, or offer smaller widths")
    bits = {
        name: max(row, key=lambda each, row=row: row[each].varValue or 0.0)  # type: ignore[misc]
        for group, row in zip(groups, chosen, strict=True)
        for name in group
    }
    return _verified({name: bits[name] for name in sensitivity}, sensitivity, limits, float(problem.solutionTime))


Limits = dict[str, tuple[Table, float, str]]
"""By the cap's name: cost per layer and width, the cap, its unit."""


def _limits(
    sensitivity: Table, size: Mapping[str, Mapping[int, int]], bops: Mapping[str, Mapping[int, int]], caps: Caps, cycles: Cycles | None
) -> Limits:
    found: Limits = {}
    if caps.size is not None:
        found["size"] = (size, caps.size, "bits")
    if caps.bops is not None:
        found["bops"] = (bops, caps.bops, "bit operations")
    if caps.cycles is not None:
        if cycles is None:
            raise QuantizationError("a cap on cycles without a cycle model", "name the engine whose cycles count")
        found["cycles"] = ({name: {bits: cycles(name, bits) for bits in row} for name, row in sensitivity.items()}, caps.cycles, "cycles")
    return found


def _possible(groups: Sequence[tuple[str, ...]], sensitivity: Table, limits: Limits) -> None:
    for label, (table, cap, unit) in limits.items():
        least = {group: min(sum(table[name][bits] for name in group) for bits in sensitivity[group[0]]) for group in groups}
        needed = sum(least.values())
        if needed > cap or cap <= 0:
            worst = max(least, key=lambda group: least[group])
            raise QuantizationError(
                f"the cap on {label}, {cap:g} {unit}, cannot be met: the smallest widths need {needed:g}, "
                f"most of it layer {worst[0]!r} with {least[worst]:g}",
                "raise the cap, or offer smaller widths",
            )


def _verified(bits: dict[str, int], sensitivity: Table, limits: Limits, seconds: float) -> Solution:
    """Totals recomputed from the answer, held against the caps."""
    totals = {label: math.fsum(table[name][width] for name, width in bits.items()) for label, (table, _, _) in limits.items()}
    for label, (_, cap, unit) in limits.items():
        if totals[label] > cap * (1 + _RELATIVE):
            raise QuantizationError(f"the answer breaks the cap on {label}: {totals[label]:g} {unit}", "this is a defect of the solver")
    return Solution(bits, math.fsum(sensitivity[name][width] for name, width in bits.items()), totals, seconds)
