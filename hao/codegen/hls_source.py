"""Reads generated HLS C++ as the synthesis tool would: conditionals resolved, comments gone, functions found.

A reader of our own generated style, not of C++ at large: what it cannot read it reports instead of passing over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

_DEFINED = {"__SYNTHESIS__"}
_CONDITIONAL = re.compile(r"\s*#\s*(ifdef|ifndef|else|endif|if|elif)\b\s*(\w*)")
_COMMENT_OR_STRING = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\])*"', re.S)
_FUNCTION = re.compile(r"([A-Za-z_]\w*)\s*\(([^()]*(?:\([^()]*\)[^()]*)*)\)\s*(?:const\s*)?\{")
_NOT_FUNCTIONS = {"if", "for", "while", "switch", "catch", "return", "sizeof"}


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter: its declared type, name, and whether the function may write through it."""

    type: str
    name: str

    @property
    def writable(self) -> bool:
        """Whether it is a reference or pointer to something that is not constant."""
        return ("&" in self.type or "*" in self.type) and "const" not in self.type


@dataclass(frozen=True, slots=True)
class Function:
    """A function definition; ``line`` is that of its name, ``body`` the text between its braces, which begins in ``body_line``."""

    file: str
    line: int
    name: str
    parameters: tuple[Parameter, ...]
    body: str
    body_line: int


def synthesized(text: str) -> str:
    """``text`` with what the synthesis tool does not see blanked out, line for line: other branches, comments, strings."""
    lines: list[str] = []
    stack: list[bool] = []
    for line in text.split("\n"):
        match = _CONDITIONAL.match(line)
        if match is None:
            lines.append(line if all(stack) else "")
            continue
        kind, name = match.groups()
        if kind in ("if", "elif"):
            lines.append(f"#unreadable {line.strip()}")
            stack.extend([True] * (kind == "if"))
            continue
        if kind in ("ifdef", "ifndef"):
            stack.append((name in _DEFINED) == (kind == "ifdef"))
        elif kind == "else" and stack:
            stack[-1] = not stack[-1]
        elif stack:
            stack.pop()
        lines.append("")
    return _COMMENT_OR_STRING.sub(_blank, "\n".join(lines))


def _blank(match: re.Match[str]) -> str:
    text = match.group()
    return '""' if text.startswith('"') else "\n" * text.count("\n")


def closing(text: str, start: int, pair: str = "{}") -> int:
    """The index of the bracket that closes the one at ``start``; the length of ``text`` when there is none."""
    depth = 0
    for index in range(start, len(text)):
        depth += (text[index] == pair[0]) - (text[index] == pair[1])
        if depth == 0:
            return index
    return len(text)


def split_arguments(text: str) -> tuple[str, ...]:
    """The comma-separated parts of ``text``, commas inside brackets left alone."""
    parts, depth, start = [], 0, 0
    for index, character in enumerate(text):
        depth += (character in "([{<") - (character in ")]}>")
        if character == "," and depth == 0:
            parts.append(text[start:index].strip())
            start = index + 1
    last = text[start:].strip()
    return (*parts, last) if last else tuple(parts)


def _parameter(text: str) -> Parameter:
    match = re.match(r"(.*?)(\w+)\s*(\[[^\]]*\])?$", " ".join(text.split()))
    if match is None:
        return Parameter(text, "")
    kind, name, array = match.groups()
    return Parameter(kind.strip() + ("*" if array else ""), name)


def functions(files: Mapping[str, str]) -> Iterator[Function]:
    """Every function definition of the ``files``, which `synthesized` has been through."""
    for file, text in files.items():
        at = 0
        while (match := _FUNCTION.search(text, at)) is not None:
            open_brace = match.end() - 1
            if match.group(1) in _NOT_FUNCTIONS:
                at = match.end()
                continue
            end = closing(text, open_brace)
            parameters = tuple(_parameter(each) for each in split_arguments(match.group(2)))
            line = text.count("\n", 0, match.start(1)) + 1
            body_line = text.count("\n", 0, open_brace) + 1
            yield Function(file, line, match.group(1), parameters, text[open_brace + 1 : end], body_line)
            at = end


def statements(body: str) -> list[str]:
    """The statements of a body without nested blocks, pragmas left out."""
    code = "\n".join(line for line in body.split("\n") if not line.lstrip().startswith("#"))
    return [" ".join(part.split()) for part in code.split(";") if part.strip()]


def called_names(body: str) -> frozenset[str]:
    """Names that are called in ``body``, template arguments left out."""
    return frozenset(re.findall(r"\b([A-Za-z_]\w*)\s*(?:<[^<>;]*>)?\s*\(", body))


def reached_from(found: Sequence[Function]) -> dict[str, frozenset[str]]:
    """Of every function the ones that it calls, directly or not."""
    names = {function.name for function in found}
    reach: dict[str, set[str]] = {name: set() for name in names}
    for function in found:
        reach[function.name] |= names & called_names(function.body)
    for middle in names:
        for name in names:
            if middle in reach[name]:
                reach[name] |= reach[middle]
    return {name: frozenset(targets) for name, targets in reach.items()}
