"""PASCAL VOC's layout: reading it, and writing generated scenes in it.

``Annotations/NAME.xml``, ``JPEGImages/FILE`` and ``ImageSets/Main/SPLIT.txt``; boxes count pixels from 1, both ends
included (VOC 2007 development kit).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from hao.data.photos import Split
from hao.data.sample import Sample, make_sample
from hao.data.scenes import GENERATOR_VERSION, Scene, render_scene
from hao.data.shapes import CLASSES
from hao.errors import DataError
from hao.files import read_text

VOC_CLASSES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip
"""The twenty classes of PASCAL VOC, in the usual order."""


def read_voc(root: Path, split: str, classes: Sequence[str] = VOC_CLASSES) -> list[Sample]:
    """Samples of one image set, in its order.

    Raises:
        DataError: a file is missing or malformed, or names an unknown class; the file is named.
    """
    listing = root / "ImageSets" / "Main" / f"{split}.txt"
    try:
        names = [line.split()[0] for line in read_text(listing).splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"image set {listing} cannot be read: {error}", hint="give the folder that holds ImageSets/Main") from error
    numbers = {name: number for number, name in enumerate(classes)}
    return [_read_annotation(root, name, numbers) for name in names]


def _read_annotation(root: Path, name: str, numbers: dict[str, int]) -> Sample:
    path = root / "Annotations" / f"{name}.xml"
    if Path(name).name != name:
        raise DataError(f"the image set names {name!r}", hint="a plain name of a file in Annotations is expected")
    try:
        text = read_text(path)
        # Entities could expand without bound; annotations have no use for a document type.
        if "<!DOCTYPE" in text:
            raise DataError(f"annotation {path} declares a document type", hint="VOC annotations have none; remove it")
        tree = ElementTree.fromstring(text)
        file = _text(tree, "filename")
        if Path(file).name != file:
            raise DataError(f"annotation {path} names the file {file!r}", hint="a plain file name in JPEGImages is expected")
        rows, labels, ignored = [], [], []
        for item in tree.iter("object"):
            box = item.find("bndbox")
            if box is None:
                raise DataError(f"annotation {path} has an object without a box", hint="every object needs a bndbox")
            x0, y0, x1, y1 = (float(_text(box, key)) for key in ("xmin", "ymin", "xmax", "ymax"))
            rows.append((x0 - 1, y0 - 1, x1, y1))
            labels.append(numbers[_text(item, "name")])
            ignored.append(item.findtext("difficult", "0").strip() == "1")
    except KeyError as error:
        raise DataError(f"annotation {path} has the unknown class {error}", hint=f"known: {', '.join(numbers)}") from error
    except (OSError, UnicodeDecodeError, ElementTree.ParseError, ValueError) as error:
        raise DataError(f"annotation {path} cannot be read: {error}", hint="it must be a VOC XML file") from error
    return make_sample(root / "JPEGImages" / file, rows, labels, ignored)


def _text(element: ElementTree.Element, key: str) -> str:
    value = element.findtext(key)
    if value is None or not value.strip():
        raise ValueError(f"<{key}> is missing")
    return value.strip()


def write_voc(root: Path, split: Split, count: int, first: int = 0) -> list[str]:
    """Render scenes ``first`` to ``first + count - 1`` of ``split`` and write them in VOC's layout; their names.

    Pictures are PNG, so that what is read is what was rendered. The image set is written last: an interrupted call leaves
    no set that lists missing files.
    """
    from PIL import Image

    for folder in ("Annotations", "JPEGImages", "ImageSets/Main"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    names = []
    for index in range(first, first + count):
        name = f"v{GENERATOR_VERSION}_{split}_{index:06d}"
        scene = render_scene(split, index)
        Image.fromarray(scene.image).save(root / "JPEGImages" / f"{name}.png", compress_level=1)
        ElementTree.ElementTree(_annotation(name, scene)).write(root / "Annotations" / f"{name}.xml", encoding="utf-8")
        names.append(name)
    partial = root / "ImageSets" / "Main" / f".{split}.partial"
    partial.write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
    partial.replace(partial.with_name(f"{split}.txt"))
    return names


def _annotation(name: str, scene: Scene) -> ElementTree.Element:
    root = ElementTree.Element("annotation")
    _add(root, "folder", "VOC")
    _add(root, "filename", f"{name}.png")
    size = ElementTree.SubElement(root, "size")
    for key, value in zip(("height", "width", "depth"), scene.image.shape, strict=True):
        _add(size, key, value)
    _add(root, "segmented", 0)
    for box, label, visible in zip(scene.boxes.tolist(), scene.labels.tolist(), scene.visible.tolist(), strict=True):
        item = ElementTree.SubElement(root, "object")
        _add(item, "name", CLASSES[label])
        _add(item, "pose", "Unspecified")
        _add(item, "truncated", 0)
        _add(item, "occluded", int(visible < 95))
        _add(item, "difficult", 0)
        corners = ElementTree.SubElement(item, "bndbox")
        x0, y0, x1, y1 = box
        for key, value in (("xmin", x0 + 1), ("ymin", y0 + 1), ("xmax", x1), ("ymax", y1)):
            _add(corners, key, value)
    return root


def _add(parent: ElementTree.Element, key: str, value: object) -> None:
    ElementTree.SubElement(parent, key).text = str(value)
