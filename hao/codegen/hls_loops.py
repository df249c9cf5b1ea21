"""Loops of generated HLS C++: every one bounded, and none of unknown length where the tool has to unroll it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from hao.codegen.hls_pragmas import FUNCTION, head_of, pragmas
from hao.codegen.hls_source import Function, called_names, closing

CONSTANT = re.compile(r"(?:\b[A-Z][A-Z0-9_]*\b|\b\d\w*\b|[-+*/%()\s<>&])+")
"""An expression that is known at compile time: constants are written in capitals."""
_FOR = re.compile(r"\bfor\s*\(")
_WHILE = re.compile(r"\b(while|do)\b")
_INSIDE = "loop of unknown length inside a pipeline"


@dataclass(frozen=True, slots=True)
class Loop:
    """A ``for`` loop: what is between its parentheses, its body, and its offset."""

    head: str
    body: str
    offset: int

    @property
    def constant(self) -> bool:
        """Whether the number of iterations is known at compile time."""
        parts = self.head.split(";")
        if len(parts) != 3:
            return False
        bound = re.split(r"<=|>=|<|>|!=", parts[1], maxsplit=1)
        first = parts[0].rsplit("=", 1)
        return len(bound) == 2 and len(first) == 2 and all(CONSTANT.fullmatch(side.strip()) for side in (bound[1], first[1]))

    @property
    def own_pragmas(self) -> str:
        """The pragmas at the head of the body: those of inner loops come later."""
        lines = []
        for line in self.body.lstrip("{ \n").split("\n"):
            if line.strip() and not line.lstrip().startswith("#"):
                break
            lines.append(line)
        return "\n".join(lines)


def loops(body: str) -> Iterator[Loop]:
    """Every ``for`` loop of ``body``, inner ones included."""
    for match in _FOR.finditer(body):
        head_end = closing(body, match.end() - 1, "()")
        brace = re.compile(r"\s*\{").match(body, head_end + 1)
        end = closing(body, brace.end() - 1) if brace else body.find(";", head_end)
        yield Loop(body[match.end() : head_end], body[head_end + 1 : end], match.start())


def of_unknown_length(found: Sequence[Function], reached: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """Names of the functions that hold a loop of unknown length, or call one that does.

    Args:
        found: all functions.
        reached: what each calls, directly or not.
    """
    own = {each.name for each in found if _WHILE.search(each.body) or not all(loop.constant for loop in loops(each.body))}
    return frozenset(name for name, targets in reached.items() if name in own or own & targets)


def _unrolled_faults(body: str, lengthy: frozenset[str]) -> Iterator[str]:
    """What cannot be unrolled in the body of a pipeline."""
    yield from (f"for ({' '.join(inner.head.split())})" for inner in loops(body) if not inner.constant)
    yield from (f"{name}()" for name in sorted(called_names(body) & lengthy))


def loop_faults(function: Function, lengthy: frozenset[str]) -> Iterator[tuple[int, str, str]]:
    """Departures of the loops of ``function``, as (line, rule, text).

    Args:
        function: to be read.
        lengthy: functions that loop for an unknown time, from ``of_unknown_length``.
    """
    for loop in loops(function.body):
        line, head = function.line + function.body.count("\n", 0, loop.offset), " ".join(loop.head.split())
        if not loop.constant and "LOOP_TRIPCOUNT" not in loop.own_pragmas:
            yield line, "loop without bound or trip count", f"for ({head})"
        if "UNROLL" in loop.own_pragmas and not loop.constant:
            yield line, "unrolled loop without constant bounds", f"for ({head})"
        if "PIPELINE" in loop.own_pragmas:
            for text in _unrolled_faults(loop.body, lengthy):
                yield line, _INSIDE, text
    for match in _WHILE.finditer(function.body):
        yield function.line + function.body.count("\n", 0, match.start()), "loop without bound or trip count", match.group()
    for one in pragmas(function.body):
        if one.vendor and one.words[:1] == ("PIPELINE",) and head_of(function.body, one.offset) == FUNCTION:
            for text in _unrolled_faults(function.body, lengthy):
                yield function.line, _INSIDE, text
