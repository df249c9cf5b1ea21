"""All stages of an architecture search, each of them resumed from what its folder holds."""

from __future__ import annotations

import hashlib
import json
import os
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hao.errors import CheckpointError, SearchError
from hao.files import read_json
from hao.models.searchable import members
from hao.nas.corpus import Corpus
from hao.nas.exact import EXACT, Proof, prove
from hao.nas.finalists import FINALISTS, FOLDS, MEASURE, TRAINED, Finalist, Setting, choose, cross_validate, finalist, measure, trained
from hao.nas.learn import SUPERNET, Inherited, Tell, train_supernet
from hao.nas.ledger import Ledger
from hao.nas.loop import SEARCH, Explored, best_of, explore
from hao.search.hardware import Hardware
from hao.search.kept import code_digest

_CODE = ("models", "quant", "search", "nas")
"""Packages whose change makes another search of it: what was paid for before does not belong to what would be chosen now."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of everything: evaluations, finalists, folds, engines and frames of the proof; percent that the winner should reach.

    ``until``: one of ``supernet``, ``architectures``, ``trained``, behind which to stop; the same search goes on from there, perhaps
    on another machine.
    """

    budget: int = 200
    finalists: int = 10
    folds: int = 5
    target: float = 97.0
    engines: tuple[str, ...] = ("csim", "rtl")
    frames: int = 3
    until: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """What a search came to.

    Attributes:
        explored: by the tree search.
        finalists: by rising cycles of their program images.
        hits: pictures of the test part that each of them names.
        winner: chosen on the validation part.
        folds: hits and pictures of each fold.
        proofs: of the winner on the engines.
        seconds: wall time of every stage, over all runs that were needed.
    """

    explored: Explored
    finalists: tuple[Finalist, ...]
    hits: dict[str, int]
    winner: Finalist
    folds: tuple[tuple[int, int], ...]
    proofs: tuple[Proof, ...]
    seconds: dict[str, float]


def identity(corpus: Corpus, setting: Setting, plan: Plan) -> dict[str, Any]:
    """What must be the same for a search to be resumed."""
    data = hashlib.sha256()
    for part in (corpus.train, corpus.valid, corpus.test):
        data.update(part.images.tobytes())
        data.update(part.labels.tobytes())
    board = hashlib.sha256(setting.board.model_dump_json().encode()).hexdigest()[:16]
    return {
        "task": corpus.name, "classes": list(corpus.names),
        "data": data.hexdigest()[:16], "board": setting.board_name, "limits": board, "seed": setting.seed,
        "lessons": asdict(setting.lessons), "budget": plan.budget, "code": code_digest(_CODE)[:16],
    }  # fmt: skip


def claim(folder: Path, about: dict[str, Any]) -> str:
    """Make ``folder`` that of a search, or find that it is already; the search's key.

    Raises:
        CheckpointError: it holds another search.
    """
    path, text = folder / "search.json", json.dumps(about, indent=1, sort_keys=True) + "\n"
    if path.exists():
        try:
            before = dict(read_json(path))
        except (OSError, ValueError, TypeError) as error:
            raise CheckpointError(f"{path} cannot be read: {error}", "delete the folder, or give another --out") from error
        wrong = [name for name in about if before.get(name) != about[name]]
        if wrong:
            raise CheckpointError(f"{folder} holds another search: {wrong[0]} was {before.get(wrong[0])}", "give another --out")
    else:
        folder.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.{os.getpid()}")
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class _Clock:
    """Wall seconds of the stages, kept through interruptions."""

    def __init__(self, folder: Path) -> None:
        self._ledger = Ledger(folder / "stages.jsonl")

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        begun = time.perf_counter()
        try:
            yield
        finally:
            before = float(self._ledger.rows.get(name, {}).get("seconds", 0.0))
            self._ledger.add(name, {"seconds": round(before + time.perf_counter() - begun, 2)})

    def seconds(self) -> dict[str, float]:
        return {name: float(row["seconds"]) for name, row in self._ledger.rows.items()}


def _floor(explored: Explored) -> tuple[float, float]:
    """Architectures far below the median are no finalists, however fast they are."""
    return 0.0, statistics.median(accuracy for _, accuracy in explored.points.values()) - 5.0


def search(setting: Setting, plan: Plan, tell: Tell) -> Result | None:
    """Supernet, tree search, finalists, test, winner, folds, proof; None where ``plan.until`` stops it.

    Raises:
        CheckpointError: the folder holds another search, or damaged files.
        SearchError: no engine fits the board.
        EngineMismatch: the winner's engine disagrees with the reference.
        TrainingError: a training does not converge.
    """
    folder, corpus = setting.folder, setting.corpus
    hardware = Hardware(setting.board, solver=setting.solver)
    hardware.solve(members(corpus.family)[0], corpus.side, corpus.family)  # a board without an engine is refused before any training
    key = claim(folder, identity(corpus, setting, plan))
    clock = _Clock(folder)
    with clock.stage(SUPERNET):
        net = train_supernet(corpus, setting.lessons, setting.seed, folder / "supernet.safetensors", key, tell, setting.device)
    if plan.until == SUPERNET:
        return None
    inherited = Inherited(net, corpus)
    with clock.stage(SEARCH):
        explored = explore(corpus, inherited, hardware, folder, setting.seed, plan.budget, tell)
    chosen = best_of(explored.points, plan.finalists, _floor(explored))
    if not chosen:
        raise SearchError("no architecture is better than chance", "train the supernet longer: --supernet-epochs")
    if plan.until == SEARCH:
        return None
    learned, solved, rows = Ledger(folder / "trained.jsonl"), Ledger(folder / "finalists.jsonl"), []
    with clock.stage(TRAINED):
        for done, member in enumerate(chosen):
            tell(TRAINED, done, len(chosen))
            trained(member, setting, learned, inherited)
    if plan.until == TRAINED:
        return None
    with clock.stage(FINALISTS):
        for done, member in enumerate(chosen):
            tell(FINALISTS, done, len(chosen))
            rows.append(finalist(member, float(learned.rows[member.name]["valid"]), setting, solved))
        tell(FINALISTS, len(chosen), len(chosen))
    rows.sort(key=lambda f: (f.program_cycles, -f.valid))
    winner = choose(rows, plan.target)
    with clock.stage(MEASURE):
        hits = measure(rows, setting, Ledger(folder / "test.jsonl"), tell)
    with clock.stage(FOLDS):
        folds = cross_validate(winner.member, setting, plan.folds, Ledger(folder / "folds.jsonl"), tell) if plan.folds else []
    with clock.stage(EXACT):
        proofs = prove(winner, setting, plan.engines, plan.frames, tell) if plan.engines else []
    named = {member.name: count for member, count in hits.items()}
    return Result(explored, tuple(rows), named, winner, tuple(folds), tuple(proofs), clock.seconds())
