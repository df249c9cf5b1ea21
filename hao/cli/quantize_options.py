"""What the command line of ``hao quantize`` says, checked and put into its options; needs PyTorch from here on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hao.errors import MissingTool, UsageError


@dataclass(frozen=True, slots=True)
class Given:
    """The options in the order of the command line; see ``hao quantize --help``."""

    network: str
    weights: Path | None
    method: str
    data_free: bool
    pictures: Path | None
    images: int
    menu: tuple[str, ...]
    average_bits: float | None
    size: float | None
    bops: float | None
    cycles: float | None
    ties: tuple[tuple[str, ...], ...]
    configuration: str
    board: str
    activations: int
    calibration: str
    percentile: float
    prune: float
    implants: float
    lanes: int
    epochs: int
    staged: bool
    iterations: int
    tolerance: float
    probes: int
    shape: tuple[str, ...]
    mean: tuple[str, ...]
    std: tuple[str, ...]
    seed: int
    device: str
    work: Path
    out: Path
    qonnx: Path | None
    plain: Path | None
    json: Path | None


def run(given: Given) -> int:
    """Check, and quantize.

    Raises:
        MissingTool: PyTorch is not installed.
        UsageError: options that do not fit one another.
    """
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise MissingTool("PyTorch is not installed", "pip install 'hao[torch]'") from error
    from hao.cli.quantize import Options, quantize
    from hao.cli.quantize_source import Wanted
    from hao.cli.tables import make_console

    method = given.method or ("zeroq" if given.data_free else "hawq3")
    average = given.average_bits
    if method != "uniform" and average is None and given.size is None and given.bops is None and given.cycles is None:
        average = 4.0
    try:
        shape, mean = tuple(map(int, given.shape)), tuple(map(int, given.mean))
        std = tuple(map(float, given.std))
    except ValueError as error:
        raise UsageError(f"--shape, --mean or --std: {error}", "numbers, separated by commas") from error
    source = Wanted(given.network, given.weights, given.pictures, shape, mean, std, given.images, given.seed, given.work)
    options = Options(
        source=source,
        method=method,
        data_free=given.data_free,
        menu=given.menu,
        average_bits=average,
        size_kb=given.size,
        gbops=given.bops,
        cycles=given.cycles,
        configuration=given.configuration,
        board=given.board,
        activation_bits=given.activations,
        calibration=given.calibration,
        percentile=given.percentile,
        prune=given.prune,
        implants=given.implants,
        lanes=given.lanes,
        epochs=given.epochs,
        staged=given.staged,
        iterations=given.iterations,
        tolerance=given.tolerance,
        probes=given.probes,
        device=given.device,
        out=given.out,
        qonnx=given.qonnx,
        plain=given.plain,
        json=given.json,
        ties=given.ties,
    )
    return quantize(options, make_console())
