"""Hessians without matrices: Hutchinson traces with confidence intervals, power iteration with a convergence test.

The Hessian is that of the mean loss over given images by the folded weights of each layer (or by activations), at the
network's present weights, batch normalization in evaluation mode. Sources: HAWQ (arXiv 1905.03696), HAWQ-V2
(arXiv 1911.03852). Classifiers have a few large eigenvalues, which make plain Hutchinson samples vary widely; as in Hutch++
(Meyer et al., arXiv 2010.09649) their span is found by a sketch, its trace is taken exactly, and only the rest is sampled. The
stopping rule is Stein's two-stage procedure (Ann. Math. Stat. 16, 1945): the variance of a pilot alone decides on the width of
the interval, so that stopping early does not bias it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from hao.errors import QuantizationError
from hao.quant.folded import Batches, FoldedNetwork, Loss
from hao.quant.state import Kept, Samples

Progress = Callable[[str, int, int], None]
"""Told of ``(what, done, total)``."""


class Operator(Protocol):
    """The diagonal blocks of a symmetric matrix, by their products with vectors.

    Attributes:
        shapes: of each block's vectors, by the block's name.
        device, dtype: of the vectors.
    """

    @property
    def shapes(self) -> Mapping[str, torch.Size]: ...
    @property
    def device(self) -> torch.device: ...
    @property
    def dtype(self) -> torch.dtype: ...

    def __call__(self, name: str, vectors: Tensor) -> Tensor:
        """Products of block ``name`` with vectors ``(K, *shape)``."""
        ...


class WeightHessian:
    """Hessian by the folded weights, one block a layer.

    Args:
        network: at whose weights.
        batches: images and targets; the loss is averaged over all of them.
        loss: mean loss of a batch.
        layers: names; all layers with weights when left out.
    """

    def __init__(self, network: FoldedNetwork, batches: Batches, loss: Loss, layers: Sequence[str] = ()) -> None:
        if not batches or not sum(len(images) for images, _ in batches):
            raise QuantizationError("a Hessian without images", "give at least one batch")
        self.network, self.batches, self.loss = network, batches, loss
        self.shapes = {name: network.weights[name].shape for name in tuple(layers) or network.layers()}
        first = next(iter(network.weights.values()))
        self.device, self.dtype = first.device, first.dtype
        self.images = sum(len(images) for images, _ in batches)

    def __call__(self, name: str, vectors: Tensor) -> Tensor:
        total = torch.zeros_like(vectors)
        for images, targets in self.batches:
            leaf = self.network.weights[name].clone().requires_grad_()
            value = self.loss(self.network(images, {name: leaf}, smooth=True), targets)
            total += _products(value, leaf, vectors) * (len(images) / self.images)
        return total


class ActivationHessian:
    """Hessian by activations, averaged over images: block diagonal over the batch, so one vector covers all images at once.

    Args:
        network: at whose weights.
        images, targets: one batch.
        loss: mean loss of a batch.
        tensors: names of the activations.
    """

    def __init__(self, network: FoldedNetwork, images: Tensor, targets: Tensor, loss: Loss, tensors: Sequence[str]) -> None:
        self.network, self.images, self.targets, self.loss = network, images, targets, loss
        sizes = {node.name: node.shape for node in network.graph.nodes}
        self.shapes = {name: torch.Size((len(images), *sizes[name])) for name in tensors}
        self.device, self.dtype = images.device, images.dtype

    def __call__(self, name: str, vectors: Tensor) -> Tensor:
        leaf = torch.zeros(self.shapes[name], dtype=self.dtype, device=self.device, requires_grad=True)
        # The mean loss carries 1 / N, and so does its Hessian by one image's activation: the sum over images is the mean.
        return _products(self.loss(self.network(self.images, offsets={name: leaf}, smooth=True), self.targets), leaf, vectors)


def _products(value: Tensor, leaf: Tensor, vectors: Tensor) -> Tensor:
    """Hessian-vector products of scalar ``value`` by ``leaf``; vectors ``(K, *shape)``, one derivative pass each."""
    (gradient,) = torch.autograd.grad(value, leaf, create_graph=True, allow_unused=True)
    if gradient is None or not gradient.requires_grad:
        return torch.zeros_like(vectors)
    rows = [torch.autograd.grad(gradient, leaf, vector, retain_graph=True, allow_unused=True)[0] for vector in vectors]
    return torch.stack([torch.zeros_like(leaf) if row is None else row for row in rows])


@dataclass(frozen=True, slots=True)
class Trace:
    """Estimated trace of one block.

    Attributes:
        name: of the block.
        size: its number of rows, ``n``.
        value: the estimate.
        half_width: of the confidence interval.
        probes: vectors that it took.
        converged: whether the interval is as narrow as asked.
    """

    name: str
    size: int
    value: float
    half_width: float
    probes: int
    converged: bool

    @property
    def average(self) -> float:
        """Mean eigenvalue, ``Tr(H) / n``."""
        return self.value / self.size


@dataclass(frozen=True, slots=True)
class Probing:
    """How traces are estimated.

    Attributes:
        seed: of the probes; probe k depends on ``(seed, k)`` alone.
        tolerance: half-width wanted, relative to the trace.
        confidence: of the interval.
        sketch: dimensions whose trace is taken exactly (at most a quarter of the block); 0 is plain Hutchinson.
        pilot: probes from which the variance is estimated.
        most: probes after which an interval stays as it is.
        chunk: probes between two reports of progress.
    """

    seed: int = 0
    tolerance: float = 0.05
    confidence: float = 0.95
    sketch: int = 12
    pilot: int = 32
    most: int = 1024
    chunk: int = 16


def rademacher(operator: Operator, name: str, seed: int, first: int, count: int) -> Tensor:
    """Probes ``first`` to ``first + count - 1`` of a block: vectors of signs ``(count, *shape)``, the same on every device."""
    index = list(operator.shapes).index(name)
    shape = tuple(operator.shapes[name])
    drawn = [np.random.default_rng([seed, index, k]).integers(0, 2, shape, dtype=np.int8) for k in range(first, first + count)]
    return (torch.from_numpy(np.stack(drawn)) * 2 - 1).to(operator.device, operator.dtype)


def stein(samples: Samples, pilot: int, confidence: float) -> tuple[float, float]:
    """Mean of samples and half-width of its interval by the variance of the first ``pilot``."""
    from scipy import stats

    quantile = float(stats.t.ppf((1 + confidence) / 2, pilot - 1))
    return float(samples.mean()), quantile * float(samples[:pilot].std(ddof=1)) / math.sqrt(len(samples))


class _Block:
    """One block of an operator, split into the span of a sketch and the rest.

    Attributes:
        inside: trace on the span.
        products: what the sketch cost.
    """

    def __init__(self, operator: Operator, name: str, rule: Probing) -> None:
        self.operator, self.name, self.seed = operator, name, rule.seed
        rank = min(rule.sketch, operator.shapes[name].numel() // 4)
        self.inside, self.products, self.basis = 0.0, 2 * rank, None
        if rank:
            # Sketch probes are numbered from the top, so that they are none of the samples'.
            probes = rademacher(operator, name, rule.seed, (1 << 24) - rank, rank)
            basis, _ = torch.linalg.qr(self._checked(operator(name, probes)).flatten(1).double().T)
            self.basis = basis
            images = operator(name, basis.T.to(operator.dtype).reshape(probes.shape)).flatten(1).double()
            self.inside = float((basis.T * images).sum())

    def samples(self, first: int, count: int) -> Samples:
        """Samples of the rest's trace, ``(count,)``."""
        probes = rademacher(self.operator, self.name, self.seed, first, count)
        shape = probes.shape
        if self.basis is not None:
            flat = probes.flatten(1).double()
            probes = (flat - (flat @ self.basis) @ self.basis.T).to(probes.dtype).reshape(shape)
        values: Samples = (probes * self._checked(self.operator(self.name, probes))).flatten(1).double().sum(1).cpu().numpy()
        return values

    def _checked(self, products: Tensor) -> Tensor:
        if not bool(torch.isfinite(products).all()):
            raise QuantizationError(f"the Hessian of layer {self.name!r} is not finite", "its weights or the loss overflow: train it again")
        return products


