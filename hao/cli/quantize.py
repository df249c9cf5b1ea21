"""``hao quantize``: from a float network to integers of mixed widths, with a report of how each layer came to its own."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from torch import nn

from hao.cli.quantize_source import FloatSource, Wanted, load_source
from hao.errors import UsageError
from hao.frontend.float_graph import FloatGraph
from hao.frontend.plain_export import export_plain
from hao.frontend.qonnx_export import export_qonnx
from hao.ir.graph import Graph
from hao.ir.serialize import network_digest, save_graph
from hao.quant.allocate import Caps, Cycles
from hao.quant.calibrate import calibrate
from hao.quant.choose import Choice, Question, choose_widths, with_targets
from hao.quant.config import QuantConfig
from hao.quant.device import settle
from hao.quant.distill import Distilling, distilled_images
from hao.quant.export import IntegerTwin, to_integer
from hao.quant.folded import FoldedNetwork, macs
from hao.quant.hessian import Probing, WeightHessian
from hao.quant.model import QuantModel
from hao.quant.prune import channel_traces, hessian_scores, index_sets, plan_pruning
from hao.quant.sensitivity import check_menu, squared_errors, tuning_order
from hao.quant.sqnr import LayerNoise, sqnr
from hao.quant.stages import fine_tune_in_order
from hao.quant.state import kept
from hao.quant.surgery import pruned_network
from hao.report.quantize import QuantizedLayer, QuantizeReport
from hao.report.schema import write_text

_NOISE_IMAGES, _FRONTIER_POINTS = 64, 200


@dataclass(frozen=True, slots=True)
class Options:
    """What the user asked for; see ``hao quantize --help``."""

    source: Wanted
    method: str = "hawq3"
    data_free: bool = False
    menu: tuple[str, ...] = ("2", "3", "4", "8")
    average_bits: float | None = None
    size_kb: float | None = None
    gbops: float | None = None
    cycles: float | None = None
    configuration: str = "16x16x2"
    board: str = "ultra96v2"
    activation_bits: int = 8
    calibration: str = "max"
    percentile: float = 100.0
    prune: float = 0.0
    implants: float = 0.1
    lanes: int = 1
    epochs: int = 0
    staged: bool = False
    iterations: int = 500
    tolerance: float = 0.05
    probes: int = 1024
    device: str = "cpu"
    out: Path = Path("build/quantize/network.safetensors")
    qonnx: Path | None = None
    plain: Path | None = None
    json: Path | None = None
    ties: tuple[tuple[str, ...], ...] = field(default=())


class _Bars:
    """A bar for every stage that reports progress."""

    def __init__(self, console: Console) -> None:
        columns = (TextColumn("{task.description:<14}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
        self.progress = Progress(*columns, console=console, transient=True)
        self._tasks: dict[str, TaskID] = {}

    def listen(self, what: str, done: int, total: int) -> None:
        """See ``hao.quant.hessian.Progress``."""
        if what not in self._tasks:
            self._tasks[what] = self.progress.add_task(what, total=total)
        self.progress.update(self._tasks[what], completed=done, total=total)


def quantize(options: Options, console: Console) -> int:
    """Choose widths, calibrate, train on where asked, write the integer network and its report.

    Raises:
        HaoError: see ``docs/exit-codes.md``; layers at fault are named.
    """
    torch.manual_seed(options.source.seed)
    question, device = _question(options), settle(options.device)
    bars = _Bars(console)
    with bars.progress:
        source = load_source(options.source, bars.listen)
        network = source.network.to(device)
        FoldedNetwork(network, source.graph)  # weights that are not finite are named before anything is computed
        if options.data_free:
            rule = Distilling(iterations=options.iterations, seed=options.source.seed)
            halfway = kept(options.source.work, "distilled", network.state_dict().values(), rule, source.graph.mean, source.graph.std)
            images, labels = distilled_images(network, source.graph, rule, bars.listen, halfway), None
        else:
            images, labels = source.images.to(device), None if source.labels is None else source.labels.to(device)
        graph = source.graph
        if options.prune:
            network, graph = _pruned(options, network, graph, images, labels, bars)
        folded = FoldedNetwork(network, graph)
        caps = _caps(options, folded)
        cycles = _cycles(options, network, graph, images) if options.cycles is not None else None
        choice = choose_widths(
            folded, images, labels, replace(question, caps=caps), cycles=cycles, work=options.source.work, listen=bars.listen
        )
        model = calibrate(QuantModel(copy.deepcopy(network), graph, _settings(options, choice)), [images])
        order = _order(options, folded, choice)
        accuracy = _accuracies(options, source, network, model, order, bars)
    integer = to_integer(model, source.name, {"weights": "trained", "method": options.method})
    if source.test is not None:
        accuracy["integer"] = _accuracy(IntegerTwin(model), source, device)
    save_graph(integer, options.out)
    if options.qonnx is not None:
        export_qonnx(integer, options.qonnx)
    if options.plain is not None:
        export_plain(integer, options.plain)
    noise = sqnr(model, images[:_NOISE_IMAGES])
    report = _report(options, folded, choice, integer, noise, (len(images), labels is not None), accuracy, cycles)
    if options.json is not None:
        write_text(options.json, report.model_dump_json(indent=1) + "\n")
    _print(console, report, options)
    return 0


def _menu(options: Options) -> tuple[int, ...]:
    if not all(text.isdecimal() for text in options.menu):
        raise UsageError(f"{','.join(options.menu)!r} is no menu of widths", "numbers from 2 to 8, separated by commas")
    return check_menu(tuple(map(int, options.menu)))


def _question(options: Options) -> Question:
    probing = Probing(seed=options.source.seed, tolerance=options.tolerance, most=options.probes)
    return Question(options.method, _menu(options), Caps(), options.ties, options.activation_bits, probing)


def _settings(options: Options, choice: Choice) -> QuantConfig:
    if options.activation_bits not in (4, 8) or options.calibration not in ("max", "mse") or not 50 < options.percentile <= 100:
        raise UsageError(
            f"{options.activation_bits} activation bits, calibration {options.calibration!r} of {options.percentile:g} percent",
            "4 or 8 bits; max or mse; over 50 to 100 percent",
        )
    return QuantConfig.model_validate(
        {
            "overrides": choice.bits,
            "activation_bits": options.activation_bits,
            "activation_range": options.calibration,
            "percentile": options.percentile,
        }
    )


def _caps(options: Options, folded: FoldedNetwork) -> Caps:
    count = sum(weight.numel() for weight in folded.weights.values())
    sizes = [options.size_kb * 8000 if options.size_kb is not None else None]
    sizes.append(options.average_bits * count if options.average_bits is not None else None)
    given = [size for size in sizes if size is not None]
    return Caps(min(given) if given else None, None if options.gbops is None else options.gbops * 1e9, options.cycles)


def _cycles(options: Options, network: nn.Module, graph: FloatGraph, images: torch.Tensor) -> Cycles:
    """Bound of every layer by our cycle model, for each width; layers that the compiler merges into others cost nothing."""
    from hao.boards import load_board
    from hao.compiler.rewrite import rewrite
    from hao.cost.layers import layer_cycles, network_shapes
    from hao.engine.config import CI_CONFIGS

    if options.configuration not in CI_CONFIGS:
        raise UsageError(f"there is no configuration called {options.configuration!r}", f"configurations: {', '.join(CI_CONFIGS)}")
    board, config = load_board(options.board), CI_CONFIGS[options.configuration]
    example = calibrate(QuantModel(copy.deepcopy(network), graph, QuantConfig(weight_bits=8)), [images[:16]])
    shapes = network_shapes(rewrite(to_integer(example)))

    def latency(name: str, bits: int) -> float:
        return layer_cycles(replace(shapes[name], weight_bits=bits), config).bound(board) if name in shapes else 0.0

    return latency


def _pruned(
    options: Options, network: nn.Module, graph: FloatGraph, images: torch.Tensor, labels: torch.Tensor | None, bars: _Bars
) -> tuple[nn.Module, FloatGraph]:
    folded = FoldedNetwork(network, graph)
    batches, loss = with_targets(folded, images, labels)
    parts = (*folded.weights.values(), *folded.biases.values(), *(part for batch in batches for part in batch))
    halfway = kept(options.source.work, "channels", parts, options.source.seed, tuple(folded.weights))
    traces = channel_traces(WeightHessian(folded, batches, loss), options.source.seed, listen=bars.listen, kept=halfway)
    sets = index_sets(graph)
    plan = plan_pruning(graph, sets, hessian_scores(folded, traces), options.prune, implants=options.implants, multiple=options.lanes)
    small = pruned_network(network, graph, sets, plan).eval()
    return small, small.graph


def _order(options: Options, folded: FoldedNetwork, choice: Choice) -> list[str]:
    """Layers in HAWQ's order of fine-tuning, where training goes in stages; else none."""
    if not options.staged:
        return []
    if options.method != "hawq" or not options.epochs:
        raise UsageError("--staged trains in the order of HAWQ's eigenvalues", "give --method hawq and --epochs, the epochs of every stage")
    return tuning_order(choice.eigenvalues, squared_errors(folded, _menu(options)), choice.bits)


