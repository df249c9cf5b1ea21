"""Instructions whose addresses are not known yet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum

from hao.engine.isa import Opcode


class Space(IntEnum):
    """Memories that buffers are allocated in."""

    FEATURE = 0
    WINDOW = 1
    DISPLACEMENT = 2


@dataclass(slots=True, eq=False)
class Buffer:
    """A contiguous piece of one memory, alive from its first to its last use.

    Attributes:
        space: the memory; words: its length there.
        owner: name of the graph node, for messages; step: index of the step that made it.
        row0, width: first row held and its length; row ``y`` lies at ``address + (y - row0) * width``.
        local: belongs to one stripe (such buffers rotate, so that stripes overlap).
        address: set by the allocator.
    """

    space: Space
    words: int
    owner: str
    step: int
    row0: int = 0
    width: int = 1
    local: bool = False
    first: int = -1
    last: int = -1
    address: int = -1

    @property
    def base(self) -> int:
        """Virtual address of row 0."""
        return (self.address - self.row0 * self.width) & 0xFFFF

    def at_row(self, row: int) -> int:
        """Address of a row."""
        return self.address + (row - self.row0) * self.width


@dataclass(slots=True, eq=False)
class Blob:
    """Bytes that LOAD brings into a ring: weights, parameters or a list; ``data`` makes them when they are needed."""

    words: int
    owner: str
    data: Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class Trace:
    """Tensor and channels of the result words; ``width`` is that of the output, ``rows`` those computed."""

    tensor: str
    channels: tuple[int, ...]
    width: int
    rows: tuple[int, int]


@dataclass(slots=True, eq=False)
class Draft:
    """One instruction.

    Attributes:
        fields: final values; addresses: fields that take a buffer's base (``win_base``: its address).
        rows: fields that take the address of a row: name to buffer and row.
        planes: buffers that the list of DENSE names, None for a plane of which no row is read.
        weights, params: what the rings must hold.
        touches: buffers in use.
        step: index of the step it belongs to.
    """

    opcode: Opcode
    step: int
    fields: dict[str, int]
    addresses: dict[str, Buffer] = field(default_factory=dict)
    rows: dict[str, tuple[Buffer, int]] = field(default_factory=dict)
    planes: tuple[Buffer | None, ...] = ()
    weights: Blob | None = None
    params: Blob | None = None
    trace: Trace | None = None
    touches: list[Buffer] = field(default_factory=list)
