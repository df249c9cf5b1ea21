"""Runs a vendor's tool: output into a log, steps told as they come, silence noticed, the process group ended when we are."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hao.errors import MissingTool, UsageError, VendorToolError
from hao.vendor.messages import explain, first_error

STEPS = (
    "package_ip", "block_design", "synth_design", "opt_design", "place_design", "phys_opt_design", "route_design", "reports",
    "write_bitstream", "done",
)  # fmt: skip
"""Steps of the generated build script, in order; a resumed build leaves out the first ones."""
_STEP = re.compile(r"^HAO: step (\S+)")
_PHASE = re.compile(r"^(Phase [\d.]+ .*?)(\s*\||$)|^(Start(?:ing|ed) .*?)(\s*:|$)|^INFO: \[HLS 200-10\] (.*)")
_GRACE_SECONDS = 10.0
_CHUNK = 1 << 16

Listener = Callable[[str, str], None]
"""Told of ``(step, detail)``."""


@dataclass(frozen=True, slots=True)
class Job:
    """A command to run.

    Attributes:
        tool: its name, for messages.
        command, folder, environment: what is run where.
        log: file that its output is added to.
        silence_seconds: how long it may say nothing.
        done: a line after which errors in the log were not in the way; empty for none.
    """

    tool: str
    command: Sequence[str]
    folder: Path
    log: Path
    environment: Mapping[str, str] | None = None
    silence_seconds: float = 3600.0
    done: str = ""


def _tell(line: str, step: str, listen: Listener) -> str:
    """Tell what a line says of the progress; returns the step."""
    if (match := _STEP.match(line)) is not None:
        listen(match.group(1), "")
        return match.group(1)
    if (match := _PHASE.match(line)) is not None:
        listen(step, next(group for group in (match.group(1), match.group(3), match.group(5)) if group).strip())
    return step


def end_group(process: subprocess.Popen[bytes]) -> None:
    """End the tool and what it has started: politely, then not."""
    for kind in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, kind)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE_SECONDS)
            return


def _follow(process: subprocess.Popen[bytes], job: Job, listen: Listener) -> list[str]:
    """Copy the output to the log and return its lines.

    Raises:
        VendorToolError: it was silent for too long.
    """
    assert process.stdout is not None
    lines: list[str] = []
    step, rest, heard = "", b"", time.monotonic()
    with job.log.open("ab") as log, selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while True:
            if selector.select(min(1.0, job.silence_seconds)):
                chunk = os.read(process.stdout.fileno(), _CHUNK)
                if not chunk:
                    break
                heard = time.monotonic()
                log.write(chunk)
                log.flush()
                *complete, rest = (rest + chunk).split(b"\n")
                for raw in complete:
                    line = raw.decode("utf-8", "replace").rstrip("\r")
                    lines.append(line)
                    step = _tell(line, step, listen)
            elif time.monotonic() - heard > job.silence_seconds:
                where = f" in step {step}" if step else ""
                message = f"{job.tool} said nothing for {job.silence_seconds:g} s{where} and was ended"
                raise VendorToolError(message, f"a licence server that does not answer does that; log: {job.log}; --silence allows more")
    if rest:
        lines.append(rest.decode("utf-8", "replace"))
    return lines


def run_tool(job: Job, listen: Listener = lambda _step, _detail: None) -> list[str]:
    """Run ``job`` to its end; returns the lines of its output.

    Args:
        job: what to run.
        listen: told of progress.

    Raises:
        MissingTool: the program cannot be started.
        UsageError: another build is running in its folder.
        LicenceError, TimingError, VendorToolError: it failed; the first real error and its meaning are in the message.
    """
    job.log.parent.mkdir(parents=True, exist_ok=True)
    with job.log.open("ab") as log:
        try:
            fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)  # held until the tool has ended
        except OSError as error:
            raise UsageError(f"another build is running in {job.folder}", "wait for it, or choose another folder with --out") from error
        log.write(f"HAO: run {' '.join(job.command)}\n".encode())
        log.flush()
        return _run(job, listen)


def _run(job: Job, listen: Listener) -> list[str]:
    environment = None if job.environment is None else dict(job.environment)
    try:
        process = subprocess.Popen(
            list(job.command), cwd=job.folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        raise MissingTool(f"{job.command[0]} cannot be started: {error.strerror}", "is it a program, and executable?") from error
    with process:
        try:
            lines = _follow(process, job, listen)
        except BaseException:
            end_group(process)
            raise
        status = process.wait()
    # a tool that reports an error and ends with 0 has failed all the same, unless its script caught the error and went on to its end
    error_line = first_error(lines)
    if status or (error_line is not None and not (job.done and job.done in lines)):
        raise explain(job.tool, error_line, status, str(job.log))
    return lines
