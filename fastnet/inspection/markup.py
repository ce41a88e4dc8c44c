"""Builds HTML from elements. Text is escaped unless it is markup already, so names cannot break the page."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from fastnet.terminal.screen import printable

ROW_LIMIT = 200  # rows that a table shows, so that the page stays small
TEXT_LIMIT = 60  # characters of a name
PHONE_COLUMNS = 3  # columns that fit on a phone


class Markup(str):
    """Text that is HTML already and is not escaped again."""

    __slots__ = ()


class Section(NamedTuple):
    """A section of the page: its anchor, its title, an introduction and its body."""

    anchor: str
    title: str
    lead: str
    body: Markup


def join(*children: Any) -> Markup:
    """Joins children: markup stays as it is, other values are escaped, None is left out."""
    return Markup(
        "".join(child if isinstance(child, Markup) else _escaped(child) for child in children if child is not None)
    )


def _escaped(content: Any) -> str:
    """Escapes a text for HTML, and replaces control characters and halves of surrogate pairs."""
    return html.escape(printable(str(content), keep="\t\n"))


def tag(name: str, *children: Any, **attributes: Any) -> Markup:
    """Builds an element. In attribute names a final underscore is dropped, and others become hyphens.

    Example:
        >>> print(tag("p", "1 < 2 ", tag("b", "&"), class_="note"))
        <p class="note">1 &lt; 2 <b>&amp;</b></p>
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_escaped(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    end = "" if name in ("img", "br") else f"</{name}>"
    return Markup(f"<{name}{written}>{join(*children)}{end}")


def note(*children: Any) -> Markup:
    """Builds a paragraph in the style of a note."""
    return tag("p", *children, class_="note")


def table(head: Sequence[Any], rows: Iterable[Sequence[Any]], label: str, numbers_from: int = 1) -> Markup:
    """Builds a table in a box that scrolls if the table is too wide. The first cell of a row is its heading.

    On a phone, each row of a table with many columns becomes a small list with the columns' names.

    Args:
        head: the columns' names.
        rows: the rows of cells; the first `ROW_LIMIT` are shown.
        label: a description of the table for screen readers.
        numbers_from: index of the first column with numbers, which are aligned to the right.
    """
    every = list(rows)

    def kind(column: int) -> str | None:
        return "number" if column >= numbers_from else None

    body = [
        tag(
            "tr",
            tag("th", row[0], class_=kind(0), scope="row", data_label=head[0] or None),
            *(tag("td", cell, class_=kind(i), data_label=head[i]) for i, cell in enumerate(row[1:], 1)),
        )
        for row in every[:ROW_LIMIT]
    ]
    top = tag("tr", *(tag("th", name, scope="col", class_=kind(i)) for i, name in enumerate(head)))
    is_wide = len(head) > PHONE_COLUMNS
    whole = tag("table", tag("thead", top), tag("tbody", *body), class_="stack" if is_wide else None)
    rest = len(every) - ROW_LIMIT
    more = note(f"The first {ROW_LIMIT} rows of {len(every):,}.") if rest > 0 else None
    return join(scroll(whole, label), more)


def scroll(content: Markup, label: str) -> Markup:
    """Builds a box that scrolls sideways. It can have the focus, so that the keyboard can scroll it."""
    return tag("div", content, class_="scroll", role="region", tabindex="0", aria_label=label)


def details(summary: str, *children: Any) -> Markup:
    """Builds a part of the page that opens when its summary is clicked."""
    return tag("details", tag("summary", summary), *children)


def definitions(pairs: Iterable[tuple[Any, Any]]) -> Markup:
    """Builds a list of (name, value) pairs."""
    return tag("dl", *(tag("div", tag("dt", name), tag("dd", value)) for name, value in pairs), class_="facts")


def bar(share: float, text: str, kind: str = "") -> Markup:
    """Builds a bar for a share between 0 and 1, followed by a text."""
    filled = tag("span", class_="fill", style=f"--share:{min(max(share, 0.0), 1.0):.4f}")
    return tag("span", tag("span", filled, class_="track", aria_hidden="true"), text, class_=f"bar {kind}".strip())


def rounded(value: Any, digits: int = 4) -> str:
    """Writes a number with `digits` significant digits; whole numbers are written in full."""
    if np.ndim(value):
        return f"{rounded(np.mean(value), digits)} (mean)"
    if isinstance(value, int | np.integer):
        return f"{value:,}"
    if math.isnan(value):
        return "NaN"
    return f"{value:,.{digits}g}" if abs(value) < 10**digits or abs(value) >= 1e9 else f"{value:,.0f}"


def percent(share: float, digits: int = 1) -> str:
    """Writes a share between 0 and 1 in percent; it is not rounded up to 100 % or down to 0 %."""
    least = 10.0**-digits
    value = 100 * share
    if 0 < value < least:
        return f"<\u00a0{least:g}\u00a0%"
    if 100 - least < value < 100:
        return f">\u00a0{100 - least:g}\u00a0%"
    return f"{value:.{digits}f}\u00a0%"


def clip(text: str, most: int = TEXT_LIMIT) -> str:
    """Cuts a text to at most `most` characters, the last of which is an ellipsis then."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def plural(count: int, noun: str) -> str:
    """Writes a count with a noun: "1 mistake", "2 mistakes"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
