"""AP50 of CoDeNet b after post-training quantization alone, where few bits show: uniform widths, mixed ones, and controls.

``python -m benchmarks.quant.codenet_ptq training/codenet-1x-b.safetensors`` measures what ``benchmarks/quant/codenet.jsonl`` lacks, a
setting a line; ``python -m benchmarks.quant.tables`` makes the table.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from torch import Tensor, nn

from benchmarks.quant.study import ROOT, differences, machine, source_digest
from hao.frontend.torch_import import from_torch
from hao.models.codenet import CONFIGS, IMAGE_MEAN, IMAGE_STD
from hao.quant.allocate import best_within, frontier
from hao.quant.choose import fidelity, with_targets
from hao.quant.config import QuantConfig
from hao.quant.export import IntegerTwin
from hao.quant.folded import FoldedNetwork
from hao.quant.hessian import Probing, WeightHessian, hutchinson
from hao.quant.sensitivity import MENU, control, costs, kl_sensitivities, omega, reverse, squared_errors
from hao.train.bootstrap import match, weighted_ap50
from hao.train.evaluate import detect, scenes
from hao.train.feed import normalize
from hao.train.quantized import quantizer
from hao.train.score import load_network

CONFIG, SCENES, DRAWS, SEED = "b", 200, 400, 0
AVERAGES = (2.5, 3.0)
PREDICTORS = ("HAWQ-V2 trace", "KL, real images", "weight norm", "parameters", "random", "reversed trace")
HESSIAN_SCENES, KL_SCENES = 2, 8
PROBING = Probing(seed=SEED, tolerance=0.2, sketch=0, pilot=8, most=8, chunk=8)
LINES = ROOT / "benchmarks" / "quant" / "codenet.jsonl"
SOURCES = (
    "benchmarks/quant/codenet_ptq.py", "hao/models/codenet.py", "hao/models/decode.py", "hao/models/deform.py",
    "hao/train/quantized.py", "hao/train/evaluate.py", "hao/train/bootstrap.py",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Bench:
    """The float network and its folded weights; pictures in ``data``."""

    network: nn.Module
    folded: FoldedNetwork
    data: Path

    @classmethod
    def load(cls, weights: Path, data: Path) -> Bench:
        """From float weights."""
        network, size = load_network(weights, CONFIG), CONFIGS[CONFIG].size
        graph = from_torch(network, torch.zeros(1, 3, size, size), mean=IMAGE_MEAN, std=IMAGE_STD)
        return cls(network, FoldedNetwork(network, graph), data)

    def training(self, count: int) -> Tensor:
        """The first training scenes, normalized."""
        return normalize(scenes(self.data, "train", count)[0])

    def widths(self) -> dict[str, dict[str, int]]:
        """Widths from ``MENU`` by every predictor at every average."""
        errors = squared_errors(self.folded)
        batches, _ = with_targets(self.folded, self.training(HESSIAN_SCENES), None)
        hessian = omega(hutchinson(WeightHessian(self.folded, batches, fidelity), PROBING, listen=_tell), errors)
        tables = (
            hessian,
            kl_sensitivities(self.folded, [self.training(KL_SCENES)]),
            *(control(self.folded, errors, kind, SEED) for kind in ("weight norm", "parameters", "random")),
            reverse(hessian),
        )
        size = costs(self.folded).size
        count = sum(weight.numel() for weight in self.folded.weights.values())
        found = {}
        for label, table in zip(PREDICTORS, tables, strict=True):
            front = frontier(table, size, resolution=count * max(MENU) // 4000)
            for average in AVERAGES:
                found[f"{label} @ {average}"] = best_within(front, average * count).bits
        return found

    def average(self, bits: dict[str, int]) -> float:
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
        return {"ap50": [round(each, 2) for each in (value, low, high)], "draws": [round(each, 2) for each in drawn]}


def _tell(what: str, done: int, total: int) -> None:
    typer.echo(f"{what} {done}/{total}", err=True)


def digest() -> str:
    """Of everything that the figures come from."""
    settings = {"scenes": SCENES, "averages": AVERAGES, "images": (HESSIAN_SCENES, KL_SCENES)}
    return source_digest(settings, SOURCES)


def read_rows(path: Path = LINES) -> dict[str, dict[str, Any]]:
    """Measured settings by name."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.is_file() else []
    return {row["setting"]: row for row in rows}


TWINS = ("uniform W3", "uniform W2")
"""Settings that are measured in mode ``integer`` besides."""


def quantized(bench: Bench, weights: Path, setting: str, bits: dict[str, int] | None) -> tuple[nn.Module, dict[str, int]]:
    """The network of a setting, and its widths; ``bits`` where they are mixed."""
    if setting == "float":
        return bench.network, dict.fromkeys(bench.folded.weights, 32)
    plain = setting.removesuffix(", integers")
    config = QuantConfig(overrides=bits) if bits else QuantConfig(weight_bits=int(plain.removeprefix("uniform W")))
    model = quantizer(CONFIG, bench.data, config)(load_network(weights, CONFIG))
    return (model if plain == setting else IntegerTwin(model)), model.bits


def measured(bench: Bench, weights: Path, setting: str, mixed: dict[str, int] | None) -> dict[str, Any]:
    """One line of the file."""
    model, bits = quantized(bench, weights, setting, mixed)
    facts = {"setting": setting, "sources": digest(), "machine": machine(), "average": round(bench.average(bits), 3), "bits": bits}
    return facts | bench.ap50(model)


def main(
    weights: Path,
    data: Annotated[Path, typer.Option(help="rendered scenes")] = Path("build/data"),
    work: Annotated[Path, typer.Option(help="keeps the chosen widths")] = Path("build/quant/codenet-widths.json"),
    check: Annotated[str, typer.Option(help="a measured setting: measure it again and compare, nothing else")] = "",
    stamp: Annotated[bool, typer.Option(help="where it is equal, let all settings carry the digest of the sources as they are")] = False,
) -> None:
    """Measure what is missing. Mode ``float`` throughout; W3 and W2 in mode ``integer`` besides."""
    torch.set_num_threads(1)
    bench, rows = Bench.load(weights, data), read_rows()
    if check:
        kept = rows[check] | {"sources": digest()}
        found = list(differences(kept, measured(bench, weights, check, kept["bits"] if " @ " in check else None)))
        if stamp and not found:
            lines = [json.dumps(row | {"sources": digest()}) for row in rows.values()]
            LINES.write_text("\n".join(lines) + "\n", encoding="utf-8")
        typer.echo("\n".join(found) or f"{check}: equal")
        raise typer.Exit(bool(found))
    uniform = [f"uniform W{bits}" for bits in (3, 2, 4, 8)]
    settings: dict[str, dict[str, int] | None] = dict.fromkeys(["float", *uniform, *(f"{each}, integers" for each in TWINS)])
    for setting, mixed in itertools.chain(settings.items(), _mixed(bench, work)):
        if setting not in rows:
            row = measured(bench, weights, setting, mixed)
            with LINES.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(row) + "\n")
            typer.echo(f"{setting}: {row['average']} bits, AP50 {row['ap50']}")


def _mixed(bench: Bench, work: Path) -> Iterator[tuple[str, dict[str, int]]]:
    """Settings of mixed widths, chosen when the first is asked for."""
    if not work.is_file():
        work.parent.mkdir(parents=True, exist_ok=True)
        work.write_text(json.dumps(bench.widths()), encoding="utf-8")
    yield from json.loads(work.read_text(encoding="utf-8")).items()


if __name__ == "__main__":
    typer.run(main)
