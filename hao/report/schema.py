"""``report.json``: the one schema of what a run measured. ``docs/report.md`` describes every field."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hao.errors import DataError
from hao.files import read_text

REPORT_VERSION: Literal[1] = 1


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Weights(_Frozen):
    """Where the network's numbers come from, and the SHA-256 of the integer network."""

    kind: Literal["trained", "random"]
    digest: str = Field(pattern=r"^[0-9a-f]{64}$")


class EngineReport(_Frozen):
    """One engine: equality over ``compared`` values of all tensors; an engine that compared nothing is not equal.

    ``digest`` is SHA-256 over the outputs in graph order, each as C-contiguous int32, little-endian. ``seconds`` is the
    host's wall time for the frame, ``build_seconds`` that of building the engine.
    """

    equal: bool
    compared: int = Field(ge=0)
    digest: str = Field(pattern=r"^[0-9a-f]{64}$")
    seconds: float = Field(ge=0)
    build_seconds: float = Field(default=0.0, ge=0)
    cycles: int | None = Field(default=None, ge=0)
    cycles_per_second: float | None = None


class LayerReport(_Frozen):
    """One tensor of the compiled network.

    ``compared`` counts values over all engines held against the reference. ``cycles`` is from the last result of the layers before
    to its own last result, so that layers sum to at most the frame; ``span`` is from its first result to its last. ``lane_use``
    is its multiply-accumulates over ``unit_cycles`` and the dense core's width; None where the dense core has no part in it.
    ``unit_cycles`` is the time between completions of the unit that computes it, the sum of ``compute`` and of ``stalls`` by cause
    (:mod:`hao.report.stalls`); layers that share a unit's time do not overlap in it.
    """

    name: str
    operator: str
    shape: tuple[int, int, int]
    bits: int
    signed: bool
    weight_bits: int | None = None
    macs: int = Field(default=0, ge=0)
    compared: int = Field(ge=0)
    equal: bool
    cycles: int = Field(default=0, ge=0)
    span: int = Field(default=0, ge=0)
    lane_use: float | None = None
    unit_cycles: int = Field(default=0, ge=0)
    compute: int = Field(default=0, ge=0)
    stalls: dict[str, int] = Field(default_factory=dict)


class UnitReport(_Frozen):
    """Performance counters of one unit of the RTL: instructions, and cycles."""

    count: int
    busy: int
    wait_dep: int
    stall: int


class DetectionReport(_Frozen):
    """One box in pixels of the picture given to the network: left, top, right, bottom."""

    label: str
    score: float = Field(ge=0, le=1)
    box: tuple[float, float, float, float]


class Report(_Frozen):
    """Everything that a run measured."""

    version: Literal[1] = REPORT_VERSION
    network: str
    board: str
    configuration: str
    configuration_digest: str = Field(pattern=r"^[0-9a-f]{64}$")
    weights: Weights
    image: str
    clock_mhz: float = Field(gt=0)
    cycles: int | None = Field(default=None, ge=0)
    frames_per_second: float | None = None
    host_ms: float = Field(ge=0)
    stall: int = Field(default=0, ge=0, le=255)
    macs: int = Field(ge=0)
    read_bytes: int | None = None
    write_bytes: int | None = None
    engines: dict[str, EngineReport]
    layers: tuple[LayerReport, ...]
    units: dict[str, UnitReport] = Field(default_factory=dict)
    detections: tuple[DetectionReport, ...] = ()
    prediction: str = ""
    hao_version: str

    @property
    def equal(self) -> bool:
        """Whether at least one engine was held against the reference, and every one equals it."""
        others = [engine for name, engine in self.engines.items() if name != "reference"]
        return bool(others) and all(engine.equal and engine.compared > 0 for engine in others)


def write_text(path: Path, text: str) -> None:
    """Write ``path`` whole or not at all.

    Raises:
        DataError: the folder or file cannot be written.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise DataError(f"{path} cannot be written: {error.strerror}", "choose another place with --out") from error


def write_report(report: Report, path: Path) -> None:
    """Write ``report`` as JSON to ``path``, whole or not at all."""
    write_text(path, report.model_dump_json(indent=2) + "\n")


def read_report(path: Path) -> Report:
    """Read a report.

    Raises:
        DataError: the file is unreadable or not a report of this version.
    """
    try:
        return Report.model_validate_json(read_text(path))
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read: {error}", "run hao run first") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise DataError(f"{path} is not a report of version {REPORT_VERSION}: {where}: {first['msg']}") from error
