"""Reads Vivado's reports back: what was used, whether the clock was met, and the power that the tool estimates."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from hao.errors import VendorToolError
from hao.files import read_file

UTILIZATION, TIMING, POWER = "utilization.rpt", "timing.rpt", "power.rpt"
_MOST = 1e9
_FLAT = {"lut": r"(?:CLB|Slice) LUTs\*?", "ff": r"(?:CLB|Slice) Registers", "bram36": r"Block RAM Tile", "uram": r"URAM", "dsp": r"DSPs"}


class Implementation(BaseModel):
    """What place and route left: resources, worst slacks in ns, and watts; None where the report does not say."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    tool: str = ""
    lut: int
    ff: int
    dsp: int
    bram36: float
    uram: int = 0
    setup_slack_ns: float | None = None
    hold_slack_ns: float | None = None
    pulse_slack_ns: float | None = None
    total_watt: float | None = None
    dynamic_watt: float | None = None
    static_watt: float | None = None
    junction_celsius: float | None = None

    @property
    def meets_timing(self) -> bool | None:
        """Whether setup, hold and, where it is reported, pulse width have a slack of at least 0; None where one is unknown."""
        if self.setup_slack_ns is None or self.hold_slack_ns is None:
            return None
        return min(self.setup_slack_ns, self.hold_slack_ns, self.pulse_slack_ns or 0.0) >= 0


def _read(path: Path) -> str:
    try:
        return read_file(path).decode("utf-8", errors="replace")
    except OSError as error:
        raise VendorToolError(f"there is no report {path}: {error.strerror}", "hao bitstream writes it; was the build finished?") from error


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def _number(text: str) -> float:
    value = float(text.replace(",", "").lstrip("<"))
    if not abs(value) <= _MOST:
        raise ValueError(f"{text!r} is no figure")
    return value


def _hierarchical(lines: Sequence[str]) -> dict[str, float] | None:
    """Totals from the table by instance: the columns by their names, the first row."""
    at = next((i for i, line in enumerate(lines) if re.match(r"\|\s*Instance\s*\|", line)), None)
    if at is None:
        return None
    names = _cells(lines[at])
    row = next((_cells(line) for line in lines[at + 1 :] if line.startswith("|")), [])
    values = dict(zip(names, row, strict=False))
    try:
        used = {key: _number(values[name]) for key, name in {"lut": "Total LUTs", "ff": "FFs"}.items()}
        used["bram36"] = _number(values["RAMB36"]) + _number(values["RAMB18"]) / 2
        used["dsp"] = _number(next(values[name] for name in ("DSP Blocks", "DSP48 Blocks", "DSPs") if name in values))
        used["uram"] = _number(values.get("URAM", "0"))
    except (KeyError, ValueError, StopIteration):
        return None
    return used


def _flat(lines: Sequence[str]) -> dict[str, float] | None:
    used: dict[str, float] = {}
    for key, name in _FLAT.items():
        row = next((_cells(line) for line in lines if re.match(rf"\|\s*{name}\s*\|", line)), None)
        if row is not None and len(row) > 1:
            used[key] = _number(row[1])
    return used if {"lut", "ff", "dsp", "bram36"} <= set(used) else None


def _slacks(text: str) -> tuple[float | None, float | None, float | None]:
    """Worst slacks of setup, hold and pulse width from the design timing summary."""
    lines = text.splitlines()
    at = next((i for i, line in enumerate(lines) if "WNS(ns)" in line and "WHS(ns)" in line), None)
    if at is None:
        return None, None, None
    names = re.split(r"\s{2,}", lines[at].strip())
    row = next((line.split() for line in lines[at + 1 :] if re.match(r"\s*(-?\d|NA)", line)), [])
    values = dict(zip(names, row, strict=False))

    def of(name: str) -> float | None:
        return None if values.get(name, "NA") in ("NA", "inf") else _number(values[name])

    return of("WNS(ns)"), of("WHS(ns)"), of("WPWS(ns)")


def _power(text: str) -> dict[str, float]:
    names = {"total_watt": "Total On-Chip Power (W)", "dynamic_watt": "Dynamic (W)", "static_watt": "Device Static (W)",
             "junction_celsius": "Junction Temperature (C)"}  # fmt: skip
    found = {}
    for key, name in names.items():
        match = re.search(rf"\|\s*{re.escape(name)}\s*\|\s*([\d.]+)", text)
        if match is not None:
            found[key] = _number(match.group(1))
    return found


def read_reports(folder: Path) -> Implementation:
    """The reports of a build.

    Args:
        folder: the project's ``output``, or the project.

    Raises:
        VendorToolError: there is no utilization report, or it cannot be read.
    """
    place = folder / "output" if (folder / "output").is_dir() else folder
    text = _read(place / UTILIZATION)
    lines = text.splitlines()
    tool = re.search(r"Tool Version\s*:\s*(Vivado v[\w.]+)", text)
    try:
        used = _hierarchical(lines) or _flat(lines)
        setup, hold, pulse = _slacks(_read(place / TIMING)) if (place / TIMING).is_file() else (None, None, None)
        power = _power(_read(place / POWER)) if (place / POWER).is_file() else {}
    except ValueError as error:
        raise VendorToolError(f"a report in {place} is damaged: {error}", "run the build again") from error
    if used is None:
        message = f"{place / UTILIZATION} is no utilization report that this version reads"
        raise VendorToolError(message, "please report it with the tool's version")
    return Implementation(
        tool=tool.group(1) if tool else "",
        lut=int(used["lut"]),
        ff=int(used["ff"]),
        dsp=int(used["dsp"]),
        bram36=used["bram36"],
        uram=int(used.get("uram", 0)),
        setup_slack_ns=setup,
        hold_slack_ns=hold,
        pulse_slack_ns=pulse,
        total_watt=power.get("total_watt"),
        dynamic_watt=power.get("dynamic_watt"),
        static_watt=power.get("static_watt"),
        junction_celsius=power.get("junction_celsius"),
    )
