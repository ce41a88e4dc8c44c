"""save_all: writes all plots of a model as PNG files."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnet import checks
from fastnet.inspection import facts
from fastnet.plotting import curves
from fastnet.plotting.axes import require_matplotlib
from fastnet.plotting.images import activations, digits, weights
from fastnet.plotting.predictions import calibration, confusion_matrix, mistakes
from fastnet.terminal.screen import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fastnet.models import Sequential

_SHOWN = 30  # number of digits in the grid


def save_all(model: Sequential, history: Any, x: Any, y: Any, folder: Any) -> list[Path]:
    """Writes every plot that fits the model as a PNG file. It needs no display and leaves no figure open.

    Plots that do not fit are left out. Digits, mistakes and weights need square images. The confusion matrix and the
    mistakes need labels in `y`. Calibration and mistakes need outputs that are probabilities. All plots of outputs need
    finite outputs.

    Args:
        model: a built model, usually a trained one.
        history: the result of `fit`, its dict, or a `StepHistory`; None for no curves.
        x: examples, usually the test set.
        y: their labels, (n,) or one-hot rows.
        folder: the folder to write to. It is created if needed; files of the same names are replaced.

    Returns:
        The files' paths.

    Raises:
        ValueError, TypeError: if the model has no weights, x or y do not fit, or the history is wrong or empty.
        OSError: if the folder or a file cannot be written.
        ImportError: if matplotlib is not installed.
    """
    require_matplotlib()
    facts.check_built(model)
    record = {} if history is None else curves.values_of(history)
    x, y = checks.numeric("x", x), checks.numeric("y", y)
    output = model.predict(x, verbose=0)
    if not len(output) or len(y) != len(output):
        raise ValueError(f"x has {len(output)} examples and y {len(y)}; expected as many, and at least one")
    output = output.reshape(len(output), -1)
    p = _fitting(facts.probabilities_of, "the model's output", output, len(output))
    found = _fitting(facts.predicted_of, "the model's output", output)
    true = None if found is None else _fitting(facts.labels_of, "y", y)
    pictures = _fitting(facts.images_of, "x", x)
    plots: dict[str, tuple[tuple[float, float], Callable[[Axes], Any]]] = {}
    for name in curves.whole(record, history):
        plots[name] = (6.4, 4), _curve(history, name)
    if true is not None:
        facts.for_labels("y", true, output if p is None else p)
        plots["confusion_matrix"] = (6.4, 6.4), lambda ax: confusion_matrix(true, found, ax=ax)
        if p is not None:
            plots["calibration"] = (5.5, 5), lambda ax: calibration(true, p, ax=ax)
        if pictures is not None:
            shown = slice(_SHOWN)
            plots["digits"] = (9, 3.9), lambda ax: digits(pictures[shown], true[shown], found[shown], ax=ax)
            if p is not None:
                plots["mistakes"] = (9.3, 4.6), lambda ax: mistakes(model, x, true, ax=ax)
    elif pictures is not None:
        plots["digits"] = (9, 3.9), lambda ax: digits(pictures[:_SHOWN], ax=ax)
    dense = facts.dense_layers(model)
    if pictures is not None and dense and math.isqrt(len(dense[0].kernel.numpy())) ** 2 == len(dense[0].kernel.numpy()):
        plots["weights"] = (7, 6), lambda ax: weights(model, ax=ax)
    if np.isfinite(output).all():
        plots["activations"] = (2.6 * (len(dense) + 1) + 0.6, 3.4), lambda ax: activations(model, x[0], ax=ax)
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    return [_write(target / f"{_file_name(name)}.png", draw, size) for name, (size, draw) in plots.items()]


def _file_name(name: str) -> str:
    """Replaces the characters of a plot's name that cannot be in a file's name."""
    return re.sub(r'[/\\:*?"<>|]', "_", printable(name))


def _fitting(check: Callable[..., Any], *arguments: Any) -> Any:
    """Returns the result of a check; None if it raises ValueError."""
    try:
        return check(*arguments)
    except ValueError:
        return None


def _curve(history: Any, name: str) -> Callable[[Axes], Any]:
    return lambda ax: curves.history(history, metrics=name, ax=ax)


def _write(path: Path, draw: Callable[[Axes], Any], size: tuple[float, float], dpi: int = 150) -> Path:
    """Writes one plot, in a figure that pyplot does not know, so that nobody has to close it."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from fastnet.saving.files import replacing  # only writing needs it

    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    draw(figure.add_subplot())
    with replacing(os.fspath(path)) as file:
        figure.savefig(file, format="png", dpi=dpi)
    return path
