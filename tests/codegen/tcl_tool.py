"""The vendor's tools as far as generated Tcl can tell: the recorded vocabulary, objects with kinds, files left behind.

Every departure from the vocabulary is a fault, also inside a `catch` of the script.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from tests.codegen.tcl_design import VOCABULARY, BlockDesign, DesignFault, Interface, read_interfaces

_HANDLE = re.compile(r"(project|fileset|file|core|cell|pin|intf|segment|space|path|design|port|bus):(.*)")


class Fault(Exception):
    """What a real tool would refuse."""


@dataclass
class Call:
    """A command taken apart: options with their values, flags, other words."""

    name: str
    options: dict[str, str] = field(default_factory=dict)
    words: list[str] = field(default_factory=list)

    @classmethod
    def parse(cls, command: list[str], dialect: str) -> Call:
        name = command[0]
        entry = VOCABULARY.get(dialect, {}).get(name) or VOCABULARY["commands"].get(name)
        if entry is None:
            raise Fault(f"unknown command {name}")
        call, rest = cls(name), command[1:]
        while rest:
            word = rest.pop(0)
            if word in entry.get("options", []):
                if not rest:
                    raise Fault(f"{name}: {word} lacks its value")
                call.options[word] = rest.pop(0)
            elif word in entry.get("flags", []):
                call.options[word] = ""
            elif word.startswith("-") and name != "puts":
                raise Fault(f"{name}: unknown option {word}")
            else:
                call.words.append(word)
        least, most = entry["words"]
        if not least <= len(call.words) <= most:
            raise Fault(f"{name}: {len(call.words)} arguments, not {least} to {most}")
        return call


def config_faults(text: str) -> list[str]:
    """What is wrong with an ``hls_config.cfg``: unknown keys, keys in the wrong section, values they do not take, keys given twice."""
    section, seen, faults = "", set(), []
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        if match := re.fullmatch(r"\[(\w+)\]", line):
            section = match[1]
            continue
        key, equals, value = line.partition("=")
        entry = VOCABULARY["hls_config"].get(key)
        if not equals or entry is None:
            faults.append(f"unknown key {key}")
        elif entry["section"] != section:
            faults.append(f"{key} does not belong to section [{section}]")
        elif not re.fullmatch(entry["value"], value):
            faults.append(f"{value!r} is no value of {key}")
        elif key in seen and key != "syn.file":
            faults.append(f"{key} is given twice")
        seen.add(key)
    return faults


def handle(kind: str, text: str) -> str:
    """The name of the object if ``text`` is an object of that kind."""
    match = _HANDLE.fullmatch(text)
    if not match or match[1] != kind:
        raise Fault(f"{text!r} is no {kind}")
    return match[2]


def items(text: str) -> list[str]:
    """Elements of a flat Tcl list; braces around one element are taken off."""
    return [a or b for a, b in re.findall(r"\{([^{}]*)\}|(\S+)", text)]


@dataclass
class Tool:
    """A tool that runs generated scripts in ``folder``.

    Attributes:
        board_parts: what the tool's board store holds.
        slack: of the routed design, in ns.
        pulses_fit: whether pulse widths are met.
        broken: commands that fail with a message, as a missing licence makes them.
    """

    folder: Path
    dialect: str = "vivado"
    board_parts: tuple[str, ...] = ()
    slack: float = 0.1
    pulses_fit: bool = True
    broken: dict[str, str] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    properties: dict[tuple[str, str], str] = field(default_factory=dict)
    sources: list[str] = field(default_factory=list)
    packaged: dict[str, Interface] = field(default_factory=dict)
    design: BlockDesign | None = None
    design_file: Path | None = None

    def answer(self, command: list[str]) -> tuple[bool, str]:
        """Carry out one command; see `tcl_interpreter.Answer`."""
        try:
            call = Call.parse(command, self.dialect)
            self.calls.append(call)
            if call.name in self.broken:
                return True, self.broken[call.name]
            method = getattr(self, "do_" + call.name.replace("::", "_"), None)
            return False, "" if method is None else method(call) or ""
        except (Fault, DesignFault) as fault:
            self.faults.append(str(fault))
            return True, str(fault)

    def said(self, name: str) -> list[Call]:
        """Every call of the command ``name``."""
        return [call for call in self.calls if call.name == name]

    def _exists(self, path: str) -> None:
        if not Path(path).is_file():
            raise Fault(f"no file {path}")

    def _bd(self) -> BlockDesign:
        if self.design is None:
            raise Fault("no block design is open")
        return self.design

    def do_current_project(self, call: Call) -> str:
        return "project:current"

    def do_current_fileset(self, call: Call) -> str:
        return "fileset:sources_1"

    def do_current_design(self, call: Call) -> str:
        return "design:current"

    def do_create_project(self, call: Call) -> None:
        if "-part" not in call.options:
            raise Fault("create_project without a part")

    def do_add_files(self, call: Call) -> None:
        for path in items(call.words[0]):
            self._exists(path)
            self.sources.append(path)

    do_read_verilog = do_add_files
    do_read_xdc = do_add_files

    def do_get_files(self, call: Call) -> str:
        known = [path for path in self.sources if Path(path).name == call.words[0]]
        if self.design_file is not None and self.design_file.name == call.words[0]:
            known.append(str(self.design_file))
        if len(known) != 1:
            raise Fault(f"get_files {call.words[0]} finds {len(known)} files")
        return f"file:{known[0]}"

    def do_get_ports(self, call: Call) -> str:
        return f"port:{call.words[0]}"

    def do_get_board_parts(self, call: Call) -> str:
        prefix = call.words[0].removesuffix("*")
        return " ".join(part for part in self.board_parts if part.startswith(prefix))

    def do_set_property(self, call: Call) -> None:
        if "-dict" in call.options:
            words = items(call.options["-dict"])
            pairs = list(zip(words[::2], words[1::2], strict=True))
            (target,) = call.words
        else:
            name, value, target = call.words
            pairs = [(name, value)]
        kind = target.split(":")[0]
        for name, value in pairs:
            if kind == "cell":
                self._bd().set_parameter(handle("cell", target), name, value)
            elif name not in VOCABULARY["properties"].get(kind, {}).get("names", []):
                raise Fault(f"unknown property {name} of {target}")
            self.properties[target, name] = value

    def do_get_property(self, call: Call) -> str:
        name, target = call.words
        kind = target.split(":")[0]
        if kind == "path":
            return str(self.slack)
        if kind == "cell" and name.endswith("__ACT_FREQMHZ"):
            asked = self._bd().cells[handle("cell", target)].parameters[name.removeprefix("CONFIG.").replace("ACT_", "")]
            return str(float(asked) - 0.0025)
        if name not in VOCABULARY["properties"].get(kind, {}).get("names", []):
            raise Fault(f"unknown property {name} of {target}")
        return self.properties.get((target, name), "")

    def do_write_checkpoint(self, call: Call) -> None:
        Path(call.words[0]).write_text("checkpoint", encoding="utf-8")

    def do_open_checkpoint(self, call: Call) -> None:
        self._exists(call.words[0])

    def do_ipx_package_project(self, call: Call) -> None:
        wrapper = next(path for path in self.sources if path.endswith("_ip.v"))
        self.packaged = read_interfaces(Path(wrapper).read_text(encoding="utf-8"))
        root = Path(call.options["-root_dir"])
        root.mkdir(parents=True, exist_ok=True)
        (root / "component.xml").write_text("packaged", encoding="utf-8")

    def do_ipx_current_core(self, call: Call) -> str:
        return "core:current"

    def do_ipx_get_bus_interfaces(self, call: Call) -> str:
        handle("core", call.options["-of_objects"])
        return f"bus:{call.words[0]}" if call.words[0] in self.packaged else ""

    def do_ipx_associate_bus_interfaces(self, call: Call) -> None:
        handle("core", call.words[0])
        for option, name in call.options.items():
            if name not in self.packaged:
                raise Fault(f"{option} {name}: no such interface")

    def do_create_bd_design(self, call: Call) -> None:
        self.design = BlockDesign(VOCABULARY["ip"], self.packaged, bool(self.properties.get(("project:current", "board_part"))))
        folder = Path(call.options["-dir"]) / call.words[0]
        folder.mkdir(parents=True)
        self.design_file = folder / f"{call.words[0]}.bd"

    def do_create_bd_cell(self, call: Call) -> str:
        if call.options.get("-type") != "ip":
            raise Fault("create_bd_cell: only -type ip is known")
        self._bd().add_cell(call.words[0], call.options["-vlnv"])
        return f"cell:{call.words[0]}"

    def do_apply_bd_automation(self, call: Call) -> None:
        handle("cell", call.words[0])

    def do_get_bd_pins(self, call: Call) -> str:
        return "pin:" + self._bd().pin(call.words[0]).path

    def do_get_bd_intf_pins(self, call: Call) -> str:
        return "intf:" + self._bd().interface(call.words[0]).path

    def do_get_bd_addr_spaces(self, call: Call) -> str:
        return "space:" + self._bd().space(call.words[0])

    def do_get_bd_addr_segs(self, call: Call) -> str:
        found = self._bd().segments_like(call.words[0])
        if not found and "-quiet" not in call.options:
            raise Fault(f"no segment {call.words[0]}")
        return " ".join(f"segment:{name}" for name in found)

    def do_connect_bd_net(self, call: Call) -> None:
        self._bd().connect_pins([handle("pin", word) for word in call.words])

    def do_connect_bd_intf_net(self, call: Call) -> None:
        self._bd().connect_interfaces(*(handle("intf", word) for word in call.words))

    def do_assign_bd_address(self, call: Call) -> None:
        space = handle("space", call.options["-target_address_space"])
        offset, size = (int(call.options[name], 16) for name in ("-offset", "-range"))
        self._bd().assign(space, handle("segment", call.words[0]), offset, size)

    def do_exclude_bd_addr_seg(self, call: Call) -> None:
        self._bd().exclude(handle("space", call.options["-target_address_space"]), handle("segment", call.words[0]))

    def do_validate_bd_design(self, call: Call) -> None:
        faults = self._bd().faults()
        if faults:
            raise Fault("; ".join(faults))

    def do_save_bd_design(self, call: Call) -> None:
        assert self.design_file is not None
        self.design_file.write_text("{}", encoding="utf-8")

    def do_generate_target(self, call: Call) -> None:
        handoff = Path(handle("file", call.words[1])).parent / "hw_handoff"
        handoff.mkdir()
        (handoff / "hao_system.hwh").write_text("<hwh/>", encoding="utf-8")

    def do_make_wrapper(self, call: Call) -> str:
        wrapper = Path(handle("file", call.options["-files"])).with_name("hao_system_wrapper.v")
        wrapper.write_text("module hao_system_wrapper; endmodule", encoding="utf-8")
        return str(wrapper)

    def do_get_timing_paths(self, call: Call) -> str:
        return "path:worst"

    def do_report_timing_summary(self, call: Call) -> str:
        met = self.slack >= 0 and self.pulses_fit
        verdict = "All user specified timing constraints are met." if met else "Timing constraints are not met."
        return verdict if "-return_string" in call.options else ""

    def do_write_bitstream(self, call: Call) -> None:
        Path(call.words[0]).write_text("bits", encoding="utf-8")
