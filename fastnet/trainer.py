"""Trainer: the loops of a model. `_train_step` is a batch's way forward and backward; the rest walks through data."""

from __future__ import annotations

import copy
import math
import threading
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from fastnet import checks, kernels, losses, metrics, optimizers
from fastnet.batches import Batches, Rows, as_floats
from fastnet.callbacks import Callback, History, overrides
from fastnet.checks import Floats
from fastnet.layers import Dense, Layer
from fastnet.progress import ProgressBar, check_verbose
from fastnet.results import Results, as_keras
from fastnet.sparse import Csr, CsrBatch, is_scipy_sparse, is_sparse
from fastnet.variables import Variable

_BLOCK = 1024  # rows that predict and evaluate compute at once: enough to keep the kernels busy, little memory


class Data(NamedTuple):
    """A checked data set: examples, targets and, or None, how much each example counts."""

    x: Rows | Csr
    targets: Floats
    weights: Floats | None

    def part(self, start: int, stop: int) -> Data:
        assert not isinstance(self.x, Csr)
        weights = None if self.weights is None else self.weights[start:stop]
        return Data(self.x[start:stop], self.targets[start:stop], weights)


class Trainer:
    """What `Sequential` inherits: compile, fit, evaluate, predict, and the same for a single batch."""

    layers: list[Layer]
    _regularized: list[Variable]
    _first: int  # the first layer that computes, where those before it only pass on what is not zero, times `_scale`
    _scale: float
    _may_skip: bool  # whether that layer is one that can skip zeros
    _trains_below: list[bool]  # whether any layer before this one is trained

    def __init__(self) -> None:
        self.optimizer: optimizers.Optimizer | None = None
        self.loss: losses.Loss | None = None
        self.metrics: list[metrics.Metric] = []
        self.history: History | None = None
        self.stop_training = False
        self._lock = threading.RLock()  # layers own one workspace each, so one computation at a time

    def compile(self, optimizer: Any = "rmsprop", loss: Any = None, metrics: Any = None) -> None:
        """Says how to train.

        Args:
            optimizer: a name such as ``"rmsprop"``, or an object such as ``RMSprop(learning_rate=0.01)``.
            loss: a name such as ``"categorical_crossentropy"``, or an object.
            metrics: a list of names such as ``["accuracy"]``, or objects.

        Raises:
            ValueError: if a name is unknown, or there is no loss.
            TypeError: if an argument is of another type.
        """
        if loss is None:
            raise ValueError("loss is None; expected a loss such as 'categorical_crossentropy'")
        entries = [metrics] if isinstance(metrics, str) else list(metrics or [])
        chosen = optimizers.get(optimizer), losses.get(loss), [_metric(entry) for entry in entries]
        self.optimizer, self.loss, self.metrics = chosen

    @property
    def built(self) -> bool:
        raise NotImplementedError

    def _ensure_built(self, x: Any) -> None:
        raise NotImplementedError

    def _example_shape(self) -> tuple[int, ...] | None:
        raise NotImplementedError

    def _units(self) -> int:
        raise NotImplementedError

    # A data set -------------------------------------------------------------------------------------------------------

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: Any = "auto",
        callbacks: Iterable[Callback] | Callback | None = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: Any = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        sparse: Any = "auto",
    ) -> History:
        """Trains the model.

        Args:
            x: examples, (n, ...), of any numeric type, computed in float32 (images in uint8 are kept as they are); or a
                SciPy sparse matrix.
            y: targets, (n, units of the last layer), or as the loss wants them.
            batch_size: examples a step, 32 by default; more than there are is all of them.
            epochs: walks through the data.
            verbose: ``"auto"`` or 1 shows a progress bar, 2 one line an epoch, 0 nothing.
            callbacks: objects whose methods are called as the training goes on.
            validation_split: the last share of x and y, in [0, 1), is kept out of training and evaluated each epoch.
            validation_data: a pair (x, y), or (x, y, weights), to evaluate each epoch instead.
            shuffle: whether each epoch takes the examples in a new random order.
            class_weight: a dict from a class to how much its examples count.
            sample_weight: how much each example counts, (n,).
            initial_epoch: the number of the first epoch, to go on with a training.
            sparse: whether a first Dense layer leaves out the zeros of x: True, False, or ``"auto"``, if that pays.
                The result has the same bits.

        Returns:
            The History: ``history`` has a number an epoch for the loss, each metric and, of validation, ``val_...``.

        Raises:
            RuntimeError: before `compile`.
            ValueError: if shapes, lengths or values do not fit, before anything has changed.
            TypeError: if an argument is of another type.
        """
        loss, optimizer = self._compiled()
        batch_size = 32 if batch_size is None else checks.integer("batch_size", batch_size, least=1)
        epochs = checks.integer("epochs", epochs, least=0)
        initial_epoch = checks.integer("initial_epoch", initial_epoch, least=0)
        verbose = check_verbose(verbose)
        callbacks = _callbacks(callbacks)
        validation_split = checks.number("validation_split", validation_split, least=0, below=1)
        _check_sparse(sparse)
        data = self._data(loss, x, y, sample_weight, class_weight)
        validation = None
        if validation_data is not None:
            if not isinstance(validation_data, tuple | list) or len(validation_data) not in (2, 3):
                raise ValueError("validation_data must be a pair (x, y) or a triple (x, y, sample_weight)")
            weights = validation_data[2] if len(validation_data) == 3 else None
            validation = self._data(loss, validation_data[0], validation_data[1], weights, name="validation ")
            if validation.x.shape[1] != data.x.shape[1]:
                raise ValueError(f"validation x has {validation.x.shape[1]} features, but x has {data.x.shape[1]}")
        elif validation_split:
            data, validation = _split(data, validation_split)

        with self._lock:
            self._ensure_built(x)
            rows, first = self._front(data.x, sparse)
            batches = Batches(rows, data.targets, data.weights, batch_size, shuffle)
            self.history = History()
            callbacks.append(self.history)
            self.stop_training = False
            for callback in callbacks:
                callback.set_model(self)  # type: ignore[arg-type]
                callback.set_params({"epochs": epochs, "steps": len(batches), "verbose": verbose})
                callback.on_train_begin()
            logs: dict[str, float] = {}
            for epoch in range(initial_epoch, epochs):
                if verbose:
                    print(f"Epoch {epoch + 1}/{epochs}", flush=True)
                for callback in callbacks:
                    callback.on_epoch_begin(epoch)
                logs = self._train_epoch(batches, first, loss, optimizer, callbacks, validation, verbose)
                for callback in callbacks:
                    callback.on_epoch_end(epoch, dict(logs))
                if self.stop_training:
                    break
            for callback in callbacks:
                callback.on_train_end(dict(logs))
            kernels.warn_if_threads_failed()
            return self.history

    def _train_epoch(
        self,
        batches: Batches,
        first: int,
        loss: losses.Loss,
        optimizer: optimizers.Optimizer,
        callbacks: list[Callback],
        validation: Data | None,
        verbose: int,
    ) -> dict[str, float]:
        """One walk through the data; returns the epoch's loss, metrics and validation results."""
        at_begin = [c.on_train_batch_begin for c in callbacks if overrides(c, "on_train_batch_begin")]
        at_end = [c.on_train_batch_end for c in callbacks if overrides(c, "on_train_batch_end")]
        results = Results(self.metrics)
        bar = ProgressBar(len(batches), verbose)
        try:
            for step, (x, targets, weights) in enumerate(batches):
                for begin in at_begin:
                    begin(step)
                results.add(*self._train_step(x, targets, weights, loss, optimizer, first), targets, weights)
                for end in at_end:
                    end(step, results.logs())
                bar.update(step + 1, results.logs)
            logs = results.logs()
            if validation is not None:
                logs |= {f"val_{name}": value for name, value in self._evaluate(validation, loss, "auto").items()}
            bar.finish(logs)
        finally:
            bar.close()
        return logs

    def _train_step(
        self,
        x: Floats | CsrBatch,
        targets: Floats,
        weights: Floats | None,
        loss: losses.Loss,
        sink: Any,
        first: int = 0,
    ) -> tuple[float, Floats]:
        """One batch forward, backward and updated; returns the sum of the examples' losses and the predictions.

        Args:
            x: the batch; rows of a sparse matrix if layer number `first` takes it, past those that only pass it on.
            targets, weights: what belongs to it.
            loss: the loss.
            sink: the optimizer, or whoever wants to see the gradients.
            first: the first layer to compute.
        """
        logits = self._fuse(loss)
        outputs = [x]
        for layer in self.layers[first:]:
            outputs.append(layer.forward(outputs[-1], training=True))  # type: ignore[arg-type]
        total, predictions, dy = loss.gradient(outputs[-1], targets, logits, weights)  # type: ignore[arg-type]
        total += self._penalty() * len(targets)
        sink.begin_step()
        for i in range(len(self.layers) - 1, first - 1, -1):
            x, y = outputs[i - first], outputs[i - first + 1]
            need_dx = i > first and self._trains_below[i]
            dx = self.layers[i].backward(x, y, dy, sink, need_dx)  # type: ignore[arg-type]
            if dx is None:
                break
            dy = dx
        sink.end_step()
        return total, predictions

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: Any = "auto",
        sample_weight: Any = None,
        return_dict: bool = False,
        sparse: Any = "auto",
    ) -> Any:
        """The loss and the metrics of a data set.

        Args:
            x, y, sample_weight, sparse: as for `fit`.
            batch_size: what the progress bar counts in, 32 by default; the result does not depend on it.
            verbose: as for `fit`.
            return_dict: whether to return a dict.

        Returns:
            The loss, or a list of it and the metrics if there are some, or a dict of them.

        Raises:
            RuntimeError, ValueError, TypeError: as `fit`.
        """
        loss, _ = self._compiled()
        batch_size = 32 if batch_size is None else checks.integer("batch_size", batch_size, least=1)
        verbose = check_verbose(verbose)
        _check_sparse(sparse)
        data = self._data(loss, x, y, sample_weight)
        with self._lock:
            self._ensure_built(x)
            bar = ProgressBar(-(-len(data.x) // batch_size), verbose)
            try:
                logs = self._evaluate(data, loss, sparse, (bar, batch_size))
                bar.finish(logs)
            finally:
                bar.close()
            return as_keras(logs, return_dict)

    def _evaluate(
        self, data: Data, loss: losses.Loss, sparse: Any, progress: tuple[ProgressBar, int] | None = None
    ) -> dict[str, float]:
        results = Results([copy.copy(metric) for metric in self.metrics])  # an epoch's own may be under way
        logits = self._fuse(loss)
        penalty = self._penalty()
        rows, skip = self._scaled(data.x), self._skips_zeros(data.x, sparse)
        for start in range(0, len(rows), _BLOCK):
            targets = data.targets[start : start + _BLOCK]
            weights = None if data.weights is None else data.weights[start : start + _BLOCK]
            output = self._forward(rows, start, skip)
            total, predictions, _ = loss.gradient(output, targets, logits, weights)
            results.add(total + penalty * len(targets), predictions, targets, weights)
            if progress:
                progress[0].update((start + len(targets)) // progress[1], results.logs)
        return results.logs()

    def predict(self, x: Any, batch_size: int | None = None, verbose: Any = "auto", sparse: Any = "auto") -> Floats:
        """The outputs for examples.

        Args:
            x: (n, ...), n may be 0, or a SciPy sparse matrix.
            batch_size: what the progress bar counts in, 32 by default; the result does not depend on it.
            verbose, sparse: as for `fit`.

        Returns:
            float32 array (n, units of the last layer).

        Raises:
            ValueError: if the shape does not fit, or a value is not finite.
            TypeError: if `x` does not hold numbers.
        """
        batch_size = 32 if batch_size is None else checks.integer("batch_size", batch_size, least=1)
        verbose = check_verbose(verbose)
        _check_sparse(sparse)
        rows = self._examples(x, "x")
        with self._lock:
            self._ensure_built(x)
            self._fuse(None)
            shape = self.layers[-1].output_shape
            assert shape is not None
            predictions = np.empty((len(rows), math.prod(shape)), np.float32)
            rows, skip = self._scaled(rows), self._skips_zeros(rows, sparse)
            bar = ProgressBar(max(1, -(-len(rows) // batch_size)), verbose)
            try:
                for start in range(0, len(rows), _BLOCK):
                    output = self._forward(rows, start, skip)
                    predictions[start : start + _BLOCK] = output[:, : predictions.shape[1]]
                    bar.update((start + len(output)) // batch_size, dict)
                bar.finish({})
            finally:
                bar.close()
            return predictions.reshape(len(rows), *shape)

    def _forward(self, x: Rows | Csr, start: int, skip: bool) -> Floats:
        """The output of the last layer for a block of examples, those from `start` on."""
        stop = min(len(x), start + _BLOCK)
        first = 0
        block: Floats | CsrBatch
        if isinstance(x, Csr):
            block, first = CsrBatch(x, np.arange(start, stop)), self._first
        elif skip:
            csr = Csr.from_dense(x[start:stop], self._scale)
            block, first = CsrBatch(csr, np.arange(stop - start)), self._first
        else:
            block = as_floats(x[start:stop])
        for layer in self.layers[first:]:
            block = layer.forward(block)  # type: ignore[arg-type]
        return block  # type: ignore[return-value]

    # A batch ----------------------------------------------------------------------------------------------------------

    def train_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, class_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """One step on one batch.

        Returns:
            The batch's loss before the step, or a list of it and the metrics if there are some, or a dict of them.

        Raises:
            RuntimeError, ValueError, TypeError: as `fit`.
        """
        loss, optimizer = self._compiled()
        data = self._data(loss, x, y, sample_weight, class_weight)
        with self._lock:
            self._ensure_built(x)
            results = Results(self.metrics)
            rows, first = self._front(data.x, "auto" if isinstance(data.x, Csr) else False)
            batch = CsrBatch(rows, np.arange(len(rows))) if isinstance(rows, Csr) else as_floats(rows)
            step = self._train_step(batch, data.targets, data.weights, loss, optimizer, first)
            results.add(*step, data.targets, data.weights)
            return as_keras(results.logs(), return_dict)

    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """The loss and the metrics of one batch; returned and raised as `evaluate` does."""
        return self.evaluate(x, y, sample_weight=sample_weight, verbose=0, return_dict=return_dict)

    def predict_on_batch(self, x: Any) -> Floats:
        """The outputs for one batch; returned and raised as `predict` does."""
        return self.predict(x, verbose=0)

    # What is done in one pass -----------------------------------------------------------------------------------------

    def _fuse(self, loss: losses.Loss | None) -> bool:
        """Tells the layers what is done elsewhere; returns whether the loss contains the last activation."""
        last = self.layers[-1]
        logits = loss is not None and isinstance(last, Dense) and loss.takes_logits(last.activation)
        if isinstance(last, Dense):
            last.omit_activation = logits
        return logits

    def _plan(self) -> None:
        """After building: which layers come before the first one that computes, and which derivatives are handed on."""
        self._first, self._scale, scalings = 0, 1.0, 0
        for layer in self.layers:
            if not layer.keeps_zeros:
                break
            self._first += 1
            self._scale *= layer.scale
            scalings += layer.scale != 1.0
        rest = self.layers[self._first :]
        self._may_skip = bool(rest) and isinstance(rest[0], Dense) and scalings <= 1
        trains = [bool(layer.trainable_weights) for layer in self.layers]
        self._trains_below = [any(trains[:i]) for i in range(len(trains))]
        for layer in self.layers:
            if isinstance(layer, Dense):
                layer.hands_on_dz, layer.omit_activation, layer.activation_before = False, False, kernels.LINEAR
        for before, layer in zip(self.layers, self.layers[1:], strict=False):
            if isinstance(before, Dense) and isinstance(layer, Dense) and before.activation.epilogue != kernels.LINEAR:
                before.hands_on_dz, layer.activation_before = True, before.activation.epilogue

    def _skips_zeros(self, x: Rows | Csr, sparse: Any) -> bool:
        """Whether the first Dense layer should multiply only what is not zero in x."""
        if isinstance(x, Csr):
            return True
        if sparse is False or not self._may_skip or not len(x):
            return False
        layer = self.layers[self._first]
        assert isinstance(layer, Dense)
        return sparse is True or is_sparse(x, layer.units)

    def _front(self, x: Rows | Csr, sparse: Any) -> tuple[Rows | Csr, int]:
        """The examples as the loop takes them, and the first layer that it computes."""
        if isinstance(x, Csr) or self._skips_zeros(x, sparse):
            rows = self._scaled(x)
            return (rows if isinstance(rows, Csr) else Csr.from_dense(rows, self._scale)), self._first
        return x, 0

    def _scaled(self, x: Rows | Csr) -> Rows | Csr:
        """A sparse matrix as the first Dense layer wants it: what stands before that may only scale it."""
        if not isinstance(x, Csr):
            return x
        if not self._may_skip:
            raise ValueError("a SciPy sparse matrix can only be given to a model that begins with a Dense layer")
        return x if self._scale == 1 else x.scaled(self._scale)

    def _penalty(self) -> float:
        """What the regularizers add to the loss."""
        return sum(
            variable.regularizer(variable.numpy()) for variable in self._regularized if variable.regularizer is not None
        )

    # Checking ---------------------------------------------------------------------------------------------------------

    def _compiled(self) -> tuple[losses.Loss, optimizers.Optimizer]:
        if self.loss is None or self.optimizer is None:
            raise checks.NotCompiledError(
                "call compile() first, as in model.compile('rmsprop', 'categorical_crossentropy')"
            )
        return self.loss, self.optimizer

    def _data(
        self,
        loss: losses.Loss,
        x: Any,
        y: Any,
        sample_weight: Any = None,
        class_weight: Any = None,
        name: str = "",
    ) -> Data:
        """Examples and what belongs to them, checked."""
        rows = self._examples(x, f"{name}x")
        targets = loss.check_targets(f"{name}y", y, self._units())
        checks.same_length(rows, targets, f"{name}x and y")
        weights = None
        if sample_weight is not None:
            weights = checks.sample_weights(f"{name}sample_weight", sample_weight, len(targets))
        if class_weight is not None:
            by_class = checks.class_weights("class_weight", class_weight, targets)
            weights = by_class if weights is None else weights * by_class
        return Data(rows, targets, weights)

    def _examples(self, x: Any, argument: str) -> Rows | Csr:
        """The rows of the data set x, (n, K)."""
        shape = self._example_shape()
        if is_scipy_sparse(x):
            if shape is not None and len(shape) != 1:
                raise ValueError(f"{argument} is a SciPy sparse matrix; the model expects examples of shape {shape}")
            rows = Csr.from_scipy(argument, x)
            self._fits(rows.shape[1:], shape, argument, rows.shape)
            return rows
        array = checks.examples(argument, x)
        self._fits(array.shape[1:], shape, argument, array.shape)
        return array.reshape(len(array), math.prod(array.shape[1:]))

    @staticmethod
    def _fits(given: tuple[int, ...], expected: tuple[int, ...] | None, argument: str, shape: tuple[int, ...]) -> None:
        if 0 in given:
            raise ValueError(f"{argument} has shape {shape}: no features")
        if expected in (None, given):
            return
        if len(expected) == len(given) == 1:
            raise ValueError(f"{argument} has {given[0]} features, shape {shape}; the model expects {expected[0]}")
        hint = ""
        if len(expected) == 1 and math.prod(shape) % expected[0] == 0:
            hint = f"; use {argument}.reshape({math.prod(shape) // expected[0]}, {expected[0]})"
        raise ValueError(f"{argument} has shape {shape}; the model expects examples of shape {expected}{hint}")


def _split(data: Data, share: float) -> tuple[Data, Data]:
    """The first part for training, the last `share` for validation."""
    n = len(data.x)
    kept = int(n * (1 - share))
    if kept in (0, n):
        raise ValueError(
            f"validation_split={share} of {n} examples leaves {kept} for training and {n - kept} for validation; "
            "each needs at least 1"
        )
    if isinstance(data.x, Csr):
        raise ValueError("validation_split needs an array; split a SciPy sparse matrix and give validation_data")
    return data.part(0, kept), data.part(kept, n)


def _check_sparse(sparse: Any) -> None:
    if not (isinstance(sparse, bool) or (isinstance(sparse, str) and sparse == "auto")):
        raise ValueError(f"sparse must be True, False or 'auto', got {sparse!r}")


def _metric(entry: Any) -> metrics.Metric:
    return metrics.get(entry)


def _callbacks(callbacks: Any) -> list[Callback]:
    entries = [callbacks] if isinstance(callbacks, Callback) else list(callbacks or [])
    for entry in entries:
        if not isinstance(entry, Callback):
            raise TypeError(f"callbacks must be fastnet.callbacks.Callback objects, got {entry!r}")
    return entries
