"""What proofs of equality need to know of the modules: who uses whom, their parameters, which outputs mean something when."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

from hao.engine.config import CI_CONFIGS
from hao.synth.sources import PRIMITIVE, Sources

CONFIGS = ("8x8x1", "16x16x2")
"""Engines whose parameters modules are compared with."""
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


_AXI = re.compile(r"([ms]_axil?_(?:aw|ar|w|r|b))(?!valid$|ready$)\w+$")
"""What a channel of AXI carries beside its ``valid``."""


def valid_of(module: str, output: str, outputs: Sequence[str]) -> str | None:
    """The output of ``module`` that says when ``output`` means something: ``x_valid_o`` of ``x_o``, ``x_data_o`` and ``x_in_addr_o``."""
    valid, names = _PAYLOAD.get(module, ("", frozenset()))
    if output in names:
        return valid
    if channel := _AXI.match(output):
        return f"{channel.group(1)}valid" if f"{channel.group(1)}valid" in outputs else None
    parts = output.removesuffix("_o").split("_")
    for length in range(len(parts), 0, -1):
        valid = "_".join([*parts[:length], "valid_o"])
        if valid in outputs and parts[-1] not in ("valid", "ready"):
            return valid
    return None


def below(sources: Sources, module: str, boxes: Collection[str] = ()) -> list[str]:
    """Modules that ``module`` instantiates, all the way down, without itself; of ``boxes`` not what is inside them."""
    used: set[str] = set()
    waiting = [module]
    while waiting:
        for inner in sources.instantiated(waiting.pop()) - used - {PRIMITIVE}:
            used.add(inner)
            if inner not in boxes:
                waiting.append(inner)
    return sorted(used)


def parameters_of(text: str, config: str) -> str:
    """Those of ``config`` that the module has, as options."""
    names = set(re.findall(r"parameter\s+int\s+unsigned\s+(\w+)", text))
    return " ".join(f"-G {name}={value}" for name, value in CI_CONFIGS[config].parameters().items() if name in names)


def above(module: str) -> frozenset[str]:
    """Modules that instantiate ``module``, directly or not."""
    direct = users_of(module)
    return frozenset(direct).union(*(above(user) for user in direct))


def comparable(module: str) -> bool:
    """Whether the engine's configuration alone decides the parameters of ``module``; others get theirs from the module around them."""
    engine = {"TapEnable", *CI_CONFIGS[CONFIGS[0]].parameters()}
    return engine >= set(Sources.load().parameters(module))


def users_of(module: str) -> tuple[str, ...]:
    """Modules of the RTL that instantiate ``module``."""
    sources = Sources.load()
    return tuple(sorted(name for name in sources.modules if module in sources.instantiated(name)))
