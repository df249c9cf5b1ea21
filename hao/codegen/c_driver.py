"""The C driver: header and source for bare metal and Linux, generated from the register map."""

from __future__ import annotations

from hao.boards import Board
from hao.codegen.environment import render
from hao.codegen.ports import FIELDS
from hao.codegen.rtl_ip import CONTROL_BYTES
from hao.codegen.tcl_project import ProjectPlan
from hao.codegen.vivado import CONTROL_BASE, INTERRUPT
from hao.engine import isa, regs
from hao.engine.config import EngineConfig

CORE = ("hao_regs.h", "hao_driver.h", "hao_driver.c", "hao_decode.h", "hao_decode.c")
"""What every platform needs; C99, standard library only."""
PLATFORMS = ("hao_linux.h", "hao_linux.c", "hao_baremetal.h", "hao_baremetal.c", "hao_main.c", "hao.dts", "Makefile")
DECODE_STRIDE = 4
"""Pixels of the picture a pixel of the detector's heads maps; ``hao.models.decode.STRIDE``."""


def render_driver(config: EngineConfig, names: tuple[str, ...] = (*CORE, *PLATFORMS), engine_mhz: float = 250.0) -> dict[str, str]:
    """Files of the C driver for the engine of ``config``, by name.

    Args:
        config: the engine.
        names: of the files.
        engine_mhz: its clock, by which ``hao_main`` turns cycles into time.

    Raises:
        MissingTool: the installation carries no templates.
    """
    values = {
        "config": config,
        "isa": isa,
        "regs": regs,
        "units": [unit.name for unit in isa.Unit],
        "ports": FIELDS,
        "stride": DECODE_STRIDE,
        "control_base": f"{CONTROL_BASE:X}",
        "control_bytes": f"0x{CONTROL_BYTES:x}",
        "interrupt": INTERRUPT,
        "engine_mhz": engine_mhz,
    }
    return {name: render(f"c_driver/{name}.j2", values) for name in names}


def plan_c_driver(config: EngineConfig, board: Board) -> ProjectPlan:
    """The folder with the C driver.

    Raises:
        MissingTool: the installation carries no templates.
    """
    settings = {"configuration": config.model_dump(), "digest": config.digest(), "board": board.name}
    return ProjectPlan("c-driver", render_driver(config, engine_mhz=board.clock.engine_mhz), settings, "make CC=aarch64-linux-gnu-gcc")
