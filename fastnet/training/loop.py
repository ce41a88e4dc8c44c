"""The loop over batches of `fit`, `evaluate` and `predict`, with callbacks, progress bar, Ctrl-C and results."""

from __future__ import annotations

import contextlib
import copy
import math
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from fastnet import kernels
from fastnet.callbacks import Callback, History
from fastnet.callbacks.base import overrides
from fastnet.checks import Floats
from fastnet.terminal.interrupts import Interrupts
from fastnet.terminal.progress import ProgressBar, say
from fastnet.training.arguments import is_due
from fastnet.training.batches import BLOCK, Batch, Batches, blocks
from fastnet.training.inputs import Data
from fastnet.training.results import Logs, Results
from fastnet.training.step import test_step
from fastnet.training.streams import Stream
from fastnet.training.tape import Player, can_record

_WIDEST = 64  # numbers in a row of an evaluation whose steps are recorded
_LARGEST = 2**16  # numbers in a batch of `train_on_batch` whose step is recorded: more take long to copy
_NOTHING = contextlib.nullcontext()


class Hooks:
    """Calls the callbacks of one fit, evaluate or predict.

    Args:
        callbacks: the callbacks, in the order of the calls.
        model: the model, which each callback gets.
        params: the parameters of the training, which each callback gets.

    Attributes:
        every: the number of batches from one call of the hooks of a batch to the next.
    """

    def __init__(self, callbacks: list[Callback], model: Any, params: dict[str, Any]) -> None:
        self._callbacks = callbacks
        self.every = model.steps_per_execution
        for callback in callbacks:
            callback.set_model(model)
            callback.set_params(params)

    def watch_batches(self, kind: str) -> bool:
        """Tells whether a callback is called at batches of this kind: "train", "test" or "predict"."""
        return bool(self._callbacks and (self[f"on_{kind}_batch_begin"] or self[f"on_{kind}_batch_end"]))

    def __getitem__(self, hook: str) -> list[Callable[..., Any]]:
        """Returns the methods to call at this hook. A loop over batches asks once, before it starts."""
        return [getattr(callback, hook) for callback in self._callbacks if overrides(callback, hook)]

    @property
    def only_record(self) -> bool:
        """Whether the callbacks do nothing in an epoch but record it at its end."""
        recorders = all(
            type(callback) is History for callback in self._callbacks if overrides(callback, "on_epoch_end")
        )
        return recorders and not self["on_epoch_begin"] and not self.watch_batches("train")

    def call(self, hook: str, *arguments: Any) -> None:
        """Calls this hook of all callbacks. As in Keras, missing logs become an empty dict."""
        methods = self[hook]
        if methods and len(arguments) < (2 if "epoch" in hook else 1):
            arguments = (*arguments, {})
        for method in methods:
            method(*arguments)


