"""Holds an engine's tensors against the reference: equality, counted; nothing compared is not equal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hao.errors import EngineMismatch

Tensor = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Difference:
    """The first value of a tensor that differs: its index ``(channel, row, column)`` and both values."""

    index: tuple[int, ...]
    expected: int
    found: int


@dataclass(frozen=True, slots=True)
class TensorComparison:
    """One tensor: how many values were compared, how many of them differ, and the first that does.

    ``fault`` says why nothing could be compared (absent, other shape); it is empty otherwise.
    """

    name: str
    compared: int
    different: int
    first: Difference | None = None
    fault: str = ""

    @property
    def equal(self) -> bool:
        """Whether at least one value was compared and all were equal."""
        return self.compared > 0 and self.different == 0 and not self.fault


@dataclass(frozen=True, slots=True)
class Comparison:
    """All tensors of one engine, in graph order."""

    engine: str
    tensors: tuple[TensorComparison, ...]

    @property
    def compared(self) -> int:
        """Values compared, over all tensors."""
        return sum(tensor.compared for tensor in self.tensors)

    @property
    def equal(self) -> bool:
        """Whether every tensor was compared and equal; False when there was none."""
        return bool(self.tensors) and all(tensor.equal for tensor in self.tensors)

    def require_equal(self) -> None:
        """Raise unless everything is equal.

        Raises:
            EngineMismatch: names the first differing tensor, index and both values, and how many differ in all.
        """
        if self.equal:
            return
        wrong = [tensor for tensor in self.tensors if not tensor.equal]
        if not wrong:
            raise EngineMismatch(f"{self.engine} was compared with the reference in no value at all", "the run produced no tensors")
        tensor = wrong[0]
        total = sum(each.different for each in wrong)
        if tensor.first is None:
            what = tensor.fault or "no value was compared"
        else:
            index = ", ".join(map(str, tensor.first.index))
            what = f"at ({index}) the reference has {tensor.first.expected}, {self.engine} {tensor.first.found}"
        counts = f"{total} of {self.compared} values in {len(wrong)} of {len(self.tensors)} tensors differ"
        raise EngineMismatch(f"{self.engine} differs from the reference, first in tensor {tensor.name!r}: {what}; {counts}")


def compare_tensor(name: str, expected: Tensor, found: Tensor | None) -> TensorComparison:
    """Compare one tensor value by value; ``found`` is None when the engine has not produced it."""
    if found is None:
        return TensorComparison(name, 0, 0, fault="the engine has not produced it")
    if found.shape != expected.shape:
        return TensorComparison(name, 0, 0, fault=f"shape {found.shape} instead of {expected.shape}")
    unequal = np.flatnonzero(expected != found)
    if not unequal.size:
        return TensorComparison(name, expected.size, 0)
    index = tuple(int(i) for i in np.unravel_index(unequal[0], expected.shape))
    first = Difference(index, int(expected[index]), int(found[index]))
    return TensorComparison(name, expected.size, int(unequal.size), first)


def compare(engine: str, expected: Mapping[str, Tensor], found: Mapping[str, Tensor], names: Iterable[str]) -> Comparison:
    """Compare the tensors ``names`` of ``engine`` with the reference's, in that order.

    Args:
        engine: its name, for messages.
        expected: the reference's tensors.
        found: the engine's tensors.
        names: what must be there; an absent one is a failure, not a gap.
    """
    return Comparison(engine, tuple(compare_tensor(name, expected[name], found.get(name)) for name in names))
