"""save_all: the whole set of plots of a model, as PNG files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastnet.callbacks import History
from fastnet.plotting import training
from fastnet.plotting.axes import require_matplotlib
from fastnet.plotting.images import activations, digits, weights
from fastnet.plotting.inputs import images_of, predictions_of
from fastnet.plotting.results import calibration, confusion_matrix, mistakes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fastnet.models import Sequential

_SHOWN = 30  # digits in the grid


def save_all(model: Sequential, history: Any, x: Any, y: Any, folder: Any) -> list[Path]:
    """Writes every plot that fits the model as a PNG file; no display is needed, and no figure stays open.

    Args:
        model: a trained classifier.
        history: what `fit` returned, or its dict, or a StepHistory; or None, and no curves are drawn.
        x, y: examples and labels, (n,) or one-hot rows, as a rule the test set.
        folder: where to write; it is made if it is not there, and files of the same names are replaced.

    Returns:
        The files' paths.

    Raises:
        ValueError, TypeError: if the model has no weights, or x or y do not fit it.
        OSError: if the folder or a file cannot be written.
        ImportError: if matplotlib is not installed.
    """
    require_matplotlib()
    true, p = predictions_of(model, x, y)
    found = p.argmax(axis=1)
    plots: dict[str, Callable[[Axes], Any]] = {
        "confusion_matrix": lambda ax: confusion_matrix(true, p, ax=ax),
        "calibration": lambda ax: calibration(true, p, ax=ax),
        "activations": lambda ax: activations(model, x[0], ax=ax),
    }
    sizes = {"confusion_matrix": (6.4, 6.4), "activations": (2.6 * (_dense(model) + 1) + 1, 3.4)}
    if _takes_images(x):
        plots["digits"] = lambda ax: digits(x[:_SHOWN], true[:_SHOWN], found[:_SHOWN], ax=ax)
        plots["mistakes"] = lambda ax: mistakes(model, x, true, ax=ax)
        sizes |= {"digits": (9, 3.8), "mistakes": (9.3, 4.6)}
        if _has_image_weights(model):
            plots["weights"] = lambda ax: weights(model, ax=ax)
            sizes["weights"] = (7, 6.4)
    if history is not None:
        record = history.history if isinstance(history, History | training.StepHistory) else history
        for name in record:
            if not name.startswith("val_"):
                plots[name] = _curve(history, name)
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    return [_write(target / f"{name}.png", draw, sizes.get(name, (6.4, 4))) for name, draw in plots.items()]


def _curve(history: Any, name: str) -> Callable[[Axes], Any]:
    return lambda ax: training.history(history, metrics=name, ax=ax)


def _write(path: Path, draw: Callable[[Axes], Any], size: tuple[float, float], dpi: int = 150) -> Path:
    """One plot, in a figure that pyplot does not know, so that nobody has to close it."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    draw(figure.add_subplot())
    figure.savefig(path, dpi=dpi)
    return path


def _dense(model: Sequential) -> int:
    return sum(hasattr(layer, "units") for layer in model.layers)


def _takes_images(x: Any) -> bool:
    try:
        return len(images_of("x", x)) > 0
    except (ValueError, TypeError):
        return False


def _has_image_weights(model: Sequential) -> bool:
    first = next((layer for layer in model.layers if hasattr(layer, "kernel")), None)
    return first is not None and int(len(first.kernel.numpy()) ** 0.5) ** 2 == len(first.kernel.numpy())
