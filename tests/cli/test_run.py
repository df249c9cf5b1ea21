"""``hao run``: equal engines and a complete report, or one clear line, an exit code of its own and nothing half-written."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hao.cli import run as run_module
from hao.cli.main import invoke
from hao.cli.pictures import DEMO_PHOTO, middle, prepare, read_photo
from hao.ir.reference import digest, execute
from hao.models import zoo
from hao.report.page import render_page
from hao.report.pictures import draw_detections
from hao.report.schema import DetectionReport, Report, read_report
from hao.report.stalls import CAUSES
from hao.runtime.verdict import judge


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run") / "out"
    assert invoke(["run", "digits", "--out", str(out), "--json", str(out / "copy.json")]) == 0
    return out


def test_every_engine_is_equal_and_counted(written: Path) -> None:
    report = read_report(written / "report.json")
    assert list(report.engines) == ["reference", "csim", "rtl"]
    assert all(engine.equal and engine.compared > 5000 for engine in report.engines.values())
    assert report.equal
    assert all(layer.equal and layer.compared > 0 for layer in report.layers)
    assert sum(layer.compared for layer in report.layers) > 10_000
    assert (written / "copy.json").read_bytes() == (written / "report.json").read_bytes()


def test_the_digest_is_what_an_outsider_computes(written: Path) -> None:
    report = read_report(written / "report.json")
    graph = zoo.load("digits-w4a8")
    tensors = execute(graph, zoo.samples("digits-w4a8")[0][1])
    expected = digest(tensors[name] for name in graph.outputs)
    assert {engine.digest for engine in report.engines.values()} == {expected}


def test_cycles_are_the_rtls_and_layers_fit_into_them(written: Path) -> None:
    report = read_report(written / "report.json")
    assert report.cycles == report.engines["rtl"].cycles
    assert report.cycles is not None
    assert report.frames_per_second == report.clock_mhz * 1e6 / report.cycles
    assert 0 < sum(layer.cycles for layer in report.layers) <= report.cycles
    assert report.units["DENSE"].count > 0
    assert report.host_ms > 0
    assert report.weights.kind == "trained"


def test_every_cycle_of_a_layers_unit_has_a_cause(written: Path) -> None:
    report = read_report(written / "report.json")
    assert report.cycles is not None
    for layer in report.layers:
        assert layer.unit_cycles == layer.compute + sum(layer.stalls.values()) > 0, layer.name
        assert set(layer.stalls) == set(CAUSES)
    dense = [layer for layer in report.layers if layer.operator.startswith("conv")]
    assert 0 < sum(layer.unit_cycles for layer in dense) <= report.cycles
    assert sum(layer.stalls["weights"] + layer.stalls["dram"] for layer in report.layers) > 0


def test_the_page_needs_nothing_beside_it(written: Path) -> None:
    page = (written / "report.html").read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") == 1
    assert "http" not in page
    assert "Every engine equals the reference in every value." in page
    assert all(layer.name in page for layer in read_report(written / "report.json").layers)


def test_a_wrong_page_field_is_escaped(written: Path) -> None:
    report = read_report(written / "report.json").model_copy(update={"image": "<script>alert(1)</script>"})
    assert "<script>alert" not in render_page(report, {})


def test_boxes_are_drawn_where_they_are() -> None:
    pixels = np.zeros((64, 64, 3), np.uint8)
    found = (DetectionReport(label="star", score=0.9, box=(8.0, 40.0, 24.0, 60.0)),)
    with_box, without = (
        np.asarray(Image.open(io.BytesIO(draw_detections(pixels, boxes, "caption")))).astype(int) for boxes in (found, ())
    )
    changed = np.argwhere((with_box != without).any(axis=2)) / 16
    assert 59.5 <= changed[:, 0].max() <= 60.5
    assert 7.5 <= changed[:, 1].min() <= 8.5
    assert without[1024:].min() < 100  # the caption


def test_nothing_compared_is_not_equal(written: Path) -> None:
    report = read_report(written / "report.json")
    alone = report.model_copy(update={"engines": {"reference": report.engines["reference"]}})
    assert not alone.equal
    none = {**report.engines, "rtl": report.engines["rtl"].model_copy(update={"compared": 0})}
    assert not report.model_copy(update={"engines": none}).equal


def _text(path: Path) -> None:
    path.write_text("this is no picture")


def _truncated(path: Path) -> None:
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(path, "PNG")
    path.write_bytes(path.read_bytes()[:5000])


@pytest.mark.parametrize(
    ("make", "words"),
    [(None, "there is no picture"), (_text, "is not a picture"), (_truncated, "cannot be read"), (Path.mkdir, "cannot be read")],
)
def test_an_unreadable_picture(
    make: Callable[[Path], None] | None, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "picture.png"
    if make:
        make(path)
    assert invoke(["run", "digits", "--image", str(path), "--out", str(tmp_path / "out")]) == 4
    error = capsys.readouterr().err
    assert words in error
    assert str(path) in error
    assert len(error.splitlines()) == 2
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["nosuch"], 13, "there is no network called 'nosuch'"),
        (["digits", "--configuration", "1x1x1"], 2, "there is no configuration called '1x1x1'"),
        (["digits", "--engines", "reference"], 2, "no engine would be compared"),
        (["digits", "--engines", "reference,gpu"], 2, "there is no engine called 'gpu'"),
        (["digits", "--scene", "9999"], 4, "there is no number 9999"),
        (["digits", "--board", "zu99"], 15, "there is no board called 'zu99'"),
        (["digits", "--weights", "random"], 13, "there are no random numbers for 'digits'"),
        (["codenet-1x-b", "--weights", "random:x"], 13, "'x' is not a seed"),
        (["codenet-1x-b", "--weights", "none.safetensors"], 5, "none.safetensors"),
    ],
)
def test_wrong_requests(arguments: list[str], code: int, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["run", *arguments, "--out", str(tmp_path / "out")]) == code
    error = capsys.readouterr().err
    assert words in error
    assert "Traceback" not in error
    assert not (tmp_path / "out").exists()


def test_a_checkpoint_of_another_network(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = zoo.FOLDER / "digits-w4a8.safetensors"
    assert invoke(["run", "codenet-1x-b", "--weights", str(path), "--out", str(tmp_path / "out")]) == 5
    assert "holds digits-w4a8, not codenet-1x-b" in capsys.readouterr().err


def test_a_damaged_checkpoint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "damaged.safetensors"
    data = bytearray((zoo.FOLDER / "digits-w4a8.safetensors").read_bytes())
    data[-100] ^= 1
    path.write_bytes(data)
    assert invoke(["run", "digits", "--weights", str(path), "--out", str(tmp_path / "out")]) == 5
    assert str(path) in capsys.readouterr().err


def test_unequal_engines_end_with_their_own_code_and_a_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def wrong_judge(engine: str, image: object, result: object, reference: dict[str, np.ndarray]) -> object:
        bent = {name: tensor.copy() for name, tensor in reference.items()}
        bent["add"].flat[7] += 1
        return judge(engine, image, result, bent)  # type: ignore[arg-type]

    monkeypatch.setattr("hao.runtime.session.judge", wrong_judge)
    assert invoke(["run", "digits", "--engines", "csim", "--out", str(tmp_path / "out")]) == 10
    assert "csim differs from the reference: add[" in capsys.readouterr().err
    report = read_report(tmp_path / "out" / "report.json")
    assert not report.engines["csim"].equal
    assert [layer.name for layer in report.layers if not layer.equal] == ["add"]


def test_a_user_picture_is_taken_upright_and_square(tmp_path: Path) -> None:
    pixels = np.zeros((40, 80, 3), np.uint8)
    pixels[:, 20:60] = 200
    path = tmp_path / "wide.png"
    Image.fromarray(pixels).save(path)
    assert read_photo(path).shape == (40, 80, 3)
    assert (middle(read_photo(path), 32, 32) == 200).all()
    turned = Image.fromarray(pixels)
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(tmp_path / "turned.jpg", exif=exif)
    assert read_photo(tmp_path / "turned.jpg").shape == (80, 40, 3)


def test_the_demo_picture_is_the_same_every_time_and_plain_leaves_it_alone() -> None:
    first, again, other = (prepare(None, (256, 256), False, seed) for seed in (1, 1, 2))
    assert (first.pixels == again.pixels).all()
    assert (first.pixels != other.pixels).any()
    plain = prepare(None, (256, 256), True, 1)
    assert plain.caption == DEMO_PHOTO
    assert (first.pixels != plain.pixels).any(axis=2).mean() > 0.02


def test_the_schema_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["schema", "report"]) == 0
    assert json.loads(capsys.readouterr().out) == Report.model_json_schema()
    assert run_module.REPORT == "report.json"
