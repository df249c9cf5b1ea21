"""The trained CoDeNet b on the simulated board by both drivers: equal to the reference, and right again after every error in mid-frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from hao.boards import load_board
from hao.compiler.compile import compile_in_full
from hao.engine.config import CI_CONFIGS, ULTRA96
from hao.engine.flat import flatten
from hao.engine.image import ProgramImage
from hao.engine.regs import OFFSETS
from hao.errors import BusError, ConfigurationMismatch, EngineReset, EngineTimeout
from hao.ir.reference import execute
from hao.ir.types import infer
from hao.models import zoo
from hao.runtime.board import SIM_MEMORY_BYTES, Board, Network
from hao.runtime.c_host import run_host
from hao.runtime.simulated import MEMORY_BASE, SimulatedBoard
from hao.runtime.timing import DramTiming

pytestmark = pytest.mark.nightly
NETWORK = "codenet-1x-b-w4a8"
MIDDLE = 300_000
"""Cycles, about half of a frame."""


@pytest.fixture(scope="module")
def compiled() -> tuple[ProgramImage, bytes, np.ndarray, dict[str, np.ndarray]]:
    """Program image, flat image, a picture, and the reference's outputs for it."""
    made = compile_in_full(zoo.load(NETWORK), ULTRA96)
    picture = np.random.default_rng(8).integers(0, 256, (3, 256, 256), dtype=np.uint8)
    types, tensors = infer(made.graph), execute(made.graph, picture)
    flat = flatten(made.image, {name: types[name].scale for name in made.graph.outputs})
    return made.image, flat, picture, {name: tensors[name] for name in made.graph.outputs}


def compared(outputs: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> int:
    """How many values were held against the reference; all of them are equal."""
    assert set(outputs) == set(expected)
    for name, tensor in expected.items():
        assert np.array_equal(outputs[name], tensor), name
    return sum(tensor.size for tensor in expected.values())


@pytest.fixture
def board() -> Iterator[Board]:
    with Board("sim", config=ULTRA96) as made:
        yield made


def by_time_out(network: Network, picture: np.ndarray, device: SimulatedBoard, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(network._driver, "timeout_cycles", MIDDLE)
    with pytest.raises(EngineTimeout, match=f"not done after {MIDDLE} cycles"):
        network.run(picture)


def by_bus(network: Network, picture: np.ndarray, device: SimulatedBoard, patch: pytest.MonkeyPatch) -> None:
    """Weights beyond the middle of the image lie behind the end of the memory: they are wanted in mid-frame."""
    write, there = device.mmio_write, network.image.manifest.program_offset // 128 * 64
    address = MEMORY_BASE + SIM_MEMORY_BYTES - there
    orders = {OFFSETS["IMAGE_LO"]: address & 0xFFFF_FFFF, OFFSETS["IMAGE_HI"]: address >> 32}
    content = np.frombuffer(network.image.dram[:there], np.uint8)
    device._memory.dram[SIM_MEMORY_BYTES - there :] = content
    patch.setattr(device, "mmio_write", lambda offset, value: write(offset, orders.get(offset, value)))
    with pytest.raises(BusError, match="READ_RESPONSE"):
        network.run(picture)


def by_reset(network: Network, picture: np.ndarray, device: SimulatedBoard, patch: pytest.MonkeyPatch) -> None:
    simulate = device._simulate

    def interrupted(cycles: int) -> bool:
        assert not simulate(min(cycles, MIDDLE))
        device.mmio_write(OFFSETS["CONTROL"], 2)
        return simulate(5000)

    patch.setattr(device, "_simulate", interrupted)
    with pytest.raises(EngineReset, match="was reset in mid-frame"):
        network.run(picture)


def test_the_python_driver(board: Board, compiled: tuple[ProgramImage, bytes, np.ndarray, dict[str, np.ndarray]], tmp_path: Path) -> None:
    image, _, picture, expected = compiled
    image.save(tmp_path / "codenet.hao")
    network = board.load(tmp_path / "codenet.hao")
    assert compared(network.run(picture), expected) > 90_000
    counters = board.counters()
    assert 400_000 < counters.cycles < 800_000
    assert counters.read_beats * 16 > image.manifest.program_offset
    device = board.device
    assert isinstance(device, SimulatedBoard)
    errors: tuple[Callable[..., None], ...] = (by_time_out, by_bus, by_reset)
    for error in errors:
        with pytest.MonkeyPatch.context() as patch:
            begin = device.cycles
            error(network, picture, device, patch)
            assert device.cycles - begin > MIDDLE // 10, "not in mid-frame"
        assert compared(network.run(picture), expected) > 90_000
    other = compile_in_full(zoo.load("digits-w4a8"), CI_CONFIGS["8x8x1"]).image
    with pytest.raises(ConfigurationMismatch, match="the program image is for configuration"):
        board.load(other)
    results = network.run_batch([picture, picture[:, ::-1].copy(), picture])
    assert compared(results[0], expected) == compared(results[2], expected) > 90_000


@pytest.mark.parametrize("wait", ["interrupt", "poll"])
def test_the_c_driver(compiled: tuple[ProgramImage, bytes, np.ndarray, dict[str, np.ndarray]], tmp_path: Path, wait: str) -> None:
    image, flat, picture, expected = compiled
    errors = {"timeout": "not done in time", "read": "error response", "write": "error response", "reset": "reset in mid-frame",
              "config": "another configuration"}  # fmt: skip
    steps = ["run", *errors] if wait == "interrupt" else ["stream"]
    timing = DramTiming.of_board(load_board("ultra96v2"))
    done = run_host(ULTRA96, image, flat, [picture], timing, tmp_path, steps, wait)
    assert set(done.errors) == (set(errors) if wait == "interrupt" else set())
    assert all(words in done.errors[name] for name, words in errors.items() if name in done.errors)
    assert len(done.frames) == len(steps)
    for frame in done.frames:
        assert compared(frame.outputs, expected) > 90_000
        assert 400_000 < frame.cycles < 800_000
