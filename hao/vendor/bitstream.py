"""From a project to its results: with the tools here, with those of a build server, or as exact instructions without any."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hao.codegen.hls_project import SCRIPT as HLS_SCRIPT
from hao.codegen.tcl_project import ProjectPlan
from hao.codegen.vitis_hls import UNIFIED
from hao.codegen.vivado import BUILD_SCRIPT
from hao.errors import MissingTool, UsageError, VendorToolError
from hao.vendor.archive import write_archive
from hao.vendor.remote import Server, fetch, send
from hao.vendor.runner import Job, Listener, run_tool
from hao.vendor.tools import UNIFIED_HLS, Tool, find_tool, require_version

LOG = "hao-build.log"
DONE = "HAO: step done"
Finder = Callable[[str], Tool | None]

VIVADO_WORDS = ("-mode", "batch", "-nojournal", "-nolog", "-source", BUILD_SCRIPT)
HLS_STEPS = (
    ("v++", ("-c", "--mode", "hls", "--config", UNIFIED, "--work_dir", "hao_hls")),
    ("vitis-run", ("--mode", "hls", "--package", "--config", UNIFIED, "--work_dir", "hao_hls")),
)
"""The unified tools' two commands; the classic one is ``vitis_hls -f`` and its script."""
RESULTS = {"vivado": "output/hao.bit", "vitis-hls": "hao_hls"}
TARGETS = tuple(RESULTS)


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be built.

    Attributes:
        plan: the project, written to ``folder`` already.
        folder: where.
        silence_seconds: how long a tool may say nothing.
        environment: of the tools.
    """

    plan: ProjectPlan
    folder: Path
    silence_seconds: float
    environment: Mapping[str, str]

    def job(self, tool: str, command: Sequence[str]) -> Job:
        """The job that runs ``command`` in the project."""
        done = DONE if self.plan.target == "vivado" else ""
        return Job(tool, command, self.folder, self.folder / LOG, self.environment, self.silence_seconds, done)


def commands_for(target: str, find: Finder) -> list[tuple[Tool, tuple[str, ...]]]:
    """The tools of this machine and their arguments, in the dialect of their version.

    Raises:
        MissingTool: a tool is not installed, or too old.
        UsageError: a target that no tool builds.
    """
    if target == "vivado":
        vivado = find("vivado")
        if vivado is None:
            raise MissingTool("vivado was not found on the path, by XILINX_VIVADO, or in /tools, /opt and ~", "")
        return [(require_version(vivado), VIVADO_WORDS)]
    if target != "vitis-hls":
        raise UsageError(f"there is nothing to build for target {target!r}", f"targets: {', '.join(TARGETS)}")
    classic, unified = find("vitis_hls"), [find(name) for name, _ in HLS_STEPS]
    if all(unified) and (classic is None or classic.version >= UNIFIED_HLS):
        return [(require_version(tool), words) for tool, (_, words) in zip(unified, HLS_STEPS, strict=True) if tool is not None]
    if classic is None:
        raise MissingTool("neither vitis_hls nor v++ with vitis-run was found on the path, by XILINX_HLS, or in /tools, /opt and ~", "")
    return [(require_version(classic), ("-f", HLS_SCRIPT))]


def build_here(request: Request, listen: Listener, find: Finder | None = None) -> Path:
    """Build with the tools of this machine; after an interruption the same call goes on from the last checkpoint.

    Returns:
        The result: ``hao.bit``, or the folder of the HLS kernel.

    Raises:
        MissingTool: the tools are not here.
        LicenceError, TimingError, VendorToolError: see ``hao.vendor.messages``.
    """
    look = find or (lambda name: find_tool(name, request.environment))
    for tool, words in commands_for(request.plan.target, look):
        run_tool(request.job(tool.name, tool.command(words)), listen)
    return _result(request)


def build_there(request: Request, host: str, listen: Listener) -> Path:
    """Build on a server, in a folder that belongs to this very project, and bring the results back.

    Raises:
        UsageError: no such host's name, or a target other than ``vivado``.
        LicenceError, TimingError, VendorToolError: see ``hao.vendor.messages``.
    """
    if request.plan.target != "vivado":
        raise UsageError(f"target {request.plan.target} is not built on a server", "build it here, or give --archive")
    server = Server(host, f"hao-build/{request.plan.digest()[:16]}")
    send(request.folder, server)
    run_tool(request.job("vivado", server.build_command()), listen)
    fetch(request.folder, server)
    return _result(request)


def _result(request: Request) -> Path:
    result = request.folder / RESULTS[request.plan.target]
    if not result.exists():
        raise VendorToolError(f"the tools ended well and left no {result}", f"their output is in {request.folder / LOG}; please report it")
    return result


def instructions(request: Request, archive: Path) -> str:
    """What to type, with the archive in hand, on a machine that has the tools; writes the archive."""
    write_archive(request.plan, archive)
    root = f"hao-{request.plan.target}-{request.plan.digest()[:12]}"
    there = f"tar xzf {archive.name} && sh {root}/build.sh"
    return f"copy {archive} to a machine with the tools, then: {there}; or build on a server: --ssh HOST"


def environment_of(variables: Mapping[str, str] | None = None) -> dict[str, str]:
    """A copy of the environment for the tools: plain messages, whatever the user's language."""
    return {**(os.environ if variables is None else variables), "LC_ALL": "C.UTF-8"}
