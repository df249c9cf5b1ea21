"""What a long run has computed so far, on disk, so that an interrupted one goes on where it stopped and ends the same."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from hao.files import parse_json, read_safetensors

Samples = npt.NDArray[np.float64]
Facts = dict[str, Any]
_EVERY_SECONDS = 5.0


def state_key(tensors: Iterable[Tensor], *settings: object) -> str:
    """Digest of everything that an estimate depends on, first 16 digits."""
    state = hashlib.sha256(repr(settings).encode())
    for tensor in tensors:
        state.update(tensor.device.type.encode())
        state.update(np.ascontiguousarray(tensor.detach().cpu().numpy()).tobytes())
    return state.hexdigest()[:16]


class Kept:
    """The state of one stage in one file; an absent or damaged file is none.

    Args:
        path: of the file.
        every: seconds between two writings.
    """

    def __init__(self, path: Path, every: float = _EVERY_SECONDS) -> None:
        self.path, self.every = path, every
        self._saved = time.monotonic()

    def due(self) -> bool:
        """Whether it is time to write again."""
        return time.monotonic() - self._saved >= self.every

    def load(self) -> tuple[dict[str, Tensor], Facts] | None:
        """What an earlier run left."""
        try:
            metadata, arrays = read_safetensors(self.path)
            facts = parse_json(metadata["hao"])
        except (OSError, ValueError, KeyError):
            return None
        return {name: torch.from_numpy(values.copy()) for name, values in arrays.items()}, facts

    def save(self, tensors: Mapping[str, Tensor], facts: Facts) -> None:
        """Write the state."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_suffix(".partial")
        plain = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
        save_file(plain, partial, metadata={"hao": json.dumps(facts)})
        partial.replace(self.path)
        self._saved = time.monotonic()


def kept(work: Path | None, stage: str, tensors: Iterable[Tensor], *settings: object) -> Kept | None:
    """The file of a stage in folder ``work``, named after all that its result depends on; None without a folder."""
    return None if work is None else Kept(work / f"{stage}-{state_key(tensors, *settings)}.safetensors")


def load_samples(file: Kept) -> dict[str, Samples]:
    """Samples of traces by block, as an earlier run left them."""
    found = file.load()
    return {} if found is None else {name: np.asarray(values.numpy(), dtype=np.float64) for name, values in found[0].items()}


def save_samples(file: Kept, samples: Mapping[str, Samples]) -> None:
    """Write samples of traces by block."""
    file.save({name: torch.from_numpy(values) for name, values in samples.items() if len(values)}, {})


Schedule = torch.optim.lr_scheduler.LRScheduler | torch.optim.lr_scheduler.ReduceLROnPlateau


def training_state(
    module: nn.Module | Tensor, optimizer: torch.optim.Optimizer, schedule: Schedule, generator: torch.Generator | None = None
) -> tuple[dict[str, Tensor], Facts]:
    """All that a training depends on between two steps: copies of tensors, and numbers."""
    values = {"x": module} if isinstance(module, Tensor) else module.state_dict()
    tensors = {f"model.{name}": value.detach().clone() for name, value in values.items()}
    state = optimizer.state_dict()
    for index, row in state["state"].items():
        tensors |= {f"optimizer.{index}.{name}": value.detach().clone() for name, value in row.items()}
    if generator is not None:
        tensors["generator"] = generator.get_state()
    return tensors, {"groups": state["param_groups"], "schedule": schedule.state_dict()}


def resume_training(
    found: tuple[dict[str, Tensor], Facts],
    module: nn.Module | Tensor,
    optimizer: torch.optim.Optimizer,
    schedule: Schedule,
    generator: torch.Generator | None = None,
) -> None:
    """Put back what :func:`training_state` took."""
    tensors, facts = found
    values = {"x": module} if isinstance(module, Tensor) else module.state_dict()
    with torch.no_grad():
        for name, value in values.items():
            value.copy_(tensors[f"model.{name}"])
    rows: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith("optimizer."):
            _, index, label = name.split(".", 2)
            rows.setdefault(int(index), {})[label] = tensor
    optimizer.load_state_dict({"state": rows, "param_groups": facts["groups"]})
    schedule.load_state_dict(facts["schedule"])
    if generator is not None:
        generator.set_state(tensors["generator"])
