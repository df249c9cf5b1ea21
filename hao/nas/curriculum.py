"""Which members of the family a step of the supernet's training teaches."""

from __future__ import annotations

import random

from hao.models.searchable import Architecture, Family, members
from hao.models.supernet import FULL_BITS

_PLACES = 3
_BEGUN, _HALF = 0.25, 0.5
"""Shares of the common epochs until which one place, and two, may differ from the leading member's."""
_OTHERS = 3


def leading(family: Family) -> Architecture:
    """The widest member of dense blocks, with 8 bits."""
    return Architecture(family.widest, ("dense", "dense", "dense"), FULL_BITS)


def apart(member: Architecture) -> int:
    """Places whose operator is not the leading member's."""
    return sum(operator != "dense" for operator in member.blocks)


class Curriculum:
    """Members of every step.

    Without ``warm`` epochs: one of the widest, one of the narrowest, two of any width (the sandwich rule of BigNAS). With them, in our
    formulation after the progressive shrinking of Once-for-All: at first the leading member learns alone; then three others join it in
    every step, which differ from it in one place at most, then in two, then in all. So a block that has learned nothing is put between
    blocks that have, and the pictures are told apart from the first step on: where all members of a large family begin together, their
    loss stays that of guessing.

    Args:
        family: whose members are drawn.
        epochs: in all.
        warm: of them, those in which the leading member learns alone.
    """

    def __init__(self, family: Family, epochs: int, warm: int) -> None:
        self._epochs, self._warm, self._leading = epochs, warm, leading(family)
        every = members(family)
        self._stages = [[m for m in every if apart(m) <= places] for places in range(_PLACES + 1)]
        self._ends = [[m for m in every if m.width == width] for width in (max(family.widths), min(family.widths))]

    def places(self, epoch: int) -> int:
        """How many places may differ from the leading member's in ``epoch``."""
        if epoch < self._warm:
            return 0
        share = (epoch - self._warm) / (self._epochs - self._warm)
        return 1 if share < _BEGUN else 2 if share < _HALF else _PLACES

    def draw(self, epoch: int, chance: random.Random) -> list[Architecture]:
        """Members of one step of ``epoch``; the first may be the leading one."""
        if not self._warm:
            wide, narrow = self._ends
            return [chance.choice(wide), chance.choice(narrow), *chance.sample(self._stages[-1], 2)]
        places = self.places(epoch)
        return [self._leading, *(chance.sample(self._stages[places], _OTHERS) if places else ())]
