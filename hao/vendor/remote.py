"""A build server behind ``ssh``: the project goes there, the tool runs there, the results come back."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hao.codegen.tcl_project import SHELL_SCRIPT
from hao.errors import MissingTool, UsageError, VendorToolError

_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@:\[\]-]*")


@dataclass(frozen=True, slots=True)
class Server:
    """A host, and the folder on it that belongs to one project, relative to the home folder.

    Raises:
        UsageError: the name could be taken for an option, or holds what no host's name holds.
    """

    host: str
    folder: str

    def __post_init__(self) -> None:
        if not _HOST.fullmatch(self.host):
            raise UsageError(f"{self.host!r} is not the name of a host", "give --ssh HOST or --ssh USER@HOST")

    def command(self, script: str) -> list[str]:
        """Words that run ``script`` there, without asking for a password."""
        return ["ssh", "-o", "BatchMode=yes", "--", self.host, script]

    def build_command(self) -> list[str]:
        """Words that run the project's own shell script there, which finds the tool and its environment."""
        return self.command(f"cd {shlex.quote(self.folder)} && exec sh {SHELL_SCRIPT}")


def _run(command: Sequence[str], doing: str, data: bytes | None = None) -> bytes:
    try:
        done = subprocess.run(command, input=data, capture_output=True, check=False)
    except OSError as error:
        raise MissingTool(f"{command[0]} cannot be started: {error.strerror}", "install an ssh client") from error
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise VendorToolError(f"{doing} failed: {said[-1] if said else f'status {done.returncode}'}", "try: ssh HOST true")
    return done.stdout


def send(project: Path, server: Server) -> None:
    """Put the project's own files on the server; what was built there stays.

    Raises:
        VendorToolError: the server cannot be reached, or refuses.
    """
    without = [f"--exclude=./{name}" for name in ("output", "build", "ip")]
    packed = _run(["tar", "-C", str(project), *without, "-cf", "-", "."], "packing the project")
    there = shlex.quote(server.folder)
    _run(server.command(f"mkdir -p {there} && tar -C {there} -xf -"), f"sending the project to {server.host}", packed)


def fetch(project: Path, server: Server, what: str = "output") -> None:
    """Bring ``what`` back into the project.

    Raises:
        VendorToolError: it is not there.
    """
    script = f"tar -C {shlex.quote(server.folder)} -cf - {shlex.quote(what)}"
    packed = _run(server.command(script), f"fetching the results from {server.host}")
    _run(["tar", "-C", str(project), "-xf", "-"], "unpacking the results", packed)
