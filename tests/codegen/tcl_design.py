"""A block design as a graph, and what is wrong with it: unconnected buses, clocks and resets, addresses that collide."""

from __future__ import annotations

import fnmatch
import itertools
import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

VOCABULARY: dict[str, Any] = tomllib.loads((Path(__file__).with_name("tcl_vocabulary.toml")).read_text(encoding="utf-8"))
_INFO = re.compile(
    r'X_INTERFACE_INFO = "xilinx\.com:(?:signal|interface):(\w+):1\.0 (\w+) (\w+)" \*\)\s*'
    r"(?:\(\*[^)]*\*\)\s*)?(input|output)"
)
_PARAMETER = re.compile(r'X_INTERFACE_PARAMETER = "XIL_INTERFACENAME (\w+)((?:, \w+ [^,"]+)*)"')


class DesignFault(Exception):
    """A command that the design cannot carry out."""


@dataclass(frozen=True)
class Interface:
    """An interface of a packaged core: its type, whether the core drives it, its parameters."""

    kind: str
    out: bool
    parameters: dict[str, str]


def read_interfaces(verilog: str) -> dict[str, Interface]:
    """The interfaces that the attributes of a Verilog top declare, by name.

    Raises:
        DesignFault: a kind, signal, parameter or value that the vocabulary does not know, or an attribute that cannot be read.
    """
    parameters: dict[str, dict[str, str]] = {}
    for name, rest in _PARAMETER.findall(verilog):
        parameters[name] = dict(item.strip().split(" ", 1) for item in rest.split(",") if item.strip())
    found: dict[str, Interface] = {}
    kinds: dict[str, str] = {}
    for kind, name, signal, _ in _INFO.findall(verilog):
        if signal not in VOCABULARY["interface"].get(kind, {}).get("signals", []):
            raise DesignFault(f"unknown signal {signal} of an interface {kind}")
        kinds[name] = kind
    for name, values in parameters.items():
        for key, value in values.items():
            pattern = VOCABULARY["interface"].get(kinds.get(name, ""), {}).get("parameters", {}).get(key)
            if pattern is None or not re.fullmatch(pattern, value):
                raise DesignFault(f"unknown parameter {key} {value} of interface {name}")
    if (len(_INFO.findall(verilog)), len(parameters)) != (verilog.count("X_INTERFACE_INFO ="), verilog.count("X_INTERFACE_PARAMETER =")):
        raise DesignFault("an interface attribute that cannot be read, or given twice")
    for kind, name, signal, direction in _INFO.findall(verilog):
        if kind != "aximm" or signal == "ARVALID":
            found[name] = Interface(kind, direction == "output", parameters.get(name, {}))
    return found


@dataclass
class Cell:
    """A cell with what its parameters make visible."""

    vlnv: str
    parameters: dict[str, str]
    allowed: dict[str, str]
    interfaces: dict[str, dict[str, Any]]
    pins: dict[str, dict[str, Any]]
    spaces: dict[str, dict[str, Any]]
    segments: dict[str, dict[str, Any]]

    def visible(self, entry: dict[str, Any]) -> bool:
        return "when" not in entry or self.parameters.get(entry["when"]) == "1"


@dataclass(frozen=True)
class Found:
    """A pin or interface of a cell."""

    path: str
    entry: dict[str, Any]


def packaged_ip(interfaces: dict[str, Interface]) -> dict[str, Any]:
    """The entry of a packaged core, in the form of the vocabulary."""
    kinds = {"clock": "clock", "reset": "reset", "interrupt": "interrupt"}
    pins = {name: {"kind": kinds[i.kind], "out": i.out} for name, i in interfaces.items() if i.kind in kinds}
    buses: dict[str, Any] = {}
    spaces: dict[str, Any] = {}
    segments: dict[str, Any] = {}
    clock = next((i for i in interfaces.values() if i.kind == "clock"), None)
    clocked = clock.parameters.get("ASSOCIATED_BUSIF", "").split(":") if clock else []
    for name, interface in interfaces.items():
        if interface.kind != "aximm":
            continue
        size = 1 << int(interface.parameters["ADDR_WIDTH"])
        buses[name] = {"mode": "master" if interface.out else "slave", "clock": "aclk" if name in clocked else ""}
        if interface.out:
            spaces[name] = {"interface": name, "windows": [[0, size]]}
        else:
            segments[f"{name}/reg0"] = {"interface": name, "size": size}
    return {"pins": pins, "interfaces": buses, "spaces": spaces, "segments": segments}