def hutchinson(
    operator: Operator, probing: Probing | None = None, *, done: Mapping[str, Samples] | None = None,
    save: Callable[[Mapping[str, Samples]], None] | None = None, listen: Progress | None = None,
) -> list[Trace]:  # fmt: skip
    """Trace of every diagonal block.

    Args:
        operator: the matrix.
        probing: settings.
        done: samples by block of an earlier, interrupted call with the same operator and settings: not drawn again.
        save: told of all samples so far after each chunk, to resume from.
        listen: told of progress.

    Raises:
        QuantizationError: a product is not finite; the block is named.
    """
    rule = probing or Probing()
    samples = {name: np.asarray((done or {}).get(name, ()), dtype=np.float64) for name in operator.shapes}
    found = []
    for index, name in enumerate(operator.shapes):
        block = _Block(operator, name, rule)
        wanted, before = rule.pilot, 0
        while wanted > before:
            while len(samples[name]) < wanted:
                fresh = block.samples(len(samples[name]), min(rule.chunk, wanted - len(samples[name])))
                samples[name] = np.concatenate([samples[name], fresh])
                if save:
                    save(samples)
            before, wanted = wanted, _more(samples[name][:wanted], block.inside, rule)
        rest, half = stein(samples[name][:wanted], rule.pilot, rule.confidence)
        value, size = block.inside + rest, operator.shapes[name].numel()
        found.append(Trace(name, size, value, half, wanted + block.products, half <= rule.tolerance * abs(value)))
        if listen:
            listen("traces", index + 1, len(operator.shapes))
    return found


