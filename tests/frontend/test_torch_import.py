"""Reading PyTorch models: structure, fusions, names, and one report of everything unsupported."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from hao.errors import UnsupportedNetwork
from hao.frontend.torch_import import from_torch
from hao.quant.model import QuantModel
from tests.quant.networks import MEANS, images, network


@pytest.mark.parametrize("name", ["codenet", "mobilenet", "spark"])
def test_the_float_graph_computes_what_the_model_computes(name: str) -> None:
    model = network(name)
    mean, std = MEANS[name]
    graph = from_torch(model, images(name, 1), mean=mean, std=std, name=name)
    x = images(name, 2, 3)
    with torch.no_grad():
        wanted, got = model(x), QuantModel(model, graph).eval()(x)
    wanted, got = (values if isinstance(values, tuple) else (values,) for values in (wanted, got))
    assert len(wanted) == len(got)
    for first, second in zip(wanted, got, strict=True):
        torch.testing.assert_close(second.reshape(first.shape), first, rtol=1e-3, atol=1e-3)


def test_codenet_structure() -> None:
    graph = from_torch(network("codenet"), images("codenet", 1), mean=MEANS["codenet"][0], std=MEANS["codenet"][1])
    kinds = [node.kind for node in graph.nodes]
    assert {kind: kinds.count(kind) for kind in ("deform", "shuffle", "concat", "slice", "upsample", "maxpool", "conv")} == {
        "deform": 3, "shuffle": 16, "concat": 16, "slice": 26, "upsample": 3, "maxpool": 1, "conv": 71,
    }  # fmt: skip
    assert graph.outputs == ("hm.6", "wh.6", "reg.6") and not graph.single
    names = [node.name for node in graph.nodes]
    assert len(set(names)) == len(names) and "layer1.0.b2.3" in names
    by_name = {node.name: node for node in graph.nodes}
    assert by_name["layer1.0.b2.3"].norm == "layer1.0.b2.4" and by_name["layer1.0.b2.3"].clip is None
    assert by_name["layer0.0"].clip == (0.0, float("inf"))
    assert by_name["deconv_layers.0.conv_scale"].clip == (-3, 5)
    assert graph.displacements() == {f"deconv_layers.{index}.conv_scale" for index in (0, 4, 8)}


class Shuffles(nn.Module):
    """The three ways in which published ShuffleNets write the shuffle."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 12, 1)
        self.module = nn.ChannelShuffle(2)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.conv(x))
        batch, channels, height, width = x.size()
        x = x.view(batch, 3, channels // 3, height, width).transpose(1, 2).contiguous().view(batch, -1, height, width)
        x = x.reshape(x.shape[0], 2, 6, x.shape[2], x.shape[3]).permute(0, 2, 1, 3, 4).flatten(1, 2)
        first, second = x[:, :5], x[:, 5:]
        return torch.cat((second, self.module(torch.cat([first, second], 1))), 1)


def test_shuffles_and_channel_ranges_are_recognized() -> None:
    model = Shuffles().eval()
    x = torch.rand(2, 3, 4, 5)
    graph = from_torch(model, x, mean=(0, 0, 0), std=(1.0, 1.0, 1.0))
    assert [node.attributes["groups"] for node in graph.nodes if node.kind == "shuffle"] == [3, 2, 2]
    assert [dict(node.attributes) for node in graph.nodes if node.kind == "slice"] == [{"start": 0, "stop": 5}, {"start": 5, "stop": 12}]
    with torch.no_grad():
        torch.testing.assert_close(QuantModel(model, graph).eval()(x), model(x))


class Functions(nn.Module):
    """Functional forms: flattening over a full map, pools, clamps, standalone activations."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 6, 3, padding=1)
        self.linear = nn.Linear(6 * 2 * 2, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.max_pool2d(self.conv(x), 2)
        x = functional.relu(x)
        x = functional.interpolate(functional.avg_pool2d(x, 2), scale_factor=2)
        x = torch.clamp(x + x, 0, 3)
        x = functional.avg_pool2d(x, 2, 2)
        return self.linear(torch.flatten(functional.dropout(x, 0.5, self.training), 1))


def test_functional_forms() -> None:
    model = Functions().eval()
    x = torch.rand(3, 1, 8, 8)
    graph = from_torch(model, x, std=(1.0,))
    by_name = {node.name: node for node in graph.nodes}
    assert by_name["linear"].attributes["kernel"] == 2 and by_name["add"].clip == (0.0, 3.0)
    assert [node.kind for node in graph.nodes].count("requantize") == 1
    with torch.no_grad():
        torch.testing.assert_close(QuantModel(model, graph).eval()(x).flatten(1), model(x))  # type: ignore[union-attr]


class Faulty(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 7)
        self.act = nn.SiLU()
        self.grouped = nn.Conv2d(8, 8, 3, groups=2)
        self.dilated = nn.Conv2d(8, 8, 3, dilation=2)
        self.same = nn.Conv2d(8, 8, 3, padding="same")
        self.padded = nn.AvgPool2d(3, 1, 1)
        self.up = nn.Upsample(scale_factor=2, mode="bilinear")
        self.norm = nn.GroupNorm(2, 8)
        self.back = nn.ConvTranspose2d(8, 8, 2)
        self.table = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        x = self.same(self.dilated(self.grouped(self.act(self.first(x)))))
        x = self.back(self.norm(self.up(self.padded(x))))
        return torch.sigmoid(x * x.mean((2, 3), keepdim=True)) + self.table


def test_one_report_names_every_unsupported_node_and_a_way_out() -> None:
    with pytest.raises(UnsupportedNetwork) as caught:
        from_torch(Faulty(), torch.zeros(1, 3, 32, 32), name="faulty")
    rows = {row.split(":")[0]: row for row in caught.value.nodes}
    assert set(rows) == {"first", "act", "grouped", "dilated", "same", "padded", "up", "norm", "back", "mul", "sigmoid", "table"}
    assert all("nearest supported form: " in row for row in rows.values())
    assert "ReLU6" in rows["act"] and "unpadded" in rows["padded"] and "nearest" in rows["up"]
    assert "12 unsupported nodes" in caught.value.message


class Branching(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x if x.sum() > 0 else -x


def test_control_flow_on_values_is_refused() -> None:
    with pytest.raises(UnsupportedNetwork, match="cannot be traced"):
        from_torch(Branching(), torch.zeros(1, 1, 4, 4))


class PoolFirst(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.pool, self.conv = nn.MaxPool2d(2), nn.Conv2d(3, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(self.pool(x))


def test_the_image_is_read_by_convolutions() -> None:
    with pytest.raises(UnsupportedNetwork) as caught:
        from_torch(PoolFirst(), torch.zeros(1, 3, 8, 8))
    assert caught.value.nodes == ("pool: maxpool reads the image; nearest supported form: a convolution reads the image first",)
    with pytest.raises(UnsupportedNetwork, match="1 unsupported") as caught:
        from_torch(nn.Sequential(nn.Conv2d(3, 4, 1)), torch.zeros(1, 3, 8, 8), mean=(1,))
    assert "means (1,)" in caught.value.nodes[0]


def test_the_model_is_left_as_it_was() -> None:
    model = network("spark").train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    from_torch(model, images("spark", 2))
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
