"""Reads the synthesis report of Vitis HLS back: what it estimates of the kernel, before any placement."""

from __future__ import annotations

from pathlib import Path
from typing import Literal
from xml.etree import ElementTree

from pydantic import BaseModel, ConfigDict

from hao.errors import VendorToolError

REPORT = "hao_kernel_csynth.xml"
FOLDER = "hao_hls"
"""Folder that both flows work in, inside the project."""


class HlsEstimate(BaseModel):
    """What Vitis HLS expects of the kernel: resources, and the clock that it reaches beside the one asked for, in ns."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    tool: str
    lut: int
    ff: int
    dsp: int
    bram36: float
    uram: int
    clock_ns: float
    target_ns: float


def is_hls_project(folder: Path) -> bool:
    """Whether the HLS tool has worked in ``folder``."""
    return (folder / FOLDER).is_dir()


def _number(root: ElementTree.Element, *names: str) -> float:
    """The first of the elements ``names`` as a number.

    Raises:
        ValueError: none is there, or it holds none.
    """
    text = next((found for name in names if (found := root.findtext(f".//{name}")) is not None), None)
    if text is None:
        raise ValueError(f"it holds no {names[0]}")
    return float(text)


def read_hls_report(project: Path) -> HlsEstimate:
    """The estimate of the kernel built in ``project``.

    Raises:
        VendorToolError: there is no report, or it is none that this version reads.
    """
    path = next(iter(sorted((project / FOLDER).rglob(REPORT))), None)
    if path is None:
        message = f"there is no {REPORT} in {project / FOLDER}"
        raise VendorToolError(message, "hao bitstream --target vitis-hls writes it; was the build finished?")
    try:
        root = ElementTree.parse(path).getroot()
        area = root.find(".//AreaEstimates/Resources")
        if area is None:
            raise ValueError("it holds no AreaEstimates")
        return HlsEstimate(
            tool=f"Vitis HLS {root.findtext('.//ReportVersion/Version') or 'of unknown version'}",
            lut=int(_number(area, "LUT")),
            ff=int(_number(area, "FF")),
            dsp=int(_number(area, "DSP", "DSP48E")),
            bram36=_number(area, "BRAM_18K") / 2,
            uram=int(_number(area, "URAM")) if area.find("URAM") is not None else 0,
            clock_ns=_number(root, "EstimatedClockPeriod"),
            target_ns=_number(root, "TargetClockPeriod"),
        )
    except (OSError, ElementTree.ParseError, ValueError) as error:
        message = f"{path} is no synthesis report that this version reads: {error}"
        raise VendorToolError(message, "please report it with the tool's version") from error
