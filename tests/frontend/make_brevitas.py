"""Trains and exports ``brevitas_small.onnx``: python -m tests.frontend.make_brevitas (brevitas 0.13.4, in no extra of HAO)."""

from __future__ import annotations

import sys

import torch
from torch import nn


def main(path: str) -> None:
    """Ten steps of quantization-aware training on noise; then QONNX."""
    import brevitas.nn as qnn
    from brevitas.export import export_qonnx
    from brevitas.quant import Int8ActPerTensorFloat, Int8WeightPerChannelFloat, Uint8ActPerTensorFloat

    torch.manual_seed(0)
    weights = {"weight_quant": Int8WeightPerChannelFloat, "weight_bit_width": 4}
    results = {"act_quant": Uint8ActPerTensorFloat, "return_quant_tensor": True}
    net = nn.Sequential(
        qnn.QuantIdentity(**results),
        qnn.QuantConv2d(1, 8, 3, padding=1, bias=False, **weights),
        nn.BatchNorm2d(8),
        qnn.QuantReLU(**results),
        qnn.QuantConv2d(8, 8, 3, padding=1, groups=8, bias=False, **weights),
        nn.BatchNorm2d(8),
        qnn.QuantReLU(**results),
        nn.MaxPool2d(2),
        nn.Flatten(),
        qnn.QuantLinear(8 * 16, 10, bias=True, weight_quant=Int8WeightPerChannelFloat, weight_bit_width=8),
        qnn.QuantIdentity(act_quant=Int8ActPerTensorFloat),
    )
    x = torch.rand(64, 1, 8, 8)
    y = (x.mean((1, 2, 3)) * 200).long() % 10
    optimizer = torch.optim.Adam(net.parameters(), 1e-2)
    for _ in range(10):
        optimizer.zero_grad()
        out = net(x)
        nn.functional.cross_entropy(getattr(out, "value", out), y).backward()
        optimizer.step()
    export_qonnx(net.eval(), args=torch.rand(1, 1, 8, 8), export_path=path)


if __name__ == "__main__":
    main(sys.argv[1])
