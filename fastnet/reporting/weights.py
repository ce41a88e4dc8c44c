"""Section on the first dense layer: the weights of its units as images."""

from __future__ import annotations

import numpy as np

from fastnet.inspection.facts import dense_layers
from fastnet.inspection.markup import Section, clip, details, join, note, rounded, table, tag
from fastnet.reporting import png
from fastnet.reporting.subject import Subject

SHOWN = 48

LEAD = (
    "The weights of each unit of the first dense layer. Large inputs at orange pixels increase its output, at blue "
    "ones they decrease it. The network has learned strokes and blobs. Where pixels never change, the weights still "
    "have their random initial values."
)


def section(subject: Subject) -> Section:
    title = "What the first layer looks for"
    layer = next(iter(dense_layers(subject.model)), None)
    side = subject.side
    if layer is None or side is None or layer.input_shape != (side * side,):
        text = "The first layer's weights are shown only if an example is a square image. These are not."
        return Section("weights", title, "", note(text))
    kernel = layer.kernel.numpy()
    lengths = np.sqrt((kernel**2).sum(axis=0))
    is_last = layer is subject.model._layers[-1] and kernel.shape[1] == len(subject.names)
    chosen = np.arange(kernel.shape[1]) if is_last else np.argsort(-lengths, kind="stable")
    chosen = chosen[:SHOWN]
    most = float(np.quantile(np.abs(kernel[:, chosen]), 0.995))
    names = [clip(subject.names[k], 16) if is_last else f"{k}" for k in chosen.tolist()]
    tiles = [
        tag(
            "figure",
            tag("img", src=png.signed(kernel[:, k].reshape(side, side), most), alt="", width=side, height=side),
            tag("figcaption", name),
        )
        for k, name in zip(chosen.tolist(), names, strict=True)
    ]
    label = f"The weights of {len(chosen)} units of layer {clip(layer.name)} as images of {side} by {side} pixels"
    which = (
        f"Of {kernel.shape[1]:,} units, the {len(chosen)} with the strongest weights" if not is_last else "All units"
    )
    scale = note(f"{which}. Full colour is a weight of {rounded(most, 2)} or more. Numbers name the units.")
    bias = layer.bias.numpy() if layer.bias is not None else np.zeros(kernel.shape[1])
    rows = [
        (
            name,
            rounded(float(lengths[k])),
            rounded(float(kernel[:, k].min())),
            rounded(float(kernel[:, k].max())),
            rounded(float(bias[k])),
        )
        for k, name in zip(chosen.tolist(), names, strict=True)
    ]
    head = ("unit", "length of its weights", "least", "greatest", "bias")
    numbers = details("The units as numbers", table(head, rows, "The units shown, as numbers"))
    grid = tag("div", *tiles, class_="pictures weights", role="group", aria_label=label)
    return Section("weights", title, LEAD, join(grid, scale, numbers))