def _more(samples: Samples, inside: float, rule: Probing) -> int:
    """Probes that the interval asks for, at least those at hand."""
    rest, half = stein(samples, rule.pilot, rule.confidence)
    if half == 0.0:
        return len(samples)
    relative = min(half / (rule.tolerance * max(abs(inside + rest), np.finfo(np.float64).tiny)), 1e3)
    return min(max(rule.most, len(samples)), max(len(samples), math.ceil(len(samples) * relative**2)))


@dataclass(frozen=True, slots=True)
class Eigenvalue:
    """Eigenvalue of largest magnitude of one block.

    Attributes:
        name: of the block.
        size: its number of rows.
        value: the Rayleigh quotient.
        residual: ``|H v - value v| / |value|``: an eigenvalue lies within this relative distance.
        iterations: products that it took.
        converged: whether the residual is as small as asked.
    """

    name: str
    size: int
    value: float
    residual: float
    iterations: int
    converged: bool


def power_iteration(
    operator: Operator, *, seed: int = 0, tolerance: float = 1e-3, most: int = 500, listen: Progress | None = None, kept: Kept | None = None
) -> list[Eigenvalue]:
    """Top eigenvalue of every diagonal block.

    Args:
        operator: the matrix.
        seed: of the first vectors.
        tolerance: on the relative residual.
        most: products a block.
        listen: told of progress.
        kept: eigenvalues of an earlier, interrupted call with the same arguments, and where this one's go.

    Raises:
        QuantizationError: a product is not finite; the block is named.
    """
    state = kept.load() if kept else None
    found = [Eigenvalue(**row) for row in state[1]["rows"]] if state else []
    for index, name in enumerate(operator.shapes):
        if index < len(found):
            continue
        start = np.random.default_rng([seed, index]).standard_normal(tuple(operator.shapes[name]))
        vector = torch.from_numpy(start).to(operator.device, operator.dtype)
        found.append(_top(operator, name, vector, tolerance, most))
        if kept and (kept.due() or len(found) == len(operator.shapes)):
            kept.save({}, {"rows": [asdict(row) for row in found]})
        if listen:
            listen("eigenvalues", index + 1, len(operator.shapes))
    return found


def _top(operator: Operator, name: str, vector: Tensor, tolerance: float, most: int) -> Eigenvalue:
    value, residual, steps = 0.0, math.inf, 0
    while steps < most:
        steps += 1
        vector = vector / vector.norm()
        product = operator(name, vector[None])[0]
        value = float((vector * product).sum())
        if not math.isfinite(value):
            raise QuantizationError(f"the Hessian of layer {name!r} is not finite", "its weights or the loss overflow: train it again")
        if not bool(product.any()):
            residual = 0.0
            break
        residual = float((product - value * vector).norm()) / max(abs(value), np.finfo(np.float64).tiny)
        if residual <= tolerance:
            break
        vector = product
    return Eigenvalue(name, vector.numel(), value, residual, steps, residual <= tolerance)


def exact_block(operator: Operator, name: str) -> Tensor:
    """A diagonal block as a matrix ``(n, n)``, by products with unit vectors: for small networks and tests."""
    shape = operator.shapes[name]
    size = shape.numel()
    unit = torch.eye(size, device=operator.device, dtype=operator.dtype).reshape(size, *shape)
    return operator(name, unit).reshape(size, size)
