"""The supernet: every member's weights are slices, rounding as the quantizer does, training resumed to the last bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from hao.errors import CheckpointError
from hao.frontend.torch_import import from_torch
from hao.models.count import count_macs
from hao.models.searchable import DIGITS, OPERATORS, Architecture, Family, Searchable, macs_of, members, parameters_of, parse
from hao.models.supernet import Supernet, rounded
from hao.nas.corpus import Corpus, Part, digits, pictures_of
from hao.nas.learn import Inherited, Lessons, new_supernet, train_supernet
from hao.search.costed import TRAINED
from hao.search.hardware import graph_of
from hao.search.tabular import read_rows


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    """Tensors this small are computed faster by one thread than handed around."""
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    whole = digits()
    return Corpus("digits", whole.train.taken(slice(0, 256)), whole.valid.taken(slice(0, 100)), whole.test, DIGITS, (0,), (255.0,), 1)


def quiet(what: str, done: int, total: int) -> None:
    """Say nothing."""


@pytest.mark.parametrize("family", [Family(3, 20), pictures_of(20)], ids=["one", "two"])
def test_sizes_are_those_of_the_networks(family: Family) -> None:
    with torch.device("meta"):
        for operator in OPERATORS:
            for width in family.widths:
                member = Architecture(width, (operator, "dense", operator if operator != "none" else "none"), 4)
                counted = sum(parameter.numel() for parameter in Searchable(member, family).parameters())
                assert counted == parameters_of(member, family), member.name


def test_sizes_are_those_of_the_table() -> None:
    for row in read_rows(TRAINED):
        assert (macs_of(parse(row.name)), parameters_of(parse(row.name))) == (row.macs, row.parameters)


@pytest.mark.parametrize(("family", "side"), [(DIGITS, 8), (pictures_of(20), 64)], ids=["digits", "pictures"])
@pytest.mark.parametrize("operator", OPERATORS)
def test_graph_of_the_hardware_half_is_the_networks(operator: str, family: Family, side: int) -> None:
    """What is timed in the loop has the layers and shapes of what is trained."""
    name = operator if operator != "none" else "dense"
    member = parse(f"w16-{operator}-{name}-{name}-b8")
    example = torch.zeros(1, family.channels, side, side)
    read = from_torch(Searchable(member, family), example, std=(255.0,) * family.channels, name=member.name)
    built = graph_of(member, (side, side), family)
    weights = [tuple(node.weight.shape) for node in built.nodes if hasattr(node, "weight")]
    trained = [tuple(m.weight.shape) for m in Searchable(member, family).modules() if isinstance(m, torch.nn.Conv2d | torch.nn.Linear)]
    assert sorted(np.prod(shape) for shape in weights if shape[1:] != (1, 3, 3)) == sorted(
        np.prod(shape) for shape in trained if tuple(shape[1:]) != (1, 3, 3)
    )
    assert len(read.nodes) >= len(built.nodes)
    if family.channels == 3:
        assert macs_of(member, (side, side), family) == sum(layer.macs for layer in count_macs(Searchable(member, family), side))


def test_every_member_is_a_slice() -> None:
    net = new_supernet(digits(), 1)
    for member in members()[::97]:
        for name, value in net.slices(Architecture(member.width, member.blocks, 8)).items():
            whole = dict(net.net.named_parameters())[name]
            assert value.data_ptr() == whole.data_ptr()
            assert torch.equal(value, whole[tuple(slice(0, size) for size in value.shape)])


def test_rounding_keeps_to_the_narrow_grid_and_lets_gradients_through() -> None:
    weight = torch.randn(5, 3, 3, 3, requires_grad=True)
    found = rounded(weight, 4)
    step = weight.detach().flatten(1).abs().amax(1) / 7
    levels = found.detach() / step[:, None, None, None]
    assert torch.allclose(levels, levels.round(), atol=1e-4)
    assert levels.abs().max() <= 7 + 1e-4
    found.sum().backward()  # type: ignore[no-untyped-call]
    assert weight.grad is not None
    assert torch.equal(weight.grad, torch.ones_like(weight))


def test_only_the_chosen_operators_learn() -> None:
    net = Supernet()
    member = parse("w8-sep-none-none-b4")
    net(torch.randn(4, 1, 8, 8), member).sum().backward()
    learned = {name.split(".")[1] for name, p in net.net.named_parameters() if p.grad is not None and name.startswith("before")}
    assert learned == {"sep"}
    stem = dict(net.net.named_parameters())["stem.0.weight"].grad
    assert stem is not None
    assert stem[:8].abs().sum() > 0
    assert stem[8:].abs().sum() == 0


@pytest.mark.parametrize("lessons", [Lessons(6), Lessons(6, batch=64, bfloat16=True, warm=2, rate=2e-3)], ids=["digits", "pictures"])
def test_interrupted_training_ends_at_the_same_bits(corpus: Corpus, tmp_path: Path, lessons: Lessons) -> None:
    through = train_supernet(corpus, lessons, 3, tmp_path / "a", "k", quiet)

    def stop(what: str, done: int, total: int) -> None:
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_supernet(corpus, lessons, 3, tmp_path / "b", "k", stop)
    resumed = train_supernet(corpus, lessons, 3, tmp_path / "b", "k", quiet)
    for (name, one), (_, two) in zip(through.named_parameters(), resumed.named_parameters(), strict=True):
        assert torch.equal(one, two), name
    member = parse("w24-dense-none-none-b8")
    assert Inherited(resumed, corpus).accuracy(member) == Inherited(through, corpus).accuracy(member) > 0
    with pytest.raises(CheckpointError, match="another search"):
        train_supernet(corpus, lessons, 3, tmp_path / "b", "other", quiet)
    (tmp_path / "b").write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match="cannot be used"):
        train_supernet(corpus, lessons, 3, tmp_path / "b", "k", quiet)


def test_parts_join() -> None:
    one = Part(np.zeros((2, 1, 8, 8), np.uint8), np.array([0, 1], np.int64))
    assert len(one.joined(one)) == 4
