"""What a campaign did: counts, speed, and how its cases spread; the JSON that ``hao fuzz --json`` writes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hao.errors import DataError
from hao.files import read_text
from hao.fuzz.case import Case
from hao.fuzz.outcome import Outcome, Verdict
from hao.fuzz.programs import ProgramCase
from hao.ir.graph import Conv, DeformConv, Graph
from hao.ir.types import infer


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Failure(_Frozen):
    """A failing case: its seed and index, where and how it failed, and the file that reproduces it (empty: none was written)."""

    case: str
    configuration: str
    stage: str
    message: str
    reproducer: str = ""


class FuzzReport(_Frozen):
    """A campaign.

    ``cases`` = ``equal`` + ``refused`` + failures, networks and programs together. ``compared`` counts values held against the
    reference or the executor, over all engines. ``cpu_seconds`` is processor time by stage; ``reasons`` counts refusals of the compiler by
    reason; ``spread`` counts cases (operators: nodes) by property, networks that were refused included. ``planned`` cases are all when
    it has ended; until then it says how far it is, and a campaign of the same draws goes on from there.
    """

    version: Literal[1] = 1
    hao_version: str
    commit: str
    seed: int
    first: int
    engines: tuple[str, ...]
    configurations: tuple[str, ...] = ()
    stalls: tuple[int, ...] = ()
    planned: int = Field(default=0, ge=0)
    planned_programs: int = Field(default=0, ge=0)
    cases: int = Field(ge=0)
    programs: int = Field(ge=0)
    equal: int = Field(ge=0)
    refused: int = Field(ge=0)
    compared: int = Field(ge=0)
    cycles: int = Field(ge=0)
    seconds: float = Field(ge=0)
    cpu_seconds: dict[str, float]
    reasons: dict[str, int]
    spread: dict[str, dict[str, int]]
    failures: tuple[Failure, ...]

    @property
    def passed(self) -> bool:
        """Some values were compared and no case failed."""
        return self.compared > 0 and not self.failures


def read_fuzz(path: Path) -> FuzzReport:
    """Read a campaign's report.

    Raises:
        DataError: unreadable, or none.
    """
    try:
        return FuzzReport.model_validate_json(read_text(path))
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"]))
        raise DataError(f"{path} is no report of hao fuzz: {where}", "give one that hao fuzz --json wrote") from error
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read: {error}", "give one that hao fuzz --json wrote") from error


@dataclass(frozen=True, slots=True)
class Draws:
    """What decides the cases of a campaign, and how many there are; fields of :class:`FuzzReport` with the same names."""

    seed: int
    first: int
    engines: tuple[str, ...]
    configurations: tuple[str, ...]
    stalls: tuple[int, ...]
    planned: int
    planned_programs: int

    def differing(self, report: FuzzReport) -> str:
        """The first field in which a report is of other cases; empty where it is of these."""
        return next((each.name for each in fields(self) if getattr(report, each.name) != getattr(self, each.name)), "")


def _bin(value: int, edges: tuple[int, ...]) -> str:
    low = 1
    for edge in edges:
        if value <= edge:
            return f"{low}-{edge}" if edge > low else f"{edge}"
        low = edge + 1
    return f"{low}+"


_SIDES, _CHANNELS, _NODES = (1, 2, 4, 8, 16, 24), (1, 2, 7, 8, 15, 16, 31, 48), (2, 4, 8, 16, 24)


class Tally:
    """Counts outcomes as they come.

    Args:
        before: a report of the first cases, counted on.
    """

    def __init__(self, before: FuzzReport | None = None) -> None:
        self.verdicts: Counter[Verdict] = Counter()
        self.reasons: Counter[str] = Counter()
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.spread: dict[str, Counter[str]] = {}
        self.failures: list[Failure] = []
        self.compared = self.cycles = self.programs = 0
        self.wall = 0.0
        if before is not None:
            failed = len(before.failures)
            self.verdicts.update({Verdict.EQUAL: before.equal, Verdict.REFUSED: before.refused, Verdict.FAILED: failed})
            self.reasons.update(before.reasons)
            self.seconds.update(before.cpu_seconds)
            self.spread = {what: Counter(counts) for what, counts in before.spread.items()}
            self.failures += before.failures
            self.compared, self.cycles, self.programs = before.compared, before.cycles, before.programs
            self.wall = before.seconds

    @property
    def cases(self) -> int:
        """Cases that have ended."""
        return sum(self.verdicts.values())

    def _count(self, what: str, values: Iterable[str]) -> None:
        self.spread.setdefault(what, Counter()).update(values)

    def add(self, case: Case | ProgramCase, outcome: Outcome) -> None:
        """Count one case that has ended."""
        self.verdicts[outcome.verdict] += 1
        self.compared += outcome.compared
        self.cycles += outcome.cycles
        for stage, seconds in outcome.seconds.items():
            self.seconds[stage] += seconds
        if outcome.verdict is Verdict.REFUSED:
            self.reasons[outcome.signature] += 1
        self._count("configuration", [case.config])
        self._count("stall", [str(case.timing.stall)])
        if isinstance(case, ProgramCase):
            self.programs += 1
            self._count("instruction", (i.opcode.name for i in case.program.program))
            return
        self._count("origin", [case.origin])
        self._count("picture", [case.data])
        self._graph(case.graph)

    def _graph(self, graph: Graph) -> None:
        types = infer(graph)
        self._count("nodes", [_bin(len(graph.nodes), _NODES)])
        for node in graph.nodes:
            kind = types[node.name]
            depthwise = isinstance(node, Conv) and node.groups > 1
            self._count("operator", ["DepthwiseConv" if depthwise else type(node).__name__])
            self._count("map side", [_bin(max(kind.shape[1:]), _SIDES)])
            self._count("channels", [_bin(kind.shape[0], _CHANNELS)])
            self._count("activation", [f"{'s' if kind.signed else 'u'}{kind.bits}"])
            if isinstance(node, Conv | DeformConv):
                self._count("weight bits", [str(node.weight_bits)])
            if isinstance(node, Conv):
                self._count("kernel", [f"{node.weight.shape[2]}x{node.weight.shape[2]} stride {node.stride}"])

    def report(self, draws: Draws, *, version: str, commit: str, seconds: float) -> FuzzReport:
        """Everything so far; ``seconds`` of wall time beside those of the report before."""
        return FuzzReport(
            hao_version=version, commit=commit, seed=draws.seed, first=draws.first, engines=draws.engines,
            configurations=draws.configurations, stalls=draws.stalls, planned=draws.planned, planned_programs=draws.planned_programs,
            cases=self.cases, programs=self.programs, equal=self.verdicts[Verdict.EQUAL], refused=self.verdicts[Verdict.REFUSED],
            compared=self.compared, cycles=self.cycles, seconds=self.wall + seconds,
            cpu_seconds={name: round(value, 3) for name, value in self.seconds.items()},
            reasons=dict(self.reasons.most_common()), spread={name: dict(sorted(each.items())) for name, each in self.spread.items()},
            failures=tuple(self.failures),
        )  # fmt: skip
