"""Places that are no files: pipes, devices, folders, links to them, files that grow; and a search over every field of a QONNX model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hao.errors import CheckpointError, HaoError, SearchError
from hao.files import MOST_BYTES, read_file, read_json, read_safetensors, read_toml, regular
from hao.frontend.qonnx_export import export_qonnx
from hao.frontend.qonnx_import import import_qonnx
from hao.ir.check import check
from hao.ir.random_graph import random_graph
from tests.fuzz.hostile import DEEP, replaced
from tests.fuzz.loaders import LOADERS

ROOT = Path(__file__).resolve().parents[2]


def _place(kind: str, path: Path) -> None:
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "endless":
        path.symlink_to("/dev/zero")
    elif kind == "loop":
        path.symlink_to(path.name)


@pytest.mark.parametrize("kind", ["pipe", "folder", "endless", "loop", "absent"])
def test_what_is_no_file_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x"
    _place(kind, path)
    for read in (read_file, regular, read_json, read_toml, read_safetensors):
        with pytest.raises(OSError):
            read(path)


SCRIPT = """
import os
import sys
from pathlib import Path
from hao.errors import HaoError
from tests.fuzz.loaders import LOADERS
for name in sys.argv[2:]:
    loader = LOADERS[name]()
    folder = Path(sys.argv[1]) / name
    folder.mkdir()
    for file, data in loader.beside:
        (folder / file).write_bytes(data)
    os.mkfifo(folder / loader.file)
    try:
        loader.load(folder / loader.file)
    except HaoError:
        continue
    sys.exit(f"{name} accepted a named pipe")
