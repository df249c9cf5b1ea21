"""``hao generate``: a project for the vendor's tools or the C driver, written whole or not at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pydantic import ValidationError
from rich.console import Console

from hao.boards import Board, load_board
from hao.codegen.c_driver import plan_c_driver
from hao.codegen.rtl_ip import plan_rtl_ip
from hao.codegen.tcl_project import ProjectPlan, write_project
from hao.codegen.vitis_hls import plan_vitis_hls
from hao.codegen.vivado import plan_vivado
from hao.engine.config import CI_CONFIGS, EngineConfig
from hao.errors import ConfigurationError, UsageError
from hao.files import read_json

TARGETS: dict[str, Callable[[EngineConfig, Board], ProjectPlan]] = {
    "vitis-hls": plan_vitis_hls,
    "rtl-ip": plan_rtl_ip,
    "vivado": plan_vivado,
    "c-driver": plan_c_driver,
}


def read_design(design: str) -> EngineConfig:
    """The engine that ``design`` names: a configuration, or a JSON file with the parameters of one.

    Raises:
        ConfigurationError: no such configuration, or a file that is not one.
    """
    if design in CI_CONFIGS:
        return CI_CONFIGS[design]
    if not design.endswith(".json"):
        known = ", ".join(CI_CONFIGS)
        raise ConfigurationError(f"there is no configuration {design!r}", f"configurations: {known}; or give the path of a .json file")
    try:
        return EngineConfig.model_validate(read_json(Path(design)))
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise ConfigurationError(f"design {design} is malformed: {wrong}", "its fields are those of EngineConfig") from error
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"design {design} cannot be read: {error}", 'write {"pi": 16, "po": 16, "px": 2}') from error


def lacking(config: EngineConfig, board: Board) -> str:
    """What ``board`` has too little of for the engine of ``config``, by the area model's least figures; empty where it may fit."""
    from hao.cost.area import estimate_area

    area, there = estimate_area(config), board.resources
    found = []
    for name, need, has in (
        ("DSP", area.dsp, there.dsp), ("BRAM36", area.bram36, there.bram36), ("LUT", area.lut, there.lut), ("FF", area.ff, there.ff),
    ):  # fmt: skip
        if need.value - need.error > has:
            found.append(f"{need.value:g} {name} of {has}")
    return f"{config.name} needs {', '.join(found)} on {board.name}" if found else ""


def generate(design: str, target: str, board: str, out: Path, force: bool, console: Console) -> int:
    """Write the project and say how to start it; return the exit code.

    Raises:
        UsageError: no such target, or ``out`` cannot take the project.
        ConfigurationError: no such design.
        BoardError: no such board, or one on which the engine does not run.
    """
    if target not in TARGETS:
        raise UsageError(f"there is no target {target!r}", f"targets: {', '.join(TARGETS)}")
    config, chosen = read_design(design), load_board(board)
    plan = TARGETS[target](config, chosen)
    written = write_project(plan, out, force)
    said = f"{len(plan.files)} files written to" if written else "nothing to do, unchanged:"
    console.print(f"{said} {out}\n  digest {plan.digest()}\n  start: {plan.start}", markup=False, soft_wrap=True)
    if target == "vivado" and (short := lacking(config, chosen)):
        console.print(f"  warning: {short}", markup=False, soft_wrap=True)
    return 0
