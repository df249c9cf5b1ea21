"""Trained integer networks that ship with HAO; loading them needs neither PyTorch nor a data set.

Each is three files: ``<name>.safetensors`` (the integer graph), ``<name>.json`` (the model card) and, where the card names
one, a file of held-out pictures with their labels.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load_file

from hao.errors import DataError, ModelError
from hao.ir.graph import Graph
from hao.ir.serialize import load_graph

FOLDER = Path(__file__).resolve().parent


def names() -> tuple[str, ...]:
    """Names of the networks in the zoo."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.json")))


def card(name: str) -> dict[str, Any]:
    """The model card: what the network is, how it was trained, what it reaches and the digest of its graph.

    Raises:
        ModelError: no such network.
    """
    if name not in names():
        raise ModelError(f"no network {name!r} in the zoo", f"one of {', '.join(names())}")
    return dict(json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8")))


def load(name: str) -> Graph:
    """The integer graph of a network in the zoo.

    Raises:
        ModelError: no such network.
        CheckpointError: its file is damaged.
    """
    card(name)
    return load_graph(FOLDER / f"{name}.safetensors")


def samples(name: str) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int32]]:
    """Held-out pictures ``(N, C, H, W)`` and their labels ``(N,)``, never seen in training.

    Raises:
        ModelError: no such network.
        DataError: it ships no pictures, or their file is damaged.
    """
    file = card(name).get("samples")
    if not file:
        raise DataError(f"network {name!r} ships no pictures", "give your own")
    try:
        tensors = load_file(FOLDER / file)
        return tensors["images"], tensors["labels"]
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise DataError(f"the pictures of {name!r} cannot be read: {error}", "reinstall hao") from error
