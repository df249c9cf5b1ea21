"""Tests of a repository that uses HAO: the fixture ``hao_rtl`` comes with the package."""

from __future__ import annotations

from pathlib import Path

NETWORK = "digits"  # or the path of your own integer checkpoint, my_network.safetensors
DESIGN = str(Path(__file__).with_name("design.json"))


def test_every_layer_is_right(hao_rtl):
    engine = hao_rtl(NETWORK, design=DESIGN)
    engine.check(*engine.pictures(3))


def test_the_frame_is_fast_enough(hao_rtl):
    engine = hao_rtl(NETWORK, design=DESIGN)
    engine.run(engine.pictures(1)[0])
    assert 0 < engine.cycles < 10_000
