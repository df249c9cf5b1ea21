"""Plans and compiles the C simulation of the generated HLS kernel into a shared library."""

from __future__ import annotations

import subprocess
from enum import StrEnum
from pathlib import Path

from hao.codegen.hls import KERNEL, render_kernel
from hao.engine.config import EngineConfig
from hao.errors import BuildError, MissingTool
from hao.resources import shared
from hao.runtime.cache import BuildPlan, build_once
from hao.toolchain import ap_types_folder, architecture_flags, package_folder, require_compiler, tool_versions

LIBRARY = "libhao_csim.so"
HOST = "hao_csim.cpp"
_BUILD_SECONDS = 600


class Arithmetic(StrEnum):
    """Types of the kernel: ``exact`` has the vendor's arbitrary widths and decides; ``native`` has machine integers and is fast."""

    EXACT = "exact"
    NATIVE = "native"


_COMMON = ("-std=c++17", "-O2", "-fPIC", "-shared", "-fvisibility=hidden", "-Wall", "-Wextra", "-Wno-unknown-pragmas", "-Wno-unused-label")
_FLAGS: dict[Arithmetic, tuple[str, ...]] = {
    # the vendor's constructors mask a value before they set it, which the compiler reports wherever it inlines them
    Arithmetic.EXACT: (*_COMMON, "-O3", "-Wno-uninitialized", "-Wno-maybe-uninitialized"),
    Arithmetic.NATIVE: (*_COMMON, "-O3", "-DHAO_NATIVE"),
}


def host_sources() -> dict[str, bytes]:
    """The C++ that makes a library of the kernel, by file name."""
    return {path.name: path.read_bytes() for path in sorted((shared("sim") / "csim").glob("hao_csim.*"))}


def plan_csim(config: EngineConfig, arithmetic: Arithmetic = Arithmetic.EXACT) -> BuildPlan:
    """Plan the library that simulates the kernel generated for ``config``."""
    kernel = {name: text.encode() for name, text in render_kernel(config).items()}
    flags = [*_FLAGS[arithmetic], *architecture_flags()]
    settings = {"arithmetic": arithmetic.value, "flags": flags, "tools": tool_versions()}
    return BuildPlan("csim", {**kernel, **host_sources()}, settings)


def _headers(plan: BuildPlan) -> list[str]:
    if plan.settings["arithmetic"] == Arithmetic.NATIVE:
        return []
    package_folder("hls4ml")
    folder = ap_types_folder()
    if not (folder / "ap_int.h").is_file():
        raise MissingTool("the installed hls4ml has no ap_int.h", "install it again: pip install --force-reinstall hls4ml==1.3.0")
    return ["-isystem", str(folder)]


def compile_csim(plan: BuildPlan, folder: Path) -> str:
    """Compile ``plan``, whose files lie in ``folder``, to ``result/libhao_csim.so`` there.

    Returns:
        What the compiler said; empty when it had nothing to warn of.

    Raises:
        BuildError: the compiler refused; the message has its first complaint.
        MissingTool: there is no compiler, or no arbitrary-precision headers.
    """
    flags = plan.settings["flags"]
    assert isinstance(flags, list)
    target = folder / "result" / LIBRARY
    command = [require_compiler(), *map(str, flags), *_headers(plan), "-I.", "-o", str(target), KERNEL, HOST]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_BUILD_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise BuildError(f"compiling the HLS kernel took more than {_BUILD_SECONDS} s", "the machine may be short of memory") from None
    (folder / "result" / "build.log").write_text(done.stderr, encoding="utf-8")
    if done.returncode:
        lines = done.stderr.splitlines()
        first = next((line for line in lines if "error" in line), lines[-1] if lines else "no output")
        raise BuildError(f"the compiler refused the HLS kernel: {first.strip()}", "hao doctor checks the tools")
    return done.stderr


def build_csim(plan: BuildPlan) -> Path:
    """The shared library of ``plan``, from the cache when it is there.

    Raises:
        BuildError: the compiler refused it.
        MissingTool: a tool or header is absent.
    """

    def build(folder: Path) -> None:
        compile_csim(plan, folder)

    return build_once(plan, build) / LIBRARY
