"""Faults of Python sources, found on the syntax tree and written as replacements of text."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from hao.mutation.mutant import Mutant

_COMPARE: dict[type[ast.cmpop], tuple[str, ...]] = {
    ast.Lt: ("<", "<="),
    ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
}
_ARITHMETIC: dict[type[ast.operator], tuple[str, str, str]] = {
    ast.Add: ("+", "-", "sign"),
    ast.Sub: ("-", "+", "sign"),
    ast.FloorDiv: ("//", "*", "arithmetic"),
    ast.Mod: ("%", "//", "arithmetic"),
    ast.LShift: ("<<", ">>", "shift"),
    ast.RShift: (">>", "<<", "shift"),
    ast.BitOr: ("|", "&", "mask"),
    ast.BitAnd: ("&", "|", "mask"),
}
_SWAPPED = {"min": "max", "max": "min", "all": "any", "any": "all"}
_SKIPPED = (ast.Raise, ast.Assert, ast.Import, ast.ImportFrom, ast.AnnAssign)


class _Finder:
    def __init__(self, file: str, text: str) -> None:
        self.file, self.text = file, text
        self._starts = [0]
        for line in text.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))

    def offset(self, line: int, column: int) -> int:
        """Character offset of an AST position, whose column counts bytes of UTF-8."""
        start = self._starts[line - 1]
        whole = self.text[start : self._starts[line]]
        return start + len(whole.encode()[:column].decode())

    def span(self, node: ast.expr) -> tuple[int, int]:
        assert node.end_lineno is not None and node.end_col_offset is not None
        return self.offset(node.lineno, node.col_offset), self.offset(node.end_lineno, node.end_col_offset)

    def between(self, left: ast.expr, right: ast.expr, old: str, new: str, kind: str) -> Iterator[Mutant]:
        """Replace the operator ``old`` that stands between two operands."""
        begin, end = self.span(left)[1], self.span(right)[0]
        at = self.text.find(old, begin, end)
        if at >= 0:
            yield self.replace(at, at + len(old), new, kind)

    def replace(self, start: int, end: int, new: str, kind: str) -> Mutant:
        line = self.text.count("\n", 0, start) + 1
        return Mutant(self.file, line, kind, start, end, self.text[start:end], new)


def _of(node: ast.AST, find: _Finder) -> Iterator[Mutant]:
    if isinstance(node, ast.Compare):
        operands = [node.left, *node.comparators]
        for operator, left, right in zip(node.ops, operands, operands[1:], strict=False):
            if type(operator) in _COMPARE:
                old, new = _COMPARE[type(operator)]
                yield from find.between(left, right, old, new, "comparison")
    elif isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
        if isinstance(node.op, ast.Mod | ast.Add) and isinstance(node.left, ast.Constant | ast.JoinedStr) and not _number(node.left):
            return
        old, new, kind = _ARITHMETIC[type(node.op)]
        yield from find.between(node.left, node.right, old, new, kind)
    elif isinstance(node, ast.BoolOp):
        old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        for left, right in zip(node.values, node.values[1:], strict=False):
            yield from find.between(left, right, old, new, "condition")
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.Not):
        start, _ = find.span(node)
        length = 1 if isinstance(node.op, ast.USub) else 4
        yield find.replace(start, start + length, "", "sign" if length == 1 else "condition")
    elif isinstance(node, ast.Constant) and _number(node):
        start, end = find.span(node)
        assert isinstance(node.value, int)
        yield find.replace(start, end, str(node.value + 1), "off by one")
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _SWAPPED:
        start, end = find.span(node.func)
        yield find.replace(start, end, _SWAPPED[node.func.id], "bound")


def _number(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) is int


def _skipped(node: ast.AST) -> bool:
    """What raises, asserts, imports, annotates or documents; refusals too, which the tests of refusals hold."""
    if isinstance(node, ast.If) and not node.orelse and all(isinstance(inner, ast.Raise) for inner in node.body):
        return True
    return isinstance(node, _SKIPPED) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes of function bodies, without those that are skipped; annotations and defaults are no part of a body."""
    children = node.body if isinstance(node, ast.FunctionDef) else ast.iter_child_nodes(node)
    for child in children:
        if not _skipped(child):
            yield child
            yield from _walk(child)


def python_mutants(file: str, text: str) -> list[Mutant]:
    """Every fault of one Python source, in the order of the text.

    Args:
        file: its name below the root of the sources.
        text: its content.
    """
    find = _Finder(file, text)
    found = {(mutant.start, mutant.after): mutant for node in _walk(ast.parse(text)) for mutant in _of(node, find)}
    return [found[key] for key in sorted(found)]
