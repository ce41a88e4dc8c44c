"""Small networks with random weights for the tests of the export to C: one for each layer and each activation."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnet import Sequential, activations, initializers
from fastnet.layers import (
    ELU,
    Activation,
    ActivityRegularization,
    AlphaDropout,
    BatchNormalization,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    GaussianDropout,
    GaussianNoise,
    GlobalAveragePooling1D,
    GroupNormalization,
    Identity,
    Input,
    LayerNormalization,
    LeakyReLU,
    Normalization,
    Permute,
    PReLU,
    ReLU,
    RepeatVector,
    Rescaling,
    Reshape,
    RMSNormalization,
    Softmax,
    UnitNormalization,
)
from fastnet.utils import set_random_seed

# Activations with arguments; those without are taken from `activations.NAMES`.
WITH_ARGUMENTS = {
    "leaky_relu_01": activations.LeakyRelu(0.1), "clipped": activations.ClippedRelu(0.25, 1.5, 0.5),
    "capped": activations.ClippedRelu(0, 1.5, 0), "raised": activations.ClippedRelu(0, None, 0.75),
    "kinked": activations.ClippedRelu(0.5, None, 0.75), "elu_2": activations.Elu(2), "celu_2": activations.Celu(2),
    "gelu_approximate": activations.Gelu(True), "squareplus_1": activations.Squareplus(1),
    "hard_shrink_1": activations.HardShrink(1), "soft_shrink_1": activations.SoftShrink(1),
    "threshold_1": activations.Threshold(0.5, -0.25),
}  # fmt: skip
# In the integer form, softmax is the only activation of rows.
NOT_IN_INTEGERS = ("log_softmax", "sparsemax")


def _of_layers() -> dict[str, tuple[tuple[int, ...], list[Any]]]:
    """Returns the shape of an example and the layers of each network."""
    found: dict[str, tuple[tuple[int, ...], list[Any]]] = {}
    for name in sorted({activation.name for activation in map(activations.get, activations.NAMES)} - {"glu"}):
        found[f"act_{name}"] = (12,), [Dense(9, name), Dense(5)]
    for name, activation in WITH_ARGUMENTS.items():
        found[f"act_{name}"] = (12,), [Dense(9, activation), Dense(5)]
    alpha = initializers.RandomUniform(-0.5, 0.5)
    found |= {
        "last_softmax": ((12,), [Dense(7, "relu"), Dense(5, "softmax")]),
        "last_sigmoid": ((12,), [Dense(7, "relu"), Dense(1, "sigmoid")]),
        "last_tie": ((12,), [Dense(5, "softmax", use_bias=False, kernel_initializer="zeros")]),
        "last_tanh": ((12,), [Dense(3, "tanh")]),
        "one_dense": ((3,), [Dense(1)]),
        "no_bias": ((12,), [Dense(8, "relu", use_bias=False), Dense(4, use_bias=False)]),
        "rows": ((4, 6), [Dense(5, "relu"), Dense(3, "softmax")]),
        "first_activation": ((12,), [Activation("tanh"), Dense(3)]),
        "first_relu": ((12,), [ReLU(), Dense(3)]),
        "only_activation": ((12,), [Activation("sigmoid")]),
        "only_relu": ((12,), [ReLU()]),
        "only_flatten": ((3, 4), [Flatten()]),
        "only_permute": ((3, 4), [Permute((2, 1))]),
        "relu_layers": ((12,), [Dense(9), ReLU(1.5, 0.25, 0.5), Dense(9), LeakyReLU(), Dense(9), ELU(1.5), Dense(2)]),
        "relu_twice": ((12,), [Dense(9), ReLU(), ReLU(6), Permute((1,)), ReLU(5), Dense(3)]),
        "softmax_axes": ((3, 4), [Softmax(1), Dense(3), Softmax([1, 2]), Flatten(), Dense(2), Softmax()]),
        "softmax_rows": ((3, 4), [Activation("softmax"), Flatten(), Dense(2)]),
        "glu": ((3, 8), [Activation("glu"), Flatten(), Dense(2)]),
        "glu_inside": ((12,), [Dense(8), Activation("glu"), Dense(2)]),
        "prelu": ((12,), [Dense(9), PReLU(alpha), Dense(2)]),
        "prelu_shared": ((3, 4), [PReLU(alpha, shared_axes=[1]), Flatten(), Dense(2)]),
        "prelu_first": ((3, 4), [PReLU(alpha, shared_axes=[2]), Flatten(), Dense(2)]),
        "nothing": (
            (12,),
            [Dense(6), Dropout(0.5), GaussianNoise(1), GaussianDropout(0.5), AlphaDropout(0.5), Identity(),
             ActivityRegularization(0.1), Reshape((2, 3)), Flatten(), Dense(2)],
        ),
        "repeat": ((5,), [Dense(3, "relu"), RepeatVector(4), Dense(2, "tanh"), Flatten(), Dense(2)]),
        "permute": ((2, 3, 4), [Permute((3, 1, 2)), Dense(5, "relu"), Permute((2, 3, 1)), Flatten(), Dense(2)]),
        "pooling": ((6, 5), [GlobalAveragePooling1D(), Dense(2)]),
        "pooling_first": ((6, 5), [GlobalAveragePooling1D("channels_first"), Dense(2)]),
        "rescaling": ((12,), [Rescaling(0.5, -0.25), Dense(3)]),
        "rescaling_many": ((12,), [Rescaling(np.linspace(-2, 2, 12), np.linspace(-1, 1, 12)), Dense(3)]),
        "rescaling_axes": ((2, 3), [Rescaling(np.array([[1.0], [2.0]]), np.ones(3)), Flatten(), Dense(3)]),
        "rescaling_inside": ((12,), [Dense(7), Rescaling(3, 1), Dense(3)]),
        "normalization": ((4,), [Normalization(mean=[1, -2, 300, 0], variance=[1, 4, 1e4, 1e-4]), Dense(3)]),
        "normalization_rows": ((3, 4), [Normalization(1, [1, 2, 3], [1, 4, 9]), Flatten(), Dense(3)]),
        "normalization_all": ((4,), [Normalization(axis=None, mean=1.5, variance=4.0), Dense(3)]),
        "normalization_inverse": ((4,), [Dense(3), Normalization(mean=[1, 2, 3], variance=[4, 5, 6], invert=True)]),
        "batch_norm": ((12,), [Dense(9), BatchNormalization(), Activation("relu"), BatchNormalization(), Dense(3)]),
        "batch_norm_axis": ((3, 4), [BatchNormalization(axis=1), Flatten(), Dense(3)]),
        "batch_norm_plain": ((5,), [BatchNormalization(center=False, scale=False), Dense(2)]),
        "layer_norm": ((12,), [LayerNormalization(), Dense(9, "relu"), LayerNormalization(), Dense(3)]),
        "layer_norm_axis": ((3, 4), [LayerNormalization(axis=1), Flatten(), Dense(3)]),
        "layer_norm_far": ((12,), [LayerNormalization(), Dense(3)]),
        "group_norm": ((12,), [Dense(8), GroupNormalization(4), Dense(3)]),
        "group_norm_rows": ((3, 4), [GroupNormalization(2), Flatten(), Dense(3)]),
        "rms_norm": ((12,), [Dense(8), RMSNormalization(), Dense(3)]),
        "unit_norm": ((12,), [UnitNormalization(), Dense(8), UnitNormalization()]),
        "embedding": ((6,), [Embedding(20, 4), Flatten(), Dense(7, "relu"), Dense(3, "softmax")]),
        "nested": ((12,), [Sequential([Dense(6, "relu"), Dense(5, "tanh")]), Sequential([Dense(4)]), Dense(3)]),
        "wide": ((300,), [Dense(40, "relu"), Dense(40, "gelu"), Dense(10, "softmax")]),
    }  # fmt: skip
    return found


def networks() -> dict[str, tuple[Any, Any]]:
    """Makes all networks, with weights that are not their initial ones, and 50 examples for each."""
    set_random_seed(0)
    random = np.random.default_rng(0)
    made = {}
    for name, (shape, layers) in _of_layers().items():
        model = Sequential([Input(shape), *layers])
        for variable in model.weights:
            part = variable.name.rpartition("/")[2]
            value = variable.numpy()
            if "variance" in part:
                value = random.uniform(0.5, 2, variable.shape)
            elif part != "alpha" and value.ndim < 2:
                value = value + random.normal(0, 0.3, variable.shape)
            variable.assign(value.astype(np.float32))
        x = random.normal(0, 1, (50, *shape)).astype(np.float32)
        if isinstance(layers[0], Embedding):
            x = random.integers(0, 20, (50, *shape)).astype(np.float32)
        if isinstance(layers[0], Normalization) and layers[0].input_mean is not None:
            x = (x * np.sqrt(layers[0].variance[0]) + layers[0].mean[0]).astype(np.float32)
        made[name] = model, x + np.float32(1000 if name.endswith("_far") else 0)
    return made


def of_bytes(random: np.random.Generator) -> dict[str, tuple[Any, Any]]:
    """Networks whose inputs are bytes, one for each kind of first step."""
    firsts: dict[str, list[Any]] = {
        "rescaling": [Rescaling(1 / 255, -0.5)],
        "normalization": [Normalization(mean=np.linspace(5, 250, 12), variance=np.linspace(1, 9000, 12))],
        "dense": [],
        "tanh": [Rescaling(1 / 128), Activation("tanh")],
        "activation": [Activation("sigmoid")],
        "permute": [Reshape((3, 4)), Permute((2, 1)), Flatten()],
        "relu": [ReLU()],
        "embedding": [Embedding(256, 3), Flatten()],
    }
    found = {}
    for name, layers in firsts.items():
        model = Sequential(
            [Input((12,)), *layers, Dense(6, "relu"), Dense(3, "softmax" if name == "rescaling" else None)]
        )
        found[name] = model, random.integers(0, 256, (40, 12), np.uint8)
    return found


def heavy(random: np.random.Generator) -> dict[str, tuple[Any, Any]]:
    """Networks whose sums would leave 32 bits if all weights used all of int8, or with weights of very uneven size."""
    found = {}
    for name, kernel, bias in (
        ("sums", np.ones((1000, 3)), np.zeros(3)),
        ("bias", random.normal(0, 1e-4, (20, 3)), np.array([100.0, -100.0, 0.0])),
        ("zeros", np.zeros((20, 3)), np.array([1.0, 0.0, -1.0])),
        ("uneven", random.normal(0, 1, (20, 3)) * [1e-6, 1, 1e6], np.zeros(3)),
        ("tiny", random.normal(0, 1e-20, (20, 3)), np.zeros(3)),
        ("great", random.normal(0, 1e20, (20, 3)), np.zeros(3)),
    ):
        model = Sequential([Input((len(kernel),)), Dense(3)])
        model.set_weights([kernel.astype(np.float32), bias.astype(np.float32)])
        signs = np.sign(random.normal(0, 1, (20, len(kernel))))
        found[name] = model, np.concatenate([signs, np.ones((1, len(kernel))), -np.ones((1, len(kernel)))])
    return found
