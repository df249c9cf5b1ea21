"""Support-vector regression from an architecture to its accuracy, with its error by cross-validation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from hao.errors import MissingTool, SearchError
from hao.models.searchable import BITS, OPERATORS, WIDTHS, Architecture

Floats = npt.NDArray[np.float64]
LEAST_ROWS, _WHOLE = 8, 101.0
"""Observations below which nothing is predicted; percent from which errors are counted, one more than all, so that none is zero."""


def features(architecture: Architecture, macs: int, parameters: int) -> Floats:
    """Subgraph and quantization features: operator of every block (one-hot), width, bits, and the logarithms of both sizes."""
    blocks = [float(block == operator) for block in architecture.blocks for operator in OPERATORS]
    scaled = [architecture.width / max(WIDTHS), architecture.bits / max(BITS), np.log(macs) / 10, np.log(parameters) / 10]
    return np.array([*blocks, *scaled])


class Predictor:
    """Fits standardized features to the logarithm of the error: what separates good networks is small beside what ruins bad ones.

    Raises:
        MissingTool: scikit-learn is not installed.
    """

    def __init__(self, c: float = 1.0, epsilon: float = 0.02) -> None:
        try:
            from sklearn.pipeline import make_pipeline
            from sklearn.preprocessing import StandardScaler
            from sklearn.svm import SVR
        except ImportError as error:
            raise MissingTool("scikit-learn is not installed", "pip install 'hao[train]'") from error
        self._model: Any = make_pipeline(StandardScaler(), SVR(C=c, epsilon=epsilon))

    def fit(self, rows: Sequence[Floats], accuracies: Sequence[float]) -> Predictor:
        """Learn from observations.

        Raises:
            SearchError: there are fewer than ``LEAST_ROWS``.
        """
        if len(rows) < LEAST_ROWS:
            raise SearchError(f"{len(rows)} architectures are too few for a predictor", f"train at least {LEAST_ROWS}")
        self._model.fit(np.stack(rows), -np.log(_WHOLE - np.asarray(accuracies)))
        return self

    def predict(self, rows: Sequence[Floats]) -> Floats:
        """Accuracies in percent."""
        found: Floats = np.clip(_WHOLE - np.exp(-self._model.predict(np.stack(rows))), 0.0, 100.0)
        return found


def kendall(first: Sequence[float], second: Sequence[float]) -> float:
    """Kendall's tau-b of two rankings."""
    from scipy.stats import kendalltau

    return float(kendalltau(first, second).statistic)
