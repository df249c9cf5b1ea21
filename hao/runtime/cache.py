"""Cached builds: what was built from the same inputs with the same tools is built once, by whoever comes first.

An entry is a folder named by the digest of everything that went into it. It is built under a temporary name beside its
place and renamed when complete, so that no reader ever sees half of one.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hao.resources import cache_folder


@dataclass(frozen=True, slots=True)
class BuildPlan:
    """A build as a pure value, made before anything is run.

    Attributes:
        kind: first part of the entry's name, such as ``rtl``.
        files: content of every input by its relative path.
        settings: JSON values: parameters, flags, versions of the tools.
    """

    kind: str
    files: Mapping[str, bytes]
    settings: Mapping[str, object] = field(default_factory=dict)

    def digest(self) -> str:
        """SHA-256 over paths, contents and settings, hexadecimal."""
        total = hashlib.sha256(json.dumps(dict(self.settings), sort_keys=True).encode())
        for path in sorted(self.files):
            content = self.files[path]
            total.update(f"\0{path}\0{len(content)}\0".encode())
            total.update(content)
        return total.hexdigest()

    def write(self, folder: Path) -> None:
        """Write all files below ``folder``."""
        for path, content in self.files.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on ``path`` between processes; released by the system if the holder dies."""
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def build_once(plan: BuildPlan, build: Callable[[Path], None]) -> Path:
    """The folder with the results of ``plan``, built now unless it exists already.

    Args:
        plan: what is to be built.
        build: gets a scratch folder with the plan's files in it, builds there, and leaves in its subfolder ``result``
            what is to be kept.

    Raises:
        BuildError: from ``build``; nothing is kept then.
        MissingTool: the cache folder cannot be used.
    """
    root = cache_folder()
    entry = root / f"{plan.kind}-{plan.digest()[:24]}"
    if entry.is_dir():
        return entry
    with _locked(root / f"{entry.name}.lock"):
        if entry.is_dir():
            return entry
        scratch = Path(tempfile.mkdtemp(prefix=f"{entry.name}.", dir=root))
        try:
            (scratch / "result").mkdir()
            plan.write(scratch)
            build(scratch)
            (scratch / "result").rename(entry)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    with contextlib.suppress(OSError):
        (root / f"{entry.name}.lock").unlink()
    return entry
