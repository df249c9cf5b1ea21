"""Build hook: a real wheel carries the folders that the tool generates from; an editable install reads them in place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SHARED = ("accel", "boards", "hls_templates", "sim")


class ShareHook(BuildHookInterface):  # type: ignore[type-arg]
    """Adds the shared folders to the wheel as ``hao/_share/<folder>``, where ``hao.resources`` looks for them."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Extend the wheel's forced inclusions, unless the install is an editable one."""
        if version == "editable":
            return
        root = Path(self.root)
        for name in SHARED:
            for path in sorted((root / name).rglob("*")):
                if path.is_file() and "__pycache__" not in path.parts:
                    build_data["force_include"][str(path)] = f"hao/_share/{path.relative_to(root).as_posix()}"
