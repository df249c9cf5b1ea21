"""Builds one RTL module with Verilator and runs a cocotb test module on it, from pytest or any script.

Builds are kept in the cache folder under a digest of sources, parameters and tool versions: nothing unchanged is built twice. Each holds
copies of its sources, because what was built names them, and the folder that they came from may be gone when it is used again.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hao.codegen import write_package, write_text
from hao.errors import BuildError, SimulationError
from hao.resources import cache_folder, shared
from hao.toolchain import build_environment, tool_versions

BENCHES = Path(__file__).resolve().parent / "units"
"""Folder of the cocotb test modules and of the SystemVerilog wrappers made for them."""
_BUILD_ARGUMENTS = ("--assert", "-Wno-fatal", "-O3", "--x-initial", "unique", "-CFLAGS", "-O1")


@contextlib.contextmanager
def _environment() -> Iterator[None]:
    """The variables that Verilator and cocotb read, for the duration of the block."""
    before = dict(os.environ)
    os.environ.update(build_environment())
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keeps other processes from building in ``folder`` at the same time."""
    with (folder / ".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _runner() -> Any:
    from cocotb_tools.runner import Verilator

    class Runner(Verilator):  # type: ignore[misc, unused-ignore]
        """Drops ``--public-flat-rw``, which slows a model down up to threefold; a .vlt file names what Python touches."""

        def _build_command(self) -> list[Any]:
            commands = super()._build_command()
            commands[0] = [argument for argument in commands[0] if argument != "--public-flat-rw"]
            return list(commands)

    return Runner()


def _sources(top: str, extra: Sequence[Path]) -> list[Path]:
    rtl = sorted((shared("accel") / "rtl").glob("hao_*.sv"))
    return [*rtl, *extra] if any(path.stem == top for path in [*rtl, *extra]) else []


def _digest(top: str, sources: Sequence[Path], values: Mapping[str, object], package: Path, public: Sequence[str]) -> str:
    text = hashlib.sha256(repr(("copied", top, sorted(values.items()), public, _BUILD_ARGUMENTS, tool_versions())).encode())
    for path in (package, *sources):
        text.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return text.hexdigest()[:16]


def _reachable(top: str, sources: Sequence[Path]) -> list[Path]:
    """The sources that ``top`` needs: a file counts as used when a used file names it."""
    by_name = {path.stem: path for path in sources}
    used, waiting = {top}, [top]
    while waiting:
        text = re.sub(r"//.*", "", by_name[waiting.pop()].read_text(encoding="utf-8"))
        for name in by_name:
            if name not in used and re.search(rf"\b{name}\b", text):
                used.add(name)
                waiting.append(name)
    return [by_name[name] for name in sorted(used)]


def _copied(sources: Sequence[Path], folder: Path) -> list[Path]:
    """``sources`` as they lie in ``folder`` afterwards; those that lie there already are left alone, with their times."""
    folder.mkdir(exist_ok=True)
    return [write_text(folder / path.name, path.read_text(encoding="utf-8")) for path in sources]


def simulate(
    top: str,
    test_module: str,
    *,
    parameters: Mapping[str, int | str] | None = None,
    sources: Sequence[Path] = (),
    public: Sequence[str] = ("*_i", "*_o"),
    seed: int = 1,
    settings: Mapping[str, str] | None = None,
    files: Mapping[str, str] | None = None,
) -> int:
    """Run every cocotb test of ``test_module`` (a file of ``sim/units``) on module ``top`` and return how many ran.

    Args:
        top: module under test, of ``accel/rtl`` or of one of ``sources``; its reset, clock and ports are driven by the test.
        test_module: name of the Python module with the cocotb tests.
        parameters: values of the parameters of ``top``, integers or SystemVerilog literals.
        sources: SystemVerilog or C++ files beyond the RTL, a wrapper for instance.
        public: patterns of the signals of ``top`` that the test may touch.
        seed: seed of the test's random choices (cocotb's ``RANDOM_SEED``).
        settings: environment variables for the test.
        files: texts by name that lie in the folder in which the simulation runs.

    Raises:
        SimulationError: a test failed, or none ran; the message names the log.
        BuildError: Verilator or the compiler refused the sources.
    """
    found = _sources(top, sources)
    if not found:
        raise SimulationError(f"there is no module {top!r} to simulate", "name a file of accel/rtl or pass its wrapper in `sources`")
    package = write_package(cache_folder() / "benches")
    needed = _reachable(top, [path for path in found if path.suffix == ".sv"])
    needed += [path for path in found if path.suffix != ".sv"]
    values = dict(parameters or {})
    folder = cache_folder() / "benches" / f"{top}-{_digest(top, needed, values, package, public)}"
    folder.mkdir(parents=True, exist_ok=True)
    rules = "\n".join(f'public_flat_rw -module "{top}" -var "{pattern}"' for pattern in ("rst_ni", *public))
    visible = write_text(folder / "visible.vlt", f"`verilator_config\n{rules}\n")
    with _environment():
        runner = _runner()
        with _locked(folder):
            package, *needed = _copied([package, *needed], folder / "sources")
            code = [path for path in needed if path.suffix != ".sv"]
            forget_lost_tools(folder)
            _build(runner, top, [visible, package, *(path for path in needed if path.suffix == ".sv")], code, values, folder)
        work = Path(tempfile.mkdtemp(prefix="run-", dir=folder))  # stays after a failure, so that its log can be read
        for name, text in (files or {}).items():
            write_text(work / name, text)
        return _test(runner, top, test_module, work, seed, settings or {})


def forget_lost_tools(folder: Path) -> None:
    """Drop what an installation that is gone has built in ``folder``: its dependencies name files that nobody can find any more."""
    objects = [path for pattern in ("*.d", "*.o") for path in folder.glob(pattern)]
    text = " ".join(path.read_text(encoding="utf-8") for path in objects if path.suffix == ".d")
    if not all(Path(each).is_dir() for each in set(re.findall(r"(?<!\S)(/\S+/site-packages)/", text))):
        for path in objects:
            path.unlink()


def _build(runner: Any, top: str, sources: Sequence[Path], code: Sequence[Path], values: Mapping[str, object], folder: Path) -> None:
    log = folder / "build.log"
    arguments = [*_BUILD_ARGUMENTS, *map(str, code)]
    built = {"sources": sources, "hdl_toplevel": top, "parameters": values, "build_dir": folder}
    try:
        runner.build(**built, build_args=arguments, log_file=log, always=False)
    except (SystemExit, OSError) as error:
        lines = [line for line in log.read_text(encoding="utf-8").splitlines() if "rror" in line] if log.is_file() else []
        raise BuildError(f"building {top} failed: {lines[0] if lines else error}", f"the log is {log}") from error


def _test(runner: Any, top: str, test_module: str, work: Path, seed: int, settings: Mapping[str, str]) -> int:
    from cocotb_tools.check_results import get_results

    log = work / "sim.log"
    # the runner hands sys.path on to the simulator's interpreter
    sys.path.insert(0, str(BENCHES))
    try:
        results = runner.test(
            test_module=test_module,
            hdl_toplevel=top,
            build_dir=work.parent,
            test_dir=work,
            seed=seed,
            extra_env={"COCOTB_ANSI_OUTPUT": "0", **settings},
            log_file=log,
        )
        ran, failed = get_results(results)
    except (SystemExit, RuntimeError):  # a failed test; a failed assertion, which ends the simulator
        ran, failed = 1, 1
    finally:
        sys.path.remove(str(BENCHES))
    if failed or not ran:
        raise SimulationError(f"{failed} of {ran} tests of {test_module} failed on {top}: {_first_error(log)}", f"the log is {log}")
    shutil.rmtree(work)
    return int(ran)


def _first_error(log: Path) -> str:
    if not log.is_file():
        return "the simulator wrote no log"
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        if any(word in line for word in ("Error", "error:", "ERROR", "%Fatal", "Assertion failed")):
            return line.strip()[:300]
    return "no error line in the log"
