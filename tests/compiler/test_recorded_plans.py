"""Programs that the compiler makes of fixed networks are the recorded ones, to the byte.

A program that changes may be as right as the old one; the other tests say whether it is. This one says that the change is known: whoever
means it records the programs anew, and the difference of ``plans.json`` shows which networks changed and what they cost.

    python tests/compiler/test_recorded_plans.py
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from hao.compiler.compile import Compilation, compile_in_full
from hao.compiler.timing import schedule
from hao.errors import CompileError
from hao.fuzz.plans import Planned, plan_digest, telling

RECORD = Path(__file__).with_name("plans.json")
Row = dict[str, object]


def made_of(planned: Planned) -> Compilation | CompileError:
    try:
        return compile_in_full(planned.case.graph, planned.config, planned.planner)
    except CompileError as error:
        return error


def row_of(made: Compilation | CompileError, planned: Planned) -> Row:
    """Digest, instructions by kind, bytes and estimated cycles; of a refused network the words of the refusal."""
    if isinstance(made, CompileError):
        return {"refused": made.message}
    program = made.assembled.program
    return {
        "digest": plan_digest(made),
        "instructions": dict(sorted(Counter(i.opcode.name for i in program).items())),
        "bytes": len(made.assembled.dram),
        "cycles": schedule(program, planned.config).total,
    }


def test_programs_are_the_recorded_ones() -> None:
    """And they have stripes, rolling segments, spills and refusals: a record without them would miss changes there."""
    recorded: dict[str, Row] = json.loads(RECORD.read_text(encoding="utf-8"))
    found: dict[str, Row] = {}
    seen: Counter[str] = Counter()
    for planned in telling():
        made = made_of(planned)
        found[planned.case.name] = row_of(made, planned)
        if isinstance(made, Compilation):
            seen["striped"] += any(segment.stripes > 1 for segment in made.plan.segments)
            seen["rolling"] += any(segment.rolling for segment in made.plan.segments)
            seen["spilled"] += bool(made.plan.spilled)
        else:
            seen["refused"] += 1
    changed = {name: (recorded.get(name), row) for name, row in found.items() if row != recorded.get(name)}
    assert not changed, f"{len(changed)} programs changed; if that was meant, record them anew: {next(iter(changed.items()))}"
    assert found.keys() == recorded.keys()
    assert seen["striped"] > 50 and min(seen["rolling"], seen["spilled"], seen["refused"]) >= 10, seen


if __name__ == "__main__":
    rows = [f"{json.dumps(each.case.name)}: {json.dumps(row_of(made_of(each), each))}" for each in telling()]
    RECORD.write_text("{\n" + ",\n".join(rows) + "\n}\n", encoding="utf-8")
