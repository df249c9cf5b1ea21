"""What ``hao quantize`` writes: the chosen widths, what they cost, and how each layer came to its own."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

VERSION = 1


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class QuantizedLayer(_Strict):
    """One layer with weights.

    Attributes:
        name: of the layer.
        bits: of its weights.
        parameters: number of weights.
        macs: multiply-accumulates of one image.
        sensitivity: by width, in the unit of the method (a loss, or a divergence in nats); empty for uniform widths.
        trace, half_width, probes, converged: of the Hessian, where the method takes it.
        eigenvalue: the largest, where the method takes it.
        weights_db, own_db, total_db: signal to noise of weights, of the layer alone, of the layer in the network; None is infinite.
    """

    name: str
    bits: int
    parameters: int
    macs: int
    sensitivity: dict[int, float] = Field(default_factory=dict)
    trace: float | None = None
    half_width: float | None = None
    probes: int | None = None
    converged: bool | None = None
    eigenvalue: float | None = None
    weights_db: float | None = None
    own_db: float | None = None
    total_db: float | None = None


class QuantizeReport(_Strict):
    """One run.

    Attributes:
        version: of this schema.
        network, digest: name and identity of the integer network.
        method: how widths were chosen.
        loss: whose Hessian or divergence it is.
        images: how many it is measured on; data_free: whether they were distilled from the network itself.
        seed, device: of the run.
        average_bits: over weights.
        size_bytes, bops: of all layers; cycles: sum of the layers' bounds where an engine was given.
        caps: as asked, by name.
        frontier: size in bits of weights and perturbation of every setting on the Pareto frontier, thinned to 200.
        accuracy_percent: of the float network, after calibration, after training, of integers, on held-out labelled images.
        layers: in graph order.
        solve_seconds: of the integer program.
    """

    version: Literal[1] = 1
    network: str
    digest: str
    method: str
    loss: str
    images: int
    data_free: bool
    seed: int
    device: str
    average_bits: float
    size_bytes: float
    bops: int
    cycles: float | None = None
    caps: dict[str, float]
    frontier: list[tuple[int, float]] = Field(default_factory=list)
    accuracy_percent: dict[str, float] = Field(default_factory=dict)
    layers: list[QuantizedLayer]
    solve_seconds: float | None = None
