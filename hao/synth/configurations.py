"""The configurations with a committed synthesis table: those of continuous integration, and some for the area model alone."""

from __future__ import annotations

import random

from hao.engine.config import CI_CONFIGS, EngineConfig
from hao.errors import ConfigurationError

_SMALL = CI_CONFIGS["8x8x1"].model_dump()
CALIBRATION: dict[str, EngineConfig] = {
    "8x8x2-small": EngineConfig(**{**_SMALL, "px": 2}),
    "16x8x1-small": EngineConfig(**{**_SMALL, "pi": 16}),
    "8x16x1-small": EngineConfig(**{**_SMALL, "po": 16, "dw_lanes": 16}),
    "8x8x1-deep": EngineConfig(
        **{**_SMALL, "fm_words": 40000, "win_depth": 1024, "wb_words": 16384, "pb_words": 512, "lm_entries": 4096, "disp_entries": 16384,
           "row_bytes": 4096, "queue_depth": 64, "max_burst": 128, "outstanding": 8}
    ),
}  # fmt: skip
"""Synthesized for the area model alone: other shapes at small sizes, and large sizes at a small shape."""
CONFIGURATIONS: dict[str, EngineConfig] = {**CI_CONFIGS, **CALIBRATION}

RANDOM = "random-"
"""Prefix of the name of a drawn configuration; its seed follows."""
_DRAWN: dict[str, tuple[int, ...]] = {
    "pi": (8, 16), "po": (8, 16), "px": (1, 2), "dw_lanes": (8, 16), "fm_words": (2048, 4096, 8192, 12288, 16384, 24576, 32768),
    "win_depth": (128, 256, 384, 512, 1024), "wb_words": (512, 1024, 2048, 4096, 8192), "pb_words": (128, 256, 512, 1024, 2048),
    "lm_entries": (128, 512, 1024, 2048, 4096), "disp_entries": (1024, 4096, 16384), "row_bytes": (512, 1024, 2048, 4096),
    "queue_depth": (4, 8, 16, 32), "max_burst": (16, 32, 64, 128), "outstanding": (2, 4, 8),
}  # fmt: skip
"""What a drawn configuration is made of, every value with the same chance."""


def draw(seed: int) -> EngineConfig:
    """A configuration drawn by ``seed``, for judging the area model."""
    generator = random.Random(seed)
    return EngineConfig(**{name: generator.choice(values) for name, values in _DRAWN.items()})


def configuration_named(name: str) -> EngineConfig:
    """One of `CONFIGURATIONS`, or the drawn one for ``random-SEED``.

    Raises:
        ConfigurationError: there is none of that name.
    """
    seed = name.removeprefix(RANDOM)
    if name.startswith(RANDOM) and seed.isdecimal():
        return draw(int(seed))
    if name not in CONFIGURATIONS:
        known = ", ".join([*CONFIGURATIONS, f"{RANDOM}SEED"])
        raise ConfigurationError(f"there is no configuration {name!r}", f"configurations: {known}")
    return CONFIGURATIONS[name]
