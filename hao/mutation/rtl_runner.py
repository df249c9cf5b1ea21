"""Judges faults of the RTL: by the whole engine, then, where that sees nothing, by the module's proofs and its bench."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hao.engine.config import CI_CONFIGS
from hao.errors import SimulationError, SynthesisError
from hao.formal.prove import Status, prove
from hao.formal.tasks import TASKS, Task
from hao.mutation.engine_jury import LARGE, SMALL, EngineJury, Faulty
from hao.mutation.mutant import Mutant, Verdict
from hao.mutation.schemata import CHOICE_FILE
from hao.resources import cache_folder, shared


@dataclass(frozen=True, slots=True)
class Bench:
    """A cocotb bench of ``sim/units``, as continuous integration runs it.

    Attributes:
        top: module under test, or its wrapper.
        tests: Python module with the tests.
        parameters: of ``top``.
        settings: environment of the tests.
        sources: files of ``sim/units`` beyond the RTL.
        seed: of the tests.
    """

    top: str
    tests: str
    parameters: Mapping[str, int | str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    sources: tuple[str, ...] = ()
    seed: int = 1


def _dense(config: str) -> Bench:
    values = CI_CONFIGS[config]
    parameters = {"PI": values.pi, "PO": values.po, "PX": values.px}
    return Bench("hao_dense_bench", "cocotb_dense", parameters, {"HAO_CONFIG": config}, ("hao_dense_bench.sv", "tap_file.cpp"), 11)


def _dw(px: int, lanes: int) -> Bench:
    settings = {"HAO_PX": str(px), "HAO_DW_LANES": str(lanes), "HAO_PROGRAMS": "12"}
    return Bench("hao_dw_bench", "cocotb_dw", {"PX": px, "DwLanes": lanes}, settings, ("hao_dw_bench.sv", "tap_file.cpp"), 3)


def _exhaustive(top: str, compared: int, **parameters: int) -> Bench:
    return Bench(top, "cocotb_exhaustive", parameters, {"HAO_COMPARED": str(compared)}, (f"{top}.sv",))


def _fifo(top: str, capacity: int, **parameters: int) -> Bench:
    return Bench(top, "cocotb_fifo", parameters, {"HAO_CAPACITY": str(capacity)})


_DENSE = (_dense("8x8x1"), _dense("16x16x2"))
_DW = (_dw(1, 8), _dw(2, 16))
_LOAD = Bench("hao_load", "cocotb_load", {"RowBytes": 320}, {"HAO_ROW_BYTES": "320"})
_REQUANT = Bench("hao_requant_bench", "cocotb_requant", {"NumLanes": 8}, sources=("hao_requant_bench.sv",), seed=7)
_FEATURE = Bench(
    "hao_feature_memory_bench", "cocotb_feature_memory", {"FmWords": 252, "PX": 2}, {"HAO_FM_WORDS": "252", "HAO_PX": "2"},
    ("hao_feature_memory_bench.sv",),
)  # fmt: skip
_WINDOW = Bench("hao_window", "cocotb_window", {"WinDepth": 32}, {"HAO_WIN_DEPTH": "32"})
_SIDES = {"HAO_MAX_BURST": "64", "HAO_OUTSTANDING": "4"}
_READ = Bench("hao_read_dma", "cocotb_read_dma", {"MaxBurst": 64, "Outstanding": 4}, _SIDES)
_WRITE = Bench("hao_write_dma", "cocotb_write_dma", {"MaxBurst": 64, "Outstanding": 4}, _SIDES)
_DIGEST = 0x0123_4567_89AB_CDEF
_REGS = Bench("hao_regs", "cocotb_regs", {"ConfigDigest": f"64'h{_DIGEST:016x}"}, {"HAO_DIGEST": str(_DIGEST)})
_PRODUCTS, _PAIRS = 512 << 8, 2 * 4 * 511 * 256 * 2
BENCHES_OF: Mapping[str, tuple[Bench, ...]] = {
    "hao_fifo": (_fifo("hao_fifo", 5, Width=24, Depth=5, FallThrough=1), _fifo("hao_fifo", 1, Width=24, Depth=1, FallThrough=0)),
    "hao_fifo_pair": (_fifo("hao_fifo_pair", 2, Width=24),),
    "hao_fifo_ram": (_fifo("hao_fifo_ram", 68, Width=128, Depth=64),),
    "hao_regs": (_REGS,),
    "hao_issue": (Bench("hao_issue", "cocotb_issue", {"QueueDepth": 5}, {"HAO_DEPTH": "5"}),),
    **dict.fromkeys(("hao_gather", "hao_gather_emit", "hao_load"), (_LOAD,)),
    "hao_read_dma": (_READ,),
    "hao_write_dma": (_WRITE,),
    "hao_burst": (_READ, _WRITE),
    **dict.fromkeys(("hao_feature_memory", "hao_fm_bank"), (_FEATURE,)),
    "hao_window": (_WINDOW, *_DW),
    **dict.fromkeys(("hao_requant", "hao_requant_dsp"), (_REQUANT, *_DENSE)),
    "hao_mul_add": (*_DW, _DENSE[1]),
    "hao_lut_multiplier": (_exhaustive("hao_lut_multiplier_bench", _PRODUCTS, BWidth=8), *_DENSE),
    "hao_dsp_row": (_exhaustive("hao_dsp_row_bench", _PAIRS, Length=4, Weight=8), *_DENSE),
    "hao_dsp_quad": (_exhaustive("hao_dsp_quad_bench", 24 * 24 * 16 * 16 * 4, Length=8), *_DENSE),
    "hao_dw_pair_tap": (_exhaustive("hao_dw_pair_tap_bench", _PAIRS, Length=4), *_DW),
    **dict.fromkeys(("hao_accumulator", "hao_mac_array", "hao_weight_tile", "hao_window_writer"), _DENSE),
}
"""Benches by module, beside those of the two cores (`benches_of`)."""


def benches_of(module: str) -> tuple[Bench, ...]:
    """The benches that run ``module``."""
    if module in BENCHES_OF:
        return BENCHES_OF[module]
    if module.startswith("hao_dense"):
        return _DENSE
    return _DW if module.startswith("hao_dw") or module == "hao_fill" else ()


_SEEN = (Verdict.KILLED, Verdict.CRASHED)
_PROOF_SECONDS = 60  # a proof that is not decided by then has not seen the fault


def proofs_of(module: str) -> list[Task]:
    """The proofs of ``module``: those of continuous integration, or the nightly ones where there are no others."""
    own = [task for task in TASKS if task.module == module and not task.nightly]
    return own or [task for task in TASKS if task.module == module]


def judge_by_proof(mutant: Mutant, text: str) -> tuple[Verdict, str]:
    """What came of a fault in a module with a checker, and what saw it."""
    file = Path(mutant.file).name
    for task in proofs_of(Path(file).stem):
        try:
            proof = prove(task, {file: mutant.apply(text)}, look_at=(), seconds=_PROOF_SECONDS)
        except SynthesisError:
            return Verdict.CRASHED, task.name
        if proof.status is Status.FAILED:
            return Verdict.KILLED, task.name
    return Verdict.SURVIVED, ""


def judge_by_bench(number: int, faulty: Faulty, bench: Bench) -> tuple[Verdict, str]:
    """What came of fault ``number`` of ``faulty`` in a bench, and its name; the bench is built once for all faults. 0 is no fault.

    Raises:
        BuildError: the RTL with all faults does not build.
        MissingTool: a tool is absent.
    """
    from sim.bench import BENCHES, simulate

    with tempfile.TemporaryDirectory(prefix="faults-", dir=cache_folder()) as folder:
        sources = [Path(folder) / name for name in faulty.sources]
        for path in sources:
            path.write_bytes(faulty.sources[path.name])
        sources += [BENCHES / name for name in bench.sources]
        public, files = ("*_i", "*_o", "m_axi_*", "s_axil_*"), {CHOICE_FILE: f"{number}\n"}
        try:
            simulate(
                bench.top, bench.tests, parameters=bench.parameters, public=public, sources=sources, settings=bench.settings,
                seed=bench.seed, files=files,
            )  # fmt: skip
        except SimulationError:
            return Verdict.KILLED, bench.tests
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
        for engine in self.engines:
            found = engine.judge(self._numbers[mutant])
            if found[0] in _SEEN:
                return found
            left = left if found[0] is Verdict.SURVIVED else found
        found = judge_module(mutant, self._numbers[mutant], self.engines[0].faulty)
        return found if found[0] in _SEEN else left


def judge_module(mutant: Mutant, number: int, faulty: Faulty) -> tuple[Verdict, str]:
    """What the proofs and benches of its module say of ``mutant``, which is fault ``number`` of ``faulty``."""
    found = judge_by_proof(mutant, rtl_text(mutant.file))
    for bench in benches_of(Path(mutant.file).stem):
        if found[0] not in _SEEN:
            found = judge_by_bench(number, faulty, bench)
    return found
