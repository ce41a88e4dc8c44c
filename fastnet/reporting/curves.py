"""Section on the training: loss and metrics of each epoch, as curves and as a table."""

from __future__ import annotations

import math

from fastnet.inspection.markup import Markup, Section, clip, details, join, note, plural, rounded, table, tag
from fastnet.reporting import charts
from fastnet.reporting.subject import Record, Subject

CHART_LIMIT, POINT_LIMIT = 8, 400
HARDLY = 0.05  # relative growth of the validation loss, since its minimum, that counts as no change

LEAD = (
    "In each epoch the network sees every training example once. Training minimises the loss: it should fall quickly "
    "at first and then level off. If the validation loss rises while the training loss still falls, the network "
    "overfits: it learns its examples by heart."
)


def section(subject: Subject) -> Section:
    record = subject.record
    if record is None:
        return Section(
            "training",
            "The training",
            "",
            note("No history was given, so the curves are left out: ", tag("code", "fit()"), " returns one."),
        )
    bases = list(dict.fromkeys(name.removeprefix("val_") for name in record.values))
    figures = [_figure(base, record) for base in bases[:CHART_LIMIT]]
    parts = [tag("div", *figures, class_="charts"), _verdict(record)]
    if len(bases) > CHART_LIMIT:
        parts.append(note(f"Drawn are the first {CHART_LIMIT} of {len(bases)} curves; the table has more."))
    if record.left_out:
        names = ", ".join(clip(name) for name in record.left_out[:20])
        parts.append(note(f"Left out, since they are not one number for each epoch: {names}."))
    parts.append(details("The curves as numbers", _table(record)))
    return Section("training", "The training", LEAD, join(*parts))


def _figure(base: str, record: Record) -> Markup:
    series = [
        charts.Line(what, *_thinned(record.epochs, record.values[name]))
        for what, name in (("training", base), ("validation", f"val_{base}"))
        if name in record.values
    ]
    told = "; ".join(
        f"{clip(line.name)} from {rounded(line.y[0])} to {rounded(line.y[-1])}" for line in series if line.y
    )
    label = f"{clip(base)} over {plural(len(record.epochs), 'epoch')}: {told}"
    keys = [tag("span", line.name, class_=f"key s{i + 1}") for i, line in enumerate(series)]
    return tag(
        "figure", tag("figcaption", tag("b", clip(base)), *keys), charts.lines(series, "epoch", clip(base, 30), label)
    )


def _thinned(epochs: list[int], values: list[float]) -> tuple[list[int], list[float]]:
    """Thins a long curve to at most `POINT_LIMIT` points, including the last one."""
    step = -(-len(values) // POINT_LIMIT)
    first = (len(values) - 1) % step
    return epochs[first::step], values[first::step]


def _verdict(record: Record) -> Markup | None:
    """Says in which epoch the validation loss was least, and what follows from it."""
    values = [value if math.isfinite(value) else math.inf for value in record.values.get("val_loss", [])]
    if len(values) < 2 or min(values) == math.inf:
        return None
    best = values.index(min(values))
    if best == len(values) - 1:
        text = "The validation loss was least in the last epoch: more epochs might still help."
    else:
        text = f"The validation loss was least, {rounded(values[best])}, after epoch {record.epochs[best]}"
        text += f" of {record.epochs[-1]}"
        if values[-1] - values[best] < HARDLY * abs(values[best]):
            text += " and has hardly changed since: more epochs would not help much."
        else:
            text += ": what came later improved the network on its training examples, but not on others: it overfits."
    return tag("p", text)


def _table(record: Record) -> Markup:
    names = list(record.values)[:20]
    step = -(-len(record.epochs) // 200)
    first = (len(record.epochs) - 1) % step
    rows = [
        (str(record.epochs[i]), *(rounded(record.values[name][i]) for name in names))
        for i in range(first, len(record.epochs), step)
    ]
    return table(("epoch", *(clip(name) for name in names)), rows, "The curves as numbers")
