"""The float network with batch normalization folded: the function whose Hessian and perturbation the methods measure.

Weights are those that the quantizer rounds: normalization folded in with its running statistics (so in evaluation mode),
the image's standard deviation folded into the first layer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from hao.errors import QuantizationError
from hao.frontend.float_graph import FloatGraph, FloatNode
from hao.quant.layers import folded
from hao.quant.walk import deformable, results, walk

Loss = Callable[[Tensor | tuple[Tensor, ...], Tensor], Tensor]
"""Mean loss of a batch from the network's results and the targets."""
Batches = Sequence[tuple[Tensor, Tensor]]
"""Normalized images ``(N, C, H, W)`` with their targets."""


def cross_entropy(outputs: Tensor | tuple[Tensor, ...], targets: Tensor) -> Tensor:
    """Cross entropy of logits ``(N, classes[, 1, 1])`` against labels ``(N,)``, averaged over the batch."""
    logits = outputs if isinstance(outputs, Tensor) else outputs[0]
    return functional.cross_entropy(logits.flatten(1), targets)


class FoldedNetwork(nn.Module):
    """Executes a float graph with folded weights that are leaves of the computation.

    Args:
        source: owner of the parameters; copied from, not changed.
        graph: what the front end read from it.

    Attributes:
        weights, biases: folded, by layer: ``(out, in / groups, k, k)`` and ``(out,)``.

    Raises:
        QuantizationError: a layer has weights that are not finite; it is named.
    """

    std: Tensor

    def __init__(self, source: nn.Module, graph: FloatGraph) -> None:
        super().__init__()
        self.graph = graph
        self.weights: dict[str, Tensor] = {}
        self.biases: dict[str, Tensor] = {}
        nodes = {node.name: node for node in graph.nodes}
        parameter = next(source.parameters())
        self.register_buffer("std", torch.tensor(graph.std, dtype=parameter.dtype, device=parameter.device))
        for node in graph.nodes:
            if node.kind in ("conv", "deform"):
                read = nodes[node.inputs[0]]
                weight, bias = folded(source, node, read.shape[0], self.std if read.kind == "input" else None)
                for label, value in (("weights", weight), ("biases", bias)):
                    if not bool(torch.isfinite(value).all()):
                        raise QuantizationError(
                            f"layer {node.name!r} has {label} that are not finite", "train it again, or repair its batch normalization"
                        )
                self.weights[node.name], self.biases[node.name] = weight.detach().clone(), bias.detach().clone()

    def layers(self) -> tuple[str, ...]:
        """Names of the layers with weights, in graph order."""
        return tuple(self.weights)

    def forward(
        self,
        x: Tensor,
        weights: Mapping[str, Tensor] | None = None,
        offsets: Mapping[str, Tensor] | None = None,
        *,
        smooth: bool = False,
    ) -> Tensor | tuple[Tensor, ...]:
        """Normalized images ``(N, C, H, W)`` to the source's results.

        Args:
            x: images.
            weights: replace the layers' own, by name.
            offsets: added to tensors, by name.
            smooth: displacements are not rounded (for second derivatives), see :func:`hao.quant.walk.deformable`.
        """
        return results(self.graph, self.tensors(x, weights, offsets, smooth=smooth))

    def tensors(
        self,
        x: Tensor,
        weights: Mapping[str, Tensor] | None = None,
        offsets: Mapping[str, Tensor] | None = None,
        *,
        smooth: bool = False,
    ) -> dict[str, Tensor]:
        """Every tensor by name; arguments as in :meth:`forward`."""
        chosen = {**self.weights, **(weights or {})}

        def layer(node: FloatNode, inputs: list[Tensor]) -> Tensor:
            weight, bias = chosen[node.name], self.biases[node.name]
            if node.kind == "deform":
                return deformable(inputs[0], inputs[1], weight, smooth=smooth) + bias[:, None, None]
            attributes = node.attributes
            return functional.conv2d(inputs[0], weight, bias, attributes["stride"], attributes["pad"], groups=attributes["groups"])

        return walk(self.graph, x * self.std[:, None, None], layer, offsets)

    @torch.no_grad()
    def mean_loss(self, batches: Batches, loss: Loss, weights: Mapping[str, Tensor] | None = None) -> float:
        """Loss over all batches, averaged over images."""
        total, count = 0.0, 0
        for images, targets in batches:
            total += float(loss(self(images, weights), targets)) * len(images)
            count += len(images)
        return total / count


def macs(graph: FloatGraph) -> dict[str, int]:
    """Multiply-accumulates of every layer with weights, one image."""
    shapes = {node.name: node.shape for node in graph.nodes}
    found = {}
    for node in graph.nodes:
        if node.kind in ("conv", "deform"):
            per_output = shapes[node.inputs[0]][0] // node.attributes["groups"] * node.attributes["kernel"] ** 2
            found[node.name] = node.shape[0] * node.shape[1] * node.shape[2] * per_output
    return found
