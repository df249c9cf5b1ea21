"""``hao bitstream`` with a stand-in for the tools: how it goes well, and every way in which it does not."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest

from hao.boards import load_board
from hao.cli.main import invoke
from hao.codegen.vitis_hls import plan_vitis_hls
from hao.codegen.vivado import plan_vivado
from hao.engine.config import CI_CONFIGS
from hao.errors import LicenceError, MissingTool, TimingError, UsageError, VendorToolError
from hao.vendor.archive import archive_files, write_archive
from hao.vendor.messages import MEANINGS, first_error, meaning
from hao.vendor.reports import read_reports
from hao.vendor.tools import find_tool, require_version, vendor_checks

FAKE = Path(__file__).with_name("fake_tool.py")
UNIFIED = ("v++", "vitis-run")


def install(folder: Path, *names: str) -> Path:
    """Put the stand-in into ``folder`` under the names of the tools."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        path = folder / name
        path.write_text(f"#!{sys.executable} -I\n{FAKE.read_text()}")
        path.chmod(0o755)
    return folder


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for tools that is first on the path; no other tool is to be found."""
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XILINX_VIVADO", "XILINX_HLS", "XILINX_VITIS"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "bin"


def build(tmp_path: Path, *more: str) -> int:
    return invoke(["bitstream", "8x8x1", "--out", str(tmp_path / "p"), *more])


def test_a_build_goes_through_and_its_reports_are_read(tools: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    install(tools, "vivado")
    assert build(tmp_path, "--json", str(tmp_path / "r.json")) == 0
    said = capsys.readouterr().out
    steps = [line.split()[-1] for line in said.splitlines() if " of 10  " in line]
    assert steps == ["package_ip", "block_design", "synth_design", "place_design", "reports", "write_bitstream", "done"]
    assert "timing met: setup slack 0.041 ns, hold slack 0.01 ns, pulse width 0.291 ns" in said
    found = json.loads((tmp_path / "r.json").read_text())
    assert (found["lut"], found["ff"], found["dsp"], found["bram36"]) == (41234, 52345, 352, 193.5)
    assert (found["total_watt"], found["dynamic_watt"], found["static_watt"]) == (4.317, 3.981, 0.336)
    assert found["tool"] == "Vivado v.2023.2"
    assert invoke(["report", str(tmp_path / "p")]) == 0
    assert "4.317 W" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("how", "error", "words"),
    [
        ("licence", LicenceError, ["[Common 17-345] A valid license was not found", "XILINXD_LICENSE_FILE"]),
        ("timing", TimingError, ["setup misses by 0.213 ns at 250 MHz", "lower engine_mhz"]),
        ("pulse", TimingError, ["pulse width misses at 250 MHz", "lower engine_mhz"]),
        ("crash", VendorToolError, ["Abnormal program termination (11)", "goes on from the last checkpoint"]),
        ("silent", VendorToolError, ["ended by signal 9 without saying why", "goes on from the last checkpoint"]),
        ("memory", VendorToolError, ["bad_alloc", "ran out of memory"]),
        ("nofit", VendorToolError, ["[DRC UTLZ-1]", "does not fit the device"]),
        ("echo", VendorToolError, ["failed due to earlier errors", "output is in"]),
        ("unknown", VendorToolError, ["[Brand 99-1] something that nobody has met before", "hao-build.log"]),
        ("nothing", VendorToolError, ["ended with status 1 without saying why", "hao-build.log"]),
    ],
)
def test_failures_show_the_first_real_error_and_its_meaning(
    tools: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    how: str,
    error: type[VendorToolError],
    words: list[str],
) -> None:
    install(tools, "vivado")
    monkeypatch.setenv("FAKE", how)
    assert build(tmp_path) == error.exit_code
    said = capsys.readouterr().err
    assert all(each in said for each in words), said
    assert "HAO: run" in (tmp_path / "p" / "hao-build.log").read_text()


def test_a_tool_that_hangs_is_ended(
    tools: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    install(tools, "vivado")
    monkeypatch.setenv("FAKE", "hang")
    assert build(tmp_path, "--silence", "3") == VendorToolError.exit_code
    assert "said nothing for 3 s in step place_design and was ended" in capsys.readouterr().err
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "p" / "hanging.pid").read_text()), 0)


def test_an_error_that_the_script_caught_does_not_cost_the_bitstream(tools: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tools, "vivado")
    monkeypatch.setenv("FAKE", "xsa")
    assert build(tmp_path) == 0


def test_an_interrupted_build_goes_on(
    tools: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    install(tools, "vivado")
    monkeypatch.setenv("FAKE", "crash")
    assert build(tmp_path) == VendorToolError.exit_code
    monkeypatch.setenv("FAKE", "ok")
    capsys.readouterr()
    assert build(tmp_path) == 0
    said = capsys.readouterr().out
    assert "resume_synthesized" in said and "synth_design" not in said
    assert build(tmp_path, "--board", "kv260") == UsageError.exit_code, "another project needs --force"


def test_an_interrupt_from_the_keyboard_ends_the_tool_too(tools: Path, tmp_path: Path) -> None:
    import signal

    install(tools, "vivado")
    command = [sys.executable, "-m", "hao.cli", "bitstream", "8x8x1", "--out", str(tmp_path / "p")]
    environment = {**os.environ, "FAKE": "hang", "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        pid_file, deadline = tmp_path / "p" / "hanging.pid", time.monotonic() + 60
        while not (pid_file.is_file() and pid_file.read_text()) and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 130
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid_file.read_text()), 0)


@pytest.mark.parametrize(
    ("names", "version", "used"),
    [
        (("vitis_hls",), "2020.2", ["vitis_hls"]),
        (("vitis_hls",), "2022.2", ["vitis_hls"]),
        (("vitis_hls", *UNIFIED), "2023.2", ["vitis_hls"]),
        (("vitis_hls", *UNIFIED), "2024.2", ["v++", "vitis-run"]),
        (UNIFIED, "2025.1", ["v++", "vitis-run"]),
    ],
)
def test_old_and_new_command_lines_of_vitis(
    tools: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    names: tuple[str, ...],
    version: str,
    used: list[str],
) -> None:
    install(tools, *names)
    monkeypatch.setenv("FAKE_VERSION", version)
    assert build(tmp_path, "--target", "vitis-hls", "--json", str(tmp_path / "r.json")) == 0
    assert (tmp_path / "p" / "used").read_text().split() == used
    words = "52,110 LUT, 40,321 FF, 340 DSP, 150.5 BRAM36, 0 URAM, clock 2.92 ns of 4 ns"
    assert f"{words}: estimates of Vitis HLS {version} before placement" in capsys.readouterr().out
    assert json.loads((tmp_path / "r.json").read_text())["bram36"] == 150.5
    (path,) = (tmp_path / "p" / "hao_hls").rglob("*.xml")
    for damage in (lambda text: text[:300], lambda text: text.replace("LUT>", "LUTS>"), lambda text: text.replace(">340<", ">many<")):
        good = path.read_text()
        path.write_text(damage(good))
        assert invoke(["report", str(tmp_path / "p")]) == VendorToolError.exit_code
        assert "is no synthesis report that this version reads" in capsys.readouterr().err
        path.write_text(good)
    path.unlink()
    assert invoke(["report", str(tmp_path / "p")]) == VendorToolError.exit_code
    assert "there is no hao_kernel_csynth.xml" in capsys.readouterr().err
    monkeypatch.setenv("FAKE", "noreport")
    shutil.rmtree(tmp_path / "p" / "hao_hls")
    assert build(tmp_path, "--target", "vitis-hls") == 0, "a core that was built is not lost for a report"
    assert "there is no hao_kernel_csynth.xml" in capsys.readouterr().out


@pytest.mark.parametrize(("names", "version"), [(("vitis_hls",), "2022.2"), (UNIFIED, "2025.1")])
@pytest.mark.parametrize(
    ("how", "error", "words"),
    [
        ("licence", LicenceError, "[Common 17-345] A valid license was not found for feature 'HLS'"),
        ("crash", VendorToolError, "Abnormal program termination (11)"),
        ("silent", VendorToolError, "ended by signal 9 without saying why"),
        ("hang", VendorToolError, "said nothing for 3 s and was ended"),
        ("nothing", VendorToolError, "ended with status 1 without saying why"),
    ],
)
def test_failures_of_vitis_in_both_dialects(
    tools: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    names: tuple[str, ...],
    version: str,
    how: str,
    error: type[VendorToolError],
    words: str,
) -> None:
    install(tools, *names)
    monkeypatch.setenv("FAKE_VERSION", version)
    monkeypatch.setenv("FAKE", how)
    monkeypatch.setenv("FAKE_ONLY", names[-1])
    assert build(tmp_path, "--target", "vitis-hls", "--silence", "3") == error.exit_code
    said = capsys.readouterr().err
    assert words in said
    if how not in ("licence", "nothing"):
        assert f"{names[-1]} " in said, "the wrong one of two commands is named"


def test_an_error_with_status_zero_is_an_error(
    tools: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    install(tools, "vitis_hls")
    monkeypatch.setenv("FAKE", "unknown")
    assert build(tmp_path, "--target", "vitis-hls") == VendorToolError.exit_code
    assert "[HLS 214-157] Top function not found" in capsys.readouterr().err


def test_without_the_tools_there_is_an_archive_that_builds_without_python(
    tools: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert build(tmp_path) == MissingTool.exit_code
    said = capsys.readouterr().err
    archive = tmp_path / "p.tar.gz"
    assert f"copy {archive} to a machine with the tools, then: tar xzf p.tar.gz && sh hao-vivado-" in said
    with tarfile.open(archive) as packed:
        packed.extractall(tmp_path / "there", filter="data")
    (root,) = (tmp_path / "there").iterdir()
    assert {"build.tcl", "build.sh", "README.txt", "rtl", "hao-project.json"} <= {path.name for path in root.iterdir()}
    script = ["sh", str(root / "build.sh")]
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    assert subprocess.run(script, env=environment, capture_output=True, check=False).returncode == 3
    install(tmp_path / "Xilinx" / "Vivado" / "2023.2" / "bin", "vivado")
    assert subprocess.run(script, env=environment, capture_output=True, check=False).returncode == 0
    assert (root / "output" / "hao.bit").is_file()


@pytest.mark.parametrize("names", [("vitis_hls",), UNIFIED])
def test_the_archive_of_the_hls_kernel_builds_in_both_dialects(tmp_path: Path, names: tuple[str, ...]) -> None:
    plan = plan_vitis_hls(CI_CONFIGS["8x8x1"], load_board("ultra96v2"))
    for name, text in archive_files(plan).items():
        (tmp_path / name).write_text(text)
    install(tmp_path / "AMD" / "2025.1" / "Vitis" / "bin", *names)
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    done = subprocess.run(["sh", str(tmp_path / "build.sh")], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "used").read_text().split() == list(names)


def test_archives_repeat_themselves(tmp_path: Path) -> None:
    plan = plan_vivado(CI_CONFIGS["8x8x1"], load_board("ultra96v2"))
    first, second = (write_archive(plan, tmp_path / name).read_bytes() for name in ("a.tar.gz", "b.tar.gz"))
    assert first == second


SSH = """#!/bin/sh
# ssh -o BatchMode=yes -- HOST SCRIPT
[ "$1 $2 $3" = "-o BatchMode=yes --" ] || exit 9
[ "$4" = "builder@farm" ] || { echo "ssh: Could not resolve hostname $4" >&2; exit 255; }
cd "$THERE" && HOME="$THERE" exec sh -c "$5"
"""


@pytest.fixture
def farm(tools: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A build server behind a stand-in for ssh."""
    tools.mkdir()
    (tools / "ssh").write_text(SSH)
    (tools / "ssh").chmod(0o755)
    there = tmp_path / "farm"
    install(there / "Xilinx" / "Vivado" / "2023.2" / "bin", "vivado")
    monkeypatch.setenv("THERE", str(there))
    return there


