"""Taps: the result words that an engine built for simulation reports."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hao.engine.isa import LANES
from hao.errors import SimulationError

TAP_DTYPE = np.dtype([("unit", "<u4"), ("seq", "<u4"), ("p", "<u4"), ("data", "u1", (LANES,))])
"""One record of a tap file: unit (1 DENSE, 3 DW), sequence number of the instruction within its unit, pixel index, the
16 result bytes before lane masking; 28 bytes, little endian, no header."""


def _describe(record: npt.NDArray[np.void] | np.void) -> str:
    return f"unit {record['unit']} instruction {record['seq']} pixel {record['p']}: {record['data'].tolist()}"


@dataclass(frozen=True, slots=True, eq=False)
class TapTrace:
    """Result words in the order they were reported: ``records`` has dtype :data:`TAP_DTYPE`, shape ``(n,)``."""

    records: npt.NDArray[np.void]

    def __len__(self) -> int:
        return len(self.records)

    @classmethod
    def from_records(cls, rows: Iterable[tuple[int, int, int, bytes]]) -> TapTrace:
        """Build a trace from ``(unit, seq, p, 16 bytes)``."""
        packed = [(unit, seq, p, np.frombuffer(data, np.uint8)) for unit, seq, p, data in rows]
        return cls(np.array(packed, dtype=TAP_DTYPE))

    @classmethod
    def from_bytes(cls, data: bytes) -> TapTrace:
        """Read a tap file.

        Raises:
            SimulationError: the length is not a multiple of a record.
        """
        if len(data) % TAP_DTYPE.itemsize:
            raise SimulationError(f"a tap file of {len(data)} bytes is truncated", f"records have {TAP_DTYPE.itemsize} bytes")
        return cls(np.frombuffer(data, TAP_DTYPE))

    def to_bytes(self) -> bytes:
        """The tap file."""
        return self.records.tobytes()

    def groups(self) -> Iterator[tuple[int, int, npt.NDArray[np.int64], npt.NDArray[np.uint8]]]:
        """Per instruction, ordered by unit and sequence number: ``(unit, seq, p (n,), data (n, 16))``, sorted by ``p``."""
        order = np.lexsort((self.records["p"], self.records["seq"], self.records["unit"]))
        rows = self.records[order]
        if not len(rows):
            return
        key = rows["unit"].astype(np.int64) << 32 | rows["seq"]
        edges = np.flatnonzero(np.diff(key)) + 1
        for part in np.split(rows, edges):
            yield int(part["unit"][0]), int(part["seq"][0]), part["p"].astype(np.int64), part["data"]

    def difference(self, other: TapTrace) -> str | None:
        """The first difference to ``other``, in words; None when both hold the same words (in any order between instructions)."""
        mine = np.sort(self.records, order=("unit", "seq", "p"))
        theirs = np.sort(other.records, order=("unit", "seq", "p"))
        n = min(len(mine), len(theirs))
        unequal = np.flatnonzero(mine[:n] != theirs[:n])
        if unequal.size:
            return f"{_describe(mine[unequal[0]])} against {_describe(theirs[unequal[0]])}"
        if len(mine) != len(theirs):
            return f"{len(mine)} result words against {len(theirs)}"
        return None
