"""Plots images: digits in a grid, the first layer's weights, and an example's outputs layer by layer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnet import checks
from fastnet.inspection.facts import check_built, dense_layers, images_of, labels_of, predicted_of
from fastnet.layers import Dense
from fastnet.plotting.axes import BLUE, RED, axes_or_new, literal, mosaic, write_above

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fastnet.models import Sequential


def digits(
    images: Any, labels: Any = None, predictions: Any = None, *, columns: int = 10, ax: Axes | None = None
) -> Axes:
    """Plots images in a grid, each with its label above it.

    A wrong prediction has a thick frame and two labels: "3, is 5" means that a 5 was taken for a 3.

    Args:
        images: array (n, h, h) or (n, h * h), of any range of values.
        labels: true labels, (n,) or one-hot rows; or None.
        predictions: predicted labels, or probabilities (n, classes), or (n, 1) for two classes; or None.
        columns: number of images in a row.
        ax: the axes to draw into; None for new axes.

    Raises:
        ValueError, TypeError: if an array has another type or shape.
        ImportError: if matplotlib is not installed.
    """
    pictures = images_of("images", images)
    n, side = len(pictures), pictures.shape[1]
    columns = checks.integer("columns", columns, least=1)
    true = None if labels is None else labels_of("labels", labels, n)
    found = None if predictions is None else predicted_of("predictions", predictions, n)
    texts, wrong = [""] * n, [False] * n
    for i in range(n):
        if true is not None and found is not None and true[i] != found[i]:
            texts[i], wrong[i] = f"{found[i]}, is {true[i]}", True
        elif true is not None or found is not None:
            texts[i] = str(true[i] if true is not None else found[i])  # type: ignore[index]
    room = max(5, side // 3) if any(texts) else 2
    whole, corners = mosaic(pictures, columns, room)
    ax = axes_or_new(ax, max(3, 0.03 * whole.shape[1] * 28 / side), 0.3 + 0.03 * whole.shape[0] * 28 / side)
    if true is not None and found is not None:
        ax.set_title(f"{n - sum(wrong):,} of {n:,} read right", fontsize=11)
    ax.imshow(whole, cmap="gray_r", interpolation="nearest")
    for (top, left), text, is_wrong in zip(corners, texts, wrong, strict=True):
        write_above(ax, left + side / 2 - 0.5, top - 0.5, text, RED if is_wrong else None)
        _frame(ax, top, left, side, RED if is_wrong else "0.85", 1.5 if is_wrong else 0.5)
    ax.set_axis_off()
    return ax


def weights(model: Sequential, *, layer: Any = None, count: int = 64, ax: Axes | None = None) -> Axes:
    """Plots the weights of each unit of a Dense layer as an image.

    Large inputs at red pixels increase the unit's output, at blue ones they decrease it; white ones have no effect. The
    units of a trained model show strokes and edges, those of a new model show noise.

    Args:
        model: a model whose inputs are square images.
        layer: the layer's name or index; None for the first Dense layer.
        count: number of units to show.
        ax: the axes to draw into; None for new axes.

    Raises:
        ValueError, TypeError: if the model or the layer does not fit.
        ImportError: if matplotlib is not installed.
    """
    count = checks.integer("count", count, least=1)
    check_built(model)
    chosen: Any
    if layer is None:
        chosen = next(iter(dense_layers(model)), None)
    else:
        chosen = model.get_layer(**({"name": layer} if isinstance(layer, str) else {"index": layer}))
    if not isinstance(chosen, Dense):
        raise ValueError(f"layer must be a Dense layer, got {'none in the model' if chosen is None else chosen!r}")
    kernel = chosen.kernel.numpy()
    side = math.isqrt(len(kernel))
    if side * side != len(kernel):
        raise ValueError(f"layer {chosen.name!r} has {len(kernel)} inputs, which are no square image")
    pictures = kernel.T[:count].reshape(-1, side, side)
    whole, _ = mosaic(pictures, math.ceil(math.sqrt(len(pictures))), 2)
    ax = axes_or_new(ax, 7, 6)
    finite = np.abs(pictures[np.isfinite(pictures)])
    limit = (float(np.quantile(finite, 0.998)) if finite.size else 0.0) or 1.0
    drawn = ax.imshow(whole, cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest")
    ax.figure.colorbar(drawn, ax=ax, shrink=0.8, label="weight", extend="both")
    units = f"first {len(pictures)} of {kernel.shape[1]:,}" if len(pictures) < kernel.shape[1] else len(pictures)
    ax.set_title(literal(f"Weights of the {units} units of '{chosen.name}'"), fontsize=11)
    ax.set_axis_off()
    return ax


def activations(model: Sequential, x: Any, *, ax: Axes | None = None) -> Axes:
    """Plots one example layer by layer: the input, the output of each Dense layer, the prediction.

    The outputs of a hidden layer are pixels, row by row; bright pixels are large values. The range of values is written
    below them. The last layer's outputs are bars. Layers after a Dense layer that only change its values, such as an
    activation or a normalization, are shown together with it.

    Args:
        model: a built model.
        x: one example, with or without the batch axis.
        ax: the axes to draw into; None for new axes. Each layer gets its own axes inside them.

    Raises:
        ValueError, TypeError: if the model has no weights, x is not one example, or an output is not finite.
        ImportError: if matplotlib is not installed.
    """
    check_built(model)
    example = checks.numeric("x", x)
    shape = tuple((model.input_shape or ())[1:])
    if example.shape == shape:
        example = example[None]
    if example.shape != (1, *shape):
        raise ValueError(f"x has shape {np.shape(x)}; expected one example, of shape {shape}")
    steps: list[tuple[str, Any]] = [("input", example)]
    value = example
    for layer in model._layers:
        value = layer(value)
        if not np.isfinite(value).all():
            raise ValueError(f"the output of layer {layer.name!r} is not finite: the training went wrong")
        if isinstance(layer, Dense) or value.size != steps[-1][1].size:
            steps.append((layer.name, value))
        elif len(steps) > 1:
            steps[-1] = (steps[-1][0], value)
    if len(steps) == 1:
        steps.append(("output", value))
    ax = axes_or_new(ax, 2.6 * len(steps) + 1, 3.2)
    ax.set_axis_off()
    width = 1 / len(steps)
    for i, (name, array) in enumerate(steps):
        inset = ax.inset_axes((i * width + 0.025, 0.1, width - 0.07, 0.78))
        numbers = np.asarray(array, np.float64).reshape(-1)
        size = " × ".join(map(str, array.shape[1:]))
        inset.set_title(f"{literal(name)}\n{size if i == 0 or array.ndim > 2 else f'{size} units'}", fontsize=9)
        if i == len(steps) - 1 and len(numbers) <= 32:
            _bars(inset, numbers)
        else:
            _pixels(inset, numbers if array.ndim != 3 else array[0], "gray_r" if i == 0 else "viridis")
        if i:
            ax.annotate(
                "",
                (i * width - 0.003, 0.5),
                (i * width - 0.035, 0.5),
                xycoords="axes fraction",
                arrowprops={"arrowstyle": "->", "color": "0.4"},
            )
    return ax


def _frame(ax: Axes, top: int, left: int, side: int, color: str, width: float) -> None:
    from matplotlib.patches import Rectangle

    ax.add_patch(Rectangle((left - 0.5, top - 0.5), side, side, fill=False, edgecolor=color, linewidth=width))


def _bars(ax: Axes, numbers: Any) -> None:
    best = int(numbers.argmax())
    ax.set_box_aspect(1)
    ax.barh(range(len(numbers)), numbers, color=[RED if i == best else BLUE for i in range(len(numbers))])
    ax.set_yticks(range(len(numbers)))
    ax.tick_params(labelsize=8)
    ax.invert_yaxis()
    ax.spines[["top", "right"]].set_visible(False)
    ax.text(numbers[best], best, f" {numbers[best]:.2f}", va="center", fontsize=8)
    if numbers.min() >= 0 and abs(numbers.sum() - 1) < 1e-3:
        ax.set(xlim=(0, 1.3), xticks=(0, 0.5, 1))
        ax.set_xlabel("probability", fontsize=8)
    else:
        ax.margins(x=0.25)


def _pixels(ax: Axes, numbers: Any, cmap: str) -> None:
    """Draws an image; a row of numbers is drawn as the pixels of a square, with blank pixels at its end."""
    if numbers.ndim == 1:
        side = math.ceil(math.sqrt(len(numbers)))
        square = np.full(side * side, np.nan)
        square[: len(numbers)] = numbers
        numbers = square.reshape(side, side)
    ax.imshow(numbers, cmap=cmap, interpolation="nearest")
    ax.set_xlabel(f"{np.nanmin(numbers):.3g} to {np.nanmax(numbers):.3g}", fontsize=8)
    ax.set_xticks([])
    ax.set_yticks([])
