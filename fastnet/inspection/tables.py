"""Lists that show themselves as a table: in print, at the interactive prompt and in a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

from fastnet.terminal import screen

R = TypeVar("R")


class Cells(NamedTuple):
    """A table as texts: a line above it, the names of its columns, its rows, and a line below it."""

    above: str
    head: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    below: str


class Table(list[R]):
    """A list whose text is a table. A subclass says in `_cells` what stands in it."""

    def _cells(self) -> Cells:
        raise NotImplementedError

    def __str__(self) -> str:
        above, head, rows, below = self._cells()
        lines = [[screen.printable(cell) for cell in line] for line in (head, *rows)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        whole = [
            "  ".join(cell.rjust(width) if i else cell.ljust(width) for i, (cell, width) in enumerate(zipped)).rstrip()
            for zipped in (list(zip(line, widths, strict=True)) for line in lines)
        ]
        return "\n".join([*filter(None, [above]), *whole, *filter(None, [below])])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """The table for a notebook, which asks for it by this name."""
        from fastnet.inspection.markup import join, table, tag  # only a notebook needs it

        above, head, rows, below = self._cells()
        return join(
            tag("p", above) if above else None,
            table(head, rows, type(self).__name__),
            tag("p", below) if below else None,
        )
