"""What an interrupted search keeps: one line of JSON for every thing that was paid for, in order."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hao.errors import CheckpointError
from hao.files import parse_json, read_text


class Ledger:
    """Rows by key; every row is on the disk before :meth:`add` returns.

    Args:
        path: of the file. A last line that an interruption cut short is dropped.

    Raises:
        CheckpointError: the file cannot be read, or another line is damaged.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.rows: dict[str, dict[str, Any]] = {}
        try:
            lines = read_text(path).split("\n") if path.exists() else [""]
            for line in lines[:-1]:
                row = parse_json(line)
                self.rows[row.pop("key")] = row
        except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
            raise CheckpointError(f"{path} is damaged: {error}", "delete it, or search in another folder") from error
        self._torn = lines[-1] != ""

    def add(self, key: str, row: Mapping[str, Any]) -> None:
        """Write one row."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        if self._torn:
            text = self._path.read_text(encoding="utf-8")
            partial = self._path.with_name(f".{self._path.name}.{os.getpid()}")
            partial.write_text(text[: text.rfind("\n") + 1], encoding="utf-8")
            partial.replace(self._path)
            self._torn = False
        self.rows[key] = dict(row)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"key": key, **row}) + "\n")
            file.flush()
