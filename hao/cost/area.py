"""The area model: LUT, FF, DSP and BRAM36 of any configuration without synthesis, as Yosys counts them, each with its error.

Coefficients lie in ``data/area-model.toml``, fitted by ``hao synth --calibrate`` to the committed synthesis tables beside it; the
formulation is ours (`hao.cost.area_terms`). DSPs and block RAMs are counted, not fitted. The error that an estimate states is the
largest seen: in the fit, and on engines drawn after the model was committed (`hao.cost.area_judged`).
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from hao.cost.area_judged import RESOURCES, read_judged
from hao.cost.area_terms import SIZES, all_memories, dsp, memory_logic
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


Coefficients = dict[str, tuple[float, float]]
"""(LUT, FF) of a unit of every size."""


@dataclass(frozen=True, slots=True)
class AreaModel:
    """Coefficients summed over all modules; ``errors``: the largest relative residuals of the fit, by resource."""

    coefficients: Coefficients
    errors: dict[str, float]


def _pair(values: list[float]) -> tuple[float, float]:
    lut, ff = values
    return float(lut), float(ff)


def summed(modules: Mapping[str, Coefficients]) -> Coefficients:
    """Coefficients of the whole from those of its modules."""
    total: Coefficients = {}
    for coefficients in modules.values():
        for size, (lut, ff) in coefficients.items():
            before = total.get(size, (0.0, 0.0))
            total[size] = (before[0] + lut, before[1] + ff)
    return total


@lru_cache(maxsize=4)
def read_model(path: Path = MODEL) -> AreaModel:
    """Read the committed coefficients.

    Raises:
        SynthesisError: the file is absent or malformed, or names a size that does not exist.
    """
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
        modules = {name: {size: _pair(values) for size, values in coefficients.items()} for name, coefficients in found["modules"].items()}
        unknown = {size for coefficients in modules.values() for size in coefficients} - SIZES.keys()
        if unknown:
            raise ValueError(f"there is no size called {', '.join(sorted(unknown))}")
        errors = {name: float(found["errors"][name]) for name in RESOURCES}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SynthesisError(f"the area model {path.name} cannot be read: {error!r}", "write it again: hao synth --calibrate") from error
    return AreaModel(summed(modules), errors)


@lru_cache(maxsize=1)
def stated_errors() -> dict[str, float]:
    """Relative error of an estimate by resource: the largest of the fit's residuals and of what was judged.

    Raises:
        SynthesisError: the installation's area model or its judgement is absent or malformed.
    """
    model, judged = read_model(), read_judged()
    return {name: max(model.errors[name], judged.largest_error(name)) for name in RESOURCES}


def logic(config: EngineConfig, coefficients: Coefficients) -> tuple[float, float]:
    """LUTs and flip-flops of ``config``."""
    lut, ff = memory_logic(config, all_memories())
    for name, (luts, ffs) in coefficients.items():
        size = SIZES[name](config)
        lut += size * luts
        ff += size * ffs
    return lut, ff


@lru_cache(maxsize=65536)
def estimate_area(config: EngineConfig) -> AreaEstimate:
    """Resources of ``config`` as Yosys would count them: a pure function, well under a millisecond.

    Raises:
        SynthesisError: the installation's area model is absent or malformed.
    """
    lut, ff = logic(config, read_model().coefficients)
    errors = stated_errors()

    def with_error(name: str, value: float) -> Estimate:
        return Estimate(value, value * errors[name])

    return AreaEstimate(
        with_error("lut", float(round(lut))), with_error("ff", float(round(ff))), with_error("dsp", float(dsp(config))),
        with_error("bram36", total_bram36(config)),
    )  # fmt: skip
