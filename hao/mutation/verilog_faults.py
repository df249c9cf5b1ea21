"""Faults of SystemVerilog sources, found by patterns outside comments, assertions, attributes and the module's header."""

from __future__ import annotations

import re

from hao.mutation.mutant import Mutant

_HIDDEN = re.compile(r"//[^\n]*|/\*.*?\*/|\"[^\"\n]*\"|\(\*.*?\*\)|`ifndef SYNTHESIS.*?`(?:else|endif)", re.DOTALL)
_RULES: tuple[tuple[str, str, str], ...] = (
    # kind, pattern with the replaced text as group 1, replacement
    ("comparison", r"[\w\])'] (==) [\w('{]", "!="),
    ("comparison", r"[\w\])'] (!=) [\w('{]", "=="),
    ("comparison", r"[\w\])'] (<) [\w('{]", "<="),
    ("comparison", r"[\w\])'] (>=) [\w('{]", ">"),
    ("comparison", r"[\w\])'] (>) [\w('{]", ">="),
    ("sign", r"[\w\])'] (\+) [\w('{]", "-"),
    ("sign", r"[\w\])'] (-) [\w('{]", "+"),
    ("condition", r"[\w\])] (&&) [\w!(]", "||"),
    ("condition", r"[\w\])] (\|\|) [\w!(]", "&&"),
    ("condition", r"[=(&|] ?(!)[\w(]", ""),
    ("dropped stall", r"( && !?\w*(?:ready|room|full|free|stall|halt|drain|valid|wait)\w*)(?=[ ;)\n])", ""),
    ("off by one", r"'d(0|1)\b", "2"),
    ("shift", r"[\w\])] (<<|>>|>>>) [\w(]", ""),
    ("reset value", r"<= ('0|1'b0);", "'1"),
)
_SHIFTED = {"<<": ">>", ">>": "<<", ">>>": ">>"}


def _body(text: str) -> int:
    """Where the module's body begins."""
    match = re.search(r"^\);", text, re.MULTILINE)
    return match.end() if match else 0


def verilog_mutants(file: str, text: str) -> list[Mutant]:
    """Every fault of one source, in the order of the text.

    Args:
        file: its name below the root of the sources.
        text: its content.
    """
    # same length, so that offsets hold; parameter checks, declarations and generate loops are left alone
    seen = _HIDDEN.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), text)
    found: dict[tuple[int, str], Mutant] = {}
    begin = _body(text)
    offset = begin
    for line in seen[begin:].splitlines(keepends=True):
        skip = re.match(r"\s*(localparam|parameter|for|if \(\w+ [<>=!]+ \d|typedef|import|\$|unused|assign unused)", line)
        for kind, pattern, after in () if skip else _RULES:
            for match in re.finditer(pattern, line):
                start, end = offset + match.start(1), offset + match.end(1)
                new = _SHIFTED[match.group(1)] if kind == "shift" else after
                found[(start, new)] = Mutant(file, text.count("\n", 0, start) + 1, kind, start, end, text[start:end], new)
        offset += len(line)
    return [found[key] for key in sorted(found)]
