"""How far the area model was off on engines drawn after it was committed: ``data/area-judged.toml``, written by
``benchmarks/area_model.py``. It is what an estimate states as its error (`hao.cost.area`)."""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hao.errors import SynthesisError

RESOURCES = ("lut", "ff", "dsp", "bram36")
JUDGED = Path(__file__).resolve().parent / "data" / "area-judged.toml"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Resource(_Frozen):
    """One resource of one engine: cells of a kind as synthesized and as estimated."""

    synthesis: float = Field(gt=0)
    estimate: float = Field(gt=0)

    @property
    def error(self) -> float:
        """Relative, with its sign."""
        return self.estimate / self.synthesis - 1


class JudgedRow(_Frozen):
    """One drawn engine: its seed (`hao.synth.configurations.draw`), its fields, and its resources."""

    seed: int
    engine: dict[str, int]
    lut: Resource
    ff: Resource
    dsp: Resource
    bram36: Resource


class JudgedArea(_Frozen):
    """One judgement: the commit of the model from which the seeds follow, the synthesizer, the engines in the order of their seeds."""

    commit: str = Field(pattern=r"^[0-9a-f]{40}$")
    tool: str
    rows: tuple[JudgedRow, ...] = Field(min_length=1)

    def largest_error(self, resource: str) -> float:
        """Largest magnitude of the relative error of one of `RESOURCES`."""
        return max(abs(float(getattr(row, resource).error)) for row in self.rows)


def area_seeds(commit: str, count: int) -> tuple[int, ...]:
    """Seeds of ``count`` engines that nobody could know before ``commit``."""
    return tuple(int(hashlib.sha256(f"{commit} engine {number}".encode()).hexdigest()[:7], 16) for number in range(count))


def render(judged: JudgedArea) -> str:
    """The file's text."""
    lines = [
        "# Written by benchmarks/area_model.py: the area model against synthesis of whole engines. Not to be edited.",
        "# The engines follow from the commit of the model (SHA-256), so nobody knew them before.",
        f'commit = "{judged.commit}"',
        f'tool = "{judged.tool}"',
        *(f"largest_{name}_error_percent = {100 * judged.largest_error(name):.2f}" for name in RESOURCES),
    ]
    for row in judged.rows:
        lines += ["", "[[rows]]", f"seed = {row.seed}"]
        lines += ["engine = { " + ", ".join(f"{name} = {value}" for name, value in row.engine.items()) + " }"]
        for name in RESOURCES:
            found: Resource = getattr(row, name)
            lines += [f"{name} = {{ synthesis = {found.synthesis}, estimate = {found.estimate} }}"]
    return "\n".join(lines) + "\n"


def read_judged(path: Path = JUDGED) -> JudgedArea:
    """Read the committed judgement.

    Raises:
        SynthesisError: it is absent or malformed.
    """
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
        return JudgedArea.model_validate({name: value for name, value in found.items() if not name.startswith("largest_")})
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, ValidationError) as error:
        raise SynthesisError(f"the judgement {path.name} cannot be read: {error}", "write it again: benchmarks/area_model.py") from error
