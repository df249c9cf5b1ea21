"""What a compiled network gives to the checks that need instructions: program, memory, and both held against one another."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hao.compiler.compile import compile_in_full
from hao.engine.config import EngineConfig
from hao.engine.encode import Instruction
from hao.engine.image import ProgramImage
from hao.engine.isa import BaseSelect
from hao.fuzz.footprint import check_program
from hao.fuzz.schedule import check_orders
from hao.ir.graph import Graph


def program_and_memory(image: ProgramImage, pixels: npt.NDArray[np.uint8]) -> tuple[list[Instruction], dict[BaseSelect, bytes]]:
    """Instructions of an image and the bytes behind each base register before its first frame."""
    return list(image.program()), image.regions(image.pack_input(pixels))


def check_compiled(graph: Graph, config: EngineConfig, pixels: npt.NDArray[np.uint8], seed: int, orders: int = 3) -> int:
    """Compile, and hold every instruction's footprint and several permitted orders against the compiler's word.

    Returns:
        bytes compared.

    Raises:
        CompileError: the network does not fit.
        SimulationError: see :mod:`hao.fuzz.footprint` and :mod:`hao.fuzz.schedule`.
    """
    program, memory = program_and_memory(compile_in_full(graph, config).image, pixels)
    return check_program(program, config, memory, seed) + check_orders(program, config, memory, seed, orders)
