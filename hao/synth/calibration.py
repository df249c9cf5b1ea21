"""Fits the area model to synthesized modules: the rows of the committed tables, and blocks of other configurations beside them."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from scipy.optimize import nnls

from hao.cost.area import MODEL, Coefficients, logic, summed
from hao.cost.area_judged import RESOURCES
from hao.cost.area_terms import SIZES, dsp, memory_logic, shape_of
from hao.cost.memories import total_bram36
from hao.engine.config import EngineConfig
from hao.errors import SynthesisError
from hao.synth.configurations import CONFIGURATIONS
from hao.synth.report import Synthesis, read_table, table_path

BLOCKS = MODEL.parent / "area-blocks.toml"


class BlockRow(BaseModel):
    """One module synthesized alone: figures of one instance, and how many an engine with the fields ``engine`` has of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    module: str
    engine: dict[str, int]
    parameters: dict[str, str]
    instances: int = Field(ge=1)
    lut: int = Field(ge=0)
    ff: int = Field(ge=0)
    dsp: int = Field(ge=0)
    bram36: float = Field(ge=0)
    digest: str = Field(pattern=r"^[0-9a-f]{64}$")


@dataclass(frozen=True, slots=True)
class Point:
    """LUTs and flip-flops of all instances of one module in one engine."""

    module: str
    config: EngineConfig
    figures: tuple[int, int]


def committed_tables() -> dict[str, Synthesis]:
    """Every committed table by configuration.

    Raises:
        SynthesisError: one is malformed or inconsistent.
    """
    return {name: read_table(table_path(name)) for name in CONFIGURATIONS if table_path(name).is_file()}


def committed_blocks(path: Path = BLOCKS) -> tuple[BlockRow, ...]:
    """The blocks that were synthesized for the model alone.

    Raises:
        SynthesisError: the file is absent or malformed.
    """
    try:
        return tuple(BlockRow.model_validate(row) for row in tomllib.loads(path.read_text(encoding="utf-8"))["blocks"])
    except (OSError, KeyError, UnicodeDecodeError, tomllib.TOMLDecodeError, ValidationError) as error:
        raise SynthesisError(f"the blocks {path.name} cannot be read: {error}", "take the file of the release") from error


def points_of(tables: Mapping[str, Synthesis], blocks: Iterable[BlockRow]) -> list[Point]:
    """Every measured module; several rows of one module in one table are one point."""
    found: dict[tuple[str, EngineConfig], list[int]] = {}
    for name, table in tables.items():
        for row in table.modules:
            figures = found.setdefault((row.module, CONFIGURATIONS[name]), [0, 0])
            figures[0] += row.instances * row.area.lut
            figures[1] += row.instances * row.ff
    for block in blocks:
        found[block.module, EngineConfig(**block.engine)] = [block.instances * block.lut, block.instances * block.ff]
    return [Point(module, config, (lut, ff)) for (module, config), (lut, ff) in found.items()]


def _fit_module(module: str, points: list[Point]) -> Coefficients:
    """Least squares of relative errors, coefficients at least zero, sizes scaled so that what few points leave open is shared."""
    shape = shape_of(module)
    design = np.array([[SIZES[name](point.config) for name in shape.sizes] for point in points])
    scale = np.maximum(design.max(axis=0), 1e-9)
    solved = []
    for resource in (0, 1):
        wanted = np.array([max(0.0, p.figures[resource] - memory_logic(p.config, shape.memories)[resource]) for p in points])
        weight = 1 / np.maximum(wanted, 1.0)  # relative errors
        solved.append(nnls(design / scale * weight[:, None], wanted * weight)[0] / scale)
    return {name: (round(float(solved[0][k]), 2), round(float(solved[1][k]), 2)) for k, name in enumerate(shape.sizes)}


def fit(points: Iterable[Point]) -> dict[str, Coefficients]:
    """Coefficients by module."""
    by_module: dict[str, list[Point]] = {}
    for point in points:
        by_module.setdefault(point.module, []).append(point)
    return {module: _fit_module(module, own) for module, own in sorted(by_module.items())}


def relative_errors(config: EngineConfig, table: Synthesis, coefficients: Coefficients) -> dict[str, float]:
    """Estimate / synthesis - 1 by resource."""
    lut, ff = logic(config, coefficients)
    estimates = {"lut": lut, "ff": ff, "dsp": float(dsp(config)), "bram36": total_bram36(config)}
    return {resource: value / float(getattr(table, resource)) - 1 for resource, value in estimates.items()}


def model_toml(tables: Mapping[str, Synthesis], blocks: Iterable[BlockRow]) -> str:
    """The committed model: coefficients by module, and the residual of every point and every whole engine in the fit."""
    points = points_of(tables, blocks)
    modules = fit(points)
    total = summed(modules)
    residuals = {name: relative_errors(CONFIGURATIONS[name], table, total) for name, table in tables.items()}
    largest = {key: max(abs(row[key]) for row in residuals.values()) for key in RESOURCES}
    lines = [
        "# Written by `hao synth --calibrate` from the synthesis tables and area-blocks.toml beside it. Not to be edited.",
        "# Coefficients are [LUT, FF] a unit of each size (hao/cost/area_terms.py). Residuals: estimate / synthesis - 1 of whole engines,",
        "# estimate - synthesis in cells of all instances of a module. Errors are the largest residuals of whole engines.",
        f'tool = "{next(iter(tables.values())).tool}"', "", "[errors]", *(f"{key} = {largest[key]:.4f}" for key in RESOURCES),
    ]  # fmt: skip
    for name, row in residuals.items():
        lines += ["", "[[engines]]", f'configuration = "{name}"', f'digest = "{tables[name].digest}"']
        lines += [f"{key} = {{ synthesis = {getattr(tables[name], key):g}, residual = {row[key]:+.4f} }}" for key in RESOURCES]
    for module, coefficients in modules.items():
        lines += ["", f"[modules.{module}]"]
        lines += [f'"{size}" = [{lut}, {ff}]' for size, (lut, ff) in coefficients.items()]
    for point in points:
        lut, ff = _module_logic(point, modules[point.module])
        lines += [
            "", "[[points]]", f'module = "{point.module}"',
            "engine = { " + ", ".join(f"{key} = {value}" for key, value in _overrides(point.config).items()) + " }",
            f"lut = {{ synthesis = {point.figures[0]}, residual = {lut - point.figures[0]:+.0f} }}",
            f"ff = {{ synthesis = {point.figures[1]}, residual = {ff - point.figures[1]:+.0f} }}",
        ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _overrides(config: EngineConfig) -> dict[str, int]:
    default = EngineConfig().model_dump()
    return {name: value for name, value in config.model_dump().items() if value != default[name]}


def _module_logic(point: Point, coefficients: Coefficients) -> tuple[float, float]:
    lut, ff = memory_logic(point.config, shape_of(point.module).memories)
    for name, (luts, ffs) in coefficients.items():
        lut += SIZES[name](point.config) * luts
        ff += SIZES[name](point.config) * ffs
    return lut, ff
