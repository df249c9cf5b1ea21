"""And-inverter graphs: netlists of Yosys become literals of one graph, in which what is alike is one node.

A literal is twice the number of a node, plus one where it is inverted; 0 is false, 1 is true.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

FLIP_FLOPS: Mapping[str, int | None] = {"$_DFF_P_": None, "$_DFF_PN0_": 0, "$_DFF_PN1_": 1}
"""Cells that hold a bit, and what an asynchronous reset, active low, makes of it."""
Bit = tuple[str, int]
"""A bit of a port, of a register or of a box's port: its name and index."""
Literals: TypeAlias = Callable[[int | str], int]
"""Literal of a net of a netlist."""


@dataclass(slots=True)
class Graph:
    """Nodes of an and-inverter graph.

    Attributes:
        leaves: name of every input and state, by node.
        ands: operands of every other node.
    """

    leaves: dict[int, Bit] = field(default_factory=dict)
    ands: dict[int, tuple[int, int]] = field(default_factory=dict)
    _known: dict[object, int] = field(default_factory=dict)
    _count: int = 0

    def _node(self, key: object) -> int:
        if key not in self._known:
            self._count += 1
            self._known[key] = self._count
        return self._known[key]

    def leaf(self, kind: str, bit: Bit) -> int:
        """Literal of an input or a state; the same for the same ``kind`` and ``bit``."""
        node = self._node((kind, bit))
        self.leaves[node] = bit
        return 2 * node

    def both(self, a: int, b: int) -> int:
        """``a & b``."""
        a, b = min(a, b), max(a, b)
        if a == 0 or a ^ b == 1:
            return 0
        if a == 1 or a == b:
            return b
        node = self._node((a, b))
        self.ands[node] = a, b
        return 2 * node

    def either(self, a: int, b: int) -> int:
        """``a | b``."""
        return self.both(a ^ 1, b ^ 1) ^ 1

    def differ(self, a: int, b: int) -> int:
        """``a ^ b``."""
        return self.either(self.both(a, b ^ 1), self.both(a ^ 1, b))

    def choose(self, when: int, a: int, b: int) -> int:
        """``when ? a : b``."""
        return self.either(self.both(when, a), self.both(when ^ 1, b))

    def any(self, literals: Iterable[int]) -> int:
        """Whether one of them is true."""
        result = 0
        for literal in literals:
            result = self.either(result, literal)
        return result

    def support(self, literals: Iterable[int]) -> set[int]:
        """All nodes that ``literals`` depend on, themselves included, up to leaves."""
        seen, waiting = set[int](), [literal >> 1 for literal in literals]
        while waiting:
            node = waiting.pop()
            if node and node not in seen:
                seen.add(node)
                waiting.extend(literal >> 1 for literal in self.ands.get(node, ()))
        return seen

    def aiger(self, bad: int, states: Mapping[int, int]) -> bytes:
        """The binary AIGER file whose one output is ``bad``.

        Args:
            bad: the output.
            states: next value of every leaf that is a state; all begin as 0. Other leaves are inputs.
        """
        used = self.support([bad])
        while more := self.support(states[node] for node in used if node in states) - used:
            used |= more
        inputs = sorted(node for node in used if node in self.leaves and node not in states)
        latches = sorted(node for node in used if node in states)
        gates = sorted(node for node in used if node in self.ands)  # operands have smaller numbers
        number = {node: place for place, node in enumerate([0, *inputs, *latches, *gates])}

        def literal(old: int) -> int:
            return 2 * number[old >> 1] + (old & 1)

        head = f"aig {len(number) - 1} {len(inputs)} {len(latches)} 1 {len(gates)}\n"
        head += "".join(f"{literal(states[node])}\n" for node in latches) + f"{literal(bad)}\n"
        body = bytearray()
        for node in gates:
            low, high = sorted(map(literal, self.ands[node]))
            for delta in (2 * number[node] - high, high - low):
                while delta > 0x7F:
                    body.append(delta & 0x7F | 0x80)
                    delta >>= 7
                body.append(delta)
        return head.encode() + bytes(body)


@dataclass(frozen=True, slots=True)
class FlipFlop:
    """A register's bit. ``data`` and ``reset`` are nets (``reset``: "1" where there is none), ``value`` what a reset makes of it."""

    data: int | str
    reset: int | str
    value: int


