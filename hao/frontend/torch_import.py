"""PyTorch modules to float graphs: traced by torch.fx, read node by node, with one report of all that is not supported."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, fx, nn

from hao.errors import UnsupportedNetwork
from hao.frontend.float_graph import FloatGraph, FloatNode
from hao.frontend.lowering import Lowering, Reading
from hao.frontend.rules import network_faults

LEAVES = ("Displacement", "DeformableDepthwise")
"""Classes of the co-designed deformable convolution (:mod:`hao.models.deform`), recognized by name."""


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return type(m).__name__ in LEAVES or super().is_leaf_module(m, module_qualified_name)


class _Recorder(fx.Interpreter):
    """Runs the traced network once and keeps every value: shapes, and the sizes that views are computed from."""

    def __init__(self, module: fx.GraphModule) -> None:
        super().__init__(module)
        self.values: dict[fx.Node, Any] = {}

    def run_node(self, n: fx.Node) -> Any:
        value = super().run_node(n)
        self.values[n] = value.detach() if isinstance(value, Tensor) else value
        return value


def from_torch(
    model: nn.Module, example: Tensor, *, mean: Sequence[int] = (), std: Sequence[float] = (), name: str = "network"
) -> FloatGraph:
    """Read a PyTorch model.

    Args:
        model: stays the owner of the parameters; it is not changed.
        example: an input ``(N, C, H, W)`` of the model, normalized; only its shape matters.
        mean: integer mean per channel on the scale of unsigned bytes (default 0).
        std: standard deviation per channel on that scale (default 255): the model's input is ``(u8 - mean) / std``.
        name: of the network.

    Raises:
        UnsupportedNetwork: one row per unsupported node: its name, why, and the nearest supported form.
    """
    channels = example.shape[1]
    training = model.training
    model.eval()
    try:
        traced = fx.GraphModule(model, _trace(model, name))
        traced.graph.eliminate_dead_code()
        recorder = _Recorder(traced)
        with torch.no_grad():
            recorder.run(example[:1])
    finally:
        model.train(training)
    lowering = Lowering(dict(model.named_modules()), recorder.values)
    results: tuple[str, ...] = ()
    single = True
    for node in traced.graph.nodes:
        if node.op == "output":
            returned = node.args[0]
            single = isinstance(returned, fx.Node)
            results = tuple(_names(lowering, [returned] if single else returned, node))
        else:
            lowering.lower(node)
    means, stds = tuple(mean) or (0,) * channels, tuple(float(value) for value in std) or (255.0,) * channels
    graph = _live(FloatGraph(name, tuple(lowering.nodes.values()), results, single, means, stds))
    faults = [*lowering.faults, *network_faults(graph)]
    if faults:
        raise UnsupportedNetwork(f"{name} has {len(faults)} unsupported nodes", faults, "change the model and import it again")
    return graph


def _trace(model: nn.Module, name: str) -> fx.Graph:
    try:
        return _Tracer().trace(model)
    except (fx.proxy.TraceError, TypeError, ValueError, AttributeError) as error:
        raise UnsupportedNetwork(
            f"{name} cannot be traced: {error}", hint="control flow that depends on values is not supported: write the layers out"
        ) from error


def _names(lowering: Lowering, returned: Any, node: fx.Node) -> list[str]:
    """Names of returned tensors; whatever is no tensor of the graph becomes a fault."""
    names: list[str] = []
    for item in returned if isinstance(returned, list | tuple) else [None]:
        reading = lowering.env.get(item) if isinstance(item, fx.Node) else None
        if isinstance(reading, Reading) and reading.name not in names:
            names.append(reading.name)
        else:
            lowering.fault(node.name, f"returns {item!r}", "a tensor, or a tuple of different tensors")
    return names


def _live(graph: FloatGraph) -> FloatGraph:
    needed = set(graph.outputs)
    kept: list[FloatNode] = []
    for node in reversed(graph.nodes):
        if node.name in needed or node.kind in ("input", "unsupported"):
            kept.append(node)
            needed.update(node.inputs)
    return FloatGraph(graph.name, tuple(reversed(kept)), graph.outputs, graph.single, graph.mean, graph.std)
