"""CoDeNet against the published structure."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from hao.errors import ModelError
from hao.models.codenet import CONFIGS, ChannelShuffle, build
from hao.models.count import count_macs, count_parameters, published_macs
from hao.models.decode import STRIDE

HERE = Path(__file__).parent


def released(width: str) -> dict[str, tuple[int, ...]]:
    table = {}
    for line in (HERE / f"released_{width}.txt").read_text().splitlines():
        if not line.startswith("#"):
            name, shape = line.split()
            table[name] = () if shape == "scalar" else tuple(int(n) for n in shape.split("x"))
    return table


@pytest.mark.parametrize(("name", "count"), [("a", 1_588_031), ("b", 1_588_031), ("c", 1_588_031), ("d", 6_082_427), ("e", 6_082_427)])
def test_parameters_are_the_published_number(name: str, count: int) -> None:
    with torch.device("meta"):
        assert count_parameters(build(name)) == count


@pytest.mark.parametrize(
    ("name", "macs"), [("a", 279_844_352), ("b", 287_806_976), ("c", 1_119_377_408), ("d", 3_507_274_240), ("e", 3_539_124_736)]
)
def test_macs_are_the_count_of_the_published_structure(name: str, macs: int) -> None:
    assert published_macs(name) == macs


def test_macs_of_the_first_layer_by_hand() -> None:
    with torch.device("meta"):
        layers = count_macs(build("b").eval(), 256)
    assert (layers[0].name, layers[0].shape, layers[0].macs) == ("layer0.0", (24, 128, 128), 128 * 128 * 24 * 27)
    assert sum(layer.name.endswith("conv_scale") for layer in layers) == 3


@pytest.mark.parametrize(("width", "config"), [("1x", "a"), ("1x", "b"), ("2x", "d"), ("2x", "e")])
def test_released_checkpoints_load(width: str, config: str) -> None:
    tensors = {
        name: torch.zeros(shape, dtype=torch.int64 if name.endswith("tracked") else torch.float32)
        for name, shape in released(width).items()
    }
    assert len(tensors) == 405
    net = build(config)
    net.load_state_dict(tensors, strict=True)
    assert all(float(parameter.detach().abs().sum()) == 0 for parameter in net.parameters())


@pytest.mark.parametrize("operator", ["deformable", "plain", "full", "depthwise", "bounded", "square"])
def test_every_operator_runs_and_trains(operator: str) -> None:
    torch.manual_seed(0)
    net = build("b", operator=operator)
    heads = net(torch.randn(2, 3, 64, 64))
    assert [tuple(head.shape) for head in heads] == [(2, 20, 16, 16), (2, 2, 16, 16), (2, 2, 16, 16)]
    sum(head.square().mean() for head in heads).backward()
    silent = [name for name, parameter in net.named_parameters() if parameter.grad is None or not parameter.grad.isfinite().all()]
    assert silent == []
    up = [parameter.grad.abs().sum() for name, parameter in net.named_parameters() if "conv_scale.weight" in name]
    assert len(up) == (0 if operator == "plain" else 3)
    assert all(total > 0 for total in up)


def test_output_stride_and_prior() -> None:
    net = build("a").eval()
    with torch.inference_mode():
        heat, _, _ = net(torch.zeros(1, 3, 96, 160))
    assert tuple(heat.shape) == (1, 20, 96 // STRIDE, 160 // STRIDE)
    assert torch.equal(net.hm[-1].bias, torch.full((20,), -2.19))


def test_forced_displacement_equals_the_plain_network() -> None:
    torch.manual_seed(1)
    deformable, plain = build("b").eval(), build("b", operator="plain").eval()
    plain.load_state_dict({k: v for k, v in deformable.state_dict().items() if "conv_scale" not in k}, strict=True)
    image = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        free = deformable(image)
        deformable.force_displacement(1)
        forced, expected = deformable(image), plain(image)
        deformable.force_displacement(None)
        assert not torch.equal(free[0], forced[0])
        assert all(torch.allclose(a, b, atol=1e-4) for a, b in zip(forced, expected, strict=True))
        assert all(torch.equal(a, b) for a, b in zip(deformable(image), free, strict=True))


def test_channel_shuffle_interleaves() -> None:
    channels = torch.arange(6.0).reshape(1, 6, 1, 1)
    assert ChannelShuffle(2)(channels).flatten().tolist() == [0, 3, 1, 4, 2, 5]


def test_unknown_configuration_is_named() -> None:
    with pytest.raises(ModelError, match="'z'"):
        build("z")
    assert sorted(CONFIGS) == ["a", "b", "c", "d", "e"]
