"""Predictor: what a model does without learning: evaluate and predict, with data sets or single batches."""

from __future__ import annotations

import contextlib
import copy
import math
import os
import threading
import warnings
import weakref
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from fastnet import checks, kernels, losses, metrics, optimizers
from fastnet.arrays.sparse import Csr, CsrBatch
from fastnet.callbacks import Callback
from fastnet.checks import Floats
from fastnet.inspection.summary import shapes_along
from fastnet.layers import Layer
from fastnet.terminal.progress import ProgressBar, check_verbose
from fastnet.training.batches import Rows, as_floats, check_steps
from fastnet.training.fusion import Plan
from fastnet.training.hooks import Hooks
from fastnet.training.inputs import Data, Stream, check_data, check_examples, check_parts, is_stream
from fastnet.training.running import Results, as_keras

_MODELS: weakref.WeakSet[Predictor] = weakref.WeakSet()


def _renew_locks() -> None:
    """In a child process: a lock that a thread of the parent held would never be released here."""
    for model in _MODELS:
        model._lock = threading.RLock()
        model._running = 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_locks)


class Predictor:
    """What `Trainer` inherits; a model says which layers it has, and how they are built."""

    _layers: list[Layer]
    optimizer: optimizers.Optimizer | None
    loss: losses.Loss | None
    metrics: list[metrics.Metric]
    _plan: Plan
    _is_planned: bool  # whether the layers are built and `_plan` is theirs
    _lock: threading.RLock
    _running: int  # fits, evaluations and predictions under way

    @property
    def built(self) -> bool:
        raise NotImplementedError

    def _ensure_built(self, shape: tuple[int, ...]) -> None:
        raise NotImplementedError

    def _example_shape(self) -> tuple[int, ...] | None:
        raise NotImplementedError

    def _units(self) -> int:
        raise NotImplementedError

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: Any = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Iterable[Callback] | Callback | None = None,
        return_dict: bool = False,
        sparse: Any = "auto",
    ) -> Any:
        """The loss and the metrics of a data set.

        Args:
            x, y, sample_weight, sparse: as for `fit`.
            batch_size: what the progress bar and `steps` count in, 32 by default.
            verbose, callbacks: as for `fit`.
            steps: batches to take, if not all.
            return_dict: whether to return a dict.

        Returns:
            The loss, or a list of it and the metrics if there are some, or a dict of them.

        Raises:
            RuntimeError, ValueError, TypeError: as `fit`.
        """
        loss, _ = self._compiled()
        batch_size = 32 if batch_size is None else checks.integer("batch_size", batch_size, least=1)
        steps = None if steps is None else checks.integer("steps", steps, least=1)
        verbose = check_verbose(verbose)
        entries = check_callbacks(callbacks)
        check_sparse(sparse)
        data: Data | Stream
        if is_stream(x, y):
            data = self._stream(loss, x, steps)
            shape, count = data.first().shape, len(data)
        else:
            data = self._data(loss, x, y, sample_weight)
            if steps is not None:
                data = data.first(steps, batch_size, "steps")
            shape = data.shape
            count = -(-len(data.x) // batch_size)
        with self._lock, self._computing():
            self._ensure_built(shape)
            hooks = Hooks(entries, self, {"steps": count or None, "verbose": verbose})
            bar = ProgressBar(count, verbose)
            try:
                logs = self._evaluate(data, loss, sparse, hooks, (bar, batch_size))
                bar.finish(logs)
            finally:
                bar.close()
            return as_keras(logs, return_dict)

    def _evaluate(
        self,
        data: Data | Stream,
        loss: losses.Loss,
        sparse: Any,
        hooks: Hooks,
        progress: tuple[ProgressBar, int] | None = None,
    ) -> dict[str, float]:
        results = Results([copy.copy(metric) for metric in self.metrics])  # an epoch's own may be under way
        penalty = self._plan.penalty()
        at_begin, at_end = hooks["on_test_batch_begin"], hooks["on_test_batch_end"]
        hooks.call("on_test_begin")
        seen = 0
        for block, (x, targets, weights) in enumerate(self._blocks(data, sparse)):
            for begin in at_begin:
                begin(block, {})
            x, first = x
            layers, logits = self._current_plan().fused(loss)
            for layer, fused in layers[first:]:
                x = layer.forward(x, False, fused)
            total, predictions, _ = loss.gradient(x, targets, logits, weights)
            results.add(total + penalty * len(targets), predictions, targets, weights)
            seen += len(targets)
            for end in at_end:
                end(block, results.logs())
            if progress:
                count = block + 1 if isinstance(data, Stream) else seen // progress[1]
                progress[0].update(count, results.logs)
        if not seen:
            warnings.warn("a generator of validation data has no more batches; its results are left out", stacklevel=4)
        logs = results.logs() if seen else {}
        hooks.call("on_test_end", logs)
        return logs

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: Any = "auto",
        steps: int | None = None,
        callbacks: Iterable[Callback] | Callback | None = None,
        sparse: Any = "auto",
    ) -> Floats:
        """The outputs for examples.

        Args:
            x: (n, ...), n may be 0; or a SciPy sparse matrix; or what makes batches of them.
            batch_size: what the progress bar and `steps` count in, 32 by default.
            verbose, callbacks, sparse: as for `fit`.
            steps: batches to take, if not all.

        Returns:
            float32 array (n, units of the last layer).

        Raises:
            ValueError: if the shape does not fit, or a value is not finite.
            TypeError: if `x` does not hold numbers.
        """
        if verbose == 0 and type(x) is np.ndarray and x.ndim and len(x) == 1 and callbacks is None and self._takes(x):
            return self._predict_one(x)
        batch_size = 32 if batch_size is None else checks.integer("batch_size", batch_size, least=1)
        steps = None if steps is None else checks.integer("steps", steps, least=1)
        verbose = check_verbose(verbose)
        entries = check_callbacks(callbacks)
        check_sparse(sparse)
        with self._naming_shapes():
            if is_stream(x, None):
                rows, shape = check_parts(x, "x", self._example_shape(), steps)
                steps = None
            else:
                rows, shape = check_examples(x, "x", self._example_shape())
        if steps is not None:
            check_steps("steps", steps, len(rows), batch_size)
            rows = rows[: steps * batch_size]
        with self._lock, self._computing():
            self._ensure_built(shape)
            units = self._layers[-1].output_shape
            assert units is not None
            predictions = np.empty((len(rows), math.prod(units)), np.float32)
            count = max(1, -(-len(rows) // batch_size))
            hooks = Hooks(entries, self, {"steps": count, "verbose": verbose})
            at_begin, at_end = hooks["on_predict_batch_begin"], hooks["on_predict_batch_end"]
            hooks.call("on_predict_begin")
            bar = ProgressBar(count, verbose)
            try:
                start = 0
                for block, (part, first) in enumerate(self._plan.parts(rows, sparse)):
                    for begin in at_begin:
                        begin(block, {})
                    output = self._forward(part, first)
                    predictions[start : start + len(output)] = output[:, : predictions.shape[1]]
                    start += len(output)
                    for end in at_end:
                        end(block, {"outputs": output[:, : predictions.shape[1]]})
                    bar.update(start // batch_size, dict)
                bar.finish({})
            finally:
                bar.close()
            hooks.call("on_predict_end")
            return predictions.reshape(len(rows), *units)

    def _takes(self, x: np.ndarray[Any, Any]) -> bool:
        """Whether x is float32 just as the built model wants it, so that nothing but NaN need be looked for."""
        return (
            self._is_planned
            and x.dtype == np.float32
            and x.flags.carray
            and x.shape[1:] == self._layers[0].input_shape
            and kernels.all_finite(x.reshape(-1))
        )

    def _predict_one(self, x: Floats) -> Floats:
        """The fast lane for one example: no blocks, no bar."""
        with self._lock:
            y: Any = x.reshape(1, -1)
            for layer in self._layers:
                y = layer.forward(y)
            shape = self._layers[-1].output_shape
            assert shape is not None
            row: Floats = y[:, : math.prod(shape)].copy()
            return row if len(shape) == 1 else row.reshape(1, *shape)

    def predict_classes(self, x: Any, batch_size: int | None = None, verbose: Any = 0) -> np.ndarray[Any, Any]:
        """The most probable class of each example, (n,); with a single output whether it is above 0.5, (n, 1)."""
        predictions = self.predict(x, batch_size, verbose)
        return predictions.argmax(axis=-1) if predictions.shape[-1] > 1 else (predictions > 0.5).astype(np.int32)

    def _forward_in_training(self, x: Any) -> Floats:
        with self._naming_shapes():
            rows, example = check_examples(x, "x", self._example_shape())
        with self._lock:
            self._ensure_built(example)
            y: Any
            y, first = self._batch(rows)
            for layer in self._layers[first:]:
                y = layer.forward(y, True)
            shape = self._layers[-1].output_shape
            assert shape is not None
            output: Floats = y[:, : math.prod(shape)].reshape(len(rows), *shape).copy()
            return output

    def _current_plan(self) -> Plan:
        """How the layers are computed as they are now: a callback may have frozen one, or changed its activation."""
        if self._plan.is_stale():
            self._plan = Plan(self._layers)
        return self._plan

    def _blocks(self, data: Data | Stream, sparse: Any) -> Iterable[Any]:
        """Blocks of a data set: (examples, first layer), targets, weights."""
        if isinstance(data, Stream):
            for x, targets, weights in data:
                yield self._batch(x), targets, weights
            return
        start = 0
        for part, first in self._plan.parts(data.x, sparse):
            rows = slice(start, start + len(part))
            yield (part, first), data.targets[rows], None if data.weights is None else data.weights[rows]
            start += len(part)

    def _batch(self, x: Rows | Csr) -> tuple[Floats | CsrBatch, int]:
        """The rows of a single batch as the layers take them, and the first layer to compute."""
        rows, first = self._plan.front(x, False)
        return (CsrBatch(rows, np.arange(len(rows))) if isinstance(rows, Csr) else as_floats(rows)), first

    def _forward(self, x: Any, first: int) -> Floats:
        """The output of the last layer for a block of examples."""
        for layer in self._layers[first:]:
            x = layer.forward(x)
        return x  # type: ignore[no-any-return]

    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """The loss and the metrics of one batch; returned and raised as `evaluate` does."""
        return self.evaluate(x, y, sample_weight=sample_weight, verbose=0, return_dict=return_dict)

    def predict_on_batch(self, x: Any) -> Floats:
        """The outputs for one batch; returned and raised as `predict` does."""
        return self.predict(x, verbose=0)

    # Locking ----------------------------------------------------------------------------------------------------------

    def _make_lock(self) -> None:
        """A lock of the model's own: its layers have one workspace each, so there is one computation at a time."""
        self._lock = threading.RLock()
        _MODELS.add(self)

    @contextlib.contextmanager
    def _computing(self) -> Iterator[None]:
        """A loop over batches runs, in whose callbacks the model must keep its layers."""
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1

    @contextlib.contextmanager
    def _changing(self, what: str) -> Iterator[None]:
        """The model is changed; another thread's computation is waited for.

        Raises:
            RuntimeError: in a callback of a fit, evaluate or predict, which goes on with what the model was.
        """
        with self._lock:
            if self._running:
                raise RuntimeError(
                    f"{what} cannot be called while fit, evaluate or predict of the same model runs: do it before or "
                    "after. A callback may set layer.trainable, weights and optimizer.learning_rate"
                )
            yield

    # Checking ---------------------------------------------------------------------------------------------------------

    def _compiled(self) -> tuple[losses.Loss, optimizers.Optimizer]:
        if self.loss is None or self.optimizer is None:
            raise checks.NotCompiledError(
                "call compile() first, as in model.compile('rmsprop', 'categorical_crossentropy')"
            )
        return self.loss, self.optimizer

    def _data(self, loss: losses.Loss, x: Any, y: Any, *others: Any, **named: Any) -> Data:
        with self._naming_shapes():
            return check_data(loss, self._example_shape(), self._units(), x, y, *others, **named)

    @contextlib.contextmanager
    def _naming_shapes(self) -> Iterator[None]:
        """Adds the shapes along the model to what is said of one that does not fit."""
        try:
            yield
        except checks.ShapeError as error:
            if not self._example_shape():
                raise
            raise checks.ShapeError(f"{error}\n{shapes_along(self._example_shape(), self._layers)}") from None

    def _stream(
        self,
        loss: losses.Loss,
        source: Any,
        steps: int | None,
        argument: str = "x",
        class_weight: Any = None,
        goes_on: bool = False,
        shuffle: bool = False,
    ) -> Stream:
        def check(x: Any, y: Any, sample_weight: Any = None) -> Data:
            return self._data(loss, x, y, sample_weight, class_weight, name=f"a batch's {argument[:-1]}")

        return Stream(source, check, steps, argument, goes_on, shuffle)


def check_sparse(sparse: Any) -> None:
    if not (isinstance(sparse, bool) or (isinstance(sparse, str) and sparse == "auto")):
        raise ValueError(f"sparse must be True, False or 'auto', got {sparse!r}")


def check_callbacks(callbacks: Any) -> list[Callback]:
    entries = [callbacks] if isinstance(callbacks, Callback) else list(callbacks or [])
    for entry in entries:
        if not isinstance(entry, Callback):
            raise TypeError(f"callbacks must be fastnet.callbacks.Callback objects, got {entry!r}")
    return entries
