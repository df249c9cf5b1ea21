"""Every loader of the product for the guided fuzzer: how it is called, what must hold of what it accepts, and sound files to begin with.

Each entry is made on demand, so that fuzzing a board file imports no PyTorch. Loaders of files that the product ships (tables of areas,
latencies and members, the zoo's cards) are not here: whoever can change those can change the code.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hao.errors import HaoError
from hao.resources import shared
from tests.fuzz.hostile import closed, opened

ROOT = Path(__file__).resolve().parents[2]
RAW, SEALED = b"\0", b"\1"
"""First byte of an input: the file itself, or text inside a container whose digest is then made right."""


def unsealed(data: bytes) -> bytes:
    """A file without a digest is taken as it is."""
    return data


@dataclass(frozen=True, slots=True)
class Loader:
    """One loader.

    Attributes:
        file: name of the file.
        load: called with its path; refuses with a ``HaoError``, or checks what it accepts.
        seeds: sound inputs, with their first byte.
        seal: makes a file of text, its digest right.
        beside: other files that the loader reads, by name.
    """

    file: str
    load: Callable[[Path], object]
    seeds: list[bytes]
    seal: Callable[[bytes], bytes] = unsealed
    beside: tuple[tuple[str, bytes], ...] = ()


def _json(value: Any) -> list[bytes]:
    return [RAW + json.dumps(value).encode()]


def _parsed(text: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def checkpoint() -> Loader:
    from hao.ir import serialize
    from hao.ir.check import check
    from hao.ir.random_graph import random_graph

    structure, arrays = serialize._encode(random_graph(9, 6))
    structure["digest"] = serialize._digest(structure, arrays)

    def seal(text: bytes) -> bytes:
        record = _parsed(text)
        if record is None:
            return closed(text.decode("utf-8", "replace"), arrays, "hao")
        record.pop("digest", None)
        return closed({**record, "digest": serialize._digest(record, arrays)}, arrays, "hao")

    seeds = [RAW + closed(structure, arrays, "hao"), SEALED + json.dumps(structure).encode()]
    return Loader("n.safetensors", lambda path: check(serialize.load_graph(path)), seeds, seal)


def image() -> Loader:
    from hao.compiler.compile import compile_graph
    from hao.engine import image as container
    from hao.engine.config import CI_CONFIGS
    from hao.engine.manifest import Manifest
    from hao.ir.random_graph import random_graph

    data = compile_graph(random_graph(2, 6), CI_CONFIGS["8x8x1"]).tobytes()
    structure, arrays = opened(data, "manifest")

    def seal(text: bytes) -> bytes:
        record = _parsed(text)
        try:
            manifest = Manifest.model_validate(record)
        except ValueError:
            return closed(text.decode("utf-8", "replace"), arrays, "manifest")
        return closed({**(record or {}), "sha256": container._digest(manifest, arrays)}, arrays, "manifest")

    def load(path: Path) -> None:
        found = container.ProgramImage.load(path)
        assert found.program() and found.tobytes()

    return Loader("n.hao", load, [RAW + data, SEALED + json.dumps(structure).encode()], seal)


def board() -> Loader:
    from hao.boards import read_board

    def load(path: Path) -> None:
        assert read_board(path).sustained_bytes_per_cycle > 0

    return Loader("b.toml", load, [RAW + (shared("boards") / "ultra96v2.toml").read_bytes()])


def report() -> Loader:
    from hao.report.schema import EngineReport, LayerReport, Report, Weights, read_report

    layer = LayerReport(name="a", operator="Conv", shape=(1, 1, 1), bits=8, signed=False, compared=1, equal=True)
    engine = EngineReport(equal=True, compared=1, digest="0" * 64, seconds=1)
    sound = Report(
        network="n", board="b", configuration="c", image="i", configuration_digest="0" * 64, clock_mhz=250, host_ms=0, macs=1,
        weights=Weights(kind="random", digest="0" * 64), engines={"reference": engine, "rtl": engine}, layers=(layer,), prediction="p",
        hao_version="1",
    )  # fmt: skip
    return Loader("r.json", read_report, [RAW + sound.model_dump_json().encode()])


def reproducer() -> Loader:
    from hao.fuzz.reproducer import load_reproducer

    sound = sorted((ROOT / "tests" / "fuzz" / "reproducers").glob("*.json"))[0]
    beside = (("r.safetensors", sound.with_suffix(".safetensors").read_bytes()),)
    return Loader("r.json", load_reproducer, [RAW + sound.read_bytes()], beside=beside)


def engine() -> Loader:
    from hao.cli.generate import read_design
    from hao.codegen.rtl import parameter_values
    from hao.engine.config import CI_CONFIGS

    return Loader("e.json", lambda path: parameter_values(read_design(str(path))), _json(CI_CONFIGS["8x8x1"].model_dump()))


def design() -> Loader:
    """A design of a search, and the mapping in it."""
    from hao.compiler.lower import lower
    from hao.compiler.rewrite import rewrite
    from hao.engine.config import CI_CONFIGS
    from hao.ir.random_graph import random_graph
    from hao.ir.serialize import network_digest
    from hao.search.design import Design, Figure, MappedSegment, read_design
    from hao.search.mappings import plan_of
    from hao.search.planner import compile_design

    graph, config = random_graph(2, 6), CI_CONFIGS["8x8x1"]
    steps = [step.op.name for step in plan_of(lower(rewrite(graph), config), config, "graph").steps]
    sound = Design(
        network="n", digest=network_digest(graph), board="ultra96v2", configuration=config, order="graph",
        segments=tuple(MappedSegment(steps=(step,), stripes=1) for step in steps), widths={steps[0]: 4}, cycles=Figure(value=1, error=1),
        area={"lut": Figure(value=1, error=1)}, damage=0,
    )  # fmt: skip

    def load(path: Path) -> None:
        found = read_design(path)
        if max(segment.stripes for segment in found.segments) < 1000:
            compile_design(graph, found.configuration, found.order, found.segments)

    return Loader("d.json", load, [RAW + sound.model_dump_json().encode()])


def perturbations() -> Loader:
    from hao.search.precision import read_table

    rows = [{"name": "a", "sensitivity": {"4": 0.5, "8": 0.1}}]
    return Loader("p.json", read_table, [*_json({"layers": {"a": {"4": 1.0}}}), *_json({"layers": rows})])


def segments() -> Loader:
    """The cache of a search: damaged rows count as none."""
    from hao.ir.random_graph import random_graph
    from hao.search.kept import Kept
    from hao.search.problem import Choice

    class Own(Kept):
        place = Path()

        def _path(self, key: object) -> Path:
            return self.place

    kept = Own(random_graph(2, 6), Path())

    def load(path: Path) -> None:
        kept.place = path
        rows = kept.load("key")
        if rows is None:
            raise HaoError("no table")
        assert all(isinstance(row, Choice) and row.cycles >= 0 and row.words >= 0 for row in rows)

    return Loader("k.json", load, _json([[0, 1, 10, 20, 30, 40, [[0, 4]], "busy", 2, False, 0]]))


def ledger() -> Loader:
    from hao.nas.ledger import Ledger

    return Loader("l.jsonl", lambda path: Ledger(path).rows, [RAW + b'{"key": "a", "value": 1.5}\n{"key": "b"}\n'])


def claim() -> Loader:
    from hao.nas.run import claim as claimed

    about = {"task": "digits", "seed": 1, "lessons": {"a": 1}}
    return Loader("search.json", lambda path: claimed(path.parent, about), _json(about))


def recipe() -> Loader:
    from hao.train.recipe import read_recipe

    return Loader("r.json", read_recipe, [RAW + (ROOT / "training" / "codenet-1x-b.recipe.json").read_bytes()])


def training() -> Loader:
    """A checkpoint of training: header, tensors by name and shape, and how it was trained."""
    import torch
    from safetensors.torch import save

    from hao.train.state import FORMAT, load_weights, origin_of, read_checkpoint

    module = torch.nn.Linear(3, 2)
    header = {"format": FORMAT, "recipe": {"name": "a"}, "progress": {"phase": 0}, "origin": []}

    def load(path: Path) -> None:
        tensors, _ = read_checkpoint(path)
        load_weights(module, tensors, path)
        origin_of(path)

    state = module.state_dict()
    return Loader("t.safetensors", load, [RAW + save(state, {"hao": json.dumps(header)}), SEALED + json.dumps(header).encode()],
                  lambda text: bytes(save(state, {"hao": text.decode("utf-8", "replace")})))  # fmt: skip


def supernet() -> Loader:
    from safetensors.torch import save

    from hao.nas.corpus import digits
    from hao.nas.learn import _restore, new_supernet

    net = new_supernet(digits(), 0)
    content = {f"net.{name}": value.detach().clone() for name, value in net.named_parameters()}
    return Loader("s.safetensors", lambda path: _restore(path, net, None, "k"), [RAW + save(content, {"epoch": "3", "key": "k"})])


def traces() -> Loader:
    """What a long estimate left: damaged files count as none."""
    from safetensors.numpy import save

    from hao.quant.state import Kept, load_samples

    def load(path: Path) -> None:
        found = load_samples(Kept(path))
        if not found:
            raise HaoError("no samples")
        assert all(values.dtype.kind == "f" for values in found.values())

    return Loader("s.safetensors", load, [RAW + save({"a": np.ones((3, 2)), "b": np.zeros((1, 2))}, {"hao": "{}"})])


def weights() -> Loader:
    """Float weights that ``hao quantize`` is given."""
    import torch
    from safetensors.torch import save

    from hao.cli.quantize_source import _load

    module = torch.nn.Linear(3, 2)
    return Loader("w.safetensors", lambda path: _load(module, path), [RAW + save(module.state_dict())])


def qonnx() -> Loader:
    from hao.frontend.qonnx_export import export_qonnx
    from hao.frontend.qonnx_import import import_qonnx
    from hao.ir.check import check
    from hao.ir.random_graph import random_graph

    sound = [RAW + export_qonnx(random_graph(seed, 4, max_size=6, max_channels=8)).SerializeToString() for seed in (1, 2, 3)]
    return Loader("n.onnx", lambda path: check(import_qonnx(path)), sound)


def coco() -> Loader:
    from hao.data.coco import read_coco

    sound = {
        "images": [{"id": 1, "file_name": "a.jpg", "width": 4, "height": 4}], "categories": [{"id": 7, "name": "dog"}],
        "annotations": [{"image_id": 1, "category_id": 7, "bbox": [1, 2, 3, 4], "iscrowd": 0}],
    }  # fmt: skip

    def load(path: Path) -> None:
        for sample in read_coco(path, path.parent).samples:
            assert sample.path.parent == path.parent

    return Loader("a.json", load, _json(sound))


def voc() -> Loader:
    from hao.data.voc import read_voc

    box = "<bndbox><xmin>1</xmin><ymin>2</ymin><xmax>3</xmax><ymax>4</ymax></bndbox>"
    sound = f"<annotation><filename>a.jpg</filename><object><name>dog</name><difficult>0</difficult>{box}</object></annotation>"

    def load(path: Path) -> None:
        root = path.parent
        for folder in ("Annotations", "ImageSets/Main"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        (root / "ImageSets" / "Main" / "train.txt").write_text("a 1\n")
        (root / "Annotations" / "a.xml").write_bytes(path.read_bytes())
        for sample in read_voc(root, "train"):
            assert sample.path.parent == root / "JPEGImages"

    return Loader("a.xml", load, [RAW + sound.encode()])


def listing() -> Loader:
    """An image set of VOC, which names files."""
    from hao.data.voc import read_voc

    def load(path: Path) -> None:
        main = path.parent / "ImageSets" / "Main"
        main.mkdir(parents=True, exist_ok=True)
        (main / "train.txt").write_bytes(path.read_bytes())
        if read_voc(path.parent, "train"):
            raise AssertionError("a file was found where there is none")

    return Loader("train.txt", load, [RAW + b"\n"])


def vendor() -> Loader:
    from hao.vendor.reports import POWER, TIMING, UTILIZATION, read_reports

    flat = "".join(f"| {name} | 1,234 | 0 | 0 | 9 | 1.0 |\n" for name in ("CLB LUTs", "CLB Registers", "Block RAM Tile", "URAM", "DSPs"))
    timing = "    WNS(ns)      TNS(ns)      WHS(ns)      WPWS(ns)\n    -------\n      1.25         0.0        NA          0.5\n"
    power = "| Total On-Chip Power (W)  | 3.215 |\n| Junction Temperature (C) | 35.1 |\n"
    old = "|   Instance   | Total LUTs | FFs | RAMB36 | RAMB18 | DSP48 Blocks |\n+--+\n| wrapper | 88 | 72 | 2 | 1 | 9 |\n"

    def load(path: Path) -> None:
        for name in (UTILIZATION, TIMING, POWER):
            (path.parent / name).write_bytes(path.read_bytes())
        assert read_reports(path.parent).model_dump_json()

    return Loader("all.rpt", load, [RAW + (flat + timing + power).encode(), RAW + (old + timing + power).encode()])


def picture() -> Loader:
    from PIL import Image

    from hao.cli.pictures import read_photo
    from hao.data.images import read_image

    def load(path: Path) -> None:
        assert read_photo(path).ndim == read_image(path).ndim == 3

    seeds = []
    for kind in ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP"):
        data = io.BytesIO()
        Image.fromarray(np.arange(48, dtype=np.uint8).reshape(4, 4, 3)).save(data, kind)
        seeds.append(RAW + data.getvalue())
    return Loader("p.img", load, seeds)


def shard() -> Loader:
    """A cached shard of rendered scenes."""
    from hao.data.cache import _shard

    def made() -> Any:
        raise AssertionError("there is a file")

    def load(path: Path) -> None:
        for part in ("images", "boxes", "labels"):
            (path.parent / f"s-{part}.npy").write_bytes(path.read_bytes())
        assert _shard(path.parent, "s", made).images.size >= 0

    data = io.BytesIO()
    np.save(data, np.zeros((2, 4, 4, 3), np.uint8))
    return Loader("s.npy", load, [RAW + data.getvalue()])


LOADERS: dict[str, Callable[[], Loader]] = {
    each.__name__: each
    for each in (
        image, checkpoint, board, report, reproducer, engine, design, perturbations, segments, ledger, claim, recipe, training, supernet,
        traces, weights, qonnx, coco, voc, listing, vendor, picture, shard,
    )
}  # fmt: skip
"""By name."""
