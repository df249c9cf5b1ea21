"""Program images that somebody damaged, or forged with the right digest: refused by name, never half-loaded."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from hao.compiler.compile import compile_graph
from hao.engine import image as container
from hao.engine.config import CI_CONFIGS
from hao.engine.image import ProgramImage
from hao.engine.manifest import Manifest
from hao.errors import ImageFormatError
from hao.ir.random_graph import random_graph
from tests.fuzz.hostile import ABSURD, DEEP, closed, mutated, opened, places, replaced

RIGHT = compile_graph(random_graph(2, 10), CI_CONFIGS["16x16x2"])
DATA = RIGHT.tobytes()
RECORD, TENSORS = opened(DATA, "manifest")
LIMITS = settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])


def signed(record: dict[str, Any], tensors: dict[str, np.ndarray]) -> bytes:
    """A file whose digest is right, whatever its content; what cannot be digested keeps the old one."""
    try:
        manifest = Manifest.model_validate(record)
    except ValueError:
        return closed(record, tensors, "manifest")
    return closed({**record, "sha256": container._digest(manifest, tensors)}, tensors, "manifest")


def refused(path: Path, data: bytes) -> ImageFormatError:
    path.write_bytes(data)
    with pytest.raises(ImageFormatError) as caught:
        ProgramImage.load(path)
    assert caught.value.exit_code == 6 and path.name in caught.value.message
    return caught.value


@LIMITS
@given(mutated(DATA))
def test_damaged_files(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "net.hao"
    if data != DATA:
        refused(path, data)


@LIMITS
@given(st.sampled_from(places(RECORD)), st.sampled_from(ABSURD))
def test_forged_manifests(tmp_path: Path, at: tuple[Any, ...], value: Any) -> None:
    """Either refused, or an image whose every promise about itself holds."""
    path = tmp_path / "net.hao"
    path.write_bytes(signed(replaced(RECORD, at, value), TENSORS))
    try:
        image = ProgramImage.load(path)
    except ImageFormatError:
        return
    form = image.manifest
    assert 0 <= form.program_offset < len(image.dram) and form.program_offset % 64 == 0
    assert 0 < form.output_bytes < 1 << 31 and 0 <= form.scratch_bytes < 1 << 31 and form.input.size < 1 << 31
    outputs = image.unpack_output(bytes(form.output_bytes))
    assert list(outputs) == [place.name for place in form.outputs]
    image.pack_input(np.zeros((form.input.channels, form.input.height, form.input.width), np.uint8))


FORGED = {
    "the program before the image": ({"program_offset": -64}, {}),
    "the program between two instructions": ({"program_offset": RECORD["program_offset"] - 16}, {}),
    "an output of 2^60 bytes": ({"output_bytes": 1 << 60}, {}),
    "less than no scratch": ({"scratch_bytes": -1}, {}),
    "an input of 2^50 bytes": ({"input": {**RECORD["input"], "height": 1 << 40}}, {}),
    "an output beside its region": ({"outputs": [{**RECORD["outputs"][0], "planes": [1 << 30]}]}, {}),
    "a lane that does not exist": ({"outputs": [{**RECORD["outputs"][0], "channels": [[0, 16]]}]}, {}),
    "a plane that does not exist": ({"outputs": [{**RECORD["outputs"][0], "channels": [[7, 0]]}]}, {}),
    "an output without channels": ({"outputs": [{**RECORD["outputs"][0], "channels": []}]}, {}),
    "rows shorter than the picture": ({"input": {**RECORD["input"], "row_bytes": 16, "width": 400}}, {}),
    "a tensor that is not named": ({}, {"trace_tensor": TENSORS["trace_tensor"] + 1000}),
    "a unit that has no taps": ({}, {"trace_unit": TENSORS["trace_unit"] * 0 + 9}),
    "columns of different lengths": ({}, {"trace_seq": TENSORS["trace_seq"][:-1]}),
    "a map without columns": ({}, {"trace_width": TENSORS["trace_width"] * 0}),
    "lanes missing": ({}, {"trace_channels": TENSORS["trace_channels"][:, :3].copy()}),
    "a channel of 2^30": ({}, {"trace_channels": TENSORS["trace_channels"] + (1 << 30)}),
    "an instruction twice": ({}, {"trace_seq": TENSORS["trace_seq"] * 0}),
    "memory of two dimensions": ({}, {"dram": TENSORS["dram"].reshape(-1, 16)}),
}


@pytest.mark.parametrize("what", FORGED)
def test_forged_with_the_right_digest(tmp_path: Path, what: str) -> None:
    record, tensors = FORGED[what]
    error = refused(tmp_path / "net.hao", signed({**RECORD, **record}, {**TENSORS, **tensors}))
    assert "digest" not in error.message, "refused for its content, not for a digest that the test got wrong"


@pytest.mark.parametrize("text", [DEEP, '{"a":' * 50_000, "9" * 6000, '{"format_version": ' + "9" * 6000 + "}", "NaN", "null", "[]", "7"])
def test_manifests_that_are_no_manifests(tmp_path: Path, text: str) -> None:
    assert refused(tmp_path / "net.hao", closed(text, TENSORS, "manifest")).hint


def test_places_that_are_no_files(tmp_path: Path) -> None:
    (tmp_path / "folder.hao").mkdir()
    (tmp_path / "loop.hao").symlink_to(tmp_path / "loop.hao")
    (tmp_path / "dangling.hao").symlink_to(tmp_path / "nothing")
    for name in ("folder.hao", "loop.hao", "dangling.hao", "a\nb.hao", "x" * 300):
        with pytest.raises(ImageFormatError):
            ProgramImage.load(tmp_path / name)


@LIMITS
@given(st.binary(min_size=64, max_size=64))
@example(bytes(64))
def test_any_instruction_is_decoded_or_refused(data: bytes) -> None:
    """A program that decodes encodes to the same bytes."""
    from hao.engine.encode import decode, encode_program

    try:
        instruction = decode(data)
    except ImageFormatError:
        return
    assert encode_program([instruction]) == data


def test_the_right_file_loads(tmp_path: Path) -> None:
    path = tmp_path / "net.hao"
    path.write_bytes(signed(RECORD, TENSORS))
    assert ProgramImage.load(path).dram == RIGHT.dram
    assert hashlib.sha256(RIGHT.dram).digest() == hashlib.sha256(ProgramImage.load(path).dram).digest()
