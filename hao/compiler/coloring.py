"""Edge colouring of bipartite multigraphs: which byte lane a channel takes, so that no word holds two channels in one lane.

Producer words (blocks of DENSE outputs) are one side, storage words (planes) the other, channels the edges, lanes the
colours. König's theorem: as many colours as the largest degree suffice, and 16 channels is the largest word.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

Edge = tuple[Hashable, Hashable, int]
"""Producer word, storage word, and the colour that is preferred."""


class _Coloring:
    def __init__(self, colors: int) -> None:
        self._colors = colors
        self._at: dict[Hashable, list[int | None]] = {}
        self.result: dict[int, int] = {}
        self._ends: list[tuple[Hashable, Hashable]] = []

    def _node(self, node: Hashable) -> list[int | None]:
        return self._at.setdefault(node, [None] * self._colors)

    def _free(self, node: Hashable) -> int:
        return self._node(node).index(None)

    def _set(self, edge: int, color: int) -> None:
        for end in self._ends[edge]:
            self._node(end)[color] = edge
        self.result[edge] = color

    def _flip(self, start: Hashable, a: int, b: int) -> None:
        """Exchange ``a`` and ``b`` along the path that leaves ``start`` with colour ``a``."""
        path: list[int] = []
        node, color = start, a
        while (edge := self._node(node)[color]) is not None:
            path.append(edge)
            left, right = self._ends[edge]
            node = right if node == left else left
            color = b if color == a else a
        for edge in path:
            for end in self._ends[edge]:
                self._node(end)[self.result[edge]] = None
        for edge in path:
            self._set(edge, b if self.result[edge] == a else a)

    def add(self, left: Hashable, right: Hashable, wanted: int) -> None:
        edge = len(self._ends)
        self._ends.append((left, right))
        mine, theirs = self._node(left), self._node(right)
        if mine[wanted] is None and theirs[wanted] is None:
            self._set(edge, wanted)
            return
        common = [c for c in range(self._colors) if mine[c] is None and theirs[c] is None]
        if common:
            self._set(edge, common[0])
            return
        a, b = self._free(left), self._free(right)
        # colour a is free at left and used at right; the path from right alternates a, b and cannot end at left (parity)
        self._flip(right, a, b)
        self._set(edge, a)


def color_edges(edges: Sequence[Edge], colors: int) -> list[int]:
    """A colour below ``colors`` for every edge, no two alike at any node.

    The two ends of an edge must be from different sides; degrees must not exceed ``colors``.
    """
    coloring = _Coloring(colors)
    for left, right, wanted in edges:
        coloring.add(("left", left), ("right", right), wanted)
    return [coloring.result[edge] for edge in range(len(edges))]
