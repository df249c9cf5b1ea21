"""Random programs with valid operands: stimulus for the engines, and for the executor's own checks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from hao.compiler.access import Access, ListMemory, accesses
from hao.compiler.depend import with_dependencies
from hao.compiler.executor import Executor
from hao.compiler.random_operands import Operands, Region
from hao.engine.config import EngineConfig
from hao.engine.encode import Instruction, encode_program
from hao.engine.isa import INSTRUCTION_BYTES, BaseSelect, LoadTarget, Opcode
from hao.engine.taps import TapTrace

Base = BaseSelect


@dataclass(frozen=True, slots=True, eq=False)
class RandomProgram:
    """A program with the memory it runs on.

    Attributes:
        config: the engine it was drawn for.
        program: instructions, END last; also encoded at byte ``program_offset`` of ``image``.
        image, input: bytes at the bases IMAGE and INPUT.
        output_bytes, scratch_bytes: bytes needed behind OUTPUT and SCRATCH, zero before the run.
    """

    config: EngineConfig
    program: tuple[Instruction, ...]
    image: bytes
    input: bytes
    output_bytes: int
    scratch_bytes: int
    program_offset: int

    @property
    def program_count(self) -> int:
        """Instructions, END included."""
        return len(self.program)

    def dram(self) -> Mapping[BaseSelect, bytes]:
        """Initial bytes behind every base."""
        return {
            Base.IMAGE: self.image,
            Base.INPUT: self.input,
            Base.OUTPUT: bytes(self.output_bytes),
            Base.SCRATCH: bytes(self.scratch_bytes),
        }

    def expected(self) -> tuple[TapTrace, bytes, bytes]:
        """Taps, OUTPUT and SCRATCH as the checking executor leaves them."""
        executor = Executor(self.config, self.dram(), check=True)
        taps = executor.run(self.program)
        return taps, executor.output()[: self.output_bytes], executor.output(Base.SCRATCH)[: self.scratch_bytes]


def _conflict(a: tuple[Access, ...], b: tuple[Access, ...]) -> bool:
    return any(
        x.memory is y.memory and (x.write or y.write) and x.start < y.start + y.length and y.start < x.start + x.length
        for x in a
        for y in b
    )


def _shuffled(program: list[Instruction], operands: Operands, rng: np.random.Generator) -> list[Instruction]:
    """Move instructions past independent ones of other units, so that program order interleaves the units."""
    lists = ListMemory(operands.config, operands.image.tobytes())
    touched: list[tuple[Access, ...]] = []
    for i in program:
        touched.append(accesses(i, operands.config, lists))
        lists.run(i)
    order = list(range(len(program)))
    for _ in range(4):
        for at in rng.permutation(len(order) - 1):
            a, b = order[at], order[at + 1]
            if program[a].unit is not program[b].unit and not _conflict(touched[a], touched[b]) and rng.random() < 0.6:
                order[at], order[at + 1] = b, a
    return [program[k] for k in order]


def _body(operands: Operands, n: int, opcodes: tuple[Opcode, ...], rng: np.random.Generator) -> Iterator[Instruction]:
    drawers = {
        Opcode.LOAD: operands.load,
        Opcode.LDI: operands.ldi,
        Opcode.DENSE: operands.dense,
        Opcode.FILL: operands.fill,
        Opcode.DW: operands.dw,
        Opcode.ADD: operands.add,
        Opcode.STORE: operands.store,
    }
    for _ in range(n):
        yield from drawers[opcodes[int(rng.integers(len(opcodes)))]]()


COMPUTE = (Opcode.LOAD, Opcode.LDI, Opcode.DENSE, Opcode.FILL, Opcode.DW, Opcode.ADD, Opcode.STORE)


def random_program(seed: int, config: EngineConfig, n: int, opcodes: tuple[Opcode, ...] = COMPUTE) -> RandomProgram:
    """Draw a program.

    It fills a part of the feature memory with random bytes, runs ``n`` random operations (each with the LOADs and, for
    DW, the FILL or DENSE that it needs), and stores that part of the feature memory to OUTPUT.

    Args:
        seed: everything follows from it.
        config: the engine.
        n: operations drawn; the program has two to five times as many instructions.
        opcodes: operations to draw from, with equal chances (repeat one to draw it more often).
    """
    rng = np.random.default_rng(seed)
    words = min(config.fm_words, int(rng.integers(300, 900)))
    region = Region(int(rng.integers(0, config.fm_words - words + 1)), words)
    operands = Operands(config, region, rng)
    program = [operands.preload()]
    program.extend(_body(operands, n, opcodes, rng))
    program = _shuffled(program, operands, rng)
    program.extend(operands.store_all())
    sizes = operands.sizes()
    image = operands.image.tobytes()
    ready = [*with_dependencies(program, config, image, {**sizes, Base.IMAGE: len(image)}), Instruction(Opcode.END)]
    offset = operands.image.add(encode_program(ready), INSTRUCTION_BYTES)
    return RandomProgram(
        config, tuple(ready), operands.image.tobytes(), operands.input.tobytes(), sizes[Base.OUTPUT], sizes[Base.SCRATCH], offset
    )


def loads_of(program: RandomProgram, target: LoadTarget) -> int:
    """LOAD instructions into one memory: what a bench counts to know that it exercised it."""
    return sum(i.opcode is Opcode.LOAD and i["target"] == target for i in program.program)
