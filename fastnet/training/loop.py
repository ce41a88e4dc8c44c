"""The loop over batches of `fit`, `evaluate` and `predict`, with callbacks, progress bar, Ctrl-C and results."""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from fastnet.callbacks import Callback
from fastnet.callbacks.base import overrides
from fastnet.checks import Floats
from fastnet.metrics import Metric
from fastnet.terminal.interrupts import Interrupts
from fastnet.terminal.progress import ProgressBar, say
from fastnet.training.batches import Batch, Batches, blocks
from fastnet.training.inputs import Data
from fastnet.training.step import test_step
from fastnet.training.streams import Stream

Logs = dict[str, Any]


class Hooks:
    """Calls the callbacks of one fit, evaluate or predict.

    Args:
        callbacks: the callbacks, in the order of the calls.
        model: the model, which each callback gets.
        params: the parameters of the training, which each callback gets.
    """

    def __init__(self, callbacks: list[Callback], model: Any, params: dict[str, Any]) -> None:
        self._callbacks = callbacks
        for callback in callbacks:
            callback.set_model(model)
            callback.set_params(params)

    def __getitem__(self, hook: str) -> list[Callable[..., Any]]:
        """Returns the methods to call at this hook. A loop over batches asks once, before it starts."""
        return [getattr(callback, hook) for callback in self._callbacks if overrides(callback, hook)]

    def call(self, hook: str, *arguments: Any) -> None:
        """Calls this hook of all callbacks. As in Keras, missing logs become an empty dict."""
        if len(arguments) < (2 if "epoch" in hook else 1):
            arguments = (*arguments, {})
        for method in self[hook]:
            method(*arguments)


class Results:
    """Computes the loss and the metrics over the examples seen. It resets the metrics first."""

    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics
        self._loss = 0.0
        self._seen = 0
        for metric in metrics:
            metric.reset_state()

    def add(self, total_loss: float, predictions: Floats, targets: Floats, weights: Floats | None = None) -> None:
        """Adds a batch: the sum of its losses, predictions (B, ld >= C), targets (B, C) and weights (B,)."""
        self._loss += total_loss
        self._seen += len(targets)
        for metric in self._metrics:
            metric.update_checked(targets, predictions, weights)

    def logs(self) -> Logs:
        """Returns the means by name, the loss first. A metric that returns several numbers has an array."""
        logs: Logs = {"loss": self._loss / max(1, self._seen)}
        for metric in self._metrics:
            logs[metric.name] = metric.logged()
        return logs


def as_keras(logs: Logs, return_dict: bool) -> Any:
    """Returns results as Keras does: a dict, a list of the loss and the metrics, or the loss alone."""
    if return_dict:
        return logs
    values = list(logs.values())
    return values if len(values) > 1 else values[0]


