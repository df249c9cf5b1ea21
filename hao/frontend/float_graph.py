"""The float network as HAO sees it: one node a tensor, batch normalization and activations fused into their producers.

Pure data: parameters stay in the PyTorch model, nodes name the modules that own them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal[
    "input", "conv", "deform", "maxpool", "avgpool", "add", "requantize", "concat", "slice", "shuffle", "upsample", "unsupported"
]
MOVING_KINDS: frozenset[str] = frozenset({"maxpool", "concat", "slice", "shuffle", "upsample"})
"""Operators that move values unchanged: their inputs and their result share one scale."""


@dataclass(frozen=True, slots=True)
class FloatNode:
    """One tensor of the float network.

    Attributes:
        name: of the tensor.
        kind: operator.
        inputs: names of the tensors that it reads.
        shape: ``(C, H, W)``.
        module: path of the module with the parameters (``conv`` from Conv2d or Linear, ``deform``), else empty.
        norm: path of the BatchNorm2d that follows the module, else empty.
        clip: bounds of the activation behind it, None where there is none; ``(0, inf)`` is ReLU.
        displacement: path of the module that clips a displacement, on the convolution that predicts it, else empty.
        attributes: ``kernel``, ``stride``, ``pad``, ``groups`` of convolutions and pools (kernel 0: global), ``start``
            and ``stop`` of slices, ``groups`` of shuffles.
    """

    name: str
    kind: Kind
    inputs: tuple[str, ...]
    shape: tuple[int, int, int]
    module: str = ""
    norm: str = ""
    clip: tuple[float, float] | None = None
    displacement: str = ""
    attributes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FloatGraph:
    """A float network: nodes in topological order.

    Attributes:
        name: of the network.
        nodes: the first is the image.
        outputs: names of the results, in the order of the model's own.
        single: the model returns one tensor and no tuple.
        mean, std: the model's input is ``(u8 - mean) / std``, a value per channel; means are integers.
    """

    name: str
    nodes: tuple[FloatNode, ...]
    outputs: tuple[str, ...]
    single: bool
    mean: tuple[int, ...]
    std: tuple[float, ...]

    def users(self) -> Mapping[str, tuple[FloatNode, ...]]:
        """The nodes that read each tensor."""
        found: dict[str, tuple[FloatNode, ...]] = {node.name: () for node in self.nodes}
        for node in self.nodes:
            for name in dict.fromkeys(node.inputs):
                found[name] += (node,)
        return found

    def displacements(self) -> frozenset[str]:
        """Names of the tensors that deformable convolutions take as displacements."""
        return frozenset(node.inputs[1] for node in self.nodes if node.kind == "deform")

    def metadata(self) -> dict[str, Any]:
        """What a host needs to feed the network: the means and standard deviations of the image."""
        return {"mean": list(self.mean), "std": list(self.std)}
