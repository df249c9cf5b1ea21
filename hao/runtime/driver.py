"""The driver: loads a program image onto a device, runs frames, reads counters. The same class drives simulator and silicon."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from hao.engine.isa import INSTRUCTION_BYTES, ISA_VERSION, BaseSelect, Unit
from hao.engine.regs import MAGIC, OFFSETS, UNIT_COUNTERS, Fault
from hao.errors import ConfigurationMismatch, DataError, ImageFormatError, SimulationError
from hao.runtime.device import Buffer, Device

START, SOFT_RESET = 1, 2
BUSY, DONE, FAULT = 1, 2, 4
DEFAULT_TIMEOUT_CYCLES = 50_000_000
_WORD = 0xFFFF_FFFF
_RESET_POLLS = 100_000


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


@dataclass(frozen=True, slots=True)
class UnitCounters:
    """Performance counters of one unit: instructions completed, and cycles (see ``hao.engine.regs``)."""

    count: int
    busy: int
    wait_dep: int
    stall: int


@dataclass(frozen=True, slots=True)
class Counters:
    """Performance counters of one frame; ``cycles`` is from the start register to done."""

    cycles: int
    read_beats: int
    write_beats: int
    units: dict[str, UnitCounters]


class Driver:
    """Drives one engine.

    Args:
        device: the board.
        timeout_cycles: cycles after which a frame is given up.

    Raises:
        ConfigurationMismatch: there is no HAO engine at the device's registers, or one of another ISA version.
    """

    def __init__(self, device: Device, timeout_cycles: int = DEFAULT_TIMEOUT_CYCLES) -> None:
        self.device = device
        self._timeout = timeout_cycles
        self._buffers: dict[str, Buffer] = {}
        self._count = 0
        magic, version = self._read("MAGIC"), self._read("ISA_VERSION")
        if magic != MAGIC:
            raise ConfigurationMismatch(f"no HAO engine answers on {device.name}: MAGIC is 0x{magic:08X}", "load the bitstream first")
        if version != ISA_VERSION:
            message = f"the engine on {device.name} has instruction set {version}, this is hao for {ISA_VERSION}"
            raise ConfigurationMismatch(message, "use the bitstream that belongs to this version")

    def _read(self, name: str) -> int:
        return self.device.mmio_read(OFFSETS[name])

    def _write(self, name: str, value: int) -> None:
        self.device.mmio_write(OFFSETS[name], value)

    def _write_address(self, name: str, address: int) -> None:
        self._write(f"{name}_LO", address & _WORD)
        self._write(f"{name}_HI", address >> 32)

    def config_digest64(self) -> int:
        """First 64 bits of the hardware's configuration digest."""
        return self._read("CONFIG_HI") << 32 | self._read("CONFIG_LO")

    def soft_reset(self) -> None:
        """Stop the engine, outstanding bus traffic drained, and forget a fault.

        Raises:
            SimulationError: the bus still owes answers after many polls.
        """
        self._write("CONTROL", SOFT_RESET)
        for _ in range(_RESET_POLLS):
            if not self._read("STATUS") & BUSY:
                self._write("IRQ_STATUS", 3)
                return
        raise SimulationError(f"the engine on {self.device.name} does not come out of reset", "the bus owes it answers: reset the board")

    def load(self, image: Loadable) -> None:
        """Place ``image`` in the device's memory and point the engine at it; replaces what was loaded before.

        Raises:
            ConfigurationMismatch: the image was compiled for another configuration.
            ImageFormatError: the program does not lie inside the image.
            SimulationError: the device's memory is too small.
        """
        hardware, wanted = self.config_digest64(), int(image.config_digest[:16], 16)
        if hardware != wanted:
            message = f"the program image is for configuration {wanted:016x}, the engine on {self.device.name} is {hardware:016x}"
            raise ConfigurationMismatch(message, "compile the network for this engine's configuration")
        end = image.program_offset + image.program_count * INSTRUCTION_BYTES
        if image.program_offset % INSTRUCTION_BYTES or end > len(image.dram) or image.program_count < 1:
            raise ImageFormatError("the program does not lie inside the program image", "compile the network again")
        self.device.release_all()
        sizes = {"IMAGE": len(image.dram), "INPUT": image.input_bytes, "OUTPUT": image.output_bytes, "SCRATCH": image.scratch_bytes}
        self._buffers = {name: self.device.allocate(max(size, INSTRUCTION_BYTES)) for name, size in sizes.items()}
        memory = self._buffers["IMAGE"]
        memory.array[: len(image.dram)] = np.frombuffer(image.dram, np.uint8)
        memory.flush()
        self._write_address("PROGRAM", memory.address + image.program_offset)
        self._write("PROGRAM_COUNT", image.program_count)
        for name, buffer in self._buffers.items():
            self._write_address(name, buffer.address)
        self._count = image.program_count

    def run(self, frame: bytes, *, clear: bool = False) -> bytes:
        """Run one frame: input bytes as the program reads them in, output bytes as it wrote them out.

        Args:
            frame: the input.
            clear: zero the memory behind OUTPUT and SCRATCH first; otherwise what the program does not write is noise.

        Raises:
            DataError: the frame is not as long as the program wants it.
            SimulationError: nothing is loaded, the engine timed out or reported a fault.
        """
        if not self._buffers:
            raise SimulationError("no program image is loaded", "call load first")
        source, target = self._buffers["INPUT"], self._buffers["OUTPUT"]
        if len(frame) > source.array.size:
            raise DataError(f"a frame of {len(frame)} bytes does not fit the {source.array.size} that the program reads")
        source.array[: len(frame)] = np.frombuffer(frame, np.uint8)
        source.flush()
        if clear:
            for name in ("OUTPUT", "SCRATCH"):
                self._buffers[name].array[:] = 0
                self._buffers[name].flush()
        self._write("IRQ_STATUS", 3)
        self._write("IRQ_ENABLE", 3)
        self._write("CONTROL", START)
        if not self.device.wait_interrupt(self._timeout):
            raise SimulationError(f"the engine on {self.device.name} is not done after {self._timeout} cycles: {self._position()}")
        status = self._read("STATUS")
        self._write("IRQ_STATUS", 3)
        if status & FAULT or not status & DONE:
            code = self._read("FAULT")
            name = Fault(code).name if code in {fault.value for fault in Fault} else str(code)
            position = self._position()
            self.soft_reset()
            raise SimulationError(f"the engine on {self.device.name} reports fault {name}: {position}")
        target.invalidate()
        return target.array.tobytes()

    def read(self, base: BaseSelect) -> bytes:
        """Bytes behind a base register as the engine left them.

        Raises:
            SimulationError: nothing is loaded.
        """
        if not self._buffers:
            raise SimulationError("no program image is loaded", "call load first")
        buffer = self._buffers[base.name]
        buffer.invalidate()
        return buffer.array.tobytes()

    def _position(self) -> str:
        """How far every unit has come, for error messages."""
        counts = ", ".join(f"{unit.name} {self._read(f'{unit.name}_COUNT')}" for unit in Unit)
        return f"status {self._read('STATUS')}, {self._count} instructions, completed: {counts}"

    def counters(self) -> Counters:
        """The counters of the last frame."""
        fields = ("COUNT", *(name.upper() for name in UNIT_COUNTERS))
        units = {unit.name: UnitCounters(*(self._read(f"{unit.name}_{field}") for field in fields)) for unit in Unit}
        return Counters(self._read("CYCLES"), self._read("READ_BEATS"), self._read("WRITE_BEATS"), units)
