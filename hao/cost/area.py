"""The area model: LUT, FF, DSP and BRAM36 of any configuration without synthesis, as Yosys counts them, each with its error.

Coefficients lie in ``data/area-model.toml``, fitted by ``hao synth --calibrate`` to the committed synthesis tables beside it; the
formulation is ours (`hao.cost.area_terms`). DSPs and block RAMs are counted, not fitted.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from hao.cost.area_terms import CASES, SIZES, all_terms, dsp, memory_logic
from hao.cost.memories import total_bram36
from hao.engine.config import EngineConfig
from hao.errors import SynthesisError

MODEL = Path(__file__).resolve().parent / "data" / "area-model.toml"


@dataclass(frozen=True, slots=True)
class Estimate:
    """``value`` plus or minus ``error``, in the same unit; the error is the largest relative one seen, not a deviation."""

    value: float
    error: float


@dataclass(frozen=True, slots=True)
class AreaEstimate:
    """Resources of one engine. ``bram36`` counts 36 Kb blocks, a half for one of 18 Kb."""

    lut: Estimate
    ff: Estimate
    dsp: Estimate
    bram36: Estimate


@dataclass(frozen=True, slots=True)
class Coefficients:
    """One term: (LUT, FF) of every case, and a unit of every size."""

    constants: dict[str, tuple[float, float]]
    slopes: dict[str, tuple[float, float]]


@dataclass(frozen=True, slots=True)
class AreaModel:
    """Coefficients by term; ``errors`` are relative, by resource."""

    terms: dict[str, Coefficients]
    errors: dict[str, float]


def _pair(values: list[float]) -> tuple[float, float]:
    lut, ff = values
    return float(lut), float(ff)


@lru_cache(maxsize=4)
def read_model(path: Path = MODEL) -> AreaModel:
    """Read the committed coefficients.

    Raises:
        SynthesisError: the file is absent or malformed.
    """
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
        terms = {
            row["name"]: Coefficients(
                {case: _pair(values) for case, values in row["constants"].items()},
                {size: _pair(values) for size, values in row.get("slopes", {}).items()},
            )
            for row in found["terms"]
        }
        errors = {name: float(found["errors"][name]) for name in ("lut", "ff", "dsp", "bram36")}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SynthesisError(f"the area model {path.name} cannot be read: {error}", "write it again: hao synth --calibrate") from error
    return AreaModel(terms, errors)


def logic(config: EngineConfig, model: AreaModel) -> tuple[float, float]:
    """LUTs and flip-flops of ``config``."""
    lut = ff = 0.0
    for term in all_terms():
        fitted = model.terms[term.name]
        inside = memory_logic(config, term.memories)
        constant = fitted.constants[CASES[term.case](config)]
        lut += constant[0] + inside[0]
        ff += constant[1] + inside[1]
        for name in term.sizes:
            size, slope = SIZES[name](config), fitted.slopes[name]
            lut += size * slope[0]
            ff += size * slope[1]
    return lut, ff


@lru_cache(maxsize=65536)
def estimate_area(config: EngineConfig) -> AreaEstimate:
    """Resources of ``config`` as Yosys would count them: a pure function, well under a millisecond.

    Raises:
        SynthesisError: the installation's area model is absent or malformed.
    """
    model = read_model()
    lut, ff = logic(config, model)

    def with_error(name: str, value: float) -> Estimate:
        return Estimate(value, value * model.errors[name])

    return AreaEstimate(
        with_error("lut", float(round(lut))), with_error("ff", float(round(ff))), with_error("dsp", float(dsp(config))),
        with_error("bram36", total_bram36(config)),
    )  # fmt: skip
