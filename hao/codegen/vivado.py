"""The Vivado project of one board: block design around the engine, and the script from sources to bitstream."""

from __future__ import annotations

from hao.boards import CLOCK_TOLERANCE, Board
from hao.codegen.environment import render
from hao.codegen.rtl_ip import CONTROL, CONTROL_BYTES, MEMORY, VLNV, ip_files
from hao.codegen.rtl_ip import SCRIPT as PACKAGE_SCRIPT
from hao.codegen.tcl_project import SHELL_SCRIPT, ProjectPlan
from hao.engine.config import EngineConfig
from hao.errors import BoardError

BUILD_SCRIPT = "build.tcl"
DESIGN_SCRIPT = "block_design.tcl"
IMPLEMENTATION = "implementation.xdc"
DESIGN = "hao_system"
CONTROL_BASE = 0xA000_0000
"""First address of M_AXI_HPM0_FPD (UG1085, system address map)."""
INTERRUPT = 121
"""Number of ``pl_ps_irq0[0]`` at the interrupt controller (UG1085: SPI 89)."""
DDR_LOW_BYTES = 0x8000_0000
DDR_HIGH_BASE = 0x8_0000_0000
"""The processing system's DRAM: 2 GiB at 0, the rest at 32 GiB (UG1085, system address map)."""


def high_memory_bytes(board: Board) -> int:
    """Range to map above 32 GiB, 0 where 2 GiB hold all: a power of two, as address editors demand."""
    rest = board.dram.size_bytes - DDR_LOW_BYTES
    return 1 << (rest - 1).bit_length() if rest > 0 else 0


def low_memory_bytes(board: Board) -> int:
    """Range to map at 0: a power of two, at most 2 GiB."""
    size = min(board.dram.size_bytes, DDR_LOW_BYTES)
    return 1 << (size - 1).bit_length()


def design_values(board: Board) -> dict[str, object]:
    """What the templates of the block design and of the build may name."""
    return {
        "design": DESIGN,
        "part": board.part,
        "board": board,
        "vlnv": VLNV,
        "control": CONTROL,
        "memory": MEMORY,
        "control_base": f"0x{CONTROL_BASE:X}",
        "control_bytes": f"0x{CONTROL_BYTES:X}",
        "low_bytes": f"0x{low_memory_bytes(board):X}",
        "high_base": f"0x{DDR_HIGH_BASE:X}",
        "high_bytes": f"0x{high_memory_bytes(board):X}" if high_memory_bytes(board) else "",
        "megahertz": f"{board.clock.engine_mhz:g}",
        "tolerance": f"{CLOCK_TOLERANCE:g}",
        "package_script": PACKAGE_SCRIPT,
        "design_script": DESIGN_SCRIPT,
        "implementation": IMPLEMENTATION,
        "build_script": BUILD_SCRIPT,
    }


def plan_vivado(config: EngineConfig, board: Board) -> ProjectPlan:
    """The project that builds ``hao.bit``, ``hao.hwh`` and ``hao.xsa`` of the RTL engine of ``config`` for ``board``.

    Raises:
        BoardError: the engine does not run on ``board``, or there is no such device.
        MissingTool: the installation carries no RTL or templates.
    """
    if board.unsupported:
        raise BoardError(f"the engine does not run on {board.name}: {board.unsupported}", "hao boards lists the boards it runs on")
    if board.synthetic:
        raise BoardError(f"{board.name} is synthetic: there is no such device", "build for the board that it is a share of: ultra96v2")
    values = design_values(board)
    scripts = {name: render(f"{name}.j2", values) for name in (DESIGN_SCRIPT, BUILD_SCRIPT, IMPLEMENTATION)}
    settings = {"configuration": config.model_dump(), "digest": config.digest(), "board": board.model_dump(mode="json")}
    start = f"vivado -mode batch -source {BUILD_SCRIPT}"
    scripts[SHELL_SCRIPT] = render(f"{SHELL_SCRIPT}.j2", {"target": "vivado", "start": start})
    return ProjectPlan("vivado", {**ip_files(config, board), **scripts}, settings, start)
