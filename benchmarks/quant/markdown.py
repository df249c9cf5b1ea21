"""Tables of the documentation, made from ``results.json`` and held against it by a test."""

from __future__ import annotations

from typing import Any

from benchmarks.quant.measure import AVERAGES, CALIBRATIONS, MENU, PREDICTORS, PRUNINGS, RATIOS

NAMES = {
    "HAWQ-V2 trace": "HAWQ-V2 (trace)",
    "HAWQ eigenvalue": "HAWQ (eigenvalue)",
    "ZeroQ distilled": "ZeroQ, distilled images",
    "weight norm": "control: weight norm",
    "parameters": "control: parameter count",
    "random": "control: random",
    "reversed trace": "control: reversed trace",
}


def _shown(value: list[float], digits: int = 2) -> str:
    """Median with its interval."""
    return f"{value[0]:.{digits}f} [{value[1]:.{digits}f}, {value[2]:.{digits}f}]"


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def _name(label: str) -> str:
    return NAMES.get(label, label)


def task_markdown(made: dict[str, Any]) -> str:
    """All tables of one task."""
    exact = made["float"]
    parts = [
        f"{made['seeds']} seeds, {made['cells']} networks. Float networks: loss {_shown(exact['loss'])}, accuracy "
        f"{_shown(exact['accuracy'], 1)} %. Half-width of the traces' intervals: {100 * made['half width'][0]:.0f} % (median).\n",
        "Spearman correlation of predicted and measured increase of the loss, one layer rounded alone:\n",
        _spearman(made["spearman, loss"]),
        "The same against the KL divergence from the float network:\n",
        _spearman(made["spearman, KL"]),
        "Loss after quantization to mixed widths, and how much more than with HAWQ-V2's widths at the same average (paired):\n",
        _mixed(made),
        "KL divergence, likewise:\n",
        _mixed(made, "kl"),
        "Uniform 3 bits minus mixed widths at 3 bits on average (a loss above zero: the mixed ones are better):\n",
        _uniform(made),
        "Uniform widths and calibrations (loss, KL, accuracy in percent):\n",
        _plain(made),
    ]
    return "\n".join([*parts, *(_pruning(made) if "pruned" in made else [])])


def _spearman(made: dict[str, Any]) -> str:
    head = ["predictor", "all layers and widths", *(f"at {bits} bits" for bits in MENU)]
    return _table(head, [[_name(each), *(_shown(value) for value in made[each].values())] for each in PREDICTORS])


def _mixed(made: dict[str, Any], measure: str = "loss") -> str:
    head, rows = ["widths by", *(f"{average} bits" for average in AVERAGES), *(f"more, {average}" for average in AVERAGES)], []
    for each in PREDICTORS:
        own = [_shown(made["mixed"][f"{each} @ {average}"][measure]) for average in AVERAGES]
        more = [
            "" if each == PREDICTORS[0] else _shown(made[f"minus {PREDICTORS[0]}"][str(average)][each][measure]) for average in AVERAGES
        ]
        rows.append([_name(each), *own, *more])
    return _table(head, rows)


def _uniform(made: dict[str, Any]) -> str:
    table = made["uniform 3 minus mixed 3.0"]
    return _table(
        ["widths by", "loss", "KL", "accuracy"], [[_name(each), *(_shown(value) for value in table[each].values())] for each in table]
    )


def _plain(made: dict[str, Any]) -> str:
    keys = [f"uniform @ {bits}" for bits in MENU]
    keys += [f"calibrated on {each} @ 4" for each in CALIBRATIONS] + [f"all by {each} @ 3.0" for each in CALIBRATIONS]
    rows = [[key, *(_shown(made["mixed"][key][label], 1 if label == "accuracy" else 2) for label in made["float"])] for key in keys]
    return _table(["setting", "loss", "KL", "accuracy"], rows)


def _pruning(made: dict[str, Any]) -> list[str]:
    head = [
        "pruned by",
        "share of channels",
        "poorest layer keeps",
        "loss before",
        "loss after",
        "more than HAP, before",
        "after",
        "accuracy after",
    ]
    rows = []
    for ratio in RATIOS:
        for each in PRUNINGS:
            key = f"{each} @ {ratio}"
            loss = [_shown(made["pruned"][f"{key} {when}"]["loss"]) for when in ("before", "after")]
            more = ["" if each == "HAP" else _shown(made["minus HAP"][f"{ratio} {when}"][each]["loss"]) for when in ("before", "after")]
            kept = f"{100 * made['kept by the poorest layer'][key][0]:.0f} %"
            rows.append([each, f"{100 * ratio:.0f} %", kept, *loss, *more, _shown(made["pruned"][f"{key} after"]["accuracy"], 1)])
    return ["Loss after pruning, before and after fine-tuning:\n", _table(head, rows)]


def codenet_markdown(made: dict[str, Any]) -> str:
    """AP50 of the settings: uniform widths in both modes, then mixed ones, a row a predictor."""
    found, averages = made["ap50"], [label.rpartition(" @ ")[2] for label in made if label.startswith(f"minus {PREDICTORS[0]}")]

    def shown(key: str) -> str:
        return _shown(found[key]["ap50"], 1) if key in found else ""

    plain = [key for key in found if " @ " not in key and not key.endswith(", integers")]
    rows = [[key, "32" if key == "float" else f"{found[key]['average']:.2f}", shown(key), shown(f"{key}, integers")] for key in plain]
    parts = [_table(["weights", "bits on average", "AP50, mode `float`", "mode `integer`"], rows)]
    head = [
        "widths by",
        *(f"{average} bits" for average in averages),
        *(f"minus HAWQ-V2, {average}" for average in averages),
        "minus W3, 3.0",
    ]
    rows = []
    for each in PREDICTORS:
        own = [shown(f"{each} @ {average}") for average in averages]
        if any(own):
            tables = [*(made[f"minus {PREDICTORS[0]} @ {average}"] for average in averages), made["minus uniform W3"]]
            rows.append([_name(each), *own, *(_shown(table[each], 1) if table.get(each) else "" for table in tables)])
            twins = [shown(f"{each} @ {average}, integers") for average in averages]
            if any(twins):
                rows.append([f"{_name(each)}, mode `integer`", *twins, *[""] * len(tables)])
    return "\n".join([*parts, _table(head, rows)] if rows else parts)


def replaced(text: str, mark: str, body: str) -> str:
    """``text`` with ``body`` between the marks of that name."""
    first, last = f"<!-- {mark} -->\n", f"<!-- end of {mark} -->"
    start, end = text.index(first) + len(first), text.index(last)
    return text[:start] + "\n" + body + "\n" + text[end:]
