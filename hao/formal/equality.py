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
from hao.engine.config import CI_CONFIGS
from hao.errors import SynthesisError
from hao.formal.prove import DUMMY, run_yosys
from hao.resources import cache_folder
from hao.synth.sources import PRIMITIVE, Sources

CONFIGS = ("8x8x1", "16x16x2")
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


_PAYLOAD: Mapping[str, tuple[str, frozenset[str]]] = {
    "hao_window_writer": ("valid_o", frozenset({"bank_o", "addr_o"})),
    "hao_mul_add": ("valid_o", frozenset({"product_o"})),
    "hao_requant": ("valid_o", frozenset({"data_o", "tag_o"})),
    "hao_dw_core": ("valid_o", frozenset({"half_o", "two_o", "result_o", "two_result_o", "last_o", "acc_o"})),
    "hao_dw_walk": (
        "fire_o",
        frozenset({
            "first_o", "last_o", "result_o", "deform_o", "disp_addr_o", "y_o", "x_o", "phase_o", "column_o", "row_bank_o", "slot_o",
            "row_addr_o",
        }),
    ),
}  # fmt: skip
"""Handshakes whose names do not begin alike, as the modules' headers describe them."""


def valid_of(module: str, output: str, outputs: Sequence[str]) -> str | None:
    """The output of ``module`` that says when ``output`` means something: ``x_valid_o`` of ``x_o``, ``x_data_o`` and ``x_in_addr_o``."""
    valid, names = _PAYLOAD.get(module, ("", frozenset()))
    if output in names:
        return valid
    parts = output.removesuffix("_o").split("_")
    for length in range(len(parts), 0, -1):
        valid = "_".join([*parts[:length], "valid_o"])
        if valid in outputs and parts[-1] not in ("valid", "ready"):
            return valid
    return None


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


def _below(sources: Sources, module: str) -> list[str]:
    """Modules that ``module`` instantiates, all the way down, without itself."""
    used: set[str] = set()
    waiting = [module]
    while waiting:
        for inner in sources.instantiated(waiting.pop()) - used - {PRIMITIVE}:
            used.add(inner)
            waiting.append(inner)
    return sorted(used)


def _parameters(text: str, config: str) -> str:
    """Those of ``config`` that the module has, as options."""
    names = set(re.findall(r"parameter\s+int\s+unsigned\s+(\w+)", text))
    return " ".join(f"-G {name}={value}" for name, value in CI_CONFIGS[config].parameters().items() if name in names)


def users_of(module: str) -> tuple[str, ...]:
    """Modules of the RTL that instantiate ``module``."""
    sources = Sources.load()
    return tuple(sorted(name for name in sources.modules if module in sources.instantiated(name)))


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
    used = [top, *_below(sources, top)]
    options = _parameters(raw[top], config)
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

    Args:
        module, changed, seconds: as of ``proven_equal``, with the parameters of each of ``CONFIGS``.
        levels: of users to go up.

    Returns:
        the modules compared, or an empty text.
    """

    def shown(inside: str, left: int) -> list[str] | None:
        if inside not in _HEAVY and all(_proven(module, changed, config, seconds, inside) for config in CONFIGS):
            return [inside]
        users = users_of(inside)
        if not left or not users:
            return None
        found = [shown(user, left - 1) for user in users]
        return None if None in found else sorted({name for names in found if names for name in names})

    return ", ".join(shown(module, levels) or ())


def _proven(module: str, changed: str, config: str, seconds: int, inside: str) -> bool:
    try:
        return proven_equal(module, changed, config, seconds, inside)
    except SynthesisError:  # DSP primitives have no model here
        return False
