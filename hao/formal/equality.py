"""Proves that a module and a changed one are equal: no input sequence, resets at any time included, tells their outputs apart.

Both get the same inputs, and their outputs are compared in every cycle without reset; what belongs to a handshake (``x_data_o`` beside
``x_valid_o``) only while it is valid, because nobody may look at it otherwise. Registers without a reset start at zero, and hold
whatever the module left in them when a later reset comes. What is read is what is simulated, without its assertions: multipliers by
their twins. The parameters are those of the engines that judge faults.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from hao.codegen.rtl import render_package, rtl_sources
from hao.errors import SynthesisError
from hao.formal.modules import CONFIGS, below, comparable, parameters_of, users_of, valid_of
from hao.formal.prove import DUMMY, run_yosys
from hao.formal.step import same_steps
from hao.resources import cache_folder
from hao.synth.sources import Sources

_CHANGED, _TOP = "_changed", "equal"
_START_SECONDS = 120
_HEAVY = frozenset({"hao_dense", "hao_dense_out", "hao_dw", "hao_dw_core", "hao_engine", "hao_frontend", "hao_mac_array", "hao_units"})
"""Not compared as a whole: many multipliers or memories, on which the solver does not end."""
_READ = """read_slang --threads 1 --no-synthesis-define --ignore-assertions package.sv {files} --top {top} {parameters}
hierarchy -top {top}
proc
flatten
"""
_PORTS = "write_json ports.json\n"
_SOLVE = """read_verilog -formal -sv equal.v
hierarchy -check -top equal
prep -top equal -flatten
chformal -lower
async2sync
formalff -clk2ff
setundef -zero -undriven
memory_map
techmap
opt -fast
aigmap
opt_clean
write_aiger -zinit all.aig
design -reset
read_verilog -icells dummy.v
abc -script all.abc
"""
_ABC = """strash
write_blif all.blif
read_aiger all.aig
fold
orpos
scleanup
trim
scorr
scleanup
pdr -T {seconds}
write_status all.status
read_blif all.blif
strash
map
"""

Ports = Mapping[str, tuple[str, int]]


def wrapper(module: str, ports: Ports) -> str:
    """Verilog that holds ``module`` against the changed one.

    Args:
        module: name of the sound one.
        ports: direction (``input``, ``output``) and width of every port.
    """
    inputs = {name: width for name, (direction, width) in ports.items() if direction == "input"}
    outputs = {name: width for name, (direction, width) in ports.items() if direction == "output"}
    lines = [f"module {_TOP}({', '.join(f'input [{width - 1}:0] {name}' for name, width in inputs.items())});"]
    for side, name in (("a", module), ("b", module + _CHANGED)):
        lines += [f"  wire [{width - 1}:0] {side}_{output};" for output, width in outputs.items()]
        bound = [f".{port}({port})" for port in inputs] + [f".{output}({side}_{output})" for output in outputs]
        lines.append(f"  {name} {side}({', '.join(bound)});")
    lines += [
        "  reg started = 1'b0;",
        "  always @(posedge clk_i) started <= 1'b1;",
        "  always @* begin",
        "    if (!started) assume (!rst_ni);",
    ]
    for output in outputs:
        valid = valid_of(module, output, list(outputs))
        when = "started && rst_ni" + (f" && a_{valid}" if valid else "")
        lines.append(f"    if ({when}) assert (a_{output} == b_{output});")
    return "\n".join([*lines, "  end", "endmodule", ""])


def _renamed(text: str, modules: Sequence[str]) -> str:
    return re.sub(rf"\b({'|'.join(modules)})\b", rf"\1{_CHANGED}", text)


def proven_equal(module: str, changed: str, config: str, seconds: int = 60, inside: str = "") -> bool:
    """Whether no inputs tell ``module`` from its changed text apart; False where that was not proven in time, too.

    Args:
        module: of ``accel/rtl``.
        changed: its SystemVerilog with the change in it.
        config: of ``CI_CONFIGS``, for the parameters.
        seconds: limit of the proof by the clock.
        inside: a module that instantiates it, directly or not, whose inputs and outputs are compared instead.

    Raises:
        SynthesisError: Yosys refuses the sources, or the module compared has no clock ``clk_i`` or no reset ``rst_ni``.
    """
    sources, top = Sources.load(), inside or module
    raw = {path.stem: path.read_text(encoding="utf-8") for path in rtl_sources()}
    used = [top, *below(sources, top)]
    options = parameters_of(raw[top], config)
    with tempfile.TemporaryDirectory(prefix="equal-", dir=cache_folder()) as name:
        folder = Path(name)
        (folder / "package.sv").write_text(render_package(), encoding="utf-8")
        (folder / "dummy.v").write_text(DUMMY, encoding="utf-8")
        for each in used:
            text = raw[each]
            (folder / f"{each}.sv").write_text(text, encoding="utf-8")
            (folder / f"{each}{_CHANGED}.sv").write_text(_renamed(changed if each == module else text, used), encoding="utf-8")
        reads = [
            _READ.format(files=" ".join(f"{each}{suffix}.sv" for each in used), top=top + suffix, parameters=options)
            for suffix in ("", _CHANGED)
        ]
        if not run_yosys(folder, reads[0] + _PORTS, _START_SECONDS):
            return False
        found = json.loads((folder / "ports.json").read_text(encoding="utf-8"))["modules"][top]["ports"]
        ports = {port: (value["direction"], len(value["bits"])) for port, value in found.items()}
        if not {"clk_i", "rst_ni"} <= ports.keys():
            raise SynthesisError(f"{top} has no clock or reset", "only modules with both can be compared")
        (folder / "equal.v").write_text(wrapper(top, ports), encoding="utf-8")
        (folder / "all.abc").write_text(_ABC.format(seconds=seconds), encoding="utf-8")
        script = f"{reads[0]}design -stash sound\n{reads[1]}design -copy-from sound {top}\n{_SOLVE}"
        run_yosys(folder, script, _START_SECONDS + seconds)
        status = folder / "all.status"
        return status.is_file() and status.read_text(encoding="utf-8").split()[:1] == ["snl_UNSAT"]


def proven_equal_everywhere(module: str, changed: str, seconds: int = 60, levels: int = 2) -> str:
    """Where a change of ``module`` is proven to make no difference: in itself or, failing that, in every module that uses it.

    Each module is compared step by step first (:mod:`hao.formal.step`), then, where it is small enough, side by side. One that
    has parameters that the engine's configuration does not decide is only compared inside those that set them.

    Args:
        module, changed, seconds: as of ``proven_equal``, with the parameters of each of ``CONFIGS``.
        levels: of users to go up.

    Returns:
        the modules compared, or an empty text.
    """

    def shown(inside: str, left: int) -> list[str] | None:
        alone = comparable(inside)
        if alone and all(_proven(module, changed, config, seconds, inside) for config in CONFIGS):
            return [inside]
        users = users_of(inside)
        if not users or not (left or not alone):
            return None
        found = [shown(user, left - alone) for user in users]
        return None if None in found else sorted({name for names in found if names for name in names})

    return ", ".join(shown(module, levels) or ())


def _proven(module: str, changed: str, config: str, seconds: int, inside: str) -> bool:
    for way in (same_steps, proven_equal):
        try:
            if (way is same_steps or inside not in _HEAVY) and way(module, changed, config, seconds, inside):
                return True
        except SynthesisError:  # DSP primitives have no model here, or the module is too large for Yosys
            continue
    return False
