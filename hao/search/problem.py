"""The problem that the integer program solves, as plain values: steps in a chain, ways to run runs of them, engines to run them on.

Formulation ours (``docs/search.md``); from HAO (arXiv 2104.12766) is the idea of an integer program inside the search.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Objective: TypeAlias = Literal["latency", "perturbation"]
Bits: TypeAlias = tuple[tuple[int, int], ...]
"""Layers and the index of the width that each of them has."""

RESOURCES = ("dsp", "lut", "ff", "bram36")
"""Resources that a device limits."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One way to run the steps ``start`` to ``stop`` (exclusive): a segment.

    Attributes:
        cycles: of the units, DRAM apart.
        words: DRAM words beside weights and parameters: image, results, spilled tensors.
        room: words of feature memory that it and what lives through it take.
        ring: addresses of a window bank.
        bits: widths that ``cycles`` holds for; layers that are not named may have any.
        label: the mapping, for people.
        stripes: in which the segment is computed; ``rolling``: no row twice.
        held: words of weights that must stay in the buffer from stripe to stripe.
    """

    start: int
    stop: int
    cycles: int
    words: int = 0
    room: int = 0
    ring: int = 0
    bits: Bits = ()
    label: str = ""
    stripes: int = 1
    rolling: bool = False
    held: int = 0


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer with weights: the step that reads them, the group whose widths it shares, and what each width costs.

    Where tables order the steps differently, ``Problem.places`` gives the step for each.
    ``words`` are DRAM words of all weights and parameters, ``block`` the words of one block of 16 outputs; by width.
    """

    name: str
    step: int
    group: int
    words: tuple[int, ...]
    block: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Layers tied to one width: the widths and the perturbation of each."""

    name: str
    widths: tuple[int, ...]
    damage: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Candidate:
    """An engine.

    Attributes:
        name: for people.
        table: index of the choices whose times are its own.
        area: of the resources, in the order of ``RESOURCES``.
        room, ring: words of feature memory, addresses of a window bank.
        ahead: words of weights that may be loaded before those in use are done with.
        block: words of the largest block of weights that the buffer takes; ``ahead`` where it is left out.
        buffer: words of weights that it holds in all.
    """

    name: str
    table: int
    area: tuple[float, float, float, float]
    room: int
    ring: int
    ahead: int
    block: int = 0
    buffer: int = 1 << 30

    @property
    def largest(self) -> int:
        """Words of the largest block of weights."""
        return self.block or self.ahead

    def holds(self, choice: Choice) -> bool:
        """Whether a segment's buffers fit."""
        return choice.room <= self.room and choice.ring <= self.ring and choice.held <= self.buffer


@dataclass(frozen=True, slots=True)
class Limits:
    """What must not be exceeded; None: no limit. ``cycles_per_word`` is the DRAM's pace."""

    area: tuple[float, float, float, float]
    cycles_per_word: float = 0.0
    damage: float | None = None
    cycles: float | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """A whole search.

    ``overhead`` cycles are added to every frame; ``places`` is the step of every layer by table, empty where all tables agree.
    """

    steps: int
    layers: tuple[Layer, ...]
    groups: tuple[Group, ...]
    tables: tuple[tuple[Choice, ...], ...]
    candidates: tuple[Candidate, ...]
    limits: Limits
    objective: Objective = "latency"
    overhead: int = 0
    places: tuple[tuple[int, ...], ...] = ()

    def steps_of(self, table: int) -> tuple[int, ...]:
        """Step of every layer in the order of a table's steps."""
        return self.places[table] if self.places else tuple(layer.step for layer in self.layers)

    def allowed(self, candidate: Candidate) -> tuple[Choice, ...]:
        """Choices whose buffers fit a candidate."""
        return tuple(c for c in self.tables[candidate.table] if candidate.holds(c))

    def open_widths(self, candidate: Candidate) -> list[list[int]]:
        """By group, the widths whose blocks of weights fit a candidate's buffer."""
        found = [list(range(len(group.widths))) for group in self.groups]
        for layer in self.layers:
            found[layer.group] = [b for b in found[layer.group] if layer.block[b] <= candidate.largest]
        return found


@dataclass(frozen=True, slots=True)
class Answer:
    """A point of the space: candidate, segments in order, width index of every group, and what they come to."""

    candidate: int
    path: tuple[Choice, ...]
    widths: tuple[int, ...]
    cycles: float
    damage: float

    def value(self, objective: Objective) -> float:
        """What the objective makes of it."""
        return self.cycles if objective == "latency" else self.damage


Status: TypeAlias = Literal["optimal", "feasible", "infeasible", "unknown"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a search found.

    Attributes:
        status: ``optimal`` is proven; ``feasible`` has a gap; ``unknown``: time ran out before anything was found.
        answer: the best point; None if there is none.
        bound: no point is better than this.
        certificate: why each candidate is not better, by name: one line each.
        counts: sizes and prunings by name.
    """

    status: Status
    answer: Answer | None
    bound: float
    objective: Objective
    certificate: Mapping[str, str] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)

    @property
    def gap(self) -> float | None:
        """Relative distance between answer and bound; 0 is proven, None without an answer."""
        if self.answer is None:
            return None
        value = self.answer.value(self.objective)
        return 0.0 if self.status == "optimal" or value <= self.bound else (value - self.bound) / max(abs(value), 1e-12)


def frame_cycles(problem: Problem, candidate: Candidate, path: Sequence[Choice], widths: Sequence[int]) -> float:
    """Cycles of a frame: segments one behind another, weights at most a weight buffer ahead of their use.

    The DRAM delivers the words of the segments in order. A segment ends when its units are done, when its words are there, and not
    before the DRAM could bring them from the moment on at which the buffer had room for them.
    """
    pace = problem.limits.cycles_per_word
    ends, delivered = [0.0], [0.0]
    needed = [0] * problem.steps
    for layer, step in zip(problem.layers, problem.steps_of(candidate.table), strict=True):
        needed[step] += layer.words[widths[layer.group]]
    for choice in path:
        words = choice.words + sum(needed[choice.start : choice.stop])
        total = delivered[-1] + words * pace
        waits = max(end + total - before for end, before in zip(ends, delivered, strict=True)) - candidate.ahead * pace
        ends.append(max(ends[-1] + choice.cycles, total, waits))
        delivered.append(total)
    return ends[-1] + problem.overhead


def damage_of(problem: Problem, widths: Sequence[int]) -> float:
    """Perturbation of a choice of widths."""
    return sum(group.damage[width] for group, width in zip(problem.groups, widths, strict=True))
