"""Section on the data: shape, type and range, the number of examples of each class, some examples."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnet.checks import is_scipy_sparse
from fastnet.inspection.facts import CLASSES, LABELS, Examples
from fastnet.inspection.markup import Markup, Section, bar, clip, details, join, note, percent, rounded, table, tag
from fastnet.reporting import png
from fastnet.reporting.subject import Subject

SHOWN, COLUMNS = 20, 8  # number of images shown; number of features, if an example is not an image
CLASSES_SHOWN = 30  # with more classes, a table is hidden until it is clicked


def section(subject: Subject) -> Section:
    examples = subject.examples
    if examples is None:
        body = note("No data were given, so there is nothing to look at or to test the network with.")
        return Section("data", "The data", "", body)
    x, y = examples.x, examples.y
    rows = [_described("x", x), _described("y", y)]
    head = ("", "shape", "type", "least", "greatest", "mean", "zeros")
    parts = [note(subject.about) if subject.about else None, table(head, rows, "The arrays of the data", 3)]
    if examples.kind == CLASSES:
        counts = np.bincount(examples.truth, minlength=len(subject.names))
        parts += [tag("h3", "Examples of each class"), _counts(subject.names, counts, x.shape[0])]
    elif examples.kind == LABELS:
        held = (examples.targets > 0.5).sum(axis=0)
        parts += [tag("h3", "Examples with each label"), _counts(subject.names, held, x.shape[0])]
    parts += [tag("h3", "Some of them"), _some(subject, examples)]
    lead = (
        "The data that the network was tested on. Are the classes about equally frequent? If not, a network that "
        "always names the most frequent class seems good. The range of x shows whether x was scaled."
        if examples.kind == CLASSES
        else "The data that the network was tested on. The range of x shows whether x was scaled: networks learn best "
        "from numbers around 1."
    )
    return Section("data", "The data", lead, join(*parts))


def _described(name: str, array: Any) -> tuple[Any, ...]:
    count = array.count_nonzero() if is_scipy_sparse(array) else np.count_nonzero(array)
    size = int(np.prod(array.shape))
    kind = f"{array.dtype}, sparse" if is_scipy_sparse(array) else array.dtype
    limits = [rounded(value.item()) for value in (array.min(), array.max())]
    mean = rounded(float(array.mean(dtype=np.float64)))
    return (tag("code", name), str(tuple(array.shape)), kind, *limits, mean, percent(1 - count / size))


def _counts(names: list[str], counts: NDArray[Any], total: int) -> Markup:
    most = max(1, int(counts.max()))
    rows = [
        (clip(name), bar(count / most, f"{count:,}"), percent(count / total))
        for name, count in zip(names, counts.tolist(), strict=True)
    ]
    whole = table(("class", "examples", "share"), rows, "Examples of each class", 2)
    return whole if len(names) <= CLASSES_SHOWN else details(f"All {len(names)} classes", whole)


def _some(subject: Subject, examples: Examples) -> Markup:
    count = examples.x.shape[0]
    if subject.side is None:
        return _as_table(subject, examples)
    if examples.kind == CLASSES:
        classes = len(subject.names)
        each = max(1, SHOWN // classes)
        chosen = [np.flatnonzero(examples.truth == k)[:each] for k in range(min(classes, SHOWN))]
        which = np.concatenate(chosen)
    else:
        which = np.arange(min(count, SHOWN))
    paint = Painter(examples, subject.side)
    figures = [
        tag(
            "figure",
            paint(int(i), f"Example {i}: {caption(subject, examples, int(i))}"),
            tag("figcaption", caption(subject, examples, int(i))),
        )
        for i in which
    ]
    how = "The larger a number, the more it stands out from the page." if paint.ink else "0 is black."
    return join(tag("div", *figures, class_="pictures"), note(f"{how} The text under each image is its true answer."))


def caption(subject: Subject, examples: Examples, i: int) -> str:
    """Writes the true class, labels or numbers of an example."""
    if examples.kind == CLASSES:
        return clip(subject.names[examples.truth[i]])
    if examples.kind == LABELS:
        held = [subject.names[k] for k in np.flatnonzero(examples.targets[i] > 0.5)]
        return clip(", ".join(held) or "none")
    return clip(", ".join(rounded(value) for value in examples.targets[i].tolist()))


def _as_table(subject: Subject, examples: Examples) -> Markup:
    count = min(5, examples.x.shape[0])
    features = examples.rows(np.arange(count)).reshape(count, -1)
    shown = min(COLUMNS, features.shape[1])
    rows = [
        (str(i), *(rounded(value) for value in features[i, :shown].tolist()), caption(subject, examples, i))
        for i in range(count)
    ]
    head = ("example", *(f"x[{k}]" for k in range(shown)), "true")
    more = f"The first {shown} of {features.shape[1]:,} numbers of each." if shown < features.shape[1] else None
    return join(table(head, rows, "Some examples"), note(more) if more else None)


class Painter:
    """Draws examples that are square images, all with the same scale of shades."""

    def __init__(self, examples: Examples, side: int) -> None:
        self._examples, self._side = examples, side
        x = examples.x
        self._low, self._high = float(x.min()), float(x.max())
        # Mostly background, like a digit: large numbers are drawn as ink. Otherwise they are drawn as light.
        self.ink = float(x.mean(dtype=np.float64)) < (self._low + self._high) / 2

    def __call__(self, i: int, alt: str) -> Markup:
        image = self._examples.rows(slice(i, i + 1)).reshape(self._side, self._side)
        source = png.shades(image, self._low, self._high, self.ink)
        return tag("img", src=source, alt=alt, class_="ink" if self.ink else None, width=self._side, height=self._side)
