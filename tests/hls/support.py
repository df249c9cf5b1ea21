"""What the tests of the HLS kernel share: runs held against the executor, counted, and kernels with a seeded fault."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np

from hao.compiler.executor import Executor
from hao.compiler.random_program import RandomProgram
from hao.engine.config import EngineConfig
from hao.engine.isa import BaseSelect
from hao.runtime import csim
from hao.runtime.csim import CsimEngine
from hao.runtime.csim_build import LIBRARY, Arithmetic, compile_csim, plan_csim

MEMORIES = {"FEATURE": "fm", "WINDOW": "window", "WEIGHT": "wb", "PARAM": "pb", "LIST": "lm", "DISPLACEMENT": "disp"}
"""Names of the kernel's memories and of the executor's."""


def compare_with_executor(engine: CsimEngine, program: RandomProgram) -> int:
    """Run ``program`` on both and compare result words, OUTPUT, SCRATCH and every byte of every on-chip memory.

    Returns:
        Values compared.
    """
    executor = Executor(program.config, program.dram())
    expected = executor.run(program.program)
    result, scratch = engine.execute(program.dram(), program.program_offset, program.program_count, keep_memories=True)
    assert expected.difference(result.taps) is None
    assert result.output == executor.output()[: program.output_bytes]
    assert scratch == executor.output(BaseSelect.SCRATCH)[: program.scratch_bytes]
    compared = 16 * len(expected) + len(result.output) + len(scratch)
    for name, attribute in MEMORIES.items():
        mine, theirs = engine.memory(name), getattr(executor.memories, attribute)
        assert mine.shape == theirs.shape, name
        wrong = np.argwhere(mine != theirs)
        assert not wrong.size, f"{name}: {len(wrong)} values differ, first at {wrong[0].tolist()}"
        compared += mine.size
    return compared


def seeded(config: EngineConfig, folder: Path, file: str, old: str, new: str) -> CsimEngine:
    """An engine whose kernel has ``old`` replaced by ``new`` in one file, built outside the cache."""
    plan = plan_csim(config, Arithmetic.NATIVE)
    text = plan.files[file].decode()
    assert text.count(old) == 1, f"{old!r} occurs {text.count(old)} times in {file}"
    changed = dataclasses.replace(plan, files={**plan.files, file: text.replace(old, new).encode()})
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "result").mkdir()
    changed.write(folder)
    compile_csim(changed, folder)
    return engine_of(config, folder / "result" / LIBRARY)


def engine_of(config: EngineConfig, library: Path) -> CsimEngine:
    """An engine over a library that was built elsewhere."""
    engine = CsimEngine.__new__(CsimEngine)
    engine.config, engine.arithmetic = config, Arithmetic.NATIVE
    engine._lib, engine._memories = csim._load(library), {}
    return engine


def fresh_folder(folder: Path) -> Path:
    """``folder``, empty."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
