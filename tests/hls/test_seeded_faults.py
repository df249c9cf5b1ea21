"""Faults put into the kernel on purpose: the comparison with the executor must report each of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from hao.compiler.random_program import random_program
from hao.engine.config import CI_CONFIGS
from hao.errors import HaoError
from tests.hls.support import compare_with_executor, seeded

FAULTS = {
    "round-down": ("hao_requant.h", "(value + (wide_t(1) << (shift - 1))) >> shift", "value >> shift"),
    "round-to-even": (
        "hao_requant.h",
        "return (value + (wide_t(1) << (shift - 1))) >> shift;",
        "const wide_t up = (value + (wide_t(1) << (shift - 1))) >> shift;\n"
        "  return (up << shift) - value == (wide_t(1) << (shift - 1)) ? wide_t(up & ~wide_t(1)) : up;",
    ),
    "no-lower-bound": ("hao_requant.h", "if (bounded < lo) bounded = lo;", ""),
    "borrow-lost": ("hao_dense_core.h", "int_t<37>(packed - lower) >> PACK_SHIFT", "packed >> PACK_SHIFT"),
    "unsigned-nibble": ("hao_dense_core.h", "weight_t((high ^ 8) - 8)", "weight_t(high)"),
    "padding-off-by-one": ("hao_dense_read.h", "ix < coord_t(f.in_w)", "ix <= coord_t(f.in_w)"),
    "bank-off": ("hao_window.h", "3 * int(distance) + 3 * WINDOW_BANKS", "2 * int(distance) + 3 * WINDOW_BANKS"),
    "ring-too-short": ("hao_window.h", "for (int k = 4; k >= 0; --k)", "for (int k = 2; k >= 0; --k)"),
    "dead-tap-wins": ("hao_dw.h", "taps.live[t] && value > maximum", "value > maximum"),
    "gather-fill": ("hao_gather.h", ": fill[c];", ": uint_t<8>(0);"),
    "mask-ignored": ("hao_memory.h", "if (scatter.write[l] && address % PX == bank)", "if (address % PX == bank)"),
    "list-not-wrapped": ("hao_memory.h", "word.entry[index % LIST_ENTRIES]", "word.entry[0]"),
    "stream-value-left": ("hao_dense_read.h", "step < s.chunks * words; ++step", "step < s.chunks * words + 1; ++step"),
    "stream-value-short": ("hao_dense_read.h", "step < s.chunks * words; ++step", "step < s.chunks * words - 1; ++step"),
    "second-operand": ("hao_add.h", "addr_t(f.b_base + pixel)", "addr_t(f.a_base + pixel)"),
    "up-sampling": ("hao_fill.h", "up ? addr_t(at.x / 2)", "up ? addr_t(at.x)"),
}
ALWAYS = ("round-to-even", "borrow-lost", "ring-too-short", "stream-value-left", "mask-ignored")
"""The subtle ones; the others run at night."""


def reported(name: str, folder: Path) -> str:
    """What the comparison says of the faulty kernel; empty when nothing."""
    config = CI_CONFIGS["16x16x2"]
    kernel = seeded(config, folder / name, *FAULTS[name])
    for seed in range(60):
        try:
            compare_with_executor(kernel, random_program(seed, config, 12))
        except (AssertionError, HaoError) as error:
            return str(error) or "unequal"
    return ""


@pytest.mark.parametrize("name", ALWAYS)
def test_fault_is_reported(name: str, tmp_path: Path) -> None:
    assert reported(name, tmp_path)


@pytest.mark.nightly
@pytest.mark.parametrize("name", [name for name in FAULTS if name not in ALWAYS])
def test_every_fault_is_reported(name: str, tmp_path: Path) -> None:
    assert reported(name, tmp_path)


def test_the_sound_kernel_passes_the_same_way(tmp_path: Path) -> None:
    config = CI_CONFIGS["16x16x2"]
    kernel = seeded(config, tmp_path / "sound", "hao_requant.h", "wide_t bounded = value;", "wide_t bounded = value;  // unchanged")
    assert sum(compare_with_executor(kernel, random_program(seed, config, 12)) for seed in range(10)) > 1_000_000
