"""The Vitis HLS project of one board: the kernel, the classic Tcl flow and the unified configuration file."""

from __future__ import annotations

from hao.boards import Board
from hao.codegen.environment import render
from hao.codegen.hls_project import SCRIPT, render_project
from hao.codegen.tcl_project import SHELL_SCRIPT, ProjectPlan
from hao.engine.config import EngineConfig

UNIFIED = "hls_config.cfg"
"""Configuration of ``v++ -c --mode hls`` and ``vitis-run --mode hls``, the tools' flow from 2024.1 on."""


def plan_vitis_hls(config: EngineConfig, board: Board) -> ProjectPlan:
    """The project that synthesizes the HLS kernel of ``config`` for the device of ``board`` and exports it as an IP core.

    Raises:
        MissingTool: the installation carries no templates.
    """
    period = 1000 / board.clock.engine_mhz
    files = render_project(config, board.part, period)
    files[UNIFIED] = render(f"{UNIFIED}.j2", {"part": board.part, "clock_ns": f"{period:g}"})
    files[SHELL_SCRIPT] = render(f"{SHELL_SCRIPT}.j2", {"target": "vitis-hls"})
    settings = {"configuration": config.model_dump(), "digest": config.digest(), "board": board.name, "part": board.part}
    return ProjectPlan("vitis-hls", files, settings, f"vitis_hls -f {SCRIPT}")
