"""Writes the report: checks the arguments, fills the page's template with the sections, writes the file."""

from __future__ import annotations

import datetime
import os
import re
import warnings
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastnet import checks
from fastnet.arrays.labels import as_classes
from fastnet.inspection.facts import CLASSES, LABELS, NUMBERS, Examples, check_trained, examples_of, names_of, side_of
from fastnet.inspection.markup import Markup, Section, clip, join, percent, plural, rounded, tag
from fastnet.inspection.profiling import Profile
from fastnet.reporting import classes, curves, data, evaluation, mistakes, network, regression, repeat, timing, weights
from fastnet.reporting.evaluation import tile
from fastnet.reporting.subject import Subject, record_of

if TYPE_CHECKING:
    from fastnet.models import Sequential

PROFILED = 2048  # number of examples that a profile trains on

_BY_KIND: dict[str | None, list[Callable[[Subject], Section]]] = {
    CLASSES: [classes.confusion, classes.accuracy, mistakes.section],
    LABELS: [classes.labels],
    NUMBERS: [regression.predicted, regression.worst],
    None: [],
}


def report(
    model: Sequential,
    history: Any = None,
    x: Any = None,
    y: Any = None,
    path: Any = "report.html",
    *,
    title: str = "Report on a trained network",
    about: str = "",
    class_names: Any = None,
    profile: Profile | bool | None = None,
    batch_size: int | None = None,
    seed: int | None = None,
    images: bool = True,
) -> Path:
    """Writes a page about a trained model: one HTML file, under 3 MB, that needs no network and no other file.

    It shows the data, the model, the training curves, the evaluation, the confusion matrix, each class, the worst
    mistakes, the first layer's weights, a profile, and how to repeat the training. For a regression it shows predicted
    against true values. A section without data says what is missing. The model and the random numbers are not changed.

    Args:
        model: a trained model; with x and y it must be compiled too.
        history: the result of `fit`, or its dict.
        x: examples that the model was not trained on, as for `evaluate`.
        y: their targets. For classes, both labels (n,) and one-hot rows (n, C) are accepted.
        path: the file's name; an existing file is replaced.
        title: the page's heading.
        about: a sentence on the data, such as their source.
        class_names: the names of the classes or, in a regression, of the outputs; by default their numbers.
        profile: the result of `model.profile`. By default, 2,048 examples are profiled; False leaves the profile out.
        batch_size: examples per step, for the profile (by default 32) and for the program that repeats the training.
        seed: the argument of `set_random_seed`, for the program that repeats the training.
        images: whether to show examples that may be square images as images: shapes (s, s) and (s, s, 1), or s * s
            numbers with s of at least 8.

    Returns:
        The path.

    Raises:
        ValueError: if the model was never trained or its weights are not finite; if the history is empty; if one of
            x and y is given without the other, or their shapes do not fit; if `class_names` has another length.
        RuntimeError: if the model is not compiled, but x and y are given.
        TypeError: if an argument has the wrong type.
        OSError: if the file cannot be written. After any error an existing file is unchanged.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> from fastnet import Sequential
        >>> from fastnet.layers import Dense, Input
        >>> x = np.linspace(-1, 1, 50)[:, None]
        >>> model = Sequential([Input((1,)), Dense(8, "tanh"), Dense(1)]).compile("adam", "mse")
        >>> history = model.fit(x, x**2, epochs=2, verbose=0)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     report(model, history, x, x**2, f"{folder}/parabola.html", seed=7).name
        'parabola.html'
    """
    from fastnet.saving.files import replace_file  # only writing needs it

    target = _checked_path(path)
    for name, text in (("title", title), ("about", about)):
        if not isinstance(text, str):
            raise TypeError(f"{name} must be a string, got {text!r}")
    if not isinstance(profile, Profile | bool | None):
        raise TypeError(f"profile must be what model.profile() returned, or False, got {profile!r:.200}")
    if not isinstance(images, bool):
        raise TypeError(f"images must be True or False, got {images!r}")
    batch_size = None if batch_size is None else checks.integer("batch_size", batch_size, least=1)
    seed = None if seed is None else checks.integer("seed", seed, least=0)
    check_trained(model)
    record = record_of(history)
    with model._lock:  # no training moves a weight meanwhile
        examples = examples_of(model, x, y)
        names = names_of(model, examples, class_names)
        if not isinstance(profile, Profile):
            profile = None if profile is False or examples is None else _profile(model, examples, batch_size)
        side = side_of(model) if images else None
        subject = Subject(model, record, examples, names, side, profile, batch_size, seed, about)
        text = page(subject, title)
    replace_file(target, text.encode())
    return Path(os.fsdecode(path))


