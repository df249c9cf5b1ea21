"""Engine configuration: the parameters of one accelerator, shared by RTL, templates, compiler and models."""

from __future__ import annotations

import hashlib
import json
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from hao.engine.isa import ISA_VERSION, WINDOW_BANKS


class EngineConfig(BaseModel):
    """Parameters of one engine.

    Depths are in words of 16 bytes unless said otherwise. ``pi``, ``po``, ``px`` are the input, output and pixel
    parallelism of the dense core: ``pi * po * px`` multiply-accumulates a cycle.

    Raises:
        pydantic.ValidationError: a parameter is outside its range.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    pi: int = Field(default=16, description="dense input lanes: 8 or 16")
    po: int = Field(default=16, description="dense output lanes: 8 or 16; also the requantization lanes behind the dense core")
    px: int = Field(default=2, description="dense pixels a cycle, and banks of the feature memory: 1 or 2")
    dw_lanes: int = Field(default=16, description="channels a cycle of the depthwise core: 8 or 16")
    fm_words: int = Field(default=24576, description="feature memory", ge=256, le=65536)
    win_depth: int = Field(default=512, description="addresses a window bank; there are 11 banks", ge=32, le=4096)
    wb_words: int = Field(default=4096, description="weight buffer, a power of two", ge=256, le=65536)
    pb_words: int = Field(default=1024, description="parameter buffer, a power of two", ge=64, le=4096)
    lm_entries: int = Field(default=2048, description="list memory, entries of 16 bits, a power of two", ge=64, le=8192)
    disp_entries: int = Field(default=4096, description="displacement map, entries of 8 bits", ge=64, le=65536)
    row_bytes: int = Field(default=2048, description="longest image row of the gather unit, bytes", ge=256, le=4096)
    queue_depth: int = Field(default=16, description="instructions waiting in each unit's queue", ge=2, le=64)
    max_burst: int = Field(default=64, description="longest AXI burst, beats of 16 bytes", ge=4, le=256)
    outstanding: int = Field(default=4, description="outstanding AXI bursts a direction", ge=1, le=16)

    @model_validator(mode="after")
    def _ranges(self) -> Self:
        for name, allowed in (("pi", (8, 16)), ("po", (8, 16)), ("px", (1, 2)), ("dw_lanes", (8, 16))):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {allowed}, not {getattr(self, name)}")
        for name in ("wb_words", "pb_words", "lm_entries", "max_burst"):
            value = getattr(self, name)
            if value & (value - 1):
                raise ValueError(f"{name} must be a power of two, not {value}")
        return self

    @property
    def macs_per_cycle(self) -> int:
        """Dense multiply-accumulates a cycle."""
        return self.pi * self.po * self.px

    @property
    def win_words(self) -> int:
        """Words of the whole window."""
        return self.win_depth * WINDOW_BANKS

    @property
    def name(self) -> str:
        """Short name, ``in x out x pixels``."""
        return f"{self.pi}x{self.po}x{self.px}"

    def digest(self) -> str:
        """SHA-256 over the parameters and the ISA version, hexadecimal; the hardware carries its first 64 bits."""
        text = json.dumps({"isa": ISA_VERSION, **self.model_dump()}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def digest64(self) -> int:
        """First 64 bits of :meth:`digest`, as the id registers hold it."""
        return int(self.digest()[:16], 16)

    def parameters(self) -> dict[str, int]:
        """Parameters of the RTL top by their SystemVerilog names."""
        names = {
            "pi": "PI", "po": "PO", "px": "PX", "dw_lanes": "DwLanes", "fm_words": "FmWords", "win_depth": "WinDepth",
            "wb_words": "WbWords", "pb_words": "PbWords", "lm_entries": "LmEntries", "disp_entries": "DispEntries",
            "row_bytes": "RowBytes", "queue_depth": "QueueDepth", "max_burst": "MaxBurst", "outstanding": "Outstanding",
        }  # fmt: skip
        return {sv: int(getattr(self, python)) for python, sv in names.items()}


ULTRA96 = EngineConfig()
"""The default engine for Ultra96: 512 multiply-accumulates a cycle beside a 16-channel, nine-tap depthwise core."""

CI_CONFIGS: dict[str, EngineConfig] = {
    "16x16x2": ULTRA96,
    "8x16x2": EngineConfig(pi=8, fm_words=8192, win_depth=256, wb_words=2048),
    "16x8x1": EngineConfig(po=8, px=1, fm_words=8192, win_depth=256, wb_words=1024, dw_lanes=8),
    "8x8x1": EngineConfig(
        pi=8, po=8, px=1, dw_lanes=8, fm_words=2048, win_depth=128, wb_words=512, pb_words=128, lm_entries=128,
        disp_entries=1024, row_bytes=512, queue_depth=4, max_burst=16, outstanding=2,
    ),
}  # fmt: skip
"""Configurations that continuous integration builds and holds bit for bit against the reference."""
