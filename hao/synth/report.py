"""What one synthesis found: the JSON of ``hao synth`` and the committed tables, from one model."""

from __future__ import annotations

import hashlib
import os
import tomllib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hao.boards import Resources
from hao.errors import SynthesisError
from hao.synth.area import Area
from hao.synth.design import Design
from hao.synth.paths import Path as TimingPath
from hao.synth.paths import Timing
from hao.synth.sources import Sources
from hao.synth.yosys import FAMILY, BlockKey, plan_block, yosys_version

SYNTHESIS_VERSION: Literal[1] = 1
LARGEST_LEVELS = 8
"""The most logic levels that any path of the RTL may have."""
_TABLES = Path(__file__).resolve().parent.parent / "cost" / "data"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ModuleRow(_Frozen):
    """One block with one set of parameters: resources of one instance without the blocks inside it, and how often it is there.

    ``levels`` and ``path_ns`` are those of the worst paths that end in any of its instances. ``digest`` names the synthesis:
    sources, parameters, tool and script.
    """

    module: str
    parameters: dict[str, str]
    instances: int = Field(ge=1)
    lut_logic: int = Field(ge=0)
    lut_memory: int = Field(ge=0)
    ff: int = Field(ge=0)
    dsp: int = Field(ge=0)
    bram36: float = Field(ge=0)
    levels: int = Field(ge=0)
    path_ns: float = Field(ge=0)
    digest: str = Field(pattern=r"^[0-9a-f]{64}$")

    @property
    def area(self) -> Area:
        """Resources of one instance."""
        return Area(self.lut_logic, self.lut_memory, self.ff, self.dsp, self.bram36)


class PathRow(_Frozen):
    """One of the longest paths; ``cells`` from the register where it starts to the one where it ends."""

    delay_ns: float
    levels: int
    cells: tuple[str, ...]


class Synthesis(_Frozen):
    """One synthesized design.

    ``path_ns`` is an estimate before placement with assumed delays (``hao/synth/delays.py``), calibrated against nothing.
    ``digest`` is SHA-256 over the digests of all rows.
    """

    version: Literal[1] = SYNTHESIS_VERSION
    configuration: str
    top: str
    tool: str
    family: str
    lut: int
    lut_memory: int
    ff: int
    dsp: int
    bram36: float
    logic_levels: int
    path_ns: float
    digest: str
    modules: tuple[ModuleRow, ...] = Field(min_length=1)
    paths: tuple[PathRow, ...] = ()

    def total(self) -> Area:
        """Sum over all rows."""
        return sum((row.area for row in self.modules for _ in range(row.instances)), Area())

    def over(self, budget: Resources) -> tuple[str, ...]:
        """What does not fit ``budget``, one phrase each."""
        pairs = (
            ("LUT", self.lut, budget.lut),
            ("FF", self.ff, budget.ff),
            ("DSP", self.dsp, budget.dsp),
            ("BRAM36", self.bram36, budget.bram36),
        )
        return tuple(f"{name}: {used:g} of {there}" for name, used, there in pairs if used > there)


def combined_digest(rows: tuple[ModuleRow, ...]) -> str:
    """SHA-256 over the digests and the number of instances of ``rows``."""
    return hashlib.sha256("".join(f"{row.digest}*{row.instances}\n" for row in rows).encode()).hexdigest()


def _shorten(path: TimingPath) -> PathRow:
    return PathRow(delay_ns=path.delay_ns, levels=path.levels, cells=path.cells)


def summarize(configuration: str, design: Design, timing: Timing, paths: int = 10) -> Synthesis:
    """The report of ``design``, blocks in hierarchical order, with its ``paths`` longest paths (at most one a block instance)."""
    rows = []
    for key, places in design.places().items():
        area = design.area(key)
        slowest = max((timing.worst[place].delay_ns for place in places if place in timing.worst), default=0.0)
        levels = max((timing.levels[place].levels for place in places if place in timing.levels), default=0)
        rows.append(
            ModuleRow(
                module=key.module, parameters=dict(key.parameters), instances=len(places), lut_logic=area.lut_logic,
                lut_memory=area.lut_memory, ff=area.ff, dsp=area.dsp, bram36=area.bram36, levels=levels,
                path_ns=slowest, digest=design.digests[key],
            )
        )  # fmt: skip
    total = design.total()
    longest = sorted(timing.worst.values(), key=lambda path: -path.delay_ns)[:paths]
    return Synthesis(
        configuration=configuration, top=design.instances[0].key.module, tool=yosys_version(), family=FAMILY, lut=total.lut,
        lut_memory=total.lut_memory, ff=total.ff, dsp=total.dsp, bram36=total.bram36, logic_levels=timing.logic_levels,
        path_ns=timing.critical.delay_ns, digest=combined_digest(tuple(rows)), modules=tuple(rows), paths=tuple(map(_shorten, longest)),
    )  # fmt: skip


def _value(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f'{name} = "{text}"' for name, text in value.items()) + " }" if value else "{}"
    return f'"{value}"' if isinstance(value, str) else str(value)


def to_toml(report: Synthesis) -> str:
    """The committed table: everything but the paths."""
    fields = report.model_dump(exclude={"modules", "paths"})
    lines = [
        "# Written by `hao synth --table`: Yosys' figures a block. Not to be edited.",
        *(f"{name} = {_value(value)}" for name, value in fields.items()),
    ]
    for row in report.modules:
        lines += ["", "[[modules]]", *(f"{name} = {_value(value)}" for name, value in row.model_dump().items())]
    return "\n".join(lines) + "\n"


def table_path(configuration: str) -> Path:
    """Where the committed table of a configuration lies."""
    return _TABLES / f"synthesis-{configuration}.toml"


def read_table(path: Path) -> Synthesis:
    """Read a committed table and check that its totals are the sums of its rows.

    Raises:
        SynthesisError: it is absent, malformed or inconsistent.
    """
    hint = "write it again: hao synth CONFIGURATION --table"
    try:
        report = Synthesis.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, ValidationError) as error:
        raise SynthesisError(f"the table {path.name} cannot be read: {error}", hint) from error
    total = report.total()
    if (total.lut, total.ff, total.dsp, total.bram36) != (report.lut, report.ff, report.dsp, report.bram36):
        raise SynthesisError(f"the totals of {path.name} are not the sums of its rows", hint)
    if combined_digest(report.modules) != report.digest:
        raise SynthesisError(f"the digest of {path.name} is not that of its rows", hint)
    return report


def stale_rows(report: Synthesis, sources: Sources) -> tuple[str, ...]:
    """The modules of a table whose synthesis would not be the same now: sources, parameters, tool or script have changed."""

    def digest(row: ModuleRow) -> str:
        return plan_block(sources, BlockKey(row.module, tuple(row.parameters.items()))).digest()

    return tuple(row.module for row in report.modules if row.module not in sources.modules or digest(row) != row.digest)


def write(path: Path, text: str) -> None:
    """Write ``text`` in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
