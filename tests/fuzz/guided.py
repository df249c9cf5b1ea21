"""Coverage-guided fuzzing of one loader, in a process of its own: ``python -m tests.fuzz.guided LOADER FOLDER -runs=N -seed=S``.

Atheris (libFuzzer inside Python) instruments our modules and keeps every input that reaches new code. The first byte of an input
decides what it is: the file itself, or the text inside a container whose digest is then made right, so that the search gets behind it.
A loader may refuse with an error of ours; anything else, and anything accepted that is not sound, ends the process with a traceback.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import atheris

with atheris.instrument_imports(include=["hao"]):
    from hao.boards import read_board
    from hao.compiler.compile import compile_graph
    from hao.engine import image as container
    from hao.engine.config import CI_CONFIGS
    from hao.engine.image import ProgramImage
    from hao.engine.manifest import Manifest
    from hao.errors import HaoError
    from hao.fuzz.reproducer import load_reproducer
    from hao.ir import serialize
    from hao.ir.check import check
    from hao.ir.random_graph import random_graph
    from hao.ir.serialize import load_graph
    from hao.report.schema import EngineReport, LayerReport, Report, Weights, read_report
    from hao.resources import shared
from tests.fuzz.hostile import closed, opened

RAW, SEALED = b"\0", b"\1"


def _parsed(text: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _checkpoint() -> bytes:
    structure, arrays = serialize._encode(random_graph(9, 6))
    structure["digest"] = serialize._digest(structure, arrays)
    return closed(structure, arrays, "hao")


def _seal_checkpoint(text: bytes) -> bytes:
    record = _parsed(text)
    if record is None:
        return closed(text.decode("utf-8", "replace"), CHECKPOINT[1], "hao")
    record.pop("digest", None)
    return closed({**record, "digest": serialize._digest(record, CHECKPOINT[1])}, CHECKPOINT[1], "hao")


def _seal_image(text: bytes) -> bytes:
    record = _parsed(text)
    try:
        manifest = Manifest.model_validate(record)
    except ValueError:
        return closed(text.decode("utf-8", "replace"), IMAGE[1], "manifest")
    return closed({**(record or {}), "sha256": container._digest(manifest, IMAGE[1])}, IMAGE[1], "manifest")


def _load_checkpoint(path: Path) -> None:
    check(load_graph(path))


def _load_image(path: Path) -> None:
    image = ProgramImage.load(path)
    assert image.program() and image.tobytes()


def _load_board(path: Path) -> None:
    assert read_board(path).sustained_bytes_per_cycle > 0


def _report() -> bytes:
    layer = LayerReport(name="a", operator="Conv", shape=(1, 1, 1), bits=8, signed=False, compared=1, equal=True)
    engine = EngineReport(equal=True, compared=1, digest="0" * 64, seconds=1)
    return Report(
        network="n", board="b", configuration="c", image="i", configuration_digest="0" * 64, clock_mhz=250, host_ms=0, macs=1,
        weights=Weights(kind="random", digest="0" * 64), engines={"reference": engine, "rtl": engine}, layers=(layer,), prediction="p",
        hao_version="1",
    ).model_dump_json().encode()  # fmt: skip


def _same(data: bytes) -> bytes:
    return data


IMAGE_BYTES = compile_graph(random_graph(2, 6), CI_CONFIGS["8x8x1"]).tobytes()
IMAGE, CHECKPOINT_BYTES = opened(IMAGE_BYTES, "manifest"), _checkpoint()
CHECKPOINT = opened(CHECKPOINT_BYTES, "hao")
REPRODUCER = sorted((Path(__file__).parent / "reproducers").glob("*.json"))[0]
SOUND_CHECKPOINTS = [RAW + CHECKPOINT_BYTES, SEALED + json.dumps(CHECKPOINT[0]).encode()]
LOADERS: dict[str, tuple[str, Callable[[Path], object], Callable[[bytes], bytes], list[bytes]]] = {
    "image": ("n.hao", _load_image, _seal_image, [RAW + IMAGE_BYTES, SEALED + json.dumps(IMAGE[0]).encode()]),
    "checkpoint": ("n.safetensors", _load_checkpoint, _seal_checkpoint, SOUND_CHECKPOINTS),
    "board": ("b.toml", _load_board, _same, [RAW + (shared("boards") / "ultra96v2.toml").read_bytes()]),
    "report": ("r.json", read_report, _same, [RAW + _report()]),
    "reproducer": ("r.json", load_reproducer, _same, [RAW + REPRODUCER.read_bytes()]),
}  # fmt: skip
"""Name: file, loader, how the text of a container is sealed, and sound inputs to begin with."""


def main(name: str, folder: Path, arguments: list[str]) -> None:
    """Fuzz the loader ``name`` in ``folder``; never returns."""
    file, load, seal, seeds = LOADERS[name]
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for index, seed in enumerate(seeds):
        (corpus / f"seed{index}").write_bytes(seed)
    path = folder / file
    if name == "reproducer":
        path.with_suffix(".safetensors").write_bytes(REPRODUCER.with_suffix(".safetensors").read_bytes())
    accepted = 0

    def one(data: bytes) -> None:
        nonlocal accepted
        if not data:
            return
        path.write_bytes(seal(data[1:]) if data[:1] == SEALED else data[1:])
        try:
            load(path)
            accepted += 1
        except HaoError:
            return

    for seed in seeds:
        one(seed)
    assert accepted, "a sound file was refused: nothing behind the first check would be reached"
    atheris.Setup([sys.argv[0], *arguments, f"-artifact_prefix={folder}/", "-max_len=200000", "-timeout=60", str(corpus)], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
