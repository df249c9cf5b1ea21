"""Rows of the layer table: what each tensor of the compiled network is, costs and compares to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hao.ir.graph import Conv, DeformConv, Graph, Node, TensorType
from hao.report.schema import LayerReport
from hao.report.stalls import LayerTime
from hao.runtime.verdict import Interval, Verdict


def macs(node: Node, result: TensorType) -> int:
    """Multiply-accumulates of one node: those of convolutions, padding included; 0 for everything else."""
    channels, height, width = result.shape
    if isinstance(node, DeformConv):
        return channels * height * width * 9
    if isinstance(node, Conv):
        return channels * height * width * int(node.weight[0].size)
    return 0


def operator_name(node: Node) -> str:
    """What the table calls the operator of ``node``."""
    if isinstance(node, DeformConv):
        return "deformable depthwise 3x3"
    if isinstance(node, Conv):
        kernel = node.weight.shape[-1]
        kind = "depthwise " if node.groups > 1 else "conv "
        return f"{kind}{kernel}x{kernel}" + (f" / {node.stride}" if node.stride > 1 else "")
    return type(node).__name__.lower()


def layer_rows(
    graph: Graph,
    types: Mapping[str, TensorType],
    verdicts: Sequence[Verdict],
    times: Mapping[str, Interval],
    macs_per_cycle: int,
    spent: Mapping[str, LayerTime],
) -> tuple[LayerReport, ...]:
    """One row a tensor that some engine was compared in, in graph order.

    Args:
        graph: the compiled (rewritten) network.
        types: of its tensors.
        verdicts: one an engine.
        times: intervals of the RTL's results, of the tensors that have any.
        macs_per_cycle: of the dense core.
        spent: work and stalls of the RTL's units, of the tensors that have any.
    """
    by_name = [{layer.tensor: layer for layer in verdict.layers.layers} for verdict in verdicts]
    rows: list[LayerReport] = []
    finished = 0
    for node in graph.nodes:
        found = [table[node.name] for table in by_name if node.name in table]
        if not found:
            continue
        kind, work, time = types[node.name], macs(node, types[node.name]), times.get(node.name)
        cycles = max(0, time.last - finished) if time else 0
        span = time.last - time.first + 1 if time else 0
        finished = max(finished, time.last) if time else finished
        dense = isinstance(node, Conv) and node.groups == 1
        unit = spent.get(node.name, LayerTime(stalls={}))
        rows.append(
            LayerReport(
                name=node.name,
                operator=operator_name(node),
                shape=kind.shape,
                bits=kind.bits,
                signed=kind.signed,
                weight_bits=node.weight_bits if isinstance(node, Conv | DeformConv) else None,
                macs=work,
                compared=sum(layer.compared for layer in found),
                equal=all(layer.equal for layer in found),
                cycles=cycles,
                span=span,
                lane_use=work / ((unit.total or max(cycles, span)) * macs_per_cycle) if span and dense else None,
                unit_cycles=unit.total,
                compute=unit.compute,
                stalls=unit.stalls,
            )
        )
    return tuple(rows)
