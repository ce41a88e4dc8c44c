"""Makes the playground's page for a model: one HTML file with the weights in it, which needs no server.

page.html has the forward pass in JavaScript. `described` lists the steps that the page computes.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import math
import os
import re
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnet import activations, layers
from fastnet.activations import Activation
from fastnet.checks import Floats
from fastnet.inspection.facts import is_untrained
from fastnet.layers import Layer
from fastnet.playground.preprocess import SIDE
from fastnet.terminal.screen import printable

if TYPE_CHECKING:
    from fastnet.models import Sequential

Step = dict[str, Any]

WEIGHT_LIMIT = 2**24  # a page of 90 MB; browsers have problems with larger ones

_TRAINING_ONLY = (layers.Dropout, layers.GaussianDropout, layers.GaussianNoise, layers.AlphaDropout)
_SAME_NUMBERS = (layers.Flatten, layers.Identity, layers.Reshape)
_OF_ACTIVATION = (layers.Activation, layers.ReLU, layers.LeakyReLU, layers.ELU)
_PLAIN = (
    activations.Relu,
    activations.Sigmoid,
    activations.Tanh,
    activations.Silu,
    activations.Softplus,
    activations.Softmax,
)
_CLIPPED = (activations.ClippedRelu, activations.LeakyRelu, activations.Relu6)


class UnsuitableModelError(ValueError):
    """The model cannot read a drawn digit, has layers that the page does not know, or was never trained."""


def export_html(model: Sequential, filepath: Any, title: str = "Draw a digit", ink: float | None = None) -> None:
    """Writes the playground as one file, which can be mailed or put on a web site.

    Args:
        model: a trained model of dense layers with 784 inputs, such as (784,) or (28, 28), and 10 outputs.
        filepath: the file's name; an existing file is replaced.
        title: the page's heading.
        ink: the model's input for a pixel full of ink, such as 255 or 1. By default it is 255 if the model begins with
            `Rescaling` or `BatchNormalization`, and 1 if not.

    Raises:
        UnsuitableModelError: if the model has other inputs or outputs, was never trained, has weights that are not
            finite, or has a layer or an activation that the page does not know.
        TypeError, ValueError: if an argument is wrong.
        OSError: if the file cannot be written. An existing file is unchanged then.
    """
    from fastnet.saving.files import replace_file  # only writing needs it

    try:
        path = os.path.realpath(os.fsdecode(filepath))
    except TypeError:
        raise TypeError(f"filepath must be a file's name, got {filepath!r}") from None
    text = page(model, title, ink=ink)
    if not os.path.isdir(os.path.dirname(path)):
        raise FileNotFoundError(f"there is no folder {os.path.dirname(path)!r} to write {os.path.basename(path)!r} to")
    replace_file(path, text.encode())


def page(model: Sequential, title: str = "Draw a digit", about: str = "", ink: float | None = None) -> str:
    """Returns the page as a text.

    Args:
        model: as for `export_html`.
        title: as for `export_html`.
        about: a sentence on the model's origin, which is shown at the end.
        ink: as for `export_html`.

    Raises:
        UnsuitableModelError, TypeError, ValueError: as `export_html`.
    """
    if not isinstance(title, str):
        raise TypeError(f"title must be a string, got {title!r}")
    network = described(model, ink)
    template = resources.files("fastnet.playground").joinpath("page.html").read_text(encoding="utf-8")
    parts = {
        "TITLE": html.escape(printable(title)),
        "ABOUT": html.escape(printable(f"{_sizes(model)} {about}".strip())),
        "POLICY": policy(template),
        "NETWORK": json.dumps(network, allow_nan=False),  # only numbers and fastnet's own names, so it has no markup
    }
    return re.sub(r"@@(\w+)@@", lambda match: parts[match[1]], template)


def policy(text: str) -> str:
    """Returns the Content-Security-Policy of a page: only its own scripts and style, nothing loaded or sent."""
    scripts, styles = (
        " ".join(
            f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"
            for content in re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        )
        for tag in ("script", "style")
    )
    return (
        f"default-src 'none'; script-src {scripts}; style-src {styles}; img-src data:; base-uri 'none'; "
        "form-action 'none'"
    )


def described(model: Sequential, ink: float | None = None) -> dict[str, Any]:
    """Describes a model for the page's script.

    Returns:
        A dict in types that JSON has:

        - ink: the model's input for a pixel full of ink;
        - steps: the steps of the forward pass in order, each with its `kind`: "dense" with kernel (inputs, units) and
          bias; "activation" with name and constants; "affine" with scale and offset, repeated along the numbers.
          Arrays are float32, little-endian, in base64;
        - hidden: for the input of each dense layer after the first: title, number of units, and the value above which
          a unit is shown as active;
        - logits: whether a softmax must turn the outputs into probabilities.

    Raises:
        UnsuitableModelError, TypeError, ValueError: as `export_html`.
    """
    _check(model, ink)
    steps: list[Step] = []
    hidden: list[dict[str, Any]] = []
    threshold, has_dense = 0.0, False
    with model._lock:  # so that no training changes a weight meanwhile
        for layer in model._layers:
            for step in _steps_of(layer):
                if step["kind"] == "dense" and has_dense:
                    step["hidden"] = True
                    units = math.prod(layer.input_shape or ())
                    hidden.append({"title": f"Hidden layer {len(hidden) + 1}", "units": units, "threshold": threshold})
                if step["kind"] == "activation":
                    threshold = 0.5 if step["name"] == "sigmoid" else 0.0
                has_dense = has_dense or step["kind"] == "dense"
                steps.append(step)
    if not has_dense:
        raise UnsuitableModelError("the model has no Dense layer")
    if ink is None:
        ink = 255.0 if steps[0]["kind"] == "affine" else 1.0
    return {"ink": float(ink), "steps": steps, "hidden": hidden, "logits": _is_logits(model, steps[-1])}


def _check(model: Any, ink: Any) -> None:
    from fastnet.models import Model

    if not isinstance(model, Model):
        raise TypeError(f"model must be a fastnet.Sequential, got {model!r:.200}")
    if ink is not None and (isinstance(ink, bool) or not isinstance(ink, int | float | np.number)):
        raise TypeError(f"ink must be a number such as 255 or 1, got {ink!r}")
    if ink is not None and not 0 < ink < math.inf:
        raise ValueError(f"ink must be a positive number such as 255 or 1, got {ink!r}")
    if not model.built:
        raise UnsuitableModelError("the model has no weights yet: build it, and call fit() first")
    assert model.input_shape is not None
    assert model.output_shape is not None
    shape, outputs = model.input_shape[1:], model.output_shape[1:]
    if math.prod(n or 0 for n in shape) != SIDE * SIDE:
        raise UnsuitableModelError(
            f"the model reads examples of shape {shape}; to read a drawn digit it must read 28 x 28 pixels, "
            "(784,) or (28, 28)"
        )
    if outputs != (10,):
        raise UnsuitableModelError(
            f"the model's outputs for an example have shape {outputs}; expected (10,), a probability for each digit"
        )
    if model.count_params() > WEIGHT_LIMIT:
        raise UnsuitableModelError(
            f"the model has {model.count_params():,} weights; a page can hold {WEIGHT_LIMIT:,} at most"
        )
    for variable in model.weights:
        if not np.isfinite(variable.numpy()).all():
            raise UnsuitableModelError(f"{variable.name!r} holds NaN or infinite weights")
    if is_untrained(model):
        raise UnsuitableModelError(
            "the model was never trained: its optimizer has made no step, and all its biases are zero; call fit() first"
        )


def _steps_of(layer: Layer) -> list[Step]:
    """Returns the page's steps for a layer. A subclass may compute anything, so only exact classes are accepted."""
    kind = type(layer)
    if kind in _TRAINING_ONLY or kind in _SAME_NUMBERS:
        return []
    if isinstance(layer, layers.Rescaling) and kind is layers.Rescaling and layer._is_plain:
        return [_affine(np.float32(layer.scale), np.float32(layer.offset))]
    if isinstance(layer, layers.Dense) and kind is layers.Dense and layer.takes_rows:
        dense = {"kind": "dense", "kernel": _base64(layer.kernel.numpy()), "bias": _base64(layer._bias.numpy())}
        return [dense, *_activation(layer, layer.activation)]
    if isinstance(layer, layers.BatchNormalization) and kind is layers.BatchNormalization:
        return [_normalization(layer)]
    if kind in _OF_ACTIVATION:
        return _activation(layer, layer.activation)  # type: ignore[attr-defined]
    if kind is layers.Softmax and layer.input_shape == layer.output_shape and len(layer.input_shape or ()) == 1:
        return _activation(layer, activations.softmax)
    raise UnsuitableModelError(
        f"the page cannot compute layer {layer.name!r}, a {kind.__name__}; it knows Dense, Flatten, Identity, "
        "Reshape, Rescaling by a number, BatchNormalization, Dropout, GaussianDropout, GaussianNoise, AlphaDropout, "
        "Activation, ReLU, LeakyReLU, ELU, Softmax"
    )


