"""``hao mutate``: how many small faults in reference, compiler and RTL the tests see."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from hao.cli.bench import commit
from hao.mutation.mutant import Verdict
from hao.mutation.survey import TARGETS, Row, Survey, Table, Target, survey
from hao.report.schema import write_text


def print_survey(console: Console, found: Survey) -> None:
    """One line of counts."""
    judged = found.drawn - found.equivalent - found.other
    console.print(
        f"[bold]{found.target}[/]: {found.seen} of {judged} faults seen ({100 * found.rate:.1f} %, 95 % interval "
        f"{100 * found.low:.1f} to {100 * found.high:.1f}); {found.equivalent} more change nothing, {found.other} give another program "
        f"or other counts and are right ({100 * found.recorded_rate:.1f} % seen with those that differ from the record); "
        f"{found.drawn} drawn of {found.population} (seed {found.seed}); {found.seconds:.0f} s of processor time"
    )


def mutate(targets: tuple[str, ...], count: int, seed: int, json: Path | None, console: Console) -> int:
    """Survey targets, print every survivor, and write the table.

    Raises:
        UsageError: an unknown target.
        BuildError, MissingTool: an engine cannot be built.
    """

    def listen(done: int, total: int, row: Row) -> None:
        if row.verdict is Verdict.SURVIVED and not row.reason:
            console.print(f"  {done}/{total} survived: {row.mutant.name}", markup=False)

    surveys = []
    for name in targets or TARGETS:
        target: Target = name  # type: ignore[assignment]  # survey refuses what is none
        surveys.append(survey(target, count, seed, listen=listen))
        print_survey(console, surveys[-1])
    if json is not None:
        write_text(json, Table.sealed(commit(), tuple(surveys)).model_dump_json(indent=1) + "\n")
    return 0
