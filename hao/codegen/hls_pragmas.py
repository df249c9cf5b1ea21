"""Pragmas of Vitis HLS: which there are, what they take, and where they apply (UG1399, "HLS Pragmas").

A pragma that the tool does not know, or that stands where it does not apply, is passed over with a warning at best, and the
promised pipeline or memory is not built: here it is a fault.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from hao.codegen.hls_source import Function, closing

LOOP, FUNCTION, TOP, VARIABLE = "loop", "function", "top", "variable"
_NUMBER = re.compile(r"\d+")
_POSITIVE = re.compile(r"[1-9]\d*")
_WORD = re.compile(r".+")


@dataclass(frozen=True, slots=True)
class Pragma:
    """One pragma: places it applies to, options with the values they take, and those that must be there; ``flags`` stand alone."""

    places: tuple[str, ...]
    options: Mapping[str, re.Pattern[str]]
    needed: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()


def _among(*values: str) -> re.Pattern[str]:
    return re.compile("|".join(map(re.escape, values)), re.I)


_RAM = _among("ram_1p", "ram_1wnr", "ram_2p", "ram_s2p", "ram_t2p", "rom_1p", "rom_2p", "rom_np", "fifo")
PRAGMAS: dict[str, Pragma] = {
    "AGGREGATE": Pragma((VARIABLE,), {"variable": _WORD, "compact": _among("bit", "byte", "none", "auto")}, ("variable",)),
    "ARRAY_PARTITION": Pragma(
        (VARIABLE,), {"variable": _WORD, "type": _among("cyclic", "block", "complete"), "factor": _POSITIVE, "dim": _NUMBER},
        ("variable", "type"), ("off",),
    ),
    "ARRAY_RESHAPE": Pragma(
        (VARIABLE,), {"variable": _WORD, "type": _among("cyclic", "block", "complete"), "factor": _POSITIVE, "dim": _NUMBER},
        ("variable", "type"), ("off", "object"),
    ),
    "BIND_OP": Pragma(
        (VARIABLE,), {"variable": _WORD, "op": _among("mul", "add", "sub", "fadd", "fmul", "fsub", "dadd", "dmul"),
                      "impl": _among("dsp", "fabric", "auto", "none"), "latency": _NUMBER}, ("variable", "op"),
    ),
    "BIND_STORAGE": Pragma(
        (VARIABLE,), {"variable": _WORD, "type": _RAM, "latency": _NUMBER,
                      "impl": _among("bram", "bram_ecc", "lutram", "uram", "uram_ecc", "srl", "memory", "auto")}, ("variable", "type"),
    ),
    "DATAFLOW": Pragma((FUNCTION, LOOP), {}, (), ("disable_start_propagation",)),
    "DEPENDENCE": Pragma(
        (VARIABLE,), {"variable": _WORD, "class": _among("array", "pointer"), "type": _among("inter", "intra"),
                      "direction": _among("RAW", "WAR", "WAW"), "distance": _NUMBER}, ("variable", "type"), ("true", "false"),
    ),
    "INLINE": Pragma((FUNCTION,), {}, (), ("off", "recursive")),
    "INTERFACE": Pragma(
        (TOP,), {"mode": _among("m_axi", "s_axilite", "axis", "ap_none", "ap_ctrl_hs", "ap_ctrl_none", "ap_ctrl_chain"), "port": _WORD,
                 "bundle": _WORD, "offset": _among("slave", "direct", "off"), "depth": _NUMBER, "latency": _NUMBER,
                 "max_read_burst_length": _NUMBER, "max_write_burst_length": _NUMBER, "num_read_outstanding": _NUMBER,
                 "num_write_outstanding": _NUMBER, "max_widen_bitwidth": _NUMBER}, ("mode", "port"),
    ),
    "LATENCY": Pragma((FUNCTION, LOOP), {"min": _NUMBER, "max": _NUMBER}),
    "LOOP_FLATTEN": Pragma((LOOP,), {}, (), ("off",)),
    "LOOP_TRIPCOUNT": Pragma((LOOP,), {"min": _NUMBER, "max": _NUMBER, "avg": _NUMBER}, ("min", "max")),
    "PIPELINE": Pragma((FUNCTION, LOOP), {"II": _POSITIVE, "style": _among("stp", "flp", "frp")}, (), ("off", "rewind")),
    "STREAM": Pragma(
        (VARIABLE,), {"variable": _WORD, "depth": _POSITIVE, "type": _among("fifo", "pipo", "shared", "unsync")}, ("variable",),
    ),
    "UNROLL": Pragma((LOOP,), {"factor": _POSITIVE}, (), ("skip_exit_check", "off=true")),
}  # fmt: skip
"""What the generated kernel may use; others that the tool knows are not needed and so not accepted."""

_SUBJECT = ("variable", "port", "mode", "dim", "type", "class", "op")
_OF_MEMORIES = ("ARRAY_PARTITION", "ARRAY_RESHAPE", "BIND_STORAGE", "STREAM")
_PRAGMA = re.compile(r"^[ \t]*#[ \t]*pragma[ \t]+(HLS[ \t]+)?((?:[^\n\\]|\\\n|\\)*)", re.M)
_SCALAR = re.compile(r"\b(?:bool|int|unsigned|short|long|char|u?int_t<[^<>;]*>)\s+$")


@dataclass(frozen=True, slots=True)
class Found:
    """A pragma in a text: its offset, and its words; ``vendor`` where it is one of HLS."""

    offset: int
    words: tuple[str, ...]
    vendor: bool


def pragmas(text: str) -> Iterator[Found]:
    """Every pragma of ``text``, continuation lines joined."""
    for match in _PRAGMA.finditer(text):
        yield Found(match.start(), tuple(match.group(2).replace("\\\n", " ").split()), match.group(1) is not None)


def _option_faults(name: str, words: Sequence[str]) -> Iterator[tuple[str, str]]:
    pragma, given = PRAGMAS[name], {}
    for word in words:
        option, separator, value = word.partition("=")
        if word in pragma.flags:
            continue
        if not separator or option not in pragma.options:
            yield "unknown option of a pragma", f"{name} {word}"
        elif not pragma.options[option].fullmatch(value):
            yield "pragma with a value that it does not take", f"{name} {word}"
        given[option] = value
    for option in pragma.needed:
        if option not in given:
            yield "pragma without an option that it needs", f"{name} lacks {option}="


def head_of(body: str, offset: int) -> str:
    """What the pragma at ``offset`` stands at the head of: a loop, the function, or nothing."""
    before = re.sub(r"^[ \t]*#(?:[^\n\\]|\\\n|\\)*$", "", body[:offset], flags=re.M).rstrip()
    if not before:
        return FUNCTION
    if not before.endswith("{"):
        return ""
    closed = before[:-1].rstrip()
    if not closed.endswith(")"):
        return LOOP if re.search(r"\bdo$", closed) else ""
    for match in re.finditer(r"\b(for|while)\s*\(", closed):
        if closing(closed, match.end() - 1, "()") == len(closed) - 1:
            return LOOP
    return ""


def _variable_fault(function: Function, known: frozenset[str], found: Found, name: str, variable: str) -> tuple[str, str] | None:
    offset = found.offset
    dimension = next((int(word[4:]) for word in found.words if re.fullmatch(r"dim=\d+", word)), 0)
    base = re.split(r"[.\[]", variable, maxsplit=1)[0]
    parameters = {parameter.name for parameter in function.parameters}
    declared = list(re.finditer(rf"[\w>&*\]]\s+[&*]?{re.escape(base)}\s*(\[|;|=|\(|,|\{{)", function.body[:offset]))
    if base not in parameters and base not in known and not declared:
        return "pragma of a variable that is not declared before it", f"{name} variable={variable}"
    if name in _OF_MEMORIES and declared and base == variable:
        match = declared[-1]
        head = function.body[: match.end()]
        kind = head[: re.search(rf"{re.escape(base)}\s*.$", head, re.S).start()]  # type: ignore[union-attr]
        if match.group(1) != "[" and _SCALAR.search(kind):
            return "memory pragma of something that is no array", f"{name} variable={variable}"
        sizes = re.match(r"(\s*\[[^\]]*\])+", function.body[match.end() - 1 :])
        if sizes is not None and _SCALAR.search(kind) and dimension > sizes.group().count("["):
            return "pragma of a dimension that the array does not have", f"{name} variable={variable} dim={dimension}"
    return None


def _place_fault(function: Function, top: str, known: frozenset[str], found: Found, name: str) -> tuple[str, str] | None:
    places = PRAGMAS[name].places
    if TOP in places:
        port = next((word.partition("=")[2] for word in found.words if word.startswith("port=")), "")
        if function.name != top:
            return "interface pragma outside the top function", f"{name} in {function.name}"
        if port not in {"return", *(parameter.name for parameter in function.parameters)}:
            return "interface pragma of no argument", f"{name} port={port}"
        return None
    if VARIABLE in places:
        variable = next((word.partition("=")[2] for word in found.words if word.startswith("variable=")), "")
        return _variable_fault(function, known, found, name, variable) if variable else None
    if head_of(function.body, found.offset) not in places:
        return "pragma where it does not apply", f"{name} belongs to the head of a {' or '.join(places)}"
    return None


def pragma_faults(function: Function, top: str, known: frozenset[str]) -> Iterator[tuple[int, str, str]]:
    """Departures of the pragmas in ``function``, as (line within the body, rule, text).

    Args:
        function: to be read.
        top: name of the top function.
        known: names declared outside functions.
    """
    for match in re.finditer(r"\b_Pragma\b", function.body):
        yield function.body.count("\n", 0, match.start()), "pragma in a form that is not read", "_Pragma"
    seen: set[tuple[str, ...]] = set()
    for found in pragmas(function.body):
        line = function.body.count("\n", 0, found.offset)
        name = found.words[0].upper() if found.words else ""
        if not found.vendor or name not in PRAGMAS:
            yield line, "unknown pragma", " ".join(("HLS" * found.vendor, *found.words)).strip()
            continue
        for rule, text in _option_faults(name, found.words[1:]):
            yield line, rule, text
        # where it stands, and of what: two of a kind contradict or repeat one another
        place = re.sub(r"^[ \t]*#(?:[^\n\\]|\\\n|\\)*$", "", function.body[: found.offset], flags=re.M).rstrip()
        subject = (name, str(len(place)), *sorted(word for word in found.words if word.partition("=")[0] in _SUBJECT))
        if subject in seen:
            yield line, "pragma given twice", " ".join(found.words)
        seen.add(subject)
        fault = _place_fault(function, top, known, found, name)
        if fault is not None:
            yield line, *fault
