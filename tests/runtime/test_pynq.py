"""``Board("pynq")``: the same class over a stand-in for the module ``pynq``, with the Verilated engine behind it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from hao.codegen.ports import FIELDS
from hao.errors import BoardError, MissingTool, SimulationError
from hao.runtime import silicon
from hao.runtime.board import Board
from hao.runtime.driver import Wait
from hao.runtime.simulated import SimulatedBoard
from hao.runtime.uio import UioInterrupt, find_uio
from tests.runtime.fake_pynq import System, fake_pynq
from tests.runtime.support import differing, digits, pictures, simulated

__all__ = ["simulated"]
HERTZ = 249.9975e6


class Clock:
    """Time that passes in the simulation."""

    def __init__(self, board: SimulatedBoard) -> None:
        self._board = board

    def sleep(self, seconds: float) -> None:
        self._board.wait_interrupt(max(1, round(seconds * HERTZ)))

    def monotonic(self) -> float:
        return self._board.cycles / HERTZ


class Line:
    """The interrupt line, as ``UioInterrupt``."""

    def __init__(self, board: SimulatedBoard) -> None:
        self._board = board

    def wait(self, seconds: float) -> bool:
        return self._board.wait_interrupt(max(1, round(seconds * HERTZ)))

    def close(self) -> None:
        pass


@pytest.fixture
def system(simulated: SimulatedBoard, monkeypatch: pytest.MonkeyPatch) -> System:
    made = System(simulated)
    monkeypatch.setitem(sys.modules, "pynq", fake_pynq(made))
    monkeypatch.setattr(silicon, "time", Clock(simulated))
    monkeypatch.setattr(silicon, "find_uio", lambda: None)
    return made


@pytest.fixture
def bitstream(tmp_path: Path) -> Path:
    for name in ("hao.bit", "hao.hwh"):
        (tmp_path / name).write_bytes(b"")
    return tmp_path / "hao.bit"


def test_the_same_frames_by_polling(system: System, bitstream: Path) -> None:
    board = Board("pynq", bitstream=bitstream)
    assert system.downloads == [str(bitstream)]
    assert board.driver.wait is Wait.POLL
    network = board.load(digits())
    assert [differing(each, index) for index, each in enumerate(network.stream(pictures(4)))] == [0] * 4
    assert all(address % 4096 == 0 for address in (network._resident.memory.address, network._resident.scratch.address))
    assert board.counters().cycles > 1000
    board.close()


def test_the_same_frames_by_interrupt(system: System, bitstream: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(silicon, "find_uio", lambda: Path("/dev/uio4"))
    monkeypatch.setattr(silicon, "UioInterrupt", lambda path: Line(system.board))
    with Board("pynq", bitstream=bitstream) as board:
        assert board.driver.wait is Wait.INTERRUPT
        network = board.load(digits())
        assert [differing(network.run(each), index) for index, each in enumerate(pictures(2))] == [0, 0]


def test_ports_are_set_and_other_bits_kept(system: System, bitstream: Path) -> None:
    board = Board("pynq", bitstream=bitstream)
    assert getattr(board.device, "changed_ports") == tuple(each.name for each in FIELDS)  # noqa: B009
    assert all(value & 0x3000 for value in system.registers.values())
    assert getattr(Board("pynq", bitstream=bitstream).device, "changed_ports") == ()  # noqa: B009


def test_ports_left_narrow_give_wrong_results(system: System, bitstream: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(silicon, "set_port_widths", lambda registers: ())
    board = Board("pynq", bitstream=bitstream, timeout_cycles=200_000)
    with pytest.raises(SimulationError, match=r"fault|not done"):
        board.load(digits()).run(pictures(1)[0])


def _stuck(system: System, bitstream: Path) -> None:
    system.stuck = True


def _foreign(system: System, bitstream: Path) -> None:
    system.blocks = {"dma": {"type": "xilinx.com:ip:axi_dma:7.1"}}


def _not_root(system: System, bitstream: Path) -> None:
    system.refusal = OSError("Root permissions required.")


def _other_device(system: System, bitstream: Path) -> None:
    system.refusal = RuntimeError("No device found that is compatible with the bitstream")


def _no_description(system: System, bitstream: Path) -> None:
    bitstream.with_suffix(".hwh").unlink()


@pytest.mark.parametrize(
    ("break_it", "words"),
    [
        (_stuck, "RDCTRL.FABRIC_WIDTH at 0xFD380000 cannot be set"),
        (_foreign, "no block hao_engine_ip"),
        (_not_root, "hao.bit cannot be loaded: Root permissions required"),
        (_other_device, "cannot be loaded: No device found"),
        (_no_description, "there is no .*hao.hwh"),
    ],
)
def test_what_is_wrong_with_the_board_is_said(
    system: System, bitstream: Path, break_it: Callable[[System, Path], None], words: str
) -> None:
    break_it(system, bitstream)
    with pytest.raises(BoardError, match=words):
        Board("pynq", bitstream=bitstream)


def test_without_pynq_the_way_out_is_named(bitstream: Path) -> None:
    assert "pynq" not in sys.modules
    with pytest.raises(MissingTool, match="'pynq' is not installed"):
        Board("pynq", bitstream=bitstream)


PROC = """           CPU0       CPU1
 10:        812        455     GICv2  30 Level     arch_timer
 47:          3          0     GICv2 121 Level     fabric
 48:          0          0     GICv2 122 Edge      other
"""


def test_the_interrupt_is_found_by_its_hardware_number(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/interrupts").write_text(PROC)
    for index, name in enumerate(("axi-pmon", "fabric", "other")):
        folder = tmp_path / "sys/class/uio" / f"uio{index}"
        folder.mkdir(parents=True)
        (folder / "name").write_text(name + "\n")
    assert find_uio(root=tmp_path) == tmp_path / "dev/uio1"
    assert find_uio(122, tmp_path) == tmp_path / "dev/uio2"
    assert find_uio(99, tmp_path) is None
    assert find_uio(root=tmp_path / "nothing") is None


def test_the_interrupt_file(tmp_path: Path) -> None:
    """A FIFO gives back what arms it, which looks like an interrupt at once; never armed, it stays silent."""
    import os

    os.mkfifo(tmp_path / "uio0")
    line = UioInterrupt(tmp_path / "uio0")
    assert line.wait(5.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(UioInterrupt, "arm", lambda self: None)
        assert not line.wait(0.01)
    line.close()
    with pytest.raises(BoardError, match="cannot be opened"):
        UioInterrupt(tmp_path / "uio9")
