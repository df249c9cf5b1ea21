"""The trace map: which tensor and channels a result word belongs to, and the comparison of taps with the reference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hao.engine.isa import LANES
from hao.engine.taps import TapTrace
from hao.errors import EngineMismatch


@dataclass(frozen=True, slots=True)
class TraceEntry:
    """Result words of one instruction: ``count`` words from pixel ``first`` on; word ``p`` is pixel ``(p // width, p % width)``.

    Lane ``l`` is channel ``channels[l]``, -1 for none.
    """

    unit: int
    seq: int
    tensor: str
    width: int
    first: int
    count: int
    channels: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class LayerComparison:
    """One tensor of an engine against the reference.

    Attributes:
        tensor: its name.
        compared: values held against the reference (a recomputed value counts each time).
        covered, size: distinct elements compared, and those that the program computes (an element that no later layer reads,
            such as the last row before a stride, may be left out).
        differences: values that differ.
        first: the first difference, in words; empty when there is none.
    """

    tensor: str
    compared: int
    covered: int
    size: int
    differences: int
    first: str

    @property
    def equal(self) -> bool:
        """Every element was compared and none differs."""
        return self.differences == 0 and self.covered == self.size and self.compared > 0


@dataclass(frozen=True, slots=True)
class TapComparison:
    """All traced tensors, in the order in which the program computes them."""

    layers: tuple[LayerComparison, ...]

    @property
    def compared(self) -> int:
        """Values held against the reference."""
        return sum(layer.compared for layer in self.layers)

    @property
    def equal(self) -> bool:
        """Something was compared, everything was covered, nothing differs."""
        return bool(self.layers) and all(layer.equal for layer in self.layers)

    @property
    def first_difference(self) -> str | None:
        """The first layer that is not equal, in words."""
        for layer in self.layers:
            if not layer.equal:
                return layer.first or f"{layer.tensor}: {layer.covered} of {layer.size} elements reported"
        return None if self.layers else "no tensor was traced"

    def require_equal(self) -> None:
        """Refuse an inequality.

        Raises:
            EngineMismatch: the first difference is in the message.
        """
        if not self.equal:
            raise EngineMismatch(f"an engine differs from the reference: {self.first_difference}")


class _Layer:
    def __init__(self, tensor: str, reference: npt.NDArray[np.integer]) -> None:
        self.tensor, self.reference = tensor, reference
        self.seen = np.zeros(reference.shape, np.bool_)
        self.wanted = np.zeros(reference.shape, np.bool_)
        self.compared = self.differences = 0
        self.first = ""

    def expect(self, entry: TraceEntry) -> None:
        pixels = np.arange(entry.first, entry.first + entry.count)
        for channel in entry.channels:
            if channel >= 0:
                self.wanted[channel, pixels // entry.width, pixels % entry.width] = True

    def add(self, entry: TraceEntry, pixels: npt.NDArray[np.int64], data: npt.NDArray[np.uint8]) -> None:
        y, x = pixels // entry.width, pixels % entry.width
        for lane, channel in enumerate(entry.channels):
            if channel < 0:
                continue
            wanted = self.reference[channel, y, x]
            # engines keep results modulo 2^8; the reference's values are within 8 bits, signed or not
            unequal = np.flatnonzero((wanted & 0xFF) != data[:, lane])
            self.seen[channel, y, x] = True
            self.compared += len(pixels)
            self.differences += len(unequal)
            if unequal.size and not self.first:
                at = unequal[0]
                got = int(data[at, lane])
                got -= 256 if got > 127 and int(self.reference.min()) < 0 else 0
                self.first = (
                    f"{self.tensor}[{channel}, {int(y[at])}, {int(x[at])}] is {got}, the reference has {int(wanted[at])} "
                    f"(unit {entry.unit}, instruction {entry.seq}, lane {lane})"
                )

    def result(self) -> LayerComparison:
        return LayerComparison(self.tensor, self.compared, int(self.seen.sum()), int(self.wanted.sum()), self.differences, self.first)


@dataclass(frozen=True, slots=True)
class TraceMap:
    """Entries by ``(unit, seq)``, in program order."""

    entries: tuple[TraceEntry, ...]

    def tensors(self) -> dict[str, npt.NDArray[np.generic]]:
        """Arrays for the container; tensor names become indices into :meth:`names`."""
        index = {name: at for at, name in enumerate(self.names())}
        rows = self.entries
        return {
            "trace_unit": np.array([row.unit for row in rows], np.uint8),
            "trace_seq": np.array([row.seq for row in rows], np.uint32),
            "trace_tensor": np.array([index[row.tensor] for row in rows], np.uint32),
            "trace_width": np.array([row.width for row in rows], np.uint32),
            "trace_first": np.array([row.first for row in rows], np.uint32),
            "trace_count": np.array([row.count for row in rows], np.uint32),
            "trace_channels": np.array([row.channels for row in rows], np.int32).reshape(-1, LANES),
        }

    def names(self) -> tuple[str, ...]:
        """Traced tensors in program order."""
        return tuple(dict.fromkeys(row.tensor for row in self.entries))

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, npt.NDArray[np.generic]], names: tuple[str, ...]) -> TraceMap:
        """The inverse of :meth:`tensors`."""
        columns = [tensors[f"trace_{key}"].tolist() for key in ("unit", "seq", "tensor", "width", "first", "count", "channels")]
        return cls(tuple(TraceEntry(u, s, names[t], w, f, n, tuple(c)) for u, s, t, w, f, n, c in zip(*columns, strict=True)))

    def compare(self, taps: TapTrace, reference: Mapping[str, npt.NDArray[np.integer]]) -> TapComparison:
        """Hold every tapped value against the reference.

        Args:
            taps: what an engine reported.
            reference: tensors ``(C, H, W)`` by name, of the graph that was compiled (:func:`hao.compiler.rewrite.rewrite`).

        Raises:
            EngineMismatch: a result word of an instruction that the program does not have.
        """
        known = {(row.unit, row.seq): row for row in self.entries}
        layers = {name: _Layer(name, reference[name]) for name in self.names()}
        for row in self.entries:
            layers[row.tensor].expect(row)
        for unit, seq, pixels, data in taps.groups():
            entry = known.get((unit, seq))
            if entry is None:
                raise EngineMismatch(f"the engine reports a result of unit {unit}, instruction {seq}, which the program does not have")
            layer = layers[entry.tensor]
            if pixels[0] < entry.first or pixels[-1] >= entry.first + entry.count:
                raise EngineMismatch(f"{entry.tensor}: the engine reports pixels {pixels[0]}..{pixels[-1]}, outside its instruction {seq}")
            layer.add(entry, pixels, data)
        return TapComparison(tuple(layer.result() for layer in layers.values()))
