"""The Vitis HLS project around the generated kernel: a Tcl script for users who have the tool."""

from __future__ import annotations

import re

from hao.codegen.environment import render
from hao.codegen.hls import render_kernel
from hao.engine.config import EngineConfig
from hao.errors import BoardError, UsageError

SCRIPT = "hao_project.tcl"
ULTRA96_PART = "xczu3eg-sbva484-1-i"
_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_PROJECT = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


def render_project(
    config: EngineConfig, part: str = ULTRA96_PART, clock_ns: float = 4.0, project: str = "hao_hls"
) -> dict[str, str]:
    """The kernel and the script that synthesizes and exports it, by file name.

    Args:
        config: the engine.
        part: device, as Vivado names it.
        clock_ns: target period in nanoseconds, 0.5 to 100.
        project: folder that the tool creates; a C identifier.

    Raises:
        BoardError: ``part`` is not the name of a device.
        UsageError: the period or the project's name cannot be used.
    """
    if not _PART.fullmatch(part):
        raise BoardError(f"{part!r} is not the name of a device", f"name it as Vivado does, such as {ULTRA96_PART}")
    if not 0.5 <= clock_ns <= 100.0:
        raise UsageError(f"a clock period of {clock_ns} ns is out of range", "give 0.5 to 100 ns; 250 MHz are 4 ns")
    if not _PROJECT.fullmatch(project):
        raise UsageError(f"{project!r} cannot name a project", "use letters, digits and underscores, a letter first")
    values = {"part": part, "clock_ns": f"{clock_ns:g}", "project": project}
    return {**render_kernel(config), SCRIPT: render(f"{SCRIPT}.j2", values)}
