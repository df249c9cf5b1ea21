"""Random small spaces, and their optimum by trying every point: shares no arithmetic with the program or its bounds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np

from hao.search.problem import RESOURCES, Candidate, Choice, Group, Layer, Limits, Objective, Problem

EPSILON = 1e-7


@dataclass(frozen=True, slots=True)
class Exhaustive:
    """What trying everything found: number of points, best value (None: infeasible), points that reach it, limits that bind."""

    points: int
    best: float | None
    ties: int
    binding: frozenset[str]


def _paths(table: tuple[Choice, ...], steps: int) -> Iterator[tuple[Choice, ...]]:
    stack: list[tuple[int, tuple[Choice, ...]]] = [(0, ())]
    while stack:
        at, path = stack.pop()
        if at == steps:
            yield path
            continue
        stack.extend((c.stop, (*path, c)) for c in table if c.start == at)


def _frame(problem: Problem, path: tuple[Choice, ...], words: list[int], ahead: int, pace: float) -> float:
    """Cycles, written as what the DRAM and the units do one word batch after another."""
    now, dram, history = 0.0, 0.0, []
    for choice in path:
        history.append((now, dram))
        batch = choice.words + sum(words[step] for step in range(choice.start, choice.stop))
        dram += batch * pace
        finish = max(now + choice.cycles, dram)
        for begun, had in history:
            finish = max(finish, begun + (dram - had) - ahead * pace)
        now = finish
    return now + problem.overhead


def exhaust(problem: Problem) -> Exhaustive:
    """Every candidate, every exact cover, every width of every group."""
    limits, points, best, ties = problem.limits, 0, None, 0
    without: dict[str, float] = {}
    settings = list(product(*(range(len(group.widths)) for group in problem.groups)))
    facts = []
    for setting in settings:
        words = [0] * problem.steps
        for layer in problem.layers:
            words[layer.step] += layer.words[setting[layer.group]]
        largest = max((layer.block[setting[layer.group]] for layer in problem.layers), default=0)
        facts.append((setting, words, largest, sum(g.damage[b] for g, b in zip(problem.groups, setting, strict=True))))
    covers = [list(_paths(table, problem.steps)) for table in problem.tables]
    for candidate in problem.candidates:
        broken = {name for name, a, b in zip(RESOURCES, candidate.area, limits.area, strict=True) if a > b}
        for path in covers[candidate.table]:
            points += len(settings)
            if any(c.room > candidate.room or c.ring > candidate.ring or c.held > candidate.buffer for c in path):
                continue
            held = {pair for c in path for pair in c.bits}
            for setting, words, largest, damage in facts:
                if largest > candidate.largest or any(setting[problem.layers[layer].group] != b for layer, b in held):
                    continue
                cycles = _frame(problem, path, words, candidate.ahead, limits.cycles_per_word)
                wrong = set(broken)
                if limits.damage is not None and damage > limits.damage + EPSILON:
                    wrong.add("damage")
                if limits.cycles is not None and cycles > limits.cycles + EPSILON:
                    wrong.add("cycles")
                value = cycles if problem.objective == "latency" else damage
                if len(wrong) == 1:
                    name = next(iter(wrong))
                    without[name] = min(without.get(name, np.inf), value)
                if wrong:
                    continue
                free = _frame(problem, path, words, candidate.ahead, 0.0)
                if problem.objective == "latency":
                    without["dram"] = min(without.get("dram", np.inf), free)
                if best is None or value < best - EPSILON:
                    best, ties = value, 0
                ties += abs(value - best) <= EPSILON
    binding = frozenset(name for name, value in without.items() if best is None or value < best - EPSILON)
    return Exhaustive(points, best, ties, binding)


def random_space(seed: int) -> Problem:
    """A space of more than ten thousand points, whose limits are set so that several of them keep better points out."""
    rng = np.random.default_rng(seed)
    steps = int(rng.integers(4, 6))
    groups = tuple(_group(rng, g) for g in range(int(rng.integers(3, 5))))
    owners = [step for step in range(steps) for _ in range(int(rng.integers(1, 3)))]
    layers = tuple(_layer(rng, step, int(rng.integers(len(groups))), groups) for step in owners)
    candidates, tables = _engines(rng, steps, layers)
    objective: Objective = "latency" if seed % 3 else "perturbation"
    worst, least = (sum(f(g.damage) for g in groups) for f in (max, min))
    damage = least + (worst - least) * float(rng.uniform(0.25, 0.6))
    if seed % 9 == 4:
        damage = least * 0.9 - 0.1
    slowest = sum(max(c.cycles for c in tables[0] if c.stop - c.start == 1 and c.start == s) for s in range(steps))
    cycles = float(slowest * rng.uniform(0.47, 0.62)) if objective == "perturbation" else None
    if seed % 9 == 0 and cycles is not None:
        cycles *= 0.3
    limits = Limits((100, 100, 100, 100), float(rng.choice([0.0, 0.25, 0.5])), damage if objective == "latency" else None, cycles)
    return Problem(steps, layers, groups, tables, candidates, limits, objective, int(rng.integers(0, 5)))


def _group(rng: np.random.Generator, number: int) -> Group:
    widths = (2, 4, 8)[: int(rng.integers(2, 4))]
    damage = np.sort(rng.integers(1, 12, len(widths)))[::-1]
    return Group(f"g{number}", widths, tuple(float(d) for d in damage))


def _layer(rng: np.random.Generator, step: int, group: int, groups: tuple[Group, ...]) -> Layer:
    base = int(rng.integers(2, 12))
    widths = groups[group].widths
    return Layer(f"l{step}", step, group, tuple(base * w // 2 for w in widths), tuple(max(1, base * w // 8) for w in widths))


def _table(rng: np.random.Generator, steps: int, layers: tuple[Layer, ...], speed: float) -> tuple[Choice, ...]:
    table = []
    for start in range(steps):
        inside = [i for i, layer in enumerate(layers) if layer.step == start]
        options = len(layers[inside[0]].words)
        base = int(rng.integers(8, 30))
        for width in range(options):  # wider weights are slower: the time is bound to the width
            cycles = max(1, int(base * speed * (1 + 0.25 * width)))
            table.append(Choice(start, start + 1, cycles, int(rng.integers(0, 4)), int(rng.integers(2, 9)), 1, ((inside[0], width),)))
        for stop in range(start + 2, min(start + 3, steps) + 1):
            cycles = int(base * speed * (stop - start) * rng.uniform(0.7, 1.1))
            words, room, ring = int(rng.integers(0, 4)), int(rng.integers(4, 14)), int(rng.integers(1, 4))
            table.append(Choice(start, stop, cycles, words, room, ring, held=stop - start))
    return tuple(table)


def _engines(
    rng: np.random.Generator, steps: int, layers: tuple[Layer, ...]
) -> tuple[tuple[Candidate, ...], tuple[tuple[Choice, ...], ...]]:
    """Engines that fit, slower ones; and baits, each faster than they and too large in one resource."""
    speeds = [1.0, 1.0, *rng.uniform(0.55, 0.95, 4)]
    tables = tuple(_table(rng, steps, layers, float(s)) for s in speeds)
    biggest = max(max(layer.block) for layer in layers)
    found = []
    for number in range(len(speeds) * 3):
        table = number % len(speeds)
        area = [float(rng.integers(40, 101)) for _ in RESOURCES]
        if table >= 2:
            area[table - 2] = float(rng.integers(101, 130))
        room, ahead = int(rng.integers(6, 14)), int(rng.integers(max(2, biggest // 2), biggest + 8))
        ring, block = int(rng.integers(1, 4)), biggest if number % 4 == 3 else 0
        found.append(Candidate(f"e{number}", table, (area[0], area[1], area[2], area[3]), room, ring, ahead, block, 2 + number % 2))
    return tuple(found), tables
