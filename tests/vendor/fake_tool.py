"""A stand-in for Vivado and Vitis: prints what they print, leaves what they leave, fails as they fail. Started by the name it is.

``FAKE`` says how it goes: ok, licence, timing, pulse, crash, hang, silent, memory, nofit, echo, xsa, noreport, unknown, nothing;
``FAKE_VERSION`` which version it is, ``FAKE_ONLY`` which of the HLS commands breaks off. It goes by the documents of the tools, not by
recordings of them: see docs/vendor-tools.md.
"""

import os
import signal
import sys
import time
from pathlib import Path

UTILIZATION = """Copyright 1986-2023 Xilinx, Inc. All Rights Reserved.
| Tool Version : Vivado v.2023.2 (lin64) Build 4029153 Fri Oct 13 20:13:54 MDT 2023
| Command      : report_utilization -hierarchical -file utilization.rpt

+--------------------+--------------+------------+------------+---------+------+-------+--------+--------+------+------------+
|      Instance      |    Module    | Total LUTs | Logic LUTs | LUTRAMs | SRLs |  FFs  | RAMB36 | RAMB18 | URAM | DSP Blocks |
+--------------------+--------------+------------+------------+---------+------+-------+--------+--------+------+------------+
| hao_system_wrapper |        (top) |      41234 |      40000 |    1000 |  234 | 52345 |    190 |      7 |    0 |        352 |
|   hao_system_i     |   hao_system |      41234 |      40000 |    1000 |  234 | 52345 |    190 |      7 |    0 |        352 |
+--------------------+--------------+------------+------------+---------+------+-------+--------+--------+------+------------+
"""
TIMING = """
------------------------------------------------------------------------------------------------
| Design Timing Summary
| ---------------------
------------------------------------------------------------------------------------------------

    WNS(ns)      TNS(ns)  TNS Failing Endpoints  TNS Total Endpoints      WHS(ns)      THS(ns)  THS Failing Endpoints  \
THS Total Endpoints     WPWS(ns)     TPWS(ns)  TPWS Failing Endpoints  TPWS Total Endpoints
    -------      -------  ---------------------  -------------------      -------      -------  ---------------------  \
-------------------     --------     --------  ----------------------  --------------------
      %s        0.000                      0               151234        0.010        0.000                      0  \
             151234        %s        0.000                       0                 52345


%s
"""
POWER = """
1. Summary
+--------------------------+--------------+
| Total On-Chip Power (W)  | 4.317        |
| Design Power Budget (W)  | Unspecified* |
| Dynamic (W)              | 3.981        |
| Device Static (W)        | 0.336        |
| Junction Temperature (C) | 35.6         |
+--------------------------+--------------+
"""
CSYNTH = """<?xml version="1.0" encoding="UTF-8"?>
<profile>
<ReportVersion><Version>{0}</Version></ReportVersion>
<UserAssignments><Part>xczu3eg-sbva484-1-i</Part><TargetClockPeriod>4.00</TargetClockPeriod></UserAssignments>
<PerformanceEstimates><SummaryOfTimingAnalysis><EstimatedClockPeriod>2.920</EstimatedClockPeriod></SummaryOfTimingAnalysis></PerformanceEstimates>
<AreaEstimates>
<Resources><BRAM_18K>301</BRAM_18K><{1}>340</{1}><FF>40321</FF><LUT>52110</LUT><URAM>0</URAM></Resources>
<AvailableResources><BRAM_18K>432</BRAM_18K><{1}>360</{1}><FF>141120</FF><LUT>70560</LUT><URAM>0</URAM></AvailableResources>
</AreaEstimates>
</profile>
"""
NAME = Path(sys.argv[0]).name
if os.environ.get("FAKE_SETTINGS"):  # an installation whose settings64.sh must have been read
    assert {"-version", "--version"} & set(sys.argv) or os.environ.get("SETTINGS_WERE_READ") == "1", "no settings"
HOW = os.environ.get("FAKE", "ok")
VERSION = os.environ.get("FAKE_VERSION", "2023.2")
MET = "All user specified timing constraints are met."
SLACKS = {
    "timing": ("-0.213", "0.291", "Timing constraints are not met."),
    "pulse": ("0.041", "-0.009", "Timing constraints are not met."),
}
FAILURES = {
    "licence": [
        "ERROR: [Common 17-345] A valid license was not found for feature 'Synthesis' and/or device 'xczu9eg'.",
        "ERROR: [Common 17-69] Command failed: Synthesis failed",
    ],
    "nofit": ["ERROR: [DRC UTLZ-1] Resource utilization: RAMB36E2 over-utilized in Top Level Design (requires 300, 216 available)"],
    "memory": ["terminate called after throwing an instance of 'std::bad_alloc'"],
    "echo": ["ERROR: [Common 17-39] 'place_design' failed due to earlier errors.", "    while executing", '"place_design"'],
    "unknown": ["ERROR: [Brand 99-1] something that nobody has met before"],
    "nothing": [],
}


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def arguments_are(*allowed: list[str]) -> None:
    if sys.argv[1:] not in allowed:
        say(f"ERROR: [Common 17-170] Unknown option {' '.join(sys.argv[1:])}")
        sys.exit(1)


