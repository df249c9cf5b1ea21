"""The comparison counts what it compared and is never equal by accident."""

from __future__ import annotations

import numpy as np
import pytest

from hao.errors import EngineMismatch
from hao.runtime.compare import Comparison, compare

A = np.arange(24, dtype=np.int32).reshape(2, 3, 4)
B = A - 7


def test_equal_tensors_are_counted() -> None:
    result = compare("rtl", {"a": A, "b": B}, {"a": A.copy(), "b": B.copy()}, ["a", "b"])
    assert result.equal
    assert result.compared == 48
    assert [tensor.compared for tensor in result.tensors] == [24, 24]
    result.require_equal()


def test_the_first_difference_is_named_with_index_and_both_values() -> None:
    wrong = B.copy()
    wrong[1, 2, 0] += 1
    wrong[1, 2, 3] -= 5
    result = compare("rtl", {"a": A, "b": B}, {"a": A, "b": wrong}, ["a", "b"])
    assert not result.equal
    with pytest.raises(EngineMismatch) as caught:
        result.require_equal()
    assert str(caught.value) == (
        "rtl differs from the reference, first in tensor 'b': at (1, 2, 0) the reference has 13, rtl 14; "
        "2 of 48 values in 1 of 2 tensors differ"
    )


def test_nothing_compared_is_not_equal() -> None:
    assert not Comparison("rtl", ()).equal
    with pytest.raises(EngineMismatch, match="in no value at all"):
        compare("rtl", {"a": A}, {}, []).require_equal()
    empty = np.zeros((0, 3, 4), np.int32)
    with pytest.raises(EngineMismatch, match="no value was compared"):
        compare("rtl", {"a": empty}, {"a": empty}, ["a"]).require_equal()


def test_an_absent_tensor_is_a_failure() -> None:
    with pytest.raises(EngineMismatch, match="'b': the engine has not produced it"):
        compare("rtl", {"a": A, "b": B}, {"a": A}, ["a", "b"]).require_equal()


def test_another_shape_is_a_failure_even_where_it_would_broadcast() -> None:
    with pytest.raises(EngineMismatch, match=r"shape \(1, 3, 4\) instead of \(2, 3, 4\)"):
        compare("csim", {"a": A}, {"a": A[:1]}, ["a"]).require_equal()
