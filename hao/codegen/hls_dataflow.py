"""The canonical form of a dataflow region: streams and calls, one producer before one consumer, memories read before written."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from hao.codegen.hls_source import Function, split_arguments, statements

_STREAM = re.compile(r"hls::stream<.*> (\w+)\(\"\"\)")
_CALL = re.compile(r"(\w+)\((.*)\)")


@dataclass(frozen=True, slots=True)
class _Use:
    """One process touches a variable: position of the process, and how."""

    position: int
    writes: bool
    reads: bool


def _access(process: Function, index: int, position: int) -> _Use:
    parameter = process.parameters[index]
    if "stream" in parameter.type:
        writes = re.search(rf"\b{parameter.name}\.write\(", process.body) is not None
        reads = re.search(rf"\b{parameter.name}\.read\(", process.body) is not None
        return _Use(position, writes, reads)
    by_reference = "&" in parameter.type or "*" in parameter.type
    return _Use(position, parameter.writable, by_reference and not parameter.writable)


def _stream_faults(name: str, uses: Sequence[_Use]) -> Iterator[tuple[str, str]]:
    writers = [use.position for use in uses if use.writes]
    readers = [use.position for use in uses if use.reads]
    if len(writers) != 1 or len(readers) != 1:
        yield "stream without exactly one producer and one consumer", f"{name}: {len(writers)} and {len(readers)}"
    elif writers[0] >= readers[0]:
        yield "stream consumed before it is produced", name


def _memory_faults(name: str, uses: Sequence[_Use]) -> Iterator[tuple[str, str]]:
    writers = [use.position for use in uses if use.writes]
    readers = [use.position for use in uses if use.reads]
    if len(writers) > 1 or len(readers) > 1:
        yield "memory with several readers or writers in a dataflow region", f"{name}: {len(readers)} and {len(writers)}"
    elif writers and readers and writers[0] < readers[0]:
        yield "memory written before it is read in a dataflow region", name


def dataflow_faults(region: Function, known: Mapping[str, Function]) -> Iterator[tuple[str, str]]:
    """Departures of ``region`` from the canonical form, as (rule, text).

    Args:
        region: the function with the DATAFLOW pragma.
        known: every function by name.
    """
    uses: dict[str, list[_Use]] = {}
    streams: set[str] = set()
    for position, statement in enumerate(statements(region.body)):
        stream, call = _STREAM.fullmatch(statement), _CALL.fullmatch(statement)
        if stream is not None:
            streams.add(stream.group(1))
            uses[stream.group(1)] = []
        elif call is None or call.group(1) not in known:
            yield "statement that is neither a stream nor a process in a dataflow region", statement
        else:
            for index, argument in enumerate(split_arguments(call.group(2))):
                uses.setdefault(argument, []).append(_access(known[call.group(1)], index, position))
    for name, found in uses.items():
        yield from _stream_faults(name, found) if name in streams else _memory_faults(name, found)
