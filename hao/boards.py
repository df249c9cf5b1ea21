"""Board files: part, resources, clock, ports and DRAM of every board that HAO knows, with the sources of the numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from hao.errors import BoardError
from hao.files import read_toml
from hao.resources import shared

CLOCK_TOLERANCE = 1e-3
"""How far the clock that the dividers give may be from the engine's, relative: 33.333 MHz oscillators are written so."""
_LARGEST_DIVIDER = 63


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Resources(_Frozen):
    """What the device holds. ``bram36`` counts 36 Kb blocks."""

    dsp: int = Field(gt=0)
    lut: int = Field(gt=0)
    ff: int = Field(gt=0)
    bram36: int = Field(gt=0)
    uram: int = Field(ge=0)


class PsClock(_Frozen):
    """How the processing system makes the engine's clock: oscillator x multiplier / both dividers.

    ``pll_multiplier`` counts the PLL's own division by two where it has one, so it may end in .5.
    """

    reference_mhz: float = Field(gt=0, le=100)
    pll: str
    pll_multiplier: float = Field(gt=0, le=125, multiple_of=0.5)
    dividers: tuple[int, int]

    @property
    def output_mhz(self) -> float:
        """What comes out, in MHz."""
        return self.reference_mhz * self.pll_multiplier / (self.dividers[0] * self.dividers[1])

    @model_validator(mode="after")
    def _dividers_fit(self) -> Self:
        if not all(1 <= divider <= _LARGEST_DIVIDER for divider in self.dividers):
            raise ValueError(f"dividers are 1 to {_LARGEST_DIVIDER}, not {list(self.dividers)}")
        return self


class Clock(_Frozen):
    """The engine's clock in MHz, at which cycles are turned into frames per second, and how it is made."""

    engine_mhz: float = Field(gt=0, le=1000)
    ps: PsClock

    @model_validator(mode="after")
    def _reached(self) -> Self:
        if abs(self.ps.output_mhz / self.engine_mhz - 1) > CLOCK_TOLERANCE:
            raise ValueError(f"the dividers give {self.ps.output_mhz:g} MHz, not the {self.engine_mhz:g} MHz of engine_mhz")
        return self


class Ports(_Frozen):
    """The memory ports of the programmable logic."""

    axi: Literal["AXI4", "AXI3"]
    axi_width_bits: int = Field(gt=0)
    high_performance_ports: int = Field(gt=0)
    coherent_ports: int = Field(ge=0)
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
    """One board, as written in ``boards/<name>.toml``.

    ``board_part`` is the name of Vivado's board files without their version, empty where there are none; ``unsupported`` says why
    the engine does not run there and is empty where it does; a ``synthetic`` board is a share of a real one, for searches only.
    """

    name: str = Field(pattern=r"^[a-z0-9-]+$")
    title: str
    part: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")
    board_part: str = Field(default="", pattern=r"^([A-Za-z0-9._-]+:[A-Za-z0-9._-]+:[A-Za-z0-9._-]+)?$")
    family: Literal["zynq-ultrascale-plus", "zynq-7000"]
    dsp_kind: Literal["DSP48E2", "DSP48E1"]
    unsupported: str = ""
    synthetic: bool = False
    resources: Resources
    clock: Clock
    ports: Ports
    dram: Dram
    sources: tuple[Source, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _says_what_it_cannot(self) -> Self:
        fits = (self.family, self.dsp_kind, self.ports.axi, self.ports.axi_width_bits) == _ENGINE_NEEDS
        if not fits and not self.unsupported:
            raise ValueError(f"the engine needs {', '.join(map(str, _ENGINE_NEEDS))}-bit ports: say why not in `unsupported`")
        return self

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


_ENGINE_NEEDS = ("zynq-ultrascale-plus", "DSP48E2", "AXI4", 128)


def board_names() -> tuple[str, ...]:
    """The names of all boards that this installation knows, sorted."""
    return tuple(sorted(path.stem for path in shared("boards").glob("*.toml")))


def read_board(path: Path) -> Board:
    """Read and check one board file.

    Raises:
        BoardError: the file is unreadable or malformed; every wrong field is named.
    """
    try:
        return Board.model_validate(read_toml(path))
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise BoardError(f"board file {path} is malformed: {wrong}", "compare it with boards/ultra96v2.toml") from error
    except (OSError, ValueError) as error:
        raise BoardError(f"board file {path} cannot be read: {error}", "compare it with boards/ultra96v2.toml") from error


def load_board(name: str, *, only_supported: bool = True) -> Board:
    """The board called ``name``; a path that ends in ``.toml`` is read as a board file of the user's own.

    Args:
        name: a board or a path.
        only_supported: refuse a board on which the engine does not run; listings pass False.

    Raises:
        BoardError: no such board, a malformed file, or a board on which the engine does not run.
    """
    if not name.endswith(".toml") and name not in board_names():
        known = ", ".join(board_names())
        raise BoardError(f"there is no board called {name!r}", f"known boards: {known}; or give the path of a .toml file")
    board = read_board(Path(name) if name.endswith(".toml") else shared("boards") / f"{name}.toml")
    if only_supported and board.unsupported:
        raise BoardError(f"the engine does not run on {board.name}: {board.unsupported}", "hao boards lists the boards it runs on")
    return board
