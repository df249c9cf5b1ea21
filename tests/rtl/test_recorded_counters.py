"""Cycles and all performance counters of fixed programs and networks are the recorded ones.

Values are held elsewhere; this says that nothing became slower or counts differently without anybody meaning it. Whoever means it
records anew, and the difference of ``counters.json`` shows what it costs.

    python tests/rtl/test_recorded_counters.py
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hao.engine.config import CI_CONFIGS
from hao.fuzz.outcome import Verdict
from hao.mutation.engine_jury import LARGE, LONGEST_CYCLES, SMALL, EngineFleet, trials
from hao.runtime.rtl import plan_engine
from hao.runtime.verilated import build_model

RECORD = Path(__file__).with_name("counters.json")


def measured(config: str) -> dict[str, list[int | str]]:
    """Cycles and digest of the counters by trial; the long ones and what the compiler refuses are left out."""
    fleet, found = EngineFleet(build_model(plan_engine(CI_CONFIGS[config]))), {}
    for case in trials(config):
        outcome, counters = fleet.trial(case)
        assert outcome.verdict is not Verdict.FAILED, (case.name, outcome.message)
        if outcome.verdict is Verdict.EQUAL and outcome.cycles <= LONGEST_CYCLES:
            found[case.name] = [outcome.cycles, counters]
    return found


@pytest.mark.parametrize("config", [SMALL, LARGE])
def test_counters_are_the_recorded_ones(config: str) -> None:
    recorded = json.loads(RECORD.read_text(encoding="utf-8"))[config]
    found = measured(config)
    changed = {name: (recorded.get(name), row) for name, row in found.items() if row != recorded.get(name)}
    assert not changed, f"{len(changed)} trials changed; if that was meant, record them anew: {next(iter(changed.items()))}"
    assert found.keys() == recorded.keys() and len(found) >= 60
    assert len({row[1] for row in found.values()}) == len(found), "counters that never differ count nothing"


if __name__ == "__main__":
    parts = []
    for config in (SMALL, LARGE):
        rows = ",\n".join(f"{json.dumps(name)}: {json.dumps(row)}" for name, row in measured(config).items())
        parts.append(f"{json.dumps(config)}: {{\n{rows}\n}}")
    RECORD.write_text("{\n" + ",\n".join(parts) + "\n}\n", encoding="utf-8")
