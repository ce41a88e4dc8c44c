"""The evaluation: loss and metrics on the data that were given, and how far chance could have moved them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastnet.inspection.facts import CLASSES, Examples
from fastnet.inspection.markup import Markup, Section, clip, format_number, join, note, percent, plural, tag
from fastnet.reporting.subject import Subject

LEAD = (
    "The test: how well the network does on examples that, as they should, had no part in its training. Only these "
    "numbers say what it is worth."
)


def section(subject: Subject) -> Section:
    examples = subject.examples
    if examples is None:
        text = "No x and y were given, so evaluation, confusion matrix and mistakes are left out."
        return Section("evaluation", "The evaluation", "", note(text))
    shares = _shares(examples)
    tiles = [
        tile(percent(value, 2) if name in shares else format_number(value), clip(name))
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
                f"the same kind would give a little more or less: with 95 % confidence it is between {percent(low, 2)} "
                f"and {percent(high, 2)} in the long run. A network that differs by less may just have been lucky.",
            )
        )
    parts += [text for text in [_compared(subject, examples, shares)] if text]
    return Section("evaluation", "The evaluation", LEAD, join(*parts))


def tile(value: str, name: str) -> Markup:
    return tag("li", tag("b", value), tag("span", name))


def wilson(right: int, count: int, z: float = 1.96) -> tuple[float, float]:
    """The interval of the true share, with a certainty of 95 %, when `right` of `count` were right.

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
    """The metrics that are shares of 1 and read best in percent."""
    return {
        name
        for name, value in examples.results.items()
        if np.ndim(value) == 0 and ("acc" in name.lower()) and 0 <= float(value) <= 1
    }


def _compared(subject: Subject, examples: Examples, shares: set[str]) -> Markup | None:
    """The last epoch of training beside the test."""
    record = subject.record
    if record is None:
        return None

    def written(name: str, value: Any) -> str:
        return percent(float(value), 2) if name in shares else format_number(value)

    pairs = [
        f"{clip(name)} {written(name, record.values[name][-1])} in training, {written(name, value)} here"
        for name, value in examples.results.items()
        if name in record.values and np.ndim(value) == 0
    ][:4]
    if not pairs:
        return None
    return tag(
        "p",
        f"Compared with the last epoch: {'; '.join(pairs)}. A network mostly does a little better on what it learned "
        "from; a wide gap says that it learned that by heart.",
    )