def _activation(layer: Layer, activation: Activation) -> list[Step]:
    kind = type(activation)
    name, constants = activation.name, list[float | None]()
    if kind is activations.Linear:
        return []
    if isinstance(activation, activations.ClippedRelu) and kind in _CLIPPED:
        name = "clipped_relu"
        constants = [activation.negative_slope, activation.max_value, activation.threshold]
    elif isinstance(activation, activations.Elu) and kind in (activations.Elu, activations.Selu):
        name, constants = "elu", [activation._factor, activation.alpha]
    elif kind not in _PLAIN or (kind is activations.Softmax and len(layer.output_shape or ()) != 1):
        raise UnsuitableModelError(
            f"the page cannot compute the activation {activation.name!r} of layer {layer.name!r}; it knows linear, "
            "relu, relu6, leaky_relu, elu, selu, silu, sigmoid, softplus, tanh and, of rows, softmax"
        )
    return [{"kind": "activation", "name": name, "constants": constants}]


def _normalization(layer: layers.BatchNormalization) -> Step:
    """Returns a trained BatchNormalization as a step with one scale and one offset for each feature."""
    rank = 1 + len(layer.input_shape or ())
    if layer.axis not in (-1, rank - 1):
        raise UnsuitableModelError(
            f"the page cannot compute layer {layer.name!r}: its axis is {layer.axis}, not the last"
        )
    mean, variance = (v.numpy().astype(np.float64) for v in (layer.moving_mean, layer.moving_variance))
    deviation = np.sqrt(variance + layer.epsilon)
    scale = np.divide(1, deviation, out=np.zeros_like(deviation), where=deviation > 0)
    if layer.gamma is not None:
        scale = scale * layer.gamma.numpy()
    offset = -mean * scale
    if layer.beta is not None:
        offset = offset + layer.beta.numpy()
    return _affine(scale, offset)


def _affine(scale: Any, offset: Any) -> Step:
    return {"kind": "affine", "scale": _base64(np.atleast_1d(scale)), "offset": _base64(np.atleast_1d(offset))}


def _base64(array: Floats) -> str:
    return base64.b64encode(np.ascontiguousarray(array, "<f4").tobytes()).decode()


def _is_logits(model: Sequential, last: Step) -> bool:
    """Returns whether the outputs are logits, which need a softmax to become probabilities.

    Raises:
        UnsuitableModelError: if they are neither probabilities nor logits.
    """
    if last.get("name") in ("softmax", "sigmoid"):
        return False
    if last["kind"] == "dense" and (model.loss is None or getattr(model.loss, "from_logits", False)):
        return True
    raise UnsuitableModelError(
        "the model's outputs are no probabilities: end it with softmax, or with no activation and a loss with "
        "from_logits=True"
    )


def _sizes(model: Sequential) -> str:
    """Describes the network in a sentence: the sizes of its layers and its number of weights."""
    units = [str(layer.units) for layer in model._layers if isinstance(layer, layers.Dense)]
    return f"The network: {' → '.join([str(SIDE * SIDE), *units])}, {model.count_params():,} weights."
