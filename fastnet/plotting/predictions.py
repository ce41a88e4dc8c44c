"""Plots correct and wrong predictions: confusion matrix, worst mistakes, calibration."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnet import checks
from fastnet.inspection import facts
from fastnet.plotting.axes import BLUE, RED, axes_or_new, mosaic, points_of, write_above

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fastnet.models import Sequential

_BARE = "#f7f7f7"
_MOST_CLASSES = 200  # with more classes, the cells of a confusion matrix cannot be read


def confusion_matrix(y_true: Any, y_pred: Any, *, normalize: bool = False, ax: Axes | None = None) -> Axes:
    """Plots a confusion matrix, with a row for each true class and a column for each predicted one.

    Correct answers are on the diagonal, in blue. Mistakes are orange, with a color scale of their own, so that the few
    mistakes of a good network are visible. The darkest orange cell is the most frequent confusion.

    Args:
        y_true: true labels, (n,) or one-hot rows.
        y_pred: predicted labels (n,), or probabilities (n, classes), or (n, 1) for two classes.
        normalize: whether to show shares of the true class instead of counts.
        ax: the axes to draw into; None for new axes.

    Raises:
        ValueError, TypeError: if an array has another type or shape, or there are more than 200 classes.
        ImportError: if matplotlib is not installed.
    """
    true = facts.labels_of("y_true", y_true)
    found = facts.predicted_of("y_pred", y_pred, len(true))
    widest = max([np.shape(y)[1] for y in (y_true, y_pred) if np.ndim(y) == 2] or [0])
    classes = max(int(true.max()) + 1, int(found.max()) + 1, widest if widest > 1 else 2)
    if classes > _MOST_CLASSES:
        raise ValueError(f"there are {classes} classes, from 0 on; a confusion matrix shows at most {_MOST_CLASSES}")
    counts = facts.confusions(true, found, classes)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    size = min(2.2 + 0.42 * classes, 20)
    ax = axes_or_new(ax, size, size)
    diagonal = np.eye(classes, dtype=bool)
    shown = shares if normalize else counts
    ax.imshow(np.where(diagonal, shares, np.nan), cmap="Blues", vmin=0, vmax=1.6)
    errors = np.where(diagonal | (counts == 0), np.nan, shown)
    most = np.nanmax(errors) if np.isfinite(errors).any() else 1
    ax.imshow(errors, cmap="Oranges", vmin=0, vmax=1.4 * most)
    ax.set_facecolor(_BARE)
    texts = {(i, j): f"{shares[i, j]:.1%}" if normalize else f"{counts[i, j]}" for i, j in np.argwhere(counts)}
    points = min(points_of(ax)) / classes / (0.75 * max(map(len, texts.values())))
    for (i, j), text in texts.items():
        ax.text(j, i, text, ha="center", va="center", fontsize=min(9, points), color="black")  # the cells are light
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
    """Plots the wrong answers with the highest probability, and the probability of the true class.

    A person would misread some of them too, and some labels are wrong. The others show what the network has not
    learned.

    Args:
        model: a classifier of square images.
        x: images.
        y: their true labels, (n,) or one-hot rows.
        count: number of mistakes to show, the worst first.
        ax: the axes to draw into; None for new axes.

    Raises:
        ValueError, TypeError: if the model, x or y do not fit.
        ImportError: if matplotlib is not installed.
    """
    count = checks.integer("count", count, least=1)
    pictures = facts.images_of("x", x)
    true, p = facts.predictions_of(model, x, y)
    found = p.argmax(axis=1)
    wrong = np.flatnonzero(found != true)
    worst = wrong[np.argsort(-p[wrong, found[wrong]], kind="stable")][:count]
    columns = min(6, max(1, len(worst)))
    ax = axes_or_new(ax, max(4, 1.5 * columns + 0.3), 0.6 + 2.0 * max(1, math.ceil(len(worst) / columns)))
    ax.set_axis_off()
    order = ", the surest first" if len(worst) else ""
    ax.set_title(f"{len(wrong):,} mistake{'s' * (len(wrong) != 1)} in {len(true):,}{order}", fontsize=11)
    if not len(worst):
        ax.text(0.5, 0.5, "no mistakes", ha="center", va="center", transform=ax.transAxes)
        return ax
    side = pictures.shape[1]
    width, height = points_of(ax)
    cells = [min(width / n, height / math.ceil(len(worst) / n) / 1.4) for n in range(1, len(worst) + 1)]
    size = min(8, max(cells) / 8)  # a text is about eight times as long as it is high
    whole, corners = mosaic(pictures[worst], 1 + int(np.argmax(cells)), room=round(0.4 * side))
    ax.imshow(whole, cmap="gray_r", interpolation="nearest")
    for i, (top, left) in zip(worst, corners, strict=True):
        place = left + side / 2 - 0.5, top - 0.5
        write_above(ax, *place, f"says {found[i]}: {p[i, found[i]]:.1%}", RED, size, up=2 + 1.25 * size)
        write_above(ax, *place, f"is {true[i]}: {p[i, true[i]]:.1%}", size=size)
    return ax


def calibration(y_true: Any, probabilities: Any, *, bins: int = 10, ax: Axes | None = None) -> Axes:
    """Plots accuracy against confidence: is the network right as often as its probabilities say?

    The confidence of a prediction is the probability of its class. Predictions are sorted into bins of the same width
    by confidence. A bar shows the accuracy of a bin, a dot its mean confidence. On the dashed line the two are equal.
    Below the line the network is too confident. The number of predictions in a bin is written at the bottom; a bin with
    few predictions says little.

    The title has the expected calibration error, the mean distance to the line: the sum over bins of
    n_b / n |accuracy_b - confidence_b|. Source: C. Guo et al., "On calibration of modern neural networks", 2017.

    Args:
        y_true: true labels, (n,) or one-hot rows.
        probabilities: predicted probabilities (n, classes), or (n,) or (n, 1) for two classes.
        bins: number of bins.
        ax: the axes to draw into; None for new axes.

    Raises:
        ValueError, TypeError: if an array has another type or shape.
        ImportError: if matplotlib is not installed.
    """
    bins = checks.integer("bins", bins, least=1)
    true = facts.labels_of("y_true", y_true)
    p = facts.for_labels("y_true", true, facts.probabilities_of("probabilities", probabilities, len(true)))
    confidence, right = p.max(axis=1), p.argmax(axis=1) == true
    place = np.minimum(np.searchsorted(np.linspace(0, 1, bins + 1)[1:], confidence), bins - 1)  # each (low, high]
    counts = np.bincount(place, minlength=bins)
    used = np.flatnonzero(counts)
    accuracies = np.bincount(place, right, bins)[used] / counts[used]
    confidences = np.bincount(place, confidence, bins)[used] / counts[used]
    error = float((counts[used] * np.abs(accuracies - confidences)).sum() / len(true))
    ax = axes_or_new(ax, 5.5, 5)
    ax.bar(
        (used + 0.5) / bins,
        accuracies,
        0.96 / bins,
        color=BLUE,
        alpha=0.35,
        label="accuracy, and number of predictions",
    )
    ax.plot([0, 1], [0, 1], "--", color="0.5", label="as good as its word")
    ax.plot(confidences, accuracies, "o", color=BLUE, clip_on=False)
    for middle, n in zip((used + 0.5) / bins, counts[used], strict=True):
        ax.text(middle, 0.015, f"{n:,}", ha="center", fontsize=7)
    ax.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="confidence", ylabel="accuracy")
    ax.set_title(f"Expected calibration error {error:.2%}", fontsize=11)
    ax.legend(frameon=False, loc="upper left")
    ax.spines[["top", "right"]].set_visible(False)
    return ax
