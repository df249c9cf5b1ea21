"""Checks that do not trust the compiler's own idea of what instructions touch and wait for."""

from __future__ import annotations

import numpy as np
import pytest

from hao.boards import load_board
from hao.compiler import access
from hao.compiler.random_program import random_program
from hao.engine.config import CI_CONFIGS
from hao.engine.encode import DEPENDENCY_FIELDS
from hao.engine.isa import Unit
from hao.errors import CompileError, SimulationError
from hao.fuzz.case import draw_case
from hao.fuzz.footprint import check_program
from hao.fuzz.programs_of import check_compiled
from hao.fuzz.schedule import check_orders

SMALL = "8x8x1"
CONFIG = CI_CONFIGS[SMALL]


@pytest.mark.parametrize("name", [SMALL, "16x8x1"])
def test_instructions_touch_what_they_are_said_to(name: str) -> None:
    config, compared = CI_CONFIGS[name], 0
    for seed in range(25):
        p = random_program(5000 + seed, config, 12)
        compared += check_program(p.program, config, p.dram(), seed)
    assert compared > 1_000_000


def test_any_permitted_order_gives_the_same() -> None:
    compared = 0
    for seed in range(40):
        p = random_program(6000 + seed, CONFIG, 15)
        compared += check_orders(p.program, CONFIG, p.dram(), seed)
    assert compared > 1_000_000


@pytest.mark.parametrize("first", [0, pytest.param(1000, marks=pytest.mark.nightly)])
def test_compiled_networks_touch_and_wait_right(first: int) -> None:
    ran, board = 0, load_board("ultra96v2")
    for index in range(first, first + (12 if first == 0 else 500)):
        case = draw_case(77, index, [SMALL], board)
        try:
            ran += check_compiled(case.graph, CONFIG, case.pixels, index) > 0
        except CompileError:
            continue
    assert ran >= 8


def test_a_wrong_footprint_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows forgotten in `dw_rows`, and writes of a scatter one address too low."""
    programs = [random_program(5000 + seed, CONFIG, 12) for seed in range(20)]
    sound = access.dw_rows

    def fewer(i: access.Instruction) -> tuple[int, int]:
        top, bottom = sound(i)
        return top, max(top, bottom - 1)

    monkeypatch.setattr(access, "dw_rows", fewer)
    with pytest.raises(SimulationError, match="not said to read"):
        for p in programs:
            check_program(p.program, CONFIG, p.dram())
    monkeypatch.setattr(access, "dw_rows", sound)
    plane = access._plane
    monkeypatch.setattr(access, "_plane", lambda base, first, *rest: plane(base - 1, first, *rest))
    with pytest.raises(SimulationError, match="not said to write"):
        for p in programs:
            check_program(p.program, CONFIG, p.dram())


def test_a_missing_dependency_is_seen() -> None:
    """Without any counts, some permitted order goes wrong in nearly every program; a count too high never ends."""
    seen = 0
    for seed in range(20):
        p = random_program(6000 + seed, CONFIG, 15)
        bare = [i if i.unit is None else i.replace(**dict.fromkeys(DEPENDENCY_FIELDS.values(), 0)) for i in p.program]
        try:
            check_orders(bare, CONFIG, p.dram(), seed)
        except (SimulationError, IndexError):
            seen += 1
    assert seen >= 18
    p = random_program(6000, CONFIG, 5)
    stuck = [i if i.unit is not Unit.STORE else i.replace(dep_store=9999) for i in p.program]
    with pytest.raises(SimulationError, match="wait for one another"):
        check_orders(stuck, CONFIG, p.dram(), 1)
    assert np.isfinite(seen)
