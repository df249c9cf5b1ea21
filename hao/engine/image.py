"""The program image: the one file that every engine runs, and how its inputs, outputs and taps are read."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError
from safetensors.numpy import save as safetensors_save

from hao.engine.config import EngineConfig
from hao.engine.consistency import contradictions
from hao.engine.encode import Instruction, decode_program
from hao.engine.isa import INSTRUCTION_BYTES, ISA_VERSION, WORD_BYTES, BaseSelect
from hao.engine.manifest import FORMAT_VERSION, Manifest
from hao.engine.trace import TraceMap
from hao.errors import ConfigurationMismatch, DataError, ImageFormatError
from hao.files import parse_json, read_safetensors

_TENSORS: dict[str, str] = {
    "dram": "uint8",
    "trace_unit": "uint8",
    "trace_seq": "uint32",
    "trace_tensor": "uint32",
    "trace_width": "uint32",
    "trace_first": "uint32",
    "trace_count": "uint32",
    "trace_channels": "int32",
}
_AGAIN = "compile the network again"


def _digest(manifest: Manifest, tensors: Mapping[str, npt.NDArray[np.generic]]) -> str:
    state = hashlib.sha256(manifest.model_copy(update={"sha256": ""}).model_dump_json().encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        state.update(f"{name}:{tensor.dtype}:{tensor.shape};".encode())
        state.update(np.ascontiguousarray(tensor).tobytes())
    return state.hexdigest()


@dataclass(frozen=True, slots=True, eq=False)
class ProgramImage:
    """A compiled network.

    Attributes:
        manifest: what the bytes mean.
        dram: bytes to place behind base IMAGE: weights, parameters, lists and the program.
        trace: which tensor and channels every result word belongs to.
    """

    manifest: Manifest
    dram: bytes
    trace: TraceMap

    @property
    def config(self) -> EngineConfig:
        """The engine that the image was compiled for."""
        return self.manifest.config

    @property
    def digest(self) -> str:
        """SHA-256 over everything in the image."""
        return _digest(self.manifest, self._tensors())

    def program(self) -> tuple[Instruction, ...]:
        """The decoded instructions, END last."""
        start = self.manifest.program_offset
        return decode_program(self.dram[start : start + self.manifest.program_count * INSTRUCTION_BYTES])

    def require_config(self, config: EngineConfig) -> None:
        """Refuse an engine other than the one the image was compiled for.

        Raises:
            ConfigurationMismatch: the digests differ; the message names the parameters that do.
        """
        if config.digest() == self.manifest.config_digest:
            return
        mine, other = self.config.model_dump(), config.model_dump()
        unequal = ", ".join(f"{name} {mine[name]} against {other[name]}" for name in mine if mine[name] != other[name])
        raise ConfigurationMismatch(
            f"the image of {self.manifest.network} was compiled for another engine: {unequal or 'another instruction set'}",
            "compile it for this engine",
        )

    def pack_input(self, image: npt.NDArray[np.uint8]) -> bytes:
        """The bytes behind base INPUT for an image ``(C, H, W)`` of unsigned bytes.

        Raises:
            DataError: another shape or type.
        """
        form = self.manifest.input
        wanted = (form.channels, form.height, form.width)
        if image.shape != wanted or image.dtype != np.uint8:
            raise DataError(
                f"the image has shape {image.shape} and type {image.dtype}",
                f"{self.manifest.network} takes unsigned bytes of shape {wanted} (channels, height, width)",
            )
        rows = np.zeros((form.height, form.row_bytes // 4, 4), np.uint8)
        rows[:, : form.width, : form.channels] = image.transpose(1, 2, 0)
        return rows.tobytes()

    def unpack_output(self, data: bytes | bytearray) -> dict[str, npt.NDArray[np.int32]]:
        """Output tensors ``(C, H, W)`` by name, in graph order, from the bytes behind base OUTPUT.

        Raises:
            DataError: fewer bytes than the outputs take.
        """
        if len(data) < self.manifest.output_bytes:
            raise DataError(f"the outputs of {self.manifest.network} take {self.manifest.output_bytes} bytes, not {len(data)}")
        raw = np.frombuffer(data, np.uint8)
        result: dict[str, npt.NDArray[np.int32]] = {}
        for place in self.manifest.outputs:
            pixels = place.height * place.width
            planes = [raw[at : at + pixels * WORD_BYTES].reshape(pixels, WORD_BYTES) for at in place.planes]
            bytes_ = np.stack([planes[plane][:, lane] for plane, lane in place.channels])
            values = bytes_.view(np.int8) if place.signed else bytes_
            result[place.name] = values.astype(np.int32).reshape(-1, place.height, place.width)
        return result

    def regions(self, packed_input: bytes) -> dict[BaseSelect, bytes]:
        """Initial bytes behind every base register for one frame."""
        return {
            BaseSelect.IMAGE: self.dram,
            BaseSelect.INPUT: packed_input,
            BaseSelect.OUTPUT: bytes(self.manifest.output_bytes),
            BaseSelect.SCRATCH: bytes(self.manifest.scratch_bytes),
        }

    def _tensors(self) -> dict[str, npt.NDArray[np.generic]]:
        return {"dram": np.frombuffer(self.dram, np.uint8), **self.trace.tensors()}

    def tobytes(self) -> bytes:
        """The file."""
        manifest = self.manifest.model_copy(update={"sha256": self.digest})
        # safetensors orders metadata at random; one key keeps equal images equal files
        return bytes(safetensors_save(self._tensors(), {"manifest": manifest.model_dump_json()}))

    def save(self, path: Path) -> None:
        """Write the file, whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(self.tobytes())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)

    @classmethod
    def load(cls, path: Path, config: EngineConfig | None = None) -> ProgramImage:
        """Read a file and check it.

        Args:
            path: the file.
            config: the engine that shall run it; None accepts any.

        Raises:
            ImageFormatError: not a program image, truncated, altered, or of another version.
            ConfigurationMismatch: compiled for another engine.
        """
        manifest, tensors = _read(path)
        if _digest(manifest, tensors) != manifest.sha256:
            raise ImageFormatError(f"{path} was altered: its SHA-256 does not match", _AGAIN)
        for contradiction in contradictions(manifest, tensors):
            raise ImageFormatError(f"{path}: {contradiction}", _AGAIN)
        image = cls(manifest, tensors["dram"].tobytes(), TraceMap.from_tensors(tensors, manifest.tensors))
        if config is not None:
            image.require_config(config)
        return image


