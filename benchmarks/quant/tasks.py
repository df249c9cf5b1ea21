"""The two tasks of the study of sensitivities, with their settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.quant.measure import cell
from benchmarks.quant.networks import FOLDS, Small, digits, fit, shapes


@dataclass(frozen=True, slots=True)
class Task:
    """A task of the study.

    Attributes:
        seeds: of the published table.
        keys: of a seed's cells.
        compute: from seed and key's second half, the folder of rendered pictures and the device, to a cell.
        settings: everything that the figures depend on beside the sources.
    """

    seeds: int
    keys: tuple[str, ...]
    compute: Callable[[int, str, Path, torch.device], dict[str, Any]]
    settings: dict[str, Any]


DIGITS: dict[str, Any] = {"width": 8, "epochs": 15, "rate": 4e-3, "probed": 128, "tuning": 2}
SHAPES: dict[str, Any] = {"width": 12, "epochs": 24, "rate": 1e-2, "probed": 32, "tuning": 1}


def _digits(seed: int, fold: str, _: Path, device: torch.device) -> dict[str, Any]:
    data, number = digits(seed, int(fold)).to(device), FOLDS * seed + int(fold)
    torch.manual_seed(number)
    network = fit(Small(1, 10, DIGITS["width"], 1).to(device), data, DIGITS["epochs"], DIGITS["rate"], number)
    # Fine-tuning takes as long as all the rest: networks are pruned on one fold of a seed.
    return cell(network, data, number, DIGITS["probed"], DIGITS["tuning"] if int(fold) == seed % FOLDS else None)


def _shapes(seed: int, _: str, folder: Path, device: torch.device) -> dict[str, Any]:
    data = shapes(folder).to(device)
    torch.manual_seed(seed)
    network = fit(Small(3, 20, SHAPES["width"], 2).to(device), data, SHAPES["epochs"], SHAPES["rate"], seed)
    return cell(network, data, seed, SHAPES["probed"], SHAPES["tuning"])


TASKS = {
    "digits": Task(20, tuple(str(fold) for fold in range(FOLDS)), _digits, DIGITS),
    "shapes64": Task(20, ("0",), _shapes, SHAPES),
}
