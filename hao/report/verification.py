"""What ``hao verify`` writes: one JSON object, and JUnit's XML for continuous integration."""

from __future__ import annotations

from typing import Literal
from xml.etree import ElementTree

from pydantic import BaseModel, ConfigDict, Field

from hao.errors import EngineMismatch, HaoError

VERIFICATION_VERSION: Literal[1] = 1


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Failure(_Frozen):
    """Why a case failed: class of the error, its exit code, its two lines, and the waveform (empty where there is none)."""

    error: str
    exit_code: int
    message: str
    hint: str = ""
    waveform: str = ""

    @classmethod
    def of(cls, error: HaoError, waveform: str = "") -> Failure:
        """The record of ``error``."""
        return cls(error=type(error).__name__, exit_code=error.exit_code, message=error.message, hint=error.hint, waveform=waveform)


class Case(_Frozen):
    """One case: a frame of a network, or a random program, on one engine. ``compared`` counts values; 0 is never equal."""

    name: str
    engine: str
    equal: bool
    compared: int = Field(ge=0)
    cycles: int | None = None
    seconds: float = Field(ge=0)
    failure: Failure | None = None


class Verification(_Frozen):
    """All cases of one run; ``stalls`` is the probability of a memory stall, of 256."""

    version: Literal[1] = VERIFICATION_VERSION
    target: str
    configuration: str
    configuration_digest: str = Field(pattern=r"^[0-9a-f]{64}$")
    board: str
    stalls: int = Field(ge=0, le=255)
    cases: tuple[Case, ...]
    hao_version: str

    @property
    def equal(self) -> bool:
        """Whether there are cases and all of them are equal."""
        return bool(self.cases) and all(case.equal and case.compared > 0 for case in self.cases)

    @property
    def first_failure(self) -> Failure | None:
        """The failure of the first case that failed."""
        return next((case.failure for case in self.cases if case.failure is not None), None)


def junit(run: Verification) -> str:
    """``run`` as JUnit's XML: an unequal case is a failure, any other error an error."""
    failed = [case.failure for case in run.cases if case.failure is not None]
    unequal = sum(each.error == EngineMismatch.__name__ for each in failed)
    suite = ElementTree.Element(
        "testsuite",
        name=f"hao verify {run.target}",
        tests=str(len(run.cases)),
        failures=str(unequal),
        errors=str(len(failed) - unequal),
        skipped="0",
        time=f"{sum(case.seconds for case in run.cases):.3f}",
    )
    properties = ElementTree.SubElement(suite, "properties")
    for name, value in {"configuration": run.configuration, "configuration_digest": run.configuration_digest, "board": run.board,
                        "stalls": run.stalls, "hao_version": run.hao_version}.items():  # fmt: skip
        ElementTree.SubElement(properties, "property", name=name, value=str(value))
    for case in run.cases:
        element = ElementTree.SubElement(
            suite, "testcase", classname=f"hao.{run.target}.{case.engine}", name=case.name, time=f"{case.seconds:.3f}"
        )
        if case.failure is not None:
            kind = "failure" if case.failure.error == EngineMismatch.__name__ else "error"
            told = ElementTree.SubElement(element, kind, type=case.failure.error, message=case.failure.message)
            told.text = "\n".join(filter(None, (case.failure.message, case.failure.hint, case.failure.waveform)))
        ElementTree.SubElement(element, "system-out").text = f"{case.compared} values compared, {case.cycles or 0} cycles"
    ElementTree.indent(suite)
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"
