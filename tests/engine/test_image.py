"""The container of program images: round trip, and every way it can be wrong."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load, save

from hao.compiler.compile import compile_graph
from hao.engine.config import CI_CONFIGS
from hao.engine.image import ProgramImage
from hao.errors import ConfigurationMismatch, DataError, ImageFormatError
from hao.ir.random_graph import random_graph

CONFIG = CI_CONFIGS["16x16x2"]


@pytest.fixture(scope="module")
def image() -> ProgramImage:
    return compile_graph(random_graph(2, 10), CONFIG)


def test_round_trip(image: ProgramImage, tmp_path: Path) -> None:
    path = tmp_path / "deep" / "net.hao"
    image.save(path)
    back = ProgramImage.load(path, CONFIG)
    assert back.digest == image.digest
    assert back.dram == image.dram
    assert back.trace == image.trace
    assert back.program() == image.program()
    assert [p.name for p in path.parent.iterdir()] == ["net.hao"]


def _altered(image: ProgramImage, path: Path, **manifest: object) -> Path:
    data = image.tobytes()
    tensors = load(data)
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    record = {**json.loads(header["__metadata__"]["manifest"]), **manifest}
    path.write_bytes(save(tensors, {"manifest": json.dumps(record)}))
    return path


def test_truncated_and_foreign_files(image: ProgramImage, tmp_path: Path) -> None:
    path = tmp_path / "net.hao"
    data = image.tobytes()
    for length in (0, 7, 100, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:length])
        with pytest.raises(ImageFormatError, match=r"net\.hao is no program image, or truncated"):
            ProgramImage.load(path)
    path.write_bytes(save({"x": np.zeros(3)}))
    with pytest.raises(ImageFormatError, match="no manifest"):
        ProgramImage.load(path)
    with pytest.raises(ImageFormatError, match="there is no program image"):
        ProgramImage.load(tmp_path / "absent.hao")


def test_one_altered_byte_is_found(image: ProgramImage, tmp_path: Path) -> None:
    path = tmp_path / "net.hao"
    data = bytearray(image.tobytes())
    start = 8 + int.from_bytes(data[:8], "little")
    for at in np.random.default_rng(0).integers(start, len(data), 20):
        changed = bytearray(data)
        changed[at] ^= 0x10
        path.write_bytes(changed)
        with pytest.raises(ImageFormatError, match="altered"):
            ProgramImage.load(path)


def test_versions_and_manifest(image: ProgramImage, tmp_path: Path) -> None:
    path = tmp_path / "net.hao"
    cases = {
        "format version 99": {"format_version": 99},
        "instruction set version 7": {"isa_version": 7},
        "manifest field network": {"network": 5},
        "Extra inputs": {"surprise": 1},
        "does not match its digest": {"config_digest": "00"},
        "altered": {"program_count": 1},
    }
    for message, change in cases.items():
        with pytest.raises(ImageFormatError, match=message):
            ProgramImage.load(_altered(image, path, **change))


def test_another_engine_is_refused(image: ProgramImage, tmp_path: Path) -> None:
    path = tmp_path / "net.hao"
    image.save(path)
    with pytest.raises(ConfigurationMismatch, match=r"pi 16 against 8.*fm_words 24576 against 8192"):
        ProgramImage.load(path, CI_CONFIGS["8x16x2"])


def test_input_and_output_of_the_wrong_size(image: ProgramImage) -> None:
    channels, height, width = image.manifest.input.channels, image.manifest.input.height, image.manifest.input.width
    packed = image.pack_input(np.full((channels, height, width), 7, np.uint8))
    assert len(packed) == image.manifest.input.size
    with pytest.raises(DataError, match="the image has shape"):
        image.pack_input(np.zeros((channels, height, width + 1), np.uint8))
    with pytest.raises(DataError, match="the image has shape"):
        image.pack_input(np.zeros((channels, height, width), np.float32))
    with pytest.raises(DataError, match="bytes, not 3"):
        image.unpack_output(b"abc")


def test_a_failed_save_leaves_the_old_file(image: ProgramImage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "net.hao"
    image.save(path)
    before = path.read_bytes()

    def broken(self: ProgramImage) -> bytes:
        raise OSError("disk full")

    monkeypatch.setattr(ProgramImage, "tobytes", broken)
    with pytest.raises(OSError, match="disk full"):
        image.save(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["net.hao"]
