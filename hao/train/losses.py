"""CenterNet's losses (arXiv 1904.07850): penalty-reduced focal loss of the heat map, L1 of sizes and offsets."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from hao.train.targets import Targets

SIZE_WEIGHT = 0.1
"""Weight of the size loss beside heat map and offset, as published."""


@dataclass(frozen=True, slots=True, eq=False)
class DetectionLoss:
    """Scalar tensors; ``total`` is what is differentiated."""

    total: Tensor
    heat: Tensor
    size: Tensor
    offset: Tensor
    naming: Tensor


def focal_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Focal loss with exponents 2 and 4, summed, per positive; both ``(N, classes, H, W)``."""
    positive = target == 1
    likelihood = torch.sigmoid(logits)
    hit = functional.logsigmoid(logits) * (1 - likelihood) ** 2
    miss = functional.logsigmoid(-logits) * likelihood**2 * (1 - target) ** 4
    return -torch.where(positive, hit, miss).sum() / positive.sum().clamp(min=1)


def _at_objects(head: Tensor, picture: Tensor, position: Tensor) -> Tensor:
    """``(N, channels, H, W)`` -> ``(objects, channels)``."""
    return head.flatten(2)[picture, :, position]


def detection_loss(heads: tuple[Tensor, Tensor, Tensor], targets: Targets, class_weight: float = 0.0) -> DetectionLoss:
    """Loss of the three heads.

    Args:
        heads: heat map logits, sizes and offsets, as the network gives them.
        targets: of the same pictures.
        class_weight: weight of a cross-entropy over the classes at the objects' centres. The focal loss alone tells classes
            apart only after thousands of steps; this starts it at once and has the same optimum there.
    """
    logits, sizes, offsets = (head.float() for head in heads)
    heat, size, offset = (torch.from_numpy(array) for array in (targets.heat, targets.size, targets.offset))
    where = (torch.from_numpy(targets.picture), torch.from_numpy(targets.position))
    count = max(len(size), 1)
    heat_loss = focal_loss(logits, heat)
    size_loss = (_at_objects(sizes, *where) - size).abs().sum() / count
    offset_loss = (_at_objects(offsets, *where) - offset).abs().sum() / count
    naming = functional.cross_entropy(_at_objects(logits, *where), torch.from_numpy(targets.label), reduction="sum") / count
    return DetectionLoss(
        heat_loss + SIZE_WEIGHT * size_loss + offset_loss + class_weight * naming, heat_loss, size_loss, offset_loss, naming
    )
