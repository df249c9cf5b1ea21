"""A float graph that owns its layers: what pruning makes of a network, trainable and quantizable like any module."""

from __future__ import annotations

import copy
from dataclasses import replace

import torch
from torch import Tensor, nn

from hao.frontend.float_graph import FloatGraph, FloatNode
from hao.quant.walk import results, walk


class GraphNetwork(nn.Module):
    """Executes a float graph with layers and normalizations of its own; input and results as those of the source.

    Args:
        source: owner of the parameters; copied.
        graph: what the front end read from it.

    Attributes:
        graph: the same graph, whose paths are those of this module.
    """

    std: Tensor

    def __init__(self, source: nn.Module, graph: FloatGraph) -> None:
        super().__init__()
        self.layers, self.norms, self.bounds = nn.ModuleDict(), nn.ModuleDict(), nn.ModuleDict()
        nodes = []
        for node in graph.nodes:
            key = node.name.replace(".", "/")
            module = self._take("layers", key, source, node.module)
            norm = self._take("norms", key, source, node.norm)
            bound = self._take("bounds", key, source, node.displacement)
            nodes.append(replace(node, module=module, norm=norm, displacement=bound))
        self.graph = replace(graph, nodes=tuple(nodes))
        self.register_buffer("std", torch.tensor(graph.std, dtype=torch.float32))

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Normalized images ``(N, C, H, W)`` to the source's results, channels of vectors as ``(N, C, 1, 1)``."""
        return results(self.graph, walk(self.graph, x, self._layer))

    def _take(self, folder: str, key: str, source: nn.Module, path: str) -> str:
        """Copy a module of the source; its new path, empty where there is none."""
        if not path:
            return ""
        self.get_submodule(folder).add_module(key, copy.deepcopy(source.get_submodule(path)))
        return f"{folder}.{key}"

    def _layer(self, node: FloatNode, inputs: list[Tensor]) -> Tensor:
        module = self.get_submodule(node.module)
        first = inputs[0]
        if isinstance(module, nn.Linear):
            kernel = node.attributes["kernel"]
            weight = module.weight.reshape(len(module.weight), first.shape[1], kernel, kernel)
            value = nn.functional.conv2d(first, weight, module.bias)
        else:
            value = module(*inputs)
        if node.norm:
            value = self.get_submodule(node.norm)(value)
        if node.displacement:
            value = self.get_submodule(node.displacement)(value)
        return value
