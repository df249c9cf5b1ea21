"""Board files: part, resources, clock, ports and DRAM of every board that HAO knows, with the sources of the numbers."""

from __future__ import annotations

import tomllib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hao.errors import BoardError
from hao.resources import shared


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Resources(_Frozen):
    """What the device holds. ``bram36`` counts 36 Kb blocks."""

    dsp: int = Field(gt=0)
    lut: int = Field(gt=0)
    ff: int = Field(gt=0)
    bram36: int = Field(gt=0)
    uram: int = Field(ge=0)


class Clock(_Frozen):
    """The engine's clock in MHz: the one at which cycles are turned into frames per second."""

    engine_mhz: float = Field(gt=0, le=1000)


class Ports(_Frozen):
    """The memory ports of the programmable logic."""

    axi_width_bits: int = Field(gt=0)
    high_performance_ports: int = Field(gt=0)
    outstanding_reads: int = Field(gt=0, le=64)
    outstanding_writes: int = Field(gt=0, le=64)


class Dram(_Frozen):
    """The memory's timing. Cycles are of the engine's clock; ``sustained_share`` is a fraction of the peak."""

    size_bytes: int = Field(gt=0)
    peak_bytes_per_second: int = Field(gt=0)
    sustained_share: float = Field(gt=0, le=1)
    granule_bytes: int = Field(gt=0)
    read_latency_cycles: int = Field(ge=1, le=4095)
    write_latency_cycles: int = Field(ge=1, le=4095)
    turnaround_cycles: int = Field(ge=0, le=255)
    refresh_interval_cycles: int = Field(gt=0, le=65535)
    refresh_cycles: int = Field(ge=0, le=4095)


class Source(_Frozen):
    """Where the numbers of some fields come from."""

    fields: str
    text: str


class Board(_Frozen):
    """One board, as written in ``boards/<name>.toml``."""

    name: str = Field(pattern=r"^[a-z0-9-]+$")
    title: str
    part: str
    resources: Resources
    clock: Clock
    ports: Ports
    dram: Dram
    sources: tuple[Source, ...] = Field(min_length=1)

    @property
    def peak_bytes_per_cycle(self) -> float:
        """DRAM peak in bytes per cycle of the engine's clock."""
        return self.dram.peak_bytes_per_second / (self.clock.engine_mhz * 1e6)

    @property
    def sustained_bytes_per_cycle(self) -> float:
        """DRAM bandwidth sustained over long transfers, in bytes per cycle of the engine's clock."""
        return self.peak_bytes_per_cycle * self.dram.sustained_share

    def frames_per_second(self, cycles: int) -> float:
        """Frames per second at the engine's clock for a frame of ``cycles`` (positive)."""
        return self.clock.engine_mhz * 1e6 / cycles


def board_names() -> tuple[str, ...]:
    """The names of all boards that this installation knows, sorted."""
    return tuple(sorted(path.stem for path in shared("boards").glob("*.toml")))


def read_board(path: Path) -> Board:
    """Read and check one board file.

    Raises:
        BoardError: the file is unreadable or malformed; every wrong field is named.
    """
    try:
        return Board.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BoardError(f"board file {path} cannot be read: {error}", "compare it with boards/ultra96v2.toml") from error
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise BoardError(f"board file {path} is malformed: {wrong}", "compare it with boards/ultra96v2.toml") from error


def load_board(name: str) -> Board:
    """The board called ``name``; a path that ends in ``.toml`` is read as a board file of the user's own.

    Raises:
        BoardError: no such board, or a malformed file.
    """
    if name.endswith(".toml"):
        return read_board(Path(name))
    if name not in board_names():
        known = ", ".join(board_names())
        raise BoardError(f"there is no board called {name!r}", f"known boards: {known}; or give the path of a .toml file")
    return read_board(shared("boards") / f"{name}.toml")
