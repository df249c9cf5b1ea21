"""The area model: counts exactly what it counts, is as near as it says where it was fitted, and is cheap."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from hao.cost.area import MODEL, estimate_area, read_model, stated_errors
from hao.cost.area_judged import RESOURCES, area_seeds, read_judged, render
from hao.cost.area_terms import SHAPES, SIZES
from hao.cost.memories import block_ram
from hao.engine.config import EngineConfig
from hao.errors import SynthesisError
from hao.synth.calibration import committed_blocks, committed_tables, model_toml
from hao.synth.configurations import CONFIGURATIONS, draw
from hao.synth.report import read_table, table_path
from hao.synth.sources import Sources
from hao.synth.yosys import BlockKey, plan_block
from tests.synth.test_tables import TABLES


@pytest.mark.parametrize("name", TABLES)
def test_dsps_and_block_rams_are_exact_and_the_rest_as_near_as_stated(name: str) -> None:
    found, table = estimate_area(CONFIGURATIONS[name]), read_table(table_path(name))
    assert found.dsp.value == table.dsp
    assert found.bram36.value == table.bram36
    for estimate, synthesized in ((found.lut, table.lut), (found.ff, table.ff)):
        # the stated error belongs to the estimate; half a cell is rounding, and so is the fifth decimal of the error in the file
        rounding = 0.5 + 0.5e-4 * synthesized
        assert abs(estimate.value - synthesized) <= estimate.error * max(1, synthesized / estimate.value) + rounding
        assert 0 < estimate.error <= 0.1 * estimate.value


def test_the_committed_model_is_the_fit_to_the_committed_figures() -> None:
    found = model_toml(committed_tables(), committed_blocks())
    assert found == MODEL.read_text(encoding="utf-8"), "the figures changed: renew the model with `hao synth --calibrate`"


def test_blocks_are_as_new_as_the_sources() -> None:
    sources = Sources.load()
    stale = [
        row.module
        for row in committed_blocks()
        if plan_block(sources, BlockKey(row.module, tuple(row.parameters.items()))).digest() != row.digest
    ]
    # the model is an estimate: a few blocks may be older than the sources, as long as the tables (which may not) agree with it
    assert len(stale) <= len(committed_blocks()) // 2, f"most blocks of the area model are stale: {', '.join(stale)}"


@pytest.mark.parametrize(
    ("width", "depth", "bram36"),
    [
        (8, 256, 0.5), (8, 2049, 1), (8, 3000, 1), (8, 4097, 1.5), (8, 12288, 3), (8, 40000, 10), (128, 512, 2), (128, 1100, 6),
        (128, 4096, 15), (6, 16384, 3),
    ],
)  # fmt: skip
def test_block_rams_are_chosen_as_yosys_chooses(width: int, depth: int, bram36: float) -> None:
    """What Yosys 0.70 made of hao_ram with these parameters."""
    assert block_ram(width, depth).bram36 == bram36


def test_shapes_name_modules_and_sizes_that_exist() -> None:
    assert set(SHAPES) <= set(Sources.load().modules)
    assert {size for shape in SHAPES.values() for size in shape.sizes} <= set(SIZES)


def test_larger_is_larger() -> None:
    small, large = estimate_area(CONFIGURATIONS["8x8x1"]), estimate_area(EngineConfig())
    for resource in ("lut", "ff", "dsp", "bram36"):
        assert getattr(small, resource).value < getattr(large, resource).value


def test_an_estimate_takes_less_than_a_millisecond() -> None:
    configs = [EngineConfig(fm_words=4096 + k) for k in range(200)]
    estimate_area(EngineConfig())
    start = time.process_time()
    for config in configs:
        estimate_area(config)
    assert (time.process_time() - start) / len(configs) < 1e-3


def test_a_damaged_model_is_named(tmp_path: Path) -> None:
    path = tmp_path / "model.toml"
    for text in ("", "[errors]\nlut = 0.1\n", MODEL.read_text(encoding="utf-8").replace('"one"', '"won"')):
        path.write_text(text, encoding="utf-8")
        read_model.cache_clear()
        with pytest.raises(SynthesisError, match="hao synth --calibrate"):
            read_model(path)


def test_the_judgement_was_drawn_after_the_model_and_is_within_the_issue() -> None:
    """Seeds and engines follow from the commit, estimates are the model's of today, and none is a tenth off."""
    judged = read_judged()
    assert tuple(row.seed for row in judged.rows) == area_seeds(judged.commit, len(judged.rows))
    for row in judged.rows:
        config = draw(row.seed)
        assert row.engine == {name: int(value) for name, value in config.model_dump().items()}
        guess = estimate_area(config)
        for resource in RESOURCES:
            assert getattr(row, resource).estimate == getattr(guess, resource).value
            assert judged.largest_error(resource) <= 0.1


def test_what_is_stated_covers_every_judged_engine_and_every_fitted_one() -> None:
    """Neither less than the largest error that was seen, nor more."""
    stated, seen = stated_errors(), read_model().errors
    for resource in RESOURCES:
        errors = [abs(getattr(row, resource).error) for row in read_judged().rows] + [seen[resource]]
        assert stated[resource] == max(errors)
        estimate = getattr(estimate_area(EngineConfig()), resource)
        assert estimate.error == estimate.value * stated[resource]


def test_a_damaged_judgement_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "judged.toml"
    path.write_text(render(read_judged()), encoding="utf-8")
    assert read_judged(path) == read_judged()
    path.write_text(render(read_judged()).replace("seed = ", "grain = ", 1), encoding="utf-8")
    with pytest.raises(SynthesisError, match="cannot be read"):
        read_judged(path)
