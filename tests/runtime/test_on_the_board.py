"""What a board's Python needs of HAO: the driver, images and decoding run without the packages that build, simulate and draw."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from tests.runtime.support import differing, digits, pictures, small_engine

ROOT = Path(__file__).resolve().parents[2]
ALLOWED = (
    "annotated_types", "jinja2", "markupsafe", "numpy", "pydantic", "pydantic_core", "safetensors", "typing_extensions",
    "typing_inspection",
)  # fmt: skip
"""Third-party packages: numpy, jinja2 and pydantic with what it needs are part of PYNQ 4's image; safetensors is installed beside HAO."""

PROGRAM = """
import importlib.abc, sys

class Nothing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        first = name.partition(".")[0]
        if not first.startswith("_") and first not in ("hao", "tests", *{allowed!r}, *sys.stdlib_module_names):
            raise ImportError(f"{{name}} is not on the board")

sys.meta_path.insert(0, Nothing())
from pathlib import Path
import numpy as np
from hao.engine.flat import read_scales
from hao.engine.image import ProgramImage
from hao.models.decode import decode
from hao.runtime import silicon
from hao.runtime.board import Board
from hao.runtime.simulated import SimulatedBoard
from hao.runtime.timing import DramTiming
from tests.runtime.fake_pynq import System, fake_pynq

timing = DramTiming(60, 30, 8, 976, 70, 17.0, 12.75, 1500, 16, 16)
with SimulatedBoard(Path({library!r}), timing, 1 << 22) as simulated:
    system = System(simulated)
    sys.modules["pynq"] = fake_pynq(system)
    class Clock:
        def sleep(self, seconds): simulated.wait_interrupt(max(1, round(seconds * 249.9975e6)))
        def monotonic(self): return simulated.cycles / 249.9975e6
    silicon.time, silicon.find_uio = Clock(), lambda: None
    board = Board("pynq", bitstream={bitstream!r})
    network = board.load({image!r})
    results = network.run_batch(list(np.load({pictures!r})))
    np.savez({results!r}, *[each[name] for each in results for name in each])
assert len(decode(np.zeros((2, 4, 4)), np.ones((2, 4, 4)), np.zeros((2, 4, 4))).scores)
"""


def test_the_driver_runs_with_what_a_board_has(tmp_path: Path) -> None:
    """In an interpreter where nothing else can be imported, over the stand-in for PYNQ."""
    for name in ("hao.bit", "hao.hwh"):
        (tmp_path / name).write_bytes(b"")
    digits().save(tmp_path / "digits.hao")
    np.save(tmp_path / "pictures.npy", np.stack(pictures(2)))
    places = {"library": small_engine(), "bitstream": tmp_path / "hao.bit", "image": tmp_path / "digits.hao"}
    places |= {"pictures": tmp_path / "pictures.npy", "results": tmp_path / "results.npz"}
    program = PROGRAM.format(allowed=ALLOWED, **{name: str(path) for name, path in places.items()})
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (place,) = digits().manifest.outputs
    with np.load(tmp_path / "results.npz") as found:
        assert [differing({place.name: found[name]}, index) for index, name in enumerate(found.files)] == [0, 0]
