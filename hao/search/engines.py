"""The engines that a search chooses among: every combination of the RTL's parameters on a grid."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product

from hao.engine.config import ULTRA96, EngineConfig

_COMPUTE = ("pi", "po", "px", "dw_lanes")


@dataclass(frozen=True, slots=True)
class Grid:
    """Values of every parameter that is searched. The hand-made design for Ultra96 is a member.

    ``frames`` are settings of the remaining memories together: those of the hand-made design, and small ones for small networks.
    """

    pi: tuple[int, ...] = (8, 16)
    po: tuple[int, ...] = (8, 16)
    px: tuple[int, ...] = (1, 2)
    dw_lanes: tuple[int, ...] = (8, 16)
    fm_words: tuple[int, ...] = (512, 1024, 2048, 4096, 8192, 12288, 16384, 20480, 24576, 28672, 32768)
    win_depth: tuple[int, ...] = (128, 256, 512)
    wb_words: tuple[int, ...] = (256, 512, 1024, 2048, 4096, 8192)
    frames: tuple[Mapping[str, int], ...] = field(
        default=(
            {"pb_words": 128, "lm_entries": 128, "disp_entries": 1024, "row_bytes": 512},
            {name: getattr(ULTRA96, name) for name in ("pb_words", "lm_entries", "disp_entries", "row_bytes")},
        )
    )

    def configurations(self) -> Iterator[EngineConfig]:
        """Every engine of the grid."""
        names = (*_COMPUTE, "fm_words", "win_depth", "wb_words")
        for values in product(*(getattr(self, name) for name in names)):
            for frame in self.frames:
                yield EngineConfig(**dict(zip(names, values, strict=True)), **frame)

    def size(self) -> int:
        """Engines of the grid."""
        return sum(1 for _ in product(*(getattr(self, name) for name in (*_COMPUTE, "fm_words", "win_depth", "wb_words", "frames"))))

    def factors(self) -> dict[str, int]:
        """Values of every parameter, as counted in :meth:`size`."""
        return {name: len(getattr(self, name)) for name in (*_COMPUTE, "fm_words", "win_depth", "wb_words", "frames")}


def compute_key(config: EngineConfig) -> tuple[int, ...]:
    """What the times of instructions depend on."""
    return tuple(getattr(config, name) for name in _COMPUTE)


def describe(config: EngineConfig) -> str:
    """Name of an engine with what a search chose."""
    return (
        f"{config.name}-dw{config.dw_lanes}-fm{config.fm_words}-win{config.win_depth}-wb{config.wb_words}"
        f"-pb{config.pb_words}-lm{config.lm_entries}"
    )