@dataclass
class BlockDesign:
    """Cells, nets and addresses; `faults` judges the whole."""

    ip: dict[str, Any]
    packaged: dict[str, Interface]
    preset: bool
    cells: dict[str, Cell] = field(default_factory=dict)
    nets: list[list[str]] = field(default_factory=list)
    links: list[tuple[str, str]] = field(default_factory=list)
    addresses: list[tuple[str, str, int, int]] = field(default_factory=list)
    excluded: list[tuple[str, str]] = field(default_factory=list)

    def add_cell(self, name: str, vlnv: str) -> None:
        entry = packaged_ip(self.packaged) if vlnv == "hao:hao:hao_engine_ip:1.0" and self.packaged else self.ip.get(vlnv)
        if entry is None:
            raise DesignFault(f"no IP {vlnv} in the catalog")
        parts = (entry.get(key, {}) for key in ("parameters", "interfaces", "pins", "spaces", "segments"))
        self.cells[name] = Cell(vlnv, dict(entry.get("defaults", {})), *parts)

    def set_parameter(self, cell: str, name: str, value: str) -> None:
        key = name.removeprefix("CONFIG.")
        pattern = self.cells[cell].allowed.get(key)
        if not name.startswith("CONFIG.") or pattern is None:
            raise DesignFault(f"unknown parameter {name} of {self.cells[cell].vlnv}")
        if not re.fullmatch(pattern, value):
            raise DesignFault(f"{value!r} is no value of {name}")
        self.cells[cell].parameters[key] = value

    def _find(self, path: str, what: str) -> Found:
        cell, _, name = path.partition("/")
        entry = getattr(self.cells.get(cell), what, {}).get(name)
        if entry is None or not self.cells[cell].visible(entry):
            raise DesignFault(f"no {what[:-1]} {path}")
        return Found(path, entry)

    def pin(self, path: str) -> Found:
        return self._find(path, "pins")

    def interface(self, path: str) -> Found:
        return self._find(path, "interfaces")

    def space(self, path: str) -> str:
        return self._find(path, "spaces").path

    def segments_like(self, pattern: str) -> list[str]:
        """Paths of the segments that match; DRAM above 2 GiB is there once a preset told of it."""
        found = []
        for name, cell in self.cells.items():
            for segment, entry in cell.segments.items():
                there = cell.visible(cell.interfaces[entry["interface"]]) and (self.preset or not entry.get("preset"))
                if there and fnmatch.fnmatch(f"{name}/{segment}", pattern):
                    found.append(f"{name}/{segment}")
        return found

    def connect_pins(self, paths: list[str]) -> None:
        drivers = [path for path in paths if self.pin(path).entry["out"]]
        kinds = {self.pin(path).entry["kind"] for path in paths}
        if len(drivers) != 1 or len(kinds) != 1:
            raise DesignFault(f"a net with {len(drivers)} drivers and {sorted(kinds)}: {paths}")
        taken = [path for path in paths if any(path in net and not self.pin(path).entry["out"] for net in self.nets)]
        if taken:
            raise DesignFault(f"connected twice: {taken}")
        self.nets.append(paths)

    def connect_interfaces(self, one: str, other: str) -> None:
        if {self.interface(one).entry["mode"], self.interface(other).entry["mode"]} != {"master", "slave"}:
            raise DesignFault(f"{one} and {other} are both {self.interface(one).entry['mode']}s")
        if any(path in link for link in self.links for path in (one, other)):
            raise DesignFault(f"{one} or {other} is connected already")
        master_first = (one, other) if self.interface(one).entry["mode"] == "master" else (other, one)
        self.links.append(master_first)

    def _segment(self, path: str) -> dict[str, Any]:
        cell, _, name = path.partition("/")
        return self.cells[cell].segments[name]

    def assign(self, space: str, segment: str, offset: int, size: int) -> None:
        entry = self._segment(segment)
        if size & (size - 1) or offset % size or size > entry["size"]:
            raise DesignFault(f"{segment}: range {size:#x} at {offset:#x} is unaligned, no power of two or too large")
        if "base" in entry and not entry["base"] <= offset <= offset + size <= entry["base"] + entry["size"]:
            raise DesignFault(f"{segment}: {offset:#x} is outside of it")
        windows = self._find(space, "spaces").entry["windows"]
        if not any(base <= offset and offset + size <= base + length for base, length in windows):
            raise DesignFault(f"{space} does not reach {offset:#x}")
        self.addresses.append((space, segment, offset, size))

    def exclude(self, space: str, segment: str) -> None:
        self.excluded.append((space, segment))

    def _clock_of(self, path: str) -> str:
        """The clock pin that drives the interface ``path``, or an empty string."""
        pin = f"{path.split('/')[0]}/{self.interface(path).entry['clock']}"
        return next((p for net in self.nets if pin in net for p in net if self.pin(p).entry["out"]), "")

    def _reached(self, master: str) -> set[str]:
        """Slave interfaces behind ``master``, through interconnects."""
        found: set[str] = set()
        for one, other in self.links:
            if one == master:
                cell = other.split("/")[0]
                onward = self.cells[cell].vlnv == "xilinx.com:ip:smartconnect"
                behind = [f"{cell}/{name}" for name, entry in self.cells[cell].interfaces.items() if entry["mode"] == "master"]
                found |= set().union(*(self._reached(path) for path in behind)) if onward else {other}
        return found

    def faults(self) -> list[str]:
        """Everything that is wrong, one line each."""
        return [*self._connection_faults(), *self._address_faults()]

    def _connection_faults(self) -> list[str]:
        found = []
        linked = {path for link in self.links for path in link}
        wired = {path for net in self.nets for path in net}
        for name, cell in self.cells.items():
            for bus, entry in cell.interfaces.items():
                if cell.visible(entry) and f"{name}/{bus}" not in linked:
                    found.append(f"{name}/{bus} is not connected")
            for pin, entry in cell.pins.items():
                if cell.visible(entry) and f"{name}/{pin}" not in wired and (not entry["out"] or entry["kind"] == "interrupt"):
                    found.append(f"{entry['kind']} {name}/{pin} is not connected")
        for master, slave in self.links:
            clocks = {self._clock_of(master), self._clock_of(slave)}
            if len(clocks) != 1 or clocks == {""}:
                found.append(f"{master} and {slave} have clocks {sorted(clocks)}")
        return found

    def _address_faults(self) -> list[str]:
        found = []
        for name, cell in self.cells.items():
            for space_name, entry in cell.spaces.items():
                space = f"{name}/{space_name}"
                slaves = self._reached(f"{name}/{entry['interface']}")
                behind = [s for s in self.segments_like("*") if f"{s.split('/')[0]}/{self._segment(s)['interface']}" in slaves]
                done = {s for sp, s, *_ in self.addresses if sp == space} | {s for sp, s in self.excluded if sp == space}
                found += [f"{space}: {s} has no address and is not excluded" for s in behind if s not in done]
                found += [f"{space}: {s} is not behind it" for s in sorted(done) if s not in behind]
                ranges = sorted((o, o + size, s) for sp, s, o, size in self.addresses if sp == space)
                found += [f"{space}: {a[2]} and {b[2]} overlap" for a, b in itertools.pairwise(ranges) if b[0] < a[1]]
        return found
