"""Longest register-to-register paths of a synthesized hierarchy: an estimate before placement, with assumed delays.

All blocks are joined at their ports into one graph of nets, so that paths across blocks count in full.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from hao.errors import SynthesisError
from hao.synth.cells import arcs_of
from hao.synth.delays import net_delay
from hao.synth.design import Design, Instance
from hao.synth.yosys import Json


@dataclass(frozen=True, slots=True)
class Path:
    """One path: delay in ns, logic levels, and the cells on it from start to end."""

    delay_ns: float
    levels: int
    cells: tuple[str, ...]


@dataclass(slots=True)
class _Graph:
    """Nets are numbers; ``edges[a]`` lists (b, delay, levels, routed, cell)."""

    nets: int = 0
    edges: dict[int, list[tuple[int, float, int, bool, str]]] = field(default_factory=lambda: defaultdict(list))
    starts: dict[int, tuple[float, str]] = field(default_factory=dict)
    ends: list[tuple[int, float, str]] = field(default_factory=list)

    def new(self) -> int:
        self.nets += 1
        return self.nets - 1


def _add_cell(graph: _Graph, name: str, kind: str, pins: dict[str, list[int]], parameters: Json) -> None:
    try:
        arcs = arcs_of(kind, pins, parameters)
    except KeyError as error:
        raise SynthesisError(f"the path estimate does not know the cell {kind} ({name})", "add it to hao/synth/cells.py") from error
    if arcs is None:
        return
    label = f"{name} {kind}"
    graph.starts.update((bit, (delay, label)) for bit, delay in arcs.starts)
    graph.ends += [(bit, setup, label) for bit, setup in arcs.ends]
    for source, target, delay, levels, routed in arcs.through:
        graph.edges[source].append((target, delay, levels, routed, label))


def _join(design: Design) -> _Graph:
    """All instances in one graph."""
    graph = _Graph()
    ports: dict[str, dict[str, list[int]]] = {}
    for instance in design.instances:
        netlist = design.netlists[instance.key]
        own: dict[int, int] = {}
        _bind_ports(graph, netlist, ports.get(instance.path), own)

        def nets(bits: list[int | str], own: dict[int, int] = own) -> list[int]:
            return [
                own.setdefault(bit, graph.new()) if isinstance(bit, int) and bit not in own else own[bit] if isinstance(bit, int) else -1
                for bit in bits
            ]

        for name, cell in netlist["cells"].items():
            pins = {pin: nets(bits) for pin, bits in cell["connections"].items()}
            if cell["directions"]:
                ports[f"{instance.path}/{name}"] = pins
            else:
                _add_cell(graph, f"{instance.path}/{name}", cell["type"], pins, cell["parameters"])
    return graph


def _bind_ports(graph: _Graph, netlist: Json, outside: dict[str, list[int]] | None, own: dict[int, int]) -> None:
    """Give the nets at the ports of a block the numbers they have outside; a feed-through becomes an edge without delay."""
    for port, entry in netlist["ports"].items():
        bound = outside.get(port) if outside is not None else None
        for position, bit in enumerate(entry["bits"]):
            if not isinstance(bit, int):
                continue
            number = bound[position] if bound is not None and position < len(bound) else graph.new()
            if number < 0:
                number = graph.new()
            if bit not in own:
                own[bit] = number
            elif entry["direction"] == "output" and own[bit] != number:
                graph.edges[own[bit]].append((number, 0.0, 0, False, ""))


def _order(graph: _Graph) -> list[int]:
    """Nets in topological order.

    Raises:
        SynthesisError: there is a combinational loop.
    """
    incoming = [0] * graph.nets
    for targets in graph.edges.values():
        for target, *_ in targets:
            incoming[target] += 1
    ready = [net for net in range(graph.nets) if incoming[net] == 0]
    order = []
    while ready:
        net = ready.pop()
        order.append(net)
        for target, *_ in graph.edges.get(net, ()):
            incoming[target] -= 1
            if incoming[target] == 0:
                ready.append(target)
    if len(order) != graph.nets:
        stuck = next(net for net in range(graph.nets) if incoming[net] > 0)
        cell = next((edge[4] for edges in graph.edges.values() for edge in edges if edge[0] == stuck), "?")
        raise SynthesisError(f"a combinational loop passes {cell}", "break it with a register")
    return order


@dataclass(frozen=True, slots=True, eq=False)
class Timing:
    """Arrival of every net and the ends of all paths.

    Attributes:
        worst: longest path in ns by the instance in which it ends.
        levels: most logic levels by the instance in which the path ends.
    """

    worst: Mapping[str, Path]
    levels: Mapping[str, Path]

    @property
    def critical(self) -> Path:
        """The longest path of all."""
        return max(self.worst.values(), key=lambda path: path.delay_ns)

    @property
    def logic_levels(self) -> int:
        """The largest number of levels of all paths."""
        return max(path.levels for path in self.levels.values())


_Back = tuple[int, str]  # the net before, and the cell between


def _trace(graph: _Graph, back: list[_Back | None], net: int, end: str) -> tuple[str, ...]:
    cells = [end]
    here: int | None = net
    while here is not None:
        step = back[here]
        if step is None:
            cells.append(graph.starts[here][1] if here in graph.starts else "port")
            here = None
        else:
            here = step[0]
            if step[1]:
                cells.append(step[1])
    return tuple(reversed(cells))


def estimate(design: Design) -> Timing:
    """Longest paths of ``design``.

    A LUT, a distributed memory and a carry chain, whatever its length, are one logic level each.

    Raises:
        SynthesisError: a combinational loop, or a cell that the estimate does not know.
    """
    graph = _join(design)
    order = _order(graph)
    fan_out = [len(graph.edges.get(net, ())) for net in range(graph.nets)]
    for net, *_ in graph.ends:
        fan_out[net] += 1
    arrival = [graph.starts[net][0] if net in graph.starts else 0.0 for net in range(graph.nets)]
    depth = [0] * graph.nets
    late: list[_Back | None] = [None] * graph.nets
    deep: list[_Back | None] = [None] * graph.nets
    for net in order:
        routed_delay = net_delay(fan_out[net])
        for target, delay, levels, routed, cell in graph.edges.get(net, ()):
            if arrival[net] + delay + routed * routed_delay > arrival[target]:
                arrival[target] = arrival[net] + delay + routed * routed_delay
                late[target] = (net, cell)
            if depth[net] + levels > depth[target]:
                depth[target], deep[target] = depth[net] + levels, (net, cell)
    return _ends(graph, arrival, depth, late, deep, fan_out, {instance.path for instance in design.instances})


def _ends(
    graph: _Graph,
    arrival: list[float],
    depth: list[int],
    late: list[_Back | None],
    deep: list[_Back | None],
    fan_out: list[int],
    paths: set[str],
) -> Timing:
    slowest: dict[str, tuple[float, int, str]] = {}
    deepest: dict[str, tuple[int, int, str]] = {}
    for net, setup, label in graph.ends:
        place = label.split(" ")[0].rsplit("/", 1)[0]
        while place not in paths:
            place = place.rsplit("/", 1)[0]
        total = arrival[net] + net_delay(fan_out[net]) + setup
        if place not in slowest or total > slowest[place][0]:
            slowest[place] = (total, net, label)
        if place not in deepest or depth[net] > deepest[place][0]:
            deepest[place] = (depth[net], net, label)
    worst = {place: Path(round(total, 2), depth[net], _trace(graph, late, net, label)) for place, (total, net, label) in slowest.items()}
    most = {place: Path(round(arrival[net], 2), count, _trace(graph, deep, net, label)) for place, (count, net, label) in deepest.items()}
    return Timing(worst, most)


def instance_of(design: Design, path: str) -> Instance:
    """The instance at ``path`` (which must exist)."""
    return next(instance for instance in design.instances if instance.path == path)
