"""Builds the simulated board around an engine: Verilator makes a shared library with a C interface (``sim/host``)."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

from hao.errors import BuildError
from hao.resources import shared
from hao.runtime.cache import BuildPlan, build_once
from hao.toolchain import architecture_flags, build_environment, require_verilator, tool_versions

LIBRARY = "libhao_sim.so"
TOP = "hao_tb"
_BUILD_SECONDS = 1800


class Trace(StrEnum):
    """Waveform format compiled into the model; ``none`` is the fast one."""

    NONE = "none"
    VCD = "vcd"
    FST = "fst"


def board_sources() -> dict[str, bytes]:
    """The simulated board's own files: DRAM model, AXI rules, top and C++ host, by relative path."""
    root = shared("sim")
    paths = sorted([*root.glob("rtl/*.sv"), *root.glob("host/hao_sim.*"), *root.glob("host/hao_print.h")])
    return {f"sim/{path.relative_to(root).as_posix()}": path.read_bytes() for path in paths}


def plan_model(engine: Mapping[str, bytes], parameters: Mapping[str, int], digest64: int, trace: Trace = Trace.NONE) -> BuildPlan:
    """Plan the library that simulates ``engine``.

    Args:
        engine: SystemVerilog files of the engine by relative path; packages come first in the mapping's order.
        parameters: values of the engine's parameters by their SystemVerilog names.
        digest64: first 64 bits of the configuration's digest, for the id registers.
        trace: waveform format.
    """
    order = [name for name in engine if name.endswith(".sv")]
    flags = [*architecture_flags(), "-fPIC", "-Isim/host"]
    settings: dict[str, object] = {"parameters": dict(parameters), "digest64": digest64, "trace": trace, "flags": flags, "order": order}
    settings["tools"] = tool_versions()
    return BuildPlan("rtl", {**engine, **board_sources()}, settings)


def _command(plan: BuildPlan) -> list[str]:
    trace = str(plan.settings["trace"])
    parameters = plan.settings["parameters"]
    flags = plan.settings["flags"]
    order = plan.settings["order"]
    assert isinstance(parameters, dict) and isinstance(flags, list) and isinstance(order, list)
    includes = [f"+incdir+{folder}" for folder in sorted({str(Path(name).parent) for name in order})]
    host_flags = " ".join(flag.replace("-Isim", "-I../sim") for flag in flags)
    jobs = str(min(2, os.cpu_count() or 1))
    sources = [*order, *(path for path in plan.files if path.startswith("sim/") and path.endswith((".sv", ".cpp")))]
    return [
        str(require_verilator()), "--cc", "--build", "--exe", "-j", jobs, "-O3", "--x-assign", "fast", "--assert", "-Wno-fatal",
        "--top-module", TOP, "-Mdir", "obj", "-o", LIBRARY, *([] if trace == "none" else [f"--trace-{trace}"]),
        *(f"-G{name}={value}" for name, value in parameters.items()), f"-GConfigDigest=64'h{plan.settings['digest64']:016x}",
        *includes, "-CFLAGS", host_flags, "-LDFLAGS", "-shared", *sources,
    ]  # fmt: skip


def _environment() -> dict[str, str]:
    """The build environment: what runs every cycle is optimized, what runs once is not.

    Verilator's own files, and only those, see ``hao_print.h``: elsewhere it would displace the precompiled header.
    """
    environment = build_environment()
    environment["MAKEFLAGS"] += r" OPT_FAST=-O3 OPT_SLOW=-O0 OPT_GLOBAL=-O2\ -include\ ../sim/host/hao_print.h"
    return environment


def _build(plan: BuildPlan, folder: Path) -> None:
    log = folder / "build.log"
    with log.open("wb") as output:
        done = subprocess.run(
            _command(plan), cwd=folder, env=_environment(), stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            timeout=_BUILD_SECONDS, check=False,
        )  # fmt: skip
    if done.returncode:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        first = next((line for line in lines if "%Error" in line or " error" in line), lines[-1] if lines else "no output")
        raise BuildError(f"Verilator could not build the engine: {first.strip()}", "hao doctor checks the tools")
    shutil.copy2(folder / "obj" / LIBRARY, folder / "result" / LIBRARY)
    shutil.copy2(log, folder / "result" / "build.log")


def build_model(plan: BuildPlan) -> Path:
    """The shared library of ``plan``, from the cache when it is there.

    Raises:
        BuildError: Verilator or the compiler refused it.
        MissingTool: a tool is absent.
    """
    return build_once(plan, lambda folder: _build(plan, folder)) / LIBRARY
