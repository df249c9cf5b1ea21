"""What the tests of hostile files share: mutations of bytes, and JSON values that no writer of ours would write."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from hypothesis import strategies as st
from safetensors.numpy import load, save

_INTERESTING = (b"\0", b"\xff", b"\x80", b"\x7f\xff\xff\xff", b"\xff" * 8, b'"', b"{", b"}", b"[", b"\\u0000", b"../", b"9" * 5000, b"\n")


@st.composite
def mutated(draw: st.DrawFn, data: bytes) -> bytes:
    """``data`` with one to four mutations: truncated, bits flipped, bytes inserted, removed, repeated or replaced."""
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(0, len(data) - 1)))
        # headers are where a parser can be confused: half of the mutations go there
        at = at % 600 if draw(st.booleans()) else at
        length = draw(st.sampled_from([1, 2, 8, 64]))
        kind = draw(st.integers(0, 5))
        if kind == 0:
            data = data[:at]
        elif kind == 1 and data:
            at = min(at, len(data) - 1)
            data = data[:at] + bytes([data[at] ^ 1 << draw(st.integers(0, 7))]) + data[at + 1 :]
        elif kind == 2:
            data = data[:at] + draw(st.sampled_from(_INTERESTING)) + data[at:]
        elif kind == 3:
            data = data[:at] + data[at + length :]
        elif kind == 4:
            data = data[: at + length] + data[at:]
        else:
            part = draw(st.sampled_from(_INTERESTING))
            data = data[:at] + part + data[at + len(part) :]
    return data


ABSURD: tuple[Any, ...] = (
    None, True, -1, 0, 1, 2**31, 2**63, 2**70, -(2**63), 1.5, 1e308, "", "x", "../../etc/passwd", "a\nb", "$(reboot)", "]; exec reboot; [",
    '"; } int main() {', "<script>", "\u0000", "x" * 10_000, [], [[]], [-1], [2**40], [None], {}, {"a": 1},
)  # fmt: skip
"""JSON values for any field."""

DEEP = "[" * 100_000
"""JSON nested deeper than any stack."""


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Paths of all values inside a JSON value."""
    found = [at] if at else []
    children: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        children = list(value.items())
    elif isinstance(value, list):
        children = list(enumerate(value))
    for key, child in children:
        found += places(child, (*at, key))
    return found


def replaced(value: Any, at: tuple[Any, ...], new: Any) -> Any:
    """A copy of a JSON value with another value at a path."""
    copy = json.loads(json.dumps(value))
    inner = copy
    for key in at[:-1]:
        inner = inner[key]
    inner[at[-1]] = new
    return copy


def opened(data: bytes, entry: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The JSON metadata ``entry`` and the tensors of a safetensors file."""
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    return json.loads(header["__metadata__"][entry]), load(data)


def closed(structure: Any, tensors: dict[str, np.ndarray], entry: str) -> bytes:
    """A safetensors file of both; ``structure`` as text is taken as it is."""
    return bytes(save(tensors, {entry: structure if isinstance(structure, str) else json.dumps(structure)}))
