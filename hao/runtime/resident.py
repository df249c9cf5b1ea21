"""Programs in a board's memory: each with its image, its scratch, and pairs of input and output for frames in flight."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from hao.engine.isa import INSTRUCTION_BYTES
from hao.errors import ConfigurationMismatch, DataError, ImageFormatError, SimulationError
from hao.runtime.device import ADDRESS_BITS, BASE_ALIGNMENT, Buffer, Device


class Loadable(Protocol):
    """What the driver needs to know of a program image."""

    @property
    def dram(self) -> bytes:
        """Bytes to place at base IMAGE: parameters, weights, lists and the program."""

    @property
    def program_offset(self) -> int:
        """Byte offset of the program in ``dram``, a multiple of 64."""

    @property
    def program_count(self) -> int:
        """Instructions of the program."""

    @property
    def config_digest(self) -> str:
        """SHA-256 of the configuration it was compiled for, hexadecimal."""

    @property
    def input_bytes(self) -> int:
        """Bytes of one input frame as the program reads it."""

    @property
    def output_bytes(self) -> int:
        """Bytes that the program writes behind base OUTPUT."""

    @property
    def scratch_bytes(self) -> int:
        """Bytes that the program needs behind base SCRATCH."""


def check_image(image: Loadable, hardware: int, device: str) -> None:
    """Refuse an image that cannot run.

    Args:
        image: the image.
        hardware: first 64 bits of the configuration digest in the engine's registers.
        device: name of the board, for the message.

    Raises:
        ConfigurationMismatch: it was compiled for another configuration.
        ImageFormatError: the program does not lie inside the image.
    """
    wanted = int(image.config_digest[:16], 16)
    if hardware != wanted:
        message = f"the program image is for configuration {wanted:016x}, the engine on {device} is {hardware:016x}"
        raise ConfigurationMismatch(message, "compile the network for this engine's configuration, or load the bitstream of that one")
    end = image.program_offset + image.program_count * INSTRUCTION_BYTES
    if image.program_offset % INSTRUCTION_BYTES or end > len(image.dram) or image.program_count < 1:
        raise ImageFormatError("the program does not lie inside the program image", "compile the network again")


def allocate(device: Device, size: int) -> Buffer:
    """A buffer of at least ``size`` bytes that the engine can address, with no line dirty in the host's cache.

    Raises:
        SimulationError: the memory is full, or the board gives memory that the engine cannot address.
    """
    buffer = device.allocate(max(size, BASE_ALIGNMENT))
    if buffer.address % BASE_ALIGNMENT or buffer.address + size > 1 << ADDRESS_BITS:
        raise SimulationError(f"{device.name} gives memory at 0x{buffer.address:X}", "the engine needs multiples of 64 below 2^40")
    buffer.flush()
    return buffer


@dataclass(frozen=True, slots=True, eq=False)
class Slot:
    """Input and output of one frame in flight."""

    source: Buffer
    target: Buffer

    def place(self, frame: bytes) -> None:
        """Put a frame where the engine reads it.

        Raises:
            DataError: it is longer than the program's input.
        """
        if len(frame) > self.source.array.size:
            raise DataError(f"a frame of {len(frame)} bytes does not fit the {self.source.array.size} that the program reads")
        self.source.array[: len(frame)] = np.frombuffer(frame, np.uint8)
        self.source.flush()

    def collect(self) -> bytes:
        """What the engine wrote."""
        self.target.invalidate()
        return self.target.array.tobytes()


@dataclass(frozen=True, slots=True, eq=False)
class Resident:
    """A program image in the board's memory.

    Attributes:
        image: what was loaded.
        memory: behind base IMAGE.
        scratch: behind base SCRATCH.
        slots: at least one; two let the host work on one frame while the engine works on the other.
    """

    image: Loadable
    memory: Buffer
    scratch: Buffer
    slots: tuple[Slot, ...]

    @classmethod
    def install(cls, device: Device, image: Loadable, slots: int) -> Resident:
        """Place ``image`` in the memory of ``device``; all or nothing.

        Raises:
            SimulationError: the memory is too small.
        """
        sizes = [len(image.dram), image.scratch_bytes, *(image.input_bytes, image.output_bytes) * slots]
        buffers: list[Buffer] = []
        try:
            buffers.extend(allocate(device, size) for size in sizes)
        except SimulationError:
            for buffer in buffers:
                buffer.release()
            raise
        memory, scratch, *frames = buffers
        memory.array[: len(image.dram)] = np.frombuffer(image.dram, np.uint8)
        memory.flush()
        return cls(image, memory, scratch, tuple(map(Slot, frames[::2], frames[1::2])))

    def bases(self, slot: Slot) -> dict[str, Buffer]:
        """The buffers behind the base registers for a frame in ``slot``."""
        return {"IMAGE": self.memory, "INPUT": slot.source, "OUTPUT": slot.target, "SCRATCH": self.scratch}

    def release(self) -> None:
        """Give all buffers back."""
        for buffer in (self.memory, self.scratch, *(each for slot in self.slots for each in (slot.source, slot.target))):
            buffer.release()
