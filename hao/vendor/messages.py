"""What the tools' error messages mean. The first error that is not only the echo of another one is the one to show."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from hao.errors import LicenceError, TimingError, VendorToolError


@dataclass(frozen=True, slots=True)
class Meaning:
    """A pattern of a line, what it means, and the class of error that it ends in."""

    pattern: str
    hint: str
    kind: type[VendorToolError] = VendorToolError


MEANINGS = (
    Meaning(r"\[Common 17-345\]|valid license was not found|FLEXnet|\[Common 17-346\]",
            "no licence: the free edition holds the ZU3EG, the K26 and the ZU7EV (UG973), not the ZU9EG; check XILINXD_LICENSE_FILE",
            LicenceError),
    Meaning(r"^build\.sh: process", "an earlier build goes on there though nobody listens to it: wait for it, or end it there"),
    Meaning(r"^build\.sh: ", "the tools are not on that machine, or not where installers put them: put them on its PATH"),
    Meaning(r"HAO: (setup|hold|pulse width) misses",
            "lower engine_mhz in a copy of the board file, or choose a smaller configuration; the worst paths are in output/timing.rpt",
            TimingError),
    Meaning(r"\[DRC UTLZ|\[Place 30-(640|487|415)|\[Opt 31-306|over-utilized|\[Synth 8-4764\]",
            "the design does not fit the device: hao synth shows what takes the room; choose a smaller configuration"),
    Meaning(r"\[Place 30-|\[Route 35-", "placement or routing gave up: see the log; another strategy or a smaller configuration may help"),
    Meaning(r"HAO: the processing system gives",
            "the clock's dividers do not give that frequency here: adjust [clock.ps] of the board file"),
    Meaning(r"\[BD 41-237\]", "two sides of a connection disagree in a property, mostly FREQ_HZ: do not set it on the IP core"),
    Meaning(r"\[BD 41-|\[BD 5-|\[BD_TCL", "the block design was refused: this version may name a parameter or segment of the processing "
            "system otherwise; please report it with the version"),
    Meaning(r"\[Board 49-|\[Project 1-3\]|part .* (not found|is not installed)|\[Coretcl 2-106\]",
            "the device is not installed: add Zynq UltraScale+ MPSoCs with the tool's installer"),
    Meaning(r"\[IP_Flow 19-", "packaging the IP core failed: please report it with the version"),
    Meaning(r"\[Synth 8-|\[VRFC|\[HDL 9-", "the RTL was refused: please report it with the version; were files of the project changed?"),
    Meaning(r"\[HLS 200-|\[HLS 207-|\[HLS 214-|\[SIM 211-|\[v\+\+ ", "Vitis HLS refused the kernel: please report it with the version"),
    Meaning(r"invalid command name|unknown option|Unknown option|unrecognised option|unknown command",
            "this version does not know the command or option: see docs/vendor-tools.md for the versions that do"),
    Meaning(r"No space left on device", "the disk is full: make room, then run the same command again"),
    Meaning(r"bad_alloc|out of memory|cannot allocate memory|Killed", "the machine ran out of memory: close other programs, then run the "
            "same command again"),
    Meaning(r"Abnormal program termination|[Ss]egmentation|hs_err_pid|unexpected exception", "the tool itself crashed: run the "
            "same command again, it goes on from the last checkpoint; hs_err_pid*.log holds what AMD's support asks for"),
)  # fmt: skip
"""In order: the first pattern that is found decides."""

_ERROR = re.compile(
    r"^(ERROR|CRITICAL ERROR|FATAL|FATAL_ERROR|error)\s*:|^ERROR\b|Abnormal program termination|^HAO: (setup|hold|pulse width) misses|"
    r"^build\.sh: |^Killed|bad_alloc|No space left on device|invalid command name|^v\+\+: error"
)
_ECHO = re.compile(
    r"\[Common 17-(39|69|53|680)\]|\[Vivado 12-|failed due to earlier errors|Please see the log|while executing|\[Common 17-180\]|"
    r"\[HLS 200-1715\]|\[Synth 8-\d+\].*failed$"
)


def is_error(line: str) -> bool:
    """Whether a line of a log tells an error."""
    return _ERROR.search(line) is not None


def is_echo(line: str) -> bool:
    """Whether an error only says that an earlier one has happened."""
    return _ECHO.search(line) is not None


def meaning(line: str) -> Meaning | None:
    """What an error means; None where the table does not know it."""
    return next((each for each in MEANINGS if re.search(each.pattern, line)), None)


def first_error(lines: Iterable[str]) -> str | None:
    """The first error that is no echo; the first echo where there is nothing else; None where there is no error."""
    errors = [line.strip() for line in lines if is_error(line)]
    return next((line for line in errors if not is_echo(line)), errors[0] if errors else None)


def explain(tool: str, line: str | None, status: int | None, log: str) -> VendorToolError:
    """The error to raise for a tool that failed.

    Args:
        tool: its name.
        line: its first real error; None where its log has none.
        status: how the process ended; None where it was stopped.
        log: where its output is.
    """
    if line is None:
        crashed = status is not None and (status < 0 or status > 128)
        if not crashed:
            return VendorToolError(f"{tool} ended with status {status} without saying why", f"its output is in {log}")
        number = -status if status is not None and status < 0 else (status or 0) - 128
        hint = f"run the same command again, it goes on from the last checkpoint (log: {log})"
        return VendorToolError(f"{tool} was ended by signal {number} without saying why", hint)
    known = meaning(line)
    if known is None:
        return VendorToolError(f"{tool} failed: {line}", f"its output is in {log}")
    return known.kind(f"{tool} failed: {line}", f"{known.hint} (log: {log})")
