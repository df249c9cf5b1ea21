"""A design: what a search chose, as the one file that ``hao build`` reads."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hao.engine.config import EngineConfig
from hao.errors import SearchError
from hao.files import read_text

Order = Literal["graph", "tuned", "busy", "spilled", "compiler"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class MappedSegment(_Frozen):
    """Steps that run together, by the names of their operations, in how many stripes, and whether those roll (no row computed twice)."""

    steps: tuple[str, ...] = Field(min_length=1)
    stripes: int = Field(ge=1)
    rolling: bool = False
    template: str = ""
    cycles: int = Field(default=0, ge=0)


class Figure(_Frozen):
    """A predicted figure and its error, in the same unit."""

    value: float
    error: float = Field(ge=0)


class Design(_Frozen):
    """One accelerator, one mapping, one choice of widths.

    Attributes:
        network, weights: as on the command line; ``digest`` is that of the integer graph.
        board: name or path.
        order: of the steps; ``compiler``: mapping and all are the compiler's own.
        widths: weight bits by layer.
        cycles: of the program image, by the program-level model; ``area`` by resource.
        damage: perturbation of the widths.
    """

    version: Literal[1] = 1
    network: str
    weights: str = ""
    digest: str
    board: str
    configuration: EngineConfig
    order: Order
    segments: tuple[MappedSegment, ...] = Field(min_length=1)
    widths: dict[str, Annotated[int, Field(ge=2, le=8)]]
    cycles: Figure
    area: dict[Literal["lut", "ff", "bram36", "dsp"], Figure]
    damage: float = Field(ge=0)


def read_design(path: Path) -> Design:
    """Read a design, or the report of a search that holds one.

    Raises:
        SearchError: unreadable, malformed, or a report without a design.
    """
    hint = "write one: hao search NETWORK --design FILE"
    try:
        text = read_text(path)
    except (OSError, UnicodeDecodeError) as error:
        raise SearchError(f"the design {path} cannot be read: {error}", hint) from error
    try:
        return Design.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise SearchError(f"{path} is no design: {where}: {first['msg']}", hint) from error
