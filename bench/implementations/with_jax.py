"""The tutorial in JAX: a jitted step called for every batch, or a whole epoch as one jitted scan over the batches."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from implementations import EPSILON, LEARNING_RATE, RHO, Network, Trainer


class Step(Trainer):
    """Calls a jitted function for each step; NumPy gathers the batch."""

    def __init__(self, network: Network, threads: int) -> None:
        self._network, self._rng, self._key = network, np.random.default_rng(0), jax.random.key(0)
        weights = []
        for inputs, units in zip(network.widths, network.widths[1:], strict=False):
            limit = np.sqrt(6 / (inputs + units))
            weights.append(jnp.asarray(self._rng.uniform(-limit, limit, (inputs, units)), jnp.float32))
            weights.append(jnp.zeros(units))
        self._state = weights, [jnp.zeros_like(w) for w in weights]
        self._compile()

    def _compile(self) -> None:
        self._step = jax.jit(self._one_step, donate_argnums=0)
        self._probabilities = jax.jit(lambda weights, x: jax.nn.softmax(self._logits(weights, x)))
        self._scores = jax.jit(self._loss_and_correct)

    def _logits(self, weights: Any, x: Any, key: Any = None) -> Any:
        keep = 1 - self._network.dropout
        for i in range(0, len(weights) - 2, 2):
            x = jax.nn.relu(x @ weights[i] + weights[i + 1])
            if key is not None and keep < 1:
                x = jnp.where(jax.random.bernoulli(jax.random.fold_in(key, i), keep, x.shape), x / keep, 0)
        return x @ weights[-2] + weights[-1]

    def _loss_and_correct(self, weights: Any, x: Any, labels: Any, key: Any = None) -> tuple[Any, Any]:
        z = self._logits(weights, x, key)
        loss = -(jax.nn.one_hot(labels, self._network.classes) * jax.nn.log_softmax(z)).sum(axis=1).mean()
        return loss, (z.argmax(axis=1) == labels).sum()

    def _one_step(self, state: Any, x: Any, labels: Any, key: Any) -> tuple[Any, Any]:
        weights, squares = state
        (loss, correct), gradients = jax.value_and_grad(self._loss_and_correct, has_aux=True)(weights, x, labels, key)
        squares = [RHO * v + (1 - RHO) * g * g for v, g in zip(squares, gradients, strict=True)]
        weights = [
            w - LEARNING_RATE * g / jnp.sqrt(v + EPSILON) for w, v, g in zip(weights, squares, gradients, strict=True)
        ]
        return (weights, squares), (loss * len(labels), correct)

    def load(self, x: Any, labels: Any) -> None:
        self._x, self._labels = x, labels.astype(np.int32)

    def epoch(self) -> tuple[float, float]:
        n, batch = len(self._x), self._network.batch
        order = self._rng.permutation(n)
        self._key, *keys = jax.random.split(self._key, 2 + n // batch)
        loss, correct = jnp.zeros(()), jnp.zeros((), jnp.int32)
        for i, start in enumerate(range(0, n, batch)):
            rows = order[start : start + batch]
            self._state, (a, b) = self._step(self._state, self._x[rows], self._labels[rows], keys[i])
            loss, correct = loss + a, correct + b
        return float(loss) / n, int(correct) / n

    def evaluate(self, x: Any, labels: Any) -> tuple[float, float]:
        loss, correct = self._scores(self._state[0], x, labels.astype(np.int32))
        return float(loss), int(correct) / len(x)

    def predict(self, x: Any) -> Any:
        return np.asarray(self._probabilities(self._state[0], x))


class Scan(Step):
    """Calls a jitted function for each epoch: a scan over the full batches, then the short last one."""

    def _compile(self) -> None:
        super()._compile()
        self._walk = jax.jit(self._one_epoch, donate_argnums=0)

    def _one_epoch(self, state: Any, x: Any, labels: Any, order: Any, key: Any) -> tuple[Any, Any]:
        steps = len(order) // self._network.batch
        whole = order[: steps * self._network.batch].reshape(steps, self._network.batch)
        rest = order[steps * self._network.batch :]
        keys = jax.random.split(key, steps + 1)

        def step(state: Any, batch: Any) -> tuple[Any, Any]:
            rows, key = batch
            return self._one_step(state, x[rows], labels[rows], key)

        state, (losses, correct) = jax.lax.scan(step, state, (whole, keys[:-1]))
        loss, correct = losses.sum(), correct.sum()
        if len(rest):
            state, (last_loss, last_correct) = step(state, (rest, keys[-1]))
            loss, correct = loss + last_loss, correct + last_correct
        return state, (loss, correct)

    def load(self, x: Any, labels: Any) -> None:
        self._x, self._labels = jnp.asarray(x), jnp.asarray(labels, jnp.int32)

    def epoch(self) -> tuple[float, float]:
        n = len(self._x)
        self._key, key = jax.random.split(self._key)
        order = self._rng.permutation(n).astype(np.int32)
        self._state, (loss, correct) = self._walk(self._state, self._x, self._labels, order, key)
        return float(loss) / n, int(correct) / n
