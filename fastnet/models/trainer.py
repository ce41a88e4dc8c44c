"""Trainer: the part of a model that trains, evaluates and predicts.

The computation of a batch is in training/: step.py has the algorithm, and loop.py the loop around it.
"""

from __future__ import annotations

import contextlib
import copy
import math
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from fastnet import checks, kernels, losses, optimizers
from fastnet.callbacks import Callback, History, overrides
from fastnet.checks import Floats
from fastnet.layers import Dense as _Dense
from fastnet.layers import Layer
from fastnet.layers.base import Fused
from fastnet.layers.tensor import Tensor
from fastnet.losses.base import Doubles
from fastnet.metrics import Mean, Metric, get_all
from fastnet.terminal.interrupts import Interrupts
from fastnet.terminal.progress import ProgressBar, check_verbose
from fastnet.training.arguments import (
    check_batch_size,
    check_callbacks,
    check_frequency,
    check_needs_no_arrays,
    check_sparse,
    check_steps,
)
from fastnet.training.batches import Batch, Batches, Buffers, whole
from fastnet.training.inputs import Data, Expected, check_data, check_examples, joined
from fastnet.training.loop import Hooks, evaluate, fit, predict, predict_parts, train_once
from fastnet.training.results import as_keras
from fastnet.training.stack import Stack
from fastnet.training.step import train_step
from fastnet.training.streams import Stream, check_parts, is_stream
from fastnet.training.tape import can_record

if TYPE_CHECKING:
    from fastnet.distributed import DataParallel


