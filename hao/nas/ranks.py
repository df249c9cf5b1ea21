"""How well inherited accuracies, the predictor and plain sizes rank what stand-alone training finds: Kendall's tau.

``python -m hao.nas.ranks SUPERNET FILE`` asks the supernet of a ``hao nas`` on digits for every member of the tabular benchmark, whose
training pictures and validation pictures are the same, and writes the ranks as JSON.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import torch
import typer

from hao.models.searchable import parse
from hao.nas.corpus import digits
from hao.nas.learn import Inherited, load_supernet
from hao.search.costed import TRAINED
from hao.search.predictor import kendall
from hao.search.tabular import Row, read_rows


def ranks(rows: list[Row], inherited: list[float]) -> dict[str, Any]:
    """Tau with the accuracies of stand-alone training: of all rows, within every width, and among the best quarter."""
    truth = [row.accuracy for row in rows]
    best = sorted(range(len(rows)), key=lambda n: -truth[n])[: len(rows) // 4]
    found: dict[str, Any] = {
        "members": len(rows), "inherited": kendall(inherited, truth), "macs": kendall([row.macs for row in rows], truth),
        "parameters": kendall([row.parameters for row in rows], truth),
        "best_quarter": {
            "inherited": kendall([inherited[n] for n in best], [truth[n] for n in best]),
            "macs": kendall([rows[n].macs for n in best], [truth[n] for n in best]),
            "parameters": kendall([rows[n].parameters for n in best], [truth[n] for n in best]),
        },
    }  # fmt: skip
    for width in sorted({parse(row.name).width for row in rows}):
        own = [n for n, row in enumerate(rows) if parse(row.name).width == width]
        found[f"width {width}"] = {
            "inherited": kendall([inherited[n] for n in own], [truth[n] for n in own]),
            "macs": kendall([rows[n].macs for n in own], [truth[n] for n in own]),
            "parameters": kendall([rows[n].parameters for n in own], [truth[n] for n in own]),
        }
    return found


def main(
    supernet: Annotated[Path, typer.Argument(help="supernet.safetensors of a hao nas on digits")],
    file: Annotated[Path, typer.Argument(help="where the ranks go")],
) -> None:
    """Compare rankings."""
    torch.set_num_threads(1)
    corpus, rows = digits(), read_rows(TRAINED)
    judge = Inherited(load_supernet(supernet, corpus), corpus)
    found = []
    for row in rows:
        found.append(judge.accuracy(parse(row.name)))
        typer.echo(f"\r{len(found)} of {len(rows)} ", nl=False, err=True)
    content = {**ranks(rows, found), "rows": {row.name: accuracy for row, accuracy in zip(rows, found, strict=True)}}
    file.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    typer.echo("\n" + json.dumps({name: value for name, value in content.items() if name != "rows"}))


if __name__ == "__main__":
    typer.run(main)
