"""What came of a case: equal in so many values, too large for the engine, or a failure with its stage and message."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum


class Verdict(StrEnum):
    """Ends of a case; ``REFUSED`` is a network that the compiler refuses by name for this engine."""

    EQUAL = "equal"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one case.

    Attributes:
        verdict: how it ended.
        stage: engine or step that the end belongs to.
        message: the compiler's refusal or the failure, in one line.
        compared: values held against the reference, over all engines.
        seconds: wall time by stage.
        cycles: simulated by the RTL.
    """

    verdict: Verdict
    stage: str = ""
    message: str = ""
    compared: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    cycles: int = 0

    @property
    def signature(self) -> str:
        """Stage and message without names and numbers: failures of one cause share it, mostly."""
        return f"{self.stage}: {general(self.message)}"


def general(message: str) -> str:
    """``message`` with tensor names, numbers and addresses made alike, so that equal causes can be counted."""
    text = message.splitlines()[0] if message else ""
    text = re.sub(r"\b(?=[a-z_]*\d)[a-z_]+\d[\w.]*(\[[^\]]*\])?", "T", text)
    text = re.sub(r"\b[0-9a-fx]*\d[0-9a-f]*\b", "N", text)
    return re.sub(r"\([^)]*\)", "(…)", text)[:160]
