"""Plots of what a network gets right and wrong: confusion matrix, the worst mistakes, calibration."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnet import checks
from fastnet.plotting.axes import BLUE, RED, axes_or_new, mosaic
from fastnet.plotting.inputs import images_of, labels_of, predictions_of, probabilities_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fastnet.models import Sequential

_BARE = "#f7f7f7"


def confusion_matrix(y_true: Any, y_pred: Any, *, normalize: bool = False, ax: Axes | None = None) -> Axes:
    """Which class was taken for which: a row a true class, a column a predicted one.

    What is right is on the diagonal, in blue. The mistakes are in orange on a scale of their own, or the few of a good
    network would not be seen.

    Args:
        y_true: true labels, (n,) or one-hot rows.
        y_pred: predicted labels, (n,), or probabilities, (n, classes).
        normalize: whether to show shares of the true class instead of counts.
        ax: where to draw; a new one if None.

    Raises:
        ValueError, TypeError: if the arrays are not of that kind or length.
        ImportError: if matplotlib is not installed.
    """
    true = labels_of("y_true", y_true)
    found = labels_of("y_pred", y_pred, len(true))
    widest = max([np.shape(y)[1] for y in (y_true, y_pred) if np.ndim(y) == 2] or [0])
    classes = max(int(true.max()) + 1, int(found.max()) + 1, widest if widest > 1 else 2)
    counts = np.zeros((classes, classes), np.int64)
    np.add.at(counts, (true, found), 1)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    size = 2.2 + 0.42 * classes
    ax = axes_or_new(ax, size, size)
    diagonal = np.eye(classes, dtype=bool)
    shown = shares if normalize else counts
    ax.imshow(np.where(diagonal, shares, np.nan), cmap="Blues", vmin=0, vmax=1.6)
    errors = np.where(diagonal | (counts == 0), np.nan, shown)
    most = np.nanmax(errors) if np.isfinite(errors).any() else 1
    ax.imshow(errors, cmap="Oranges", vmin=0, vmax=1.4 * most)
    ax.set_facecolor(_BARE)
    for i, j in np.argwhere(counts):
        text = f"{shares[i, j]:.1%}" if normalize else f"{counts[i, j]}"
        ax.text(j, i, text, ha="center", va="center", fontsize=6 if normalize else 8)
    ax.set_xticks(range(classes))
    ax.set_yticks(range(classes))
    ax.set_xlabel("predicted")
    ax.set_ylabel("true")
    right = int(np.trace(counts))
    ax.set_title(f"{right:,} of {len(true):,} right ({right / len(true):.2%})", fontsize=11)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return ax


def mistakes(model: Sequential, x: Any, y: Any, *, count: int = 12, ax: Axes | None = None) -> Axes:
    """The examples that the network got most surely wrong, with the probabilities of its answer and of the truth.

    Args:
        model: a classifier of square images.
        x, y: images and labels, (n,) or one-hot rows.
        count: how many to show, the worst first.
        ax: where to draw; a new one if None.

    Raises:
        ValueError, TypeError: if the model, x or y are not of that kind.
        ImportError: if matplotlib is not installed.
    """
    count = checks.integer("count", count, least=1)
    pictures = images_of("x", x)
    true, p = predictions_of(model, x, y)
    if true.max() >= p.shape[1]:
        raise ValueError(f"y holds the label {true.max()}, but the model has {p.shape[1]} classes")
    found = p.argmax(axis=1)
    wrong = np.flatnonzero(found != true)
    worst = wrong[np.argsort(-p[wrong, found[wrong]], kind="stable")][:count]
    columns = min(6, max(1, len(worst)))
    ax = axes_or_new(ax, 1.5 * columns + 0.3, 0.6 + 2.0 * max(1, math.ceil(len(worst) / columns)))
    ax.set_axis_off()
    ax.set_title(f"{len(wrong):,} mistakes in {len(true):,}" + (", the surest first" if len(worst) else ""))
    if not len(worst):
        ax.text(0.5, 0.5, "no mistakes", ha="center", va="center", transform=ax.transAxes)
        return ax
    side = pictures.shape[1]
    room = round(0.45 * side)
    whole, corners = mosaic(pictures[worst], columns, room)
    ax.imshow(whole, cmap="gray_r", interpolation="nearest")
    for i, (top, left) in zip(worst, corners, strict=True):
        for text, height, color in (
            (f"says {found[i]}: {p[i, found[i]]:.1%}", 0.24, RED),
            (f"is {true[i]}: {p[i, true[i]]:.1%}", 0.03, "black"),
        ):
            ax.text(left + side / 2, top - height * side, text, ha="center", va="bottom", fontsize=8, color=color)
    return ax


def calibration(y_true: Any, probabilities: Any, *, bins: int = 10, ax: Axes | None = None) -> Axes:
    """Whether the network is as often right as it says: its confidence against its accuracy.

    The predictions are sorted by the probability of the class that they chose. On the dashed line a network is as good
    as its word, below it is too sure of itself. The title has the expected calibration error, the mean distance to the
    line: sum over bins of n_b / n |accuracy_b - confidence_b|. Source: C. Guo et al., "On calibration of modern neural
    networks", 2017.

    Args:
        y_true: true labels, (n,) or one-hot rows.
        probabilities: what the model predicted, (n, classes), or (n,) or (n, 1) for two classes.
        bins: into how many the confidences are sorted.
        ax: where to draw; a new one if None.

    Raises:
        ValueError, TypeError: if the arrays are not of that kind or length.
        ImportError: if matplotlib is not installed.
    """
    bins = checks.integer("bins", bins, least=1)
    true = labels_of("y_true", y_true)
    p = probabilities_of("probabilities", probabilities, len(true))
    confidence, right = p.max(axis=1), p.argmax(axis=1) == true
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    counts = np.bincount(place, minlength=bins)
    used = np.flatnonzero(counts)
    accuracies = np.bincount(place, right, bins)[used] / counts[used]
    confidences = np.bincount(place, confidence, bins)[used] / counts[used]
    error = float((counts[used] * np.abs(accuracies - confidences)).sum() / len(true))
    ax = axes_or_new(ax, 5, 4.6)
    ax.bar((used + 0.5) / bins, accuracies, 0.96 / bins, color=BLUE, alpha=0.35, label="accuracy, and how many")
    ax.plot([0, 1], [0, 1], "--", color="0.4", label="as good as its word")
    ax.plot(confidences, accuracies, "o", color=BLUE, clip_on=False)
    for middle, n in zip((used + 0.5) / bins, counts[used], strict=True):
        ax.text(middle, 0.015, f"{n:,}", ha="center", fontsize=7)
    ax.set(xlim=(0, 1), ylim=(0, 1.05), xlabel="confidence", ylabel="accuracy")
    ax.set_title(f"Expected calibration error {error:.2%}", fontsize=11)
    ax.legend(frameon=False, loc="upper left")
    ax.spines[["top", "right"]].set_visible(False)
    return ax
