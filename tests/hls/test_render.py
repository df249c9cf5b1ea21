"""The generated sources: complete, strict, readable, and shaped by the configuration."""

from __future__ import annotations

import re

import pytest
from jinja2 import UndefinedError

from hao.boards import load_board
from hao.codegen import hls
from hao.codegen.c_driver import plan_c_driver
from hao.codegen.environment import environment
from hao.codegen.hls import FILES, decoded, render_kernel
from hao.codegen.hls_project import SCRIPT, render_project
from hao.codegen.rtl import rtl_sources
from hao.codegen.tcl_project import MANIFEST
from hao.codegen.vitis_hls import plan_vitis_hls
from hao.codegen.vivado import plan_vivado
from hao.engine import isa
from hao.engine.config import CI_CONFIGS, EngineConfig
from hao.errors import BoardError, UsageError
from hao.resources import shared
from hao.runtime.csim_build import Arithmetic, plan_csim
from hao.vendor.archive import archive_files

EXPRESSION = re.compile(r"(?:int_t<\d+>\()?(?:bits<(\d+), (\d+)>\()?(?:join\(raw.half\[\d+\], )?raw.half\[(\d+)\]\)*")
CORNERS = [
    EngineConfig(pi=pi, po=po, px=px, dw_lanes=dw_lanes) for pi in (8, 16) for po in (8, 16) for px in (1, 2) for dw_lanes in (8, 16)
]


@pytest.mark.parametrize("config", [*CI_CONFIGS.values(), *CORNERS], ids=lambda config: f"{config.name}-{config.dw_lanes}")
def test_sources_are_tidy(config: EngineConfig) -> None:
    for name, text in render_project(config).items():
        lines = text.split("\n")
        assert text.endswith("\n") and not text.endswith("\n\n"), name
        assert not any(len(line) > 100 for line in lines), [line for line in lines if len(line) > 100]
        assert not re.search(r"[ \t]$|\t|\n\n\n", text, re.M), name
        assert not re.search(r"Undefined|\{\{|\{%|None\b", text), name
        if name.endswith(".h"):
            assert "#pragma once" in text, name


def test_every_template_belongs_to_a_file() -> None:
    templates = {path.name.removesuffix(".j2") for path in shared("hls_templates").rglob("*.j2")}
    config, board = EngineConfig(), load_board("ultra96v2")
    written = {*plan_vitis_hls(config, board).files, *archive_files(plan_vivado(config, board)), *plan_c_driver(config, board).files}
    by_hand = {path.name for path in rtl_sources()} | {MANIFEST}
    assert templates == {path.rpartition("/")[2] for path in written} - by_hand
    assert {*FILES, SCRIPT, "hao_pkg.sv"} < templates


def test_undefined_names_are_errors() -> None:
    with pytest.raises(UndefinedError, match="chunk"):
        environment().get_template("hao_config.h.j2").render(config=EngineConfig(), isa=isa)


def test_parallelism_shapes_the_loops() -> None:
    wide, narrow = render_kernel(CI_CONFIGS["16x16x2"]), render_kernel(CI_CONFIGS["8x8x1"])
    assert "PACK_SHIFT" in wide["hao_dense_core.h"] and "PACK_SHIFT" not in narrow["hao_dense_core.h"]
    assert "held" in narrow["hao_dense_core.h"] and "held" not in wide["hao_dense_core.h"]
    assert "requantize_halves" in narrow["hao_dense.h"] and "requantize_pixels" in wide["hao_dense.h"]
    assert "constexpr int DW_LANES = 8;" in narrow["hao_config.h"]


def test_fields_follow_the_table() -> None:
    for opcode, fields in isa.FIELDS.items():
        for field in fields:
            found = EXPRESSION.fullmatch(decoded(field).expression)
            assert found is not None, decoded(field).expression
            bit, width, half = found.groups()
            assert 16 * int(half) + int(bit or 0) == field.lsb, f"{opcode.name} {field.name}"
            assert width is None or int(width) == field.width


def test_plans_differ_where_they_must() -> None:
    config = CI_CONFIGS["8x8x1"]
    digests = [
        plan_csim(config, Arithmetic.NATIVE).digest(),
        plan_csim(config, Arithmetic.EXACT).digest(),
        plan_csim(CI_CONFIGS["16x8x1"], Arithmetic.NATIVE).digest(),
    ]
    assert len(set(digests)) == 3
    assert plan_csim(config, Arithmetic.NATIVE).digest() == digests[0]


def test_digest_is_in_the_kernel() -> None:
    config = CI_CONFIGS["8x16x2"]
    assert f"CONFIG_DIGEST = 0x{config.digest64():016x}ULL" in render_kernel(config)["hao_config.h"]
    assert hls.KERNEL in render_kernel(config)


def test_project_script() -> None:
    script = render_project(EngineConfig())[SCRIPT]
    assert "set_part {xczu3eg-sbva484-1-i}" in script
    assert "create_clock -period 4 " in script
    assert "set_top hao_kernel" in script


@pytest.mark.parametrize(
    ("changes", "error", "text"),
    [
        ({"part": "xc; exec rm"}, BoardError, "'xc; exec rm' is not the name of a device"),
        ({"part": "a]b"}, BoardError, "'a]b' is not the name of a device"),
        ({"clock_ns": 0.0}, UsageError, "a clock period of 0.0 ns is out of range"),
        ({"clock_ns": float("nan")}, UsageError, "a clock period of nan ns is out of range"),
        ({"project": "../x"}, UsageError, "'../x' cannot name a project"),
    ],
)
def test_project_refuses(changes: dict[str, object], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=re.escape(text)):
        render_project(EngineConfig(), **changes)  # type: ignore[arg-type]