@dataclass(frozen=True, slots=True)
class Box:
    """An instance of which only what goes in and out is looked at: its module, its parameters, the nets of its input ports."""

    module: str
    parameters: Mapping[str, Any]
    inputs: Mapping[str, Sequence[int | str]]


class Netlist:
    """A flat module of and-gates, inverters, flip-flops and boxes, as Yosys' ``write_json`` gives it.

    Attributes:
        outputs: nets of the output ports.
        boxes: by name of the instance its module, its parameters as Yosys writes them, and the nets of its input ports.
        registers: by name of their bit.
    """

    def __init__(self, module: Mapping[str, Any]) -> None:
        self.outputs: dict[str, list[int | str]] = {}
        self.boxes: dict[str, Box] = {}
        self.registers: dict[Bit, FlipFlop] = {}
        self._drivers: dict[int | str, tuple[str, Any]] = {}
        names: dict[int | str, Bit] = {}
        for name, net in sorted(module["netnames"].items(), key=lambda each: (each[1]["hide_name"], each[0])):
            for index, bit in enumerate(net["bits"]):
                names.setdefault(bit, (name, index))
        for name, port in module["ports"].items():
            if port["direction"] == "output":
                self.outputs[name] = port["bits"]
            else:
                self._drivers |= {bit: ("port", (name, index)) for index, bit in enumerate(port["bits"])}
        for name, cell in module["cells"].items():
            self._add(name, cell, names)

    def _add(self, name: str, cell: Mapping[str, Any], names: Mapping[int | str, Bit]) -> None:
        kind, pins = cell["type"], cell["connections"]
        if kind in ("$_AND_", "$_NOT_"):
            self._drivers[pins["Y"][0]] = kind, (pins["A"][0], pins.get("B", pins["A"])[0])
        elif kind in FLIP_FLOPS:
            bit, value = names[pins["Q"][0]], FLIP_FLOPS[kind]
            self.registers[bit] = FlipFlop(pins["D"][0], "1" if value is None else pins["R"][0], value or 0)
            self._drivers[pins["Q"][0]] = "register", bit
        else:
            ends = cell["port_directions"]
            self.boxes[name] = Box(kind, cell["parameters"], {port: bits for port, bits in pins.items() if ends[port] == "input"})
            for port, bits in pins.items():
                if ends[port] == "output":
                    self._drivers |= {bit: ("box", (f"{name}.{port}", index)) for index, bit in enumerate(bits)}

    def _needs(self, net: int | str) -> tuple[int | str, ...]:
        """Nets that decide ``net`` in the same cycle."""
        kind, what = self._drivers.get(net, ("constant", None))
        if kind == "register":
            return (self.registers[what].reset,)
        return tuple(what) if kind in ("$_AND_", "$_NOT_") else ()

    def literals(self, graph: Graph, state: Callable[[Bit], int], inputs: Mapping[Bit, int]) -> Literals:
        """Literals of nets in ``graph``.

        Args:
            graph: where to.
            state: literal of a register's bit, before its reset.
            inputs: literals of input ports that are no leaf of their own.
        """
        known: dict[int | str, int] = {"0": 0, "1": 1, "x": 0, "z": 0}

        def made(net: int | str) -> int:
            if net not in self._drivers:
                return 0
            kind, what = self._drivers[net]
            if kind == "$_AND_":
                return graph.both(known[what[0]], known[what[1]])
            if kind == "$_NOT_":
                return known[what[0]] ^ 1
            if kind == "register":
                each = self.registers[what]
                return graph.choose(known[each.reset], state(what), each.value)
            return inputs[what] if what in inputs else graph.leaf(kind, what)

        def literal(net: int | str) -> int:
            waiting = [net]
            while waiting:
                top = waiting[-1]
                missing = [] if top in known else [each for each in self._needs(top) if each not in known]
                waiting.extend(missing)
                if not missing:
                    if top not in known:
                        known[top] = made(top)
                    waiting.pop()
            return known[net]

        return literal


def word_of(bits: Iterable[Bit]) -> set[str]:
    """Names of the registers that ``bits`` belong to."""
    return {name for name, _ in bits}


def pairs(a: Sequence[int], b: Sequence[int], graph: Graph) -> int:
    """Whether two vectors of literals differ."""
    return graph.any(graph.differ(x, y) for x, y in zip(a, b, strict=True))
