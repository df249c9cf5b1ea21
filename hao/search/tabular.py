"""The tabular benchmark: every member of the searchable family trained once on digits, so that algorithms compare at no cost.

``python -m hao.search.tabular FILE`` trains what FILE lacks, a few seconds a member, and may be interrupted and started again at any
time. One float training serves both weight widths; quantization is post-training, calibrated on 256 of the pictures trained on.
"""

from __future__ import annotations

import copy
import csv
import io
import os
import random
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, fields, replace
from itertools import groupby
from pathlib import Path
from typing import Annotated

import typer

from hao.errors import DataError, ModelError
from hao.files import read_text
from hao.models.searchable import Architecture, Searchable, macs_of, members, parameters_of, parse

TRAINED = 898
"""Pictures trained on; the other 539 of the training part validate. The held-out test part is never read here."""
VALIDATED = 539
EPOCHS, BATCH = 10, 128
_RATE, _CALIBRATION = 1.5e-2, 256


@dataclass(frozen=True, slots=True)
class Row:
    """One member: its name, the seed of its training, accuracies in percent of the validation pictures.

    ``accuracy`` is that of the quantized network in mode ``float``, ``unquantized`` that of the float network before.
    ``seconds`` are of one core and both widths together.
    """

    name: str
    seed: int
    accuracy: float
    unquantized: float
    parameters: int
    macs: int
    seconds: float


def train_group(group: Iterable[Architecture], seed: int) -> list[Row]:
    """Train members that differ in bits alone."""
    import torch

    from hao.frontend.torch_import import from_torch
    from hao.models.digits import IMAGE_STD
    from hao.quant.calibrate import calibrate
    from hao.quant.config import QuantConfig
    from hao.quant.model import QuantModel
    from hao.train.digits import accuracy, load_digits, normalize, train

    group = tuple(group)
    digits = load_digits()
    seen = replace(digits, train_images=digits.train_images[:TRAINED], train_labels=digits.train_labels[:TRAINED])
    unseen = (digits.train_images[TRAINED:], digits.train_labels[TRAINED:])
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    start = time.process_time()
    network = Searchable(group[0])
    train(network, seen, EPOCHS, _RATE, generator, BATCH)
    before = accuracy(network, *unseen)
    example = normalize(seen.train_images)
    found = []
    for member in group:
        quantized = copy.deepcopy(network)
        graph = from_torch(quantized, example, std=(IMAGE_STD,), name=member.name)
        model = QuantModel(quantized, graph, QuantConfig(weight_bits=member.bits))
        calibrate(model, [example[:_CALIBRATION]])
        found.append((member, accuracy(model, *unseen)))
    spent = round(time.process_time() - start, 2)
    return [
        Row(m.name, seed, round(reached, 3), round(before, 3), parameters_of(m), macs_of(m), spent) for m, reached in found
    ]  # fmt: skip


def read_rows(path: Path) -> list[Row]:
    """The rows of a table, in its order.

    Raises:
        DataError: unreadable, a column missing, or a line that is no row.
    """
    hint = "write it again: python -m hao.search.tabular FILE"
    try:
        lines = list(csv.DictReader(io.StringIO(read_text(path))))
        rows = [
            Row(
                parse(line["name"]).name, int(line["seed"]), float(line["accuracy"]), float(line["unquantized"]),
                int(line["parameters"]), int(line["macs"]), float(line["seconds"]),
            )
            for line in lines
        ]  # fmt: skip
    except (OSError, UnicodeDecodeError, csv.Error, KeyError, TypeError, ValueError, ModelError) as error:
        raise DataError(f"{path} is no table of trained members: {error}", hint) from error
    if len({row.name for row in rows}) != len(rows):
        raise DataError(f"{path} names a member twice", hint)
    return rows


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """Write a table in one step."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(Row)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text(text.getvalue(), encoding="utf-8")
    partial.replace(path)


def _quiet(done: int, total: int) -> None:
    """Say nothing."""


def complete(path: Path, seed: int, progress: Callable[[int, int], None] = _quiet, most: int | None = None) -> list[Row]:
    """Train the members that ``path`` lacks, at most ``most`` groups of them, and write after each.

    Raises:
        DataError: the table there is damaged.
    """
    every = members()
    rows = {row.name: row for row in (read_rows(path) if path.exists() else ())}
    ordered = sorted(every, key=lambda m: (m.width, m.blocks, m.bits))
    groups = [tuple(group) for _, group in groupby(ordered, key=lambda m: (m.width, m.blocks))]
    missing = [(number, group) for number, group in enumerate(groups) if any(member.name not in rows for member in group)]
    random.Random(seed).shuffle(missing)  # an unfinished table is a fair sample
    for done, (number, group) in enumerate(missing[:most]):
        progress(done, len(missing))
        rows.update((row.name, row) for row in train_group(group, seed * 1000 + number))
        write_rows(path, [rows[member.name] for member in every if member.name in rows])
    return [rows[member.name] for member in every if member.name in rows]


def main(file: Annotated[Path, typer.Argument(help="the table")], seed: int = 1) -> None:
    """Train every member that the table lacks."""
    import torch

    torch.set_num_threads(1)
    begun = time.monotonic()

    def progress(done: int, total: int) -> None:
        left = (time.monotonic() - begun) / done * (total - done) if done else float("nan")
        typer.echo(f"\r{done} of {total}, {left:.0f} s left ", nl=False, err=True)

    typer.echo(f"\n{len(complete(file, seed, progress))} members")


if __name__ == "__main__":
    typer.run(main)
