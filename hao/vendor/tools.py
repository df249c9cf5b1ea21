"""Finds Vivado and Vitis: on the path, by their environment variables, or where installers put them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hao.errors import MissingTool
from hao.toolchain import Check

OLDEST = (2020, 1)
"""Oldest version that knows every command of the generated scripts, by its documentation."""
UNIFIED_HLS = (2024, 1)
"""From here on HLS is run by ``v++`` and ``vitis-run``; ``vitis_hls`` is there for some versions more."""
_ROOTS = ("/tools/Xilinx", "/opt/Xilinx", "/tools/AMD", "/opt/AMD", "~/Xilinx", "~/AMD")
_PRODUCTS = {"vivado": ("Vivado",), "vitis_hls": ("Vitis_HLS", "Vitis"), "v++": ("Vitis",), "vitis-run": ("Vitis",)}
_VARIABLES = {"vivado": "XILINX_VIVADO", "vitis_hls": "XILINX_HLS", "v++": "XILINX_VITIS", "vitis-run": "XILINX_VITIS"}
_VERSION = re.compile(r"\bv?(20\d\d)\.(\d)")
_PROBE_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Tool:
    """A program.

    Attributes:
        name, path: what and where it is.
        version: such as ``(2023, 2)``; ``(0, 0)`` where it does not say.
        ready: whether it was found on the path, so that its environment has been set up by whoever put it there.
    """

    name: str
    path: Path
    version: tuple[int, int]
    ready: bool = False

    @property
    def settings(self) -> Path | None:
        """The script that sets the tool's environment up; None where there is none beside it."""
        script = self.path.parent.parent / "settings64.sh"
        return script if script.is_file() else None

    def command(self, words: Sequence[str]) -> list[str]:
        """What to start: the program with ``words``, in the environment of its settings where that is not set up yet."""
        settings = None if self.ready else self.settings
        started = [] if settings is None else ["bash", "-c", '. "$0" && exec "$@"', str(settings)]
        return [*started, str(self.path), *words]


def _candidates(name: str, environment: Mapping[str, str], roots: tuple[str, ...]) -> Iterator[Path]:
    """Places of ``name``, best first: path, environment variable, installations, the newest first."""
    on_path = shutil.which(name, path=environment.get("PATH", ""))
    if on_path:
        yield Path(on_path)
    variable = environment.get(_VARIABLES[name])
    if variable:
        yield Path(variable) / "bin" / name
    found: list[Path] = []
    for root in roots:
        base = Path(root).expanduser()
        for product in _PRODUCTS[name]:
            # Vivado/2023.2/bin until 2024, 2025.1/Vivado/bin since
            found.extend(base.glob(f"{product}/20*/bin/{name}"))
            found.extend(base.glob(f"20*/{product}/bin/{name}"))
    yield from sorted(found, key=lambda path: _VERSION.findall(str(path)), reverse=True)


def probe_version(path: Path, environment: Mapping[str, str]) -> tuple[int, int]:
    """What the program says of its version, else what its path says, else ``(0, 0)``."""
    option = "--version" if path.name in ("v++", "vitis-run") else "-version"
    try:
        command = [str(path), option]
        done = subprocess.run(
            command, env=dict(environment), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_PROBE_SECONDS, check=False
        )
        said = done.stdout + done.stderr
    except (OSError, subprocess.TimeoutExpired):
        said = ""
    match = _VERSION.search(said) or _VERSION.search(str(path))
    return (int(match.group(1)), int(match.group(2))) if match else (0, 0)


def find_tool(name: str, environment: Mapping[str, str] | None = None, roots: tuple[str, ...] = _ROOTS) -> Tool | None:
    """The program ``name`` (``vivado``, ``vitis_hls``, ``v++`` or ``vitis-run``); None where it is not installed."""
    variables = os.environ if environment is None else environment
    on_path = shutil.which(name, path=variables.get("PATH", ""))
    for path in _candidates(name, variables, roots):
        if path.is_file() and os.access(path, os.X_OK):
            return Tool(name, path, probe_version(path, variables), str(path) == on_path)
    return None


def vendor_checks() -> list[Check]:
    """What ``hao doctor`` says of the vendor's tools: where they are and their versions; none is needed for anything but bitstreams."""
    vivado, classic, unified = find_tool("vivado"), find_tool("vitis_hls"), find_tool("vitis-run")
    checks = []
    for name, tool in (("Vivado", vivado), ("Vitis HLS", classic or unified)):
        detail = "absent" if tool is None else f"{tool.path}, version {'.'.join(map(str, tool.version))}"
        mend = "" if tool is not None else "install Vivado and Vitis, or take an archive to them: hao bitstream DESIGN --archive FILE"
        checks.append(Check(name, tool is not None, detail, mend, "bitstreams (optional)"))
    return checks


def require_version(tool: Tool) -> Tool:
    """Refuse a version that is too old.

    Raises:
        MissingTool: it is.
    """
    if tool.version != (0, 0) and tool.version < OLDEST:
        found = ".".join(map(str, tool.version))
        raise MissingTool(f"{tool.path} is version {found}", f"install {OLDEST[0]}.{OLDEST[1]} or newer; the free edition knows the ZU3EG")
    return tool
