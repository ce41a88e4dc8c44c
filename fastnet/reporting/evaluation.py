"""Section on the evaluation: loss and metrics on the given data, and a confidence interval of the accuracy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastnet.inspection.facts import CLASSES, Examples
from fastnet.inspection.markup import Markup, Section, clip, join, note, percent, plural, rounded, tag
from fastnet.reporting.subject import Subject

LEAD = (
    "The results on the given examples, which should not be training examples. Only these numbers show how well the "
    "network does on new data."
)


def section(subject: Subject) -> Section:
    examples = subject.examples
    if examples is None:
        text = "No x and y were given, so evaluation, confusion matrix and mistakes are left out."
        return Section("evaluation", "The evaluation", "", note(text))
    shares = _shares(examples)
    tiles = [
        tile(percent(value, 2) if name in shares else rounded(value), clip(name))
        for name, value in examples.results.items()
    ][:12]
    count = len(examples.targets)
    if examples.kind == CLASSES:
        wrong = int((examples.truth != examples.predicted).sum())
        tiles.append(tile(f"{wrong:,}", f"mistake{'' if wrong == 1 else 's'} in {count:,}"))
    else:
        tiles.append(tile(f"{count:,}", "examples"))
    parts = [tag("ul", *tiles, class_="tiles")]
    if examples.kind == CLASSES:
        low, high = wilson(count - wrong, count)
        parts.append(
            tag(
                "p",
                f"{percent((count - wrong) / count, 2)} of {plural(count, 'example')} were right. Other examples of "
                f"the same kind would give a slightly different result: with 95 % confidence the true accuracy is "
                f"between {percent(low, 2)} and {percent(high, 2)}. A smaller difference between two networks may be "
                "chance.",
            )
        )
    parts += [text for text in [_compared(subject, examples, shares)] if text]
    return Section("evaluation", "The evaluation", LEAD, join(*parts))


def tile(value: str, name: str) -> Markup:
    return tag("li", tag("b", value), tag("span", name))


def wilson(right: int, count: int, z: float = 1.96) -> tuple[float, float]:
    """Returns the 95 % confidence interval of the true share, if `right` of `count` were right.

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", 1927.

    Example:
        >>> [round(limit, 4) for limit in wilson(9794, 10000)]
        [0.9764, 0.982]
    """
    p, ratio = right / count, z * z / count
    middle = (p + ratio / 2) / (1 + ratio)
    reach = z / (1 + ratio) * math.sqrt(p * (1 - p) / count + ratio / (4 * count))
    return max(0.0, middle - reach), min(1.0, middle + reach)


def _shares(examples: Examples) -> set[str]:
    """Returns the names of the metrics that are accuracies and are shown in percent."""
    return {
        name
        for name, value in examples.results.items()
        if np.ndim(value) == 0 and ("acc" in name.lower()) and 0 <= float(value) <= 1
    }


def _compared(subject: Subject, examples: Examples, shares: set[str]) -> Markup | None:
    """Compares the results with those of the last training epoch."""
    record = subject.record
    if record is None:
        return None

    def written(name: str, value: Any) -> str:
        return percent(float(value), 2) if name in shares else rounded(value)

    pairs = [
        f"{clip(name)} {written(name, record.values[name][-1])} in training, {written(name, value)} here"
        for name, value in examples.results.items()
        if name in record.values and np.ndim(value) == 0
    ][:4]
    if not pairs:
        return None
    return tag(
        "p",
        f"Compared with the last epoch: {'; '.join(pairs)}. A network usually does a little better on its training "
        "examples. A large gap means that it overfits: it has learned them by heart.",
    )