def page(subject: Subject, title: str) -> str:
    """Returns the page as a text."""
    kind = subject.examples.kind if subject.examples is not None else None
    makers = [data.section, network.section, curves.section, evaluation.section, *_BY_KIND[kind]]
    makers += [weights.section, timing.section, repeat.section]
    sections = [make(subject) for make in makers]
    parts = {
        "TITLE": join(title),
        "SUMMARY": _summary(subject),
        "CONTENTS": join(*(tag("li", tag("a", section.title, href=f"#{section.anchor}")) for section in sections)),
        "SECTIONS": join(*map(_rendered, sections)),
        "DATE": join(datetime.date.today().isoformat()),
    }
    template = resources.files("fastnet.reporting").joinpath("page.html").read_text(encoding="utf-8")
    return re.sub(r"@@(\w+)@@", lambda match: parts[match[1]], template)


def _rendered(section: Section) -> Markup:
    heading = f"{section.anchor}-title"
    lead = tag("p", section.lead, class_="lead") if section.lead else None
    return tag(
        "section", tag("h2", section.title, id=heading), lead, section.body, id=section.anchor, aria_labelledby=heading
    )


def _summary(subject: Subject) -> Markup:
    """Builds the summary at the top: the most important numbers."""
    tiles = []
    examples, record = subject.examples, subject.record
    if examples is not None and examples.kind == CLASSES:
        right = float((examples.truth == examples.predicted).mean())
        tiles.append(tile(percent(right, 2), f"of {len(examples.truth):,} test examples right"))
    elif examples is not None:
        tiles.append(tile(rounded(examples.results["loss"]), "loss on the test examples"))
    if record is not None:
        count, noun = plural(len(record.epochs), "epoch").split()
        tiles.append(tile(count, f"{noun} of training"))
    for number_of, what in ((subject.model.count_params(), "weight"), (len(subject.model._layers), "layer")):
        tiles.append(tile(*plural(number_of, what).split()))
    return join(tag("p", clip(f"Model “{subject.model.name}”", 200)), tag("ul", *tiles, class_="tiles"))


def _profile(model: Sequential, examples: Examples, batch_size: int | None) -> Profile:
    """Profiles the model on some examples, without warnings: `fit` has given them already."""
    assert model.loss is not None
    x, targets = examples.x[:PROFILED], examples.targets[:PROFILED]
    y = as_classes(targets) if model.loss.of_labels else targets
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.profile(x, y, batch_size=batch_size or 32, print_fn=None)


def _checked_path(path: Any) -> str:
    try:
        target = os.path.realpath(os.fsdecode(path))
    except TypeError:
        raise TypeError(f"path must be a file's name, got {path!r}") from None
    except ValueError as error:
        raise ValueError(f"path must be a file's name, got {path!r}: {error}") from None
    if not os.path.isdir(os.path.dirname(target)):
        raise FileNotFoundError(
            f"there is no folder {os.path.dirname(target)!r} to write {os.path.basename(target)!r} to"
        )
    if os.path.isdir(target):
        raise IsADirectoryError(f"path must name a file, but {target!r} is a folder")
    return target
