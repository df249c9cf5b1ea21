"""Random programs: instructions that no compiler would write, on every engine against the checking executor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hao.boards import Board
from hao.compiler.depend import with_dependencies
from hao.compiler.random_program import COMPUTE, RandomProgram, random_program
from hao.engine.config import EngineConfig
from hao.engine.encode import Instruction, encode_program
from hao.engine.isa import BaseSelect, Opcode, Unit
from hao.engine.taps import TapTrace
from hao.errors import EngineMismatch
from hao.fuzz.case import STALLS, draw_timing
from hao.fuzz.engines import DEFECTS, Fleet, Watch, one_line
from hao.fuzz.outcome import Outcome, Verdict
from hao.runtime.csim_build import Arithmetic
from hao.runtime.rtl import RtlResult
from hao.runtime.timing import DramTiming
from hao.runtime.verdict import Program


@dataclass(frozen=True, slots=True, eq=False)
class ProgramCase:
    """A program on an engine; ``name``, ``config``, ``timing`` and ``fill`` as in ``hao.fuzz.case.Case``."""

    name: str
    config: str
    program: RandomProgram
    timing: DramTiming
    fill: int


@dataclass(frozen=True, slots=True, eq=False)
class _Left:
    """What an engine left behind."""

    taps: TapTrace
    output: bytes
    scratch: bytes


def draw_program(seed: int, index: int, configs: Mapping[str, EngineConfig], board: Board, stalls: Sequence[int] = STALLS) -> ProgramCase:
    """Draw program ``index`` of ``seed``: of all opcodes, or of one or two."""
    rng = np.random.default_rng([seed, index, 1])
    name = str(rng.choice(list(configs)))
    timing, fill = draw_timing(board, int(rng.choice(list(stalls))), rng), int(rng.integers(256))
    opcodes: tuple[Opcode, ...] = COMPUTE
    if rng.random() < 0.4:
        opcodes = tuple(COMPUTE[int(k)] for k in rng.choice(len(COMPUTE), int(rng.integers(1, 3)), replace=False))
    program = random_program(int(rng.integers(1 << 31)), configs[name], int(rng.integers(3, 30)), opcodes)
    return ProgramCase(f"{seed}:p{index}", name, program, timing, fill)


def loadable(program: RandomProgram) -> Program:
    """``program`` as the driver takes it."""
    sizes = (len(program.input), program.output_bytes, program.scratch_bytes)
    return Program(program.image, program.program_offset, program.program_count, program.config.digest(), *sizes)


def _counted(program: RandomProgram, result: RtlResult) -> None:
    """Every unit must have completed the instructions that the program has for it."""
    for unit in Unit:
        wanted = sum(i.unit is unit for i in program.program)
        found = -1 if result.counters is None else result.counters.units[unit.name].count
        if found != wanted:
            raise EngineMismatch(f"rtl: unit {unit.name} counts {found} instructions of {wanted}")


def _run(fleet: Fleet, engine: str, case: ProgramCase) -> tuple[_Left, int]:
    program = case.program
    if engine == "rtl":
        result = fleet.rtl(case.config, case.timing).run(loadable(program), program.input, clear=True)
        _counted(program, result)
        return _Left(result.taps, result.output, result.scratch), result.cycles or 0
    kernel = fleet.csim(case.config, Arithmetic(engine.removeprefix("csim-")))
    left, scratch = kernel.execute(program.dram(), program.program_offset, program.program_count, fill=case.fill)
    return _Left(left.taps, left.output, scratch), 0


def _require_equal(engine: str, wanted: _Left, found: _Left) -> int:
    """Values compared.

    Raises:
        EngineMismatch: a result word or a byte of memory differs, or there is none at all.
    """
    difference = wanted.taps.difference(found.taps)
    if difference is not None:
        raise EngineMismatch(f"{engine} differs from the executor: {difference}")
    for what, mine, theirs in (("OUTPUT", wanted.output, found.output), ("SCRATCH", wanted.scratch, found.scratch)):
        if mine != theirs[: len(mine)] or len(theirs) < len(mine):
            raise EngineMismatch(f"{engine} differs from the executor in the bytes behind {what}")
    compared = len(wanted.taps) * 16 + len(wanted.output) + len(wanted.scratch)
    if not compared:
        raise EngineMismatch(f"{engine} was compared with the executor in no value at all")
    return compared


def run_program(fleet: Fleet, case: ProgramCase) -> Outcome:
    """Run a program on the executor and on every other engine of the fleet; never raises for what a program does."""
    watch = Watch()
    try:
        with watch.time("executor"):
            wanted = _Left(*case.program.expected())
        compared = cycles = 0
        for engine in fleet.engines:
            if engine != "executor":
                with watch.time(engine):
                    found, took = _run(fleet, engine, case)
                compared += _require_equal(engine, wanted, found)
                cycles += took
        return Outcome(Verdict.EQUAL, "", "", compared, watch.seconds, cycles)
    except DEFECTS as error:
        return Outcome(Verdict.FAILED, watch.stage, one_line(error), seconds=watch.seconds)


def with_instructions(program: RandomProgram, instructions: Sequence[Instruction]) -> RandomProgram:
    """``program`` with other instructions (END left out) on the same memory, their dependencies drawn anew."""
    head = program.image[: program.program_offset]
    sizes = {BaseSelect.INPUT: len(program.input), BaseSelect.OUTPUT: program.output_bytes, BaseSelect.SCRATCH: program.scratch_bytes}
    ready = [*with_dependencies(list(instructions), program.config, head, {**sizes, BaseSelect.IMAGE: len(head)}), Instruction(Opcode.END)]
    return replace(program, program=tuple(ready), image=head + encode_program(ready))


def shrink_program(fleet: Fleet, case: ProgramCase, stage: str, attempts: int = 200) -> ProgramCase:
    """Leave out instructions, in ever smaller runs, while the case keeps failing on ``stage``."""

    def fails(candidate: ProgramCase) -> bool:
        outcome = run_program(fleet, candidate)
        return outcome.verdict is Verdict.FAILED and outcome.stage == stage

    size = max(1, len(case.program.program) // 2)
    while size:
        at = 0
        while at < len(case.program.program) - 1 and attempts > 0:
            body = case.program.program[:-1]
            rest = (*body[:at], *body[at + size :])
            attempts -= 1
            try:
                candidate = replace(case, program=with_instructions(case.program, rest)) if rest else case
            except DEFECTS:
                candidate = case  # what is left reads lists that nobody loads any more
            if candidate is not case and fails(candidate):
                case = candidate
            else:
                at += size
        size //= 2
    return case
