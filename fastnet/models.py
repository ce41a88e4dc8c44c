"""Sequential: layers in a row, and the loop that trains them."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from fastnet import checks, kernels, losses, metrics, optimizers, summary
from fastnet.batches import Batches
from fastnet.callbacks import Callback, History, overrides
from fastnet.checks import Floats
from fastnet.layers import Dense, InputLayer
from fastnet.progress import ProgressBar, check_verbose
from fastnet.results import Results, as_keras
from fastnet.sparsity import is_sparse

_BLOCK = 1024  # rows that predict and evaluate compute at once: enough to keep the kernels busy, little memory


class Sequential:
    """A stack of layers, each fed with the output of the one before.

    Args:
        layers: an optional `Input` and the layers; more can be added with `add`.
        name: what `summary` calls the model.

    Raises:
        TypeError: if an entry is not a layer.
        ValueError: if a layer comes twice, or its input shape does not fit.

    Example:
        >>> from fastnet.layers import Dense, Input
        >>> Sequential([Input((784,)), Dense(512, activation="relu"), Dense(10, activation="softmax")])
        Sequential([Input((784,)), Dense(512, activation='relu'), Dense(10, activation='softmax')])
    """

    def __init__(self, layers: Iterable[Any] | None = None, name: str = "sequential") -> None:
        self.name = name
        self.layers: list[Dense] = []
        self.optimizer: optimizers.Optimizer | None = None
        self.loss: losses.Loss | None = None
        self.metrics: list[metrics.Metric] = []
        self.history: History | None = None
        self.stop_training = False
        self._inputs: int | None = None
        self._lock = threading.RLock()  # layers own one workspace each, so one computation at a time
        for layer in layers or []:
            self.add(layer)

    # Building ---------------------------------------------------------------------------------------------------------

    def add(self, layer: Any) -> None:
        """Puts a layer on top; errors as the class."""
        if isinstance(layer, InputLayer):
            if self.layers or self._inputs is not None:
                raise ValueError("an Input can only be the first entry of a model")
            self._inputs = layer.features
            return
        if not isinstance(layer, Dense):
            raise TypeError(f"layers must be layers such as Dense(10), got {layer!r}")
        if any(layer is other for other in self.layers):
            raise ValueError(f"layer {layer.name!r} is already in the model; make a new one")
        if not layer.name:
            count = sum(other.name.startswith("dense") for other in self.layers)
            layer.name = f"dense_{count}" if count else "dense"
        if any(layer.name == other.name for other in self.layers):
            raise ValueError(f"the model already has a layer called {layer.name!r}; give each its own name")
        inputs = self.layers[-1].units if self.layers else self._inputs
        if inputs is None:
            inputs = layer.inputs
        if inputs is not None and (not self.layers or self.layers[-1].built):
            layer.build(inputs)
        if not self.layers:
            self._inputs = inputs
        self.layers.append(layer)

    def build(self, input_shape: Any) -> None:
        """Makes the weights for examples of this shape, (None, features); a fit or a predict does it by itself."""
        shape = tuple(input_shape) if not isinstance(input_shape, int) else (None, input_shape)
        self._build(checks.integer("input_shape", shape[-1], least=1))

    def _build(self, inputs: int) -> None:
        if not self.layers:
            raise ValueError("the model has no layers; add some, as in model.add(Dense(10))")
        self._inputs = inputs
        for layer in self.layers:
            layer.build(inputs)
            inputs = layer.units

    def _prepare(self, x: Floats) -> None:
        """Builds the layers for the examples x and decides whether to skip their zeros."""
        self._build(x.shape[1])
        self.layers[0].skip_zeros = is_sparse(x, self.layers[0].units)

    @property
    def built(self) -> bool:
        """Whether the layers have their weights."""
        return bool(self.layers) and all(layer.built for layer in self.layers)

    @property
    def weights(self) -> list[Any]:
        """All variables: kernel and bias of each layer."""
        return [variable for layer in self.layers for variable in layer.weights]

    def get_weights(self) -> list[Floats]:
        """Copies of all weights, in order: kernel (inputs, units) and bias (units,) of each layer."""
        return [variable.numpy() for variable in self.weights]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Sets all weights, from a list as `get_weights` returns it.

        Raises:
            ValueError: if the number of arrays or a shape differs, or a value is not finite; nothing is set then.
            TypeError: if an array is not numeric.
        """
        variables = self.weights
        if len(weights) != len(variables):
            raise ValueError(f"the model has {len(variables)} weight arrays, but weights holds {len(weights)}")
        values = [variable.check(value) for variable, value in zip(variables, weights, strict=True)]
        with self._lock:
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)

    def count_params(self) -> int:
        """The number of weights."""
        return sum(layer.count_params() for layer in self.layers)

    def summary(self, print_fn: Callable[[str], Any] = print) -> None:
        """Prints a table of the layers, their shapes and their numbers of weights."""
        print_fn(summary.table(self.name, self.layers))

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

    # Using ------------------------------------------------------------------------------------------------------------

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
        initial_epoch: int = 0,
    ) -> History:
        """Trains the model.

        Args:
            x: examples, (n, features), of any numeric type; computed in float32.
            y: targets, (n, units of the last layer).
            batch_size: examples a step, 32 by default; more than there are is all of them.
            epochs: walks through the data.
            verbose: ``"auto"`` or 1 shows a progress bar, 2 one line an epoch, 0 nothing.
            callbacks: objects whose methods are called as the training goes on.
            validation_split: the last share of x and y, in [0, 1), is kept out of training and evaluated each epoch.
            validation_data: a pair (x, y) to evaluate each epoch instead.
            shuffle: whether each epoch takes the examples in a new random order.
            initial_epoch: the number of the first epoch, to go on with a training.

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
        features, targets = self._examples(x, "x"), self._targets(loss, y, "y")
        checks.same_length(features, targets)
        validation = None
        if validation_data is not None:
            if not isinstance(validation_data, tuple | list) or len(validation_data) != 2:
                raise ValueError("validation_data must be a pair (x, y)")
            validation = (
                self._examples(validation_data[0], "validation x"),
                self._targets(loss, validation_data[1], "validation y"),
            )
            checks.same_length(*validation, "validation x and y")
            if validation[0].shape[1] != features.shape[1]:
                raise ValueError(f"validation x has {validation[0].shape[1]} features, but x has {features.shape[1]}")
        elif validation_split:
            kept = int(len(features) * (1 - validation_split))
            if kept == 0 or kept == len(features):
                raise ValueError(
                    f"validation_split={validation_split} of {len(features)} examples leaves "
                    f"{kept} for training and {len(features) - kept} for validation; each needs at least 1"
                )
            validation = features[kept:], targets[kept:]
            features, targets = features[:kept], targets[:kept]

        with self._lock:
            self._prepare(features)
            batches = Batches(features, targets, batch_size, shuffle)
            self.history = History()
            callbacks.append(self.history)
            self.stop_training = False
            for callback in callbacks:
                callback.set_model(self)
                callback.set_params({"epochs": epochs, "steps": len(batches), "verbose": verbose})
                callback.on_train_begin()
            logs: dict[str, float] = {}
            for epoch in range(initial_epoch, epochs):
                if verbose:
                    print(f"Epoch {epoch + 1}/{epochs}", flush=True)
                for callback in callbacks:
                    callback.on_epoch_begin(epoch)
                logs = self._train_epoch(batches, loss, optimizer, callbacks, validation, verbose)
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
        loss: losses.Loss,
        optimizer: optimizers.Optimizer,
        callbacks: list[Callback],
        validation: tuple[Floats, Floats] | None,
        verbose: int,
    ) -> dict[str, float]:
        """One walk through the data; returns the epoch's loss, metrics and validation results."""
        at_begin = [c.on_train_batch_begin for c in callbacks if overrides(c, "on_train_batch_begin")]
        at_end = [c.on_train_batch_end for c in callbacks if overrides(c, "on_train_batch_end")]
        results = Results(self.metrics)
        bar = ProgressBar(len(batches), verbose)
        try:
            for step, (x, targets) in enumerate(batches):
                for begin in at_begin:
                    begin(step)
                results.add(*self._train_step(x, targets, loss, optimizer), targets)
                for end in at_end:
                    end(step, results.logs())
                bar.update(step + 1, results.logs)
            logs = results.logs()
            if validation is not None:
                logs |= {f"val_{name}": value for name, value in self._evaluate(*validation, loss, None).items()}
            bar.finish(logs)
        finally:
            bar.close()
        return logs

    def _train_step(
        self, x: Floats, targets: Floats, loss: losses.Loss, optimizer: optimizers.Optimizer
    ) -> tuple[float, Floats]:
        """One batch forward, backward and updated; returns the sum of the examples' losses and the predictions."""
        last = len(self.layers) - 1
        logits = loss.takes_logits(self.layers[last].activation)
        outputs = [x]
        for i, layer in enumerate(self.layers):
            outputs.append(layer.forward(outputs[i], logits=logits and i == last))
        total, predictions, dy = loss.gradient(outputs[-1], targets, logits)
        optimizer.iterations += 1
        for i in range(last, -1, -1):
            dx = self.layers[i - 1].gradient_workspace(len(x)) if i > 0 else None
            self.layers[i].backward(outputs[i], outputs[i + 1], dy, dx, optimizer, logits=logits and i == last)
            if dx is not None:
                dy = dx
        return total, predictions

    def train_on_batch(self, x: Any, y: Any, return_dict: bool = False) -> Any:
        """One step on one batch.

        Returns:
            The batch's loss before the step, or a list of it and the metrics if there are some, or a dict of them.

        Raises:
            RuntimeError, ValueError, TypeError: as `fit`.
        """
        loss, optimizer = self._compiled()
        features, targets = self._examples(x, "x"), self._targets(loss, y, "y")
        checks.same_length(features, targets)
        with self._lock:
            self._prepare(features)
            results = Results(self.metrics)
            results.add(*self._train_step(features, targets, loss, optimizer), targets)
            return as_keras(results.logs(), return_dict)

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: Any = "auto",
        return_dict: bool = False,
    ) -> Any:
        """The loss and the metrics of a data set.

        Args:
            x, y: as for `fit`.
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
        features, targets = self._examples(x, "x"), self._targets(loss, y, "y")
        checks.same_length(features, targets)
        with self._lock:
            self._prepare(features)
            bar = ProgressBar(-(-len(features) // batch_size), verbose)
            try:
                logs = self._evaluate(features, targets, loss, (bar, batch_size))
                bar.finish(logs)
            finally:
                bar.close()
            return as_keras(logs, return_dict)

    def _evaluate(
        self, x: Floats, targets: Floats, loss: losses.Loss, progress: tuple[ProgressBar, int] | None
    ) -> dict[str, float]:
        results = Results([copy.copy(metric) for metric in self.metrics])  # an epoch's own may be under way
        logits = loss.takes_logits(self.layers[-1].activation)
        for start in range(0, len(x), _BLOCK):
            t = targets[start : start + _BLOCK]
            output = self._forward(x[start : start + _BLOCK], logits)
            total, predictions, _ = loss.gradient(output, t, logits)
            results.add(total, predictions, t)
            if progress:
                progress[0].update((start + len(t)) // progress[1], results.logs)
        return results.logs()

    def predict(self, x: Any, batch_size: int | None = None, verbose: Any = "auto") -> Floats:
        """The outputs for examples.

        Args:
            x: (n, features), n may be 0.
            batch_size: what the progress bar counts in, 32 by default; the result does not depend on it.
            verbose: as for `fit`.

        Returns:
            float32 array (n, units of the last layer).

        Raises:
            ValueError: if the shape does not fit, or a value is not finite.
            TypeError: if `x` does not hold numbers.
        """
        batch_size = 32 if batch_size is None else checks.integer("batch_size", batch_size, least=1)
        verbose = check_verbose(verbose)
        features = self._examples(x, "x")
        with self._lock:
            self._prepare(features)
            units = self.layers[-1].units
            predictions = np.empty((len(features), units), np.float32)
            bar = ProgressBar(max(1, -(-len(features) // batch_size)), verbose)
            try:
                for start in range(0, len(features), _BLOCK):
                    block = features[start : start + _BLOCK]
                    predictions[start : start + len(block)] = self._forward(block)[:, :units]
                    bar.update((start + len(block)) // batch_size, dict)
                bar.finish({})
            finally:
                bar.close()
            return predictions

    def _forward(self, x: Floats, logits: bool = False) -> Floats:
        """The output of the last layer, or its pre-activation."""
        for layer in self.layers:
            x = layer.forward(x, logits=logits and layer is self.layers[-1])
        return x

    # Checking ---------------------------------------------------------------------------------------------------------

    def _compiled(self) -> tuple[losses.Loss, optimizers.Optimizer]:
        if self.loss is None or self.optimizer is None:
            raise checks.NotCompiledError(
                "call compile() first, as in model.compile('rmsprop', 'categorical_crossentropy')"
            )
        return self.loss, self.optimizer

    def _examples(self, x: Any, argument: str) -> Floats:
        if not self.layers:
            raise ValueError("the model has no layers; add some, as in model.add(Dense(10))")
        features = checks.features(argument, x)
        if features.shape[1] == 0:
            raise ValueError(f"{argument} has shape {features.shape}: no features")
        if self._inputs not in (None, features.shape[1]):
            raise ValueError(
                f"{argument} has {features.shape[1]} features, shape {features.shape}; the model expects {self._inputs}"
            )
        return features

    def _targets(self, loss: losses.Loss, y: Any, argument: str) -> Floats:
        return loss.check_targets(argument, y, self.layers[-1].units)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._lock = threading.RLock()

    def __repr__(self) -> str:
        told = self.layers and self.layers[0].inputs is not None
        entries = [f"Input(({self._inputs},))"] if self._inputs is not None or told else []
        return f"Sequential([{', '.join(entries + [repr(layer) for layer in self.layers])}])"


def _metric(entry: Any) -> metrics.Metric:
    return metrics.get(entry)


def _callbacks(callbacks: Any) -> list[Callback]:
    entries = [callbacks] if isinstance(callbacks, Callback) else list(callbacks or [])
    for entry in entries:
        if not isinstance(entry, Callback):
            raise TypeError(f"callbacks must be fastnet.callbacks.Callback objects, got {entry!r}")
    return entries
