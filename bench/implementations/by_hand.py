"""A network in plain NumPy, whose BLAS computes the matrix products."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from implementations import BETA_1, BETA_2, EPSILON, LEARNING_RATE, RHO, Network, Trainer, batches


class ByHand(Trainer):
    """Weights and biases in a list, their running means and mean squares in two more."""

    def __init__(self, network: Network, threads: int) -> None:
        self._network, self._rng = network, np.random.default_rng(0)
        self._weights: list[Any] = []
        for inputs, units in zip(network.widths, network.widths[1:], strict=False):
            limit = np.sqrt(6 / (inputs + units))
            self._weights.append(self._rng.uniform(-limit, limit, (inputs, units)).astype(np.float32))
            self._weights.append(np.zeros(units, np.float32))
        self._means = [np.zeros_like(w) for w in self._weights]
        self._squares = [np.zeros_like(w) for w in self._weights]
        self._steps = 0
        self._update = self._rmsprop if network.optimizer == "rmsprop" else self._adam

    def _targets(self, y: Any) -> Any:
        return np.eye(self._network.widths[-1], dtype=np.float32)[y] if self._network.output == "softmax" else y

    def load(self, x: Any, y: Any) -> None:
        self._x, self._y = x, self._targets(y)

    def epoch(self) -> tuple[float, float]:
        n, loss, correct = len(self._x), 0.0, 0.0
        # The gradient of each loss with respect to the last layer's sums is p - t, times this, divided by the rows.
        scale = {"softmax": 1.0, "sigmoid": 1 / self._y.shape[1], "linear": 2 / self._y.shape[1]}[self._network.output]
        for x, t in batches(self._x, self._y, self._network, self._rng):
            outputs, masks = self._forward(x, training=True)
            p = outputs[-1]
            new_loss, new_correct = self._scores(p, t)
            loss, correct = loss + new_loss, correct + new_correct
            self._update(self._gradients(outputs, masks, (p - t) * np.float32(scale / len(x))))
        return loss / n, correct / n

    def _scores(self, p: Any, t: Any) -> tuple[float, float]:
        """Returns the sum of the loss over the rows, and the number of correct ones."""
        epsilon = np.float32(EPSILON)
        if self._network.output == "softmax":
            return -float((t * np.log(p + epsilon)).sum()), float((p.argmax(axis=1) == t.argmax(axis=1)).sum())
        if self._network.output == "sigmoid":
            loss = -(t * np.log(p + epsilon) + (1 - t) * np.log(1 - p + epsilon)).mean(axis=1).sum()
            return float(loss), float(((p > 0.5) == (t > 0.5)).sum())
        return float(((p - t) ** 2).mean(axis=1).sum()), math.nan

    def _forward(self, x: Any, training: bool = False) -> tuple[list[Any], list[Any]]:
        """Returns the input, each layer's output, and each hidden layer's dropout mask."""
        outputs, masks, keep = [x], [], np.float32(1 - self._network.dropout)
        for i in range(0, len(self._weights), 2):
            z = outputs[-1] @ self._weights[i]
            z += self._weights[i + 1]
            if i == len(self._weights) - 2:
                outputs.append(self._output(z))
                break
            if self._network.activation == "relu":
                np.maximum(z, 0, out=z)
            else:
                np.tanh(z, out=z)
            if training and self._network.dropout:
                masks.append((self._rng.random(z.shape, np.float32) < keep) / keep)
                z *= masks[-1]
            outputs.append(z)
        return outputs, masks

    def _output(self, z: Any) -> Any:
        if self._network.output == "softmax":
            e = np.exp(z - z.max(axis=1, keepdims=True))
            return e / e.sum(axis=1, keepdims=True)
        return z if self._network.output == "linear" else 1 / (1 + np.exp(-z))

    def _gradients(self, outputs: list[Any], masks: list[Any], dz: Any) -> list[Any]:
        """Computes the gradients of all weights. Dropout is possible after relu only."""
        gradients: list[Any] = []
        for i in range(len(outputs) - 2, -1, -1):
            gradients[:0] = [outputs[i].T @ dz, dz.sum(axis=0)]
            if i:
                dz = dz @ self._weights[2 * i].T
                if masks:
                    dz *= masks[i - 1]
                if self._network.activation == "relu":
                    dz[outputs[i] <= 0] = 0
                else:
                    dz *= 1 - outputs[i] ** 2
        return gradients

    def _rmsprop(self, gradients: list[Any]) -> None:
        for w, v, g in zip(self._weights, self._squares, gradients, strict=True):
            v *= np.float32(RHO)
            v += np.float32(1 - RHO) * g * g
            w -= np.float32(LEARNING_RATE) * g / np.sqrt(v + np.float32(EPSILON))

    def _adam(self, gradients: list[Any]) -> None:
        self._steps += 1
        rate = np.float32(LEARNING_RATE * math.sqrt(1 - BETA_2**self._steps) / (1 - BETA_1**self._steps))
        for w, m, v, g in zip(self._weights, self._means, self._squares, gradients, strict=True):
            m += np.float32(1 - BETA_1) * (g - m)
            v += np.float32(1 - BETA_2) * (g * g - v)
            w -= rate * m / (np.sqrt(v) + np.float32(EPSILON))

    def evaluate(self, x: Any, y: Any) -> tuple[float, float]:
        loss, correct = self._scores(self.predict(x), self._targets(y))
        return loss / len(x), correct / len(x)

    def predict(self, x: Any) -> Any:
        return self._forward(x)[0][-1]
