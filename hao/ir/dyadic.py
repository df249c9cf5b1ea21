"""Scales as a multiplier and a shift: ``scale ~ m / 2^s`` with ``m`` in [2^13, 2^17) and ``s`` a multiple of four."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hao.errors import QuantizationError
from hao.ir.graph import IntArray

MULTIPLIER_MIN, MULTIPLIER_MAX = 1 << 13, 1 << 17
"""Multipliers are in ``[MULTIPLIER_MIN, MULTIPLIER_MAX)``."""
SHIFTS = (16, 20, 24, 28, 32, 36, 40, 44)
"""Right shifts of a requantization."""
SCALE_MIN = MULTIPLIER_MIN / 2.0 ** SHIFTS[-1]
"""Smallest scale that the format holds, 2^-31."""
SCALE_MAX = (MULTIPLIER_MAX - 1) / 2.0 ** SHIFTS[0]
"""Largest scale that the format holds, just under 2."""


def dyadic(scale: npt.ArrayLike, layer: str = "") -> tuple[IntArray, IntArray]:
    """Multipliers and shifts nearest to ``scale``; the relative error is at most 2^-14.

    Args:
        scale: positive factors in ``[SCALE_MIN, SCALE_MAX]``, any shape.
        layer: name for the error message.

    Returns:
        ``(multiplier, shift)``, both of ``scale``'s shape.

    Raises:
        QuantizationError: a factor is outside the range.
    """
    factor = np.asarray(scale, dtype=np.float64)
    if not bool((np.isfinite(factor) & (factor >= SCALE_MIN) & (factor <= SCALE_MAX)).all()):
        raise QuantizationError(
            f"{layer or 'a layer'}: requantization factors from {factor.min()} to {factor.max()}",
            f"the format holds {SCALE_MIN:.3g} to {SCALE_MAX:.6g}: widen the range of the result or of the weights",
        )
    # Sixteen-fold steps of the shift match the sixteen-fold range of the multiplier, so exactly one shift fits.
    exponent = np.floor(np.log2(factor)).astype(np.int64)
    shift = (16 - exponent) // 4 * 4
    shift = np.where(np.rint(np.ldexp(factor, shift)) >= MULTIPLIER_MAX, shift - 4, shift)
    shift = np.clip(shift, SHIFTS[0], SHIFTS[-1])
    multiplier = np.floor(np.ldexp(factor, shift) + 0.5).astype(np.int64)
    return np.clip(multiplier, MULTIPLIER_MIN, MULTIPLIER_MAX - 1), shift


def dyadic_pair(first: float, second: float, layer: str = "") -> tuple[int, int, int]:
    """``(m1, m2, s)`` for two factors that share a shift: the larger multiplier is in range, the smaller may be 0.

    Raises:
        QuantizationError: a factor is negative, or the larger one is outside the format.
    """
    if min(first, second) < 0:
        raise QuantizationError(f"{layer or 'a layer'}: factors {first} and {second}", "factors of an addition are not negative")
    _, shift = dyadic(max(first, second), layer)
    multipliers = [min(int(np.floor(np.ldexp(factor, int(shift)) + 0.5)), MULTIPLIER_MAX - 1) for factor in (first, second)]
    return multipliers[0], multipliers[1], int(shift)
