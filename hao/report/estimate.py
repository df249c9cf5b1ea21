"""The JSON of ``hao estimate``: cycles and area of a network on an engine, both estimated, both with their error."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

ESTIMATE_VERSION: Literal[1] = 1


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Figure(_Frozen):
    """``value`` plus or minus ``error``, in the same unit; ``error`` is the largest seen on the model's judging set."""

    value: float = Field(ge=0)
    error: float = Field(ge=0)


class AreaFigures(_Frozen):
    """Resources as Yosys would count them; ``available`` are the board's."""

    lut: Figure
    ff: Figure
    dsp: Figure
    bram36: Figure
    available: dict[str, int]


class EstimateReport(_Frozen):
    """One network, or one program image, on one engine and board. Nothing in it was measured: ``estimated`` is always true.

    ``busy`` counts the cycles in which each unit works, by its name. ``frames_per_second`` is at the board's clock.
    """

    version: Literal[1] = ESTIMATE_VERSION
    estimated: Literal[True] = True
    network: str
    weights: Literal["trained", "random", "program"]
    board: str
    configuration: str
    configuration_digest: str = Field(pattern=r"^[0-9a-f]{64}$")
    instructions: int = Field(ge=1)
    cycles: Figure
    frames_per_second: Figure
    clock_mhz: float = Field(gt=0)
    busy: dict[str, int]
    area: AreaFigures
    seconds: float = Field(ge=0)
    hao_version: str
