"""A project packed for a machine with the tools and without Python."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

from hao.codegen.environment import render
from hao.codegen.tcl_project import MANIFEST, SHELL_SCRIPT, ProjectPlan
from hao.errors import UsageError

README = "README.txt"


def archive_files(plan: ProjectPlan) -> dict[str, str]:
    """What the archive of ``plan`` holds, by path: the project, whose ``build.sh`` finds the tool and starts it, and a page."""
    values = {"target": plan.target, "start": plan.start, "digest": plan.digest()}
    return {**plan.files, MANIFEST: plan.manifest(), README: render(f"{README}.j2", values)}


def write_archive(plan: ProjectPlan, path: Path) -> Path:
    """Write the archive to ``path`` (``.tar.gz``); the same plan gives the same bytes.

    Raises:
        UsageError: it cannot be written.
    """
    root = f"hao-{plan.target}-{plan.digest()[:12]}"
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as packed, tarfile.open(fileobj=packed, mode="w") as archive:
        for name, text in sorted(archive_files(plan).items()):
            data = text.encode()
            entry = tarfile.TarInfo(f"{root}/{name}")
            entry.size, entry.mode = len(data), 0o755 if name == SHELL_SCRIPT else 0o644
            archive.addfile(entry, io.BytesIO(data))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(buffer.getvalue())
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}", "choose another place with --archive") from error
    return path
