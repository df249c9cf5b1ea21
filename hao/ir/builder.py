"""Builds integer networks of given structure with random numbers whose values are spread sensibly.

For tests, benchmarks and for networks whose topology matters before their training does. Every tensor is computed on one
random image while the graph grows, so that requantization scales fit the values that really occur: outputs fill their
type and few of them saturate.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from hao.ir.dyadic import SCALE_MAX, SCALE_MIN, dyadic, dyadic_pair
from hao.ir.graph import (
    Add,
    AvgPool,
    Concat,
    Conv,
    DeformConv,
    Graph,
    Input,
    IntArray,
    MaxPool,
    Node,
    Requant,
    Requantize,
    Shape,
    Shuffle,
    Slice,
    TensorType,
    Upsample,
)
from hao.ir.reference import Tensor, compute
from hao.ir.types import infer

_SPREAD = 2.5
"""Standard deviations between zero and the end of a result's type."""


class RandomBuilder:
    """Grows a graph node by node; every method returns the name of the tensor that it adds.

    Attributes:
        rng: source of all random numbers.
        nodes: what has been added.
        types: type of every tensor so far.
        values: value of every tensor so far on the builder's random image.
    """

    def __init__(self, rng: np.random.Generator, shape: Shape, mean: Sequence[int], name: str = "image") -> None:
        self.rng = rng
        self.nodes: list[Node] = []
        self.types: dict[str, TensorType] = {}
        self.values: dict[str, Tensor] = {}
        self._image = random_image(shape, rng)
        self._add(Input(name, (), shape, tuple(mean)))

    def graph(self, name: str, outputs: Sequence[str], metadata: dict[str, Any] | None = None) -> Graph:
        """The finished graph; nodes that no output needs are left out."""
        needed = set(outputs)
        for node in reversed(self.nodes):
            if node.name in needed:
                needed.update(node.inputs)
        return Graph(name, tuple(node for node in self.nodes if node.name in needed), tuple(outputs), metadata or {})

    def conv(
        self,
        name: str,
        source: str,
        out: int,
        kernel: int = 1,
        *,
        stride: int = 1,
        pad: int = 0,
        weight_bits: int = 4,
        signed: bool = False,
        like: str | None = None,
    ) -> str:
        """Dense convolution; ``signed`` without ReLU, else with it; ``like`` a tensor whose type the result shares."""
        signed = self.types[like].signed if like else signed
        weight = self._weights((out, self.types[source].shape[0], kernel, kernel), weight_bits)
        return self._add(Conv(name, (source,), weight, weight_bits, self._requant(weight, source, signed), stride, pad, 1))

    def depthwise(
        self, name: str, source: str, kernel: int = 3, *, stride: int = 1, pad: int = 1, weight_bits: int = 4, signed: bool = True
    ) -> str:
        """Depthwise convolution; ``signed`` without ReLU, else with it."""
        channels = self.types[source].shape[0]
        weight = self._weights((channels, 1, kernel, kernel), weight_bits)
        return self._add(Conv(name, (source,), weight, weight_bits, self._requant(weight, source, signed), stride, pad, channels))

    def deform(
        self,
        name: str,
        source: str,
        d_range: tuple[int, int],
        *,
        weight_bits: int = 4,
        signed: bool = True,
        displacement: str | None = None,
    ) -> str:
        """Deformable convolution by ``displacement``, or by a 1x1 convolution ``name.scale`` clipped to ``d_range``."""
        step = displacement or self._displacement(f"{name}.scale", source, d_range, weight_bits)
        weight = self._weights((self.types[source].shape[0], 1, 3, 3), weight_bits)
        return self._add(DeformConv(name, (source, step), weight, weight_bits, self._requant(weight, source, signed)))

    def _displacement(self, name: str, source: str, d_range: tuple[int, int], weight_bits: int) -> str:
        low, high = d_range
        matrix = self._weights((1, self.types[source].shape[0], 1, 1), weight_bits)
        sums = np.tensordot(matrix[0, :, 0, 0], self.values[source].astype(np.int64), 1)
        spread = sums.std() if sums.std() > 1 else self._deviation(matrix, source)[0]
        # The middle of the range plus about a third of it to either side: every displacement occurs, some are clipped.
        multiplier, shift = dyadic(np.clip(np.array([max((high - low) / 3, 0.4)]) / spread, SCALE_MIN, SCALE_MAX))
        bias = np.rint((low + high) / 2 * np.exp2(shift) / multiplier - sums.mean()).astype(np.int64)
        rule = Requant(np.clip(bias, -(1 << 25), 1 << 25), multiplier, shift, low, high, 8, True)
        return self._add(Conv(name, (source,), matrix, weight_bits, rule, scale=1.0))

    def max_pool(self, name: str, source: str, kernel: int, stride: int, pad: int = 0) -> str:
        """Max pooling."""
        return self._add(MaxPool(name, (source,), kernel, stride, pad))

    def avg_pool(self, name: str, source: str, kernel: int = 0, stride: int = 1) -> str:
        """Average pooling with a random gain of one to two; ``kernel`` 0 is global."""
        _, height, width = self.types[source].shape
        pixels = kernel * kernel if kernel else height * width
        multiplier, shift = dyadic(float(self.rng.uniform(1.0, 1.9)) / pixels)
        kind = self.types[source]
        return self._add(
            AvgPool(
                name, (source,), kernel, stride, int(multiplier), int(shift), kind.minimum, kind.maximum, signed=kind.signed, bits=kind.bits
            )
        )

    def add(self, name: str, first: str, second: str, *, relu: bool = False) -> str:
        """Residual add of two tensors of one shape with random weights."""
        signed = not relu and (self.types[first].signed or self.types[second].signed)
        m1, m2, shift = dyadic_pair(float(self.rng.uniform(0.5, 1.0)), float(self.rng.uniform(0.2, 1.0)))
        kind = TensorType((1, 1, 1), 8, signed)
        return self._add(Add(name, (first, second), m1, m2, shift, kind.minimum, kind.maximum, 8, signed))

    def requantize(self, name: str, source: str, *, signed: bool) -> str:
        """Change of scale, and of sign where asked."""
        multiplier, shift = dyadic(float(self.rng.uniform(0.4, 1.2)))
        kind = TensorType((1, 1, 1), 8, signed)
        return self._add(Requantize(name, (source,), int(multiplier), int(shift), kind.minimum, kind.maximum, 8, signed))

    def concat(self, name: str, sources: Sequence[str]) -> str:
        """Channels one behind another."""
        return self._add(Concat(name, tuple(sources)))

    def split(self, name: str, source: str, at: int) -> tuple[str, str]:
        """Channels below ``at``, and the others."""
        channels = self.types[source].shape[0]
        return self._add(Slice(f"{name}.0", (source,), 0, at)), self._add(Slice(f"{name}.1", (source,), at, channels))

    def shuffle(self, name: str, source: str, groups: int = 2) -> str:
        """Channel shuffle."""
        return self._add(Shuffle(name, (source,), groups))

    def upsample(self, name: str, source: str) -> str:
        """Nearest up-sampling by two."""
        return self._add(Upsample(name, (source,)))

    def _add(self, node: Node) -> str:
        self.types = infer(Graph("", (node,), ()), self.types)
        self.values[node.name] = compute(node, [self.values[name] for name in node.inputs], self._image)
        self.nodes.append(node)
        return node.name

    def _weights(self, shape: tuple[int, ...], bits: int) -> IntArray:
        largest = (1 << (bits - 1)) - 1
        return self.rng.integers(-largest, largest, shape, dtype=np.int64, endpoint=True)

    def _deviation(self, weight: IntArray, source: str) -> npt.NDArray[np.float64]:
        """Expected root mean square of the accumulator per output channel; at least 1."""
        values = self.values[source].astype(np.float64)
        squares = np.sqrt((weight.reshape(len(weight), -1).astype(np.float64) ** 2).sum(axis=1))
        deviation: npt.NDArray[np.float64] = np.maximum(squares * np.sqrt((values**2).mean()), 1.0)
        return deviation

    def _requant(self, weight: IntArray, source: str, signed: bool) -> Requant:
        kind = TensorType((1, 1, 1), 8, signed)
        spread = self._deviation(weight, source)
        gain = self.rng.uniform(0.8, 1.25, len(weight))
        multiplier, shift = dyadic(np.clip(gain * kind.maximum / _SPREAD / spread, SCALE_MIN, SCALE_MAX))
        bias = np.rint(self.rng.normal(0.1, 0.3, len(weight)) * spread).astype(np.int64)
        return Requant(bias, multiplier, shift, kind.minimum, kind.maximum, 8, signed)


def random_image(shape: Shape, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Random bytes with the extremes 0 and 255 over-represented; shape ``(C, H, W)``."""
    image = rng.integers(0, 256, shape, dtype=np.uint8)
    extreme = rng.random(shape)
    image[extreme < 0.05] = 0
    image[extreme > 0.95] = 255
    return image
