"""What a long estimate has computed so far, on disk, so that an interrupted run goes on where it stopped."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from torch import Tensor

from hao.files import regular
from hao.quant.hessian import Samples

_EVERY_SECONDS = 5.0


def state_key(tensors: Iterable[Tensor], *settings: object) -> str:
    """Digest of everything that an estimate depends on, first 16 digits."""
    state = hashlib.sha256(repr(settings).encode())
    for tensor in tensors:
        state.update(np.ascontiguousarray(tensor.detach().cpu().numpy()).tobytes())
    return state.hexdigest()[:16]


class SampleState:
    """Samples by block in one file; an absent or damaged file is an empty one.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._saved = time.monotonic()
        self._latest: Mapping[str, Samples] = {}

    def load(self) -> dict[str, Samples]:
        """What an earlier run left."""
        try:
            found: dict[str, npt.NDArray[np.float64]] = load_file(regular(self.path))
        except (OSError, SafetensorError, ValueError):
            return {}
        return found

    def save(self, samples: Mapping[str, Samples]) -> None:
        """Note ``samples``; they are written every few seconds."""
        self._latest = samples
        if time.monotonic() - self._saved >= _EVERY_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write what was noted last."""
        if not self._latest:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_suffix(".partial")
        save_file({name: np.ascontiguousarray(values) for name, values in self._latest.items() if len(values)}, partial)
        partial.replace(self.path)
        self._saved = time.monotonic()
