"""The driver: loads program images onto a device, runs frames, reads counters. The same class drives simulator and silicon."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import NoReturn

from hao.engine.isa import ISA_VERSION, BaseSelect, Unit
from hao.engine.regs import MAGIC, OFFSETS, UNIT_COUNTERS, Fault
from hao.errors import BusError, ConfigurationMismatch, EngineFault, EngineReset, EngineTimeout, SimulationError, UsageError
from hao.runtime.device import Buffer, Device
from hao.runtime.resident import Loadable, Resident, Slot, check_image

START, SOFT_RESET = 1, 2
BUSY, DONE, FAULT = 1, 2, 4
DEFAULT_TIMEOUT_CYCLES = 50_000_000
_WORD = 0xFFFF_FFFF
_RESET_POLLS = 100_000
_SLICE_CYCLES = 1_000_000
"""An interrupt is awaited in parts: a lost one, or a reset by somebody else, is noticed after so many cycles."""
_POLL_CYCLES = 2_000
_BUS_FAULTS = {Fault.READ_RESPONSE, Fault.WRITE_RESPONSE}


class Wait(StrEnum):
    """How the end of a frame is awaited."""

    INTERRUPT = "interrupt"
    POLL = "poll"


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
    """Drives one engine. After any error of a frame the engine is reset, and the next frame is right.

    Args:
        device: the board.
        timeout_cycles: cycles after which a frame is given up.
        wait: interrupt or poll; the interrupt where the board has one when left out.

    Raises:
        ConfigurationMismatch: there is no HAO engine at the device's registers, or one of another ISA version.
    """

    def __init__(self, device: Device, timeout_cycles: int = DEFAULT_TIMEOUT_CYCLES, wait: Wait | None = None) -> None:
        self.device = device
        self.wait = wait or (Wait.INTERRUPT if device.interrupts else Wait.POLL)
        self.timeout_cycles = timeout_cycles
        self._residents: list[Resident] = []
        self._running: Resident | None = None
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
        self._running = None
        self._write("CONTROL", SOFT_RESET)
        for _ in range(_RESET_POLLS):
            if not self._read("STATUS") & BUSY:
                self._write("IRQ_STATUS", 3)
                return
        raise SimulationError(f"the engine on {self.device.name} does not come out of reset", "the bus owes it answers: reset the board")

    def install(self, image: Loadable, slots: int = 1) -> Resident:
        """Place ``image`` in the device's memory beside those that are there.

        Args:
            image: the program image.
            slots: frames that may be in flight; 2 for ``stream``.

        Raises:
            ConfigurationMismatch: the image was compiled for another configuration.
            ImageFormatError: the program does not lie inside the image.
            SimulationError: the device's memory is too small; what is there stays.
            UsageError: ``slots`` is less than 1.
        """
        if slots < 1:
            raise UsageError(f"a program with {slots} slots can run no frame", "give 1, or 2 for double-buffered frames")
        check_image(image, self.config_digest64(), self.device.name)
        made = Resident.install(self.device, image, slots)
        self._residents.append(made)
        self._point(made, made.slots[0])
        return made

    def remove(self, resident: Resident) -> None:
        """Take a program out of the memory.

        Raises:
            UsageError: a frame of it is in flight, or it is not there.
        """
        if resident not in self._residents or resident is self._running:
            raise UsageError("this program is not in the board's memory, or running", "end its frames, remove it once")
        self._residents.remove(resident)
        resident.release()

    def load(self, image: Loadable, slots: int = 1) -> Resident:
        """As ``install``, but replaces everything that was in the memory."""
        check_image(image, self.config_digest64(), self.device.name)
        self._refuse_running()
        self.device.release_all()
        self._residents.clear()
        return self.install(image, slots)

    def _point(self, resident: Resident, slot: Slot) -> None:
        self._write_address("PROGRAM", resident.memory.address + resident.image.program_offset)
        self._write("PROGRAM_COUNT", resident.image.program_count)
        for name, buffer in resident.bases(slot).items():
            self._write_address(name, buffer.address)

    def _chosen(self, resident: Resident | None) -> Resident:
        if not self._residents:
            raise SimulationError("no program image is loaded", "call load first")
        if resident is not None and resident not in self._residents:
            raise UsageError("this program is not in the board's memory", "load it first")
        return resident or self._residents[-1]

    def _refuse_running(self) -> None:
        if self._running is not None:
            raise UsageError("a frame is in flight", "take all results of stream, or close it, before the next frame")

    def _start(self, resident: Resident, slot: Slot) -> None:
        # a reset of the logic forgets the addresses, another program has others: they are written for every frame
        self._point(resident, slot)
        self._write("IRQ_STATUS", 3)
        self._write("IRQ_ENABLE", 3 if self.wait is Wait.INTERRUPT else 0)
        self._running = resident
        self._write("CONTROL", START)

    def _pass_time(self, left: int) -> None:
        if self.wait is Wait.INTERRUPT:
            self.device.wait_interrupt(min(left, _SLICE_CYCLES))
        else:
            self.device.pause(min(left, _POLL_CYCLES))

    def _finish(self) -> None:
        """Wait for the frame in flight.

        Raises:
            EngineTimeout, EngineFault, BusError, EngineReset: the frame is lost; the engine is reset.
            SimulationError: the simulation stopped, or the engine does not come out of reset.
        """
        deadline = self.device.elapsed() + self.timeout_cycles
        while True:
            left = deadline - self.device.elapsed()
            if left <= 0:
                self._give_up()
            self._pass_time(left)
            status = self._read("STATUS")
            if status & FAULT:
                self._report_fault()
            if status & DONE:
                self._write("IRQ_STATUS", 3)
                self._running = None
                return
            if not status & BUSY:
                self.soft_reset()
                message = f"the engine on {self.device.name} was reset in mid-frame"
                raise EngineReset(message, "the frame is lost; run it again")

    def _give_up(self) -> NoReturn:
        message = f"the engine on {self.device.name} is not done after {self.timeout_cycles} cycles: {self._position()}"
        try:
            self.soft_reset()
        except SimulationError as error:
            raise EngineTimeout(f"{message}; {error.message}", error.hint) from error
        raise EngineTimeout(message, "the engine was reset; allow more cycles where the memory is slow")

    def _report_fault(self) -> NoReturn:
        code = self._read("FAULT")
        known = code in {fault.value for fault in Fault}
        message = f"the engine on {self.device.name} reports fault {Fault(code).name if known else code}: {self._position()}"
        self.soft_reset()
        if known and Fault(code) in _BUS_FAULTS:
            raise BusError(message, "an address leads out of the memory, or the memory port is not set up")
        raise EngineFault(message, "the program in memory is damaged, or two programs drive the engine")

    def run(self, frame: bytes, *, clear: bool = False, resident: Resident | None = None) -> bytes:
        """Run one frame: input bytes as the program reads them in, output bytes as it wrote them out.

        Args:
            frame: the input.
            clear: zero the memory behind OUTPUT and SCRATCH first; otherwise what the program does not write is noise.
            resident: the program; the one loaded last when left out.

        Raises:
            DataError: the frame is longer than the program's input.
            EngineTimeout, EngineFault, BusError, EngineReset: see ``hao.errors``.
            SimulationError: nothing is loaded, or the simulation stopped.
            UsageError: the program is not loaded, or a frame is in flight.
        """
        chosen = self._chosen(resident)
        self._refuse_running()
        slot = chosen.slots[0]
        slot.place(frame)
        if clear:
            for buffer in (slot.target, chosen.scratch):
                buffer.array[:] = 0
                buffer.flush()
        self._start(chosen, slot)
        self._finish()
        return slot.collect()

    def stream(self, frames: Iterable[bytes], resident: Resident | None = None) -> Iterator[bytes]:
        """Run frames one after another, double-buffered: the engine works on one while the host fills and reads another.

        Results come in order, the one of frame ``i`` once frame ``i + 1`` has been started. Closing the iterator stops the engine.

        Args:
            frames: the inputs, taken one ahead.
            resident: the program; with one slot the host and the engine take turns.

        Raises:
            As ``run``; the frames that were in flight are lost.
        """
        chosen = self._chosen(resident)
        self._refuse_running()
        busy: Slot | None = None
        try:
            for index, frame in enumerate(frames):
                slot = chosen.slots[index % len(chosen.slots)]
                if busy is slot:
                    self._finish()
                    yield slot.collect()
                    busy = None
                slot.place(frame)
                done, busy = busy, slot
                if done is not None:
                    self._finish()
                self._start(chosen, slot)
                if done is not None:
                    yield done.collect()
            if busy is not None:
                self._finish()
                yield busy.collect()
        finally:
            if self._running is not None:
                self.soft_reset()

    @property
    def _buffers(self) -> dict[str, Buffer]:
        """Buffers of the program loaded last, by the names of their base registers."""
        chosen = self._chosen(None)
        return chosen.bases(chosen.slots[0])

    def read(self, base: BaseSelect, resident: Resident | None = None) -> bytes:
        """Bytes behind a base register as the engine left them.

        Raises:
            SimulationError: nothing is loaded.
        """
        chosen = self._chosen(resident)
        buffer = chosen.bases(chosen.slots[0])[base.name]
        buffer.invalidate()
        return buffer.array.tobytes()

    def _position(self) -> str:
        """How far every unit has come, for error messages."""
        counts = ", ".join(f"{unit.name} {self._read(f'{unit.name}_COUNT')}" for unit in Unit)
        program = self._running.image.program_count if self._running is not None else 0
        return f"status {self._read('STATUS')}, {program} instructions, completed: {counts}"

    def counters(self) -> Counters:
        """The counters of the last frame; while ``stream`` is under way, of the one in flight so far."""
        fields = ("COUNT", *(name.upper() for name in UNIT_COUNTERS))
        units = {unit.name: UnitCounters(*(self._read(f"{unit.name}_{field}") for field in fields)) for unit in Unit}
        return Counters(self._read("CYCLES"), self._read("READ_BEATS"), self._read("WRITE_BEATS"), units)
