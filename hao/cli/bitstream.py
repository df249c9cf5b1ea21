"""``hao bitstream``: project, tools, progress, results; and ``hao report``, which reads the results back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from hao.boards import load_board
from hao.cli.generate import TARGETS as PLANS
from hao.cli.generate import lacking, read_design
from hao.codegen.tcl_project import write_project
from hao.errors import BoardError, MissingTool, UsageError, VendorToolError
from hao.report.schema import write_text
from hao.vendor.bitstream import TARGETS, Request, build_here, build_there, environment_of, instructions
from hao.vendor.hls_reports import HlsEstimate, is_hls_project, read_hls_report
from hao.vendor.reports import Implementation, read_reports
from hao.vendor.runner import STEPS


@dataclass(frozen=True, slots=True)
class Options:
    """What the user asked for; see ``hao bitstream --help``."""

    design: str
    board: str
    target: str
    out: Path
    ssh: str
    archive: Path | None
    silence: float
    force: bool
    json: Path | None


class _Steps:
    """Tells steps on the terminal, one line each, with the phase beside it where there is a terminal to rewrite."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._status = console.status("starting")
        self._step = ""

    def __enter__(self) -> _Steps:
        self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._status.stop()

    def listen(self, step: str, detail: str) -> None:
        """See ``hao.vendor.runner.Listener``."""
        if step != self._step:
            place = f"{STEPS.index(step) + 1} of {len(STEPS)}  " if step in STEPS else ""
            self._console.print(f"  {place}{step}", markup=False)
            self._step = step
        self._status.update(f"{step} {detail}".strip().replace("[", "("))


def print_implementation(console: Console, found: Implementation) -> None:
    """Resources, slacks and power; "not reported" where the tool did not say."""
    used = f"{found.lut:,} LUT, {found.ff:,} FF, {found.dsp} DSP, {found.bram36:g} BRAM36, {found.uram} URAM"
    console.print(f"{used}  {found.tool}", markup=False)
    slack = "timing not reported"
    if found.setup_slack_ns is not None and found.hold_slack_ns is not None:
        met = "met" if found.meets_timing else "NOT MET"
        slack = f"timing {met}: setup slack {found.setup_slack_ns:g} ns, hold slack {found.hold_slack_ns:g} ns"
        slack += "" if found.pulse_slack_ns is None else f", pulse width {found.pulse_slack_ns:g} ns"
    power = "power not reported"
    if found.total_watt is not None:
        power = f"power, as the tool estimates it: {found.total_watt:g} W"
        if found.dynamic_watt is not None and found.static_watt is not None:
            power += f" ({found.dynamic_watt:g} W dynamic, {found.static_watt:g} W static)"
    console.print(f"{slack}; {power}", markup=False)


def print_estimate(console: Console, found: HlsEstimate) -> None:
    """Resources and clock, as Vitis HLS estimates them."""
    used = f"{found.lut:,} LUT, {found.ff:,} FF, {found.dsp} DSP, {found.bram36:g} BRAM36, {found.uram} URAM"
    clock = f"clock {found.clock_ns:g} ns of {found.target_ns:g} ns"
    console.print(f"{used}, {clock}: estimates of {found.tool} before placement", markup=False, soft_wrap=True)


def report(folder: Path, json: Path | None, console: Console) -> int:
    """Print the reports of a build, and write them as JSON; return the exit code.

    Raises:
        VendorToolError: there are none.
    """
    found: Implementation | HlsEstimate
    if is_hls_project(folder):
        found = read_hls_report(folder)
        print_estimate(console, found)
    else:
        found = read_reports(folder)
        print_implementation(console, found)
    if json is not None:
        write_text(json, found.model_dump_json(indent=2) + "\n")
    return 0


def bitstream(options: Options, console: Console) -> int:
    """Build, or say how; return the exit code.

    Raises:
        UsageError, ConfigurationError, BoardError: the request, or a device that is too small.
        MissingTool: the tools are not here; the archive and what to type are in the message.
        LicenceError, TimingError, VendorToolError: the tools' first real error and its meaning.
    """
    if options.target not in TARGETS:
        raise UsageError(f"there is nothing to build for target {options.target!r}", f"targets: {', '.join(TARGETS)}")
    if options.ssh and options.archive is not None:
        raise UsageError("--ssh and --archive exclude each other", "an archive is built by hand where the tools are")
    config, board = read_design(options.design), load_board(options.board)
    plan = PLANS[options.target](config, board)
    short = lacking(config, board) if options.target == "vivado" else ""
    if short and not board.resources.uram:
        raise BoardError(f"the design does not fit: {short}", "choose a smaller configuration, or another board")
    if short:
        console.print(f"warning: {short}; it fits only if the tool takes UltraRAM by itself", markup=False, soft_wrap=True)
    if write_project(plan, options.out, options.force):
        console.print(f"{len(plan.files)} files written to {options.out}", markup=False, soft_wrap=True)
    request = Request(plan, options.out, options.silence, environment_of())
    if options.archive is not None:
        console.print(instructions(request, options.archive), markup=False, soft_wrap=True)
        return 0
    try:
        with _Steps(console) as steps:
            result = build_there(request, options.ssh, steps.listen) if options.ssh else build_here(request, steps.listen)
    except MissingTool as error:
        archive = options.out.with_name(f"{options.out.name}.tar.gz")
        raise MissingTool(error.message, error.hint or instructions(request, archive)) from error
    console.print(f"  {result}", markup=False, soft_wrap=True)
    try:
        return report(options.out, options.json, console)
    except VendorToolError as error:
        if options.target == "vivado":
            raise
        console.print(f"  {error.message}", markup=False, soft_wrap=True)  # the core is there all the same
        return 0
