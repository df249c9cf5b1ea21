"""Reproducers: a failing case as files that a test replays, with everything in them that the generators drew.

A network is ``<name>.safetensors`` (an integer checkpoint) beside ``<name>.json``; a program lies in the JSON file whole. Nothing
depends on a seed, so that a later change of a generator leaves them alone.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import zlib
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hao.compiler.random_program import RandomProgram
from hao.engine.config import EngineConfig
from hao.engine.encode import decode_program
from hao.engine.isa import INSTRUCTION_BYTES
from hao.errors import DataError
from hao.files import read_file
from hao.fuzz.case import Case, image_shape
from hao.fuzz.programs import ProgramCase
from hao.ir.serialize import load_graph, save_graph
from hao.runtime.timing import DramTiming

_LARGEST = 1 << 28


class Memory(BaseModel):
    """The memory of a program: compressed bytes behind IMAGE and INPUT in base 64, sizes of the others."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    image: str
    input: str
    output_bytes: int = Field(ge=0, le=_LARGEST)
    scratch_bytes: int = Field(ge=0, le=_LARGEST)
    program_offset: int = Field(ge=0, le=_LARGEST)


class Reproducer(BaseModel):
    """What ``<name>.json`` holds.

    Attributes:
        found: seed and index of the case that was shrunk.
        stage, message: how it failed.
        pixels: compressed picture of a network, in base 64; None for a program.
        memory: of a program; None for a network.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    version: Literal[1] = 1
    found: str
    stage: str
    message: str
    configuration: str
    config: EngineConfig
    timing: dict[str, float]
    fill: int = Field(ge=0, le=255)
    pixels: str | None = None
    memory: Memory | None = None


def _pack(data: bytes) -> str:
    return base64.b64encode(zlib.compress(data, 9)).decode()


def _unpack(path: Path, text: str) -> bytes:
    unpacker = zlib.decompressobj()
    try:
        data = unpacker.decompress(base64.b64decode(text, validate=True), _LARGEST)
    except (binascii.Error, zlib.error, ValueError) as error:
        raise DataError(f"{path} is damaged: {error}", "copy it again") from error
    if not unpacker.eof:
        raise DataError(f"{path} holds truncated bytes, or more than {_LARGEST}", "copy it again")
    return data


def _write(path: Path, content: Reproducer) -> None:
    partial = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(content.model_dump_json(indent=1, exclude_none=True) + "\n", encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror}", "choose another folder") from error


def save_reproducer(case: Case | ProgramCase, config: EngineConfig, stage: str, message: str, folder: Path, name: str) -> Path:
    """Write a case to ``folder`` as ``name``.

    Returns:
        The JSON file.

    Raises:
        DataError, CheckpointError: the files cannot be written.
    """
    path = folder / f"{name}.json"
    common: dict[str, Any] = {
        "found": case.name,
        "stage": stage,
        "message": message,
        "configuration": case.config,
        "config": config,
        "timing": dataclasses.asdict(case.timing),
        "fill": case.fill,
    }
    if isinstance(case, Case):
        save_graph(case.graph, path.with_suffix(".safetensors"))
        _write(path, Reproducer(**common, pixels=_pack(case.pixels.tobytes())))
        return path
    program = case.program
    memory = Memory(
        image=_pack(program.image),
        input=_pack(program.input),
        output_bytes=program.output_bytes,
        scratch_bytes=program.scratch_bytes,
        program_offset=program.program_offset,
    )
    _write(path, Reproducer(**common, memory=memory))
    return path


def load_reproducer(path: Path) -> tuple[Case | ProgramCase, EngineConfig]:
    """Read a case that :func:`save_reproducer` wrote, and the configuration of its engine.

    Raises:
        DataError: unreadable, damaged, or of another version.
        CheckpointError, ImageFormatError: its network or program is damaged.
    """
    try:
        content = Reproducer.model_validate_json(read_file(path))
        timing = DramTiming(**{field.name: _number(content.timing[field.name]) for field in dataclasses.fields(DramTiming)})  # type: ignore[arg-type]
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}", "give a file that hao fuzz wrote") from error
    except (ValidationError, KeyError) as error:
        raise DataError(f"{path} is no reproducer of version 1: {str(error).splitlines()[0]}", "give a file that hao fuzz wrote") from error
    common = (content.found, content.configuration)
    if content.memory is not None:
        return ProgramCase(*common, _program(path, content.config, content.memory), timing, content.fill), content.config
    graph = load_graph(path.with_suffix(".safetensors"))
    shape, data = image_shape(graph), _unpack(path, content.pixels or "")
    if len(data) != int(np.prod(shape)):
        raise DataError(f"{path}: {len(data)} bytes are no picture of shape {shape}", "copy it again")
    pixels = np.frombuffer(data, np.uint8).reshape(shape)
    return Case(*common, graph, pixels, timing, content.fill, "reproducer", "reproducer"), content.config


def _number(value: float) -> float | int:
    return int(value) if float(value).is_integer() else value


def _program(path: Path, config: EngineConfig, memory: Memory) -> RandomProgram:
    image = _unpack(path, memory.image)
    code = image[memory.program_offset :]
    if not code or len(code) % INSTRUCTION_BYTES:
        raise DataError(f"{path}: {len(code)} bytes are no program", "copy it again")
    return RandomProgram(
        config, decode_program(code), image, _unpack(path, memory.input), memory.output_bytes, memory.scratch_bytes, memory.program_offset
    )
