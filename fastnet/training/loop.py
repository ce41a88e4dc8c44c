"""The loop over batches that `fit`, `evaluate` and `predict` share: callbacks, progress bar, Ctrl-C, results."""

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
    """The callbacks of one fit, evaluate or predict, told which model and with which parameters.

    Args:
        callbacks: in the order in which they are called.
        model, params: handed to each.
    """

    def __init__(self, callbacks: list[Callback], model: Any, params: dict[str, Any]) -> None:
        self._callbacks = callbacks
        for callback in callbacks:
            callback.set_model(model)
            callback.set_params(params)

    def __getitem__(self, hook: str) -> list[Callable[..., Any]]:
        """The methods to call at this hook; to be asked for once, before a loop over batches."""
        return [getattr(callback, hook) for callback in self._callbacks if overrides(callback, hook)]

    def call(self, hook: str, *arguments: Any) -> None:
        """Calls them all; without logs they get an empty dict, in its place, as Keras gives it."""
        if len(arguments) < (2 if "epoch" in hook else 1):
            arguments = (*arguments, {})
        for method in self[hook]:
            method(*arguments)


class Results:
    """The loss and the metrics over the examples seen; the metrics begin anew."""

    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics
        self._loss = 0.0
        self._seen = 0
        for metric in metrics:
            metric.reset_state()

    def add(self, total_loss: float, predictions: Floats, targets: Floats, weights: Floats | None = None) -> None:
        """Adds a batch: the sum of its examples' losses, predictions (B, ld >= C), targets (B, C), weights (B,)."""
        self._loss += total_loss
        self._seen += len(targets)
        for metric in self._metrics:
            metric.update_checked(targets, predictions, weights)

    def logs(self) -> Logs:
        """The means by name, the loss first; a metric that returns several numbers has an array."""
        logs: Logs = {"loss": self._loss / max(1, self._seen)}
        for metric in self._metrics:
            logs[metric.name] = metric.logged()
        return logs


def as_keras(logs: Logs, return_dict: bool) -> Any:
    """A dict, or the loss alone, or a list of the loss and the metrics."""
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
    """Takes one step after another.

    Args:
        batches: what the steps are taken on.
        step: takes a step on a batch, and returns what tells the logs, if somebody asks.
        hooks: the callbacks.
        kind: "train", "test" or "predict": which of the callbacks' methods are called around each step.
        bar: shows the progress, or None.
        rows_a_step: how many rows count as one step of the bar; None if each batch is one.
        interrupts: holds back Ctrl-C during a step, or None.
        is_over: asked after each step whether to end here.
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
    """Trains a model for some epochs; returns the last one's results.

    Args:
        model: the `Sequential`, built and locked.
        batches: an epoch's each time they are iterated.
        validation: what is evaluated after an epoch, or None.
        epochs: the epochs' numbers, from 0.
        is_due: whether to evaluate after so many epochs.
        hooks, verbose, interrupts: the callbacks, what is shown, and Ctrl-C.
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
        hooks.call("on_epoch_end", epoch, logs)  # one dict: what a callback adds, all after it see
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
    """Computes the loss and the metrics of a data set; arguments as of `fit` and `run`."""
    results = Results([copy.copy(metric) for metric in model.metrics])  # an epoch's own may be under way
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
    """Computes the outputs for a data set, (n, *shape of an output); arguments as of `fit` and `run`."""
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
