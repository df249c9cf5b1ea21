"""Coverage-guided fuzzing of every loader: a budget in continuous integration, more at night."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.loaders import LOADERS

ROOT = Path(__file__).resolve().parents[2]


def fuzz(loader: str, folder: Path, *arguments: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "tests.fuzz.guided", loader, str(folder), *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=3600)
    return done.returncode, done.stderr + done.stdout


def grown(said: str) -> tuple[int, int, int]:
    """Inputs run, and coverage at the first and the last report."""
    covers = [int(each) for each in re.findall(r"cov: (\d+)", said)]
    ran = re.search(r"Done (\d+) runs", said)
    return int(ran.group(1)) if ran else 0, covers[0], covers[-1]


@pytest.mark.parametrize(
    ("loader", "runs"), [*((name, 300) for name in LOADERS), *(pytest.param(name, 40_000, marks=pytest.mark.nightly) for name in LOADERS)]
)
def test_loader_survives(loader: str, runs: int, tmp_path: Path) -> None:
    code, said = fuzz(loader, tmp_path, f"-runs={runs}", "-seed=1")
    assert code == 0, said[-3000:]
    ran, _, last = grown(said)
    assert ran >= runs and last > 0, said[-500:]


def test_a_loader_that_lets_an_error_through_is_seen(tmp_path: Path) -> None:
    """The same harness over a board loader that forgets to catch what the parser raises."""
    script = (
        "import tests.fuzz.guided as g, dataclasses, sys, tomllib, pathlib\n"
        "sound = g.LOADERS['board']()\n"
        "forgetful = dataclasses.replace(sound, load=lambda path: tomllib.loads(path.read_text('utf-8')))\n"
        "g.LOADERS['board'] = lambda: forgetful\n"
        "g.main('board', pathlib.Path(sys.argv[1]), ['-runs=5000', '-seed=1'])\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode != 0
    assert "TOMLDecodeError" in done.stderr + done.stdout or "UnicodeDecodeError" in done.stderr + done.stdout
