"""All faults of many SystemVerilog sources in one model: each is chosen by a number that the model reads when it starts.

A model costs a minute to build, a fault in it a second to judge. So an expression with faults becomes
``(hao_fault == 7) ? (faulty) : (hao_fault == 8) ? (...) : (sound)``, and every module reads the number from ``hao_fault.txt`` in the
working folder. Faults outside an expression that can be chosen at run time (constants, left sides) are left out and counted.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence

from hao.mutation.mutant import Mutant

CHOICE_FILE = "hao_fault.txt"
_HIDDEN = re.compile(r"//[^\n]*|/\*.*?\*/|\"[^\"\n]*\"", re.DOTALL)
_OPEN, _CLOSE = "([{", ")]}"
_HEAD = re.compile(r"(?:\b(?:if|case|casez)|\.\w+)\s*$")
_START = re.compile(r"(?:;|\b(?:begin|end|else|endcase|generate)(?:\s*:\s*\w+)?|[\w'\])]\s*:(?!:))\s*$")
_ASSIGN = re.compile(r"(?<![=!<>])(<=|=)(?!=)")
_READER = f"""
  int hao_fault;
  initial begin : hao_choice
    int file, found;
    hao_fault = 0;
    file = $fopen("{CHOICE_FILE}", "r");
    if (file != 0) begin
      found = $fscanf(file, "%d", hao_fault);
      if (found != 1) hao_fault = 0;
      $fclose(file);
    end
  end
"""

Region = tuple[int, int]


def _masked(text: str) -> str:
    return _HIDDEN.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), text)


def _closing(text: str, at: int) -> int:
    """Offset of the bracket that closes the one at ``at``."""
    depth = 0
    for offset in range(at, len(text)):
        depth += (text[offset] in _OPEN) - (text[offset] in _CLOSE)
        if not depth:
            return offset
    raise ValueError("a bracket is never closed")


def _assigned(text: str, begin: int, mutant: Mutant) -> Region | None:
    """Right side of the assignment that begins at ``begin``, if the fault lies in it."""
    depth = 0
    for offset in range(begin, len(text)):
        depth += (text[offset] in _OPEN) - (text[offset] in _CLOSE)
        match = _ASSIGN.match(text, offset)
        if match and not depth:
            break
    else:
        return None
    end = match.end()
    while text[end] != ";" and end < len(text):
        end = _closing(text, end) + 1 if text[end] in _OPEN else end + 1
    return (match.end(), end) if match.end() <= mutant.start and mutant.end <= end else None


def _element(text: str, opening: int, mutant: Mutant) -> Region:
    """Value of the element of an assignment pattern ``'{name: value, ...}`` that the fault lies in."""
    begin = at = opening + 1
    end = _closing(text, opening)
    while at < end:
        if text[at] in _OPEN:
            at = _closing(text, at)
        elif text[at] == "," and at < mutant.start:
            begin = at + 1
        elif text[at] == ",":
            return begin, at
        elif text[at] == ":" and re.fullmatch(r"\s*\w+\s*", text[begin:at]):
            begin = at + 1
        at += 1
    return begin, end


def region_of(text: str, mutant: Mutant) -> Region | None:
    """The whole expression that a fault lies in; None: none that may be chosen at run time.

    Args:
        text: the source, comments and strings blanked.
        mutant: the fault.
    """
    depth, offset = 0, mutant.start
    while offset > 0:
        offset -= 1
        character = text[offset]
        if character in _CLOSE:
            depth += 1
        elif character in _OPEN:
            depth -= 1
        if depth < 0:  # an unmatched opening bracket
            if character == "(" and re.search(r"\bfor\s*$", text[:offset][-8:]):
                return None
            if character == "(" and (head := _HEAD.search(text[max(0, offset - 80) : offset])):
                closing = _closing(text, offset)
                constant = re.match(r"\.[A-Z]", head.group()) or re.match(r"\s*begin\s*:", text[closing + 1 : closing + 40])
                return None if constant else (offset + 1, closing)
            if character == "{" and text[offset - 1] == "'":
                return _element(text, offset, mutant)
            depth = 0
        elif depth == 0:
            before = text[max(0, offset - 80) : offset + 1]
            opened_if = character == "(" and re.search(r"\bif\s*\($", before)
            if opened_if:  # the head of the statement that the fault lies in
                return _assigned(text, _closing(text, offset) + 1, mutant)
            if re.search(r"\breturn$", before):
                return offset + 1, text.index(";", mutant.end)
            if _START.search(before) and character not in _OPEN + _CLOSE + " \n":
                found = _assigned(text, offset + 1, mutant)
                if found is not None or character == ";" or character.isalpha():
                    return found
    return None


def switched(text: str, numbered: Sequence[tuple[int, Mutant]]) -> tuple[str, list[int]]:
    """Put all faults of one source into it, each behind its number.

    Args:
        text: the sound source.
        numbered: faults of it with their numbers, from 1.

    Returns:
        the source, and the numbers of the faults that are in it.
    """
    seen = _masked(text)
    regions: dict[Region, list[tuple[int, Mutant]]] = defaultdict(list)
    for number, mutant in numbered:
        region = region_of(seen, mutant)
        if region is not None and "'{" not in seen[slice(*region)] and not re.search(r"\bbegin\b", seen[slice(*region)]):
            regions[region].append((number, mutant))
    result, included = text, []
    for start, end in sorted(regions, reverse=True):
        sound = text[start:end]
        chain = ""
        for number, mutant in regions[start, end]:
            faulty = sound[: mutant.start - start] + mutant.after + sound[mutant.end - start :]
            chain += f"(hao_fault == {number}) ? ({faulty}) : "
            included.append(number)
        result = f"{result[:start]} ({chain}({sound})) {result[end:]}"
    header = re.search(r"^\);", result, re.MULTILINE)
    if header is None or not included:
        return text, []
    return result[: header.end()] + _READER + result[header.end() :], sorted(included)
