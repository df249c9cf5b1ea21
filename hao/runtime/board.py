"""``Board``: the one class by which a program uses the engine, on the simulator and on silicon alike.

    board = Board("sim")                                   # or Board("pynq", bitstream="hao.bit")
    network = board.load("codenet.hao")                    # refused with a sentence where it does not belong here
    outputs = network.run(picture)                         # tensors by name, (C, H, W) int32
    for outputs in network.stream(pictures): ...           # the host works while the engine does
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt

from hao.boards import load_board
from hao.engine.config import ULTRA96, EngineConfig
from hao.engine.image import ProgramImage
from hao.errors import UsageError
from hao.runtime.device import Device
from hao.runtime.driver import DEFAULT_TIMEOUT_CYCLES, Counters, Driver, Wait
from hao.runtime.resident import Resident
from hao.runtime.silicon import PynqDevice
from hao.runtime.verdict import program_of

KINDS = ("sim", "pynq")
SIM_MEMORY_BYTES = 1 << 26

Picture = npt.NDArray[np.uint8]
Outputs = dict[str, npt.NDArray[np.int32]]


def simulated_device(
    config: EngineConfig,
    board: str = "ultra96v2",
    stall: int = 0,
    seed: int = 1,
    memory_bytes: int = SIM_MEMORY_BYTES,
    progress: Callable[[int], None] | None = None,
) -> Device:
    """The Verilated engine of ``config`` behind the DRAM of ``board``; builds it where no cached build exists.

    Raises:
        BuildError, MissingTool: the simulator cannot be built.
        BoardError: no such board.
    """
    from hao.runtime.rtl import plan_engine
    from hao.runtime.simulated import SimulatedBoard
    from hao.runtime.timing import DramTiming
    from hao.runtime.verilated import build_model

    timing = DramTiming.of_board(load_board(board), stall, seed)
    return SimulatedBoard(build_model(plan_engine(config)), timing, memory_bytes, progress)


class Network:
    """A program in a board's memory; made by ``Board.load``."""

    def __init__(self, driver: Driver, image: ProgramImage, resident: Resident) -> None:
        self._driver = driver
        self._resident = resident
        self.image = image

    @property
    def name(self) -> str:
        """Name of the network."""
        return self.image.manifest.network

    def run(self, picture: Picture) -> Outputs:
        """Run one picture.

        Args:
            picture: unsigned bytes ``(C, H, W)``.

        Returns:
            Output tensors ``(C, H, W)`` by name, in graph order.

        Raises:
            DataError: another shape or type.
            EngineTimeout, EngineFault, BusError, EngineReset: the frame is lost, the next one is right.
        """
        return self.image.unpack_output(self._driver.run(self.image.pack_input(picture), resident=self._resident))

    def stream(self, pictures: Iterable[Picture]) -> Iterator[Outputs]:
        """Run pictures one after another, double-buffered: packing the next and using the last happen while the engine works.

        Raises:
            As ``run``.
        """
        frames = (self.image.pack_input(picture) for picture in pictures)
        for output in self._driver.stream(frames, self._resident):
            yield self.image.unpack_output(output)

    def run_batch(self, pictures: Iterable[Picture]) -> list[Outputs]:
        """All of ``stream``."""
        return list(self.stream(pictures))

    def remove(self) -> None:
        """Take the program out of the board's memory."""
        self._driver.remove(self._resident)


class Board:
    """A board with the engine on it.

    Args:
        kind: ``sim`` (the Verilated RTL) or ``pynq`` (this very board, through PYNQ); or a device of your own.
        config: the simulated engine; on silicon the registers tell which one it is.
        bitstream: ``hao.bit`` for ``pynq``, with ``hao.hwh`` beside it.
        board: whose memory is simulated.
        stall: probability of a memory stall in simulation, of 256.
        wait: ``interrupt`` or ``poll``; the interrupt where there is one when left out.
        timeout_cycles: cycles after which a frame is given up.

    Raises:
        UsageError: no such kind, or ``pynq`` without a bitstream.
        BoardError, BuildError, MissingTool: the device cannot be had.
        ConfigurationMismatch: no engine answers, or one of another instruction set.
    """

    def __init__(
        self,
        kind: str | Device = "sim",
        *,
        config: EngineConfig = ULTRA96,
        bitstream: str | Path | None = None,
        board: str = "ultra96v2",
        stall: int = 0,
        wait: Wait | str | None = None,
        timeout_cycles: int = DEFAULT_TIMEOUT_CYCLES,
    ) -> None:
        if wait is not None and wait not in tuple(Wait):
            raise UsageError(f"a frame's end cannot be awaited by {wait!r}", f"give one of {', '.join(Wait)}")
        if not isinstance(kind, str):
            self.device = kind
        elif kind == "sim":
            self.device = simulated_device(config, board, stall)
        elif kind == "pynq" and bitstream is not None:
            self.device = PynqDevice(Path(bitstream))
        elif kind == "pynq":
            raise UsageError("Board('pynq') needs a bitstream", "Board('pynq', bitstream='hao.bit')")
        else:
            raise UsageError(f"there is no kind of board {kind!r}", f"kinds: {', '.join(KINDS)}")
        self.driver = Driver(self.device, timeout_cycles, None if wait is None else Wait(wait))

    def __enter__(self) -> Board:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, where: TracebackType | None) -> None:
        self.close()

    def load(self, image: ProgramImage | str | Path, slots: int = 2) -> Network:
        """Place a program in the board's memory, beside those that are there.

        Args:
            image: a program image or its file.
            slots: frames that may be in flight.

        Raises:
            ImageFormatError: the file is damaged.
            ConfigurationMismatch: it was compiled for another engine than the one in the logic.
            SimulationError: the memory is too small.
        """
        made = image if isinstance(image, ProgramImage) else ProgramImage.load(Path(image))
        return Network(self.driver, made, self.driver.install(program_of(made), slots))

    def counters(self) -> Counters:
        """Performance counters of the last frame."""
        return self.driver.counters()

    def close(self) -> None:
        """Give the board back."""
        self.device.close()
