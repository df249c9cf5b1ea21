"""Integer networks by name: the trained ones that ship in the package, a file of the user's own, or random numbers."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Literal

from hao.errors import CheckpointError, ModelError
from hao.ir.graph import Graph, Input

WEIGHTS = "hao.models"
_FOLDER = "weights"
NAMES = ("codenet-1x-a", "codenet-1x-b", "codenet-1x-c", "codenet-2x-d", "codenet-2x-e", "digits")


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """An integer network and where its numbers come from."""

    name: str
    graph: Graph
    weights: Literal["trained", "random"]

    @property
    def input(self) -> Input:
        """The input node."""
        return next(node for node in self.graph.nodes if isinstance(node, Input))


def shipped(name: str) -> Path:
    """Where the package keeps the trained network ``name``; the file need not exist."""
    return Path(str(files(WEIGHTS).joinpath(_FOLDER, f"{name}.safetensors")))


def _random(name: str, seed: int) -> Graph:
    family, _, rest = name.partition("-")
    if family != "codenet" or not rest:
        raise ModelError(f"there are no random numbers for {name!r}", "random weights exist for codenet-1x-a to codenet-2x-e")
    from hao.models.integer_codenet import random_codenet

    return random_codenet(rest[-1], seed=seed)


def load_network(name: str, weights: str = "") -> Network:
    """The integer network called ``name``.

    Args:
        name: one of ``NAMES``.
        weights: empty for the shipped ones, ``random`` or ``random:SEED``, or the path of an integer checkpoint.

    Raises:
        ModelError: no such network, or it ships without trained weights.
        CheckpointError: the file is damaged, or belongs to another network.
    """
    from hao.ir.serialize import load_graph

    if name not in NAMES:
        raise ModelError(f"there is no network called {name!r}", f"known networks: {', '.join(NAMES)}")
    if weights.partition(":")[0] == "random":
        seed = weights.partition(":")[2] or "0"
        if not seed.isdecimal():
            raise ModelError(f"{seed!r} is not a seed", "give --weights random or --weights random:7")
        return Network(name, _random(name, int(seed)), "random")
    path = Path(weights) if weights else shipped(name)
    if not weights and not path.is_file():
        raise ModelError(f"{name} ships without trained weights", "give --weights random, or the path of an integer checkpoint")
    graph = load_graph(path)
    if graph.name != name:
        raise CheckpointError(f"{path} holds {graph.name}, not {name}", f"hao run {graph.name} --weights {path}")
    kind: Literal["trained", "random"] = "random" if graph.metadata.get("weights") == "random" else "trained"
    return Network(name, graph, kind)