def _accuracies(
    options: Options, source: FloatSource, network: nn.Module, model: QuantModel, order: list[str], bars: _Bars
) -> dict[str, float]:
    """Accuracy before and after training on, where there are held-out labels; layer by layer in ``order``, if there is one."""
    if source.test is None:
        if options.epochs:
            raise UsageError(f"{source.name} has no labels to train on", "train with hao.train.quantized, or leave --epochs out")
        return {}
    from hao.train.digits import load_digits, train

    device, digits = next(network.parameters()).device, load_digits()
    found = {"float": _accuracy(network, source, device), "calibrated": _accuracy(model, source, device)}

    def stage(current: QuantModel, layer: str) -> None:
        # Named after the weights and widths that it begins with, so that stages that were finished are read back.
        settings = (options.epochs, options.source.seed, layer, tuple(current.bits.items()), current.config)
        halfway = kept(options.source.work, "training", current.state_dict().values(), *settings)
        generator = torch.Generator().manual_seed(options.source.seed)
        train(current, digits, options.epochs, 1e-3, generator, kept=halfway, listen=bars.listen)

    if order:
        fine_tune_in_order(model, order, stage)
    elif options.epochs:
        stage(model, "")
    if options.epochs:
        found["trained"] = _accuracy(model, source, device)
    return found


