"""Which members the supernet learns from, step by step."""

from __future__ import annotations

import random

import pytest

from hao.models.searchable import DIGITS, Family, members
from hao.nas.corpus import pictures_of
from hao.nas.curriculum import Curriculum, apart, leading

EPOCHS, WARM = 28, 4


def test_others_join_the_leading_member_place_by_place() -> None:
    family = pictures_of(20)
    first = leading(family)
    assert (first.name, apart(first)) == ("w48-dense-dense-dense-b8", 0)
    curriculum, seen = Curriculum(family, EPOCHS, WARM), list[int]()
    for epoch in range(EPOCHS):
        chance = random.Random(epoch)
        steps = [curriculum.draw(epoch, chance) for _ in range(200)]
        assert all(step[0] == first for step in steps)
        assert {len(step) for step in steps} == ({1} if epoch < WARM else {4})
        seen.append(max(apart(member) for step in steps for member in step))
        assert seen[-1] == curriculum.places(epoch)
        if epoch >= WARM:
            others = [member for step in steps for member in step[1:]]
            assert {member.width for member in others} == set(family.widths), "widths and bits are drawn from the first step on"
            assert {member.bits for member in others} == {4, 8}
    assert seen == [0] * 4 + [1] * 6 + [2] * 6 + [3] * 12


@pytest.mark.parametrize("family", [DIGITS, pictures_of(20)], ids=["digits", "pictures"])
def test_without_warm_epochs_the_sandwich_rule_holds(family: Family) -> None:
    curriculum, chance, drawn = Curriculum(family, EPOCHS, 0), random.Random(1), set()
    for step in range(400):
        wide, narrow, *others = curriculum.draw(step % EPOCHS, chance)
        assert (wide.width, narrow.width, len(others)) == (max(family.widths), min(family.widths), 2)
        assert others[0] != others[1]
        drawn |= {each.width for each in others}
    assert drawn == set(family.widths)


def test_every_member_is_reached() -> None:
    family = pictures_of(20)
    curriculum, chance, missing = Curriculum(family, 3, 1), random.Random(2), set(members(family))
    for _ in range(20 * len(missing)):
        missing -= set(curriculum.draw(2, chance))
        if not missing:
            return
    pytest.fail(f"{len(missing)} members are not drawn")
