"""``bench.json``: one row a workload, board and configuration; the schema, and nothing that was not measured."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from hao.report.schema import Weights

BENCH_VERSION: Literal[1] = 1


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Literature(_Frozen):
    """A published figure beside ours: frames per second, on what, and where it is printed; ``note`` says what it leaves out."""

    frames_per_second: float = Field(gt=0)
    design: str
    source: str
    note: str = ""


class BenchRow(_Frozen):
    """One workload. None stands for what this run did not measure.

    ``accuracy`` is the integer network's, in ``accuracy_metric``, as ``accuracy_source`` has it.

    ``cycles`` is one frame, from the start register to done; ``sustained_frames_per_second`` is of ``sustained_frames`` frames back
    to back. ``predicted_cycles`` is the cycle model's, ``predicted_error`` its largest error on its judging set (a fraction). Area
    is Yosys' count, from the committed table of the configuration.
    """

    workload: str
    board: str
    configuration: str
    weights: Weights
    accuracy: float | None = None
    accuracy_metric: str = ""
    accuracy_source: str = ""
    cycles: int = Field(gt=0)
    predicted_cycles: int | None = None
    predicted_error: float | None = None
    frames_per_second: float = Field(gt=0)
    sustained_frames_per_second: float | None = None
    sustained_frames: int = 0
    clock_mhz: float = Field(gt=0)
    equal: bool
    compared: int = Field(ge=0)
    digest: str = Field(pattern=r"^[0-9a-f]{64}$")
    lut: int | None = None
    ff: int | None = None
    dsp: int | None = None
    bram36: float | None = None
    sim_seconds: float = Field(ge=0)
    literature: tuple[Literature, ...] = ()


class Bench(_Frozen):
    """All rows, and the commit that they are of (empty outside a repository)."""

    version: Literal[1] = BENCH_VERSION
    rows: tuple[BenchRow, ...] = Field(min_length=1)
    commit: str
