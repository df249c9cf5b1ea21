"""``hao prove``: properties of queues, arbiters, counters and bus masters, for all time."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict
from rich.console import Console

from hao.errors import ProofError, ProofUndecided, UsageError
from hao.formal.prove import Proof, Status, prove
from hao.formal.tasks import TASKS
from hao.report.schema import write_text


class ProofRow(BaseModel):
    """One task: see ``hao.formal.prove.Proof``; ``seconds`` is processor time."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str
    status: Status
    method: str
    properties: tuple[str, ...]
    reached: tuple[str, ...]
    failed: tuple[str, ...]
    cycles: int
    seconds: float


class ProofReport(BaseModel):
    """What ``hao prove --json`` writes."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    version: int = 1
    proofs: tuple[ProofRow, ...]
    seconds: float


def _row(proof: Proof) -> ProofRow:
    return ProofRow(
        name=proof.name, status=proof.status, method=proof.method.value, properties=proof.properties, reached=proof.reached,
        failed=proof.failed, cycles=proof.cycles, seconds=round(proof.seconds, 1),
    )  # fmt: skip


def prove_all(only: str, json: Path | None, console: Console) -> int:
    """Run every proof whose name begins with ``only``, print a line each, and write the report.

    Raises:
        UsageError: no proof has this name.
        ProofError: a property does not hold.
        ProofUndecided: none was refuted, but one was not decided in time.
        SynthesisError: Yosys refuses a source.
    """
    chosen = [task for task in TASKS if task.name.startswith(only)]
    if not chosen:
        raise UsageError(f"there is no proof of {only!r}", f"modules: {', '.join(dict.fromkeys(task.module for task in TASKS))}")
    rows = []
    for task in chosen:
        proof = prove(task)
        rows.append(_row(proof))
        console.print(
            f"{proof.name:<58} {proof.status.value:<9} {len(proof.properties):>3} properties, {len(proof.reached)} states reached, "
            f"{proof.seconds:.1f} s, {proof.method.value}" + (f" [bold red]{', '.join(proof.failed)}[/]" if proof.failed else "")
        )
    report = ProofReport(proofs=tuple(rows), seconds=round(sum(row.seconds for row in rows), 1))
    console.print(
        f"[bold]{len(rows)} proofs, {sum(len(row.properties) for row in rows)} properties[/], {report.seconds:.0f} s of processor time"
    )
    if json is not None:
        write_text(json, report.model_dump_json(indent=1) + "\n")
    wrong = [row for row in rows if row.status is Status.FAILED]
    if wrong:
        raise ProofError(
            f"{len(wrong)} of {len(rows)} proofs failed, first {wrong[0].name}: {', '.join(wrong[0].failed)}", "see accel/formal"
        )
    undecided = [task for task, row in zip(chosen, rows, strict=True) if row.status is Status.UNDECIDED]
    if undecided:
        raise ProofUndecided(
            f"{len(undecided)} of {len(rows)} proofs were not decided, first {undecided[0].name} within {undecided[0].seconds} s",
            "nothing is known to be wrong: give the task in hao.formal.tasks more time or a bound",
        )
    return 0
