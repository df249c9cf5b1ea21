"""Judges faults of the RTL: control modules by their proofs, data paths by their unit benches."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from hao.errors import HaoError, SynthesisError
from hao.formal.prove import Status, prove
from hao.formal.tasks import TASKS, Task
from hao.mutation.mutant import Mutant, Verdict
from hao.resources import cache_folder, shared


def proofs_of(module: str) -> list[Task]:
    """The proofs that read ``module``: its own, or those of the masters for what only they contain."""
    own = [task for task in TASKS if task.module == module and not task.nightly]
    return own or [task for task in TASKS if task.module == module]


def judge_by_proof(mutant: Mutant, text: str) -> tuple[Verdict, str]:
    """What came of a fault in a module with a checker, and what saw it."""
    file = Path(mutant.file).name
    for task in proofs_of(Path(file).stem):
        try:
            proof = prove(task, {file: mutant.apply(text)}, look_at=())
        except SynthesisError:
            return Verdict.CRASHED, task.name
        if proof.status is Status.FAILED:
            return Verdict.KILLED, task.name
    return Verdict.SURVIVED, ""


@dataclass(frozen=True, slots=True)
class Bench:
    """A cocotb bench of ``sim/units`` for a module.

    Attributes:
        top: module under test, or its wrapper.
        tests: Python module with the tests.
        parameters: of ``top``.
        settings: environment of the tests.
        wrapped: ``top`` is a wrapper in ``sim/units``.
    """

    top: str
    tests: str
    parameters: dict[str, int] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    wrapped: bool = True


def judge_by_bench(mutant: Mutant, text: str, bench: Bench) -> tuple[Verdict, str]:
    """What came of a fault in a module with a bench, and what saw it.

    Raises:
        MissingTool: a tool is absent.
    """
    from sim.bench import BENCHES, simulate

    with tempfile.TemporaryDirectory(prefix="mutant-", dir=cache_folder()) as folder:
        faulty = Path(folder) / Path(mutant.file).name
        faulty.write_text(mutant.apply(text), encoding="utf-8")
        sources = [faulty, *([BENCHES / f"{bench.top}.sv"] if bench.wrapped else [])]
        public = ("*_i", "*_o", "m_axi_*", "s_axil_*")
        try:
            simulate(bench.top, bench.tests, parameters=bench.parameters, public=public, sources=sources, settings=bench.settings)
        except HaoError as error:
            return (Verdict.KILLED if "tests of" in error.message else Verdict.CRASHED), bench.tests
    return Verdict.SURVIVED, ""


def rtl_text(file: str) -> str:
    """The sound text of ``accel/rtl/...``."""
    return (shared("accel") / "rtl" / Path(file).name).read_text(encoding="utf-8")
