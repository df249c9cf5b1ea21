"""Proves that a change makes no difference in any state that the sound module reaches: one step after the other, registers shared.

Two whole machines side by side (:mod:`hao.formal.equality`) make the solver find out that each of their registers equals its twin. Here
there is one machine, the sound one, and of the changed one only the logic: from every state that the sound module reaches it must
give the same outputs and the same next state, or the change makes a difference there. By induction the two then never part.

A register that the change leaves at another value for a while (a reset value that is overwritten before it is read) gets a
shadow: the value it would have in the changed module. Shadows may differ, all other registers and outputs may not. Memories and
multipliers are boxes: what goes into them is compared (of a memory address and data only with their enable), what comes out of
them is any value, the same for both. So a proof is cheap however large the module is, and what it proves holds; where it fails
nothing is said.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from hao.codegen.rtl import render_package, rtl_sources
from hao.formal.graph import Bit, Graph, Literals, Netlist, pairs, word_of
from hao.formal.modules import above, below, parameters_of, valid_of
from hao.formal.prove import DUMMY, run_yosys
from hao.resources import cache_folder
from hao.synth.sources import Sources

BOXES = frozenset({
    "hao_ram", "hao_mul_add", "hao_lut_multiplier", "hao_dsp_quad", "hao_dsp_row", "hao_dw_pair_tap", "hao_requant_dsp",
})  # fmt: skip
"""Modules of which only what goes in and out is looked at."""
ROUNDS = 4
"""Most steps by which the set of shadows grows."""
_START_SECONDS = 240
_RESET: Bit = ("rst_ni", 0)
_READ = """read_slang --threads 1 --no-synthesis-define --ignore-assertions package.sv {files} --top {top} {parameters} {boxes}
hierarchy -top {top}
proc
flatten
memory_map
opt_expr
opt_dff -nodffe -nosdff
techmap
dfflegalize -cell $_DFF_P_ x -cell $_DFF_PN0_ x -cell $_DFF_PN1_ x
aigmap
opt_clean
write_json module.json
"""
_ASK = """read_verilog -icells dummy.v
abc -script step.abc
"""
_ABC = """strash
write_blif all.blif
read_aiger step.aig
scleanup
pdr -T {seconds}
write_status step.status
read_blif all.blif
strash
map
"""
_MEMORY: Mapping[str, str] = {"wr_addr_i": "wr_en_i", "wr_data_i": "wr_en_i", "rd_addr_i": "rd_en_i"}


class Pair:
    """A sound module and a changed one over one set of registers."""

    def __init__(self, sound: Netlist, changed: Netlist, valid: Mapping[str, str]) -> None:
        """``valid``: outputs that say when others mean something, by those."""
        self.sound, self.changed, self._valid = sound, changed, valid
        # a register that is constant in the sound module is none there
        self._added = word_of(changed.registers.keys() - sound.registers.keys())

    def parting(self, shadows: set[str]) -> set[str]:
        """Registers outside ``shadows`` that another reset value or the logic out of reset may leave at another value."""
        _, _, _, found = self.problem(shadows, out_of_reset=True)
        both = self.sound.registers.keys() & self.changed.registers.keys()
        return word_of(found) | word_of(bit for bit in both if self.sound.registers[bit].value != self.changed.registers[bit].value)

    def problem(self, shadows: set[str], *, out_of_reset: bool = False) -> tuple[Graph, int, dict[int, int], set[Bit]]:
        """The graph, what must never be true in it, next states by leaf, and the registers outside ``shadows`` that may part."""
        graph, shadows = Graph(), shadows | self._added
        started = graph.leaf("started", ("", 0))
        # the first cycle is a reset
        inputs = {_RESET: 1 if out_of_reset else graph.both(started, graph.leaf("port", _RESET))}
        a = self.sound.literals(graph, lambda bit: graph.leaf("state", bit), inputs)
        b = self.changed.literals(graph, lambda bit: graph.leaf("shadow" if bit[0] in shadows else "state", bit), inputs)

        def after(net: Netlist, literal: Literals, bit: Bit) -> int:
            each = net.registers[bit]
            return graph.choose(literal(each.reset), literal(each.data), each.value)

        states, bad, parting = {started >> 1: 1}, [], set[Bit]()
        for bit in self.sound.registers:
            states[graph.leaf("state", bit) >> 1] = after(self.sound, a, bit)
        for bit in self.changed.registers:
            following = after(self.changed, b, bit)
            if bit[0] in shadows:
                states[graph.leaf("shadow", bit) >> 1] = following
            elif following != states[graph.leaf("state", bit) >> 1]:
                bad.append(graph.differ(following, states[graph.leaf("state", bit) >> 1]))
                parting.add(bit)
        for name, nets in self.sound.outputs.items():
            when = a(self.sound.outputs[self._valid[name]][0]) if name in self._valid else 1
            other = pairs([a(net) for net in nets], [b(net) for net in self.changed.outputs[name]], graph)
            bad.append(graph.both(graph.both(inputs[_RESET], when), other))
        bad += self._boxes(graph, a, b)
        return graph, graph.any(bad), states, parting

    def _boxes(self, graph: Graph, a: Literals, b: Literals) -> list[int]:
        bad = []
        for name, box in self.sound.boxes.items():
            for port, nets in box.inputs.items():
                mine, theirs = [a(net) for net in nets], [b(net) for net in self.changed.boxes[name].inputs[port]]
                enable = box.inputs[_MEMORY[port]] if box.module == "hao_ram" and port in _MEMORY else ["1"]
                bad.append(graph.both(graph.any(map(a, enable)), pairs(mine, theirs, graph)))
        return bad


def _decided(folder: Path, graph: Graph, bad: int, states: Mapping[int, int], seconds: int) -> bool:
    """Whether ``bad`` is never true."""
    if bad in (0, 1):
        return bad == 0
    (folder / "step.aig").write_bytes(graph.aiger(bad, states))
    (folder / "step.abc").write_text(_ABC.format(seconds=seconds), encoding="utf-8")
    status = folder / "step.status"
    status.unlink(missing_ok=True)
    run_yosys(folder, _ASK, _START_SECONDS + seconds)
    return status.is_file() and status.read_text(encoding="utf-8").split()[:1] == ["snl_UNSAT"]


def _netlist(top: str, boxes: tuple[str, ...], config: str, texts: Mapping[str, str]) -> Netlist | None:
    """The flat module; None where Yosys did not end in time. ``texts``: of all modules, by name."""
    with tempfile.TemporaryDirectory(prefix="step-", dir=cache_folder()) as name:
        folder = Path(name)
        (folder / "package.sv").write_text(render_package(), encoding="utf-8")
        files = [f"{each}.sv" for each in sorted({top, *below(Sources.load(), top, boxes)})]
        for file in files:
            (folder / file).write_text(texts[Path(file).stem], encoding="utf-8")
        words = " ".join(f"--blackboxed-module {box}" for box in boxes)
        script = _READ.format(files=" ".join(files), top=top, parameters=parameters_of(texts[top], config), boxes=words)
        if not run_yosys(folder, script, _START_SECONDS):
            return None
        return Netlist(json.loads((folder / "module.json").read_text(encoding="utf-8"))["modules"][top])


def _texts() -> dict[str, str]:
    return {path.stem: path.read_text(encoding="utf-8") for path in rtl_sources()}


@lru_cache(maxsize=4)
def _sound(top: str, boxes: tuple[str, ...], config: str) -> Netlist | None:
    return _netlist(top, boxes, config, _texts())


def _equal(folder: Path, top: str, sound: Netlist, changed: Netlist, seconds: int) -> bool:
    """Whether the changed module steps as the sound one, with as many shadows as that takes."""
    kinds, others = ({name: (box.module, box.parameters) for name, box in net.boxes.items()} for net in (sound, changed))
    if kinds != others:
        return False  # nothing is known of a box but that its like does the same with the same inputs
    outputs = list(sound.outputs)
    valid = {name: when for name in outputs if (when := valid_of(top, name, outputs))}
    pair, shadows = Pair(sound, changed, valid), set[str]()
    for _ in range(ROUNDS):
        graph, bad, states, _ = pair.problem(shadows)
        if _decided(folder, graph, bad, states, seconds):
            return True
        more = pair.parting(shadows) - shadows
        if not more:
            return False
        shadows |= more
    return False


def same_steps(module: str, changed: str, config: str, seconds: int = 30, inside: str = "") -> bool:
    """Whether a changed module is proven to step as the sound one does, from every state that the sound one reaches.

    Args:
        module: of ``accel/rtl``.
        changed: its SystemVerilog with the change in it.
        config: of ``CI_CONFIGS``, for the parameters.
        seconds: limit of each question to the solver.
        inside: a module that instantiates it, directly or not, whose inputs and outputs are compared instead.

    Raises:
        SynthesisError: Yosys refuses the sources.
    """
    top, changeable = inside or module, {module, *above(module)}
    boxes = tuple(sorted((BOXES - changeable).intersection(below(Sources.load(), top, BOXES - changeable))))
    sound = _sound(top, boxes, config)
    other = _netlist(top, boxes, config, {**_texts(), module: changed}) if sound else None
    if sound is None or other is None:
        return False
    with tempfile.TemporaryDirectory(prefix="step-", dir=cache_folder()) as name:
        (Path(name) / "dummy.v").write_text(DUMMY, encoding="utf-8")
        return _equal(Path(name), top, sound, other, seconds)
