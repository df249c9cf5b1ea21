"""What ``hao search --json`` writes."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from hao.search.design import Design


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Predicted(_Frozen):
    """What the models say of the design."""

    cycles: float
    lut: float
    ff: float
    dsp: float
    bram36: float


class Limit(_Frozen):
    """A limit that binds: what the objective becomes without it."""

    limit: str
    without: float


class Verified(_Frozen):
    """The design recomputed from its program image: ``cycles`` by the program-level model, with its relative error.

    ``area`` is that of the committed synthesis of this very configuration; None: there is none, limits were held against the model.
    """

    cycles: int
    error: float
    highest: dict[str, int]
    violations: tuple[str, ...]
    damage: float
    area: dict[str, float] | None = None


class Tried(_Frozen):
    """An image that was compared for the design: cycles by the program-level model; None: it does not compile."""

    engine: str
    mapping: str
    cycles: int | None


class SearchReport(_Frozen):
    """One search.

    ``configurations`` counts engines that fit the board and have a mapping; ``mappings`` the exact covers of the steps by segments on the
    design's engine; ``bit_settings`` those left after exact dominance, ``bit_settings_offered`` before. ``pruned`` counts what was
    left out; ``kept_tables`` of all ``tables`` an earlier search had left; ``gap`` is relative, 0 proven, None without a design; times
    are wall seconds. ``factors`` multiply to ``grid``. ``hand_made_value`` is the best that the hand-made engine reaches, ``own_value``
    what it does with the compiler's own mapping, by the same tables.
    """

    version: Literal[1] = 1
    network: str
    board: str
    objective: str
    status: Literal["optimal", "feasible", "infeasible", "unknown"]
    gap: float | None
    configurations: int
    grid: int
    factors: dict[str, int]
    mappings: float
    bit_settings: float
    bit_settings_offered: float
    pruned: dict[str, int]
    table_seconds: float
    tables: int = 0
    kept_tables: int = 0
    solve_seconds: float
    binding: tuple[Limit, ...] = ()
    binding_known: bool = Field(default=False, description="whether every limit was relaxed in turn")
    conflict: str = ""
    hand_made: dict[str, str] = {}
    hand_made_value: float | None = None
    own_value: float | None = None
    fragmentation_margin: float = 0.0
    predicted: Predicted | None = None
    verified: Verified | None = None
    trials: tuple[Tried, ...] = ()
    design: Design | None = None


class BuiltEngine(_Frozen):
    """One simulated engine of a built design: equality over ``compared`` values of all tensors."""

    equal: bool
    compared: int
    digest: str
    cycles: int | None
    seconds: float
    build_seconds: float


class BuildReport(_Frozen):
    """``hao build``: predicted beside measured. Errors are relative to the measurement; ``modelled_cycles`` is the program-level model.

    ``over`` names resources of which the synthesis takes more than the board has.
    """

    version: Literal[1] = 1
    network: str
    board: str
    engines: dict[str, BuiltEngine]
    predicted_cycles: float
    modelled_cycles: int
    measured_cycles: int | None
    cycles_error: float | None
    synthesized: dict[str, float] | None
    over: tuple[str, ...] = ()
    area_error: dict[str, float] | None
    design: Design
