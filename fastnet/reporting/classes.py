"""Sections on classes: the confusion matrix, accuracy by class, accuracy by label."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastnet.inspection.facts import confusions
from fastnet.inspection.markup import Markup, Section, bar, clip, details, join, note, percent, scroll, table, tag
from fastnet.reporting import png
from fastnet.reporting.data import CLASSES_SHOWN
from fastnet.reporting.subject import Subject

CONFUSIONS = 10

CONFUSION_LEAD = (
    "Each row shows what the examples of one class were taken for. Blue cells, on the diagonal, are correct answers. "
    "Orange cells are confusions: a strong one marks two classes that look alike to the network."
)
ACCURACY_LEAD = (
    "Found is the share of a class's examples that were recognised (recall). Right is the share of the answers naming "
    "the class that were correct (precision). Look first at classes with a small share found."
)


def confusion(subject: Subject) -> Section:
    assert subject.examples is not None
    names = [clip(name, 24) for name in subject.names]
    counts = confusions(subject.examples.truth, subject.examples.predicted, len(names))
    whole = _as_table(names, counts) if len(names) <= CLASSES_SHOWN else _as_picture(counts)
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong.reshape(-1), kind="stable")[:CONFUSIONS]
    rows = [
        (
            names[i // len(names)],
            names[i % len(names)],
            f"{wrong.flat[i]:,}",
            percent(wrong.flat[i] / counts[i // len(names)].sum()),
        )
        for i in order.tolist()
        if wrong.flat[i]
    ]
    frequent = None
    if rows:
        head = ("true", "taken for", "times", "of the class")
        frequent = join(tag("h3", "The most frequent confusions"), table(head, rows, "The most frequent confusions", 2))
    return Section("confusion", "The confusion matrix", CONFUSION_LEAD, join(whole, frequent))


def _as_table(names: list[str], counts: NDArray[np.intp]) -> Markup:
    shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    off = shares - np.diag(np.diag(shares))
    most = off.max() or 1.0
    rows = []
    for i, name in enumerate(names):
        cells = [tag("th", name, scope="row")]
        for j, count in enumerate(counts[i].tolist()):
            # The square root makes rare confusions visible.
            strength = 0.45 * shares[i, j] if i == j else 0.65 * float(np.sqrt(off[i, j] / most))
            kind = ("hit" if i == j else "miss") if count else "none"
            cells.append(tag("td", str(count), class_=kind, style=f"--strength:{strength:.3f}" if count else None))
        rows.append(tag("tr", *cells))
    is_long = max(map(len, names)) > 3  # on a phone, such names are written vertically above the columns
    head = tag(
        "tr",
        tag("th", tag("span", "true ↓"), " ", tag("span", "taken for →"), scope="col", class_="corner"),
        *(tag("th", name, scope="col") for name in names),
    )
    return scroll(
        tag("table", tag("thead", head), tag("tbody", *rows), class_="matrix long" if is_long else "matrix"),
        "Confusion matrix: a row for each true class, a column for each predicted one",
    )


def _as_picture(counts: NDArray[np.intp]) -> Markup:
    shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    classes = len(counts)
    step = -(-classes // 512)
    alt = f"Confusion matrix of {classes} classes: {percent(float(np.trace(counts) / counts.sum()))} on the diagonal"
    image = tag("img", src=png.heat(np.sqrt(shares[::step, ::step])), alt=alt, class_="map")
    text = (
        f"{classes} classes are too many for a table. Rows are true classes, columns predicted ones, from the top left."
    )
    return tag("figure", image, tag("figcaption", text))


def accuracy(subject: Subject) -> Section:
    assert subject.examples is not None
    names = subject.names
    counts = confusions(subject.examples.truth, subject.examples.predicted, len(names))
    right, held, said = np.diag(counts), counts.sum(axis=1), counts.sum(axis=0)
    rows = [
        (
            clip(name),
            f"{held[k]:,}",
            f"{held[k] - right[k]:,}",
            bar(right[k] / held[k], percent(right[k] / held[k])) if held[k] else "no examples",
            bar(right[k] / said[k], percent(right[k] / said[k]), "second") if said[k] else "never named",
        )
        for k, name in enumerate(names)
    ]
    known = [k for k in range(len(names)) if held[k]]
    worst = min(known, key=lambda k: right[k] / held[k])
    best = max(known, key=lambda k: right[k] / held[k])
    head = ("class", "examples", "missed", "found", "right")
    said_best = tag(
        "p",
        f"The best class is {clip(names[best])}: {percent(right[best] / held[best])} of its examples were found. The "
        f"worst is {clip(names[worst])}, with {percent(right[worst] / held[worst])}.",
    )
    whole = table(head, rows, "Accuracy by class")
    body = join(said_best, whole if len(names) <= CLASSES_SHOWN else details(f"All {len(names)} classes", whole))
    return Section("classes", "Class by class", ACCURACY_LEAD, body)


def labels(subject: Subject) -> Section:
    """Makes the section for outputs that each answer yes or no: how often each was right."""
    examples = subject.examples
    assert examples is not None
    truth = examples.targets > 0.5
    said = examples.scores > (0.5 if examples.probable else 0)
    both = (truth & said).sum(axis=0)
    rows = []
    for k, name in enumerate(subject.names):
        held, named = int(truth[:, k].sum()), int(said[:, k].sum())
        rows.append(
            (
                clip(name),
                percent(float((truth[:, k] == said[:, k]).mean())),
                bar(both[k] / held, percent(both[k] / held)) if held else "no examples",
                bar(both[k] / named, percent(both[k] / named), "second") if named else "never named",
            )
        )
    lead = (
        "An example may have several labels. Each output answers one question: above one half it says yes. Found is "
        "the share of the examples with a label that got it (recall). Right is the share of the answers yes that were "
        "correct (precision)."
    )
    text = f"{percent(float((truth == said).all(axis=1).mean()), 2)} of the examples have all labels right."
    whole = table(("label", "answers right", "found", "right"), rows, "Each label")
    return Section("classes", "Label by label", lead, join(note(text), whole))
