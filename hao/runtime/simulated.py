"""The simulated board as a device: a Verilated engine behind the same registers, buffers and interrupt as silicon."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from hao.errors import SimulationError
from hao.runtime.memory import BoardMemory, CachedBuffer
from hao.runtime.timing import DramTiming, TimingStruct

MEMORY_BASE = 0x08_4000_0000
"""Where the simulated DRAM begins: above 32 bits, so that no address is right by being truncated."""

TAP_DTYPE = np.dtype([("unit", "<u4"), ("sequence", "<u4"), ("pixel", "<u4"), ("cycle", "<u4"), ("data", "u1", 16)])
TapArray = npt.NDArray[np.void]
EVENT_DTYPE = np.dtype([("unit", "<u4"), ("done", "<u4"), ("cycle", "<u4")])
"""A unit took an instruction (``done`` 0) or completed one (1)."""

_OK, _TIMEOUT = 0, 1
_CHUNK_CYCLES = 20_000


def _load(library: Path) -> ctypes.CDLL:
    lib = ctypes.CDLL(str(library))
    handle, u32, u64 = ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint64
    signatures: dict[str, tuple[object, list[object]]] = {
        "new": (handle, [u64, u64]),
        "delete": (None, [handle]),
        "memory": (ctypes.POINTER(ctypes.c_uint8), [handle]),
        "reset": (ctypes.c_int, [handle, ctypes.POINTER(TimingStruct)]),
        "read": (ctypes.c_int, [handle, u32, ctypes.POINTER(u32), ctypes.POINTER(u32)]),
        "write": (ctypes.c_int, [handle, u32, u32, ctypes.POINTER(u32)]),
        "wait": (ctypes.c_int, [handle, u64]),
        "refuse": (None, [handle, ctypes.c_int, u64, u64]),
        "refused": (u64, [handle]),
        "gate": (None, [handle, u32, u64]),
        "cycle": (u64, [handle]),
        "message": (ctypes.c_char_p, [handle]),
        "tap_enable": (None, [handle, ctypes.c_int]),
        "tap_count": (u64, [handle]),
        "taps": (ctypes.c_void_p, [handle]),
        "event_count": (u64, [handle]),
        "events": (ctypes.c_void_p, [handle]),
        "trace": (ctypes.c_int, [handle, ctypes.c_char_p]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(lib, f"hao_sim_{name}")
        function.restype, function.argtypes = result, arguments
    return lib


class _Models:
    """Frees models in the order in which they were made: Verilator's context of the last one made must outlive the others."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: list[tuple[ctypes.CDLL, int]] = []
        self._closed: set[int] = set()

    def add(self, library: ctypes.CDLL, handle: int) -> None:
        """A model was made."""
        with self._lock:
            self._made.append((library, handle))

    def close(self, handle: int) -> None:
        """It is no longer used; it is freed when those made before it are."""
        with self._lock:
            self._closed.add(handle)
            while self._made and self._made[0][1] in self._closed:
                library, first = self._made.pop(0)
                self._closed.discard(first)
                library.hao_sim_delete(first)


_MODELS = _Models()


