"""The figures of a model card: AP50 on held-out scenes with its interval, and which displacements were used."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from torch import nn

from hao.data.photos import Split
from hao.models.codenet import CoDeNet, Operator, build
from hao.train.bootstrap import Interval, bootstrap_ap50
from hao.train.evaluate import detect, displacement_histograms, scenes
from hao.train.loop import load_float

_HISTOGRAM_SCENES = 200


@dataclass(frozen=True, slots=True)
class Score:
    """What `score` measured.

    Attributes:
        interval: AP50 in percent with its 95 % bootstrap interval.
        displacements: how often each deformable layer used each displacement.
    """

    interval: Interval
    displacements: dict[str, dict[int, int]]

    @property
    def constant_layers(self) -> tuple[str, ...]:
        """Deformable layers that used one displacement only: dead ones."""
        return tuple(name for name, table in self.displacements.items() if len(table) < 2)


def score(net: nn.Module, data: Path, split: Split = "test", count: int = 2000, draws: int = 1000) -> Score:
    """Score a detector, float or quantized, on the first ``count`` scenes of ``split``.

    Args:
        net: as `hao.models.codenet.CoDeNet`: normalized pictures in, three heads out; put into evaluation mode.
        data: folder of rendered scenes, filled on demand.
        draws: bootstrap resamplings.
    """
    net.eval()
    images, truth = scenes(data, split, count)
    return Score(bootstrap_ap50(detect(net, images), truth, draws), displacement_histograms(net, images[:_HISTOGRAM_SCENES]))


def load_network(weights: Path, config: str = "b", operator: Operator = "deformable", forced: int | None = None) -> CoDeNet:
    """A float CoDeNet with trained weights; ``forced`` replaces every displacement, e.g. by 1.

    Raises:
        CheckpointError: the weights cannot be read or belong to another network.
    """
    net = build(config, operator=operator)
    load_float(net, weights)
    net.force_displacement(forced)
    return net.eval()