def run(
    batches: Iterable[Batch],
    step: Callable[[Batch], Callable[[], Logs]],
    hooks: Hooks,
    kind: str,
    bar: ProgressBar | None = None,
    rows_a_step: int | None = None,
    interrupts: Interrupts | None = None,
    is_over: Callable[[], bool] = bool,
    player: Player | None = None,
    begin: Callable[[Iterator[Batch]], int] | None = None,
) -> int:
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
        player: repeats recorded steps without Python; None if no step can be recorded.
        begin: leaves out the first batches, which a training that was interrupted has seen, and returns their number.

    Returns:
        The number of examples.
    """
    at_begin, at_end = hooks[f"on_{kind}_batch_begin"], hooks[f"on_{kind}_batch_end"]
    is_watched = bool(at_begin or at_end)
    every = hooks.every if is_watched else sys.maxsize
    if every == 1:  # a callback may have got a hook since the player was made
        player = None
    seen = 0
    source = iter(batches)
    done = called = begin(source) if begin else 0
    logs: Callable[[], Logs] = player.logs if player else dict
    while True:
        batch, played, left = None, 0, every - done % every  # steps until the hooks are called
        if at_begin and left == every:
            batch = None if player and player.has_more else next(source, None)
            if batch is None and not (player and player.has_more):
                break
            for hook in at_begin:
                hook(done, {})
        if player and batch is None:
            if interrupts:
                interrupts.hold()
            played, rows = player.play(left)
            if interrupts:
                interrupts.release()
        if played:
            done += played
            seen += rows
        else:
            batch = batch or next(source, None)
            if batch is None:
                break
            if interrupts:
                interrupts.hold()
            with player.recording(len(batch.x)) if player else _NOTHING:
                logs = step(batch)
            if interrupts:
                interrupts.release()
            done += 1
            seen += len(batch.x)
        if done % every == 0:
            called = done
            for hook in at_end:
                hook(done - 1, logs())
        if bar:
            shown = dict if kind == "predict" else logs  # outputs are for callbacks only
            bar.update(seen // rows_a_step if rows_a_step else done, shown)
        if not (is_watched and done > called) and is_over():
            return seen
    if done > called:
        for hook in at_end:
            hook(called + every - 1, logs())  # as in Keras: the number that a whole group would have
    return seen


def fit(
    model: Any,
    batches: Batches | Stream,
    validation: Data | Stream | None,
    epochs: range,
    frequency: int | set[int],
    hooks: Hooks,
    verbose: int,
    interrupts: Interrupts,
    rows_a_step: int,
    team: Any = None,
) -> Logs:
    """Trains a model for some epochs; returns the results of the last one.

    Args:
        model: the `Sequential`, built and locked.
        batches: each iteration yields the batches of one epoch.
        validation: the data to evaluate after an epoch, or None.
        epochs: the numbers of the epochs, from 0.
        frequency: when to evaluate: what `check_frequency` returned.
        hooks: the callbacks.
        verbose: 0 shows nothing, 1 a progress bar, 2 a line per epoch.
        interrupts: delays Ctrl-C to the end of a step.
        rows_a_step: how many rows of the validation data count as a batch.
        team: the processes of a distributed training, a `fastnet.distributed.team.Team`; None if there is one process.
    """
    is_over = (lambda: model.stop_training) if team is None else team.is_over
    player = _player(model, batches, hooks, "train", None)
    logs: Logs = {}
    is_quiet = not verbose and validation is None and len(epochs) > 1 and hooks.only_record
    epoch = epochs.start
    while epoch < epochs.stop:
        if (
            player and is_quiet and epochs.stop - epoch > 1
        ):  # nothing happens between two epochs, so several can be taken at once
            player.results = _results(model, own=True)
            interrupts.hold()
            try:
                played = player.play_epochs(epochs.stop - epoch)
                at_end = hooks["on_epoch_end"]
                for logs in played:
                    for end in at_end:
                        end(epoch, logs)
                    epoch += 1
                interrupts.release()
            finally:
                interrupts.drop()
            if played:
                continue
        if verbose:
            say(f"Epoch {epoch + 1}/{epochs.stop}")
        hooks.call("on_epoch_begin", epoch)
        begin, model._begin_epoch = model._begin_epoch, None
        results = _results(model, own=True)
        step = _step(model, results) if team is None else team.step(results)
        bar = ProgressBar(len(batches), verbose)
        try:
            if player:
                player.results = results
            source = model._batches(batches) if team is None else team.parts(batches)
            run(source, step, hooks, "train", bar, None, interrupts, is_over, player, begin)
            logs = results.logs()
            if validation is not None and is_due(epoch + 1, frequency):
                found = evaluate(model, validation, "auto", hooks, rows_a_step=rows_a_step)
                logs |= {f"val_{name}": value for name, value in found.items()}
            bar.finish(logs)
        finally:
            interrupts.drop()
            bar.close()
        checksum = team and team.checksum(logs)
        hooks.call("on_epoch_end", epoch, logs)  # one dict, so that a callback sees what earlier ones add
        if team is not None:
            team.end_epoch(epoch, checksum)
        epoch += 1
        if model.stop_training:
            break
        if batches.ended and epoch < epochs.stop:
            warnings.warn(
                f"x has no more batches after {epoch} of {epochs.stop} epochs; training ends here", stacklevel=3
            )
            break
    return logs


def _step(model: Any, results: Results) -> Callable[[Batch], Callable[[], Logs]]:
    """Makes the function that takes a training step on a batch."""

    def step(batch: Batch) -> Callable[[], Logs]:
        total, predictions = model._train_step(batch, model.loss, model.optimizer)
        results.add(total, predictions, batch.targets, batch.weights)
        return results.logs

    return step


def train_once(model: Any, data: Data, interrupts: Interrupts) -> Logs:
    """Takes one training step on a whole data set; returns the loss and the metrics from before the step."""
    if model._running:  # in a callback, whose own step does not count in the epoch under way
        results, player = Results([copy.copy(metric) for metric in model._metrics]), None
    else:
        results, player = _results(model, own=True), model._tapes.once
    interrupts.hold()
    if not (player and player.repeat(data, results)):
        fusion, is_small = model._current_fusion(), not data.x.is_sparse and math.prod(data.x.shape) <= _LARGEST
        records = is_small and not model._running and can_record(model, True, True)
        batches = Batches(data, fusion, len(data.x), False, None, False, model._tapes.buffers if records else None)
        player = model._tapes.once = Player(model, batches, results, True) if records else None
        if not (player and player.repeat(data, results)):
            batch = next(iter(batches))
            with player.recording(len(data.x)) if player else _NOTHING:
                _step(model, results)(batch)
        if player:
            player.forget_batches()
    interrupts.release()
    return results.logs()


def evaluate(
    model: Any,
    source: Data | Stream,
    sparse: Any,
    hooks: Hooks,
    bar: ProgressBar | None = None,
    rows_a_step: int | None = None,
) -> Logs:
    """Computes the loss and the metrics of a data set. The arguments are those of `fit` and `run`."""
    results = _results(model, own=False)  # an epoch may be using the metrics themselves

    def step(batch: Batch) -> Callable[[], Logs]:
        total, predictions = test_step(model._current_fusion(), batch, model.loss)
        results.add(total, predictions, batch.targets, batch.weights)
        return results.logs

    model.stop_evaluating = False
    hooks.call("on_test_begin")
    if isinstance(source, Data):
        make_buffers = _buffers(model, source, trains=False, scores=True)
        rows = (hooks.watch_batches("test") and rows_a_step) or BLOCK
        batches = blocks(source, model._current_fusion(), sparse, make_buffers, rows)
    else:
        batches = model._batches(source)
    penalty = np.zeros(2)  # of the weights that are evaluated: a callback may have set others
    model._current_fusion().add_penalty(penalty)
    results.penalty = float(penalty[0])
    player = _player(model, batches, hooks, "test", results)
    run(batches, step, hooks, "test", bar, rows_a_step, is_over=lambda: model.stop_evaluating, player=player)
    if not results.seen:
        warnings.warn("a generator of validation data has no more batches; its results are left out", stacklevel=4)
    logs = results.logs() if results.seen else {}
    hooks.call("on_test_end", logs)
    return logs


def _results(model: Any, own: bool) -> Results:
    """Returns sums for the loss and the metrics: those of earlier loops, if no other loop may be using them."""
    sums = model._loss_tracker._sums if own else None
    if model._running > 1:
        return Results(model._metrics if own else [copy.copy(metric) for metric in model._metrics], sums)
    return model._tapes.results(model._metrics, sums)  # type: ignore[no-any-return]


def _buffers(model: Any, data: Data, trains: bool, scores: bool) -> Any:
    """Returns what makes the buffers of blocks of rows; None if their steps are not recorded.

    Wide rows take longer to copy than Python takes for a step.
    """
    if data.x.is_sparse or data.x.shape[1] > _WIDEST or not can_record(model, trains, scores):
        return None
    return model._tapes.buffers


def _player(
    model: Any, batches: Any, hooks: Hooks, kind: str, results: Results | None, output: Any = None
) -> Player | None:
    """Returns what repeats the steps of a loop over these batches; None if they are never recorded."""
    if not isinstance(batches, Batches) or not batches.may_repeat:
        return None
    if hooks.watch_batches(kind) and (hooks.every == 1 or kind == "predict"):
        return None
    return Player(model, batches, results, kind == "train", output)


def predict(model: Any, data: Data, sparse: Any, hooks: Hooks, bar: ProgressBar, rows_a_step: int) -> Floats:
    """Computes the outputs, (n, *shape of an output), of a data set. The arguments are those of `fit` and `run`."""
    shape = model._layers[-1].output_shape
    predictions = np.empty((len(data.x), math.prod(shape)), np.float32)
    done = steps = start = 0  # rows, steps, and the first row since the last call of the hooks

    def step(batch: Batch) -> Callable[[], Logs]:
        nonlocal done, steps, start
        start = start if steps % hooks.every else done
        steps += 1
        rows = model._forward(batch)
        output = rows[:, : predictions.shape[1]]
        if player:
            kernels.scatter(rows, batches.buffers.rows[: len(rows)], predictions)
        else:
            predictions[done : done + len(output)] = output
        done += len(output)
        return lambda: {"outputs": predictions[start:done].reshape(-1, *shape)}

    model.stop_predicting = False
    hooks.call("on_predict_begin")
    make_buffers = _buffers(model, data, trains=False, scores=False) if len(data.x) > 2 * BLOCK else None
    rows = rows_a_step if hooks.watch_batches("predict") else BLOCK
    batches: Any = blocks(data, model._current_fusion(), sparse, make_buffers, rows)
    player = _player(model, batches, hooks, "predict", None, predictions)
    count = run(batches, step, hooks, "predict", bar, rows_a_step, None, lambda: model.stop_predicting, player)
    bar.finish({})
    return predictions[:count].reshape(count, *shape)


def predict_parts(model: Any, parts: Iterator[Data], hooks: Hooks, bar: ProgressBar) -> Floats:
    """Computes the outputs of a source of batches one by one, for callbacks that want to see each batch."""
    outputs: list[Floats] = []
    start = 0  # the first batch since the last call of the hooks

    def step(batch: Batch) -> Callable[[], Logs]:
        nonlocal start
        start = start if len(outputs) % hooks.every else len(outputs)
        rows, shape = model._forward(batch), model._layers[-1].output_shape
        outputs.append(rows[:, : math.prod(shape)].reshape(len(rows), *shape).copy())
        return lambda: {"outputs": np.concatenate(outputs[start:])}

    model.stop_predicting = False
    hooks.call("on_predict_begin")
    run(map(model._batch, parts), step, hooks, "predict", bar, is_over=lambda: model.stop_predicting)
    if not outputs:
        raise ValueError("x makes no batches")
    bar.finish({})
    return np.concatenate(outputs)