def test_a_build_server_builds_and_the_results_come_back(farm: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert build(tmp_path, "--ssh", "builder@farm") == 0
    assert (tmp_path / "p" / "output" / "hao.bit").is_file()
    assert "timing met" in capsys.readouterr().out
    (project,) = (farm / "hao-build").iterdir()
    assert (project / "build.tcl").is_file()


def test_a_build_on_a_server_goes_on_after_an_interruption(
    farm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FAKE", "crash")
    assert build(tmp_path, "--ssh", "builder@farm") == VendorToolError.exit_code
    monkeypatch.setenv("FAKE", "ok")
    capsys.readouterr()
    assert build(tmp_path, "--ssh", "builder@farm") == 0
    assert "resume_synthesized" in capsys.readouterr().out


def test_two_builds_in_one_folder_do_not_mix(
    farm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither here nor on the server, where the first one may go on after its listener was ended; a lock that was left is no hindrance."""
    assert build(tmp_path, "--ssh", "builder@farm") == 0
    with (tmp_path / "p" / "hao-build.log").open("ab") as log:
        fcntl.flock(log, fcntl.LOCK_EX)
        assert build(tmp_path, "--ssh", "builder@farm") == UsageError.exit_code
        assert "another build is running in" in capsys.readouterr().err
    (project,) = (farm / "hao-build").iterdir()
    (project / ".building").mkdir()
    (project / ".building" / "process").write_text(f"{os.getpid()}\n")
    assert build(tmp_path, "--ssh", "builder@farm") == VendorToolError.exit_code
    assert f"process {os.getpid()} is building here" in capsys.readouterr().err
    with subprocess.Popen(["true"]) as gone:
        pass
    (project / ".building" / "process").write_text(f"{gone.pid}\n")
    assert build(tmp_path, "--ssh", "builder@farm") == 0
    assert not (project / ".building").exists()


def test_a_build_server_without_the_tools_says_so(farm: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(farm / "Xilinx")
    assert build(tmp_path, "--ssh", "builder@farm") == VendorToolError.exit_code
    said = capsys.readouterr().err
    assert "build.sh: vivado was not found" in said and "the tools are not on that machine" in said


def test_a_build_server_fails_by_name(
    farm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert build(tmp_path, "--ssh", "nobody@nowhere") == VendorToolError.exit_code
    assert "Could not resolve hostname" in capsys.readouterr().err
    assert build(tmp_path, "--ssh", "-oProxyCommand=evil") == UsageError.exit_code
    monkeypatch.setenv("FAKE", "licence")
    assert build(tmp_path, "--ssh", "builder@farm") == LicenceError.exit_code


def test_tools_are_found_by_path_variable_and_place(tmp_path: Path) -> None:
    new = install(tmp_path / "tools" / "2025.1" / "Vivado" / "bin", "vivado")
    old = install(tmp_path / "tools" / "Vivado" / "2021.2" / "bin", "vivado")
    (old.parent / "settings64.sh").write_text("")
    roots = (str(tmp_path / "tools"),)
    base = {"PATH": "/usr/bin:/bin"}
    found = find_tool("vivado", base, roots)
    assert found is not None and found.path == new / "vivado"
    by_variable = find_tool("vivado", {**base, "XILINX_VIVADO": str(old.parent), "FAKE_VERSION": "2021.2"}, roots)
    assert by_variable is not None and by_variable.path == old / "vivado"
    assert by_variable.version == (2021, 2)
    assert by_variable.settings == old.parent / "settings64.sh"
    on_path = find_tool("vivado", {"PATH": f"{old}:/usr/bin:/bin", "FAKE_VERSION": "2019.2"}, roots)
    assert on_path is not None and on_path.path == old / "vivado"
    with pytest.raises(MissingTool, match=r"is version 2019\.2"):
        require_version(on_path)
    assert find_tool("vivado", base, (str(tmp_path / "nowhere"),)) is None


def test_settings64_is_read_where_the_environment_is_not_set_up(
    tools: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A tool that is found where installers put it runs in the environment of its settings, by hao and by ``build.sh``."""
    home = tmp_path / "Xilinx" / "Vivado" / "2023.2"
    install(home / "bin", "vivado")
    (home / "settings64.sh").write_text("export SETTINGS_WERE_READ=1\n")
    monkeypatch.setenv("FAKE_SETTINGS", "1")
    assert build(tmp_path) == 0
    shutil.rmtree(tmp_path / "p" / "output")
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "FAKE_SETTINGS": "1"}
    done = subprocess.run(["sh", str(tmp_path / "p" / "build.sh")], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    shutil.rmtree(tmp_path / "p" / "output")
    monkeypatch.setenv("PATH", f"{home / 'bin'}{os.pathsep}{os.environ['PATH']}")
    assert build(tmp_path) == VendorToolError.exit_code, "settings were read though the tool was on the path"


def test_the_doctor_says_where_they_are(tools: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert {check.found for check in vendor_checks()} == {False}
    install(tools, "vivado", "vitis-run")
    assert invoke(["doctor"]) == 0
    said = capsys.readouterr().out
    assert f"ok    Vivado                   {tools / 'vivado'}, version 2023.2  [bitstreams (optional)]" in said
    assert "Vitis HLS" in said


def test_echoes_are_not_the_first_error() -> None:
    log = ["INFO: x", "ERROR: [Common 17-69] Command failed: x", "ERROR: [Synth 8-439] module 'y' not found", "ERROR: [Vivado 12-1] z"]
    assert first_error(log) == log[2]
    assert first_error(log[:2]) == log[1]
    assert first_error(log[:1]) is None
    found = meaning(log[2])
    assert found is not None and "RTL was refused" in found.hint
    assert all(each.hint for each in MEANINGS)


FLAT = """| Tool Version : Vivado v.2024.1 (lin64)
+----------------------------+-------+-------+------------+-----------+-------+
|          Site Type         |  Used | Fixed | Prohibited | Available | Util% |
+----------------------------+-------+-------+------------+-----------+-------+
| CLB LUTs                   | 11,222 |     0 |          0 |     70560 | 15.90 |
| CLB Registers              | 22333 |     0 |          0 |    141120 | 15.82 |
| Block RAM Tile             |  91.5 |     0 |          0 |       216 | 42.36 |
| URAM                       |     0 |     0 |          0 |         0 |  0.00 |
| DSPs                       |    80 |     0 |          0 |       360 | 22.22 |
"""


OLD = """
|   Instance   | Module | Total LUTs | Logic LUTs | LUTRAMs | SRLs | FFs | RAMB36 | RAMB18 | DSP48 Blocks |
+--------------+--------+------------+------------+---------+------+-----+--------+--------+--------------+
| wrapper      |  (top) |         88 |         88 |       0 |    0 |  72 |      2 |      1 |            9 |
"""


def test_reports_in_parts_and_in_other_forms(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "utilization.rpt").write_text(FLAT)
    found = read_reports(tmp_path)
    assert (found.lut, found.ff, found.dsp, found.bram36, found.meets_timing) == (11222, 22333, 80, 91.5, None)
    (tmp_path / "utilization.rpt").write_text(OLD)
    assert (read_reports(tmp_path).dsp, read_reports(tmp_path).bram36) == (9, 2.5)
    assert invoke(["report", str(tmp_path)]) == 0
    assert "timing not reported; power not reported" in capsys.readouterr().out
    (tmp_path / "utilization.rpt").write_text("nothing of the kind")
    assert invoke(["report", str(tmp_path)]) == VendorToolError.exit_code
    assert invoke(["report", str(tmp_path / "none")]) == VendorToolError.exit_code


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["--target", "quartus"], UsageError.exit_code), (["--ssh", "h", "--archive", "a.tar.gz"], UsageError.exit_code)],
)
def test_contradictions_are_refused(tools: Path, tmp_path: Path, arguments: list[str], code: int) -> None:
    assert build(tmp_path, *arguments) == code
    assert not shutil.which("vivado")
