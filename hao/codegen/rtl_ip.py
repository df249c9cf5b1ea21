"""The RTL engine as an IP core: a Verilog top with fixed parameters, annotated interfaces, and the script that packages it."""

from __future__ import annotations

from dataclasses import dataclass

from hao.boards import Board
from hao.codegen.environment import render
from hao.codegen.rtl import PACKAGE_FILE, TOP, parameter_values, render_package, rtl_sources
from hao.codegen.tcl_project import ProjectPlan
from hao.engine.config import EngineConfig

IP_TOP = f"{TOP}_ip"
"""Verilog module and name of the IP core. The block design takes no SystemVerilog top."""
VLNV = f"hao:hao:{IP_TOP}:1.0"
WRAPPER = f"rtl/{IP_TOP}.v"
CONSTRAINTS = f"{IP_TOP}_ooc.xdc"
SCRIPT = "package_ip.tcl"
CONTROL = "s_axil"
MEMORY = "m_axi"
CONTROL_BYTES = 4096
"""Size of the register window: 12 address bits."""


@dataclass(frozen=True, slots=True)
class Port:
    """One port of the engine; ``width`` in bits, ``driven`` by the master of its bus."""

    name: str
    width: int
    driven: bool


def _ports(text: str) -> tuple[Port, ...]:
    """Ports from ``name:width`` (driven by the master) and ``<name:width`` (driven by the slave)."""
    found = []
    for item in text.split():
        name, width = item.lstrip("<").split(":")
        found.append(Port(name, int(width), not item.startswith("<")))
    return tuple(found)


LITE_PORTS = _ports(
    "awaddr:12 awvalid:1 <awready:1 wdata:32 wstrb:4 wvalid:1 <wready:1 <bresp:2 <bvalid:1 bready:1 "
    "araddr:12 arvalid:1 <arready:1 <rdata:32 <rresp:2 <rvalid:1 rready:1"
)
"""AXI4-Lite of the registers, in the order of the engine's ports."""
MEMORY_PORTS = _ports(
    "araddr:40 arlen:8 arsize:3 arburst:2 arcache:4 arprot:3 arvalid:1 <arready:1 <rdata:128 <rresp:2 <rlast:1 <rvalid:1 rready:1 "
    "awaddr:40 awlen:8 awsize:3 awburst:2 awcache:4 awprot:3 awvalid:1 <awready:1 wdata:128 wstrb:16 wlast:1 wvalid:1 <wready:1 "
    "<bresp:2 <bvalid:1 bready:1"
)
"""AXI4 of the memory, in the order of the engine's ports."""


def render_wrapper(config: EngineConfig) -> str:
    """The Verilog top of the IP core: ``hao_engine`` with the parameters of ``config`` and interface attributes."""
    values = {
        "module": IP_TOP,
        "engine": TOP,
        "parameters": parameter_values(config),
        "config": config,
        "lite": LITE_PORTS,
        "memory": MEMORY_PORTS,
    }
    return render("hao_engine_ip.v.j2", values)


def ip_files(config: EngineConfig, board: Board) -> dict[str, str]:
    """Sources, constraints and packaging script of the IP core by path.

    Raises:
        MissingTool: the installation carries no RTL or templates.
    """
    sources = {f"rtl/{path.name}": path.read_text(encoding="utf-8") for path in rtl_sources()}
    files = {f"rtl/{PACKAGE_FILE}": render_package(), **sources, WRAPPER: render_wrapper(config)}
    period = f"{1000 / board.clock.engine_mhz:.3f}"
    values = {
        "sources": [path.removeprefix("rtl/") for path in files],
        "constraints": CONSTRAINTS,
        "module": IP_TOP,
        "version": VLNV.rsplit(":", 1)[1],
        "part": board.part,
        "configuration": config.name,
        "digest": config.digest(),
        "revision": config.digest64() >> 34,  # 30 bits: IP revisions are signed 32-bit numbers
        "control": CONTROL,
        "memory": MEMORY,
        "period": period,
    }
    files[CONSTRAINTS] = render("hao_engine_ip_ooc.xdc.j2", values)
    files[SCRIPT] = render(f"{SCRIPT}.j2", values)
    return files


def plan_rtl_ip(config: EngineConfig, board: Board) -> ProjectPlan:
    """The project that packages the RTL engine of ``config`` as an IP core for the device of ``board``.

    Raises:
        MissingTool: the installation carries no RTL or templates.
    """
    settings = {"configuration": config.model_dump(), "digest": config.digest(), "board": board.name, "part": board.part}
    return ProjectPlan("rtl-ip", ip_files(config, board), settings, f"vivado -mode batch -source {SCRIPT}")
