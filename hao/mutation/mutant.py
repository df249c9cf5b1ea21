"""One small fault in one source file, and how many of them were seen."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

_Z = 1.96  # two-sided 95 %


class Verdict(StrEnum):
    """What came of a mutant.

    ``CRASHED``: seen, because the code raised or the sources did not build any more. ``OTHER``: the compiler makes another program, whose
    every value, footprint and permitted order was held against the reference and found right: another plan, not a wrong one, as far as
    the cases go. ``SURVIVED``: nothing changed at all.
    """

    KILLED = "killed"
    CRASHED = "crashed"
    OTHER = "other program, right"
    SURVIVED = "survived"


@dataclass(frozen=True, slots=True)
class Mutant:
    """A fault as a replacement of text.

    Attributes:
        file: below the root of the sources, with ``/``.
        line: of the replaced text, from 1.
        kind: of fault, such as ``off by one``.
        start, end: character offsets of the replaced text.
        before, after: the text and what it becomes.
    """

    file: str
    line: int
    kind: str
    start: int
    end: int
    before: str
    after: str

    @property
    def name(self) -> str:
        """``file:line kind: before -> after``."""
        return f"{self.file}:{self.line} {self.kind}: {self.before!r} -> {self.after!r}"

    def apply(self, text: str) -> str:
        """``text`` of the file with the fault in it."""
        if text[self.start : self.end] != self.before:
            raise ValueError(f"{self.file} is not the text that {self.name} was made for")
        return text[: self.start] + self.after + text[self.end :]


def sample(mutants: Sequence[Mutant], count: int, seed: int) -> list[Mutant]:
    """``count`` of ``mutants`` (all, when there are fewer), drawn without replacement, in the order of the sources."""
    if count >= len(mutants):
        return list(mutants)
    chosen = np.random.default_rng(seed).choice(len(mutants), count, replace=False)
    return [mutants[index] for index in sorted(chosen)]


def interval(seen: int, total: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share ``seen / total``; ``(0, 1)`` of nothing."""
    if not total:
        return 0.0, 1.0
    share = seen / total
    middle = (share + _Z * _Z / (2 * total)) / (1 + _Z * _Z / total)
    half = _Z / (1 + _Z * _Z / total) * math.sqrt(share * (1 - share) / total + _Z * _Z / (4 * total * total))
    # at either end the root is that of a square: what it rounds away must not leave the share outside
    return max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half))


def text_digest(text: str) -> str:
    """First 16 digits of the SHA-256 of a source."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]
