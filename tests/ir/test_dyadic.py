"""Scales as multiplier and shift."""

from __future__ import annotations

import numpy as np
import pytest

from hao.errors import QuantizationError
from hao.ir.dyadic import MULTIPLIER_MAX, MULTIPLIER_MIN, SCALE_MAX, SCALE_MIN, SHIFTS, dyadic, dyadic_pair


def test_error_is_below_two_to_the_minus_14_over_the_whole_range() -> None:
    scale = np.exp2(np.linspace(np.log2(SCALE_MIN), np.log2(SCALE_MAX), 200_001))
    scale[[0, -1]] = SCALE_MIN, SCALE_MAX
    multiplier, shift = dyadic(scale)
    assert set(np.unique(shift)) == set(SHIFTS)
    assert multiplier.min() >= MULTIPLIER_MIN and multiplier.max() < MULTIPLIER_MAX
    error = np.abs(np.ldexp(multiplier.astype(float), -shift) / scale - 1)
    assert error.max() <= 2.0**-14


@pytest.mark.parametrize("power", range(-31, 1))
def test_powers_of_two_and_their_neighbours_are_exact_or_close(power: int) -> None:
    multiplier, shift = dyadic(2.0**power)
    assert int(multiplier) * 2.0 ** -int(shift) == 2.0**power
    for scale in (np.nextafter(2.0**power, 0), np.nextafter(2.0**power, 4)):
        if SCALE_MIN <= scale <= SCALE_MAX:
            near, places = dyadic(scale)
            assert abs(int(near) * 2.0 ** -int(places) / scale - 1) <= 2.0**-14


@pytest.mark.parametrize("scale", [0.0, -1.0, SCALE_MIN * 0.99, 2.0, np.inf, np.nan])
def test_outside_the_format_is_refused_by_name(scale: float) -> None:
    with pytest.raises(QuantizationError, match="layer7"):
        dyadic(scale, "layer7")


def test_pairs_share_the_shift_of_the_larger() -> None:
    for first, second in ((0.7, 0.3), (0.3, 0.7), (1.9, 0.0), (1e-3, 1.0), (0.5, 0.5), (1e-9, 1e-6)):
        m1, m2, shift = dyadic_pair(first, second)
        assert MULTIPLIER_MIN <= max(m1, m2) < MULTIPLIER_MAX and shift in SHIFTS
        assert abs(m1 * 2.0**-shift - first) <= max(first, second) * 2.0**-14
        assert abs(m2 * 2.0**-shift - second) <= max(first, second) * 2.0**-14
    with pytest.raises(QuantizationError):
        dyadic_pair(-0.1, 0.5)