def break_off() -> None:
    """End as ``FAKE`` says, where it says so."""
    if HOW == "crash":
        say("Abnormal program termination (11)")
        say("Please check '/tmp/hs_err_pid1.log' for details")
        os.kill(os.getpid(), signal.SIGSEGV)
    if HOW == "silent":
        os.kill(os.getpid(), signal.SIGKILL)
    if HOW == "hang":
        Path("hanging.pid").write_text(str(os.getpid()))
        time.sleep(120)


def vivado() -> None:
    arguments_are(["-mode", "batch", "-nojournal", "-nolog", "-source", "build.tcl"], ["-mode", "batch", "-source", "build.tcl"])
    output = Path("output")
    output.mkdir(exist_ok=True)
    say(f"****** Vivado v{VERSION} (64-bit)")
    if not (output / "synthesized.dcp").exists():
        for step in ("package_ip", "block_design", "synth_design"):
            say(f"HAO: step {step}")
        say("Starting Synthesize : Time (s): cpu = 00:00:02 ; elapsed = 00:00:03")
        if HOW in FAILURES and HOW != "nofit":
            for line in FAILURES[HOW]:
                say(line)
            sys.exit(1)
        (output / "synthesized.dcp").write_text("dcp")
    else:
        say("HAO: step resume_synthesized")
    say("HAO: step place_design")
    say("Phase 1.1 Placer Initialization Netlist Sorting | Checksum: 0")
    break_off()
    if HOW == "nofit":
        say(FAILURES["nofit"][0])
        say("ERROR: [Vivado_Tcl 4-23] Error(s) found during DRC. Placer not run.")
        sys.exit(1)
    say("HAO: step reports")
    (output / "utilization.rpt").write_text(UTILIZATION)
    (output / "timing.rpt").write_text(TIMING % SLACKS.get(HOW, ("0.041", "0.291", MET)))
    (output / "power.rpt").write_text(POWER)
    if HOW in ("timing", "pulse"):
        say(f"HAO: setup slack {SLACKS[HOW][0]} ns")
        say(f"HAO: {'setup misses by 0.213 ns' if HOW == 'timing' else 'pulse width misses'} at 250 MHz: see output/timing.rpt")
        say("    while executing")
        sys.exit(1)
    say("HAO: step write_bitstream")
    (output / "hao.bit").write_text("bit")
    (output / "hao.hwh").write_text("hwh")
    if HOW == "xsa":
        say("ERROR: [Common 17-345] A valid license was not found for feature 'write_hw_platform'.")
        say("HAO: no hao.xsa, which only bare-metal software needs: license")
    say("HAO: step done")


def hls() -> None:
    if NAME == "vitis_hls":
        arguments_are(["-f", "hao_project.tcl"])
    elif NAME == "v++":
        arguments_are(["-c", "--mode", "hls", "--config", "hls_config.cfg", "--work_dir", "hao_hls"])
    else:
        arguments_are(["--mode", "hls", "--package", "--config", "hls_config.cfg", "--work_dir", "hao_hls"])
    with Path("used").open("a") as file:
        file.write(f"{NAME}\n")
    say("INFO: [HLS 200-10] Analyzing design file 'hao_kernel.cpp' ...")
    if HOW == "unknown":
        say("ERROR: [HLS 214-157] Top function not found")
        say("ERROR: [HLS 200-1715] Encountered problem during source synthesis")
        return  # with status 0, as some versions do
    if HOW == "licence":
        say("ERROR: [Common 17-345] A valid license was not found for feature 'HLS' and/or device 'xczu3eg'.")
        sys.exit(1)
    if HOW == "nothing":
        sys.exit(1)
    if not os.environ.get("FAKE_ONLY") or os.environ["FAKE_ONLY"] == NAME:
        break_off()
    reports = Path("hao_hls") / ("solution/syn/report" if NAME == "vitis_hls" else "hls/syn/report")
    reports.mkdir(parents=True, exist_ok=True)
    if HOW != "noreport":
        (reports / "hao_kernel_csynth.xml").write_text(CSYNTH.format(VERSION, "DSP48E" if VERSION < "2021" else "DSP"))


if {"-version", "--version"} & set(sys.argv):
    say({"vivado": f"Vivado v{VERSION} (64-bit)\nTool Version Limit: {VERSION[:4]}.10"}.get(NAME, f"{NAME} v{VERSION} (64-bit)"))
elif NAME == "vivado":
    vivado()
else:
    hls()
