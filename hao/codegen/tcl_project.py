"""A generated project as a pure value, and how it reaches the disk: whole or not at all."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from hao.errors import UsageError

MANIFEST = "hao-project.json"
"""File at the root of every written project: target, settings, digest and the list of its files."""
SHELL_SCRIPT = "build.sh"
"""Builds a project on a machine with the tools and without Python."""


@dataclass(frozen=True, slots=True)
class ProjectPlan:
    """What is to be written for one target.

    Attributes:
        target: ``vitis-hls``, ``rtl-ip`` or ``vivado``.
        files: text of every file by its path inside the project, with forward slashes.
        settings: JSON values that say what it was made for.
        start: the command that a reader with the tools types inside the folder.
    """

    target: str
    files: Mapping[str, str]
    settings: Mapping[str, object] = field(default_factory=dict)
    start: str = ""

    def digest(self) -> str:
        """SHA-256 over target, settings, paths and contents, hexadecimal."""
        total = hashlib.sha256(json.dumps([self.target, dict(self.settings)], sort_keys=True).encode())
        for path in sorted(self.files):
            content = self.files[path].encode()
            total.update(f"\0{path}\0{len(content)}\0".encode())
            total.update(content)
        return total.hexdigest()

    def manifest(self) -> str:
        """Text of the manifest."""
        values = {"target": self.target, "settings": dict(self.settings), "digest": self.digest(), "files": sorted(self.files)}
        return json.dumps(values, indent=2, sort_keys=True) + "\n"


def write_project(plan: ProjectPlan, out: Path, force: bool = False) -> bool:
    """Write ``plan`` into ``out`` in one step and return whether anything was written.

    A folder that holds this very plan is left alone, with what the tools have built in it.

    Args:
        plan: what to write.
        out: the folder; created, parents included.
        force: replace an earlier project there, with everything built in it.

    Raises:
        UsageError: ``out`` holds something else, files of the project were changed there, or it cannot be written.
    """
    if _occupied(out):
        if _unchanged(plan, out):
            return False
        _refuse_foreign(out, force)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    except OSError as error:
        raise UsageError(f"{out} cannot be written: {error.strerror}", "choose another folder with --out") from error
    try:
        _fill(plan, scratch)
        _exchange(scratch, out)
    except OSError as error:
        raise UsageError(f"{out} cannot be written: {error.strerror}", "choose another folder with --out") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return True


def _occupied(out: Path) -> bool:
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file", "choose a folder with --out")
    return out.is_dir() and any(out.iterdir())


def _unchanged(plan: ProjectPlan, out: Path) -> bool:
    expected = {**plan.files, MANIFEST: plan.manifest()}
    return all((out / path).is_file() and (out / path).read_bytes() == text.encode() for path, text in expected.items())


def _refuse_foreign(out: Path, force: bool) -> None:
    if not (out / MANIFEST).is_file():
        raise UsageError(f"{out} holds files that are no project of hao", "choose an empty folder with --out")
    if not force:
        raise UsageError(f"{out} holds another project, or changed files", "--force replaces it and all that was built there")


def _fill(plan: ProjectPlan, folder: Path) -> None:
    for path, text in {**plan.files, MANIFEST: plan.manifest()}.items():
        parts = PurePosixPath(path).parts
        if not parts or parts[0] == "/" or ".." in parts:
            raise UsageError(f"{path!r} leads out of the project", "give paths inside it")
        target = folder.joinpath(*parts)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text.encode())
    folder.chmod(0o755)


def _exchange(scratch: Path, out: Path) -> None:
    """Put ``scratch`` in the place of ``out``; an earlier folder is moved away first and comes back if that fails."""
    if not out.exists():
        scratch.rename(out)
        return
    aside = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent)) / "old"
    try:
        out.rename(aside)
        try:
            scratch.rename(out)
        except OSError:
            aside.rename(out)
            raise
    finally:
        shutil.rmtree(aside.parent, ignore_errors=True)
