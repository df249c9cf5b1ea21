"""Runs program images on the C simulation of the generated HLS kernel."""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hao.codegen.hls import MEMORIES
from hao.engine.config import EngineConfig
from hao.engine.isa import INSTRUCTION_BYTES, LANES, WINDOW_BANKS, WORD_BYTES, BaseSelect
from hao.engine.regs import Fault
from hao.engine.taps import TAP_DTYPE, TapTrace
from hao.errors import ConfigurationMismatch, DataError, ImageFormatError, SimulationError
from hao.runtime.csim_build import Arithmetic, build_csim, plan_csim
from hao.runtime.resident import Loadable

Bytes = npt.NDArray[np.uint8]
Regions = Mapping[BaseSelect, bytes]

_ALIGNMENT = 4096
_NOISE_SEED = 7
_RUNNING = threading.Lock()  # a library has one set of memories


@dataclass(frozen=True, slots=True, eq=False)
class RunResult:
    """What one frame left behind.

    Attributes:
        output: bytes behind base OUTPUT.
        taps: result words of DENSE, DW and ADD, empty when they were not asked for.
        seconds: wall-clock time of the run.
        cycles: of the engine's clock; None where the engine has no clock.
    """

    output: bytes
    taps: TapTrace
    seconds: float
    cycles: int | None = None


class _Run(ctypes.Structure):
    """``HaoCsimRun`` of ``sim/csim/hao_csim.h``."""

    _fields_ = (
        ("dram", ctypes.c_void_p),
        ("dram_bytes", ctypes.c_uint64),
        ("program", ctypes.c_uint64),
        ("base", ctypes.c_uint64 * 4),
        ("count", ctypes.c_uint32),
        ("taps", ctypes.c_uint32),
        ("fill", ctypes.c_uint32),
        ("reserved", ctypes.c_uint32),
    )


def _load(library: Path) -> ctypes.CDLL:
    lib = ctypes.CDLL(str(library))
    lib.hao_csim_run.restype, lib.hao_csim_run.argtypes = ctypes.c_int, [ctypes.POINTER(_Run)]
    lib.hao_csim_message.restype, lib.hao_csim_message.argtypes = ctypes.c_char_p, []
    lib.hao_csim_config_digest.restype, lib.hao_csim_config_digest.argtypes = ctypes.c_uint64, []
    lib.hao_csim_tap_count.restype, lib.hao_csim_tap_count.argtypes = ctypes.c_uint64, []
    lib.hao_csim_taps.restype, lib.hao_csim_taps.argtypes = ctypes.c_void_p, []
    lib.hao_csim_memory.restype, lib.hao_csim_memory.argtypes = ctypes.c_uint64, [ctypes.c_int, ctypes.c_void_p]
    return lib


