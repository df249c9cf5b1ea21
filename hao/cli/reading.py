"""What the outputs of a network mean: boxes from a detector's heads, a class from a classifier's scores."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from hao.ir.graph import Graph, TensorType
from hao.report.schema import DetectionReport

Tensor = npt.NDArray[np.int32]
THRESHOLD = 0.3
_HEADS = 3


def labels(graph: Graph, count: int) -> tuple[str, ...]:
    """Names of ``count`` classes: those that the network carries, those of the generator, or numbers."""
    named = graph.metadata.get("classes")
    if isinstance(named, list | tuple) and len(named) == count:
        return tuple(map(str, named))
    from hao.data.shapes import CLASSES

    return CLASSES if len(CLASSES) == count else tuple(map(str, range(count)))


def is_detector(graph: Graph) -> bool:
    """Whether the outputs are the three heads of a CenterNet: heat, size, offset."""
    return len(graph.outputs) == _HEADS


def detections(graph: Graph, types: Mapping[str, TensorType], outputs: Mapping[str, Tensor]) -> tuple[DetectionReport, ...]:
    """Boxes of at least ``THRESHOLD``, best first; none where the scales of the heads are unknown (random numbers).

    Args:
        graph: a detector.
        types: of its tensors, scales included.
        outputs: its outputs.
    """
    from hao.models.decode import decode

    scales = [types[name].scale for name in graph.outputs]
    if any(scale is None for scale in scales):
        return ()
    heads = [outputs[name].astype(np.float64) * scale for name, scale in zip(graph.outputs, scales, strict=True) if scale is not None]
    found = decode(heads[0], heads[1], heads[2])
    names = labels(graph, heads[0].shape[0])
    rows = zip(found.boxes.tolist(), found.labels.tolist(), found.scores.tolist(), strict=True)
    return tuple(
        DetectionReport(label=names[label], score=score, box=(box[0], box[1], box[2], box[3]))
        for box, label, score in rows
        if score >= THRESHOLD
    )


def prediction(graph: Graph, outputs: Mapping[str, Tensor]) -> str:
    """The class with the highest score, the first one of several equal ones; empty where the result is a map and no scores."""
    scores = outputs[graph.outputs[0]]
    if scores.shape[1:] != (1, 1):
        return ""
    scores = scores.reshape(-1)
    return labels(graph, scores.size)[int(scores.argmax())]
