"""Tables and plots of the study: medians over seeds with bootstrap intervals, methods against controls on the same networks.

``python -m benchmarks.quant.tables`` reads the cells of :mod:`benchmarks.quant.study` and the settings of
:mod:`benchmarks.quant.codenet_ptq`, writes ``benchmarks/quant/results.json``, the tables of docs/mixed-precision.md, and plots to
``build/quant``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from benchmarks.quant.codenet_ptq import AVERAGES as CODENET_AVERAGES
from benchmarks.quant.codenet_ptq import PREDICTORS as CODENET_PREDICTORS
from benchmarks.quant.codenet_ptq import read_rows
from benchmarks.quant.markdown import codenet_markdown, replaced, task_markdown
from benchmarks.quant.measure import AVERAGES, CALIBRATIONS, MENU, PREDICTORS, PRUNINGS, RATIOS
from benchmarks.quant.study import ROOT, lines_of, read_cells
from benchmarks.quant.tasks import TASKS

DRAWS, SEED = 10_000, 2026
RESULTS, DOCS = ROOT / "benchmarks" / "quant" / "results.json", ROOT / "docs" / "mixed-precision.md"
MEASURES = ("loss", "kl", "accuracy")
Interval = list[float]
"""Median over seeds, and the ends of its 95 % bootstrap interval."""
Cell = dict[str, Any]


def median(values: list[float]) -> Interval:
    """Median, percentile bootstrap; values that are no numbers (correlations of constants) are left out."""
    sample = np.array([value for value in values if value == value])
    drawn = np.random.default_rng(SEED).integers(0, len(sample), (DRAWS, len(sample)))
    low, high = np.percentile(np.median(sample[drawn], axis=1), [2.5, 97.5])
    return [round(float(each), 4) for each in (np.median(sample), low, high)]


def by_seed(cells: dict[str, Cell], parts: tuple[str, ...]) -> list[Cell]:
    """One cell a seed that is complete: numbers are means over its folds, so that every image was held out once."""
    seeds = dict.fromkeys(key.split("/")[0] for key in cells)
    whole = [seed for seed in seeds if all(f"{seed}/{part}" in cells for part in parts)]
    return [_mean([cells[f"{seed}/{part}"] for part in parts]) for seed in whole]


def _mean(rows: list[Any]) -> Any:
    if isinstance(rows[0], dict):
        keys = dict.fromkeys(key for row in rows for key in row if not isinstance(row[key], str))
        return {key: _mean([row[key] for row in rows if key in row]) for key in keys}
    if isinstance(rows[0], list):
        return [_mean(list(each)) for each in zip(*rows, strict=True)]
    return float(np.mean(rows))


def _spearman(rows: list[Cell], truth: str) -> dict[str, dict[str, Interval]]:
    labels = ("all", *(f"{bits} bits" for bits in MENU))
    return {each: {label: median([row[truth][each][k] for row in rows]) for k, label in enumerate(labels)} for each in PREDICTORS}


def _outcomes(rows: list[Cell], part: str, key: str) -> dict[str, Interval]:
    return {measure: median([row[part][key][k] for row in rows]) for k, measure in enumerate(MEASURES)}


def _minus(rows: list[Cell], part: str, one: str, other: str) -> dict[str, Interval]:
    """Outcome ``one`` minus outcome ``other``, paired by seed: of a loss, above zero where ``other`` is better."""
    return {measure: median([row[part][one][k] - row[part][other][k] for row in rows]) for k, measure in enumerate(MEASURES)}


def task_tables(task: str) -> dict[str, Any]:
    """All tables of one task."""
    cells = read_cells(lines_of(task))
    rows = by_seed(cells, TASKS[task].keys)
    base, whens = PREDICTORS[0], ("before", "after")
    made = {
        "seeds": len(rows),
        "cells": len(cells),
        "sources": sorted({cell["sources"] for cell in cells.values()}),
        "machine": sorted({cell["machine"] for cell in cells.values()}),
        "float": {measure: median([row["float"][k] for row in rows]) for k, measure in enumerate(MEASURES)},
        "half width": median([row["half width"] for row in rows]),
        "spearman, loss": _spearman(rows, "spearman, loss"),
        "spearman, KL": _spearman(rows, "spearman, KL"),
        "mixed": {key: _outcomes(rows, "mixed", key) for key in rows[0]["mixed"]},
        f"minus {base}": {
            str(average): {each: _minus(rows, "mixed", f"{each} @ {average}", f"{base} @ {average}") for each in PREDICTORS[1:]}
            for average in AVERAGES
        },
        "uniform 3 minus mixed 3.0": {each: _minus(rows, "mixed", "uniform @ 3", f"{each} @ 3.0") for each in PREDICTORS},
        "minus calibrated on real images @ 4": {
            each: _minus(rows, "mixed", f"calibrated on {each} @ 4", f"calibrated on {CALIBRATIONS[0]} @ 4") for each in CALIBRATIONS[1:]
        },
        "minus all by real images @ 3.0": {
            each: _minus(rows, "mixed", f"all by {each} @ 3.0", f"all by {CALIBRATIONS[0]} @ 3.0") for each in CALIBRATIONS[1:]
        },
    }
    if rows[0]["pruned"]:
        made["pruned"] = {key: _outcomes(rows, "pruned", key) for key in rows[0]["pruned"]}
        made["kept by the poorest layer"] = {
            f"{each} @ {ratio}": median([row["pruned"][f"{each} @ {ratio} before"][3] for row in rows])
            for ratio in RATIOS
            for each in PRUNINGS
        }
        made["minus HAP"] = {
            f"{ratio} {when}": {each: _minus(rows, "pruned", f"{each} @ {ratio} {when}", f"HAP @ {ratio} {when}") for each in PRUNINGS[1:]}
            for ratio in RATIOS
            for when in whens
        }
    return made


def codenet_tables() -> dict[str, Any]:
    """AP50 of every setting, and against HAWQ-V2's widths at the same average: the same resampled scenes."""
    rows = read_rows()
    made: dict[str, Any] = {
        "sources": sorted({row["sources"] for row in rows.values()}),
        "machine": sorted({row["machine"] for row in rows.values()}),
        "ap50": {key: {"average": row["average"], "ap50": row["ap50"]} for key, row in rows.items()},
    }
    for average in CODENET_AVERAGES:
        base = f"{CODENET_PREDICTORS[0]} @ {average}"
        made[f"minus {base}"] = {each: _apart(rows, f"{each} @ {average}", base) for each in CODENET_PREDICTORS[1:]}
    made["minus uniform W3"] = {each: _apart(rows, f"{each} @ 3.0", "uniform W3") for each in CODENET_PREDICTORS}
    return made


