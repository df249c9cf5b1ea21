"""Fits the area model to the committed synthesis tables, and says how far it is off at every one of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import numpy as np

from hao.cost.area import AreaModel, Coefficients, logic
from hao.cost.area_terms import CASES, SIZES, Term, all_terms, dsp, memory_logic, term_of
from hao.cost.memories import total_bram36
from hao.engine.config import CI_CONFIGS, EngineConfig
from hao.errors import SynthesisError
from hao.synth.report import Synthesis

CALIBRATION: dict[str, EngineConfig] = {
    "16x16x1-a": EngineConfig(
        px=1, dw_lanes=8, fm_words=12288, win_depth=1024, wb_words=8192, pb_words=256, lm_entries=512, disp_entries=16384,
        row_bytes=1024, queue_depth=8, max_burst=32, outstanding=8,
    ),
    "16x8x2-a": EngineConfig(
        po=8, fm_words=40000, win_depth=300, wb_words=1024, pb_words=512, lm_entries=4096, disp_entries=2048, row_bytes=4096,
        queue_depth=32, max_burst=128, outstanding=2,
    ),
    "8x16x1-a": EngineConfig(
        pi=8, px=1, fm_words=6000, win_depth=64, wb_words=512, pb_words=2048, lm_entries=256, disp_entries=512, row_bytes=512,
        queue_depth=4, max_burst=16, outstanding=16,
    ),
    "8x8x2-a": EngineConfig(
        pi=8, po=8, dw_lanes=8, fm_words=16384, win_depth=2048, wb_words=16384, pb_words=128, lm_entries=1024, disp_entries=8192,
        row_bytes=2048, queue_depth=64, max_burst=256, outstanding=4,
    ),
    "8x8x1-b": EngineConfig(
        pi=8, po=8, px=1, fm_words=65536, win_depth=4096, wb_words=2048, pb_words=64, lm_entries=8192, disp_entries=65536,
        row_bytes=256, queue_depth=2, max_burst=4, outstanding=1,
    ),
    "16x16x2-b": EngineConfig(
        dw_lanes=8, fm_words=4000, win_depth=128, wb_words=256, pb_words=4096, lm_entries=64, disp_entries=128, row_bytes=4096,
        queue_depth=12, max_burst=8, outstanding=3,
    ),
}  # fmt: skip
"""Configurations that are synthesized for the model alone: every dense shape, and sizes from end to end of their ranges."""
CONFIGURATIONS: dict[str, EngineConfig] = {**CI_CONFIGS, **CALIBRATION}
"""Every configuration with a committed synthesis table."""
_Rows = dict[str, tuple[int, int]]


def term_figures(table: Synthesis) -> _Rows:
    """(LUT, FF) of every term in one table."""
    found: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for row in table.modules:
        figures = found[term_of(row.module)]
        figures[0] += row.instances * row.area.lut
        figures[1] += row.instances * row.ff
    return {name: (lut, ff) for name, (lut, ff) in found.items()}


def _fit_term(term: Term, points: list[tuple[EngineConfig, tuple[int, int]]]) -> Coefficients:
    """Least squares; with fewer points than unknowns the smallest solution is taken."""
    cases = sorted({CASES[term.case](config) for config, _ in points})
    design = np.zeros((len(points), len(cases) + len(term.sizes)))
    wanted = np.zeros((len(points), 2))
    centre = [np.mean([SIZES[name](config) for config, _ in points]) for name in term.sizes]
    for row, (config, figures) in enumerate(points):
        design[row, cases.index(CASES[term.case](config))] = 1.0
        design[row, len(cases) :] = [SIZES[name](config) - middle for name, middle in zip(term.sizes, centre, strict=True)]
        wanted[row] = np.array(figures) - np.array(memory_logic(config, term.memories))
    solution = np.linalg.lstsq(design, wanted, rcond=None)[0]
    shift = sum((middle * slope for middle, slope in zip(centre, solution[len(cases) :], strict=True)), np.zeros(2))
    constants = {case: _rounded(solution[k] - shift) for k, case in enumerate(cases)}
    slopes = {name: _rounded(solution[len(cases) + k]) for k, name in enumerate(term.sizes)}
    return Coefficients(constants, slopes)


def _rounded(pair: np.ndarray) -> tuple[float, float]:
    return round(float(pair[0]), 2), round(float(pair[1]), 2)


def fit(tables: Mapping[str, Synthesis]) -> dict[str, Coefficients]:
    """Coefficients of every term from the tables of some `CONFIGURATIONS`.

    Raises:
        SynthesisError: a dense shape has no table.
    """
    figures = {name: term_figures(table) for name, table in tables.items()}
    shapes = {config.name for name, config in CONFIGURATIONS.items() if name in tables}
    lacking = sorted({config.name for config in CONFIGURATIONS.values()} - shapes)
    if lacking:
        raise SynthesisError(f"no synthesis table of shape {', '.join(lacking)}", "write it: hao synth CONFIGURATION --table")
    return {
        term.name: _fit_term(term, [(CONFIGURATIONS[name], figures[name].get(term.name, (0, 0))) for name in tables])
        for term in all_terms()
    }


def residuals(tables: Mapping[str, Synthesis], terms: dict[str, Coefficients]) -> dict[str, dict[str, float]]:
    """Relative error (estimate / synthesis - 1) by table and resource."""
    model = AreaModel(terms, {})
    found = {}
    for name, table in tables.items():
        config = CONFIGURATIONS[name]
        lut, ff = logic(config, model)
        estimates = {"lut": lut, "ff": ff, "dsp": float(dsp(config)), "bram36": total_bram36(config)}
        found[name] = {resource: value / float(getattr(table, resource)) - 1 for resource, value in estimates.items()}
    return found
