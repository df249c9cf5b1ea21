"""``hao run`` and ``hao demo``: one frame on every engine, compared value by value, with a report."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

import hao
from hao.boards import Board, load_board
from hao.cli.networks import Network, load_network
from hao.cli.pictures import Picture, held_out, to_planes
from hao.cli.pictures import prepare as prepare_picture
from hao.cli.progress import EngineProgress
from hao.cli.reading import detections, is_detector, prediction
from hao.cli.tables import print_engines, print_layers, print_summary
from hao.engine.config import CI_CONFIGS, EngineConfig
from hao.engine.encode import decode_program
from hao.engine.isa import INSTRUCTION_BYTES
from hao.errors import UsageError
from hao.ir.reference import digest
from hao.ir.serialize import network_digest
from hao.ir.types import infer
from hao.report.layers import layer_rows, macs
from hao.report.page import render_page
from hao.report.pictures import draw_detections, write_bytes
from hao.report.schema import EngineReport, Report, UnitReport, Weights, write_report, write_text
from hao.report.stalls import LayerTime, layer_times
from hao.runtime.csim import RunResult
from hao.runtime.rtl import RtlResult
from hao.runtime.session import ENGINES, EngineRun, Prepared, prepare, run_engines
from hao.runtime.timing import DramTiming
from hao.runtime.verdict import tensor_times

_BEAT_BYTES = 16
REPORT, PAGE, DETECTIONS = "report.json", "report.html", "detections.png"


@dataclass(frozen=True, slots=True)
class Options:
    """What the user asked for; see ``hao run --help``."""

    network: str
    weights: str = ""
    board: str = "ultra96v2"
    configuration: str = "16x16x2"
    engines: tuple[str, ...] = ENGINES
    image: Path | None = None
    plain: bool = False
    scene: int = 1
    stall: int = 0
    seed: int = 1
    out: Path = Path("build/run")
    json: Path | None = None


def _configuration(name: str) -> EngineConfig:
    if name not in CI_CONFIGS:
        raise UsageError(f"there is no configuration called {name!r}", f"configurations: {', '.join(CI_CONFIGS)}")
    return CI_CONFIGS[name]


def _note(network: Network) -> str:
    """What a reader of the picture must know about the weights."""
    if network.weights == "random":
        return "random weights: what it finds means nothing"
    return "trained on generated shapes" if is_detector(network.graph) else "trained"


def _picture(options: Options, network: Network) -> Picture:
    detector = is_detector(network.graph)
    if options.image is None and not detector and network.zoo:
        return held_out(network.zoo, options.scene)
    return prepare_picture(options.image, network.input.shape[1:], options.plain or not detector, options.scene)


def _engine_reports(prepared: Prepared, runs: Mapping[str, EngineRun]) -> dict[str, EngineReport]:
    outputs = prepared.outputs()
    values = sum(tensor.size for tensor in prepared.reference.values())
    reports = {"reference": EngineReport(equal=True, compared=values, digest=digest(outputs.values()), seconds=prepared.seconds)}
    for name, run in runs.items():
        cycles = run.result.cycles
        reports[name] = EngineReport(
            equal=run.verdict.equal,
            compared=run.verdict.compared,
            digest=run.verdict.digest,
            seconds=run.result.seconds,
            build_seconds=run.build_seconds,
            cycles=cycles,
            cycles_per_second=None if cycles is None else cycles / run.result.seconds,
        )
    return reports


def _spent(prepared: Prepared, result: RunResult | None) -> dict[str, LayerTime]:
    """Work and stalls of every tensor, where the RTL ran."""
    if not isinstance(result, RtlResult) or result.events is None:
        return {}
    image = prepared.image
    first, count = image.manifest.program_offset, image.manifest.program_count
    program = decode_program(image.dram[first : first + count * INSTRUCTION_BYTES])
    return layer_times(program, image.trace, result.events, image.config)


def make_report(
    options: Options, network: Network, board: Board, picture: str, prepared: Prepared, runs: Mapping[str, EngineRun]
) -> Report:
    """Everything that was measured on the engines, as the one report object; what the host found and took is added to it."""
    config = prepared.image.config
    types, original = infer(prepared.graph), infer(prepared.original)
    rtl = runs["rtl"].result if "rtl" in runs else None
    times = tensor_times(prepared.image.trace, rtl) if isinstance(rtl, RtlResult) else {}
    counters = rtl.counters if isinstance(rtl, RtlResult) else None
    cycles = None if rtl is None else rtl.cycles
    return Report(
        network=network.name,
        board=board.name,
        configuration=config.name,
        configuration_digest=config.digest(),
        weights=Weights(kind=network.weights, digest=network_digest(prepared.original)),
        image=picture,
        clock_mhz=board.clock.engine_mhz,
        cycles=cycles,
        frames_per_second=None if not cycles else board.frames_per_second(cycles),
        host_ms=0.0,
        stall=options.stall,
        macs=sum(macs(node, original[node.name]) for node in prepared.original.nodes),
        read_bytes=None if counters is None else counters.read_beats * _BEAT_BYTES,
        write_bytes=None if counters is None else counters.write_beats * _BEAT_BYTES,
        engines=_engine_reports(prepared, runs),
        layers=layer_rows(
            prepared.graph, types, [run.verdict for run in runs.values()], times, config.macs_per_cycle, _spent(prepared, rtl)
        ),
        units={} if counters is None else {
            name: UnitReport(count=unit.count, busy=unit.busy, wait_dep=unit.wait_dep, stall=unit.stall)
            for name, unit in counters.units.items()
        },
        prediction="" if is_detector(prepared.graph) else prediction(prepared.graph, prepared.outputs()),
        hao_version=hao.__version__,
    )  # fmt: skip


def _write(options: Options, report: Report, drawn: bytes) -> dict[str, Path]:
    paths = {name: options.out / name for name in (REPORT, PAGE, DETECTIONS)}
    write_bytes(paths[DETECTIONS], drawn)
    write_text(paths[PAGE], render_page(report, {f"what {report.network} found": drawn}))
    write_report(report, paths[REPORT])
    if options.json is not None:
        write_report(report, options.json)
    return paths


def measure(options: Options, console: Console) -> tuple[Report, bytes, dict[str, EngineRun], Prepared]:
    """Run one frame as asked: the report, the picture with boxes as PNG, the engines' runs, equal or not, and what they ran.

    Raises:
        HaoError: see ``docs/exit-codes.md``.
    """
    board, config = load_board(options.board), _configuration(options.configuration)
    network = load_network(options.network, options.weights)
    picture = _picture(options, network)
    console.print(f"{network.name} ({network.weights} weights), {picture.caption}, on {config.name} for {board.name}")
    with console.status("compiling, and running the reference"):
        prepared = prepare(network.graph, config, to_planes(picture.pixels, network.input.shape[0]))
    work = sum(macs(node, kind) for node, kind in zip(prepared.graph.nodes, infer(prepared.graph).values(), strict=True))
    simulated = [name for name in options.engines if name != "reference"]
    with EngineProgress(console, work, config.macs_per_cycle) as progress:
        runs = run_engines(prepared, simulated, DramTiming.of_board(board, options.stall, options.seed), progress.listen)
    draw_detections(picture.pixels, (), "")  # loads what drawing needs: only the work itself is timed
    start = time.perf_counter()
    found = detections(prepared.graph, infer(prepared.graph), prepared.outputs()) if is_detector(prepared.graph) else ()
    drawn = draw_detections(picture.pixels, found, f"{network.name}, {_note(network)}")
    host_ms = 1e3 * (picture.seconds + time.perf_counter() - start)
    report = make_report(options, network, board, picture.caption, prepared, runs)
    return report.model_copy(update={"detections": found, "host_ms": host_ms}), drawn, runs, prepared


def run(options: Options, console: Console) -> int:
    """Run one frame as asked, write the report and print the tables; returns the exit code.

    Raises:
        HaoError: see ``docs/exit-codes.md``; ``EngineMismatch`` after the report is written.
    """
    if not set(options.engines) - {"reference"}:
        raise UsageError("no engine would be compared with the reference", f"name at least one of {', '.join(ENGINES[1:])} with --engines")
    report, drawn, runs, _ = measure(options, console)
    paths = _write(options, report, drawn)
    print_layers(console, report)
    print_engines(console, report)
    print_summary(console, report)
    for path in paths.values():
        console.print(f"  {path}")
    for engine in runs.values():
        engine.verdict.require_equal()
    return 0
