"""Judges faults of the RTL: by the whole engine, then, where that sees nothing, by the module's proofs and its bench."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hao.errors import HaoError, SynthesisError
from hao.formal.prove import Status, prove
from hao.formal.tasks import TASKS, Task
from hao.mutation.engine_jury import LARGE, SMALL, EngineJury
from hao.mutation.mutant import Mutant, Verdict
from hao.resources import cache_folder, shared


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
    wrapped: bool = False


_LOAD = Bench("hao_load", "cocotb_load", {"RowBytes": 320}, {"HAO_ROW_BYTES": "320"})
_REQUANT = Bench("hao_requant_bench", "cocotb_requant", {"NumLanes": 8}, wrapped=True)
_FEATURE = Bench(
    "hao_feature_memory_bench", "cocotb_feature_memory", {"FmWords": 252, "PX": 2}, {"HAO_FM_WORDS": "252", "HAO_PX": "2"}, wrapped=True
)
_DMA = {"HAO_MAX_BURST": "64", "HAO_OUTSTANDING": "4"}
BENCHES_OF: Mapping[str, Bench] = {
    "hao_requant": _REQUANT,
    "hao_requant_dsp": _REQUANT,
    "hao_window": Bench("hao_window", "cocotb_window", {"WinDepth": 32}, {"HAO_WIN_DEPTH": "32"}),
    "hao_gather": _LOAD,
    "hao_gather_emit": _LOAD,
    "hao_load": _LOAD,
    "hao_issue": Bench("hao_issue", "cocotb_issue", {"QueueDepth": 5}, {"HAO_DEPTH": "5"}),
    "hao_read_dma": Bench("hao_read_dma", "cocotb_read_dma", {"MaxBurst": 64, "Outstanding": 4}, _DMA),
    "hao_write_dma": Bench("hao_write_dma", "cocotb_write_dma", {"MaxBurst": 64, "Outstanding": 4}, _DMA),
    "hao_burst": Bench("hao_read_dma", "cocotb_read_dma", {"MaxBurst": 64, "Outstanding": 4}, _DMA),
    "hao_feature_memory": _FEATURE,
    "hao_fm_bank": _FEATURE,
}
"""Benches by module."""


_SEEN = (Verdict.KILLED, Verdict.CRASHED)


def proofs_of(module: str) -> list[Task]:
    """The proofs of ``module``: those of continuous integration, or the nightly ones where there are no others."""
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


class RtlJury:
    """Two engines with all faults, and the proofs and benches of their modules.

    Raises:
        BuildError, MissingTool, SimulationError: see :class:`hao.mutation.engine_jury.EngineJury`.
    """

    def __init__(self) -> None:
        self.engines = [EngineJury(SMALL), EngineJury(LARGE)]
        self._numbers = {mutant: number for number, mutant in self.engines[0].faulty.faults.items()}

    def judge(self, mutant: Mutant) -> tuple[Verdict, str]:
        """What came of ``mutant``, and what saw it."""
        left = Verdict.SURVIVED, ""
        text, module = rtl_text(mutant.file), Path(mutant.file).stem
        for engine in self.engines:
            found = engine.judge(self._numbers[mutant])
            if found[0] in _SEEN:
                return found
            left = left if found[0] is Verdict.SURVIVED else found
        found = judge_by_proof(mutant, text)
        if found[0] not in _SEEN and module in BENCHES_OF:
            found = judge_by_bench(mutant, text, BENCHES_OF[module])
        return found if found[0] in _SEEN else left
