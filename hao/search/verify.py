"""The answer held against what does not know the search: the program image, the synthesis table, the weights, the board's file.

Nothing here imports the tables or the integer program. Addresses are recomputed from the decoded instructions.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import hao
from hao.boards import Board
from hao.compiler.compile import Compilation
from hao.cost.cycles import CycleEstimate, estimate_cycles
from hao.engine.config import EngineConfig
from hao.engine.encode import Instruction
from hao.engine.image import ProgramImage
from hao.engine.isa import Destination, LoadTarget, Opcode
from hao.ir.graph import Conv, Graph
from hao.resources import shared

_VIRTUAL = 1 << 16
TABLES = Path(hao.__file__).parent / "cost" / "data"
"""Where committed syntheses lie."""


@dataclass(frozen=True, slots=True)
class Verification:
    """What was recomputed.

    Attributes:
        cycles: of the compiled program, by the program-level model with its error.
        highest: largest address of feature memory, window, weight and parameter buffer that any instruction touches, by memory.
        violations: one line each; empty: everything fits.
        damage: perturbation of the widths from the weights, or from the file of traces.
        area: of the configuration from its committed synthesis, by resource; None: it was not synthesized, the limits were held
            against the model.
    """

    cycles: CycleEstimate
    highest: dict[str, int]
    violations: tuple[str, ...]
    damage: float
    area: dict[str, float] | None = None


def _spans(i: Instruction) -> Iterator[tuple[str, int]]:
    """Memories and the last address of them that an instruction touches."""
    last = i["y1"] * i["out_w"] - 1 if i.opcode in (Opcode.DENSE, Opcode.DW, Opcode.ADD, Opcode.LDI) else 0
    first = i["y0"] * i["out_w"] if last else 0
    if (i.opcode is Opcode.DENSE and i["dst"] == Destination.FEATURE) or i.opcode in (Opcode.DW, Opcode.ADD):
        sums = i.opcode is Opcode.DW and i["mode"] == 2
        for base in ("dst_base0", "dst_base1", "dst_base2", "dst_base3"):
            yield "fm_words", (i[base] + (0 if sums else last)) % _VIRTUAL
            yield "fm_words", (i[base] + (0 if sums else first)) % _VIRTUAL
    if i.opcode is Opcode.LDI:
        yield "fm_words", (i["dst_base0"] + last) % _VIRTUAL
    if i.opcode is Opcode.LOAD and i["target"] == LoadTarget.FEATURE:
        yield "fm_words", (i["dst_addr"] + i["length"] - 1) % _VIRTUAL
    if i.opcode is Opcode.STORE:
        yield "fm_words", (i["src_addr"] + i["length"] - 1) % _VIRTUAL
    if i.opcode is Opcode.FILL:
        yield "win_depth", i["win_base"] + i["win_rows"] * i["win_pitch"] - 1
    if i.opcode is Opcode.LOAD and i["target"] == LoadTarget.WEIGHT:
        yield "wb_words", i["length"] - 1
    if i.opcode is Opcode.LOAD and i["target"] == LoadTarget.PARAM:
        yield "pb_words", i["length"] - 1


def highest_addresses(program: tuple[Instruction, ...]) -> dict[str, int]:
    """Largest address of every memory that the instructions touch."""
    found: dict[str, int] = {}
    for instruction in program:
        for memory, address in _spans(instruction):
            found[memory] = max(found.get(memory, 0), address)
    return found


def board_limits(board: str) -> dict[str, float]:
    """Resources of a board, read from its file."""
    path = Path(board) if board.endswith(".toml") else shared("boards") / f"{board}.toml"
    content = tomllib.loads(path.read_text(encoding="utf-8"))
    return {name: float(content["resources"][name]) for name in ("dsp", "lut", "ff", "bram36")}


def damage_of_widths(graph: Graph, widths: dict[str, int]) -> float:
    """Squared change of all weights in units of the layers' outputs, one weight channel at a time."""
    total = 0.0
    for node in graph.nodes:
        if not isinstance(node, Conv) or node.name not in widths:
            continue
        own = max(2, int(np.abs(node.weight).max()).bit_length() + 1)
        drop = own - widths[node.name]
        if drop <= 0:
            continue
        top = 2 ** (widths[node.name] - 1) - 1
        for channel, gain, shift in zip(node.weight, node.requant.multiplier, node.requant.shift, strict=True):
            kept = np.floor(channel / 2.0**drop + 0.5).clip(-top, top) * 2.0**drop
            total += float((((kept - channel) * (float(gain) / 2.0 ** int(shift))) ** 2).sum())
    return total


def damage_by_table(path: Path, widths: dict[str, int]) -> float:
    """Perturbation of widths summed up from the file that names it, read anew."""
    rows = json.loads(path.read_text(encoding="utf-8"))["layers"]
    named = {row["name"]: row["sensitivity"] for row in rows} if isinstance(rows, list) else rows
    return float(sum(named[layer][str(width)] for layer, width in widths.items()))


def synthesized(config: EngineConfig) -> dict[str, float] | None:
    """Resources of a configuration from the committed synthesis table of exactly its parameters; None: there is none."""
    wanted = {name: str(value) for name, value in config.parameters().items()}
    for path in sorted(TABLES.glob("synthesis-*.toml")):
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        if table["modules"][0]["parameters"] == wanted:
            return {name: float(table[name]) for name in ("dsp", "lut", "ff", "bram36")}
    return None


def verify(
    compilation: Compilation,
    graph: Graph,
    board: Board,
    board_name: str,
    area: dict[str, float],
    widths: dict[str, int],
    perturbations: Path | None = None,
) -> Verification:
    """Recompute everything that can be without simulating.

    Args:
        compilation: of the design; only its image is read.
        graph: the original network.
        board, board_name: for the DRAM, and for the file with the limits.
        area: of the configuration, by resource, as the model has it; where its synthesis is committed, that counts.
        widths: weight bits by layer.
        perturbations: file that they come from; from the weights when left out.
    """
    measured = synthesized(compilation.image.manifest.config)
    area = measured or area
    image: ProgramImage = compilation.image
    config: EngineConfig = image.manifest.config
    program = image.program()
    highest = highest_addresses(program)
    wrong = [f"{memory}: address {at} of {getattr(config, memory)}" for memory, at in highest.items() if at >= getattr(config, memory)]
    wrong += [f"{name}: {area[name]:g} of {limit:g}" for name, limit in board_limits(board_name).items() if area[name] > limit]
    cycles = estimate_cycles(program, config, board, image.manifest.program_offset)
    damage = damage_of_widths(graph, widths) if perturbations is None else damage_by_table(perturbations, widths)
    return Verification(cycles, highest, tuple(wrong), damage, measured)
