"""The same numbers on a GPU as on the CPU, within stated bounds; the same code on a device that refuses what a GPU refuses, everywhere.

Bounds are those of float32 sums in another order: 1e-3 relative for traces, eigenvalues and divergences, 1e-5 for ranges.
Integers are equal.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from hao.cli.main import invoke
from hao.frontend.torch_import import from_torch
from hao.ir.serialize import load_graph, network_digest
from hao.quant.allocate import Caps
from hao.quant.calibrate import calibrate
from hao.quant.choose import METHODS, Question, choose_widths, with_targets
from hao.quant.config import QuantConfig
from hao.quant.device import settle
from hao.quant.distill import Distilling, distilled_images
from hao.quant.export import IntegerTwin, image_bytes, to_integer
from hao.quant.folded import FoldedNetwork
from hao.quant.hessian import Probing, WeightHessian, hutchinson, power_iteration
from hao.quant.model import QuantModel
from hao.quant.prune import channel_traces, hessian_scores, index_sets, plan_pruning
from hao.quant.sensitivity import kl_sensitivities, squared_errors
from hao.quant.sqnr import sqnr
from hao.quant.stages import fine_tune_in_order
from hao.quant.surgery import pruned_network
from tests.cli.test_quantize import small
from tests.quant.elsewhere import TwoDevices, elsewhere
from tests.quant.networks import MEANS, images, network

torch.set_num_threads(1)
GPU = ("cuda",) if torch.cuda.is_available() else ()
NETWORKS = ("spark", *(("mobilenet",) if GPU else ()))
pytestmark = pytest.mark.filterwarnings("ignore:.*deterministic")  # what a GPU cannot repeat is said by PyTorch, operator by operator


@pytest.fixture(params=["elsewhere", *GPU])
def device(request: pytest.FixtureRequest) -> Iterator[torch.device]:
    """A GPU, or the device that stands for one."""
    if request.param == "elsewhere":
        with elsewhere() as found:
            yield found
    else:
        yield settle(request.param)


class Case:
    """A network on one device."""

    def __init__(self, name: str, device: torch.device) -> None:
        mean, std = MEANS[name]
        self.network, self.images = network(name).to(device), images(name, 8).to(device)
        self.graph = from_torch(self.network, self.images[:1], mean=mean, std=std or (255.0,))
        self.folded = FoldedNetwork(self.network, self.graph)
        batches, loss = with_targets(self.folded, self.images, torch.arange(8, device=device) % 5)
        self.operator = WeightHessian(self.folded, batches, loss)

    def quantized(self, **settings: object) -> QuantModel:
        """Calibrated."""
        config = QuantConfig.model_validate({"weight_bits": 3, **settings})
        return calibrate(QuantModel(copy.deepcopy(self.network), self.graph, config), [self.images])


def pair(name: str, device: torch.device) -> tuple[Case, Case]:
    return Case(name, torch.device("cpu")), Case(name, device)


def numbers(value: Tensor) -> Tensor:
    return value.detach().cpu()


@pytest.mark.parametrize("name", NETWORKS)
def test_sensitivities(name: str, device: torch.device) -> None:
    cpu, gpu = pair(name, device)
    rule = Probing(sketch=2, pilot=4, most=4)
    for one, other in zip(hutchinson(cpu.operator, rule), hutchinson(gpu.operator, rule), strict=True):
        assert other.value == pytest.approx(one.value, rel=1e-3, abs=1e-3 * abs(one.half_width))
    for one, other in zip(power_iteration(cpu.operator, most=3), power_iteration(gpu.operator, most=3), strict=True):
        assert other.value == pytest.approx(one.value, rel=1e-3)
    tables = [(squared_errors(case.folded), kl_sensitivities(case.folded, [case.images])) for case in (cpu, gpu)]
    for here, there in zip(*tables, strict=True):
        for layer, row in here.items():
            assert there[layer] == pytest.approx(row, rel=1e-3, abs=1e-7)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("settings", [{}, {"activation_range": "mse", "percentile": 99.0}], ids=["max", "mse"])
def test_calibration(name: str, settings: dict[str, object], device: torch.device) -> None:
    cpu, gpu = pair(name, device)
    here, there = cpu.quantized(**settings), gpu.quantized(**settings)
    assert all(value.device == gpu.images.device for value in there.buffers())
    for tensor in here.range_of:
        assert float(there.range(tensor).scale) == pytest.approx(float(here.range(tensor).scale), rel=1e-5)
    for node in here.graph.nodes:
        if node.name in here.bits:
            same = here.integers_of(node).weight == numbers(there.integers_of(node).weight)
            assert float(same.double().mean()) >= 0.999
    for one, other in zip(sqnr(here, cpu.images), sqnr(there, gpu.images), strict=True):
        assert other.own == pytest.approx(one.own, abs=0.5)


@pytest.mark.parametrize("name", NETWORKS)
def test_integers_are_equal(name: str, device: torch.device) -> None:
    """One network calibrated on the CPU and moved: every integer of every tensor."""
    cpu, gpu = pair(name, device)
    model = cpu.quantized()
    pixels = image_bytes(cpu.images, model.mean, model.std)
    here = IntegerTwin(model).network(pixels)
    there = IntegerTwin(model.to(device)).network(pixels.to(device))
    assert here.keys() == there.keys()
    for tensor, value in here.items():
        assert there[tensor].device == gpu.images.device and torch.equal(value, numbers(there[tensor])), tensor


@pytest.mark.parametrize("name", NETWORKS)
def test_training_on(name: str, device: torch.device) -> None:
    """Gradients of one step point the same way; stages with training reach integers."""
    gradients = []
    for case in pair(name, device):
        model = case.quantized(weight_bits=8).train()
        model.observing = False
        model(case.images).square().mean().backward()
        gradients.append(torch.cat([numbers(each.grad).flatten() for each in model.parameters() if each.grad is not None]))
    assert float(torch.cosine_similarity(*gradients, dim=0)) > 0.999
    model = Case(name, device).quantized()

    def train(current: QuantModel, _layer: str) -> None:
        optimizer = torch.optim.Adam(current.parameters(), 1e-3)
        current.train()(images(name, 4, 9).to(device)).square().mean().backward()
        optimizer.step()

    fine_tune_in_order(model, list(model.bits), train)
    assert len(to_integer(model).nodes) == len(model.graph.nodes)


@pytest.mark.parametrize("name", NETWORKS)
def test_distilling_and_pruning(name: str, device: torch.device) -> None:
    cpu, gpu = pair(name, device)
    drawn = [distilled_images(case.network, case.graph, Distilling(count=4, iterations=4)) for case in (cpu, gpu)]
    assert drawn[1].device == gpu.images.device
    assert float((drawn[0] - numbers(drawn[1])).abs().mean()) < 0.01 * float(drawn[0].std())
    results = []
    for case in (cpu, gpu):
        sets = index_sets(case.graph)
        scores = hessian_scores(case.folded, channel_traces(case.operator, 0, 8))
        small = pruned_network(case.network, case.graph, sets, plan_pruning(case.graph, sets, scores, 0.3, implants=0.3)).eval()
        results.append(numbers(small(case.images)))  # type: ignore[arg-type]
        assert calibrate(QuantModel(small, small.graph), [case.images])(case.images).device == case.images.device  # type: ignore[union-attr]
    torch.testing.assert_close(results[1], results[0], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("method", METHODS if GPU else [each for each in METHODS if each != "hawq"])  # a minute on the stand-in
def test_every_method(method: str, device: torch.device, tmp_path: Path) -> None:
    chosen = []
    for case in pair("spark", device):
        size = sum(weight.numel() for weight in case.folded.weights.values())
        question = Question(method, (2, 4, 8), Caps(size=4.0 * size), probing=Probing(pilot=2, most=2, sketch=1))
        chosen.append(choose_widths(case.folded, case.images, None, question, work=tmp_path / case.images.device.type))
    assert chosen[0].bits == chosen[1].bits


def test_command_line_twice_the_same(device: torch.device, tmp_path: Path) -> None:
    digests = []
    for turn in range(2):
        out = tmp_path / f"{turn}.safetensors"
        options = ["--shape", "1,8,8", "--data-free", "--iterations", "4", "--method", "zeroq", "--average-bits", "4"]
        options += ["--device", str(device), "--work", str(tmp_path / str(turn)), "--out", str(out)]
        assert invoke(["quantize", f"{small.__module__}:small", *options]) == 0
        digests.append(network_digest(load_graph(out)))
    assert digests[0] == digests[1]


def test_the_stand_in_refuses_what_a_gpu_refuses() -> None:
    with elsewhere() as device:
        away = torch.ones(3).to(device)
        for fault in (lambda: away + torch.ones(3), lambda: nn.Linear(3, 2)(away)):
            with pytest.raises(TwoDevices):
                fault()
        with pytest.raises((RuntimeError, TypeError)):
            away.numpy()
        assert (away * torch.tensor(2.0)).device == device and (away * 2).cpu().tolist() == [2.0] * 3
