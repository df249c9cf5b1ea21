"""Tables of the study: medians over networks with bootstrap intervals, methods against controls on the same network.

``python -m benchmarks.quant.tables build/quant/*.jsonl --out benchmarks/quant/results.json`` reads the lines of
:mod:`benchmarks.quant.study` and writes the committed table.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from scipy import stats

from benchmarks.quant.study import AVERAGES, MENU, RATIOS

DRAWS, SEED = 10_000, 2026
BASE = "HAWQ-V2 trace"
Interval = list[float]
"""Median, and the ends of its 95 % bootstrap interval."""


def median(values: list[float]) -> Interval:
    """Median over networks, percentile bootstrap."""
    sample = np.array(values)
    drawn = np.random.default_rng(SEED).integers(0, len(sample), (DRAWS, len(sample)))
    low, high = np.percentile(np.median(sample[drawn], axis=1), [2.5, 97.5])
    return [round(float(each), 4) for each in (np.median(sample), low, high)]


def spearman(rows: list[dict[str, Any]], truth: str) -> dict[str, dict[str, Interval]]:
    """Rank correlation of predicted with measured harm: over all layers and widths, and over layers at one width."""
    found: dict[str, dict[str, Interval]] = {}
    for label in rows[0]["sensitivity"]:
        cells: dict[str, list[float]] = {"all": [], **{f"{bits} bits": [] for bits in MENU}}
        for row in rows:
            predicted, measured = np.array(row["sensitivity"][label]), np.array(row[truth])
            cells["all"].append(float(stats.spearmanr(predicted.ravel(), measured.ravel()).statistic))
            for k, bits in enumerate(MENU):
                cells[f"{bits} bits"].append(float(stats.spearmanr(predicted[:, k], measured[:, k]).statistic))
        found[label] = {key: median(values) for key, values in cells.items()}
    return found


def compared(rows: list[dict[str, Any]], part: str, first: str, others: list[str], suffix: str) -> dict[str, dict[str, Interval]]:
    """Outcome of ``others`` minus that of ``first``, paired by network: above zero where ``first`` is better (accuracy: below)."""
    return {
        other: {
            measure: median([row[part][f"{other}{suffix}"][measure] - row[part][f"{first}{suffix}"][measure] for row in rows])
            for measure in ("loss", "kl", "accuracy")
        }
        for other in others
        if other != first
    }


def against_uniform(rows: list[dict[str, Any]]) -> dict[str, dict[str, Interval]]:
    """Uniform three bits minus each method's widths at three bits on average."""
    labels = list(rows[0]["sensitivity"])
    return {
        label: {
            measure: median([row["mixed"]["uniform @ 3"][measure] - row["mixed"][f"{label} @ 3.0"][measure] for row in rows])
            for measure in ("loss", "kl", "accuracy")
        }
        for label in labels
    }


def tables(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """All tables of one task."""
    labels = list(rows[0]["sensitivity"])
    pruning = ["HAP", "magnitude", "random"]
    return {
        "networks": len(rows),
        "keys": [row["key"] for row in rows],
        "sources": sorted({row["sources"] for row in rows}),
        "torch": sorted({row["torch"] for row in rows}),
        "float accuracy": median([row["float"]["accuracy"] for row in rows]),
        "spearman with loss increase": spearman(rows, "measured"),
        "spearman with KL": spearman(rows, "divergence"),
        "outcome": {
            key: {m: median([row["mixed"][key][m] for row in rows]) for m in ("loss", "kl", "accuracy")} for key in rows[0]["mixed"]
        },
        f"method minus {BASE}": {f"{average} bits": compared(rows, "mixed", BASE, labels, f" @ {average}") for average in AVERAGES},
        "uniform 3 minus mixed 3.0": against_uniform(rows),
        "pruned": {key: {m: median([row["pruned"][key][m] for row in rows]) for m in ("loss", "accuracy")} for key in rows[0]["pruned"]},
        "control minus HAP": {
            f"{ratio} {when}": compared(rows, "pruned", "HAP", pruning, f" @ {ratio} {when}")
            for ratio in RATIOS
            for when in ("before", "after")
        },
    }


def main(
    lines: Annotated[list[Path], typer.Argument(help="files of benchmarks.quant.study")],
    out: Annotated[Path, typer.Option(help="table to write")] = Path("benchmarks/quant/results.json"),
) -> None:
    """Read lines, write tables."""
    rows = {(row["task"], row["key"]): row for path in lines for row in map(json.loads, path.read_text().splitlines())}
    made = {task: tables([row for (name, _), row in sorted(rows.items()) if name == task]) for task in sorted({task for task, _ in rows})}
    out.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
    typer.echo(f"{len(rows)} networks")


if __name__ == "__main__":
    typer.run(main)
