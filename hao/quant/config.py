"""What to quantize to how many bits, and how ranges are found."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class QuantConfig(BaseModel):
    """Settings of one quantization.

    Attributes:
        weight_bits: of all layers but those below.
        edge_bits: weight bits of the layers that read the image or produce an output.
        overrides: weight bits by the name of the layer; wins over the two above.
        activation_bits: 8, or 4 where the search asks for it.
        percentile: share of the values of a batch that a range covers, percent; 100 is the extremes.
        activation_range: ``max`` covers all values (or ``percentile`` of them); ``mse`` clips where that lowers the squared
            error of the calibration data.
        momentum: of the exponential moving average of ranges during training; in calibration a range covers all batches.
        weight_range: ``max`` covers the largest weight of a channel, ``mse`` clips where that lowers the squared error.
        bias_correction: shift biases in calibration so that quantized layers keep their mean.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    weight_bits: int = Field(default=4, ge=2, le=8)
    edge_bits: int = Field(default=8, ge=2, le=8)
    overrides: dict[str, int] = Field(default_factory=dict)
    activation_bits: Literal[4, 8] = 8
    percentile: float = Field(default=100.0, gt=50.0, le=100.0)
    activation_range: Literal["max", "mse"] = "max"
    momentum: float = Field(default=0.99, ge=0.0, lt=1.0)
    weight_range: Literal["max", "mse"] = "mse"
    bias_correction: bool = True
