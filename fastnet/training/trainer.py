"""Trainer: the loops of a model. `_train_step` is a batch's way forward and backward; the rest walks through data."""

from __future__ import annotations

import contextlib
import copy
import math
import warnings
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from fastnet import checks, kernels, losses, metrics, optimizers
from fastnet.arrays.sparse import CsrBatch
from fastnet.callbacks import Callback, History
from fastnet.checks import Floats
from fastnet.layers import Dense, Layer
from fastnet.layers.base import Fused
from fastnet.metrics import get_all
from fastnet.terminal.progress import ProgressBar, check_verbose, say
from fastnet.training.batches import Batches, check_steps
from fastnet.training.hooks import Hooks
from fastnet.training.inputs import Data, Stream, is_stream
from fastnet.training.interrupts import Interrupts
from fastnet.training.predictor import Predictor, check_callbacks, check_sparse
from fastnet.training.running import Results, as_keras

if TYPE_CHECKING:
    from fastnet.inspection.gradient_check import GradientTable
    from fastnet.inspection.profiling import Profile


class Trainer(Predictor):
    """What `Sequential` inherits: compile, fit, and a step on one batch. To evaluate and predict is in predictor.py."""

    def __init__(self) -> None:
        self.optimizer: optimizers.Optimizer | None = None
        self.loss: losses.Loss | None = None
        self.metrics: list[metrics.Metric] = []
        self.history: History | None = None
        self.stop_training = False
        self._initial_epoch = 0
        self._warned = False  # that the loss is not finite, in this training
        self._running = 0  # fits, evaluations and predictions under way, one in a callback of the other
        self._make_lock()

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        *,
        run_eagerly: Any = None,
        jit_compile: Any = None,
        steps_per_execution: Any = None,
    ) -> Self:
        """Says how to train.

        Args:
            optimizer: a name such as ``"rmsprop"``, or an object such as ``RMSprop(learning_rate=0.01)``.
            loss: a name such as ``"categorical_crossentropy"``, or an object.
            metrics: a list of names such as ``["accuracy"]``, or objects.
            weighted_metrics: such a list of those that count each example by its weight.
            run_eagerly, jit_compile, steps_per_execution: accepted as Keras does; there is but one way to run.

        Returns:
            The model, so that calls can follow one another, as in R's pipe:
            ``history = model.compile("rmsprop", "mse").fit(x, y)``. What follows a `fit` finds the model in the
            history: ``history.model.evaluate(x, y)``.

        Raises:
            ValueError: if a name is unknown, or there is no loss.
            TypeError: if an argument is of another type.
        """
        if loss is None:
            raise ValueError("loss is None; expected a loss such as 'categorical_crossentropy'")
        chosen = optimizers.get(optimizer), losses.get(loss)
        found = get_all(metrics, chosen[1], weighted=weighted_metrics)
        with self._changing("compile()"):
            self.metrics = found
            self.optimizer, self.loss = chosen
        return self

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
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: Any = 1,
        sparse: Any = "auto",
    ) -> History:
        """Trains the model.

        Args:
            x: examples, (n, ...), of any numeric type, computed in float32 (images in uint8 are kept as they are), also
                as a data frame; a last axis of 1 may be missing or one too many. Or a SciPy sparse matrix. Or, without
                y, what makes batches (x, y) or (x, y, sample_weight): a generator, an iterable, or a collection with a
                length and an index.
            y: targets, (n, units of the last layer), or as the loss wants them.
            batch_size: examples a step, 32 by default; more than there are is all of them.
            epochs: walks through the data.
            verbose: ``"auto"`` or 1 shows a progress bar, 2 one line an epoch, 0 nothing.
            callbacks: objects whose methods are called as the training goes on.
            validation_split: the last share of x and y, in [0, 1), is kept out of training and evaluated each epoch.
            validation_data: a pair (x, y), or (x, y, weights), or what makes batches, to evaluate each epoch instead.
            shuffle: whether each epoch takes the examples, or the batches of a collection with a length and an index,
                in a new random order.
            class_weight: a dict from a class, a whole number, to how much its examples count.
            sample_weight: how much each example counts, (n,).
            initial_epoch: the number of the first epoch, to go on with a training.
            steps_per_epoch: batches an epoch; by default all. The next epoch goes on from there, and begins anew when
                there are no more; of shuffled arrays each takes others. A generator that never ends needs it.
            validation_steps: batches of a validation, if not all.
            validation_batch_size: examples of such a batch, by default `batch_size`.
            validation_freq: every how many epochs to evaluate, or a list of the epochs, from 1, after which to.
            sparse: whether a first Dense layer leaves out the zeros of x: True, False, or ``"auto"``, if that pays.
                The result has the same bits.

        Returns:
            The History: ``history`` has a number an epoch for the loss, each metric and, of validation, ``val_...``;
            ``model`` is the model, for what follows in a chain of calls.

        Raises:
            RuntimeError: before `compile`.
            ValueError: if shapes, lengths or values do not fit, before anything has changed.
            TypeError: if an argument is of another type.
        """
        loss, optimizer = self._compiled()
        batch_size = 32 if batch_size is None else checks.integer("batch_size", batch_size, least=1)
        epochs = checks.integer("epochs", epochs, least=0)
        initial_epoch = checks.integer("initial_epoch", initial_epoch, least=0)
        due_after = validation_freq if isinstance(validation_freq, list | tuple | set) else None
        every = 1 if due_after is not None else checks.integer("validation_freq", validation_freq, least=1)
        for number in due_after or ():
            checks.integer("validation_freq", number, least=1)
        steps = None if steps_per_epoch is None else checks.integer("steps_per_epoch", steps_per_epoch, least=1)
        verbose = check_verbose(verbose)
        entries = check_callbacks(callbacks)
        share = checks.number("validation_split", validation_split, least=0, below=1)
        check_sparse(sparse)
        validation = self._validation(loss, validation_data, validation_steps)
        examples = batch_size
        if validation_batch_size is not None:
            examples = checks.integer("validation_batch_size", validation_batch_size, least=1)
        stream = data = None
        if is_stream(x, y):
            if share:
                raise ValueError("validation_split needs arrays; give validation_data beside what makes batches")
            if sample_weight is not None:
                raise ValueError("sample_weight needs arrays; let what makes batches make (x, y, sample_weight)")
            stream = self._stream(loss, x, steps, class_weight=class_weight, goes_on=True, shuffle=shuffle)
            shape = stream.first().shape
        else:
            data = self._data(loss, x, y, sample_weight, class_weight)
            shape = data.shape
            if share and validation is None:
                data, validation = data.split(share)
            check_steps("steps_per_epoch", steps, len(data.x), batch_size)
        if isinstance(validation, Data) and validation_steps is not None:
            validation = validation.first(checks.integer("validation_steps", validation_steps, least=1), examples)
        if isinstance(validation, Data):
            validation = validation.fitting(shape, "validation x")  # if the model had to learn it from x

        with self._lock, self._computing(), self._keeping_records(), Interrupts() as interrupts:
            self._ensure_built(shape)
            self._advise(loss)
            first = 0
            batches: Batches | Stream
            if stream is not None:
                batches = stream
            else:
                assert data is not None
                rows, first = self._plan.front(data.x, sparse)
                batches = Batches(rows, data.targets, data.weights, batch_size, shuffle, steps)
            history = self.history = History()
            entries.append(history)
            hooks = Hooks(entries, self, {"epochs": epochs, "steps": len(batches) or None, "verbose": verbose})
            self.stop_training = self._warned = False
            self._initial_epoch = initial_epoch  # BackupAndRestore moves it on
            hooks.call("on_train_begin")
            batches.skip(self._initial_epoch - initial_epoch)
            logs: dict[str, float] = {}
            for epoch in range(self._initial_epoch, epochs):
                if verbose:
                    say(f"Epoch {epoch + 1}/{epochs}")
                hooks.call("on_epoch_begin", epoch)
                is_due = (epoch + 1) % every == 0 if due_after is None else epoch + 1 in due_after
                due = validation if is_due else None
                logs = self._train_epoch(batches, first, loss, optimizer, hooks, due, verbose, interrupts)
                hooks.call("on_epoch_end", epoch, logs)  # one dict: what is added, all after it see
                if self.stop_training:
                    break
                if isinstance(batches, Stream) and batches.ended and epoch + 1 < epochs:
                    warnings.warn(
                        f"x has no more batches after {epoch + 1} of {epochs} epochs; training ends here",
                        stacklevel=2,
                    )
                    break
            hooks.call("on_train_end", logs)
            kernels.warn_if_threads_failed()
            return history

    @contextlib.contextmanager
    def _keeping_records(self) -> Iterator[None]:
        """A training that a callback of this model's own training starts leaves that one's records as they were."""
        if self._running == 1:
            yield
            return
        kept = self.history, self.stop_training, self._initial_epoch, self._warned, self.metrics
        self.metrics = [copy.copy(metric) for metric in self.metrics]
        try:
            yield
        finally:
            self.history, self.stop_training, self._initial_epoch, self._warned, self.metrics = kept

    def _train_epoch(
        self,
        batches: Batches | Stream,
        first: int,
        loss: losses.Loss,
        optimizer: optimizers.Optimizer,
        hooks: Hooks,
        validation: Data | Stream | None,
        verbose: int,
        interrupts: Interrupts,
    ) -> dict[str, float]:
        """One walk through the data; returns the epoch's loss, metrics and validation results."""
        at_begin, at_end = hooks["on_train_batch_begin"], hooks["on_train_batch_end"]
        results = Results(self.metrics)
        bar = ProgressBar(len(batches), verbose)
        x: Any
        try:
            for step, (x, targets, weights) in enumerate(batches):
                for begin in at_begin:
                    begin(step, {})
                if isinstance(batches, Stream):
                    x, first = self._batch(x)
                interrupts.hold()
                total, predictions = self._train_step(x, targets, weights, loss, optimizer, first)
                interrupts.release()
                results.add(total, predictions, targets, weights)
                for end in at_end:
                    end(step, results.logs())
                bar.update(step + 1, results.logs)
                if self.stop_training:
                    break
            logs = results.logs()
            if validation is not None:
                logs |= {
                    f"val_{name}": value for name, value in self._evaluate(validation, loss, "auto", hooks).items()
                }
            bar.finish(logs)
        finally:
            interrupts.drop()
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
        plan = self._current_plan()
        layers, logits = plan.fused(loss)
        layers = layers[first:] if first else layers
        state = [(variable, variable.packed.copy()) for variable in plan.state]
        try:
            outputs: list[Any] = [x]
            for layer, fused in layers:
                outputs.append(layer.forward(outputs[-1], True, fused))
            total, predictions, dy = loss.gradient(outputs[-1], targets, logits, weights)
            if plan.regularized:
                total += plan.penalty() * len(targets)
            if not (self._warned or math.isfinite(total)):
                self._warn_not_finite(layers, outputs)
            sink.begin_step()
            for i in range(len(layers) - 1, -1, -1):
                layer, fused = layers[i]
                need_dx = i > 0 and plan.trains_below[first + i]
                dx = layer.backward(outputs[i], outputs[i + 1], dy, sink, need_dx, fused)
                if dx is None:
                    break
                dy = dx
            sink.end_step()
        except BaseException:  # a step that fails has not happened: moving averages go back too
            for variable, before in state:
                variable.packed[...] = before
            raise
        return total, predictions

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
        with self._lock, Interrupts() as interrupts:
            self._ensure_built(data.shape)
            metrics = [copy.copy(metric) for metric in self.metrics] if self._running else self.metrics
            results = Results(metrics)  # a callback's own step does not count in the epoch under way
            batch, first = self._batch(data.x)
            interrupts.hold()
            step = self._train_step(batch, data.targets, data.weights, loss, optimizer, first)
            interrupts.release()
            results.add(*step, data.targets, data.weights)
            return as_keras(results.logs(), return_dict)

    # Looking inside ---------------------------------------------------------------------------------------------------

    def check_gradients(self, x: Any, y: Any, *, samples: int = 20, print_fn: Any = None) -> GradientTable:
        """Compares the gradients of the weights with central differences; print what it returns: gradient_check.py."""
        from fastnet.inspection.gradient_check import check_gradients

        return check_gradients(self, x, y, samples=samples, print_fn=print_fn)

    def profile(self, x: Any, y: Any, batch_size: int = 32, *, epochs: int = 1, print_fn: Any = None) -> Profile:
        """Trains a copy and tells where a step's time goes, by kernel; print what it returns: profiling.py."""
        from fastnet.inspection.profiling import profile

        return profile(self, x, y, batch_size=batch_size, epochs=epochs, print_fn=print_fn)

    def _validation(self, loss: losses.Loss, given: Any, steps: int | None) -> Data | Stream | None:
        if given is None:
            return None
        if is_stream(given, None):
            steps = None if steps is None else checks.integer("validation_steps", steps, least=1)
            return self._stream(loss, given, steps, "validation x")
        if not isinstance(given, tuple | list) or len(given) not in (2, 3):
            raise ValueError("validation_data must be a pair (x, y) or a triple (x, y, sample_weight)")
        weights = given[2] if len(given) == 3 else None
        return self._data(loss, given[0], given[1], weights, name="validation ")

    def _advise(self, loss: losses.Loss) -> None:
        """Warns of a loss that fits the last layer badly."""
        last = self._layers[-1]
        activation = last.activation if isinstance(last, Dense) else None
        text = loss.advice(activation, self._units()) if activation is not None else None
        if text:
            warnings.warn(text, stacklevel=3)

    def _warn_not_finite(self, layers: list[tuple[Layer, Fused]], outputs: list[Any]) -> None:
        """The loss is NaN or infinite: says so once a training, and where it began."""
        self._warned = True
        names = [
            layer.name
            for (layer, _), y in zip(layers, outputs[1:], strict=True)
            if not np.isfinite(y[:, : math.prod(layer.output_shape or ())]).all()
        ]
        where = (
            f"the output of layer {names[0]!r} is the first that is not finite" if names else "all outputs are finite"
        )
        warnings.warn(
            f"the loss is not finite: {where}. Try a smaller learning rate, or clip the gradients (clipnorm=1.0)",
            RuntimeWarning,
            stacklevel=5,
        )