class _Dram:
    """One array for all regions, noise between them: nothing begins at 0, and a write beside a region shows."""

    def __init__(self, regions: Regions) -> None:
        at = _ALIGNMENT
        self.base: dict[BaseSelect, int] = {}
        for select in BaseSelect:
            self.base[select] = at
            at += -(-len(regions.get(select, b"")) // _ALIGNMENT) * _ALIGNMENT + _ALIGNMENT
        self.bytes: Bytes = np.random.default_rng(_NOISE_SEED).integers(0, 256, at, dtype=np.uint8)
        self._writable = np.zeros(at, np.bool_)
        for select, data in regions.items():
            start = self.base[select]
            padded = -(-len(data) // WORD_BYTES) * WORD_BYTES
            self.bytes[start : start + len(data)] = np.frombuffer(data, np.uint8)
            self._writable[start : start + padded] = select in (BaseSelect.OUTPUT, BaseSelect.SCRATCH)
        self._before = self.bytes.copy()

    def check_untouched(self) -> None:
        """Raise if anything but OUTPUT and SCRATCH was written.

        Raises:
            SimulationError: names the word and the base before it.
        """
        wrong = np.flatnonzero((self.bytes != self._before) & ~self._writable)
        if wrong.size:
            at = int(wrong[0]) // WORD_BYTES * WORD_BYTES
            select = max((s for s in BaseSelect if self.base[s] <= at), key=lambda s: self.base[s], default=BaseSelect.IMAGE)
            offset = at - self.base[select]
            message = f"the program wrote beside its output, at {select.name} {offset:+d}"
            raise SimulationError(message, "the program image is wrong; compile it again")


class CsimEngine:
    """The HLS kernel of one configuration, compiled for the host.

    Args:
        config: the engine.
        arithmetic: exact vendor types, or fast machine integers.

    Raises:
        BuildError: the compiler refused the generated code.
        MissingTool: the compiler or the arbitrary-precision headers are absent.
    """

    name = "csim"

    def __init__(self, config: EngineConfig, arithmetic: Arithmetic = Arithmetic.EXACT) -> None:
        self.config = config
        self.arithmetic = arithmetic
        self._lib = _load(build_csim(plan_csim(config, arithmetic)))
        self._memories: dict[str, npt.NDArray[np.generic]] = {}

    def run(self, image: Loadable, frame: bytes, *, taps: bool = True) -> RunResult:
        """Run one frame.

        Args:
            image: the program image.
            frame: input bytes as the program reads them.
            taps: keep the result words of DENSE, DW and ADD.

        Raises:
            ConfigurationMismatch: the image was compiled for another configuration.
            DataError: the frame does not fit the program's input.
            ImageFormatError: the program does not lie inside the image.
            SimulationError: the program breaks a rule of the instruction set.
        """
        if image.config_digest != self.config.digest():
            message = f"the program image is for configuration {image.config_digest[:16]}, this engine is {self.config.digest()[:16]}"
            raise ConfigurationMismatch(message, "compile the network for this engine's configuration")
        if len(frame) > max(image.input_bytes, INSTRUCTION_BYTES):
            raise DataError(f"a frame of {len(frame)} bytes does not fit the {image.input_bytes} that the program reads")
        regions = {
            BaseSelect.IMAGE: image.dram,
            BaseSelect.INPUT: frame,
            BaseSelect.OUTPUT: bytes(image.output_bytes),
            BaseSelect.SCRATCH: bytes(image.scratch_bytes),
        }
        result, _ = self.execute(regions, image.program_offset, image.program_count, taps=taps)
        return result

    def execute(
        self, regions: Regions, program_offset: int, program_count: int, *, taps: bool = True, fill: int = 0, keep_memories: bool = False
    ) -> tuple[RunResult, bytes]:
        """Run a program on bare memory.

        Args:
            regions: bytes behind every base before the run.
            program_offset: of the program behind IMAGE, bytes.
            program_count: instructions.
            taps: keep the result words.
            fill: byte that all on-chip memories wake up with.
            keep_memories: copy the on-chip memories out (`memory`).

        Returns:
            The result, and the bytes behind SCRATCH after the run.

        Raises:
            ImageFormatError: the program does not lie inside the image.
            SimulationError: the program breaks a rule of the instruction set.
        """
        end = program_offset + program_count * INSTRUCTION_BYTES
        if program_offset % INSTRUCTION_BYTES or program_count < 1 or end > len(regions.get(BaseSelect.IMAGE, b"")):
            raise ImageFormatError("the program does not lie inside the program image", "compile the network again")
        dram = _Dram(regions)
        base = (ctypes.c_uint64 * 4)(*(dram.base[select] for select in BaseSelect))
        program = dram.base[BaseSelect.IMAGE] + program_offset
        run = _Run(dram.bytes.ctypes.data, dram.bytes.size, program, base, program_count, int(taps), fill, 0)
        with _RUNNING:
            start = time.perf_counter()
            status = self._lib.hao_csim_run(ctypes.byref(run))
            seconds = time.perf_counter() - start
            self._check(status)
            trace = self._fetch_taps()
            self._memories = self._fetch_memories() if keep_memories else {}
        dram.check_untouched()
        after = {s: dram.bytes[dram.base[s] : dram.base[s] + len(regions.get(s, b""))].tobytes() for s in BaseSelect}
        return RunResult(after[BaseSelect.OUTPUT], trace, seconds), after[BaseSelect.SCRATCH]

    def memory(self, name: str) -> npt.NDArray[np.generic]:
        """An on-chip memory after the last `execute` with ``keep_memories``.

        Args:
            name: one of ``hao.codegen.hls.MEMORIES``. FEATURE, WEIGHT and PARAM are ``(words, 16)`` bytes, WINDOW ``(11, depth, 16)``,
                LIST ``(entries,)`` of 16 bits, DISPLACEMENT ``(entries,)`` signed bytes.

        Raises:
            SimulationError: the memories were not kept.
        """
        if name not in self._memories:
            raise SimulationError(f"the memory {name} was not kept", "run with keep_memories")
        return self._memories[name]

    def _check(self, status: int) -> None:
        if status < 0:
            message = bytes(self._lib.hao_csim_message()).decode("utf-8", "replace")
            raise SimulationError(f"the HLS kernel stopped: {message}", "the program image is wrong; compile it again")
        if status != Fault.NONE:
            name = Fault(status).name if status in {fault.value for fault in Fault} else str(status)
            raise SimulationError(f"the HLS kernel reports fault {name}", "the program image is wrong; compile it again")
        digest = int(self._lib.hao_csim_config_digest())
        if digest != self.config.digest64():
            raise SimulationError(f"the HLS kernel is of configuration {digest:016x}", "the build cache is damaged; delete it")

    def _fetch_taps(self) -> TapTrace:
        count = int(self._lib.hao_csim_tap_count())
        raw = ctypes.string_at(self._lib.hao_csim_taps(), count * TAP_DTYPE.itemsize) if count else b""
        return TapTrace.from_bytes(raw)

    def _fetch_memories(self) -> dict[str, npt.NDArray[np.generic]]:
        config = self.config
        arrays: tuple[npt.NDArray[np.generic], ...] = (
            np.zeros((config.fm_words, LANES), np.uint8),
            np.zeros((WINDOW_BANKS, config.win_depth, LANES), np.uint8),
            np.zeros((config.wb_words, LANES), np.uint8),
            np.zeros((config.pb_words, LANES), np.uint8),
            np.zeros(config.lm_entries, np.dtype("<u2")),
            np.zeros(config.disp_entries, np.int8),
        )
        for index, array in enumerate(arrays):
            written = int(self._lib.hao_csim_memory(index, array.ctypes.data))
            if written != array.nbytes:
                raise SimulationError(f"the memory {MEMORIES[index]} has {written} bytes instead of {array.nbytes}")
        return dict(zip(MEMORIES, arrays, strict=True))
