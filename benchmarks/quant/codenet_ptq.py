"""AP50 of CoDeNet b after post-training quantization alone, where few bits show: uniform widths, mixed ones, and controls.

``python -m benchmarks.quant.codenet_ptq training/codenet-1x-b.safetensors`` measures what ``benchmarks/quant/codenet.jsonl`` lacks, a
setting a line; ``python -m benchmarks.quant.tables`` makes the table.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from torch import Tensor, nn

from benchmarks.quant.measure import PREDICTORS as ALL_PREDICTORS
from benchmarks.quant.study import ROOT, DeviceName, differences, machine, source_digest, spread
from hao.frontend.torch_import import from_torch
from hao.models.codenet import CONFIGS, IMAGE_MEAN, IMAGE_STD
from hao.quant.allocate import best_within, frontier
from hao.quant.choose import fidelity, with_targets
from hao.quant.config import QuantConfig
from hao.quant.device import settle
from hao.quant.distill import Distilling, distilled_images
from hao.quant.export import IntegerTwin
from hao.quant.folded import FoldedNetwork
from hao.quant.hessian import Probing, Trace, WeightHessian, hutchinson
from hao.quant.sensitivity import MENU, control, costs, kl_sensitivities, omega, reverse, squared_errors
from hao.train.bootstrap import match, weighted_ap50
from hao.train.evaluate import detect, scenes
from hao.train.feed import normalize
from hao.train.quantized import quantizer
from hao.train.score import load_network

CONFIG, SCENES, DRAWS, SEED = "b", 1000, 400, 0
AVERAGES = (2.5, 3.0, 3.5)
PREDICTORS = tuple(each for each in ALL_PREDICTORS if each != "HAWQ eigenvalue")
HESSIAN_SCENES, KL_SCENES = 4, 32
PROBING = Probing(seed=SEED, tolerance=0.2, sketch=4, pilot=8, most=8, chunk=8)
LINES = ROOT / "benchmarks" / "quant" / "codenet.jsonl"
SOURCES = (
    "benchmarks/quant/codenet_ptq.py", "hao/models/codenet.py", "hao/models/decode.py", "hao/models/deform.py",
    "hao/train/quantized.py", "hao/train/evaluate.py", "hao/train/bootstrap.py",
)  # fmt: skip
UNIFORM = tuple(f"uniform W{bits}" for bits in (8, 4, 3, 2))
MIXED = tuple(f"{label} @ {average}" for average in AVERAGES for label in PREDICTORS)
TWINS = tuple(
    f"{label}, integers" for label in ("uniform W4", "uniform W3", "uniform W2", *(f"{PREDICTORS[0]} @ {each}" for each in AVERAGES))
)
"""Settings that are measured in mode ``integer`` besides."""
SETTINGS = ("float", *UNIFORM, *MIXED, *TWINS)
Bits = dict[str, int]


@dataclass(frozen=True, slots=True)
class Bench:
    """The float network on a device, and its folded weights; pictures in ``data``."""

    weights: Path
    network: nn.Module
    folded: FoldedNetwork
    data: Path
    device: torch.device

    def training(self, count: int) -> Tensor:
        """The first training scenes, normalized."""
        return normalize(scenes(self.data, "train", count)[0]).to(self.device)

    def widths(self, traces: list[Trace]) -> dict[str, Bits]:
        """Widths from ``MENU`` by every predictor at every average."""
        tables, size = self._sensitivities(traces), costs(self.folded).size
        count = sum(weight.numel() for weight in self.folded.weights.values())
        found = {}
        for label, table in tables.items():
            front = frontier(table, size, resolution=count * max(MENU) // 4000)
            for average in AVERAGES:
                found[f"{label} @ {average}"] = best_within(front, average * count).bits
        return found

    def _sensitivities(self, traces: list[Trace]) -> dict[str, Mapping[str, Mapping[int, float]]]:
        folded, errors = self.folded, squared_errors(self.folded)
        hessian = omega(traces, errors)
        drawn = distilled_images(self.network, folded.graph, Distilling(count=KL_SCENES, seed=SEED), _tell)
        noise = torch.randn(drawn.shape, generator=torch.Generator().manual_seed(SEED)).to(self.device)
        pictures = (drawn, self.training(KL_SCENES), noise)
        found = (
            hessian,
            *(kl_sensitivities(folded, each.split(16), listen=_tell) for each in pictures),
            *(control(folded, errors, kind, SEED) for kind in ("weight norm", "parameters", "random")),
            reverse(hessian),
        )
        return dict(zip(PREDICTORS, found, strict=True))

    def average(self, bits: Bits) -> float:
        """Bits a weight."""
        sizes = {name: weight.numel() for name, weight in self.folded.weights.items()}
        return sum(sizes[name] * width for name, width in bits.items()) / sum(sizes.values())

    def ap50(self, model: nn.Module) -> dict[str, Any]:
        """AP50 on the test scenes, percent, its 95 % interval, and the bootstrap draws, the same scenes for every model."""
        images, truth = scenes(self.data, "test", SCENES)
        table, rng = match(detect(model.eval(), images), truth), np.random.default_rng(SEED)
        weights = [np.bincount(rng.integers(0, SCENES, SCENES), minlength=SCENES) for _ in range(DRAWS)]
        drawn = [weighted_ap50(table, each) for each in weights]
        low, high = np.percentile(drawn, (2.5, 97.5))
        value = weighted_ap50(table, np.ones(SCENES, dtype=np.int64))
        return {"ap50": [round(float(each), 2) for each in (value, low, high)], "draws": [round(each, 2) for each in drawn]}

    def quantized(self, setting: str, bits: Bits | None) -> tuple[nn.Module, Bits]:
        """The network of a setting, and its widths; ``bits`` where they are mixed."""
        if setting == "float":
            return self.network, dict.fromkeys(self.folded.weights, 32)
        plain = setting.removesuffix(", integers")
        config = QuantConfig(overrides=bits) if bits else QuantConfig(weight_bits=int(plain.removeprefix("uniform W")))
        model = quantizer(CONFIG, self.data, config)(load_network(self.weights, CONFIG).to(self.device))
        return (model if plain == setting else IntegerTwin(model)), model.bits


@cache
def bench(weights: Path, data: Path, name: str) -> Bench:
    """From float weights, on the device called ``name``; kept."""
    torch.set_num_threads(1)
    device, size = settle(name), CONFIGS[CONFIG].size
    network = load_network(weights, CONFIG).to(device)
    graph = from_torch(network, torch.zeros(1, 3, size, size, device=device), mean=IMAGE_MEAN, std=IMAGE_STD)
    return Bench(weights, network, FoldedNetwork(network, graph), data, device)


def trace(weights: Path, data: Path, layer: str) -> Trace:
    """Of one layer, always on the CPU: on a GPU, sums that repeat are slower than that where deformable layers scatter gradients."""
    made = bench(weights, data, "cpu")
    batches, _ = with_targets(made.folded, made.training(HESSIAN_SCENES), None)
    (found,) = hutchinson(WeightHessian(made.folded, batches, fidelity, [layer]), PROBING)
    return found


def _tell(what: str, done: int, total: int) -> None:
    typer.echo(f"{what} {done}/{total}", err=True)


def digest() -> str:
    """Of everything that the figures come from."""
    settings = {"scenes": SCENES, "averages": AVERAGES, "images": (HESSIAN_SCENES, KL_SCENES)}
    return source_digest(settings, SOURCES)


def read_rows(path: Path = LINES) -> dict[str, dict[str, Any]]:
    """Measured settings by name, in the order of ``SETTINGS``."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.is_file() else []
    return {row["setting"]: row for row in sorted(rows, key=lambda row: SETTINGS.index(row["setting"]))}


