"""Section on the model: its layers, how their numbers of weights follow, and how it was compiled."""

from __future__ import annotations

from fastnet.inspection.facts import dense_layers
from fastnet.inspection.markup import Section, clip, definitions, join, plural, table, tag
from fastnet.inspection.summary import format_bytes
from fastnet.layers import Dense, Layer
from fastnet.reporting.subject import Subject

LEAD = (
    "An example goes through the layers from top to bottom. A dense layer with m inputs and n units has m × n weights "
    "and n biases. Training changes only these numbers."
)


def section(subject: Subject) -> Section:
    model = subject.model
    assert model.input_shape is not None
    rows = [("input", "", str(model.input_shape), "", "0")]
    rows += [
        (
            clip(layer.name),
            _kind(layer),
            str((None, *(layer.output_shape or ()))),
            _count(layer),
            f"{layer.count_params():,}",
        )
        for layer in model._layers
    ]
    total = model.count_params()
    trained = sum(variable.size for variable in model.trainable_weights)
    weights = f"{total:,} in {format_bytes(4 * total)}"
    if trained < total:
        weights += f", {trained:,} of them trainable"
    pairs = [("weights", weights)]
    if model.optimizer is None:
        pairs.append(("compiled", "no, so optimizer and loss are not known"))
    else:
        names = ", ".join(metric.name for metric in model._metrics) or "none"
        steps = model.optimizer.iterations
        pairs += [
            ("optimizer", f"{clip(repr(model.optimizer), 200)}, {plural(int(steps), 'step')} made"),
            ("loss", clip(repr(model.loss), 200)),
            ("metrics", clip(names, 200)),
        ]
    head = ("layer", "type", "output shape", "weights and biases", "in all")
    path = tag("p", " → ".join(_sizes(subject)), class_="path")
    return Section("model", "The model", LEAD, join(path, table(head, rows, "The layers", 4), definitions(pairs)))


def _sizes(subject: Subject) -> list[str]:
    """Writes how many numbers an example has at the input and after each dense layer."""
    shape = (subject.model.input_shape or (None,))[1:]
    sizes = [f"{' × '.join(str(n) for n in shape)} input{'' if shape == (1,) else 's'}"]
    sizes += [plural(layer.units, "unit") for layer in dense_layers(subject.model)]
    return sizes if len(sizes) <= 12 else [*sizes[:6], "…", *sizes[-5:]]


def _kind(layer: Layer) -> str:
    name = getattr(getattr(layer, "activation", None), "name", None)
    kind = type(layer).__name__
    return f"{kind}, {name}" if name and isinstance(layer, Dense) else kind


def _count(layer: Layer) -> str:
    if not isinstance(layer, Dense) or layer.input_shape is None:
        return " + ".join(f"{v.size:,}" for v in layer.weights) if len(layer.weights) > 1 else ""
    inputs = layer.input_shape[-1]
    return f"{inputs:,} × {layer.units:,}" + (f" + {layer.units:,}" if layer.use_bias else "")