"""
DIRECT = ("image", "checkpoint", "board", "report", "reproducer", "engine", "design", "perturbations", "segments", "ledger", "claim",
          "recipe", "training", "supernet", "traces", "weights", "qonnx", "coco", "picture")  # fmt: skip
"""Loaders that the harness hands the file itself; the others get copies of it."""


def test_no_loader_waits_for_a_pipe(tmp_path: Path) -> None:
    """In a process of its own, which a loader that waits would keep for ever."""
    assert set(DIRECT) < set(LOADERS)
    command = [sys.executable, "-c", SCRIPT, str(tmp_path), *DIRECT]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]


def test_a_file_that_grows_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"12345678")
    sound = os.fstat

    def before(handle: int) -> os.stat_result:
        found = sound(handle)
        with path.open("ab") as file:
            file.write(b"9")
        return found

    assert read_file(path) == b"12345678"
    monkeypatch.setattr("hao.files.os.fstat", before)
    with pytest.raises(OSError, match="changed"):
        read_file(path)


def test_a_file_that_shrinks_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"12345678")
    sound, sizes = os.fstat, []

    def before(handle: int) -> os.stat_result:
        found = sound(handle)
        sizes.append(found.st_size)
        if len(sizes) == 2:  # the first look was at what kind of file it is
            os.truncate(path, 4)
        return found

    monkeypatch.setattr("hao.files.os.fstat", before)
    with pytest.raises(OSError, match="changed"):
        read_file(path)


def test_a_file_beyond_the_limit_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x"
    with path.open("wb") as file:
        file.truncate(MOST_BYTES + 1)
    with pytest.raises(OSError, match="at most"):
        read_file(path)


@pytest.mark.parametrize("text", [DEEP, '{"a":' * 50_000, "9" * 6000, "\xed\xa0\x80"])
def test_parsers_fail_in_one_way(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x"
    path.write_text(text, encoding="latin1")
    for read in (read_json, read_toml, read_safetensors):
        with pytest.raises(ValueError):
            read(path)


TEXTS = ("", "a\nb", "$(reboot)", "]; exec reboot; [", '"; system("id"); //', "../../etc/passwd", "\x1b[2J", "é" * 300)
NUMBERS = (0, 1, -1, 2, 3, 2**31, -(2**63), 2**63 - 1)
FLOATS = (0.0, -1.0, float("nan"), float("inf"), 1e-38, 3e38)


def _fields(message: Any) -> list[tuple[Any, Any, int]]:
    """Every value in a model, as message, field and index (-1: the field is single)."""
    found: list[tuple[Any, Any, int]] = []
    for field, value in message.ListFields():
        several = not isinstance(value, str | bytes | int | float) and not hasattr(value, "ListFields")
        for index, each in enumerate(value) if several else [(-1, value)]:
            found.append((message, field, index))
            if field.cpp_type == field.CPPTYPE_MESSAGE:
                found += _fields(each)
    return found


def _forge(message: Any, field: Any, index: int, rng: np.random.Generator) -> None:
    """Remove, repeat or replace one value."""
    kinds = {field.TYPE_STRING: TEXTS, field.TYPE_FLOAT: FLOATS, field.TYPE_INT64: NUMBERS, field.TYPE_INT32: NUMBERS[:5]}
    value: Any = b"\xff" * 8 if field.type == field.TYPE_BYTES else None
    if field.type in kinds:
        value = kinds[field.type][rng.integers(len(kinds[field.type]))]
    several = getattr(message, field.name)
    if index < 0:
        message.ClearField(field.name)
        if value is not None and rng.integers(3):
            setattr(message, field.name, value)
    elif value is None or not rng.integers(3):
        del several[index]
    else:
        several[index] = value


def test_forged_qonnx_models(tmp_path: Path) -> None:
    """One to three values of a sound model replaced or removed: imported as a legal network, or refused by name."""
    rng, path, ends = np.random.default_rng(7), tmp_path / "n.onnx", {"imported": 0, "refused": 0}
    sound = [export_qonnx(random_graph(seed, 5, max_size=6, max_channels=8)).SerializeToString() for seed in range(1, 7)]
    import onnx

    for trial in range(600):
        model = onnx.load_from_string(sound[trial % len(sound)])
        for _ in range(int(rng.integers(1, 4))):
            places = _fields(model)
            _forge(*places[int(rng.integers(len(places)))], rng)
        path.write_bytes(model.SerializeToString())
        try:
            check(import_qonnx(path))
            ends["imported"] += 1
        except HaoError as error:
            assert "\n" not in error.message and "\x1b" not in str(error)
            ends["refused"] += 1
    assert min(ends.values()) > 20, ends


def test_weights_in_other_files_are_refused(tmp_path: Path) -> None:
    """``location`` is a path that the model's author chose."""
    import onnx

    model = export_qonnx(random_graph(1, 4))
    tensor = model.graph.initializer[0]
    onnx.external_data_helper.set_external_data(tensor, location="../../etc/passwd")
    tensor.ClearField("raw_data")
    (tmp_path / "n.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(HaoError, match="in another file"):
        import_qonnx(tmp_path / "n.onnx")


DEEPER = '{"layers": ' + "[" * 100_000
HUGE = '{"layers": {"a": {"4": 1' + "0" * 400 + "}}}"
# loader, file, words of the refusal
FOUND = {
    "perturbations, nested": ("perturbations", DEEPER.encode(), "nested"),
    "perturbations, beyond any float": ("perturbations", HUGE.encode(), "too large"),
    "ledger, nested": ("ledger", f"{DEEP}\n".encode(), "damaged"),
    "ledger, no row": ("ledger", b"[1]\n", "damaged"),
    "claim, no object": ("claim", b"[1, 2]", "cannot be read"),
    "engine, nested": ("engine", DEEP.encode(), "nested"),
    "recipe, no text": ("recipe", b"\xff\xfe", "cannot be read"),
    "coco, beyond any float": (
        "coco", b'{"images": [{"id": 1e999, "file_name": "a"}], "categories": [], "annotations": []}', "cannot be read",
    ),
    "segments, rows of another kind": ("segments", b'[[0, 1, "x", 20, 30, 40, [[0, 4]], "busy", 2]]', "no table"),
    "shard, header": ("shard", b"\x93NUMPY\x01\x00\x0e\x00{'descr': (\n    ", "cannot be read"),
    "vendor, no figure": ("vendor", b"".join(b"| %s | 1.2.3 |\n" % n for n in (b"CLB LUTs", b"CLB Registers", b"DSPs")), "damaged"),
    "listing, another folder": ("listing", b"../x 1\n", "plain name"),
}  # fmt: skip
"""What loaders had let through, or ended in a traceback with."""


@pytest.mark.parametrize("name", FOUND)
def test_what_was_found_is_refused(tmp_path: Path, name: str) -> None:
    loader_name, data, words = FOUND[name]
    loader = LOADERS[loader_name]()
    path = tmp_path / loader.file
    path.write_bytes(data)
    with pytest.raises(HaoError, match=words):
        loader.load(path)


@pytest.mark.parametrize(
    ("place", "value"), [(("cycles", "value"), float("inf")), (("area",), {"gold": {"value": 1, "error": 0}}), (("widths",), {"a": 9})]
)
def test_designs_with_absurd_figures_are_refused(tmp_path: Path, place: tuple[str, ...], value: Any) -> None:
    loader = LOADERS["design"]()
    path = tmp_path / loader.file
    path.write_text(json.dumps(replaced(json.loads(loader.seeds[0][1:]), place, value)))
    with pytest.raises(SearchError, match=place[0]):
        loader.load(path)


@pytest.mark.parametrize("header", [[1], {"format": "x"}, "x", None])
def test_training_checkpoints_that_do_not_say_what_they_are(tmp_path: Path, header: Any) -> None:
    loader = LOADERS["training"]()
    path = tmp_path / loader.file
    path.write_bytes(loader.seal(json.dumps(header).encode()))
    with pytest.raises(CheckpointError):
        loader.load(path)
    sound = json.loads(loader.seeds[1][1:])
    for key in ("recipe", "progress"):
        path.write_bytes(loader.seal(json.dumps({name: each for name, each in sound.items() if name != key}).encode()))
        with pytest.raises(CheckpointError, match="does not say"):
            loader.load(path)
