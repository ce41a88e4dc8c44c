"""Sections on a regression: predicted against true values, errors, and the worst mistakes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastnet.inspection.markup import Markup, Section, clip, details, join, note, rounded, table, tag
from fastnet.reporting import charts
from fastnet.reporting.data import Painter
from fastnet.reporting.subject import Subject

POINTS, OUTPUTS, WORST, BINS = 400, 6, 12, 8

LEAD = (
    "Each point is an example. The horizontal axis is the true value, the vertical axis the predicted one. Points on "
    "the dashed diagonal are exact. If points lie above it on the left and below it on the right, the network avoids "
    "extreme values."
)
WORST_LEAD = "The examples with the largest errors. They may be outliers, mistakes in the data or rare cases."


def predicted(subject: Subject) -> Section:
    examples = subject.examples
    assert examples is not None
    parts: list[Markup] = [_scores(subject)]
    for k, name in enumerate(subject.names[:OUTPUTS]):
        true, said = (array[:, k].astype(np.float64) for array in (examples.targets, examples.outputs))
        if len(subject.names) > 1:
            parts.append(tag("h3", f"Output {clip(name)}"))
        parts.append(_output(true, said))
    if len(subject.names) > OUTPUTS:
        parts.append(note(f"Drawn are the first {OUTPUTS} of {len(subject.names)} outputs."))
    return Section("predicted", "Predicted and true", LEAD, join(*parts))


def _scores(subject: Subject) -> Markup:
    """Builds the table of error measures; R² is the share of the variance that the predictions explain."""
    examples = subject.examples
    assert examples is not None
    rows = []
    for k, name in enumerate(subject.names):
        true, said = (array[:, k].astype(np.float64) for array in (examples.targets, examples.outputs))
        errors, variance = said - true, ((true - true.mean()) ** 2).mean()
        squared = (errors**2).mean()
        explained = rounded(1 - squared / variance) if variance else "none: y is constant"
        rows.append(
            (clip(name), explained, rounded(np.abs(errors).mean()), rounded(np.sqrt(squared)), rounded(errors.mean()))
        )
    head = ("output", "R²", "mean absolute error", "root mean square error", "mean error")
    measures = table(head, rows, "Measures of each output")
    told = note("R² is 1 for perfect predictions, and 0 for always predicting the mean.")
    return join(measures, told)


def _output(true: NDArray[np.float64], said: NDArray[np.float64]) -> Markup:
    step = -(-len(true) // POINTS)
    label = f"Predicted against true values of {len(true[::step])} examples; the details give them by range"
    scatter = charts.points(true[::step].tolist(), said[::step].tolist(), "true", "predicted", label)
    errors = said - true
    counts, edges = np.histogram(errors, bins=min(24, max(5, int(np.sqrt(len(errors))))))
    spread = charts.columns(
        edges.tolist(),
        counts.tolist(),
        "predicted - true",
        "examples",
        f"Histogram of the errors, from {rounded(edges[0])} to {rounded(edges[-1])}",
    )
    figures = tag(
        "div",
        tag("figure", tag("figcaption", tag("b", "predicted against true")), scatter),
        tag("figure", tag("figcaption", tag("b", "the errors")), spread),
        class_="charts",
    )
    return join(figures, details("The points as numbers, by range", _by_range(true, said)))


def _by_range(true: NDArray[np.float64], said: NDArray[np.float64]) -> Markup:
    edges = np.unique(np.quantile(true, np.linspace(0, 1, BINS + 1)))
    place = np.clip(np.searchsorted(edges, true, side="right") - 1, 0, max(0, len(edges) - 2))
    rows = []
    for k in range(max(1, len(edges) - 1)):
        inside = place == k
        if inside.any():
            a, b = true[inside], said[inside]
            limits = f"{rounded(edges[k])} to {rounded(edges[min(k + 1, len(edges) - 1)])}"
            rows.append(
                (limits, f"{inside.sum():,}", rounded(a.mean()), rounded(b.mean()), rounded(np.abs(b - a).mean()))
            )
    head = ("true, from to", "examples", "mean true", "mean predicted", "mean absolute error")
    return table(head, rows, "Predicted and true values by range")


def worst(subject: Subject) -> Section:
    examples = subject.examples
    assert examples is not None
    errors = np.abs(examples.outputs.astype(np.float64) - examples.targets).max(axis=1)
    order = np.argsort(-errors, kind="stable")[:WORST].tolist()
    paint = Painter(examples, subject.side) if subject.side else None
    rows = [
        (
            f"example {i:,}",
            *([paint(i, f"Example {i}")] if paint else []),
            _listed(examples.targets[i]),
            _listed(examples.outputs[i]),
            rounded(errors[i]),
        )
        for i in order
    ]
    head = ("", *(["image"] if paint else []), "true", "predicted", "off by")
    return Section("mistakes", "The worst mistakes", WORST_LEAD, table(head, rows, "The worst mistakes"))


def _listed(values: NDArray[np.float32]) -> str:
    shown = ", ".join(rounded(value) for value in values[:4].tolist())
    return shown + (", …" if len(values) > 4 else "")
