"""Section on the worst mistakes: wrong answers that the network was most certain of, with its probabilities."""

from __future__ import annotations

import numpy as np

from fastnet.inspection.facts import Examples
from fastnet.inspection.markup import Markup, Section, bar, clip, join, note, percent, plural, rounded, tag
from fastnet.reporting.data import COLUMNS, Painter
from fastnet.reporting.subject import Subject

SHOWN, CANDIDATES = 18, 3

LEAD = (
    "The wrong answers that the network was most certain of. Would you have known better? If an example is hard for "
    "you too, the mistake is no great fault. If it is easy for you, it shows what the network does not see."
)


def section(subject: Subject) -> Section:
    examples = subject.examples
    assert examples is not None
    wrong = np.flatnonzero(examples.truth != examples.predicted)
    if not len(wrong):
        return Section("mistakes", "The worst mistakes", "", note("There are none: every example was right."))
    given = examples.scores[wrong, examples.predicted[wrong]] - examples.scores[wrong, examples.truth[wrong]]
    worst = wrong[np.argsort(-given, kind="stable")[:SHOWN]]
    paint = Painter(examples, subject.side) if subject.side else None
    cards = [_card(subject, examples, int(i), paint) for i in worst]
    said = f"The worst {len(worst)} of {plural(len(wrong), 'mistake')}." if len(worst) < len(wrong) else None
    what = "" if examples.probable else "The numbers are the network's outputs, which are no probabilities here."
    rest = note(" ".join(text for text in (said, what) if text)) if said or what else None
    return Section("mistakes", "The worst mistakes", LEAD, join(tag("div", *cards, class_="cards"), rest))


def _card(subject: Subject, examples: Examples, i: int, paint: Painter | None) -> Markup:
    names, scores = subject.names, examples.scores[i]
    truth, said = int(examples.truth[i]), int(examples.predicted[i])
    order = np.argsort(-scores, kind="stable")[:CANDIDATES].tolist()
    if truth not in order:
        order[-1] = truth
    items = [
        tag(
            "li",
            tag("span", clip(names[k], 16), class_="name"),
            bar(float(scores[k]), percent(float(scores[k])), "second" if k == truth else "")
            if examples.probable
            else rounded(float(scores[k])),
            class_="true" if k == truth else None,
        )
        for k in order
    ]
    title = join(
        "taken for ", tag("b", clip(names[said], 24)), ", is ", tag("b", clip(names[truth], 24), class_="truth")
    )
    if paint is None:
        values = examples.rows(slice(i, i + 1)).reshape(-1)
        text = ", ".join(rounded(value) for value in values[:COLUMNS].tolist()) + (
            ", …" if len(values) > COLUMNS else ""
        )
        seen = tag("p", f"x = {text}", class_="values")
    else:
        seen = paint(i, f"Example {i}: {clip(names[truth])}, taken for {clip(names[said])}")
    what = "probabilities" if examples.probable else "outputs"
    listed = tag("ul", *items, aria_label=f"The network's {what} for example {i}")
    caption = tag("figcaption", tag("p", title), listed, note(f"example {i:,}"))
    return tag("figure", seen, caption, class_="card" if paint else "card plain")
