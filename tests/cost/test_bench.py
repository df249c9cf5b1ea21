"""Rows of the bench and the picture of a frame, without running anything."""

from __future__ import annotations

import pytest
from pydantic import ValidationError
from rich.console import Console

from hao.cli.bench import accuracy_of, known_workloads, print_rows
from hao.cli.literature import LITERATURE
from hao.report.bench import Bench, BenchRow
from hao.report.schema import Weights
from hao.report.timeline import Bar, render_timeline


def _row(**changes: object) -> BenchRow:
    fields: dict[str, object] = {
        "workload": "codenet-1x-b", "board": "ultra96v2", "configuration": "16x16x2",
        "weights": Weights(kind="random", digest="0" * 64), "cycles": 1000, "predicted_cycles": 1010, "predicted_error": 0.02,
        "frames_per_second": 269.0, "clock_mhz": 250.0, "equal": True, "compared": 5, "digest": "1" * 64, "sim_seconds": 1.0,
        "literature": LITERATURE["codenet-1x-b"],
    }  # fmt: skip
    return BenchRow.model_validate({**fields, **changes})


def test_every_field_of_the_contract_is_there() -> None:
    wanted = (
        "workload board configuration weights accuracy cycles predicted_cycles frames_per_second clock_mhz equal compared digest lut ff "
        "dsp bram36 sim_seconds literature"
    )
    assert set(wanted.split()) <= set(Bench(rows=(_row(),), commit="").model_dump()["rows"][0])


def test_a_row_that_is_none_is_refused() -> None:
    with pytest.raises(ValidationError):
        _row(cycles=0)
    with pytest.raises(ValidationError):
        Bench(rows=(), commit="")


def test_tables_show_ratio_error_and_source() -> None:
    console = Console(record=True, width=220, highlight=False)
    print_rows(console, [_row()])
    text = console.export_text()
    assert "+1.0 %" in text and "10.0 x" in text and "FPGA 2021" in text and "on the CPU" in text


def test_published_figures_carry_their_source() -> None:
    assert all(each.source and each.frames_per_second > 0 for entries in LITERATURE.values() for each in entries)
    assert set(known_workloads()) >= {"digits", "codenet-1x-a", "codenet-1x-b", "codenet-1x-c"}


def test_accuracy_comes_from_the_test_data_of_the_card() -> None:
    assert accuracy_of({"test_accuracy_percent": {"float": 99.0, "integer": 98.5}}) == ("top-1 %", 98.5)
    assert accuracy_of({"validation_accuracy_percent": {"integer": 99.0}}) is None


def test_the_picture_has_a_bar_an_instruction() -> None:
    page = render_timeline("a <b>", 100, [Bar("DENSE", "DENSE", 0, 50), Bar("DW", "ADD", 50, 100)], ["DENSE", "DW"])
    assert page.count("<rect") == 2 and "a &lt;b&gt;" in page and "50 to 100, 50 cycles" in page
