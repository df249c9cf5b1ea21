"""MS COCO's instance annotations (the 2014/2017 JSON layout)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hao.data.sample import Sample, make_sample
from hao.errors import DataError
from hao.files import read_json

_HINT = "an instances_*.json file of COCO is expected"


@dataclass(frozen=True, slots=True)
class CocoSet:
    """A COCO data set.

    Attributes:
        classes: category names in the order of their identifiers; a label is an index into them.
        category_ids: the identifiers, for writing results.
        image_ids: one a sample.
        samples: in the file's order.
    """

    classes: tuple[str, ...]
    category_ids: tuple[int, ...]
    image_ids: tuple[int, ...]
    samples: tuple[Sample, ...]


def read_coco(annotations: Path, images: Path) -> CocoSet:
    """Read an ``instances_*.json`` file; pictures lie in the folder ``images``.

    Raises:
        DataError: the file is missing or malformed, or refers to an unknown picture or category.
    """
    try:
        content: dict[str, Any] = read_json(annotations)
        categories = sorted((int(c["id"]), str(c["name"])) for c in content["categories"])
        files = {int(image["id"]): _plain(str(image["file_name"])) for image in content["images"]}
        rows: dict[int, list[tuple[float, float, float, float]]] = {key: [] for key in files}
        labels: dict[int, list[int]] = {key: [] for key in files}
        crowd: dict[int, list[bool]] = {key: [] for key in files}
        numbers = {identifier: number for number, (identifier, _) in enumerate(categories)}
        for item in content["annotations"]:
            key = int(item["image_id"])
            x, y, width, height = (float(v) for v in item["bbox"])
            labels[key].append(numbers[int(item["category_id"])])
            rows[key].append((x, y, x + width, y + height))
            crowd[key].append(bool(item.get("iscrowd", 0)))
    except KeyError as error:
        raise DataError(f"annotations {annotations}: no {error}", hint=_HINT) from error
    except (OSError, ValueError, TypeError, AttributeError, OverflowError) as error:
        raise DataError(f"annotations {annotations} cannot be read: {error}", hint=_HINT) from error
    return CocoSet(
        tuple(name for _, name in categories),
        tuple(identifier for identifier, _ in categories),
        tuple(files),
        tuple(make_sample(images / files[key], rows[key], labels[key], crowd[key]) for key in files),
    )


def _plain(name: str) -> str:
    if Path(name).name != name:
        raise ValueError(f"file name {name!r} is not a plain one")
    return name