def run(
    batches: Iterable[Batch],
    step: Callable[[Batch], Callable[[], Logs]],
    hooks: Hooks,
    kind: str,
    bar: ProgressBar | None = None,
    rows_a_step: int | None = None,
    interrupts: Interrupts | None = None,
    is_over: Callable[[], bool] = bool,
) -> None:
    """Takes one step for each batch.

    Args:
        batches: the batches of the steps.
        step: computes a step on a batch. It returns a function that computes the logs, which may never be called.
        hooks: the callbacks.
        kind: "train", "test" or "predict"; chooses the methods of the callbacks that are called around each step.
        bar: shows the progress; None shows nothing.
        rows_a_step: how many rows count as one step of the bar; None if each batch is one step.
        interrupts: delays Ctrl-C to the end of a step; None does not.
        is_over: returns True after a step if the loop should end.
    """
    at_begin, at_end = hooks[f"on_{kind}_batch_begin"], hooks[f"on_{kind}_batch_end"]
    seen = 0
    for number, batch in enumerate(batches):
        for begin in at_begin:
            begin(number, {})
        if interrupts:
            interrupts.hold()
        logs = step(batch)
        if interrupts:
            interrupts.release()
        for end in at_end:
            end(number, logs())
        seen += len(batch.x)
        if bar:
            bar.update(seen // rows_a_step if rows_a_step else number + 1, logs)
        if is_over():
            break


def fit(
    model: Any,
    batches: Batches | Stream,
    validation: Data | Stream | None,
    epochs: range,
    is_due: Callable[[int], bool],
    hooks: Hooks,
    verbose: int,
    interrupts: Interrupts,
) -> Logs:
    """Trains a model for some epochs; returns the results of the last one.

    Args:
        model: the `Sequential`, built and locked.
        batches: each iteration yields the batches of one epoch.
        validation: the data to evaluate after an epoch, or None.
        epochs: the numbers of the epochs, from 0.
        is_due: tells whether to evaluate after this many epochs.
        hooks: the callbacks.
        verbose: 0 shows nothing, 1 a progress bar, 2 a line per epoch.
        interrupts: delays Ctrl-C to the end of a step.
    """
    logs: Logs = {}
    for epoch in epochs:
        if verbose:
            say(f"Epoch {epoch + 1}/{epochs.stop}")
        hooks.call("on_epoch_begin", epoch)
        results = Results(model.metrics)

        def step(batch: Batch, results: Results = results) -> Callable[[], Logs]:
            total, predictions = model._train_step(batch, model.loss, model.optimizer)
            results.add(total, predictions, batch.targets, batch.weights)
            return results.logs

        bar = ProgressBar(len(batches), verbose)
        try:
            run(model._batches(batches), step, hooks, "train", bar, None, interrupts, lambda: model.stop_training)
            logs = results.logs()
            if validation is not None and is_due(epoch + 1):
                found = evaluate(model, validation, "auto", hooks)
                logs |= {f"val_{name}": value for name, value in found.items()}
            bar.finish(logs)
        finally:
            interrupts.drop()
            bar.close()
        hooks.call("on_epoch_end", epoch, logs)  # one dict, so that a callback sees what earlier ones add
        if model.stop_training:
            break
        if batches.ended and epoch + 1 < epochs.stop:
            warnings.warn(
                f"x has no more batches after {epoch + 1} of {epochs.stop} epochs; training ends here", stacklevel=3
            )
            break
    return logs


def evaluate(
    model: Any,
    source: Data | Stream,
    sparse: Any,
    hooks: Hooks,
    bar: ProgressBar | None = None,
    rows_a_step: int | None = None,
) -> Logs:
    """Computes the loss and the metrics of a data set. The arguments are those of `fit` and `run`."""
    results = Results([copy.copy(metric) for metric in model.metrics])  # an epoch may be using the originals
    penalty = model._current_fusion().penalty()
    seen = 0

    def step(batch: Batch) -> Callable[[], Logs]:
        nonlocal seen
        seen += len(batch.targets)
        total, predictions = test_step(model._current_fusion(), batch, model.loss, penalty)
        results.add(total, predictions, batch.targets, batch.weights)
        return results.logs

    if isinstance(source, Data):
        batches: Iterable[Batch] = blocks(source, model._current_fusion(), sparse)
    else:
        batches = model._batches(source)
    hooks.call("on_test_begin")
    run(batches, step, hooks, "test", bar, rows_a_step)
    if not seen:
        warnings.warn("a generator of validation data has no more batches; its results are left out", stacklevel=4)
    logs = results.logs() if seen else {}
    hooks.call("on_test_end", logs)
    return logs


def predict(model: Any, data: Data, sparse: Any, hooks: Hooks, bar: ProgressBar, rows_a_step: int) -> Floats:
    """Computes the outputs, (n, *shape of an output), of a data set. The arguments are those of `fit` and `run`."""
    shape = model._layers[-1].output_shape
    predictions = np.empty((len(data.x), math.prod(shape)), np.float32)
    done = 0

    def step(batch: Batch) -> Callable[[], Logs]:
        nonlocal done
        output = model._forward(batch)[:, : predictions.shape[1]]
        predictions[done : done + len(output)] = output
        done += len(output)
        return lambda: {"outputs": output}

    hooks.call("on_predict_begin")
    run(blocks(data, model._current_fusion(), sparse), step, hooks, "predict", bar, rows_a_step)
    bar.finish({})
    return predictions.reshape(len(data.x), *shape)
