"""Integer networks by name: the trained ones of the zoo, a file of the user's own, or random numbers."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from hao.errors import CheckpointError, MissingTool, ModelError
from hao.ir.graph import Graph, Input

UNTRAINED = ("mobilenetv2-1.0", "ultranet")
"""Networks that nobody trained here: their weights are always random, their ranges those of pictures (``hao.train.untrained``)."""
RANDOM = ("codenet-1x-a", "codenet-1x-b", "codenet-1x-c", "codenet-2x-d", "codenet-2x-e", *UNTRAINED)
"""Networks that exist with random numbers."""


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """An integer network and where its numbers come from; ``zoo`` is its name there, empty for the user's own."""

    name: str
    graph: Graph
    weights: Literal["trained", "random"]
    zoo: str = ""

    @property
    def input(self) -> Input:
        """The input node."""
        return next(node for node in self.graph.nodes if isinstance(node, Input))


def zoo_name(name: str) -> str | None:
    """The zoo's network called ``name``, or the one whose name begins so: ``digits`` finds ``digits-w4a8``."""
    from hao.models import zoo

    known = zoo.names()
    return name if name in known else next((each for each in known if each.startswith(f"{name}-")), None)


def demo_network() -> str:
    """The network of ``hao demo``: CoDeNet, where this installation ships it trained; the digits network elsewhere.

    Raises:
        ModelError: the installation ships neither.
    """
    for name in ("codenet-1x-b", "digits"):
        if zoo_name(name) is not None:
            return name
    raise ModelError("this installation ships no trained network", "reinstall it, or run: hao run codenet-1x-b --weights random")


def _random(name: str, seed: str) -> Network:
    if name not in RANDOM:
        raise ModelError(f"there are no random numbers for {name!r}", f"random weights exist for {', '.join(RANDOM)}")
    if not seed.isdecimal():
        raise ModelError(f"{seed!r} is not a seed", "give --weights random or --weights random:7")
    if name in UNTRAINED:
        if find_spec("torch") is None:
            raise MissingTool(f"{name} is read from PyTorch, which is not installed", "pip install 'hao[torch]'")
        from hao.train.untrained import random_network

        return Network(name, random_network(name, int(seed)), "random")
    from hao.models.integer_codenet import random_codenet

    return Network(name, random_codenet(name[-1], seed=int(seed)), "random")


def _kind(graph: Graph) -> Literal["trained", "random"]:
    return "trained" if graph.metadata.get("weights") == "trained" else "random"


def load_network(name: str, weights: str = "") -> Network:
    """The integer network called ``name``.

    Args:
        name: a network of the zoo, or of ``RANDOM``; with an integer checkpoint that of the network in it.
        weights: empty for the zoo's (those of ``UNTRAINED`` are random), ``random`` or ``random:SEED``, or the path of an integer
            checkpoint.

    Raises:
        ModelError: no such network, or it ships without trained weights.
        CheckpointError: the file is damaged, or belongs to another network.
    """
    from hao.ir.serialize import load_graph
    from hao.models import zoo

    kind, _, seed = weights.partition(":")
    found = zoo_name(name)
    own = bool(weights) and kind != "random"
    if found is None and name not in RANDOM and not own:
        known = ", ".join(dict.fromkeys((*zoo.names(), *RANDOM)))
        raise ModelError(f"there is no network called {name!r}", f"known networks: {known}")
    if kind == "random" or (not weights and name in UNTRAINED):
        return _random(name, seed or "0")
    if weights:
        graph = load_graph(Path(weights))
        if not graph.name.startswith(name):
            raise CheckpointError(f"{weights} holds {graph.name}, not {name}", f"hao run {graph.name} --weights {weights}")
        return Network(name, graph, _kind(graph))
    if found is None:
        raise ModelError(f"{name} ships without trained weights", "give --weights random, or the path of an integer checkpoint")
    graph = zoo.load(found)
    return Network(found, graph, _kind(graph), found)
