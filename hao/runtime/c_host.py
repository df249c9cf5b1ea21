"""The C driver compiled for this machine and linked to the Verilated engine: what runs on the board, run here."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hao.codegen.c_driver import CORE, render_driver
from hao.engine.config import EngineConfig
from hao.engine.image import ProgramImage
from hao.errors import BuildError, SimulationError
from hao.resources import shared
from hao.runtime.cache import BuildPlan, build_once
from hao.runtime.rtl import plan_engine
from hao.runtime.timing import DramTiming
from hao.runtime.verilated import build_model
from hao.toolchain import require_compiler, tool_versions

PROGRAM = "hao_run"
C_FLAGS = ("-std=c99", "-O2", "-ffp-contract=off", "-Wall", "-Wextra", "-Wpedantic", "-Werror")
CXX_FLAGS = ("-std=c++20", "-O2", "-Wall", "-Wextra", "-Werror")
_FRAME = re.compile(r"frame cycles (\d+) decode_us ([\d.]+) boxes \d+")

Outputs = dict[str, npt.NDArray[np.int32]]


@dataclass(frozen=True, slots=True)
class CBox:
    """One box of the C decoding: class, score and corners, exactly as the program holds them."""

    label: int
    score: float
    corners: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True, eq=False)
class CFrame:
    """One frame of the C driver: outputs, boxes, engine's cycles, and microseconds of box decoding on this machine."""

    outputs: Outputs
    boxes: tuple[CBox, ...]
    cycles: int
    decode_us: float


@dataclass(frozen=True, slots=True, eq=False)
class CRun:
    """What the program printed and left behind; ``errors`` are the sentences of the errors by the name of their step."""

    frames: tuple[CFrame, ...]
    errors: dict[str, str]


def plan_host(config: EngineConfig) -> BuildPlan:
    """Plan the program for the engine of ``config``.

    Raises:
        MissingTool: the installation carries no templates or simulation models.
    """
    driver = {name: text.encode() for name, text in render_driver(config, CORE).items()}
    root = shared("sim")
    paths = [*sorted((root / "driver").iterdir()), root / "host" / "hao_sim.h"]
    files = {**driver, **{path.name: path.read_bytes() for path in paths}}
    return BuildPlan("chost", files, {"flags": [*C_FLAGS, *CXX_FLAGS], "tools": tool_versions()})


def _compile(folder: Path, command: Sequence[str]) -> None:
    done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        first = next((line for line in done.stderr.splitlines() if "error" in line), done.stderr.strip()[:200])
        raise BuildError(f"the C driver does not compile: {first}", "hao doctor checks the compiler")


def _build(plan: BuildPlan, folder: Path) -> None:
    compiler = require_compiler()
    objects = []
    for name in sorted(plan.files):
        language = {".c": ("c", C_FLAGS), ".cpp": ("c++", CXX_FLAGS)}.get(Path(name).suffix)
        if language is not None:
            kind, flags = language
            objects.append(f"{name}.o")
            _compile(folder, [compiler, *flags, "-fPIC", "-I.", "-x", kind, "-c", name, "-o", f"{name}.o"])
    for made in objects:
        shutil.copy2(folder / made, folder / "result" / made)


def build_host(config: EngineConfig) -> Path:
    """The program, linked to the engine of ``config``; from the cache when it is there.

    Raises:
        BuildError, MissingTool: the compiler or Verilator refused.
    """
    library = build_model(plan_engine(config))
    plan = plan_host(config)
    objects = build_once(plan, lambda folder: _build(plan, folder))
    linked = BuildPlan("chost-linked", {}, {"objects": objects.name, "library": library.parent.name})

    def link(folder: Path) -> None:
        parts = [str(path) for path in sorted(objects.glob("*.o"))]
        where = [str(library), f"-Wl,-rpath,{library.parent}", "-lm"]
        _compile(folder, [require_compiler(), *parts, *where, "-o", str(folder / "result" / PROGRAM)])

    return build_once(linked, link) / PROGRAM


def _outputs(image: ProgramImage, data: bytes, at: int) -> tuple[Outputs, int]:
    outputs: Outputs = {}
    for place in image.manifest.outputs:
        shape = (len(place.channels), place.height, place.width)
        count = int(np.prod(shape))
        outputs[place.name] = np.frombuffer(data, np.int32, count, at).reshape(shape)
        at += 4 * count
    return outputs, at


def _read(image: ProgramImage, text: str, data: bytes) -> CRun:
    frames: list[CFrame] = []
    errors: dict[str, str] = {}
    boxes: list[CBox] = []
    at = 0
    for line in text.splitlines():
        if (match := _FRAME.fullmatch(line)) is not None:
            boxes = []
            outputs, at = _outputs(image, data, at)
            frames.append(CFrame(outputs, (), int(match.group(1)), float(match.group(2))))
        elif line.startswith("box "):
            label, *numbers = line.split()[1:]
            score, *corners = map(float.fromhex, numbers)
            boxes.append(CBox(int(label), score, (corners[0], corners[1], corners[2], corners[3])))
            last = frames[-1]
            frames[-1] = CFrame(last.outputs, tuple(boxes), last.cycles, last.decode_us)
        else:
            name, code, sentence = line.split(" ", 2)
            if code != "0":
                errors[name] = sentence
    return CRun(tuple(frames), errors)


def run_host(
    config: EngineConfig,
    image: ProgramImage,
    flat: bytes,
    pictures: Sequence[npt.NDArray[np.uint8]],
    timing: DramTiming,
    folder: Path,
    steps: Sequence[str] = ("run",),
    wait: str = "interrupt",
) -> CRun:
    """Run ``steps`` of ``sim/driver/hao_run.c`` on the engine of ``config``.

    Args:
        config: the engine.
        image: the program, and how its outputs are read.
        flat: the same as a flat image.
        pictures: frames ``(C, H, W)``.
        timing: of the DRAM.
        folder: scratch.
        steps, wait: see the program.

    Raises:
        BuildError, MissingTool: the program cannot be built.
        SimulationError: it ended with an error that was not asked for.
    """
    program = build_host(config)
    paths = [folder / name for name in ("network.flat", "pictures.raw", "results.raw")]
    paths[0].write_bytes(flat)
    paths[1].write_bytes(b"".join(np.ascontiguousarray(each).tobytes() for each in pictures))
    struct = timing.struct()
    names = [name for name, *_ in struct._fields_][:11]
    numbers = ",".join(str(getattr(struct, name)) for name in names)
    command = [str(program), *map(str, paths), numbers, wait, *steps]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SimulationError(f"the C driver ended with status {done.returncode}: {(done.stdout + done.stderr).strip()[-300:]}")
    return _read(image, done.stdout, paths[2].read_bytes())
