"""Plots of the study: how well predictors order layers, and what their widths cost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.quant.markdown import NAMES
from benchmarks.quant.measure import AVERAGES, MENU, PREDICTORS


def plot(made: dict[str, Any], task: str, folder: Path) -> Path:
    """Draw the tables of one task; returns the file."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(13, 5))
    colours = [pyplot.get_cmap("tab10")(k) for k in range(len(PREDICTORS))]
    for k, (each, colour) in enumerate(zip(PREDICTORS, colours, strict=True)):
        rows = np.array([made["spearman, loss"][each][f"{bits} bits"] for bits in MENU])
        place = np.arange(len(MENU)) + 0.08 * (k - len(PREDICTORS) / 2)
        left.errorbar(place, rows[:, 0], _reach(rows), fmt="o", color=colour, label=NAMES.get(each, each), markersize=4)
        rows = np.array([made["mixed"][f"{each} @ {average}"]["loss"] for average in AVERAGES])
        right.errorbar(np.array(AVERAGES) + 0.01 * (k - 4), rows[:, 0], _reach(rows), fmt="o-", color=colour, markersize=4)
    uniform = np.array([made["mixed"][f"uniform @ {bits}"]["loss"] for bits in MENU[:3]])
    right.errorbar(MENU[:3], uniform[:, 0], _reach(uniform), fmt="ks--", markersize=5, label="uniform")
    left.set_xticks(range(len(MENU)), [f"{bits} bits" for bits in MENU])
    left.set_ylabel("Spearman correlation with the loss increase, layers at one width")
    left.axhline(0, color="grey", linewidth=0.5)
    right.set_xlabel("bits a weight, on average")
    right.set_ylabel("held-out loss after quantization")
    left.legend(fontsize=7)
    right.legend(fontsize=7)
    figure.suptitle(f"{task}: medians over {made['seeds']} seeds, 95 % bootstrap intervals")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{task}.png"
    figure.savefig(path, dpi=110, bbox_inches="tight")
    pyplot.close(figure)
    return path


def _reach(rows: Any) -> Any:
    return np.stack([rows[:, 0] - rows[:, 1], rows[:, 2] - rows[:, 0]])
