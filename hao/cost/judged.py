"""How far the cycle model was from the simulated engine when it was judged: ``data/cycles-judged.toml``, written by
``benchmarks/cycle_model.py``."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from hao.engine.config import EngineConfig
from hao.errors import CostError

_FOLDER = Path(__file__).parent
JUDGED = _FOLDER / "data" / "cycles-judged.toml"
_MODEL = ("dram", "events", "latencies", "loads", "machine", "parts", "units", "walks")


@dataclass(frozen=True, slots=True)
class Row:
    """One network on one configuration: cycles of the simulated engine and of the model."""

    network: str
    configuration: str
    simulated: int
    predicted: int

    @property
    def error(self) -> float:
        """Relative, with its sign."""
        return self.predicted / self.simulated - 1


@dataclass(frozen=True, slots=True)
class Judged:
    """One judgement.

    Attributes:
        commit: of the model; the seeds of the networks follow from it, so they were drawn after it.
        model: digest of the model's sources and constants that were judged.
        board: whose DRAM.
        tools: versions.
        refused: networks drawn that did not fit their configuration.
        configurations: parameters of the configurations drawn from ``commit``, by their label.
        rows: all that counts.
        fixed: a small set, recomputed by continuous integration; not part of the judgement.
    """

    commit: str
    model: str
    board: str
    tools: dict[str, str]
    refused: int
    configurations: dict[str, dict[str, int]]
    rows: tuple[Row, ...]
    fixed: tuple[Row, ...]

    @property
    def largest_error(self) -> float:
        """Largest magnitude of a row's error, a fraction."""
        return max((abs(row.error) for row in self.rows), default=1.0)


def model_files() -> tuple[Path, ...]:
    """The model's sources and constants."""
    return (*(_FOLDER / f"{name}.py" for name in _MODEL), _FOLDER / "data" / "cycles.toml")


def model_digest() -> str:
    """SHA-256 over :func:`model_files`."""
    total = hashlib.sha256()
    for path in model_files():
        total.update(path.read_bytes())
    return total.hexdigest()


def seeds(commit: str, label: str) -> Iterator[int]:
    """Seeds of random networks that nobody could know before ``commit``."""
    number = 0
    while True:
        yield int(hashlib.sha256(f"{commit} {label} {number}".encode()).hexdigest()[:7], 16)
        number += 1


def drawn_config(commit: str, number: int) -> EngineConfig:
    """A configuration that nobody could know before ``commit``: every parameter drawn by itself."""
    rng = np.random.default_rng(int(hashlib.sha256(f"{commit} configuration {number}".encode()).hexdigest()[:16], 16))

    def pick(*values: int) -> int:
        return int(values[rng.integers(len(values))])

    return EngineConfig(
        pi=pick(8, 16), po=pick(8, 16), px=pick(1, 2), dw_lanes=pick(8, 16), fm_words=pick(4096, 8192, 16384),
        win_depth=pick(128, 256, 512), wb_words=pick(512, 1024, 2048), pb_words=pick(256, 512, 1024), lm_entries=pick(256, 1024),
        disp_entries=pick(1024, 4096), row_bytes=pick(512, 1024, 2048),
        queue_depth=pick(4, 8, 16), max_burst=pick(16, 32, 64), outstanding=pick(2, 4, 8),
    )  # fmt: skip


def _table(name: str, row: Row) -> str:
    return (
        f'[[{name}]]\nnetwork = "{row.network}"\nconfiguration = "{row.configuration}"\nsimulated = {row.simulated}\n'
        f"predicted = {row.predicted}\nerror_percent = {100 * row.error:.2f}\n"
    )


def render(judged: Judged) -> str:
    """The file's text."""
    worst = max(judged.rows, key=lambda row: abs(row.error), default=None)
    lines = [
        "# Written by benchmarks/cycle_model.py: the cycle model against the simulated engine. Not to be edited.",
        "# Random networks and drawn configurations follow from the commit of the model (SHA-256), so nobody knew them before.",
        f'commit = "{judged.commit}"',
        f'model = "{judged.model}"',
        f'board = "{judged.board}"',
        f"refused = {judged.refused}",
        f"largest_error_percent = {100 * judged.largest_error:.2f}",
        *([] if worst is None else [f'worst = "{worst.network} on {worst.configuration}"']),
        "",
        "[tools]",
        *(f'{name} = "{version}"' for name, version in sorted(judged.tools.items())),
        "",
    ]
    for label, parameters in judged.configurations.items():
        lines += [f"[configurations.{label}]", *(f"{name} = {value}" for name, value in parameters.items()), ""]
    return "\n".join([*lines, *(_table("rows", row) for row in judged.rows), *(_table("fixed", row) for row in judged.fixed)])


def _row(values: dict[str, object]) -> Row:
    return Row(str(values["network"]), str(values["configuration"]), int(str(values["simulated"])), int(str(values["predicted"])))


@cache
def read_judged() -> Judged:
    """The committed judgement.

    Raises:
        CostError: the file is missing or malformed.
    """
    try:
        found = tomllib.loads(JUDGED.read_text(encoding="utf-8"))
        rows, fixed = (tuple(_row(row) for row in found.get(name, [])) for name in ("rows", "fixed"))
        drawn = found.get("configurations", {})
        return Judged(found["commit"], found["model"], found["board"], found["tools"], int(found["refused"]), drawn, rows, fixed)
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise CostError(f"how far the cycle model is off cannot be read: {error}", "reinstall hao") from error
