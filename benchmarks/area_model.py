"""Judges the area model on engines drawn after it was committed: ``python benchmarks/area_model.py [--count N]``.

Seeds follow by SHA-256 from the commit that changed ``area-model.toml`` last. Every engine is synthesized whole (a quarter of an hour
and more; blocks are cached) and written to ``hao/cost/data/area-judged.toml`` as soon as it is done.
"""

from __future__ import annotations

import argparse
import subprocess
import sys

from hao.codegen.rtl import TOP, parameter_values
from hao.cost.area import MODEL, estimate_area
from hao.cost.area_judged import JUDGED, RESOURCES, JudgedArea, JudgedRow, Resource, area_seeds, render
from hao.synth.configurations import draw
from hao.synth.design import synthesize_design
from hao.synth.report import write
from hao.synth.sources import Sources
from hao.synth.yosys import yosys_version


def last_commit() -> str:
    """The commit that changed the model last."""
    command = ["git", "log", "-1", "--format=%H", "--", str(MODEL)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def judge_one(seed: int) -> JudgedRow:
    """Synthesize and estimate the engine drawn by ``seed``."""
    config = draw(seed)
    total = synthesize_design(Sources.load(), TOP, parameter_values(config)).total()
    guess = estimate_area(config)
    found = {name: Resource(synthesis=float(getattr(total, name)), estimate=getattr(guess, name).value) for name in RESOURCES}
    row = JudgedRow(seed=seed, engine={name: int(value) for name, value in config.model_dump().items()}, **found)
    print(f"random-{seed}: " + ", ".join(f"{name} {100 * found[name].error:+.2f} %" for name in RESOURCES), flush=True)
    return row


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=5)
    count = parser.parse_args().count
    commit, rows = last_commit(), []
    for seed in area_seeds(commit, count):
        rows.append(judge_one(seed))
        write(JUDGED, render(JudgedArea(commit=commit, tool=yosys_version(), rows=tuple(rows))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
