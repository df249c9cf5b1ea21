"""Faults of the compiler: wrong programs, other right ones, and none at all are told apart."""

from __future__ import annotations

import pytest

from hao.fuzz.plans import telling
from hao.mutation.compiler_jury import CompilerJury
from hao.mutation.mutant import Mutant, Verdict
from hao.mutation.survey import sound_text


@pytest.fixture(scope="module")
def jury() -> CompilerJury:
    return CompilerJury(telling(cases=10, tight=2, random=1)[:14])


def fault(file: str, text: str, before: str, after: str) -> tuple[Mutant, str]:
    """``before`` inside the only ``text`` of a file becomes ``after``."""
    sound = sound_text(file)
    assert sound.count(text) == 1, f"{text!r} is not in {file} once"
    start = sound.index(text) + text.index(before)
    return Mutant(file, sound.count("\n", 0, start) + 1, "seeded", start, start + len(before), before, after), sound


SEEDED = {
    "a list entry lost": ("hao/compiler/access.py", 'yield from _ring(Memory.LM, i["list_addr"], i["n_in"]', 'i["n_in"]', 'i["n_in"] - 1'),
    "a dependency lost": ("hao/compiler/depend.py", "np.where(need > before, need, 0)", "> before", "> before + 1"),
    "spans one row short": ("hao/compiler/ops.py", "low, high = min(lines), max(lines)", "max", "min"),
}


@pytest.mark.parametrize("name", SEEDED)
def test_a_wrong_compiler_is_seen(jury: CompilerJury, name: str) -> None:
    assert jury.judge(*fault(*SEEDED[name]))[0] in (Verdict.KILLED, Verdict.CRASHED)


def test_another_plan_is_told_from_a_wrong_one(jury: CompilerJury) -> None:
    """Loads hoisted less far are another program that computes the same."""
    verdict, by = jury.judge(*fault("hao/compiler/assemble.py", "max(1, sizes[target] // 4)", "4", "8"))
    assert verdict is Verdict.OTHER and by


def test_nothing_changed_survives(jury: CompilerJury) -> None:
    assert jury.judge(*fault("hao/compiler/assemble.py", "max(1, sizes[target] // 4)", "4", "4")) == (Verdict.SURVIVED, "")
