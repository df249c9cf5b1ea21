"""The constants of the cycle model: ``data/cycles.toml``, cycles of the RTL's pipelines."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path

from hao.errors import CostError

_DATA = Path(__file__).parent / "data" / "cycles.toml"


@dataclass(frozen=True, slots=True)
class Latencies:
    """Cycles between the events of an instruction; every field is described in ``data/cycles.toml``."""

    start: int
    end: int
    fetch: int
    dma_request: int
    dma_again: int
    dma_room: int
    refresh_phase: int
    dense_setup: int
    dense_first: int
    dense_first_least: int
    tile_gap: int
    tile_least: int
    tile_more: int
    dense_params: int
    dense_sums: int
    dense_out: int
    fill_setup: int
    fill_ahead: int
    fill_gap: int
    fill_out: int
    dw_setup: int
    dw_params: int
    dw_held_pair: int
    dw_held_half: int
    dw_core_pair: int
    dw_core_half: int
    dw_out_pair: int
    dw_out_half: int
    add_first: int
    add_gap: int
    add_out_pair: int
    add_out_half: int
    store_first: int
    store_data: int
    store_answer: int
    store_again: int
    load_fifo: int
    ldi_setup: int
    ldi_row: int
    ldi_loaded: int
    ldi_out: int
    ldi_out_wide: int


@cache
def _table() -> dict[str, object]:
    try:
        return tomllib.loads(_DATA.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise CostError(f"the calibration of the cycle model cannot be read: {error}", "reinstall hao") from error


@cache
def latencies() -> Latencies:
    """The calibrated constants.

    Raises:
        CostError: the calibration file is missing, malformed, or lacks a constant.
    """
    values = _table().get("latencies")
    names = {field.name for field in fields(Latencies)}
    if not isinstance(values, dict) or set(values) != names or not all(isinstance(value, int) for value in values.values()):
        raise CostError(f"{_DATA.name} does not hold the constants of this version of the cycle model", "reinstall hao")
    return Latencies(**values)