class Trainer(Stack):
    """The part of a model that is computation: training, evaluation and prediction. `Model` adds the rest."""

    _distribution: DataParallel | None = None  # neither copied nor saved

    def _make_untrained(self) -> None:
        self.optimizer: optimizers.Optimizer | None = None
        self.loss: losses.Loss | None = None
        self.compiled = False
        self.steps_per_execution = 1
        self.history: History | None = None
        self.stop_training = self.stop_evaluating = self.stop_predicting = False  # a callback may set them
        self._metrics: list[Metric] = []
        self._loss_tracker: Mean | None = None  # its sums are those to which the training adds
        self._callbacks: list[Callback] = []  # those of the training that runs
        self._initial_epoch = 0
        self._begin_epoch: Callable[[Iterator[Any]], int] | None = None  # BackupAndRestore sets it: see loop.run
        self._warned = False  # whether this training has warned that the loss is not finite

    # Training ---------------------------------------------------------------------------------------------------------

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        *,
        run_eagerly: Any = False,
        steps_per_execution: int | None = 1,
        jit_compile: Any = "auto",
        auto_scale_loss: Any = True,
        distribution: DataParallel | None = None,
    ) -> Self:
        """Sets the optimizer, the loss and the metrics for training.

        Args:
            optimizer: a name such as ``"rmsprop"``, or an object such as ``RMSprop(learning_rate=0.01)``.
            loss: a name such as ``"categorical_crossentropy"``, or an object. None is enough for `predict`.
            metrics: a list of names such as ``["accuracy"]``, or objects.
            weighted_metrics: a list of metrics that count each example with its weight.
            steps_per_execution: the number of batches from one call of a callback's batch hooks, such as
                `on_train_batch_end`, to the next. The result is the same. With more than one, the steps in between
                may be repeated without Python.
            run_eagerly, jit_compile, auto_scale_loss: accepted for compatibility with Keras, and ignored.
            distribution: the processes that train together, a `fastnet.distributed.DataParallel`; None for one process.

        Returns:
            The model, so that calls can be chained: ``history = model.compile("rmsprop", "mse").fit(x, y)``. After a
            `fit`, the model is in the history: ``history.model.evaluate(x, y)``.

        Raises:
            ValueError: if a name is unknown, or a number too small.
            TypeError: if an argument is of another type.
        """
        if optimizer is None:
            raise TypeError("optimizer is None; expected an optimizer such as 'rmsprop'")
        loss, metrics, weighted_metrics = (
            self._of_output(name, value)
            for name, value in (("loss", loss), ("metrics", metrics), ("weighted_metrics", weighted_metrics))
        )
        chosen = optimizers.get(optimizer), None if loss is None else losses.for_training(loss)
        found = get_all(metrics, chosen[1], weighted=weighted_metrics)
        steps = check_steps("steps_per_execution", steps_per_execution) or 1
        _check_distribution(distribution)
        with self._changing("compile()"):
            self._metrics, self._loss_tracker = found, Mean("loss")
            self.optimizer, self.loss = chosen
            self.steps_per_execution, self.compiled = steps, True
            self._distribution = distribution
        return self

    @property
    def distribution(self) -> DataParallel | None:
        """The processes that train together, or None. It may be set without a new `compile`, as after a `load_model`.

        Raises:
            TypeError: when it is set to something else.
            RuntimeError: when it is set while the model computes.
        """
        return self._distribution

    @distribution.setter
    def distribution(self, value: Any) -> None:
        _check_distribution(value)
        with self._changing("a new distribution"):
            self._distribution = value

    @property
    def _is_shared(self) -> bool:
        """Whether several processes train together."""
        return self._distribution is not None and self._distribution.size > 1

    def _shown(self, verbose: Any) -> int:
        """Checks the argument `verbose`. Of several processes, only the first one shows anything."""
        number = check_verbose(verbose)
        return 0 if self._distribution is not None and self._distribution.rank else number

    @property
    def metrics(self) -> list[Metric]:
        """A new list of the metrics that `fit` computes: the mean of the loss, then the metrics of `compile`.

        Between two batches they hold the results of the epoch so far. An evaluation has its own.
        """
        return [] if self._loss_tracker is None else [self._loss_tracker, *self._metrics]

    @property
    def metrics_names(self) -> list[str]:
        """The names of the results of `evaluate`, in order: ``"loss"``, then the names of the metrics."""
        return [metric.name for metric in self.metrics]

    def get_metrics_result(self) -> dict[str, Any]:
        """Returns the results of the metrics of the last epoch or batch that was trained, by name."""
        return {metric.name: metric.logged() for metric in self.metrics}

    def reset_metrics(self) -> None:
        """Sets the loss and the metrics back to their beginning. `fit` does so before each epoch."""
        for metric in self.metrics:
            metric.reset_state()

    def _of_output(self, argument: str, value: Any) -> Any:
        """Returns what an argument of `compile` says of the output, from a list of one or a dict by layer, as in Keras.

        Raises:
            ValueError: if the dict names another output than the model's only one.
        """
        if isinstance(value, dict) and "class_name" not in value:
            name = self._entries[-1].name if self._entries else None
            for key in value:
                if key != name:
                    raise ValueError(f"{argument} is for the output {key!r}, but the model has one output, {name!r}")
            value = value.get(name)
        is_one = isinstance(value, list | tuple) and len(value) == 1
        return value[0] if is_one and (argument == "loss" or isinstance(value[0], list | tuple)) else value

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
            x: examples, (n, ...), as an array or data frame of any numeric type, or a SciPy sparse matrix. A last axis
                of length 1 may be missing or added. fastnet computes in float32 and keeps images in uint8. Without y:
                a source of batches (x, y) or (x, y, sample_weight), which is a generator, an iterable, or a collection
                with a length and an index.
            y: targets, (n, units of the last layer), or in the form that the loss expects.
            batch_size: examples per step, 32 by default. If x has fewer, a step takes all.
            epochs: passes over the training data.
            verbose: ``"auto"`` or 1 shows a progress bar, 2 one line per epoch, 0 nothing.
            callbacks: objects whose methods are called during the training.
            validation_split: the last share of x and y, in [0, 1), is evaluated after each epoch, not trained on.
            validation_data: a pair (x, y), a triple (x, y, weights), or a source of batches, to evaluate instead.
            shuffle: whether each epoch takes the examples in a new random order. Of a collection with a length and an
                index, it takes the batches in a new random order.
            class_weight: a dict from each class, a whole number, to the weight of its examples.
            sample_weight: the weight of each example, (n,).
            initial_epoch: the number of the first epoch, to continue a training.
            steps_per_epoch: batches per epoch; by default all. The next epoch continues there, and starts again after
                the last batch. Each epoch of shuffled arrays draws from all examples. An endless generator needs it.
            validation_steps: batches per validation; by default all.
            validation_batch_size: examples in such a batch, by default `batch_size`.
            validation_freq: the epochs from one validation to the next, or a list of epochs, from 1, to evaluate.
            sparse: whether a first Dense layer skips the zeros of x: True, False, or ``"auto"`` to do what is faster.
                The result has the same bits.

        Returns:
            The History. Its ``history`` has one number per epoch for the loss, each metric, and each ``val_...`` of the
            validation. Its ``model`` is the model, for chained calls.

        Raises:
            RuntimeError: if `compile` has not been called; with a distribution, also if another process has an error.
            ValueError: if shapes, lengths or values do not fit; nothing has changed then.
            TypeError: if an argument is of another type.
        """
        with self._together() as team:
            loss, _ = self._compiled()
            batch_size = check_batch_size(batch_size)
            epochs = checks.integer("epochs", epochs, least=0)
            initial_epoch = checks.integer("initial_epoch", initial_epoch, least=0)
            frequency = check_frequency(validation_freq)
            steps = check_steps("steps_per_epoch", steps_per_epoch)
            verbose = self._shown(verbose)
            entries = check_callbacks(callbacks)
            share = checks.number("validation_split", validation_split, least=0, below=1)
            check_sparse(sparse)
            validation = self._validation(loss, validation_data, validation_steps)
            examples = batch_size
            if validation_batch_size is not None:
                examples = checks.integer("validation_batch_size", validation_batch_size, least=1)
            source: Data | Stream
            if is_stream(x, y):
                check_needs_no_arrays(share, sample_weight)
                source = self._stream(loss, x, steps, class_weight=class_weight, goes_on=True, shuffle=shuffle)
                shape = source.first().shape
            else:
                source = self._data(loss, x, y, sample_weight, class_weight)
                shape = source.shape
                if share and validation is None:
                    source, validation = source.split(share)
                steps = source.limited(steps, batch_size, "steps_per_epoch")
            if isinstance(validation, Data):
                limit = check_steps("validation_steps", validation_steps)
                validation = validation.first(limit, examples, "validation_steps")
                # Its shape is checked now, because only x may have told the model its input shape.
                validation = validation.fitting(shape, "validation x")

            with self._lock, self._computing(), self._keeping_records(), Interrupts() as interrupts:
                fusion = self._ensure_built(shape)
                self._advise(loss)
                batches: Batches | Stream
                if isinstance(source, Stream):
                    batches = source
                elif team is not None:
                    batches = team.batches(source, fusion, batch_size, shuffle, steps, sparse)
                else:
                    make_buffers = self._training_buffers(source, batch_size, shuffle, epochs - initial_epoch)
                    batches = Batches(source, fusion, batch_size, shuffle, steps, sparse, make_buffers)
                history = self.history = History()
                entries.append(history)
                hooks = Hooks(entries, self, {"epochs": epochs, "steps": len(batches) or None, "verbose": verbose})
                self.stop_training = self._warned = False
                self._callbacks, self._begin_epoch = entries, None
                self._initial_epoch = initial_epoch  # BackupAndRestore may increase it
                if team is None:
                    hooks.call("on_train_begin")
                else:
                    arguments: dict[str, Any] = {"epochs": epochs, "initial_epoch": initial_epoch}
                    arguments |= {"batch_size": batch_size, "steps": steps, "shuffle": shuffle}
                    arguments["validation_freq"] = frequency
                    team.begin(source, validation, entries, hooks, arguments)
                batches.skip(self._initial_epoch - initial_epoch)
                numbers = range(self._initial_epoch, epochs)
                logs = fit(self, batches, validation, numbers, frequency, hooks, verbose, interrupts, examples, team)
                if numbers and self.optimizer is not None:
                    self.optimizer.finalize_variable_values(self.trainable_weights)
                hooks.call("on_train_end", logs)
                kernels.warn_if_threads_failed()
                return history

    def _together(self) -> contextlib.AbstractContextManager[Any]:
        """Returns the context of a training: with several processes, the Team that they are in it; else None."""
        if not self._is_shared:
            return contextlib.nullcontext()
        from fastnet.distributed.team import Team

        assert self._distribution is not None
        return Team(self._distribution, self)

    def _training_buffers(self, data: Data, batch_size: int, shuffle: bool, epochs: int) -> Any:
        """Returns what makes the buffers of the batches of a training; None if its steps are not recorded."""
        if not can_record(self, trains=True, scores=True):
            return None
        repeats_all = not shuffle and batch_size >= len(data.x) and epochs > 2
        return Buffers.of_whole if repeats_all else self._tapes.buffers

    def _train_step(self, batch: Batch, loss: losses.Loss, sink: optimizers.Sink) -> tuple[Doubles, Floats]:
        """Takes one training step and returns what `train_step` returns."""
        return train_step(self._current_fusion(), batch, loss, sink, self._warn_not_finite)

    def _batch(self, data: Data) -> Batch:
        """Makes one batch of a whole data set; builds the layers if necessary."""
        return whole(data, self._ensure_built(data.shape))

    def _batches(self, source: Batches | Stream) -> Iterable[Batch]:
        return source if isinstance(source, Batches) else map(self._batch, source)

    @contextlib.contextmanager
    def _keeping_records(self) -> Iterator[None]:
        """Keeps the records of a training while one of its callbacks trains the same model."""
        if self._running == 1:
            try:
                yield
            finally:
                self._callbacks, self._begin_epoch = [], None
            return
        names = "history", "stop_training", "_initial_epoch", "_warned", "_metrics", "_loss_tracker", "_callbacks"
        kept = {name: vars(self)[name] for name in names}
        self._metrics, self._loss_tracker = [copy.copy(each) for each in self._metrics], copy.copy(self._loss_tracker)
        try:
            yield
        finally:
            vars(self).update(kept)

    def train_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, class_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """Takes one training step on one batch.

        Returns:
            The batch's loss before the step. With metrics: a list of the loss and the metrics, or a dict of them.

        Raises:
            RuntimeError, ValueError, TypeError: as for `fit`.
        """
        loss, _ = self._compiled()
        if self._is_shared:
            raise RuntimeError(
                "train_on_batch trains this process alone, but the model has a distribution: use fit, whose steps are "
                "shared, or set model.distribution = None"
            )
        data = self._data(loss, x, y, sample_weight, class_weight)
        with self._lock, Interrupts() as interrupts:
            self._ensure_built(data.shape)
            return as_keras(train_once(self, data, interrupts), return_dict)

    # Evaluating and predicting ----------------------------------------------------------------------------------------

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
        """Computes the loss and the metrics of a data set.

        Args:
            x, y, sample_weight, sparse: as for `fit`.
            batch_size: the unit in which the progress bar, `steps` and callbacks count, 32 by default.
            verbose, callbacks: as for `fit`.
            steps: batches to take; by default all.
            return_dict: whether to return a dict.

        Returns:
            The loss. With metrics: a list of the loss and the metrics, or a dict of them.

        Raises:
            RuntimeError, ValueError, TypeError: as for `fit`.
        """
        loss, _ = self._compiled()
        batch_size, steps = check_batch_size(batch_size), check_steps("steps", steps)
        verbose = self._shown(verbose)
        entries = check_callbacks(callbacks)
        check_sparse(sparse)
        source: Data | Stream
        if is_stream(x, y):
            source = self._stream(loss, x, steps)
            shape, count, rows_a_step = source.first().shape, len(source), None
        else:
            source = self._data(loss, x, y, sample_weight).first(steps, batch_size, "steps")
            shape, count, rows_a_step = source.shape, -(-len(source.x) // batch_size), batch_size
        with self._lock, self._computing():
            self._ensure_built(shape)
            hooks = Hooks(entries, self, {"steps": count or None, "verbose": verbose})
            bar = ProgressBar(count, verbose)
            try:
                logs = evaluate(self, source, sparse, hooks, bar, rows_a_step)
                bar.finish(logs)
            finally:
                bar.close()
            return as_keras(logs, return_dict)

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: Any = "auto",
        steps: int | None = None,
        callbacks: Iterable[Callback] | Callback | None = None,
        sparse: Any = "auto",
    ) -> Floats:
        """Computes the outputs for examples.

        Args:
            x: examples, (n, ...), where n may be 0; or a SciPy sparse matrix; or a source of batches.
            batch_size: the unit in which the progress bar, `steps` and callbacks count, 32 by default.
            verbose, callbacks, sparse: as for `fit`.
            steps: batches to take; by default all.

        Returns:
            A float32 array, (n, units of the last layer).

        Raises:
            ValueError: if the shape does not fit, or a value is not finite.
            TypeError: if `x` does not hold numbers.
        """
        if verbose == 0 and type(x) is np.ndarray and x.ndim and len(x) == 1 and callbacks is None and self._takes(x):
            return self._predict_one(x)
        batch_size, steps = check_batch_size(batch_size), check_steps("steps", steps)
        verbose = self._shown(verbose)
        entries = check_callbacks(callbacks)
        check_sparse(sparse)
        data: Any
        with self._naming_shapes():
            if is_stream(x, None):
                data = check_parts(x, "x", self._example_shape(), steps)
                if not any(
                    overrides(entry, f"on_predict_batch_{end}") for entry in entries for end in ("begin", "end")
                ):
                    data = joined(list(data), "x")
            else:
                data = check_examples(x, "x", self._example_shape()).first(steps, batch_size, "steps")
        with self._lock, self._computing():
            if isinstance(data, Data):
                self._ensure_built(data.shape)
                count = max(1, -(-len(data.x) // batch_size))
            else:
                count = steps or (len(x) if hasattr(x, "__len__") else 0)
            hooks = Hooks(entries, self, {"steps": count or None, "verbose": verbose})
            bar = ProgressBar(count, verbose)
            try:
                if isinstance(data, Data):
                    predictions = predict(self, data, sparse, hooks, bar, batch_size)
                else:
                    with self._naming_shapes():
                        predictions = predict_parts(self, data, hooks, bar)
            finally:
                bar.close()
            hooks.call("on_predict_end")
            return predictions

    def _forward(self, batch: Batch, training: bool = False) -> Floats:
        """Computes the last layer's output for a batch, as rows in a workspace."""
        x: Any = batch.x
        for layer in self._layers[batch.first :]:
            x = layer.forward(x, training)
        return x  # type: ignore[no-any-return]

    def _takes(self, x: np.ndarray[Any, Any]) -> bool:
        """Tells whether the built model can take x as it is: float32, of the right shape, and finite."""
        return (
            self._fusion is not None
            and x.dtype == np.float32
            and x.flags.carray
            and x.shape[1:] == self._layers[0].input_shape
            and kernels.all_finite(x.reshape(-1))
        )

    def _predict_one(self, x: Floats) -> Floats:
        """Predicts one example faster, without blocks and bar."""
        with self._lock:
            y: Any = x.reshape(1, -1)
            for layer in self._layers:
                y = layer.forward(y)
            shape = self._layers[-1].output_shape
            assert shape is not None
            row: Floats = y[:, : math.prod(shape)].copy()
            return row if len(shape) == 1 else row.reshape(1, *shape)

    def predict_classes(self, x: Any, batch_size: int | None = None, verbose: Any = 0) -> np.ndarray[Any, Any]:
        """Returns the most probable class of each example, (n,). With one output: whether it is above 0.5, (n, 1)."""
        predictions = self.predict(x, batch_size, verbose)
        return predictions.argmax(axis=-1) if predictions.shape[-1] > 1 else (predictions > 0.5).astype(np.int32)

    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """Computes the loss and the metrics of one batch. Returns and raises as `evaluate` does."""
        return self.evaluate(x, y, sample_weight=sample_weight, verbose=0, return_dict=return_dict)

    def predict_on_batch(self, x: Any) -> Floats:
        """Computes the outputs for one batch. Returns and raises as `predict` does."""
        return self.predict(x, verbose=0)

    def __call__(self, x: Any, training: bool = False) -> Any:
        """Computes the outputs for an array of examples, or the output for a tensor.

        Args:
            x: examples, (n, ...), as for `predict`; or a tensor, as in ``model(Input((784,)))``.
            training: whether the layers compute as in a training step. Dropout then drops, and BatchNormalization uses
                the batch's own mean and variance. No weight is trained.

        Returns:
            A float32 array, (n, *shape of an output); for a tensor, a tensor.

        Raises:
            ValueError, TypeError: as for `predict`.
        """
        if isinstance(x, Tensor):
            return self.connect(x)
        if not training:
            return self.predict(x, verbose=0)
        with self._naming_shapes():
            data = check_examples(x, "x", self._example_shape())
        with self._lock:
            y = self._forward(self._batch(data), training=True)
            shape = self._layers[-1].output_shape
            assert shape is not None
            return y[:, : math.prod(shape)].reshape(len(y), *shape).copy()

    # Checking ---------------------------------------------------------------------------------------------------------

    def _compiled(self) -> tuple[losses.Loss, optimizers.Optimizer]:
        if self.loss is None or self.optimizer is None:
            text = "compile() got no loss, which fit and evaluate need" if self.compiled else "call compile() first"
            raise checks.NotCompiledError(f"{text}, as in model.compile('rmsprop', 'categorical_crossentropy')")
        return self.loss, self.optimizer

    def _data(self, loss: losses.Loss, x: Any, y: Any, *others: Any, **named: Any) -> Data:
        with self._naming_shapes():
            shape = given = self._example_shape()
            if not self._knows_units():
                given = check_examples(x, f"{named.get('name', '')}x", shape).shape
            return check_data(Expected(loss, shape, self._units(given)), x, y, *others, **named)

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

    def _validation(self, loss: losses.Loss, given: Any, steps: int | None) -> Data | Stream | None:
        if given is None:
            return None
        if is_stream(given, None):
            return self._stream(loss, given, check_steps("validation_steps", steps), "validation x")
        if not isinstance(given, tuple | list) or len(given) not in (2, 3):
            raise ValueError("validation_data must be a pair (x, y) or a triple (x, y, sample_weight)")
        weights = given[2] if len(given) == 3 else None
        return self._data(loss, given[0], given[1], weights, name="validation ")

    def _advise(self, loss: losses.Loss) -> None:
        """Warns if the loss does not suit the last layer."""
        last = self._layers[-1]
        activation = getattr(last, "activation", None) if isinstance(last, _Dense) else None
        text = loss.advice(activation, self._units()) if activation is not None else None
        if text:
            warnings.warn(text, stacklevel=3)

    def _warn_not_finite(self, layers: list[tuple[Layer, Fused]], outputs: list[Any]) -> None:
        """Warns once per training that the loss is not finite, and names the first layer with such an output."""
        if self._warned:
            return
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


def _check_distribution(value: Any) -> None:
    if value is not None:
        from fastnet.distributed.data_parallel import check_distribution

        check_distribution(value)
