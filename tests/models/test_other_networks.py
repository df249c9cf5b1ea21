"""MobileNetV2 and the UltraNet-shaped network against their published structure, and as integer networks."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from hao.compiler.compile import compile_in_full
from hao.compiler.executor import Executor
from hao.compiler.timing import schedule
from hao.engine.config import ULTRA96
from hao.engine.isa import Unit
from hao.errors import ModelError
from hao.ir.graph import Add, AvgPool, Conv, Graph
from hao.ir.reference import execute
from hao.ir.types import infer
from hao.models.count import count_macs, count_parameters
from hao.models.mobilenetv2 import InvertedResidual, MobileNetV2
from hao.models.ultranet import UltraNet
from hao.report.layers import macs
from hao.train.untrained import RECIPES, build, pictures, random_network


@pytest.fixture(scope="module")
def ultranet() -> Graph:
    return random_network("ultranet", seed=3)


def graph_macs(graph: Graph) -> int:
    types = infer(graph)
    return sum(macs(node, types[node.name]) for node in graph.nodes)


def test_parameters_are_the_published_numbers() -> None:
    with torch.device("meta"):
        assert count_parameters(MobileNetV2()) == 3_504_872
        assert count_parameters(MobileNetV2(1.4)) == 6_108_776
        assert count_parameters(UltraNet()) == 210_996


def test_multiply_accumulates_are_the_published_numbers() -> None:
    """300.8 million a picture for MobileNetV2 at 224 pixels, 199.5 million for the UltraNet shape at 160 x 320."""
    with torch.device("meta"):
        mobile, ultra = MobileNetV2().eval(), UltraNet().eval()
    assert sum(layer.macs for layer in count_macs(mobile, 224)) == 300_774_272
    layers = count_macs(ultra, (160, 320))
    assert sum(layer.macs for layer in layers) == 199_526_400
    assert (layers[-1].shape, len(layers)) == ((36, 10, 20), 9)


def test_mobilenetv2_has_the_published_layers() -> None:
    with torch.device("meta"):
        network = MobileNetV2()
    names = dict(network.named_modules())
    assert isinstance(names["features.2.conv.1.0"], nn.Conv2d) and names["features.2.conv.1.0"].groups == 96
    assert sum(isinstance(module, nn.Conv2d) for module in names.values()) == 52
    assert sum(isinstance(module, InvertedResidual) and module.residual for module in names.values()) == 10
    with pytest.raises(ModelError):
        MobileNetV2(0.0)


@pytest.mark.nightly
def test_mobilenetv2_as_integers() -> None:
    """Every operator is the engine's, and the work is what the paper counts: 300.8 million multiply-accumulates."""
    graph = random_network("mobilenetv2-1.0")
    assert graph_macs(graph) == 300_774_272
    assert graph.metadata["weights"] == "random"
    kinds = [type(node) for node in graph.nodes]
    assert (kinds.count(Conv), kinds.count(Add), kinds.count(AvgPool)) == (53, 10, 1)
    assert all(node.weight_bits == 8 for node in graph.nodes if isinstance(node, Conv))
    clipped = [node for node in graph.nodes if isinstance(node, Conv) and node.requant.lo == 0]
    assert len(clipped) == 35
    program = compile_in_full(graph, ULTRA96).assembled.program
    timed = schedule(program, ULTRA96)
    assert timed.busy[Unit.DENSE] < timed.total < 760_000


def test_ultranet_as_integers(ultranet: Graph) -> None:
    assert graph_macs(ultranet) == 199_526_400
    types = infer(ultranet)
    assert all(node.weight_bits == 4 for node in ultranet.nodes if isinstance(node, Conv))
    assert all(kind.bits == 4 for name, kind in types.items() if name != "image")


def test_ultranet_compiled_is_exact(ultranet: Graph) -> None:
    done = compile_in_full(ultranet, ULTRA96)
    assert any(segment.rolling for segment in done.plan.segments)
    assert schedule(done.assembled.program, ULTRA96).total < 420_000
    picture = pictures(160, 320, 1, seed=9)[0].numpy()
    image = done.image
    executor = Executor(ULTRA96, image.regions(image.pack_input(picture)), check=True, garbage=1)
    taps = executor.run_image(image.manifest.program_offset, image.manifest.program_count)
    reference = execute(done.graph, picture)
    result = image.trace.compare(taps, reference)
    result.require_equal()
    assert result.compared > 900_000
    # random weights must still pass signals on: a network of zeros would be equal to anything
    for name, tensor in reference.items():
        if name != "image":
            assert len(np.unique(tensor)) >= 8, name


def test_untrained_networks_are_named() -> None:
    assert set(RECIPES) == {"mobilenetv2-1.0", "ultranet"}
    with pytest.raises(ModelError, match="no untrained network"):
        build("resnet")
