"""Reading files that somebody else wrote: regular ones only, bounded, whole, and with few ways to fail.

A named pipe or a device given as a file would make a program wait for ever, or read without end; a file that grows or shrinks
while it is read is neither what it was nor what it becomes. All of these are refused with an :class:`OSError`, which every loader turns
into an error of its own that names the file. Parsers raise :class:`ValueError` and nothing else, however deeply a text is nested.
"""

from __future__ import annotations

import errno
import json
import os
import stat
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

MOST_BYTES = 1 << 30
"""Largest file that is read whole."""


def _open(path: str | os.PathLike[str]) -> int:
    """A descriptor of a regular file. ``O_NONBLOCK``: opening a pipe that nobody writes to must not wait."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "not a regular file", os.fspath(path))
    return handle


def regular(path: Path) -> Path:
    """``path``, for readers that open it themselves.

    Raises:
        OSError: it does not exist, cannot be read or is no regular file.
    """
    try:
        os.close(_open(path))
    except ValueError as error:  # a NUL in the name
        raise OSError(errno.EINVAL, str(error), repr(path)) from None
    return path


def read_file(path: Path, most: int = MOST_BYTES) -> bytes:
    """All of a regular file.

    Args:
        path: of the file.
        most: bytes; a larger file is refused.

    Raises:
        OSError: it cannot be read, is no regular file, is larger, or changed its size meanwhile.
    """
    try:
        handle = _open(path)
    except ValueError as error:
        raise OSError(errno.EINVAL, str(error), repr(path)) from None
    with os.fdopen(handle, "rb") as file:
        size = os.fstat(handle).st_size
        if size > most:
            raise OSError(errno.EFBIG, f"{size} bytes, at most {most} are read", os.fspath(path))
        data = file.read(size + 1)
    if len(data) != size:
        raise OSError(errno.EAGAIN, "its size changed while it was read", os.fspath(path))
    return data


def read_text(path: Path, most: int = MOST_BYTES) -> str:
    """All of a regular file as UTF-8, line ends as they are.

    Raises:
        OSError: see :func:`read_file`.
        UnicodeDecodeError: a :class:`ValueError`.
    """
    return read_file(path, most).decode("utf-8")


def parse_json(text: str | bytes) -> Any:
    """A JSON value.

    Raises:
        ValueError: it is none, or nested too deeply.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def read_json(path: Path) -> Any:
    """The JSON value in a regular file.

    Raises:
        OSError: see :func:`read_file`.
        ValueError: no JSON, or nested too deeply.
    """
    return parse_json(read_text(path))


def read_toml(path: Path) -> dict[str, Any]:
    """The TOML table in a regular file.

    Raises:
        OSError: see :func:`read_file`.
        ValueError: no TOML, or nested too deeply.
    """
    try:
        return tomllib.loads(read_text(path))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def read_safetensors(path: Path) -> tuple[dict[str, str], dict[str, npt.NDArray[Any]]]:
    """Metadata and arrays of a safetensors file, read and not mapped: a file that shrinks under a mapping ends the process.

    Raises:
        OSError: see :func:`read_file`.
        ValueError: damaged, or an array of a type that numpy does not have.
    """
    from safetensors import SafetensorError, deserialize

    data = read_file(path)
    try:
        rows = deserialize(data)  # type: ignore[no-untyped-call]
        arrays = {name: np.frombuffer(row["data"], _NUMPY[row["dtype"]]).reshape(row["shape"]) for name, row in rows}
    except SafetensorError as error:
        raise ValueError(str(error)) from None
    except KeyError as error:
        raise ValueError(f"a tensor of type {error.args[0]}") from None
    header = parse_json(data[8 : 8 + int.from_bytes(data[:8], "little")])
    return header.get("__metadata__", {}), arrays


_NUMPY = {
    "BOOL": "?", "U8": "u1", "I8": "i1", "U16": "<u2", "I16": "<i2", "U32": "<u4", "I32": "<i4", "U64": "<u8", "I64": "<i8",
    "F16": "<f2", "F32": "<f4", "F64": "<f8",
}  # fmt: skip
