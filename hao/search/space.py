"""From a network and a board to the problem: tables of segment times for every kind of engine, areas, widths, limits."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import TypeAlias

from hao.boards import Board
from hao.compiler.lower import lower
from hao.compiler.ops import DenseOp, DwOp, ImageOp, Lowered
from hao.compiler.plan import Plan, Segment
from hao.compiler.rewrite import rewrite
from hao.cost.area import AreaEstimate, estimate_area
from hao.engine.config import ULTRA96, EngineConfig
from hao.engine.isa import DW_PARAM_WORDS, INSTRUCTION_BYTES, LANES, REQUANT_WORDS, TILE_WORDS, WORD_BYTES
from hao.errors import SearchError
from hao.ir.graph import Conv, Graph
from hao.search.decompose import Progress
from hao.search.engines import Grid, compute_key, describe
from hao.search.kept import Kept
from hao.search.mappings import Order, Own, label, own_plan, plan_of, segments
from hao.search.precision import STORED, undominated, widths_of
from hao.search.problem import Bits, Candidate, Choice, Group, Layer, Limits, Objective, Problem
from hao.search.rates import EngineRates, Rates, Work
from hao.search.replay import Trace, Walker
from hao.search.room import Room
from hao.search.walk import Tracer, Traces

RatesFor: TypeAlias = Callable[[EngineConfig], Rates]
OVERHEAD = 390
"""Cycles from the start register until the image is gathered, lists and first weights being loaded before, and from the last result on."""
_MIXED = 4
"""Layers of a segment whose widths are told apart one by one."""
_INSTRUCTION_WORDS = INSTRUCTION_BYTES // WORD_BYTES


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of a search.

    Attributes:
        widths: perturbations by layer and width; None: from the weights, every trace equal to one.
        damage: most perturbation; None with objective latency: that of the network as it is.
        cycles: most cycles of a frame.
        orders: plans to consider.
        fixed_widths: keep the network's own.
        grid: the engines.
    """

    objective: Objective = "latency"
    widths: Mapping[str, Mapping[int, float]] | None = None
    damage: float | None = None
    cycles: float | None = None
    orders: tuple[Order, ...] = ("graph", "tuned")
    fixed_widths: bool = False
    grid: Grid = field(default_factory=Grid)


@dataclass(frozen=True, slots=True, eq=False)
class Space:
    """The problem with what its numbers stand for.

    Attributes:
        engines: configuration and order of every candidate.
        areas: of every candidate's engine.
        counts: factors of the size, and what was left out exactly.
        seconds: wall time of the tables.
    """

    problem: Problem
    engines: tuple[tuple[EngineConfig, Order], ...]
    areas: tuple[AreaEstimate, ...]
    counts: Mapping[str, int]
    seconds: float


@dataclass(frozen=True, slots=True, eq=False)
class _Mapped:
    """One plan with everything about its segments that no engine changes; each with the plan in which it is one."""

    plan: Plan
    segments: tuple[tuple[Segment, Plan], ...]
    rooms: tuple[int, ...]
    words: tuple[int, ...]
    layers: tuple[Layer, ...]


def _dense_ops(plan: Plan) -> list[tuple[int, DenseOp]]:
    """Dense operations with the step that runs them."""
    found: list[tuple[int, DenseOp]] = []
    for number, step in enumerate(plan.steps):
        if step.feeder is not None:
            found.append((number, step.feeder))
        if isinstance(step.op, DenseOp):
            found.append((number, step.op))
    return found


def base_name(name: str) -> str:
    """The graph's own name of a layer that the compiler runs at low resolution."""
    return name.removesuffix(".low")


@dataclass(slots=True, eq=False)
class Subgraphs:
    """Every different subgraph walked so far, and its time on every kind of engine; networks of one family share it."""

    costs: dict[Work, int] = field(default_factory=dict)
    traces: dict[int, Traces] = field(default_factory=dict)
    rolling: Traces = field(default_factory=dict)
    walkers: dict[tuple[int, ...], Walker] = field(default_factory=dict)


