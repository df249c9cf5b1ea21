"""The manifest of a program image: what is in the file, for whom it was compiled, where things lie."""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from hao.engine.config import EngineConfig

FORMAT_VERSION = 1
"""Version of the container; readers refuse any other."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class InputFormat(_Frozen):
    """The image in DRAM: ``height`` rows of ``row_bytes`` bytes, four bytes a pixel, channel ``c`` in byte ``c``."""

    channels: int = Field(ge=1, le=3)
    height: int = Field(ge=1)
    width: int = Field(ge=1)
    row_bytes: int = Field(ge=16)

    @property
    def size(self) -> int:
        """Bytes of the whole image."""
        return self.height * self.row_bytes


class OutputPlacement(_Frozen):
    """Where an output tensor lies behind base OUTPUT.

    Attributes:
        planes: byte offset of each plane of ``height * width`` words.
        channels: plane index and lane of every channel.
    """

    name: str
    height: int = Field(ge=1)
    width: int = Field(ge=1)
    bits: int = Field(ge=1, le=8)
    signed: bool
    planes: tuple[int, ...] = Field(min_length=1)
    channels: tuple[tuple[int, int], ...] = Field(min_length=1)


class Manifest(_Frozen):
    """Everything about an image but its bytes.

    Attributes:
        network, network_digest: name of the graph and SHA-256 of the integer graph that was compiled.
        config, config_digest: the engine it was compiled for.
        program_offset, program_count: place of the program behind base IMAGE, bytes, and its instructions.
        outputs: placement of every output, in graph order.
        tensors: names that the trace map refers to by index.
        output_bytes, scratch_bytes: sizes behind the bases.
        sha256: over this manifest (without this field) and every tensor of the file.
    """

    REGION_LIMIT: ClassVar[int] = (1 << 31) - 1
    """Most bytes behind any base register."""

    format_version: int = FORMAT_VERSION
    isa_version: int
    network: str
    network_digest: str
    config: EngineConfig
    config_digest: str
    program_offset: int = Field(ge=0, le=REGION_LIMIT)
    program_count: int = Field(ge=1, le=REGION_LIMIT)
    input: InputFormat
    outputs: tuple[OutputPlacement, ...] = Field(min_length=1)
    output_bytes: int = Field(ge=1, le=REGION_LIMIT)
    scratch_bytes: int = Field(ge=0, le=REGION_LIMIT)
    tensors: tuple[str, ...]
    sha256: str = ""
