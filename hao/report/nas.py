"""What ``hao nas --json`` writes."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Seen(_Frozen):
    """An architecture on the front of the tree search: proven cycles, inherited accuracy on the validation part in percent."""

    name: str
    cycles: float
    accuracy: float


class FinalistReport(_Frozen):
    """An architecture trained alone and solved with the full model.

    ``cycles`` is the integer program's, ``program_cycles`` that of its program image with ``error`` relative. ``inherited`` and
    ``valid`` are percent of the validation part: with the supernet's weights, and of the integer network trained alone. ``test`` is
    percent of the test part, measured once, ``low`` to ``high`` its 95 % interval (Wilson). ``front``: nothing is both faster and more
    accurate on the validation part.
    """

    name: str
    engine: str
    cycles: float
    program_cycles: int
    error: float
    status: str
    gap: float | None
    inherited: float
    valid: float
    test: float
    low: float
    high: float
    front: bool


class Bits(_Frozen):
    """The winner on one engine: ``compared`` values of ``frames`` frames, all equal; ``right`` of them named correctly."""

    engine: str
    frames: int
    compared: int
    cycles: int | None
    right: int


class NasReport(_Frozen):
    """One architecture search.

    ``family`` counts the architectures there are, ``evaluations`` those whose accuracy was asked, ``solved`` those whose hardware was
    solved exactly, in ``solve_median`` seconds of wall time each in the median, ``solve_late`` at 95 %. ``tied`` are neighbours on the
    front whose intervals on the test part overlap. ``folds`` are hits and pictures of the winner's integer network in cross-validation
    over all pictures, ``fold_percent`` all of them together, ``fold_low`` to ``fold_high`` the 95 % interval. ``seconds`` is wall time
    by stage.
    """

    version: Literal[1] = 1
    task: str
    board: str
    seed: int
    shape: tuple[int, int, int]
    classes: tuple[str, ...] = Field(default=(), description="their names, where they have any")
    pictures: tuple[int, int, int] = Field(description="of the training, validation and test part")
    family: int
    evaluations: int
    solved: int
    solve_median: float
    solve_late: float
    evaluation_median: float
    front: tuple[Seen, ...]
    finalists: tuple[FinalistReport, ...]
    tied: tuple[tuple[str, str], ...]
    winner: str
    design: str
    folds: tuple[tuple[int, int], ...]
    fold_percent: float | None
    fold_low: float | None
    fold_high: float | None
    proofs: tuple[Bits, ...]
    seconds: dict[str, float]