def measured(weights: Path, data: Path, name: str, setting: str, mixed: Bits | None) -> dict[str, Any]:
    """One line of the file."""
    made = bench(weights, data, name)
    model, bits = made.quantized(setting, mixed)
    average = round(made.average(bits), 3)
    facts = {"setting": setting, "sources": digest(), "machine": machine(made.device), "seed": SEED, "average": average, "bits": bits}
    return facts | made.ap50(model)


def _chosen(path: Path, weights: Path, data: Path, name: str, workers: int) -> dict[str, Bits]:
    """Mixed widths, kept in ``path``; traces beside it, layer by layer, so that an interrupted run goes on."""
    kept = path.with_name(path.stem + "-traces.jsonl")
    if not path.is_file():
        made = bench(weights, data, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = kept.read_text(encoding="utf-8").splitlines() if kept.is_file() else []
        found = {row["name"]: Trace(**row) for row in map(json.loads, lines)}
        left = [(weights, data, layer) for layer in made.folded.weights if layer not in found]
        for row in spread(trace, left, min(workers, max(1, len(left)))):
            found[row.name] = row
            with kept.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(asdict(row)) + "\n")
            _tell("traces", len(found), len(made.folded.weights))
        text = json.dumps(made.widths([found[layer] for layer in made.folded.weights]))
        path.write_text(text, encoding="utf-8")
    chosen: dict[str, Bits] = json.loads(path.read_text(encoding="utf-8"))
    return chosen


def main(
    weights: Path,
    data: Annotated[Path, typer.Option(help="rendered scenes")] = Path("build/data"),
    work: Annotated[Path, typer.Option(help="keeps the chosen widths")] = Path("build/quant/codenet-widths.json"),
    device: DeviceName = "cpu",
    workers: Annotated[int, typer.Option(help="processes, each with one thread")] = 1,
    minutes: Annotated[float, typer.Option(help="start no setting after this long")] = 1e9,
    out: Annotated[Path, typer.Option(help="file of settings")] = LINES,
    only: Annotated[str, typer.Option(help="settings to measure, separated by semicolons; default: all")] = "",
    check: Annotated[str, typer.Option(help="a measured setting: measure it again and compare, nothing else")] = "",
    stamp: Annotated[bool, typer.Option(help="where it is equal, let all settings carry the digest of the sources as they are")] = False,
) -> None:
    """Measure what is missing. Mode ``float`` throughout; some settings in mode ``integer`` besides."""
    rows, began = read_rows(out), time.monotonic()
    if check:
        kept = rows[check] | {"sources": digest()}
        found = list(differences(kept, measured(weights, data, device, check, kept["bits"] if " @ " in check else None)))
        if stamp and not found:
            lines = [json.dumps(row | {"sources": digest()}) for row in rows.values()]
            out.write_text("\n".join(lines) + "\n", encoding="utf-8")
        typer.echo("\n".join(found) or f"{check}: equal")
        raise typer.Exit(bool(found))
    wanted = [each for each in (only.split(";") if only else SETTINGS) if each not in rows]
    widths = _chosen(work, weights, data, device, workers) if any(" @ " in each for each in wanted) else {}
    left = [(weights, data, device, each, widths.get(each.removesuffix(", integers"))) for each in wanted]
    for row in spread(measured, left, min(workers, max(1, len(left))), minutes):
        with out.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(row) + "\n")
        typer.echo(f"{row['setting']}: {row['average']} bits, AP50 {row['ap50']}, {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    typer.run(main)