class SimulatedBoard:
    """One Verilated engine with its DRAM; see ``hao.runtime.device.Device``. Call ``close`` or use it as a context manager.

    Args:
        library: from ``hao.runtime.verilated.build_model``.
        timing: of the DRAM.
        memory_bytes: size of the simulated DRAM.
        progress: called with the cycles simulated so far, every few thousand cycles of a wait.
        base: address of the DRAM's first byte, a multiple of 4096.

    Raises:
        SimulationError: the model cannot be created.
    """

    name = "rtl"
    interrupts = True

    def __init__(
        self,
        library: Path,
        timing: DramTiming,
        memory_bytes: int = 1 << 26,
        progress: Callable[[int], None] | None = None,
        base: int = MEMORY_BASE,
    ) -> None:
        self._lib = _load(library)
        self._handle = self._lib.hao_sim_new(base, memory_bytes)
        if not self._handle:
            raise SimulationError(f"the model {library.name} cannot be created", "simulate a smaller memory")
        _MODELS.add(self._lib, self._handle)
        pointer = self._lib.hao_sim_memory(self._handle)
        self._memory = BoardMemory(base, np.ctypeslib.as_array(pointer, (memory_bytes,)), timing.seed)
        self._progress = progress
        self.timing = timing
        self.reset()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the model; buffers must not be used afterwards."""
        if self._handle:
            _MODELS.close(self._handle)
            self._handle = None

    @property
    def cycles(self) -> int:
        """Cycles simulated since the model was created."""
        return int(self._lib.hao_sim_cycle(self._handle))

    def _check(self, status: int, doing: str) -> None:
        if status == _OK:
            return
        message = bytes(self._lib.hao_sim_message(self._handle)).decode("utf-8", "replace").strip()
        why = " ".join(message.split()) or "no answer"
        raise SimulationError(f"the simulation stopped in cycle {self.cycles} while {doing}: {why}", "the engine or its model is at fault")

    def reset(self) -> None:
        """Pull the hardware reset and set the DRAM's timing.

        Raises:
            SimulationError: an assertion failed.
        """
        self._check(self._lib.hao_sim_reset(self._handle, ctypes.byref(self.timing.struct())), "resetting")

    def refuse(self, write: bool, after: int, beats: int) -> None:
        """Have the memory answer ``beats`` beats of one direction with SLVERR, once ``after`` more of them have been served.

        Refused reads bring noise, refused writes change nothing. Replaces what was asked for before; 0 ``beats``: none.
        """
        self._lib.hao_sim_refuse(self._handle, int(write), after, beats)

    @property
    def refused(self) -> int:
        """Beats that the memory has refused."""
        return int(self._lib.hao_sim_refused(self._handle))

    def gate(self, cycles: int, seed: int = 1) -> None:
        """Let the host hold back every handshake of its port for 0 to ``cycles`` cycles at random, as one whose clock is stopped does."""
        self._lib.hao_sim_gate(self._handle, cycles, seed)

    def mmio_read(self, offset: int) -> int:
        """The register at byte ``offset``; see ``Device``."""
        value, response = ctypes.c_uint32(), ctypes.c_uint32()
        status = self._lib.hao_sim_read(self._handle, offset, ctypes.byref(value), ctypes.byref(response))
        self._check(status, f"reading register 0x{offset:03X}")
        if response.value:
            raise SimulationError(f"register 0x{offset:03X} answered a read with error {response.value}")
        return value.value

    def mmio_write(self, offset: int, value: int) -> None:
        """Write the register at byte ``offset``; see ``Device``."""
        response = ctypes.c_uint32()
        status = self._lib.hao_sim_write(self._handle, offset, value, ctypes.byref(response))
        self._check(status, f"writing register 0x{offset:03X}")
        if response.value:
            raise SimulationError(f"register 0x{offset:03X} answered a write with error {response.value}")

    def allocate(self, size: int) -> CachedBuffer:
        """A buffer of ``size`` bytes; see ``Device``."""
        return self._memory.allocate(size)

    def release_all(self) -> None:
        """Give all buffers back."""
        self._memory.release_all()

    def wait_interrupt(self, timeout_cycles: int) -> bool:
        """Simulate until the interrupt or the time-out; see ``Device``. The host's cache evicts lines before and after."""
        self._memory.evict()
        came = self._simulate(timeout_cycles)
        self._memory.evict()
        return came

    def pause(self, cycles: int) -> None:
        """Simulate ``cycles``, fewer where the interrupt line is high; see ``Device``."""
        self.wait_interrupt(cycles)

    def elapsed(self) -> int:
        """Cycles simulated; see ``Device``."""
        return self.cycles

    def _simulate(self, timeout_cycles: int) -> bool:
        left = timeout_cycles
        while left > 0:
            status = self._lib.hao_sim_wait(self._handle, min(left, _CHUNK_CYCLES))
            if status == _OK:
                return True
            if status != _TIMEOUT:
                self._check(status, "running")
            left -= _CHUNK_CYCLES
            if self._progress is not None:
                self._progress(self.cycles)
        return False

    def enable_taps(self, enable: bool) -> None:
        """Keep the result words of the compute units from now on (or drop them); forgets those kept so far."""
        self._lib.hao_sim_tap_enable(self._handle, int(enable))

    def taps(self) -> TapArray:
        """The result words kept, in order of time, as a copy of type ``TAP_DTYPE``."""
        count = int(self._lib.hao_sim_tap_count(self._handle))
        if count == 0:
            return np.zeros(0, TAP_DTYPE)
        raw = ctypes.string_at(self._lib.hao_sim_taps(self._handle), count * TAP_DTYPE.itemsize)
        return np.frombuffer(raw, TAP_DTYPE)

    def events(self) -> npt.NDArray[np.void]:
        """What units took and completed while taps were kept, in order of time, as a copy of type ``EVENT_DTYPE``."""
        count = int(self._lib.hao_sim_event_count(self._handle))
        if count == 0:
            return np.zeros(0, EVENT_DTYPE)
        raw = ctypes.string_at(self._lib.hao_sim_events(self._handle), count * EVENT_DTYPE.itemsize)
        return np.frombuffer(raw, EVENT_DTYPE)

    def trace(self, path: Path) -> None:
        """Write a waveform of everything from now on to ``path``.

        Raises:
            SimulationError: the model was built without tracing.
        """
        if self._lib.hao_sim_trace(self._handle, str(path).encode()) != _OK:
            raise SimulationError("this model was built without waveforms", "build it with trace vcd or fst")
