"""The best architectures trained alone, quantized, and solved again with the full model; the winner in cross-validation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hao.boards import Board
from hao.errors import SearchError
from hao.ir.serialize import load_graph, save_graph
from hao.models.searchable import Architecture
from hao.nas.corpus import Corpus
from hao.nas.learn import Inherited, Lessons, Tell, integer_hits, train_alone
from hao.nas.ledger import Ledger
from hao.search.design import Design
from hao.search.find import find
from hao.search.solver import SolverName
from hao.search.space import Request

TRAINED, FINALISTS, MEASURE, FOLDS = "trained", "finalists", "test", "folds"


@dataclass(frozen=True, slots=True, eq=False)
class Finalist:
    """One architecture trained alone.

    Attributes:
        valid: percent of the validation part that its integer network names.
        cycles: by the full model; ``program_cycles`` from its program image, with ``error`` relative.
        status, gap: of the full model's proof.
        design: for ``hao build``.
    """

    member: Architecture
    valid: float
    cycles: float
    program_cycles: int
    error: float
    status: str
    gap: float | None
    design: Design


def network_path(folder: Path, member: Architecture) -> Path:
    """Where the integer network of a finalist lies."""
    return folder / f"{member.name}.safetensors"


@dataclass(frozen=True, slots=True, eq=False)
class Setting:
    """What every stage works with: the task, the board and its name on the command line, where files go, epochs, seed, solver,
    and PyTorch's device."""

    corpus: Corpus
    board: Board
    board_name: str
    folder: Path
    lessons: Lessons
    seed: int
    solver: SolverName = "cbc"
    device: str = "cpu"


def trained(member: Architecture, setting: Setting, ledger: Ledger, inherited: Inherited) -> None:
    """Train and quantize one architecture, unless ``ledger`` has it: its integer network, and what that names of the validation part.

    ``inherited`` gives the weights to begin with, where the lessons say so.

    Raises:
        TrainingError: the training does not converge.
    """
    corpus, path = setting.corpus, network_path(setting.folder, member)
    if member.name not in ledger.rows or not path.exists():
        begin = inherited.network(member) if setting.lessons.inherit else None
        _, graph = train_alone(member, corpus, corpus.train, setting.lessons, setting.seed, setting.device, begin)
        save_graph(graph, path)
        ledger.add(member.name, {"valid": 100 * integer_hits(graph, corpus.valid) / len(corpus.valid), "device": setting.device})


def finalist(member: Architecture, valid: float, setting: Setting, ledger: Ledger) -> Finalist:
    """Solve a trained architecture, which names ``valid`` percent of the validation part, with the full model, unless ``ledger`` has it.

    Raises:
        SearchError: the full model has no solution on the board.
        CheckpointError: what an earlier run left is damaged.
    """
    path = network_path(setting.folder, member)
    if member.name not in ledger.rows:
        graph = load_graph(path)
        found = find(graph, setting.board, Request(), names=(member.name, str(path), setting.board_name), solver=setting.solver)
        if found.design is None or found.verification is None:
            raise SearchError(f"{member.name}: {found.outcome.status} with the full model", "search again with another --seed")
        if found.verification.violations:
            raise SearchError(f"{member.name}: {found.verification.violations[0]}", "this is a fault of the search: report it")
        proof: dict[str, Any] = {"status": found.outcome.status, "gap": found.outcome.gap}
        image = {"program_cycles": found.verification.cycles.cycles, "error": found.verification.cycles.error}
        ledger.add(member.name, {**proof, **image, "design": found.design.model_dump(mode="json")})
    row = ledger.rows[member.name]
    design = Design.model_validate(row["design"])
    return Finalist(
        member, valid, design.cycles.value, row["program_cycles"], row["error"], row["status"], row["gap"], design
    )  # fmt: skip


def choose(finalists: list[Finalist], target: float) -> Finalist:
    """The fastest that reaches ``target`` percent on the validation part; where none does, the most accurate."""
    enough = [f for f in finalists if f.valid >= target]
    return min(enough, key=lambda f: f.program_cycles) if enough else max(finalists, key=lambda f: (f.valid, -f.program_cycles))


def measure(finalists: list[Finalist], setting: Setting, ledger: Ledger, tell: Tell) -> dict[Architecture, int]:
    """Pictures of the test part that every finalist names: measured once, and kept."""
    for done, each in enumerate(finalists):
        tell(MEASURE, done, len(finalists))
        if each.member.name not in ledger.rows:
            hits = integer_hits(load_graph(network_path(setting.folder, each.member)), setting.corpus.test)
            ledger.add(each.member.name, {"hits": hits, "of": len(setting.corpus.test)})
    return {each.member: int(ledger.rows[each.member.name]["hits"]) for each in finalists}


def cross_validate(member: Architecture, setting: Setting, folds: int, ledger: Ledger, tell: Tell) -> list[tuple[int, int]]:
    """Hits and pictures of every fold: the architecture trained from nothing on the others, its integer network on this one.

    Pictures are dealt at random, by the seed.
    """
    every = setting.corpus.everything()
    fold_of = np.random.default_rng(setting.seed).permutation(len(every)) % folds
    for fold in range(folds):
        tell(FOLDS, fold, folds)
        key = f"{member.name}/{fold}"
        if key not in ledger.rows:
            held, rest = (every.taken(np.flatnonzero(mask)) for mask in (fold_of == fold, fold_of != fold))
            _, graph = train_alone(member, setting.corpus, rest, setting.lessons, setting.seed * 1000 + fold, setting.device)
            ledger.add(key, {"hits": integer_hits(graph, held), "of": len(held)})
    tell(FOLDS, folds, folds)
    rows = [ledger.rows[f"{member.name}/{fold}"] for fold in range(folds)]
    return [(int(row["hits"]), int(row["of"])) for row in rows]