class Builder:
    """Builds the tables of one network.

    Args:
        graph, board, request: the search.
        rates: prices of instructions on an engine.
        progress: told about tables.
        subgraphs: of earlier searches.
        kept: tables of earlier searches of this network, on disk.
    """

    def __init__(
        self,
        graph: Graph,
        board: Board,
        request: Request,
        rates: RatesFor = EngineRates,
        progress: Progress | None = None,
        subgraphs: Subgraphs | None = None,
        kept: Kept | None = None,
    ) -> None:
        self.board, self.request, self._rates, self._progress = board, request, rates, progress
        self._shared, self._kept = subgraphs or Subgraphs(), kept
        self.configs = tuple(request.grid.configurations())
        fields = type(self.configs[0]).model_fields
        largest = EngineConfig(**{name: max(getattr(c, name) for c in self.configs) for name in fields})
        rewritten = rewrite(graph)
        self.lowered: Lowered = lower(rewritten, largest)
        self.own: Own | None = None
        if "tuned" in request.orders:
            if progress is not None:
                progress("the compiler's own plan", 0, 1)
            self.own = own_plan(lower(rewritten, ULTRA96))
        self._weighted = {node.name for node in rewritten.nodes if isinstance(node, Conv)}
        self._options: dict[str, dict[int, float]] = {}
        self._groups: dict[str, int] = {}
        self._offered = 1
        self._plans: dict[tuple[object, ...], _Mapped] = {}

    def holds(self, config: EngineConfig) -> bool:
        """Whether the memories that no segment changes are large enough for the network."""
        planes = max((-(-len(op.inputs) // LANES) for op in self.lowered.ops if isinstance(op, DenseOp)), default=0)
        moved = [op.output.height * op.output.width for op in self.lowered.ops if op.output.displacement]
        lists, rows = 2 * planes <= config.lm_entries, self.lowered.image[3] <= config.row_bytes
        return rows and lists and max(moved, default=0) <= config.disp_entries

    def _mapped(self, order: Order, config: EngineConfig) -> _Mapped:
        key = (order, order == "spilled" and config.fm_words)
        if key not in self._plans:
            plan = plan_of(self.lowered, config, order, self.own.steps if order == "tuned" and self.own is not None else ())
            room, found = Room(plan), tuple(segments(plan, self.own if order == "tuned" else None))
            words = tuple(self._own_words(plan, s) for s, _ in found)
            self._plans[key] = _Mapped(plan, found, tuple(room.words(s, p) for s, p in found), words, self._layers(plan))
        return self._plans[key]

    def group_name(self, op: DenseOp) -> str:
        """Name of a dense operation's group: the graph's layer, or the operation itself where the compiler made it (a copy)."""
        return base_name(op.name) if op.name in self._weighted else f"{op.name} (copy)"

    def _layers(self, plan: Plan) -> tuple[Layer, ...]:
        """Every dense layer, by name; a group each, since the engine ties no weights."""
        found: list[Layer] = []
        for number, op in sorted(_dense_ops(plan), key=lambda pair: pair[1].name):
            name = self.group_name(op)
            group = self._groups.setdefault(name, len(self._groups))
            planes, blocks = len(plan.layout.planes_of(op.inputs)), len(plan.layout.blocks[op])
            block = tuple(op.kernel**2 * planes * TILE_WORDS[STORED[w]] for w in self._widths(op, name))
            found.append(Layer(op.name, number, group, tuple(blocks * (b + REQUANT_WORDS) for b in block), block))
        return tuple(found)

    def _widths(self, op: DenseOp, name: str) -> dict[int, float]:
        if name not in self._options:
            own = {op.bits: 0.0} if op.name not in self._weighted else None
            every = own or widths_of(op, name, self.request.widths)
            if self.request.fixed_widths:
                every = {max(every): every[max(every)]}
            self._offered *= len(every)
            self._options[name] = undominated(every)
        return self._options[name]

    def _blocks(self, mapped: _Mapped) -> tuple[int, int]:
        """Words of the largest block of weights, at the narrowest and at the widest width of every layer."""
        blocks = [layer.block for layer in mapped.layers]
        return max((min(block) for block in blocks), default=0), max((max(block) for block in blocks), default=0)

    def _own_words(self, plan: Plan, segment: Segment) -> int:
        """DRAM words of a segment beside weights: image, outputs, spills, taps, instructions (about two a block and stripe)."""
        words = 0
        for number in range(segment.start, segment.stop):
            step = plan.steps[number]
            blocks = len(plan.layout.blocks[step.op])
            words += _INSTRUCTION_WORDS * blocks * segment.stripes * (2 if isinstance(step.op, DwOp) else 1)
            words += DW_PARAM_WORDS * blocks if isinstance(step.op, DwOp) else 0
            if isinstance(step.op, ImageOp):
                words += self.lowered.image[1] * self.lowered.image[3] // WORD_BYTES
            for plane in plan.layout.planes_of_value(step.op.output):
                stored = (plane in plan.outputs) + (plane in plan.spilled and not plan.internal(plane, segment))
                words += stored * plane.height * plane.width
            for value, planes in plan.sources[number]:
                outside = [p for p in planes if p in plan.spilled and not plan.internal(p, segment)]
                words += len(outside) * value.height * value.width
        return words

    def _table(self, mapped: _Mapped, config: EngineConfig) -> tuple[Choice, ...]:
        """Choices of one plan on one kind of engine."""
        shared = self._shared
        tracer = Tracer(mapped.plan, config.win_depth, shared.costs, shared.traces.setdefault(config.win_depth, {}), shared.rolling)
        walker = shared.walkers.setdefault(compute_key(config), Walker(self._rates(config), shared.costs))
        names_of = {number: name for name, number in self._groups.items()}
        stored = {layer.name: [STORED[w] for w in self._options[names_of[layer.group]]] for layer in mapped.layers}
        index = {layer.name: n for n, layer in enumerate(mapped.layers)}
        spills = config.fm_words if mapped.plan.spilled else 0
        key = [[step.op.name for step in mapped.plan.steps], compute_key(config), config.win_depth, spills, stored]
        known = None if self._kept is None else self._kept.load(key)
        if known is not None:
            return known
        found: list[Choice] = []
        for (segment, inside), room, words in zip(mapped.segments, mapped.rooms, mapped.words, strict=True):
            trace = tracer.trace(segment, inside)
            if trace is None:
                continue
            names = tracer.layers(segment)
            text = label(mapped.plan, segment)
            for widths, cycles in _timed(walker, trace, [stored[name] for name in names]):
                bits = tuple((index[names[n]], w) for n, w in widths)
                choice = Choice(segment.start, segment.stop, cycles, words, room, 0, bits, text, segment.stripes, segment.rolling)
                found += self._repeated(choice, [mapped.layers[index[name]] for name in names], dict(widths))
        if self._kept is not None:
            self._kept.save(key, tuple(found))
        return tuple(found)

    def _repeated(self, choice: Choice, layers: Sequence[Layer], widths: Mapping[int, int]) -> list[Choice]:
        """What becomes of the weights of a striped segment: they stay in the buffer, or every stripe loads them again."""
        words = sum(layer.words[widths[n]] if n in widths else max(layer.words) for n, layer in enumerate(layers))
        if choice.stripes == 1 or words <= min(self.request.grid.wb_words):
            return [choice]
        return [replace(choice, held=words), replace(choice, words=choice.words + (choice.stripes - 1) * words)]

    def build(self) -> Space:
        """All tables.

        Raises:
            SearchError: no engine of the grid holds the network, or the table of perturbations lacks a layer.
        """
        begun = time.monotonic()
        holding = [config for config in self.configs if self.holds(config)]
        if not holding:
            raise SearchError("no engine of the grid holds the network's lists, displacements and image rows", "use a smaller image")
        areas = {config: estimate_area(config) for config in holding}
        tables: list[tuple[Choice, ...]] = []
        places: list[tuple[int, ...]] = []
        index: dict[tuple[object, ...], int] = {}
        candidates: list[Candidate] = []
        engines: list[tuple[EngineConfig, Order]] = []
        pairs = [(order, config) for order in self.request.orders for config in holding]
        mapped: _Mapped | None = None
        for done, (order, config) in enumerate(pairs):
            key = (order, compute_key(config), config.win_depth, order == "spilled" and config.fm_words)
            if key not in index:
                if self._progress is not None:
                    self._progress("tables", done, len(pairs))
                mapped = self._mapped(order, config)
                index[key] = len(tables)
                tables.append(self._table(mapped, config))
                places.append(tuple(layer.step for layer in mapped.layers))
            own = _candidates(config, order, index[key], areas[config], self._blocks(self._mapped(order, config)))
            candidates += own
            engines += [(config, order)] * len(own)
        assert mapped is not None
        names = {number: name for name, number in self._groups.items()}
        groups = tuple(Group(names[n], tuple(self._options[names[n]]), tuple(self._options[names[n]].values())) for n in range(len(names)))
        problem = Problem(
            len(mapped.plan.steps), mapped.layers, groups, tuple(tables), tuple(candidates), self._limits(groups), self.request.objective,
            OVERHEAD, tuple(places),
        )  # fmt: skip
        return Space(problem, tuple(engines), tuple(areas[c] for c, _ in engines), self._counts(problem, holding), time.monotonic() - begun)

    def _limits(self, groups: Sequence[Group]) -> Limits:
        request, has = self.request, self.board.resources
        damage = request.damage
        if damage is None and request.objective == "latency":
            damage = sum(min(group.damage) for group in groups)
        area = (float(has.dsp), float(has.lut), float(has.ff), float(has.bram36))
        return Limits(area, WORD_BYTES / self.board.sustained_bytes_per_cycle, damage, request.cycles)

    def _counts(self, problem: Problem, holding: Sequence[EngineConfig]) -> dict[str, int]:
        open_widths = 1
        for group in problem.groups:
            open_widths *= len(group.widths)
        return {
            **{f"grid_{name}": count for name, count in self.request.grid.factors().items()},
            "grid": len(self.configs), "holding": len(holding), "orders": len(self.request.orders), "tables": len(problem.tables),
            "kept_tables": 0 if self._kept is None else self._kept.found,
            "unique_segments": sum(len(known) for known in (*self._shared.traces.values(), self._shared.rolling)),
            "bit_settings_offered": self._offered, "bit_settings": open_widths,
        }  # fmt: skip


def _timed(walker: Walker, trace: Trace, stored: Sequence[Sequence[int]]) -> list[tuple[Bits, int]]:
    """Times of a segment by the widths that change them; more bits never make it faster, so equal ends mean equal times.

    Where more than ``_MIXED`` layers have a choice, all narrow and any widths (the time of all wide) are told apart alone.
    """
    low = walker.cycles(trace, tuple(min(options) for options in stored))
    several = [n for n, options in enumerate(stored) if len(options) > 1]
    if not several or low == walker.cycles(trace, tuple(max(options) for options in stored)):
        return [((), low)]
    if len(several) > _MIXED:
        narrow = tuple((n, stored[n].index(min(stored[n]))) for n in several)
        return [(narrow, low), ((), walker.cycles(trace, tuple(max(options) for options in stored)))]
    found: list[tuple[Bits, int]] = []
    for widths in product(*(range(len(stored[n])) for n in several)):
        held = dict(zip(several, widths, strict=True))
        bits = tuple(options[held.get(n, 0)] for n, options in enumerate(stored))
        found.append((tuple(held.items()), walker.cycles(trace, bits)))
    return found


def _candidates(config: EngineConfig, order: Order, table: int, area: AreaEstimate, blocks: tuple[int, int]) -> list[Candidate]:
    """Two ways to use the weight buffer: a half for the block in use and one for what comes next; or blocks of more than a half.

    The second one is offered where the first excludes a width; what comes next has only what the largest block leaves.
    """
    used = (area.dsp.value, area.lut.value, area.ff.value, area.bram36.value)
    half, name = config.wb_words // 2, f"{describe(config)}/{order}"
    found = [Candidate(name, table, used, config.fm_words, config.win_depth, half, buffer=config.wb_words)]
    least, most = blocks
    if most > half and least <= config.wb_words:
        block = min(most, config.wb_words)
        found.append(replace(found[0], name=f"{name}, large blocks", ahead=config.wb_words - block, block=block))
    return found
