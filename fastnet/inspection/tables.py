"""Table: a list that prints as a table, as text and in a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

from fastnet.terminal import screen

R = TypeVar("R")


class Cells(NamedTuple):
    """The texts of a table: a line above, the columns' names, the rows, a line below."""

    above: str
    head: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    below: str


class Table(list[R]):
    """A list that prints as a table. A subclass returns the texts in `_cells`."""

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
        """Returns the table as HTML; notebooks call a method of this name."""
        from fastnet.inspection.markup import join, table, tag  # only a notebook needs it

        above, head, rows, below = self._cells()
        return join(
            tag("p", above) if above else None,
            table(head, rows, type(self).__name__),
            tag("p", below) if below else None,
        )
