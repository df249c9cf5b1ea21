"""Tables of segment times on disk: an interrupted search goes on where it was, another board's search need not walk them again."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

import hao
from hao.files import read_json
from hao.ir.graph import Graph
from hao.ir.serialize import network_digest
from hao.resources import cache_folder
from hao.search.problem import Choice

_PACKAGES = ("ir", "engine", "compiler", "cost", "search")
_SUFFIXES = (".py", ".toml")


def _sources(packages: Iterable[str]) -> Iterator[Path]:
    root = Path(hao.__file__).parent
    for package in packages:
        yield from sorted(path for path in (root / package).rglob("*") if path.suffix in _SUFFIXES)


@lru_cache(maxsize=4)
def code_digest(packages: tuple[str, ...] = _PACKAGES) -> str:
    """SHA-256 over all code and constants of packages of ours, by default of those that a table depends on."""
    total = hashlib.sha256()
    for path in _sources(packages):
        total.update(f"{path.name}\0".encode())
        total.update(path.read_bytes())
    return total.hexdigest()


def _choice(
    start: int, stop: int, cycles: int, words: int, room: int, ring: int, bits: list[list[int]], label: str, stripes: int, rolling: bool,
    held: int,
) -> Choice:  # fmt: skip
    numbers = (start, stop, cycles, words, room, ring, stripes, held, *(each for pair in bits for each in pair))
    if not all(type(each) is int and each >= 0 for each in numbers) or type(label) is not str or type(rolling) is not bool:
        raise ValueError("a row of another kind")
    return Choice(start, stop, cycles, words, room, ring, tuple((layer, width) for layer, width in bits), label, stripes, rolling, held)


class Kept:
    """Tables of one network with the rates of :mod:`hao.search.rates`, by what they depend on beside it.

    Args:
        graph: the network.
        folder: where they lie; the cache of builds when left out.

    Attributes:
        found: tables that an earlier search had left.

    Raises:
        MissingTool: the cache folder cannot be used.
    """

    def __init__(self, graph: Graph, folder: Path | None = None) -> None:
        self._folder = folder or cache_folder() / "segments"
        self._graph = network_digest(graph)
        self.found = 0
        self._own: set[Path] = set()

    def _path(self, key: object) -> Path:
        text = json.dumps([code_digest(), self._graph, key], sort_keys=True)
        return self._folder / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.json"

    def load(self, key: object) -> tuple[Choice, ...] | None:
        """The table of ``key``, any JSON value; None if there is none, or only a damaged one."""
        path = self._path(key)
        try:
            rows = read_json(path)
            table = tuple(_choice(*row) for row in rows)
        except (OSError, ValueError, TypeError):
            return None
        self.found += path not in self._own
        return table

    def save(self, key: object, table: tuple[Choice, ...]) -> None:
        """Keep a table; where that is not possible, do without."""
        rows = [[c.start, c.stop, c.cycles, c.words, c.room, c.ring, c.bits, c.label, c.stripes, c.rolling, c.held] for c in table]
        path = self._path(key)
        self._own.add(path)
        partial = path.with_name(f".{path.name}.{os.getpid()}")
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            partial.write_text(json.dumps(rows, separators=(",", ":")), encoding="utf-8")
            partial.replace(path)
