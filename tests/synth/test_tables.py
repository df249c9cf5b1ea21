"""The committed synthesis tables: as new as the sources, within the budget and the levels, and one row of them synthesized again."""

from __future__ import annotations

from pathlib import Path

import pytest

from hao.boards import load_board
from hao.codegen.rtl import TOP, parameter_values
from hao.errors import SynthesisError
from hao.synth.area import count
from hao.synth.configurations import CONFIGURATIONS
from hao.synth.design import synthesize_design
from hao.synth.paths import estimate
from hao.synth.report import (
    LARGEST_LEVELS,
    ModuleRow,
    Synthesis,
    combined_digest,
    read_table,
    stale_rows,
    summarize,
    table_path,
    to_toml,
)
from hao.synth.sources import Sources
from hao.synth.yosys import BlockKey, block_key, synthesize, yosys_version

TABLES = sorted(name for name in CONFIGURATIONS if table_path(name).is_file())
SMALL = 600
"""LUTs of a block that continuous integration synthesizes again."""


def a_table(dsp: int = 1, levels: int = 3) -> Synthesis:
    row = ModuleRow(
        module=TOP, parameters={"PI": "8"}, instances=1, lut_logic=5, lut_memory=2, ff=4, dsp=dsp, bram36=0.5, levels=levels, path_ns=1.25,
        digest="0" * 64,
    )  # fmt: skip
    return Synthesis(
        configuration="8x8x1", top=TOP, tool="t", family="xcup", lut=7, lut_memory=2, ff=4, dsp=dsp, bram36=0.5, logic_levels=levels,
        path_ns=1.25, digest=combined_digest((row,)), modules=(row,),
    )  # fmt: skip


def test_the_default_engine_has_a_table() -> None:
    assert "16x16x2" in TABLES


@pytest.mark.parametrize("name", TABLES)
def test_tables_are_as_new_as_the_sources(name: str) -> None:
    table = read_table(table_path(name))
    stale = stale_rows(table, Sources.load())
    assert not stale, f"{table_path(name).name} is stale ({', '.join(stale)}): renew it with `hao synth {name} --table`"
    top = block_key(Sources.load(), TOP, parameter_values(CONFIGURATIONS[name]))
    assert (table.modules[0].module, table.modules[0].parameters) == (top.module, dict(top.parameters))
    assert (table.configuration, table.tool) == (name, yosys_version())


@pytest.mark.parametrize("name", TABLES)
def test_no_path_has_too_many_levels(name: str) -> None:
    table = read_table(table_path(name))
    assert table.logic_levels == max(row.levels for row in table.modules)
    deep = [f"{row.module}: {row.levels}" for row in table.modules if row.levels > LARGEST_LEVELS]
    assert not deep, f"more than {LARGEST_LEVELS} levels in {', '.join(deep)}"


def test_the_default_engine_fits_the_ultra96() -> None:
    table = read_table(table_path("16x16x2"))
    assert table.over(load_board("ultra96v2").resources) == ()
    assert table.dsp <= 360 and table.bram36 <= 200 and table.lut <= 55_000 and table.ff <= 100_000


def test_one_row_is_synthesized_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small block, drawn by the digest of the table: another one whenever the table changes."""
    monkeypatch.setenv("HAO_CACHE", str(tmp_path))
    table = read_table(table_path("16x16x2"))
    small = [row for row in table.modules if 0 < row.area.lut < SMALL]
    row = small[int(table.digest[:8], 16) % len(small)]
    assert count(synthesize(Sources.load(), BlockKey(row.module, tuple(row.parameters.items())))) == row.area


@pytest.mark.nightly
@pytest.mark.parametrize("name", TABLES)
def test_whole_engines_are_synthesized_again(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAO_CACHE", str(tmp_path))
    design = synthesize_design(Sources.load(), TOP, parameter_values(CONFIGURATIONS[name]))
    assert to_toml(summarize(name, design, estimate(design))) == table_path(name).read_text(encoding="utf-8")


def test_a_table_that_does_not_add_up_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "synthesis-8x8x1.toml"
    path.write_text(to_toml(a_table()), encoding="utf-8")
    assert read_table(path) == a_table()
    for old, new, words in (
        ("lut_logic = 5", "lut_logic = 6", "not the sums"),
        ('digest = "' + "0" * 64, 'digest = "' + "1" * 64, "not that of its rows"),
        ("instances = 1", "instances = 0", "cannot be read"),
        ("[[modules]]", "[[modules]", "cannot be read"),
    ):
        text = to_toml(a_table())
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")
        with pytest.raises(SynthesisError, match=words):
            read_table(path)
    with pytest.raises(SynthesisError, match="cannot be read"):
        read_table(tmp_path / "absent.toml")


def test_a_stale_table_names_its_modules() -> None:
    assert stale_rows(a_table(), Sources.load()) == (TOP,)
    renamed = a_table().model_copy(update={"modules": (a_table().modules[0].model_copy(update={"module": "hao_gone"}),)})
    assert stale_rows(renamed, Sources.load()) == ("hao_gone",)
