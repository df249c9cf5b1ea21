"""Published figures that ``hao bench`` prints beside ours, each with its source."""

from __future__ import annotations

from hao.report.bench import Literature

_TABLE = "Dong et al., CoDeNet, FPGA 2021, table 3, and the README of Zhen-Dong/CoDeNet"
_NOTE = "first layer, channel shuffle and up-sampling on the CPU"
_CODENET = "CoDeNet's accelerator, Ultra96, 250 MHz, W4A8"
_CODENET_RATES = {"codenet-1x-a": 32.2, "codenet-1x-b": 26.9, "codenet-1x-c": 9.3, "codenet-2x-d": 5.2, "codenet-2x-e": 4.6}

LITERATURE: dict[str, tuple[Literature, ...]] = {
    **{
        name: (Literature(frames_per_second=rate, design=_CODENET, source=_TABLE, note=_NOTE),) for name, rate in _CODENET_RATES.items()
    },
    "mobilenetv2-1.0": (
        Literature(
            frames_per_second=43.5,
            design="HAO's template, Ultra96, W8A8, 224 x 224",
            source="Dong et al., HAO, FCCM 2021 (arXiv 2104.12766), tables II and III, as others transcribe them",
        ),
        Literature(
            frames_per_second=50.0,
            design="HAO's searched network, Ultra96, W6/W7 A8, 256 x 256",
            source="Dong et al., HAO, FCCM 2021 (arXiv 2104.12766)",
            note="another network: 72.5 % top-1",
        ),
        Literature(
            frames_per_second=136.2,
            design="AMD DPU B1600, Ultra96, 287 MHz, INT8, one thread",
            source="Vitis AI 1.0 to 1.2, AI-Model-Zoo, Performance on Ultra96",
            note="MobileNetV2 of the Caffe zoo, 0.59 GOP",
        ),
    ),
    "ultranet": (
        Literature(
            frames_per_second=212.7,
            design="UltraNet, Ultra96, W4A4, 160 x 320",
            source="heheda365/ultra_net, ranking of the DAC System Design Contest 2020",
        ),
    ),
}
"""By workload; the sources are read, not run: nothing of it was measured here."""
