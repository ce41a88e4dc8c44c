"""The tutorial in plain NumPy, whose BLAS computes the matrix products."""

from __future__ import annotations

from typing import Any

import numpy as np

from implementations import EPSILON, LEARNING_RATE, RHO, Network, Trainer


class ByHand(Trainer):
    """Weights, biases and their running mean squares in two lists."""

    def __init__(self, network: Network, threads: int) -> None:
        self._network, self._rng = network, np.random.default_rng(0)
        self._weights: list[Any] = []
        for inputs, units in zip(network.widths, network.widths[1:], strict=False):
            limit = np.sqrt(6 / (inputs + units))
            self._weights.append(self._rng.uniform(-limit, limit, (inputs, units)).astype(np.float32))
            self._weights.append(np.zeros(units, np.float32))
        self._squares = [np.zeros_like(w) for w in self._weights]

    def load(self, x: Any, labels: Any) -> None:
        self._x, self._targets = x, np.eye(self._network.classes, dtype=np.float32)[labels]

    def epoch(self) -> tuple[float, float]:
        n, batch = len(self._x), self._network.batch
        order = self._rng.permutation(n)
        loss, correct = 0.0, 0
        for start in range(0, n, batch):
            rows = order[start : start + batch]
            t = self._targets[rows]
            outputs, masks = self._forward(self._x[rows], training=True)
            p = outputs[-1]
            loss -= float((t * np.log(p + np.float32(1e-7))).sum())
            correct += int((p.argmax(axis=1) == t.argmax(axis=1)).sum())
            self._update(self._gradients(outputs, masks, (p - t) / np.float32(len(rows))))
        return loss / n, correct / n

    def _forward(self, x: Any, training: bool = False) -> tuple[list[Any], list[Any]]:
        """Returns the input, each layer's output, and each hidden layer's dropout mask."""
        outputs, masks, keep = [x], [], np.float32(1 - self._network.dropout)
        for i in range(0, len(self._weights), 2):
            z = outputs[-1] @ self._weights[i]
            z += self._weights[i + 1]
            if i == len(self._weights) - 2:
                e = np.exp(z - z.max(axis=1, keepdims=True))
                outputs.append(e / e.sum(axis=1, keepdims=True))
                break
            np.maximum(z, 0, out=z)
            if training and self._network.dropout:
                masks.append((self._rng.random(z.shape, np.float32) < keep) / keep)
                z *= masks[-1]
            outputs.append(z)
        return outputs, masks

    def _gradients(self, outputs: list[Any], masks: list[Any], dz: Any) -> list[Any]:
        gradients: list[Any] = []
        for i in range(len(outputs) - 2, -1, -1):
            gradients[:0] = [outputs[i].T @ dz, dz.sum(axis=0)]
            if i:
                dz = dz @ self._weights[2 * i].T
                if masks:
                    dz *= masks[i - 1]
                dz[outputs[i] <= 0] = 0
        return gradients

    def _update(self, gradients: list[Any]) -> None:
        for w, v, g in zip(self._weights, self._squares, gradients, strict=True):
            v *= np.float32(RHO)
            v += np.float32(1 - RHO) * g * g
            w -= np.float32(LEARNING_RATE) * g / np.sqrt(v + np.float32(EPSILON))

    def evaluate(self, x: Any, labels: Any) -> tuple[float, float]:
        p = self.predict(x)
        return float(-np.log(p[np.arange(len(p)), labels] + 1e-7).mean()), float((p.argmax(axis=1) == labels).mean())

    def predict(self, x: Any) -> Any:
        return self._forward(x)[0][-1]
