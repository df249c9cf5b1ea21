"""How pictures and weights come to a training: views, weights of the supernet, bfloat16 where it is asked for and nowhere else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from hao.cli.nas import Options, usual
from hao.errors import TrainingError
from hao.models.searchable import Architecture, Family, Searchable, parse
from hao.nas import finalists, learn
from hao.nas.corpus import Corpus, Part, pictures_of
from hao.nas.finalists import Setting, trained
from hao.nas.learn import Inherited, Lessons, new_supernet, train_alone, train_supernet
from hao.nas.ledger import Ledger
from hao.nas.loop import floor_of
from hao.quant.model import QuantModel

MEMBER = parse("w16-none-sep-none-b4")


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def drawn(family: Family, side: int, count: int, views: int) -> Corpus:
    rng = np.random.default_rng(3)
    images = rng.integers(0, 256, (count, family.channels, side, side), np.uint8)
    part = Part(images, rng.integers(0, family.classes, count))
    return Corpus("drawn", part, part, part, family, (0,) * family.channels, (255.0,) * family.channels, 0, views)


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return drawn(pictures_of(4), 64, 16, 8)


def quiet(what: str, done: int, total: int) -> None:
    """Say nothing."""


@pytest.mark.parametrize("views", [1, 2, 8])
def test_views_are_all_drawn_and_no_others(views: int) -> None:
    picture = torch.arange(12.0).reshape(1, 1, 3, 4)[..., :3]
    every = {}
    for mirrored in (False, True)[:views]:
        for turns in range(4 if views == 8 else 1):
            every[(turns, mirrored)] = torch.rot90(picture.flip(3) if mirrored else picture, turns, (2, 3))
    generator = torch.Generator().manual_seed(1)
    state = generator.get_state()
    seen = [learn._turned(picture, views, generator) for _ in range(200)]
    for view in every.values():
        assert any(torch.equal(view, each) for each in seen)
    assert all(any(torch.equal(view, each) for view in every.values()) for each in seen)
    assert torch.equal(generator.get_state(), state) == (views == 1), "one view costs no draw: the digits' training keeps its bits"


def test_finalists_begin_with_the_supernets_weights_if_they_are_to(corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inherited, begun = Inherited(new_supernet(corpus, 1), corpus), list[Searchable | None]()

    def stop(*rest: object) -> None:
        assert rest[-1] is None or isinstance(rest[-1], Searchable)
        begun.append(rest[-1])
        raise TrainingError("enough", "nothing")

    monkeypatch.setattr(finalists, "train_alone", stop)
    for inherit in (False, True):
        setting = Setting(corpus, None, "", tmp_path, Lessons(1, 1, 1, 8, inherit=inherit), 1)  # type: ignore[arg-type]
        with pytest.raises(TrainingError, match="enough"):
            trained(MEMBER, setting, Ledger(tmp_path / "trained.jsonl"), inherited)
    nothing, network = begun
    assert nothing is None
    assert network is not None
    slices = inherited._net.slices(MEMBER)
    assert all(torch.equal(value, slices[name]) for name, value in network.named_parameters())


def test_what_it_begins_with_is_what_is_trained(corpus: Corpus) -> None:
    lessons, network = Lessons(1, 0, 0, 8), Searchable(MEMBER, corpus.family)
    with torch.no_grad():
        network.linear.bias.copy_(torch.arange(4.0))
    model, _ = train_alone(MEMBER, corpus, corpus.train, lessons, 1, "cpu", network)
    biases = [each for each in model.parameters() if each.shape == (4,)]
    assert any(torch.equal(each.detach(), torch.arange(4.0)) for each in biases)


def test_bfloat16_is_of_float_training_alone(corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = list[tuple[bool, torch.dtype]]()
    loss = learn._loss

    def watched(logits: Tensor, labels: Tensor, where: str) -> Tensor:
        seen.append(("supernet" in where, logits.dtype))
        return loss(logits, labels, where)

    forward, cast = QuantModel.forward, set[bool]()

    def quantized(self: QuantModel, x: Tensor) -> Tensor:
        cast.add(torch.is_autocast_enabled("cpu"))
        return forward(self, x)

    monkeypatch.setattr(learn, "_loss", watched)
    monkeypatch.setattr(QuantModel, "forward", quantized)
    for bfloat16, dtype in ((True, torch.bfloat16), (False, torch.float32)):
        lessons = Lessons(1, 1, 1, 8, bfloat16)
        train_supernet(corpus, lessons, 1, tmp_path / f"{bfloat16}.safetensors", "key", quiet)
        assert [kind for supernet, kind in seen if supernet] == [dtype] * 8
        train_alone(MEMBER, corpus, corpus.train, lessons, 1)
        assert [kind for supernet, kind in seen if not supernet] == [dtype] * 2 + [torch.float32] * 2, "two steps each"
        assert cast == {False}, "what is rounded to eight bits of significand trains other grids than the integers'"
        seen.clear()


def test_a_picture_passes_every_kind_of_block() -> None:
    family = pictures_of(5)
    frames = torch.rand(2, 3, 64, 64)
    for operator in ("dense5", "wide", "shuffle", "deform"):
        network = Searchable(Architecture(48, (operator, operator, "none"), 8), family).eval()
        sizes = list[tuple[int, ...]]()
        for each in (network.stem[0], network.stem[3], network.before, network.widen):
            module = each[operator] if isinstance(each, nn.ModuleDict) else each
            module.register_forward_hook(lambda _m, _i, out, into=sizes: into.append(tuple(out.shape[1:])))
        assert network(frames).shape == (2, 5)
        assert sizes == [(24, 32, 32), (48, 16, 16), (48, 16, 16), (96, 8, 8)]


def test_floor_is_five_times_chance_and_at_most_half() -> None:
    assert [floor_of(classes) for classes in (2, 10, 20, 1000)] == [50.0, 50.0, 25.0, 0.5]


def test_what_is_usual_depends_on_the_task() -> None:
    assert usual("digits") == Options("digits")
    pictures = usual("folder/of/mine")
    assert (pictures.task, pictures.inherit, pictures.bfloat16) == ("folder/of/mine", True, True)
    assert replace(pictures, task="shapes64") == usual("shapes64")
