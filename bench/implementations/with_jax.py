"""A network in JAX: a jitted step called for every batch, or a whole epoch as one jitted scan over the batches."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from implementations import BETA_1, BETA_2, EPSILON, LEARNING_RATE, RHO, Network, Trainer, batches

ACTIVATIONS = {"relu": jax.nn.relu, "tanh": jnp.tanh}
OUTPUTS = {"softmax": jax.nn.softmax, "sigmoid": jax.nn.sigmoid, "linear": lambda z: z}


class Step(Trainer):
    """Calls a jitted function for each step; NumPy gathers the batch."""

    def __init__(self, network: Network, threads: int) -> None:
        self._network, self._rng, self._key = network, np.random.default_rng(0), jax.random.key(0)
        weights = []
        for inputs, units in zip(network.widths, network.widths[1:], strict=False):
            limit = np.sqrt(6 / (inputs + units))
            weights.append(jnp.asarray(self._rng.uniform(-limit, limit, (inputs, units)), jnp.float32))
            weights.append(jnp.zeros(units))

        def zeros() -> list[Any]:
            return [jnp.zeros_like(w) for w in weights]

        self._state = weights, zeros() if network.optimizer == "rmsprop" else (zeros(), zeros(), jnp.zeros(()))
        self._compile()

    def _compile(self) -> None:
        output = OUTPUTS[self._network.output]
        self._step = jax.jit(self._one_step, donate_argnums=0)
        self._outputs = jax.jit(lambda weights, x: output(self._sums(weights, x)))
        self._scores = jax.jit(self._loss_and_correct)

    def _sums(self, weights: Any, x: Any, key: Any = None) -> Any:
        keep, activation = 1 - self._network.dropout, ACTIVATIONS[self._network.activation]
        for i in range(0, len(weights) - 2, 2):
            x = activation(x @ weights[i] + weights[i + 1])
            if key is not None:
                x = jnp.where(jax.random.bernoulli(jax.random.fold_in(key, i), keep, x.shape), x / keep, 0)
        return x @ weights[-2] + weights[-1]

    def _loss_and_correct(self, weights: Any, x: Any, y: Any, key: Any = None) -> tuple[Any, Any]:
        z = self._sums(weights, x, key)
        if self._network.output == "softmax":
            loss = -(jax.nn.one_hot(y, z.shape[1]) * jax.nn.log_softmax(z)).sum(axis=1).mean()
            return loss, (z.argmax(axis=1) == y).sum()
        if self._network.output == "sigmoid":
            return (jax.nn.softplus(z) - y * z).mean(), ((z > 0) == (y > 0.5)).sum()
        return ((z - y) ** 2).mean(), None

    def _one_step(self, state: Any, x: Any, y: Any, key: Any = None) -> tuple[Any, Any]:
        weights, memory = state
        (loss, correct), gradients = jax.value_and_grad(self._loss_and_correct, has_aux=True)(weights, x, y, key)
        update = self._rmsprop if self._network.optimizer == "rmsprop" else self._adam
        return update(weights, gradients, memory), (loss * len(x), correct)

    def _rmsprop(self, weights: Any, gradients: Any, squares: Any) -> tuple[Any, Any]:
        squares = [RHO * v + (1 - RHO) * g * g for v, g in zip(squares, gradients, strict=True)]
        weights = [
            w - LEARNING_RATE * g / jnp.sqrt(v + EPSILON) for w, v, g in zip(weights, squares, gradients, strict=True)
        ]
        return weights, squares

    def _adam(self, weights: Any, gradients: Any, memory: Any) -> tuple[Any, Any]:
        means, squares, step = memory
        step = step + 1
        rate = LEARNING_RATE * jnp.sqrt(1 - BETA_2**step) / (1 - BETA_1**step)
        means = [BETA_1 * m + (1 - BETA_1) * g for m, g in zip(means, gradients, strict=True)]
        squares = [BETA_2 * v + (1 - BETA_2) * g * g for v, g in zip(squares, gradients, strict=True)]
        weights = [w - rate * m / (jnp.sqrt(v) + EPSILON) for w, m, v in zip(weights, means, squares, strict=True)]
        return weights, (means, squares, step)

    def _typed(self, y: Any) -> Any:
        return y.astype(np.int32) if self._network.output == "softmax" else y

    def _keys(self, steps: int) -> Any:
        """Returns a key for each step's dropout, or None without dropout."""
        if not self._network.dropout:
            return None
        self._key, key = jax.random.split(self._key)
        return jax.random.split(key, steps)

    def load(self, x: Any, y: Any) -> None:
        self._x, self._y = x, self._typed(y)
        if self._network.full:
            self._x, self._y = jnp.asarray(x), jnp.asarray(self._y)

    def epoch(self) -> tuple[float, float]:
        n = len(self._x)
        keys, results = self._keys(-(-n // self._network.batch)), []
        for i, (x, y) in enumerate(batches(self._x, self._y, self._network, self._rng)):
            self._state, result = self._step(self._state, x, y, None if keys is None else keys[i])
            results.append(result)
        return self._means(jax.tree.map(lambda *values: sum(values), *jax.device_get(results)), n)

    def _means(self, results: Any, n: int) -> tuple[float, float]:
        """Waits for the sums of an epoch and divides them by the number of its examples."""
        loss, correct = results
        return float(loss) / n, math.nan if correct is None else int(correct) / n

    def evaluate(self, x: Any, y: Any) -> tuple[float, float]:
        loss, correct = self._scores(self._state[0], x, self._typed(y))
        return float(loss), int(correct) / len(x)

    def predict(self, x: Any) -> Any:
        return np.asarray(self._outputs(self._state[0], x))


class Scan(Step):
    """Calls a jitted function for each epoch: a scan over the full batches, then the short last one.

    NumPy makes the order, which is faster than `jax.random.permutation`. Rows are gathered in the scan: a copy of all
    data in the new order before it takes as long. So does a scan that is unrolled. If a step takes all rows, a scan
    takes all epochs.
    """

    def _compile(self) -> None:
        super()._compile()
        self._walk = jax.jit(self._one_epoch, donate_argnums=0)
        self._repeat = jax.jit(self._full_steps, donate_argnums=0, static_argnums=4)

    def _one_epoch(self, state: Any, x: Any, y: Any, order: Any, keys: Any) -> tuple[Any, Any]:
        steps = len(order) // self._network.batch
        whole = order[: steps * self._network.batch].reshape(steps, self._network.batch)
        rest = order[steps * self._network.batch :]

        def step(state: Any, batch: Any) -> tuple[Any, Any]:
            rows, key = batch
            return self._one_step(state, x[rows], y[rows], key)

        first = None if keys is None else keys[:steps]
        state, results = jax.lax.scan(step, state, (whole, first))
        results = jax.tree.map(jnp.sum, results)
        if len(rest):
            state, last = step(state, (rest, None if keys is None else keys[-1]))
            results = jax.tree.map(jnp.add, results, last)
        return state, results

    def _full_steps(self, state: Any, x: Any, y: Any, keys: Any, steps: int) -> tuple[Any, Any]:
        state, results = jax.lax.scan(lambda state, key: self._one_step(state, x, y, key), state, keys, steps)
        return state, jax.tree.map(lambda values: values[-1], results)

    def load(self, x: Any, y: Any) -> None:
        self._x, self._y = jnp.asarray(x), jnp.asarray(self._typed(y))

    def epoch(self) -> tuple[float, float]:
        return self.train(1)

    def train(self, epochs: int, verbose: int = 0) -> tuple[float, float]:
        """Waits only for the last epoch, so that the next order is made while an epoch runs."""
        n, results = len(self._x), None
        if self._network.full:
            self._state, results = self._repeat(self._state, self._x, self._y, self._keys(epochs), epochs)
            return self._means(results, n)
        for _ in range(epochs):
            order = self._rng.permutation(n).astype(np.int32)
            keys = self._keys(-(-n // self._network.batch))
            self._state, results = self._walk(self._state, self._x, self._y, order, keys)
        return self._means(results, n)
