"""A pytest plugin: the RTL of a design as a fixture. Installed with HAO; costs nothing until a test asks for it.

    def test_my_network(hao_rtl):
        engine = hao_rtl("my_network.safetensors", design="design.json")
        engine.check(picture)                       # every value of every layer, or an error that names the first difference

Builds are cached (``$HAO_CACHE``). ``--hao-stalls P`` stalls the memory at random; a waveform of a failing layer goes to
``--hao-artefacts DIR``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from hao.report.verification import Case
    from hao.runtime.board import Board, Network

    Picture = npt.NDArray[np.uint8]
    Outputs = dict[str, npt.NDArray[np.int32]]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("hao", "RTL of HAO designs")
    group.addoption("--hao-stalls", type=int, default=0, metavar="P", help="stall the memory with probability P of 256")
    group.addoption("--hao-artefacts", default="build/hao", metavar="DIR", help="where waveforms of failing layers go")


class RtlUnderTest:
    """A network on the RTL of a design.

    Args:
        network: name of a network, or path of an integer checkpoint.
        design: a configuration, or a ``.json`` file with the parameters of one.
        board: whose memory is simulated.
        stalls: probability of a memory stall, of 256.
        artefacts: folder of waveforms.

    Raises:
        HaoError: the network does not fit the design, or the simulator cannot be built.
    """

    def __init__(self, network: str, design: str, board: str, stalls: int, artefacts: Path) -> None:
        from hao.boards import load_board
        from hao.cli.generate import read_design
        from hao.cli.verify import load_target
        from hao.runtime.timing import DramTiming
        from hao.runtime.verify import Plan

        self.name, self.graph = load_target(network, "")
        self.config = read_design(design)
        self._plan = Plan(self.config, DramTiming.of_board(load_board(board), stalls), artefacts)
        self._board_name = board
        self._board: Board | None = None
        self._network: Network | None = None

    def pictures(self, count: int, seed: int = 1) -> list[Picture]:
        """Pictures to run: those that the network ships, or random ones."""
        from hao.cli.verify import pictures_for

        return pictures_for(self.name, self.graph, count, seed)

    def run(self, picture: Picture) -> Outputs:
        """Outputs ``(C, H, W)`` by name of one picture ``(C, H, W)``, through the driver."""
        if self._board is None or self._network is None:
            from hao.compiler.compile import compile_graph
            from hao.runtime.board import Board

            self._board = Board("sim", config=self.config, board=self._board_name, stall=self._plan.timing.stall)
            self._network = self._board.load(compile_graph(self.graph, self.config))
        return self._network.run(picture)

    def close(self) -> None:
        """Free the simulated board; ``run`` makes another one."""
        if self._board is not None:
            self._board.close()
        self._board = self._network = None

    @property
    def cycles(self) -> int:
        """Cycles of the last frame of ``run``; 0 before the first one, and after ``check``."""
        return 0 if self._board is None else self._board.counters().cycles

    def check(self, *pictures: Picture) -> list[Case]:
        """Hold every layer of every picture against the reference; returns the cases.

        Raises:
            HaoError: of the class of the first failure; its message names the first difference, its hint the waveform.
        """
        from hao import __version__
        from hao.cli.verify import raise_first
        from hao.report.verification import Verification
        from hao.runtime.verify import verify_network

        self.close()  # a waveform is complete when its model is freed, and models are freed in the order they were made
        cases = tuple(verify_network(self.graph, self._plan, pictures, ("rtl",)))
        digest, stalls = self.config.digest(), self._plan.timing.stall
        raise_first(
            Verification(
                target=self.graph.name, configuration=self.config.name, configuration_digest=digest, board="simulated", stalls=stalls,
                cases=cases, hao_version=__version__,
            )
        )  # fmt: skip
        return list(cases)


@pytest.fixture(scope="session")
def hao_rtl(request: pytest.FixtureRequest) -> Iterator[Callable[..., RtlUnderTest]]:
    """``hao_rtl(network, design="16x16x2", board="ultra96v2")``: the network on the RTL of the design, built once."""
    made: dict[tuple[str, str, str], RtlUnderTest] = {}

    def build(network: str, design: str = "16x16x2", board: str = "ultra96v2") -> RtlUnderTest:
        key = (network, design, board)
        if key not in made:
            stalls, folder = request.config.getoption("--hao-stalls"), request.config.getoption("--hao-artefacts")
            made[key] = RtlUnderTest(network, design, board, stalls, Path(folder))
        return made[key]

    yield build
    for each in made.values():
        each.close()
