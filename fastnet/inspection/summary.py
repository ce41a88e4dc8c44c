"""Writes the table of `Sequential.summary`, and a model's shapes for error messages."""

from collections.abc import Iterator, Sequence
from typing import Any

from fastnet.layers import Dense, Layer
from fastnet.terminal import screen

# Four horizontal rules (top, below the head, between rows, bottom), each as left end, line, joint and right end; then
# the vertical bars of the head and of the rows.
_BOXES = ("┏━┳┓", "┡━╇┩", "├─┼┤", "└─┴┘", "┃", "│")
_ASCII = ("+-++", "+=++", "+-++", "+-++", "|", "|")
_HEAD = ("Layer (type)", "Output Shape", "Param #", "Trainable")
_LEAST = (31, 22, 13, 9)  # minimum widths of the columns
_LINE = 80  # a terminal's usual width, which the table keeps unless a name alone is too long


def format_bytes(size: int) -> str:
    """Writes a size with its unit, such as "1.55 MB"; units are powers of 1,024."""
    amount = float(size)
    for unit in ("B", "KB", "MB", "GB"):
        if amount < 1024:
            return f"{amount:.2f} {unit}"
        amount /= 1024
    return f"{amount:.2f} TB"


def shapes_along(shape: tuple[int, ...] | None, layers: Sequence[Layer]) -> str:
    """Writes an example's shape after each layer: "Along the model: (784,) -> dense (512,) -> dense_1 (10,)"."""
    parts = ["?" if shape is None else str(shape)]
    for layer in layers:
        known: Any = layer.output_shape
        if known is None:
            known = (layer.units,) if isinstance(layer, Dense) else "?"
        parts.append(f"{screen.printable(layer.name)} {known}")
    return "Along the model: " + " -> ".join(parts)


def table(name: str, layers: Sequence[Any], expand_nested: bool = False, show_trainable: bool = False) -> str:
    """Writes a table of the layers, their output shapes and numbers of weights, and the totals below.

    Args:
        name: the model's name.
        layers: its layers, which may be models.
        expand_nested: whether the layers of these models get rows, too.
        show_trainable: whether a fourth column says Y or N for a layer that has weights.
    """
    head = _HEAD if show_trainable else _HEAD[:3]
    room = _LINE - 1 - sum(_LEAST[1 : len(head)]) - 3 * len(head)  # for the first column
    rows = [
        (
            _title(layer, "    " * depth, room),
            _shape(layer),
            f"{layer.count_params():,}" if layer.built else "?",
            "-" if layer.built and not layer.weights else "Y" if layer.trainable else "N",
        )[: len(head)]
        for depth, layer in _rows(layers, expand_nested, 0)
    ]
    least = (min(_LEAST[0], room), *_LEAST[1 : len(head)])
    widths = [
        max(least[i], *(len(part) for row in [head, *rows] for part in row[i].split("\n"))) for i in range(len(head))
    ]
    top, foot, between, bottom, head_bar, bar = _BOXES if screen.shows("".join(_BOXES)) else _ASCII

    def rule(ends: str) -> str:
        return ends[0] + ends[2].join(ends[1] * (width + 2) for width in widths) + ends[3]

    def line(cells: tuple[str, ...], bar: str) -> str:
        title, *more = cells[0].split("\n")
        padded = [
            cell.rjust(w) if i == 2 else cell.ljust(w)
            for i, (cell, w) in enumerate(zip((title, *cells[1:]), widths, strict=True))
        ]
        text = f"{bar} " + f" {bar} ".join(padded) + f" {bar}"
        return "\n".join([text, *(line((part, *[""] * (len(cells) - 1)), bar) for part in more)])

    lines = [f'Model: "{screen.printable(str(name))}"', rule(top), line(head, head_bar), rule(foot)]
    for i, row in enumerate(rows):
        lines += ([rule(between)] if i else []) + [line(row, bar)]
    trained = sum(variable.size for layer in layers for variable in layer.trainable_weights)
    total = sum(layer.count_params() for layer in layers)
    lines.append(rule(bottom))
    for kind, count in (("Total", total), ("Trainable", trained), ("Non-trainable", total - trained)):
        lines.append(f" {kind} params: {count:,} ({format_bytes(4 * count)})")
    return "\n".join(lines)


def _rows(layers: Sequence[Any], expand_nested: bool, depth: int) -> Iterator[tuple[int, Any]]:
    """Yields the layers, and if wanted those of the models among them, each with the number of models around it."""
    for layer in layers:
        yield depth, layer
        if expand_nested and not isinstance(layer, Layer):
            yield from _rows(layer.layers, True, depth + 1)


def _title(layer: Any, indent: str, room: int) -> str:
    """Writes a layer's name and class; the class in a second line if both do not fit into a column of `room`."""
    name, kind = indent + screen.printable(layer.name), f"({type(layer).__name__})"
    return f"{name} {kind}" if len(name) + len(kind) < room else f"{name}\n{indent}{kind}"


def _shape(layer: Any) -> str:
    """Writes a layer's output shape, such as "(None, 512)"; "?" if it is not known yet."""
    if layer.output_shape is not None:
        return str((None, *layer.output_shape) if isinstance(layer, Layer) else layer.output_shape)
    return f"(None, {layer.units})" if isinstance(layer, Dense) else "?"