def _apart(rows: dict[str, dict[str, Any]], one: str, other: str) -> Interval | None:
    """AP50 of setting ``one`` minus that of ``other``, over the same resampled scenes; None where one is not measured."""
    if one not in rows or other not in rows:
        return None
    drawn = np.array(rows[one]["draws"]) - np.array(rows[other]["draws"])
    return [round(float(value), 2) for value in (rows[one]["ap50"][0] - rows[other]["ap50"][0], *np.percentile(drawn, [2.5, 97.5]))]


def all_tables() -> dict[str, Any]:
    """What ``results.json`` holds."""
    made = {task: task_tables(task) for task in TASKS if lines_of(task).is_file()}
    return made | ({"codenet-1x-b": codenet_tables()} if read_rows() else {})


def documentation(results: dict[str, Any], text: str) -> str:
    """The documentation with its tables taken from ``results``."""
    for task in TASKS:
        if task in results:
            text = replaced(text, task, task_markdown(results[task]))
    return replaced(text, "codenet", codenet_markdown(results["codenet-1x-b"])) if "codenet-1x-b" in results else text


def main(plots: Annotated[Path, typer.Option(help="folder of the plots")] = Path("build/quant")) -> None:
    """Write tables and plots."""
    from benchmarks.quant.plots import plot

    made = all_tables()
    RESULTS.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
    DOCS.write_text(documentation(made, DOCS.read_text(encoding="utf-8")), encoding="utf-8")
    for task in TASKS:
        if task in made:
            typer.echo(f"{task}: {made[task]['seeds']} seeds, {plot(made[task], task, plots)}")


if __name__ == "__main__":
    typer.run(main)