def _read(path: Path) -> tuple[Manifest, dict[str, npt.NDArray[np.generic]]]:
    try:
        metadata, tensors = read_safetensors(path)
    except FileNotFoundError:
        raise ImageFormatError(f"there is no program image {path}", "compile the network first") from None
    except (OSError, ValueError) as error:
        raise ImageFormatError(f"{path} is no program image, or truncated: {error}", _AGAIN) from None
    if "manifest" not in metadata:
        raise ImageFormatError(f"{path} is no program image: it has no manifest", "give the file that the compiler wrote")
    manifest = _manifest(path, metadata["manifest"])
    for name, dtype in _TENSORS.items():
        if name not in tensors or str(tensors[name].dtype) != dtype:
            raise ImageFormatError(f"{path}: tensor `{name}` is missing or not {dtype}", _AGAIN)
    return manifest, tensors


def _manifest(path: Path, text: str) -> Manifest:
    try:
        version = parse_json(text).get("format_version")
    except (ValueError, AttributeError):
        raise ImageFormatError(f"{path}: the manifest is unreadable", _AGAIN) from None
    if version != FORMAT_VERSION:
        raise ImageFormatError(f"{path} has format version {version}; this program reads {FORMAT_VERSION}", _AGAIN)
    try:
        manifest = Manifest.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ImageFormatError(f"{path}: manifest field {place}: {first['msg']}", _AGAIN) from None
    if manifest.isa_version != ISA_VERSION:
        raise ImageFormatError(f"{path} has instruction set version {manifest.isa_version}; this program knows {ISA_VERSION}", _AGAIN)
    if manifest.config.digest() != manifest.config_digest:
        raise ImageFormatError(f"{path}: the configuration does not match its digest", _AGAIN)
    return manifest