@torch.no_grad()
def _accuracy(model: nn.Module, source: FloatSource, device: torch.device) -> float:
    from hao.train.digits import normalize

    assert source.test is not None
    images, labels = source.test
    named = model.to(device)(normalize(images).to(device)).flatten(1).argmax(1).cpu().numpy()
    return float(100 * (named == labels).mean())


def _loss_name(method: str, labelled: bool) -> str:
    """Which loss the sensitivities belong to."""
    if method == "zeroq":
        return "divergence from the float network"
    return "cross entropy" if labelled else "distance to the float results"


def _report(
    options: Options,
    folded: FoldedNetwork,
    choice: Choice,
    integer: Graph,
    noise: list[LayerNoise],
    seen: tuple[int, bool],
    accuracy: dict[str, float],
    cycles: Cycles | None,
) -> QuantizeReport:
    work, heard = macs(folded.graph), {row.name: row for row in noise}
    traces, tops = {row.name: row for row in choice.traces}, {row.name: row for row in choice.eigenvalues}
    layers = []
    for name, bits in choice.bits.items():
        trace, top, sound = traces.get(name), tops.get(name), heard[name]
        layers.append(
            QuantizedLayer(
                name=name,
                bits=bits,
                parameters=folded.weights[name].numel(),
                macs=work[name],
                sensitivity=choice.sensitivity.get(name, {}),
                trace=None if trace is None else trace.value,
                half_width=None if trace is None else trace.half_width,
                probes=None if trace is None else trace.probes,
                converged=None if trace is None else trace.converged,
                eigenvalue=None if top is None else top.value,
                weights_db=_finite(sound.weights),
                own_db=_finite(sound.own),
                total_db=_finite(sound.total),
            )
        )
    size = sum(choice.price.size[name][bits] for name, bits in choice.bits.items())
    step = max(1, len(choice.frontier) // _FRONTIER_POINTS)
    caps = {label: value for label, value in vars_of(_caps(options, folded)).items() if value is not None}
    return QuantizeReport(
        network=integer.name,
        digest=network_digest(integer),
        method=options.method,
        loss=_loss_name(options.method, seen[1]),
        images=seen[0],
        data_free=options.data_free,
        seed=options.source.seed,
        device=options.device,
        average_bits=size / sum(layer.parameters for layer in layers),
        size_bytes=size / 8,
        bops=sum(choice.price.bops[name][bits] for name, bits in choice.bits.items()),
        cycles=None if cycles is None else sum(cycles(name, bits) for name, bits in choice.bits.items()),
        caps=caps,
        frontier=[(setting.cost, setting.perturbation) for setting in choice.frontier[::step]],
        accuracy_percent=accuracy,
        layers=layers,
        solve_seconds=choice.solve_seconds,
    )


def vars_of(caps: Caps) -> dict[str, float | None]:
    """The limits by name."""
    return {"size": caps.size, "bops": caps.bops, "cycles": caps.cycles}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _print(console: Console, report: QuantizeReport, options: Options) -> None:
    table = Table(title=f"{escape(report.network)}: {report.method}, {report.average_bits:.2f} bits on average")
    for column in ("layer", "bits", "weights", "sensitivity", "trace", "weights dB", "layer dB", "total dB"):
        table.add_column(column, justify="left" if column == "layer" else "right")
    for layer in report.layers:
        trace = "" if layer.trace is None else f"{layer.trace:.3g} ± {layer.half_width:.2g}{'' if layer.converged else ' !'}"
        figures = [f"{value:.1f}" if value is not None else "inf" for value in (layer.weights_db, layer.own_db, layer.total_db)]
        harm = f"{layer.sensitivity[layer.bits]:.3g}" if layer.sensitivity else ""
        table.add_row(escape(layer.name), str(layer.bits), f"{layer.parameters:,}", harm, trace, *figures)
    console.print(table)
    where = "distilled images" if report.data_free else "images"
    console.print(f"loss: {report.loss}, on {report.images} {where}, at the float weights, batch normalization folded (evaluation mode)")
    console.print(f"seed {report.seed}; a trace marked ! is less certain than asked")
    if report.accuracy_percent:
        console.print("accuracy, percent: " + ", ".join(f"{name} {value:.2f}" for name, value in report.accuracy_percent.items()))
    console.print(f"{report.size_bytes / 1000:.2f} kB of weights, {report.bops / 1e9:.4f} G bit operations; written to {options.out}")
