"""The imports of a source, each with where it stands: that decides whether it is bound to run."""

import ast
from typing import NamedTuple

TOP, FUNCTION, TRY, IF = "top", "function", "try", "if"
"""It runs when the module does; when a function is called; where a failure is expected; perhaps never."""

_GUARDS = {
    ast.Try: TRY,
    ast.TryStar: TRY,
    ast.With: TRY,  # contextlib.suppress
    ast.If: IF,
    ast.For: IF,
    ast.While: IF,
    ast.Match: IF,
    ast.FunctionDef: FUNCTION,
    ast.AsyncFunctionDef: FUNCTION,
}
_STRENGTH = (TOP, FUNCTION, TRY, IF)


class Import(NamedTuple):
    """``import name`` or ``from name import attributes``; ``place`` is what `Lines.place` says of it."""

    name: str
    level: int
    attributes: tuple
    where: str
    place: dict


class Lines:
    """Turns byte offsets, which is what `ast` counts, into columns."""

    def __init__(self, source):
        self._lines = source.encode("utf-8", "replace").splitlines()

    def place(self, node):
        """Line and column of a node, and of its end, from 1."""
        return {
            "line": node.lineno,
            "column": self._column(node.lineno, node.col_offset),
            "end_line": node.end_lineno,
            "end_column": self._column(node.end_lineno, node.end_col_offset),
        }

    def _column(self, line, offset):
        data = self._lines[line - 1] if line <= len(self._lines) else b""
        return len(data[:offset].decode("utf-8", "replace")) + 1


def imports_of(tree, source):
    """Every `Import` of a module, in the order of the source."""
    lines = Lines(source)
    found = []
    waiting = [(tree, TOP)]
    while waiting:
        node, where = waiting.pop()
        if isinstance(node, ast.Import):
            found += [Import(alias.name, 0, (), where, lines.place(alias)) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            attributes = tuple(alias.name for alias in node.names)
            found.append(Import(node.module or "", node.level, attributes, where, lines.place(node)))
        elif not isinstance(node, ast.expr):
            within = max(where, _GUARDS.get(type(node), TOP), key=_STRENGTH.index)
            waiting.extend((child, within) for child in ast.iter_child_nodes(node))
    return sorted(found, key=lambda one: (one.place["line"], one.place["column"]))
