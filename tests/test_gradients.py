"""Every layer's gradients against central differences, in the float64 arithmetic of the reference."""

import numpy as np
import pytest
from helpers import panels_of
from numpy.typing import NDArray

from fastnet import Sequential
from fastnet.arrays.variables import Variable
from fastnet.kernels import LINEAR, RELU, padded, reference
from fastnet.layers import Dense, Input
from fastnet.losses import CategoricalCrossentropy
from fastnet.optimizers import Optimizer
from fastnet.utils import to_categorical


class Capture(Optimizer):
    """Keeps the gradients that it is given and changes nothing."""

    def __init__(self) -> None:
        super().__init__(learning_rate=1.0)
        self.gradients: dict[str, NDArray[np.float32]] = {}

    def update_step(self, gradient: NDArray[np.float32], variable: Variable, learning_rate: float) -> None:
        columns = variable.shape[-1]
        if gradient.ndim == 3:
            self.gradients[variable.name] = reference.matrix(gradient)[:, :columns].copy()
        else:
            self.gradients[variable.name] = gradient[:columns].copy()


def loss64(
    model: Sequential, weights: list[NDArray[np.float64]], x: NDArray[np.float64], t: NDArray[np.float64]
) -> float:
    """The mean loss, computed by the reference's kernels in float64."""
    z = x
    for i, layer in enumerate(model.layers):
        kernel, bias = weights[2 * i], np.zeros(padded(layer.units))
        bias[: layer.units] = weights[2 * i + 1]
        y = np.zeros((len(x), padded(layer.units)))
        last = i == len(model.layers) - 1
        activation = RELU if layer.activation.name == "relu" else LINEAR
        reference.gemm_bias_act(z, panels_of(kernel, dtype=np.float64), bias, activation, y)
        if layer.activation.name == "softmax" and not last:
            reference.softmax(y, layer.units, y)
        z = y
    classes = model.layers[-1].units
    if model.layers[-1].activation.name == "softmax" or model.loss.from_logits:  # type: ignore[union-attr]
        p, dz, rows = np.zeros_like(z), np.zeros_like(z), np.zeros(len(x))
        reference.softmax_crossentropy(z, t, np.zeros(0), p, dz, rows)
        return float(rows.mean())
    shares = z[:, :classes] / z[:, :classes].sum(axis=1, keepdims=True)
    return float(-(t * np.log(shares)).sum() / len(x))


@pytest.mark.parametrize(
    ("stack", "from_logits"),
    [
        (["relu", "softmax"], False),
        (["linear", "relu", "softmax"], False),
        (["relu", "softmax", "linear", "softmax"], False),
        (["relu", "linear"], True),
        (["softmax"], False),
    ],
)
def test_gradients_are_those_of_central_differences(stack: list[str], from_logits: bool) -> None:
    units = [*[7, 18, 5, 4][: len(stack) - 1], 3]
    layers = [Dense(n, activation=a, bias_initializer="glorot_uniform") for n, a in zip(units, stack, strict=True)]
    model = Sequential([Input((6,)), *layers])
    optimizer = Capture()
    model.compile(optimizer, CategoricalCrossentropy(from_logits))
    rng = np.random.default_rng(0)
    x, t = rng.standard_normal((11, 6)).astype(np.float32), to_categorical(rng.integers(0, 3, 11), 3)
    model.train_on_batch(x, t)

    weights = [w.astype(np.float64) for w in model.get_weights()]
    x64, t64, h = x.astype(np.float64), t.astype(np.float64), 1e-5
    for variable, weight in zip(model.weights, weights, strict=True):
        numeric = np.zeros_like(weight)
        for at in np.ndindex(weight.shape):
            value = weight[at]
            weight[at] = value + h
            above = loss64(model, weights, x64, t64)
            weight[at] = value - h
            below = loss64(model, weights, x64, t64)
            weight[at] = value
            numeric[at] = (above - below) / (2 * h)
        np.testing.assert_allclose(
            optimizer.gradients[variable.name], numeric, rtol=1e-4, atol=2e-7, err_msg=variable.name
        )


def test_gradient_through_unnormalised_predictions() -> None:
    # A positive relu output instead of a softmax: the loss divides it by its sum, and so must the gradient.
    model = Sequential([Input((4,)), Dense(3, activation="relu")])
    optimizer = Capture()
    model.compile(optimizer, "categorical_crossentropy")
    rng = np.random.default_rng(0)
    model.set_weights([rng.random((4, 3)) + 0.1, rng.random(3) + 0.1])
    x, t = rng.random((9, 4)).astype(np.float32), to_categorical(rng.integers(0, 3, 9), 3)
    model.train_on_batch(x, t)
    weights = [w.astype(np.float64) for w in model.get_weights()]
    numeric = np.zeros_like(weights[0])
    for at in np.ndindex(numeric.shape):
        value = weights[0][at]
        weights[0][at] = value + 1e-5
        above = loss64(model, weights, x.astype(np.float64), t.astype(np.float64))
        weights[0][at] = value - 1e-5
        below = loss64(model, weights, x.astype(np.float64), t.astype(np.float64))
        weights[0][at] = value
        numeric[at] = (above - below) / 2e-5
    np.testing.assert_allclose(optimizer.gradients["dense/kernel"], numeric, rtol=1e-4, atol=2e-7)
