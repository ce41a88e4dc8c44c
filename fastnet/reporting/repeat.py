"""Section on how to repeat the training: a program, the model's description, the machine."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np

from fastnet import layers, losses, metrics, optimizers
from fastnet.inspection.environment import show_config
from fastnet.inspection.markup import Markup, Section, clip, definitions, details, join, note, tag
from fastnet.reporting.subject import Record, Subject
from fastnet.saving import configuration

TEXT_LIMIT = 100_000  # characters of code or JSON

_NAMES = {"version": "fastnet", "isa": "instruction set"}  # clearer names than those of show_config

LEAD = (
    "This program makes the same network, bit for bit, with the same data, seed, versions, arguments of fit and "
    "instruction set, on any number of threads."
)


def section(subject: Subject) -> Section:
    config = show_config(print_fn=None)
    described: dict[str, Any] = {
        "fit": {"seed": subject.seed, "batch_size": subject.batch_size, "epochs": _epochs(subject.record)},
        "computed_with": config,
    }
    try:
        compiled = configuration.compile_config(subject.model)
        model = {"class_name": "Sequential", "config": subject.model.get_config(), "compile": compiled}
        described = model | described
        program = _pre(code(subject, compiled))
    except TypeError as error:  # a user's own class whose arguments are not recorded
        program = note(f"The program that makes the model cannot be written: {error}.")
    pairs = [(name, ", ".join(value) if isinstance(value, list) else value) for name, value in config.items()]
    parts = [
        program,
        *_unknown(subject),
        tag("h3", "Computed with"),
        definitions([(_NAMES.get(name, name), value) for name, value in pairs]),
        details("All of it as JSON", _pre(json.dumps(described, indent=1, default=_as_json))),
    ]
    return Section("repeat", "How to repeat it", LEAD, join(*parts))


def _unknown(subject: Subject) -> list[Markup]:
    """Lists what a repetition needs and the report does not know."""
    notes = []
    if subject.seed is None:
        notes.append(note("No seed was given, so the initial weights and the order of the examples are unknown."))
    if subject.model.optimizer is not None and subject.batch_size is None:
        notes.append(note("No batch size was given, so the program uses fit's default, 32."))
    if subject.record is not None and any(name.startswith("val_") for name in subject.record.values):
        text = "The training used validation examples: give fit the same validation_split or validation_data."
        notes.append(note(text))
    return notes


def code(subject: Subject, compiled: dict[str, Any] | None) -> str:
    """Writes the program, from the seed to `fit`. The reader provides x_train and y_train."""
    lines = ["import fastnet", "from fastnet import layers, losses, metrics, optimizers", ""]
    if subject.seed is not None:
        lines.append(f"fastnet.utils.set_random_seed({subject.seed})")
    lines.append("model = fastnet.Sequential([")
    shape = (subject.model.input_shape or (None,))[1:]
    lines.append(f"    layers.Input({shape!r}),")
    lines += _layers(subject.model, "    ")
    kinds = [type(layer) for layer in subject.model._layers]
    own = [kind.__name__ for kind in kinds if kind is not getattr(layers, kind.__name__, None)]
    name = subject.model.name
    lines.append("])" if name == "sequential" else f"], name={name!r})")
    if compiled is not None:
        lines += [
            "model.compile(",
            f"    {_call('optimizers', compiled['optimizer'], optimizers)},",
            f"    {_call('losses', compiled['loss'], losses)},",
        ]
        for argument in ("metrics", "weighted_metrics"):
            if compiled.get(argument):
                listed = ", ".join(_call("metrics", entry, metrics) for entry in compiled[argument])
                lines.append(f"    {argument}=[{listed}],")
        lines.append(")")
        lines += [f"model.fit(x_train, y_train{_fit(subject.record, subject.batch_size)})"]
    if own:
        lines.insert(2, f"# {', '.join(dict.fromkeys(own))}: layers of your own, to be imported too")
    return "\n".join(lines)


def _layers(model: Any, indent: str) -> list[str]:
    """Writes the entries of a model's list of layers, and of models among them."""
    lines = []
    for layer in model._entries:
        if isinstance(layer, layers.Layer):
            lines.append(f"{indent}{_call('layers', configuration.serialize(layer), layers)},")
        else:
            lines += [f"{indent}fastnet.Sequential([", *_layers(layer, f"{indent}    ")]
            lines.append(f"{indent}], name={layer.name!r}),")
    return lines


def _call(module: str, description: Any, public: Any) -> str:
    """Renders an object as a constructor call; a class that is not fastnet's without a module."""
    if not isinstance(description, dict):
        return str(description) if str(description).isidentifier() else repr(description)
    name, config = description["class_name"], description["config"]
    if name == "AccuracyByShape":
        return repr(config.get("name", "accuracy"))
    arguments = ", ".join(f"{key}={_literal(value)}" for key, value in config.items())
    return f"{module}.{name}({arguments})" if hasattr(public, name) else f"{name}({arguments})"


def _literal(value: Any) -> str:
    value = value.tolist() if isinstance(value, np.ndarray | np.generic) else value
    return clip(repr(value), 2000)


def _fit(record: Record | None, batch_size: int | None) -> str:
    epochs = _epochs(record)
    return f", batch_size={batch_size or 32}" + (f", epochs={epochs}" if epochs is not None else "")


def _epochs(record: Record | None) -> int | None:
    return record.epochs[-1] if record is not None else None


def _pre(text: str) -> Markup:
    """Builds a box with code that scrolls."""
    cut = len(text) > TEXT_LIMIT
    shown = tag("pre", tag("code", text[:TEXT_LIMIT]), tabindex="0", role="region", aria_label="Code")
    return join(shown, note(f"Cut off after {TEXT_LIMIT:,} characters.") if cut else None)


def _as_json(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    return re.sub(r" at 0x[0-9a-f]+", "", repr(value))
