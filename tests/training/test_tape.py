"""The tape: a training that repeats recorded steps leaves the bits of the Python loop, and obeys what changes."""

import contextlib
import copy
import gc
import math
import os
import pickle
import signal
import threading
import time
import warnings
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse

from fastnet import (
    Sequential,
    activations,
    callbacks,
    constraints,
    kernels,
    layers,
    losses,
    metrics,
    optimizers,
    recorded,
    regularizers,
    rng,
    utils,
)
from fastnet.arrays.sparse import Csr
from fastnet.layers import Activation, Dense, Dropout, Flatten, Input, Rescaling, Reshape
from fastnet.optimizers import schedules
from fastnet.training import loop, tape

RNG = np.random.default_rng(5)
N, WIDTH, CLASSES, BATCH = 70, 5, 3, 16  # the last batch of an epoch has 6 rows
X = RNG.standard_normal((N, WIDTH), np.float32)
LABELS = RNG.integers(0, CLASSES, N)
Y = np.eye(CLASSES, dtype=np.float32)[LABELS]
NUMBERS = RNG.standard_normal((N, CLASSES), np.float32)
YES_NO = (X[:, :1] > 0).astype(np.float32)
MANY = RNG.random((N, 40), np.float32) * (RNG.random((N, 40)) < np.linspace(0, 1, N)[:, None])  # the rows get fuller
BYTES = (MANY * 255).astype(np.uint8)
WEIGHTS = RNG.random(N, np.float32)

Layers = Callable[[], list[Any]]


def new(made: list[Any], optimizer: Any = "rmsprop", loss: Any = "categorical_crossentropy", **compiled: Any) -> Any:
    return Sequential(made).compile(optimizer, loss, **compiled)


def network(*hidden: Any, width: int = WIDTH) -> list[Any]:
    return [Input((width,)), *(hidden or (Dense(8, "relu"),)), Dense(CLASSES, "softmax")]


@contextlib.contextmanager
def no_tape() -> Iterator[None]:
    """Trains by the Python loop alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "_player", lambda *a: None)
        patch.setattr(loop, "can_record", lambda *a, **k: False)
        patch.setattr("fastnet.models.trainer.can_record", lambda *a, **k: False)
        yield


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """The kind and the number of the steps of each time that a recording is played. All threads take part."""
    entries: list[tuple[str, int]] = []
    take = tape.Player._take

    def noting(player: Any, step: Any, front: Any, threads: int, sources: Any, steps: int, *rest: Any) -> None:
        entries.append(("train" if player._trains else "test" if player.results else "predict", steps))
        take(player, step, front, threads, sources, steps, *rest)

    monkeypatch.setattr(tape.Player, "_take", noting)
    monkeypatch.setattr(tape.Pace, "next_threads", lambda pace: pace.threads)
    return entries


def trained(played: list[tuple[str, int]]) -> int:
    """Returns the number of training steps that were played."""
    return sum(steps for kind, steps in played if kind == "train")


def digest(model: Any, x: Any = None) -> list[Any]:
    """Returns all that a training leaves behind."""
    found = [w.tobytes() for w in model.get_weights()]
    optimizer = model.optimizer
    found += [optimizer.iterations, *(s.tobytes() for s in optimizer._slots.values()), optimizer.learning_rate]
    if model.history is not None:
        found += [repr(model.history.history), model.history.epoch]
    for layer in model.layers:
        if getattr(layer, "_generator", None) is not None:
            found.append(repr(layer._generator.bit_generator.state))
    found.append(repr(rng.generator().bit_generator.state))
    found.append([repr(metric.result()) for metric in model.metrics])
    if x is not None:
        found.append(model.predict(x, verbose=0).tobytes())
    return found


def fitted(make: Callable[[], Any], x: Any, y: Any, **how: Any) -> list[Any]:
    """Trains a new model and returns its digest."""
    utils.set_random_seed(3)
    model = make()
    how = {"batch_size": BATCH, "epochs": 3, "verbose": 0} | how
    with contextlib.ExitStack() as stack:
        if make_callbacks := how.pop("made", None):
            how["callbacks"] = make_callbacks(model)
            for callback in how["callbacks"]:
                if callable(getattr(callback, "close", None)):
                    stack.callback(callback.close)
        model.fit(x, y, **how)
    evaluated = model.evaluate(x, y, verbose=0, batch_size=BATCH)
    return [*digest(model, x), evaluated]


def assert_same(
    make: Callable[[], Any], x: Any, y: Any, played: list[Any], threads: Any, taped: bool = True, **how: Any
) -> None:
    """Asserts that the tape, on 1, 2 and 3 threads, trains to the bits of the Python loop."""
    with no_tape():
        expected = fitted(make, x, y, **how)
    assert not played
    for n in (1, 2, 3):
        threads(n)
        assert fitted(make, x, y, **how) == expected, f"{n} threads"
        assert (trained(played) > 0) == taped
        played.clear()


OPTIMIZERS: dict[str, Callable[[], Any]] = {
    "sgd": lambda: optimizers.SGD(0.1),
    "momentum": lambda: optimizers.SGD(0.1, momentum=0.9),
    "nesterov": lambda: optimizers.SGD(0.1, momentum=0.9, nesterov=True),
    "rmsprop": lambda: optimizers.RMSprop(0.01, rho=0.8),
    "adam": lambda: optimizers.Adam(0.01, beta_1=0.8),
    "adamw": lambda: optimizers.AdamW(0.01, weight_decay=0.1),
    "adagrad": lambda: optimizers.Adagrad(0.1),
    "nadam": lambda: optimizers.Nadam(0.01),
    "sgd clipvalue": lambda: optimizers.SGD(0.1, clipvalue=0.01),
    "adam clipvalue and decay": lambda: optimizers.Adam(0.01, clipvalue=0.001, weight_decay=0.1),
    "nadam decay": lambda: optimizers.Nadam(0.01, weight_decay=0.01),
    "sgd decay": lambda: optimizers.SGD(0.1, momentum=0.5, weight_decay=0.01),
    "rmsprop exponential": lambda: optimizers.RMSprop(schedules.ExponentialDecay(0.1, 3, 0.5)),
    "adam staircase": lambda: optimizers.Adam(schedules.ExponentialDecay(0.1, 4, 0.5, staircase=True)),
    "sgd piecewise": lambda: optimizers.SGD(schedules.PiecewiseConstantDecay([3, 7], [0.1, 0.01, 0.2])),
    "nadam polynomial": lambda: optimizers.Nadam(schedules.PolynomialDecay(0.1, 7, cycle=True)),
    "adamw cosine": lambda: optimizers.AdamW(schedules.CosineDecay(0.1, 9, warmup_target=0.2, warmup_steps=4)),
    "sgd restarts": lambda: optimizers.SGD(schedules.CosineDecayRestarts(0.1, 4, m_mul=0.5)),
    "adam inverse time": lambda: optimizers.Adam(schedules.InverseTimeDecay(0.1, 3, 0.5)),
    "adagrad cosine": lambda: optimizers.Adagrad(schedules.CosineDecay(0.1, 9)),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers(name: str, played: Any, threads: Any) -> None:
    assert_same(lambda: new(network(), OPTIMIZERS[name]()), X, Y, played, threads)


LOSSES: dict[str, tuple[Any, str, int, Any]] = {  # loss, last activation, units, targets
    "categorical": (losses.CategoricalCrossentropy, "softmax", CLASSES, Y),
    "smoothing": (lambda: losses.CategoricalCrossentropy(label_smoothing=0.1), "softmax", CLASSES, Y),
    "categorical logits": (lambda: losses.CategoricalCrossentropy(from_logits=True), "linear", CLASSES, Y),
    "sparse": (losses.SparseCategoricalCrossentropy, "softmax", CLASSES, LABELS),
    "sparse logits": (lambda: losses.SparseCategoricalCrossentropy(from_logits=True), "linear", CLASSES, LABELS),
    "binary": (losses.BinaryCrossentropy, "sigmoid", 1, YES_NO),
    "binary of three": (losses.BinaryCrossentropy, "sigmoid", CLASSES, Y),
    "binary smoothing": (lambda: losses.BinaryCrossentropy(label_smoothing=0.2), "sigmoid", 1, YES_NO),
    "binary logits": (lambda: losses.BinaryCrossentropy(from_logits=True), "linear", 1, YES_NO),
    "mse": (losses.MeanSquaredError, "linear", CLASSES, NUMBERS),
    "mse of tanh": (losses.MeanSquaredError, "tanh", 1, YES_NO),
    "mse of softmax": (losses.MeanSquaredError, "softmax", CLASSES, Y),
    "mae": (losses.MeanAbsoluteError, "linear", CLASSES, NUMBERS),
    "huber": (lambda: losses.Huber(0.3), "linear", CLASSES, NUMBERS),
}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", LOSSES)
def test_losses(name: str, weighted: bool, played: Any, threads: Any) -> None:
    loss, activation, units, y = LOSSES[name]
    how = {"sample_weight": WEIGHTS, "validation_data": (X[:30], y[:30], WEIGHTS[:30])} if weighted else {}

    def make() -> Any:
        return new([Input((WIDTH,)), Dense(8, "relu"), Dense(units, activation)], "adam", loss())

    assert_same(make, X, y, played, threads, **how)


L2 = regularizers.L2(0.1)
LAYERS: dict[str, Layers] = {
    **{
        name: lambda name=name: [Dense(9, name), Dense(33, name)]
        for name in (
            "linear", "relu", "sigmoid", "tanh", "gelu", "elu", "selu", "softplus", "silu", "softmax", "relu6",
            "leaky_relu",
        )
    },
    "activations": lambda: [Dense(7), Activation("gelu"), Dense(20, "elu"), Activation("relu"), Activation("softmax")],
    "activation layers": lambda: [Dense(7), layers.ReLU(6.0, 0.1), Dense(9), layers.LeakyReLU(), layers.ELU(0.5)],
    "no bias": lambda: [Dense(7, "relu", use_bias=False), Dense(20, use_bias=False)],
    "dropout": lambda: [Dropout(0.1), Dense(7, "relu"), Dropout(0.5), Dense(9, "tanh"), Dropout(0.3)],
    "dropout with seeds": lambda: [Dense(7), Dropout(0.5, seed=1), Dropout(0.2), Dense(9), Dropout(0.3, seed=2)],
    "dropout of rate 0": lambda: [Dense(7, "relu"), Dropout(0.0), Dropout(0.2)],
    "rescaling": lambda: [Rescaling(0.5, 0.1), Dense(7, "relu"), Rescaling(2), Dense(4, "relu")],
    "shapes": lambda: [Rescaling(2), Reshape((5, 1)), Flatten(), Dense(6, "relu"), Reshape((2, -1)), Flatten()],
    "only the output": lambda: [Rescaling(1)],
    "frozen": lambda: [Dense(7, "relu", trainable=False), Dense(9, "tanh"), Dense(4, "relu", trainable=False)],
    "frozen below": lambda: [Dense(7, "relu", trainable=False), Dropout(0.5), Dense(4, "relu", trainable=False)],
    "regularizers": lambda: [
        Dense(7, "relu", kernel_regularizer="l1", bias_regularizer=regularizers.L1L2(0.1, 0.2)),
        Dense(9, kernel_regularizer=L2, bias_regularizer=L2, trainable=False),
        Dense(4, kernel_regularizer=L2),
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", LAYERS)
def test_layers(name: str, played: Any, threads: Any) -> None:
    assert_same(lambda: new(network(*LAYERS[name]()), metrics=["accuracy"]), X, Y, played, threads)


METRICS: dict[str, tuple[Any, str, int, Any, list[Any]]] = {
    "one-hot": ("categorical_crossentropy", "softmax", CLASSES, Y, ["accuracy", "mae", "mse"]),
    "labels": ("sparse_categorical_crossentropy", "softmax", CLASSES, LABELS, ["accuracy", "acc"]),
    "binary": ("binary_crossentropy", "sigmoid", 1, YES_NO, ["accuracy", metrics.BinaryAccuracy(threshold=0.3)]),
    "regression": ("mse", "linear", CLASSES, NUMBERS, ["mae", metrics.RootMeanSquaredError(), losses.Huber(0.2)]),
}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", METRICS)
def test_metrics(name: str, weighted: bool, played: Any, threads: Any) -> None:
    loss, activation, units, y, names = METRICS[name]

    def make() -> Any:
        made = [Input((WIDTH,)), Dense(8, "relu"), Dense(units, activation)]
        chosen = copy.deepcopy(names)
        return new(made, "adam", loss, metrics=chosen[:1] if weighted else chosen, weighted_metrics=chosen * weighted)

    how = {"sample_weight": WEIGHTS} if weighted else {}
    assert_same(make, X, y, played, threads, validation_split=0.2, **how)


def test_class_weights(played: Any, threads: Any) -> None:
    for loss, y in (("categorical_crossentropy", Y), ("sparse_categorical_crossentropy", LABELS)):
        assert_same(
            lambda loss=loss: new(network(), "sgd", loss, weighted_metrics=["accuracy"]), X, y, played, threads,
            class_weight={0: 1, 1: 0.3, 2: 4}, sample_weight=WEIGHTS,
        )  # fmt: skip


INPUTS: dict[str, tuple[Any, dict[str, Any]]] = {
    "floats": (MANY, {"sparse": False}),
    "bytes": (BYTES, {"sparse": False}),
    "floats skipping zeros": (MANY, {"sparse": True}),
    "bytes skipping zeros": (BYTES, {"sparse": True}),
    "scipy": (scipy.sparse.csr_matrix(MANY), {}),
    "scipy columns": (scipy.sparse.csc_array(MANY), {}),
}


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("scaled", [True, False])
@pytest.mark.parametrize("name", INPUTS)
def test_inputs(name: str, scaled: bool, shuffle: bool, played: Any, threads: Any) -> None:
    """The rows get fuller, so without `shuffle` the recorded batch has the fewest nonzeros."""
    x, how = INPUTS[name]
    front = [Rescaling(0.5)] if scaled else []
    for regularizer in (None, "l2"):
        assert_same(
            lambda regularizer=regularizer: new(
                network(*front, Dense(9, "relu", kernel_regularizer=regularizer), width=40)
            ),
            x, Y, played, threads, shuffle=shuffle, validation_data=(x, Y), **how,
        )  # fmt: skip


HOW: dict[str, dict[str, Any]] = {
    "one row": {"batch_size": 1, "epochs": 2},
    "all rows": {"batch_size": 100, "epochs": 7},
    "all rows in order": {"batch_size": 100, "epochs": 9, "shuffle": False},
    "all weighted rows in order": {"batch_size": 70, "epochs": 9, "shuffle": False, "sample_weight": WEIGHTS},
    "even": {"batch_size": 35, "epochs": 7},
    "two in order": {"steps_per_epoch": 2, "shuffle": False, "epochs": 6},
    "two of five shuffled": {"steps_per_epoch": 2, "epochs": 6},
    "two of five in order": {"steps_per_epoch": 2, "batch_size": 14, "shuffle": False, "epochs": 6},
    "one of five in order": {"steps_per_epoch": 1, "batch_size": 14, "shuffle": False, "epochs": 13},
    "in order": {"shuffle": False},
    "later epochs": {"shuffle": False, "steps_per_epoch": 3, "initial_epoch": 2, "epochs": 6},
    "validation split": {"validation_split": 0.3},
    "validation": {"validation_data": (X[:33], Y[:33]), "validation_freq": 2, "epochs": 4},
    "validation of as many rows": {"validation_data": (X[:16], Y[:16])},
    "validation weights": {"validation_data": (X[:33], Y[:33], WEIGHTS[:33])},
    "validation steps": {"validation_data": (X, Y), "validation_steps": 2},
}


@pytest.mark.parametrize("quiet", [True, False])
@pytest.mark.parametrize("name", HOW)
def test_batches_and_epochs(name: str, quiet: bool, played: Any, threads: Any) -> None:
    """Without a bar and callbacks several epochs are taken at once."""
    made = None if quiet else lambda model: [callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: None)]
    how = HOW[name] if quiet else {**HOW[name], "made": made}
    for optimizer in ("rmsprop", "adam"):
        assert_same(
            lambda optimizer=optimizer: new(network(Dense(8, "relu"), Dropout(0.4)), optimizer, metrics=["accuracy"]),
            X, Y, played, threads, **how,
        )  # fmt: skip


@pytest.mark.parametrize("shuffle", [True, False])
def test_a_thread_takes_many_rows_in_several_slices(shuffle: bool, played: Any, threads: Any) -> None:
    x, y = np.tile(X, (11, 1)), np.tile(Y, (11, 1))
    for made in (network(), network(Dense(8, "gelu"), Dropout(0.2), Dense(70, "tanh"))):
        config = Sequential(made).get_config()
        assert_same(
            lambda config=config: Sequential.from_config(config).compile("adam", "categorical_crossentropy"),
            x, y, played, threads, batch_size=700, epochs=5, shuffle=shuffle,
        )  # fmt: skip


def single_steps(model: Any) -> list[Any]:
    """Trains on single batches of several sizes, and returns all that they leave behind."""
    found: list[Any] = []
    for i in range(24):
        size = (16, 7, 16, 1, 16)[i % 5]
        given = {} if i % 7 else {"sample_weight": WEIGHTS[:size]}
        if i == 9:
            model.layers[0].trainable = False
        if i == 15:
            model.layers[0].trainable = True
            model.optimizer.learning_rate = 0.01
        if i == 18:
            model.set_weights([w * 0.5 for w in model.get_weights()])
        if i == 20:
            model.fit(X, Y, batch_size=16, verbose=0)
        found.append(repr(model.train_on_batch(X[i : i + size], Y[i : i + size], **given)))
    return [*found, *digest(model, X)]


def test_single_batches_are_trained_alike(played: Any, threads: Any) -> None:
    def run() -> list[Any]:
        utils.set_random_seed(2)
        return single_steps(new(network(Dense(8, "relu"), Dropout(0.3)), "adam", metrics=["accuracy", "mse"]))

    with no_tape():
        expected = run()
    for n in (1, 2, 3):
        threads(n)
        assert run() == expected
    assert trained(played) > 3 * 12


def test_a_single_batch_is_not_kept(played: Any) -> None:
    model = new(network(), metrics=["accuracy"])
    for _ in range(3):
        x, y = X.copy(), Y.copy()
        kept = [weakref.ref(x), weakref.ref(y)]
        model.train_on_batch(x, y)
        del x, y
        assert [ref() is None for ref in kept] == [True, True]
    assert trained(played) == 2


@pytest.mark.parametrize(
    ("find", "method"),
    [
        (lambda model: model.loss, "gradient"),
        (lambda model: model.optimizer, "end_step"),
        (lambda model: model.metrics[1], "update_checked"),
        (lambda model: model.layers[0], "forward"),
        (lambda model: model.layers[0].activation, "backward"),
    ],
)
def test_a_method_that_is_replaced_on_one_object_is_called(find: Any, method: str, played: Any) -> None:
    model = new(network(Dense(8, activations.Elu(0.5))), metrics=["accuracy"])
    model.fit(X, Y, batch_size=BATCH, verbose=0)
    assert trained(played)
    played.clear()
    thing, calls = find(model), []
    original = getattr(thing, method)
    setattr(thing, method, lambda *arguments: [calls.append(1), original(*arguments)][1])
    model.fit(X, Y, batch_size=BATCH, verbose=0)
    assert len(calls) == -(-N // BATCH)
    assert not trained(played)


def test_a_checkpoint_of_epochs_does_not_stop_the_playing(played: Any, tmp_path: Path) -> None:
    class Counting(callbacks.ModelCheckpoint):
        batches = 0

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            self.batches += 1

    model = new(network())
    model.fit(X, Y, verbose=0, epochs=2, callbacks=[callbacks.ModelCheckpoint(tmp_path / "m.safetensors")])
    assert trained(played)
    played.clear()
    counting = Counting(tmp_path / "n.safetensors")
    model.fit(X, Y, verbose=0, epochs=2, callbacks=[counting])
    assert counting.batches == 2 * 3
    model.fit(X, Y, verbose=0, callbacks=[callbacks.ModelCheckpoint(tmp_path / "{batch}.safetensors", save_freq=2)])
    assert not trained(played)


def test_the_pace_tries_each_number_of_threads_and_then_uses_the_faster_one() -> None:
    pace = tape.Pace(4)
    assert pace.most_steps() == 1
    tried = []
    while not pace.is_settled:
        threads = pace.next_threads()
        tried.append(threads)
        pace.measured(threads, 1, 0.0005 if threads == 4 else 0.001)
    assert set(tried) == {1, 4}
    assert pace.next_threads() == 4
    assert pace.most_steps() == int(tape._CHUNK / 0.0005)
    pace.measured(4, 1, tape._RETRY)  # after a while it tries again
    assert not pace.is_settled
    assert tape.Pace(1).next_threads() == 1


@pytest.mark.parametrize("shuffle", [True, False])
def test_many_epochs_are_played_at_once(shuffle: bool, played: Any) -> None:
    def make() -> Any:
        return new(network(Dense(8, "relu"), Dropout(0.4), Dropout(0.2, seed=1)), "nadam", metrics=["accuracy"])

    how = {"batch_size": 35, "epochs": 60, "shuffle": shuffle}
    with no_tape():
        expected = fitted(make, X, Y, **how)
    assert fitted(make, X, Y, **how) == expected
    assert max(steps for _, steps in played) >= 8


def test_a_bar_and_lines_change_nothing(played: Any, capsys: pytest.CaptureFixture[str]) -> None:
    for verbose in (1, 2):
        with no_tape():
            expected = fitted(lambda: new(network(), metrics=["accuracy"]), X, Y, verbose=verbose)
            ends = [line.split("\r")[-1].rsplit("loss")[-1] for line in capsys.readouterr().out.splitlines()]
        assert fitted(lambda: new(network(), metrics=["accuracy"]), X, Y, verbose=verbose) == expected
        assert [line.split("\r")[-1].rsplit("loss")[-1] for line in capsys.readouterr().out.splitlines()] == ends
    assert trained(played)


def test_long_data_are_evaluated_and_predicted_alike(played: Any, threads: Any) -> None:
    x = RNG.standard_normal((2500, WIDTH), np.float32)
    y = np.eye(CLASSES, dtype=np.float32)[RNG.integers(0, CLASSES, 2500)]
    weights = RNG.random(2500, np.float32)
    sparse = scipy.sparse.csr_matrix(np.where(x > 0, x, 0))
    for rows in (x, sparse):
        model = new(network(Dense(8, "gelu", kernel_regularizer="l2"), Dropout(0.4)), metrics=["accuracy"])
        model.fit(rows, y, epochs=1, verbose=0)
        with no_tape():
            predicted = model.predict(rows, verbose=0)
            evaluated = model.evaluate(rows, y, verbose=0, sample_weight=weights)
        for n in (1, 2, 3):
            threads(n)
            for _ in range(2):
                np.testing.assert_array_equal(model.predict(rows, verbose=0), predicted)
                assert model.evaluate(rows, y, verbose=0, sample_weight=weights) == evaluated
    assert {"test", "predict"} <= {kind for kind, _ in played}


# What cannot be recorded ----------------------------------------------------------------------------------------------


class Double(layers.Layer):
    def call(self, x: Any) -> Any:
        return 2 * x

    def gradient(self, x: Any, y: Any, dy: Any) -> Any:
        return 2 * dy


class OwnDense(Dense):
    pass


class OwnMetric(metrics.CategoricalAccuracy):
    def rows(self, targets: Any, predictions: Any) -> Any:
        return super().rows(targets, predictions) / 2


class OwnSGD(optimizers.SGD):
    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        variable.packed -= np.float32(learning_rate) * gradient


class OwnL2(regularizers.L2):
    def __call__(self, x: Any) -> float:
        return 2 * super().__call__(x)


class OwnActivation(type(Dense(1, "gelu").activation)):  # type: ignore[misc]
    pass


class Watch(callbacks.Callback):
    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.last = batch


def doubled() -> Any:
    dense = Dense(8, "relu")
    forward = dense.forward
    dense.forward = lambda *a, **k: 2 * forward(*a, **k)  # type: ignore[method-assign]
    return dense


def without_decay(optimizer: Any) -> Any:
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    return optimizer


NOT_TAPED: dict[str, tuple[Callable[[], Any], dict[str, Any]]] = {
    "BatchNormalization": (lambda: new(network(Dense(8), layers.BatchNormalization())), {}),
    "a user's layer": (lambda: new(network(Dense(8), Double())), {}),
    "a user's Dense": (lambda: new(network(OwnDense(8))), {}),
    "a layer with its own forward": (lambda: new(network(doubled())), {}),
    "a user's activation": (lambda: new(network(Dense(8, OwnActivation()))), {}),
    "an activation in NumPy": (lambda: new(network(Dense(8, "softsign"))), {}),
    "softmax over an axis": (lambda: new(network(Dense(8), Reshape((2, 4)), Activation("softmax"), Flatten())), {}),
    "GaussianNoise": (lambda: new(network(layers.GaussianNoise(0.1), Dense(8))), {}),
    "a user's loss": (lambda: new(network(), loss=losses.custom(lambda t, p: (t - p) ** 2, lambda t, p: p - t)), {}),
    "a loss in NumPy": (lambda: new(network(), loss="log_cosh"), {}),
    "a crossentropy of no logits": (lambda: new([*network()[:-1], Dense(CLASSES, "softmax"), Dropout(0.1)]), {}),
    "a user's metric": (lambda: new(network(), metrics=[OwnMetric()]), {}),
    "a metric in NumPy": (lambda: new(network(), metrics=["AUC"]), {}),
    "a metric function": (lambda: new(network(), metrics=[lambda t, p: (t - p) ** 2]), {}),
    "a user's optimizer": (lambda: new(network(), OwnSGD(0.1)), {}),
    "clipnorm": (lambda: new(network(), optimizers.Adam(clipnorm=0.1)), {}),
    "global_clipnorm": (lambda: new(network(), optimizers.Adam(global_clipnorm=0.1)), {}),
    "centered": (lambda: new(network(), optimizers.RMSprop(centered=True)), {}),
    "amsgrad": (lambda: new(network(), optimizers.Adam(amsgrad=True)), {}),
    "a rule in NumPy": (lambda: new(network(), optimizers.Lion(0.01)), {}),
    "use_ema": (lambda: new(network(), optimizers.SGD(0.1, use_ema=True)), {}),
    "accumulation": (lambda: new(network(), optimizers.SGD(0.1, gradient_accumulation_steps=2)), {}),
    "a function as learning rate": (lambda: new(network(), optimizers.SGD(lambda: 0.1)), {}),
    "no decay of the biases": (lambda: new(network(), without_decay(optimizers.SGD(0.1, weight_decay=0.1))), {}),
    "a user's regularizer": (lambda: new(network(Dense(8, kernel_regularizer=OwnL2(0.1)))), {}),
    "a constraint": (lambda: new(network(Dense(8, kernel_constraint=constraints.MaxNorm(0.1)))), {}),
    "a callback on batches": (lambda: new(network()), {"made": lambda model: [Watch()]}),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:.*softmax.*")
@pytest.mark.parametrize("name", NOT_TAPED)
def test_what_cannot_be_recorded_is_trained_in_python(name: str, played: Any, threads: Any) -> None:
    make, how = NOT_TAPED[name]
    assert_same(make, X, Y, played, threads, taped=False, **how)


def test_a_generator_is_not_recorded(played: Any) -> None:
    model = new(network())
    model.fit(((X[i : i + BATCH], Y[i : i + BATCH]) for i in range(0, 64, BATCH)), verbose=0)
    assert not played


def test_the_reference_is_not_recorded(played: Any) -> None:
    model = new(network(), "sgd")
    model.fit(X, Y, batch_size=BATCH, verbose=0)
    assert trained(played)
    played.clear()
    kernels.use_backend("reference")
    try:
        model.fit(X, Y, batch_size=BATCH, verbose=0)
        assert not played
    finally:
        kernels.use_backend("compiled")
    model.fit(X, Y, batch_size=BATCH, verbose=0)
    assert trained(played)


# Changes between epochs -----------------------------------------------------------------------------------------------


def changing(change: Callable[[Any, int], Any]) -> Callable[[Any], list[Any]]:
    """Makes a callback that calls `change(model, epoch)` after each epoch but the last."""

    def made(model: Any) -> list[Any]:
        return [callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: change(model, epoch) if epoch < 4 else None)]

    return made


def setting(find: Callable[[Any], Any], name: str, *values: Any) -> Callable[[Any, int], None]:
    return lambda model, epoch: setattr(find(model), name, values[epoch % len(values)])


def halve(model: Any, epoch: int) -> None:
    model.set_weights([w / 2 for w in model.get_weights()])


def assign(model: Any, epoch: int) -> None:
    model.layers[0].kernel.assign(model.layers[0].kernel.numpy() * 0.5)
    model.weights[1] -= 0.1
    model.weights[-1].packed = model.weights[-1].packed * 2


def restore_state(model: Any, epoch: int) -> None:
    optimizer = model.optimizer
    optimizer.replace_slots({key: array * 0.5 for key, array in optimizer._slots.items()})
    optimizer.iterations = epoch


def nested(model: Any, epoch: int) -> None:
    model.evaluate(X, Y, verbose=0)
    model.predict(np.tile(X, (40, 1)), verbose=0)
    model.fit(X[:48], Y[:48], batch_size=BATCH, epochs=2, verbose=0)
    model.train_on_batch(X[:BATCH], Y[:BATCH])
    model.train_on_batch(X, Y)


def other_model(model: Any, epoch: int) -> None:
    other = new(network(Dense(9, "tanh"), Dropout(0.4)), "adam", metrics=["accuracy"])
    other.fit(X, Y, batch_size=BATCH, epochs=3, verbose=0)
    model.layers[0].kernel.assign(model.layers[0].kernel.numpy() + other.evaluate(X, Y, verbose=0)[0])


def seeded(model: Any, epoch: int) -> None:
    utils.set_random_seed(epoch)


def add_metric(model: Any, epoch: int) -> None:
    if epoch == 1:
        model._metrics[:] = model._metrics[1:]


def new_data(model: Any, epoch: int) -> None:
    TO_CHANGE[:] = X * (epoch + 1)


def forget(model: Any, epoch: int) -> None:
    gc.collect()
    recorded.touch()


TO_CHANGE = X.copy()
FROZEN = (False, True)
CHANGES: dict[str, Callable[[Any, int], Any]] = {
    "learning rate": setting(lambda model: model.optimizer, "learning_rate", 0.1, 0.001, 0.3),
    "lr": setting(lambda model: model.optimizer, "lr", 0.1, 0.001, 0.3),
    "beta_1": setting(lambda model: model.optimizer, "beta_1", 0.1, 0.99),
    "epsilon": setting(lambda model: model.optimizer, "epsilon", 0.1, 1e-3),
    "weight_decay": setting(lambda model: model.optimizer, "weight_decay", 0.1, None, 0.2),
    "clipvalue": setting(lambda model: model.optimizer, "clipvalue", 0.01, None, 0.0001),
    "clipnorm": setting(lambda model: model.optimizer, "clipnorm", 0.01, None),
    "iterations": setting(lambda model: model.optimizer, "iterations", 0, 100),
    "label smoothing": setting(lambda model: model.loss, "label_smoothing", 0.1, 0.2),
    "dropout": setting(lambda model: model.layers[2], "rate", 0.9, 0.0, 0.1),
    "l1": setting(lambda model: model.layers[1].kernel_regularizer, "l1", 0.9, 0.0, 0.1),
    "regularizer": setting(lambda model: model.layers[0].kernel, "regularizer", regularizers.L2(0.5), None),
    "constraint": setting(lambda model: model.layers[0].kernel, "constraint", constraints.MaxNorm(0.5), None),
    "layer's activation": setting(lambda model: model.layers[0], "activation", "tanh", "gelu", "softsign", "relu"),
    "last activation": setting(lambda model: model.layers[-1], "activation", "sigmoid", "softmax"),
    "freezing the first": setting(lambda model: model.layers[0], "trainable", *FROZEN),
    "freezing the second": setting(lambda model: model.layers[1], "trainable", *FROZEN),
    "freezing a variable": setting(lambda model: model.layers[1].kernel, "trainable", *FROZEN),
    "freezing a bias": setting(lambda model: model.layers[1].bias, "trainable", *FROZEN),
    "threads": lambda model, epoch: kernels._chosen.set_threads(epoch % 3 + 1, 3),
    "set_weights": halve,
    "assign": assign,
    "optimizer's state": restore_state,
    "nested": nested,
    "other model": other_model,
    "seed": seeded,
    "metrics": add_metric,
    "loss": lambda model, epoch: setattr(model, "loss", losses.for_training(("mse", "log_cosh", "mae")[epoch % 3])),
    "optimizer": lambda model, epoch: setattr(
        model, "optimizer", optimizers.get(("sgd", OwnSGD(0.1), "adam")[epoch % 3])
    ),
    "x": new_data,
    "collected": forget,
}  # fmt: skip


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("name", CHANGES)
def test_changes_between_epochs(name: str, shuffle: bool, played: Any, threads: Any) -> None:
    def make() -> Any:
        TO_CHANGE[:] = X
        hidden = Dense(8, "relu"), Dense(9, "tanh", kernel_regularizer=regularizers.L1(0.01)), Dropout(0.2)
        return new(network(*hidden), "adam", metrics=["accuracy", "mae"])

    assert_same(
        make, TO_CHANGE, Y, played, threads, epochs=6, shuffle=shuffle, made=changing(CHANGES[name]),
        validation_data=(X, Y),
    )  # fmt: skip


def test_more_changes_between_epochs(played: Any, threads: Any) -> None:
    def numbers(optimizer: Any) -> Callable[[], Any]:
        made = [Input((WIDTH,)), Dense(8, "elu"), Dense(CLASSES)]
        return lambda: new(copy.deepcopy(made), copy.deepcopy(optimizer), losses.Huber(0.1), metrics=["mae"])

    def binary() -> Any:
        return new([Input((WIDTH,)), Dense(1, "sigmoid")], "sgd", "bce", metrics=[metrics.BinaryAccuracy()])

    momentum = numbers(optimizers.SGD(0.1, momentum=0.9))
    cases: list[tuple[Any, Any, Any]] = [
        (momentum, NUMBERS, setting(lambda model: model.optimizer, "momentum", 0.1, 0.5, 0.9)),
        (momentum, NUMBERS, setting(lambda model: model.optimizer, "nesterov", True, False)),
        (momentum, NUMBERS, setting(lambda model: model.loss, "delta", 0.5, 0.01)),
        (numbers(optimizers.RMSprop(0.1)), NUMBERS, setting(lambda model: model.optimizer, "rho", 0.1, 0.5)),
        (binary, YES_NO, setting(lambda model: model._metrics[0], "threshold", 0.1, 0.9)),
    ]
    for make, y, change in cases:
        assert_same(make, X, y, played, threads, epochs=6, made=changing(change), validation_data=(X, y))


def test_callbacks_of_fastnet(played: Any, threads: Any, tmp_path: Path) -> None:
    def made(model: Any) -> list[Any]:
        return [
            callbacks.ReduceLROnPlateau(monitor="loss", patience=0, factor=0.5, min_delta=1),
            callbacks.EarlyStopping(monitor="val_loss", patience=5, min_delta=10, restore_best_weights=True),
            callbacks.LambdaCallback(
                on_epoch_begin=lambda epoch, logs: model.save_weights(tmp_path / "m.weights.safetensors"),
                on_epoch_end=lambda epoch, logs: epoch == 1 and model.load_weights(tmp_path / "m.weights.safetensors"),
            ),
        ]

    assert_same(
        lambda: new(network(Dense(8, "relu"), Dropout(0.2)), "adam"), X, Y, played, threads, epochs=9, made=made,
        validation_split=0.2,
    )  # fmt: skip
    assert_same(
        lambda: new(network()), X, Y, played, threads, epochs=5,
        made=lambda model: [callbacks.LearningRateScheduler(lambda epoch: 0.1 / (epoch + 1))],
    )  # fmt: skip


class Nested(callbacks.Callback):
    """Computes with as many rows as the batch that is ready, before its step."""

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        if batch == 1 and self.model._running == 1:
            self.model.evaluate(X[:BATCH], Y[:BATCH], verbose=0)
            self.model.fit(X[:BATCH], Y[:BATCH], batch_size=BATCH, epochs=2, verbose=0)
            self.model.predict(np.tile(X, (40, 1)), verbose=0)


class Late(callbacks.Callback):
    """Looks at the batches from the second epoch on."""

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.on_train_batch_end = self.count  # type: ignore[method-assign]

    def count(self, batch: int, logs: Any = None) -> None:
        self.model.optimizer.learning_rate *= 0.9


def test_a_computation_in_a_callback_leaves_the_batch_that_is_ready(played: Any, threads: Any) -> None:
    for shuffle in (True, False):
        assert_same(
            lambda: new(network(), metrics=["accuracy"]), X, Y, played, threads, taped=False, shuffle=shuffle,
            made=lambda model: [Nested()],
        )  # fmt: skip


def test_a_hook_that_is_set_later_is_called(played: Any, threads: Any) -> None:
    assert_same(lambda: new(network()), X, Y, played, threads, made=lambda model: [Late()])


def test_a_change_makes_recordings_invalid(played: Any) -> None:
    model = new(network())
    model.fit(X, Y, batch_size=BATCH, verbose=0)
    assert len(model._tapes._steps) == 2
    assert all(step.is_valid() for step in model._tapes._steps)
    model.optimizer.clipvalue = 1.0
    assert not any(step.is_valid() for step in model._tapes._steps)


@pytest.mark.parametrize("in_place", [True, False])
def test_metrics_that_a_callback_removes_or_adds(in_place: bool, played: Any) -> None:
    model = new(network(), metrics=["accuracy"])
    added, other = metrics.MeanAbsoluteError(name="added"), metrics.MeanSquaredError()
    found: list[Any] = []

    def change(epoch: int, logs: Any) -> None:
        found.append(logs)
        chosen = [[added], [added, other], []][epoch]
        if in_place:
            model._metrics[:] = chosen
        else:
            model._metrics = chosen

    hook = callbacks.LambdaCallback(on_epoch_end=change)
    model.fit(X, Y, batch_size=BATCH, epochs=3, verbose=0, callbacks=[hook])
    assert [set(logs) for logs in found] == [
        {"loss", "accuracy"}, {"loss", "added"}, {"loss", "added", "mean_squared_error"},
    ]  # fmt: skip
    assert all(value > 0 for logs in found for value in logs.values())
    assert trained(played)


def test_a_recording_serves_the_next_epochs_and_fits(played: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    init = tape.Step.__init__
    monkeypatch.setattr(tape.Step, "__init__", lambda step, *a: made.append(step) or init(step, *a))  # type: ignore[func-returns-value]
    model = new(network(Dense(8, "relu"), Dropout(0.2)), "adam", metrics=["accuracy"])
    hooks = [
        callbacks.ReduceLROnPlateau("loss", patience=0),
        callbacks.EarlyStopping("loss", restore_best_weights=True),
    ]
    for _ in range(3):
        for more in (hooks, [callbacks.LearningRateScheduler(lambda epoch: 0.1)], []):
            model.fit(X, Y, batch_size=BATCH, epochs=3, verbose=0, callbacks=more, validation_data=(X, Y))
    assert sorted((step.size, step.buffers.targets.shape) for step in made) == [
        (6, (16, CLASSES)), (16, (16, CLASSES)), (N, (N, CLASSES)),
    ]  # fmt: skip


# Recordings never outlive their arrays --------------------------------------------------------------------------------


def story(threads: Any, tmp_path: Path) -> list[Any]:
    """Trains one model in many ways, one after the other; returns what each leaves."""
    utils.set_random_seed(1)
    found: list[Any] = []
    model = new(network(Dense(8, "relu"), Dropout(0.3)), "adam", metrics=["accuracy"])

    def fit(x: Any = X, y: Any = Y, **how: Any) -> None:
        model.fit(x, y, **{"batch_size": BATCH, "verbose": 0, "epochs": 2} | how)
        found.append(digest(model, X))

    fit()
    model.save_weights(tmp_path / "m.weights.safetensors")
    model.set_weights([w * 0.9 for w in model.get_weights()])
    fit()
    model.load_weights(tmp_path / "m.weights.safetensors")
    fit()
    for size in (8, 33, 8, 1, 70, 16):
        fit(batch_size=size, epochs=1)
    for rows in (X[:40].copy(), X[20:].copy(), np.tile(X, (3, 1))):
        y = np.eye(CLASSES, dtype=np.float32)[np.arange(len(rows)) % CLASSES]
        fit(rows, y)
        del rows, y
        gc.collect()
        np.zeros(10**5)
    fit(BYTES[:, :WIDTH].copy())
    fit(sparse=True)
    fit(scipy.sparse.csr_matrix(X))
    fit(sample_weight=WEIGHTS)
    model.evaluate(np.tile(X, (40, 1)), np.tile(Y, (40, 1)), verbose=0)
    fit()
    model.predict(np.tile(X, (90, 1)), verbose=0)
    fit()
    model.compile("sgd", "mse", metrics=["mae"])
    fit()
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    fit()
    older, copied = model, pickle.loads(pickle.dumps(model))
    fit()
    model = copied
    fit()
    model = copy.deepcopy(model)
    fit()
    model = older
    del copied
    gc.collect()
    fit()
    worker = threading.Thread(target=fit)
    worker.start()
    worker.join()
    fit()
    model.add(Dense(CLASSES, "softmax"))
    fit()
    model.pop()
    fit()
    return found


def test_one_model_after_all_kinds_of_changes(played: Any, threads: Any, tmp_path: Path) -> None:
    with no_tape():
        expected = story(threads, tmp_path)
    for n in (1, 2, 3):
        threads(n)
        assert story(threads, tmp_path) == expected
    assert trained(played)


def test_two_threads_train_two_models(played: Any, threads: Any) -> None:
    def make(units: int) -> Any:
        utils.set_random_seed(units)
        return new(network(Dense(units, "relu"), Dropout(0.3, seed=1)), "adam", metrics=["accuracy"])

    def train(model: Any) -> list[Any]:
        for size in (16, 10, 16):
            model.fit(X, Y, batch_size=size, epochs=20, verbose=0, shuffle=False)
        return [w.tobytes() for w in model.get_weights()] + [repr(model.history.history)]

    with no_tape():
        expected = [train(make(units)) for units in (8, 9)]
    for n in (1, 2, 3):
        threads(n)
        found: list[Any] = [None, None]
        made = [make(units) for units in (8, 9)]

        def work(i: int, made: Any = made, found: Any = found) -> None:
            found[i] = train(made[i])

        workers = [threading.Thread(target=work, args=(i,)) for i in range(2)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert found == expected
    assert trained(played)


def test_a_model_does_not_keep_the_data(played: Any) -> None:
    model = new(network(Dense(8, "relu"), Dropout(0.3)), metrics=["accuracy"])
    for shuffle in (True, False):
        x, y, weights = X.copy(), Y.copy(), WEIGHTS.copy()
        long = np.tile(X, (40, 1))
        kept = [weakref.ref(a) for a in (x, y, weights, long)]
        model.fit(x, y, batch_size=BATCH, verbose=0, sample_weight=weights, shuffle=shuffle, validation_data=(x, y))
        model.evaluate(x, y, verbose=0)
        kept.append(weakref.ref(model.predict(long, verbose=0)))
        del x, y, weights, long
        assert [ref() is None for ref in kept] == [True] * 5
    assert trained(played)


@pytest.mark.parametrize("make", [lambda: scipy.sparse.csr_matrix(X), lambda: X.copy()])
def test_a_model_does_not_keep_sparse_rows(make: Any, played: Any) -> None:
    model = new(network(), metrics=["accuracy"])
    model.fit(make(), Y, batch_size=BATCH, verbose=0, sparse=True)
    model.evaluate(make(), Y, verbose=0)
    model.predict(make(), verbose=0)
    gc.collect()
    assert not [thing for thing in gc.get_objects() if isinstance(thing, Csr)]
    assert trained(played)


# Ctrl-C, and a loss that is not finite --------------------------------------------------------------------------------


@pytest.fixture
def _listens() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def python_steps(steps: int, make: Callable[[], Any], x: Any, y: Any, size: int) -> list[bytes]:
    """Returns the weights after so many steps of the Python loop, in order."""
    model = make()
    how: dict[str, Any] = {"batch_size": size, "shuffle": False, "verbose": 0}
    with no_tape():
        whole, rest = divmod(steps, len(x) // size)
        model.fit(x, y, epochs=whole, **how)
        if rest:
            model.fit(x, y, steps_per_epoch=rest, **how)
    assert model.optimizer.iterations == steps
    return [w.tobytes() for w in model.get_weights()]


def seeded_model() -> Any:
    utils.set_random_seed(0)
    return new(network(Dense(64, "relu"), Dense(64, "relu")), "adam")


@pytest.mark.usefixtures("_listens")
@pytest.mark.parametrize("epochs_at_once", [True, False])
def test_ctrl_c_ends_a_taped_training_soon_after_a_whole_step(epochs_at_once: bool, played: Any, threads: Any) -> None:
    """The least of several times counts, since another program may have the processor."""
    threads(1)
    x, y = (np.tile(a[:64], (1 if epochs_at_once else 2000, 1)) for a in (X, Y))
    waits = [math.inf]
    for attempt in range(8):
        if min(waits) < 0.1:
            break
        model, sent = seeded_model(), []

        def press(sent: Any = sent) -> None:
            sent.append(time.perf_counter())
            os.kill(os.getpid(), signal.SIGINT)

        timer = threading.Timer(0.05 + 0.01 * attempt, press)
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            model.fit(
                x, y, batch_size=16, epochs=10**6, shuffle=False, verbose=0,
                callbacks=[] if epochs_at_once else [callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: None)],
            )  # fmt: skip
        waits.append(time.perf_counter() - sent[0])
        timer.join()
        steps = model.optimizer.iterations
        assert steps > 20
        assert [w.tobytes() for w in model.get_weights()] == python_steps(steps, seeded_model, x, y, 16)
    assert trained(played)
    assert min(waits) < 0.1


@pytest.mark.usefixtures("_listens")
@pytest.mark.parametrize("presses", [1, 2])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("epochs_at_once", [True, False])
def test_ctrl_c_around_the_recording_leaves_whole_steps(
    epochs_at_once: bool, when: str, presses: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second Ctrl-C, too, waits until the steps in C are counted."""
    play, calls = tape.Step.play, []

    def pressed(*arguments: Any) -> int:
        calls.append(1)
        done = 0
        if when == "after":
            done = play(*arguments)
        if len(calls) == 3:
            for _ in range(presses):
                signal.raise_signal(signal.SIGINT)
        return done if when == "after" else play(*arguments)

    monkeypatch.setattr(tape.Step, "play", pressed)
    model = seeded_model()
    ignored = [] if epochs_at_once else [callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: None)]
    with pytest.raises(KeyboardInterrupt):
        model.fit(X[:64], Y[:64], batch_size=16, epochs=100, shuffle=False, verbose=0, callbacks=ignored)
    assert len(calls) == 3
    steps = model.optimizer.iterations
    assert [w.tobytes() for w in model.get_weights()] == python_steps(steps, seeded_model, X[:64], Y[:64], 16)


def warned(make: Callable[[], Any], x: Any, **how: Any) -> tuple[list[Any], list[str]]:
    """Returns the digest of a training, and its warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = fitted(make, x, Y, **how)
    return [repr(entry) for entry in found], [f"{w.category} {w.message}" for w in caught]


@pytest.mark.parametrize("quiet", [True, False])
@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("bad", [3e38, 1e38])
def test_a_loss_that_becomes_infinite_warns_once(bad: float, shuffle: bool, quiet: bool, played: Any) -> None:
    x = X.copy()
    x[41] = bad
    found = []

    def make() -> Any:
        hidden = Dense(8, "relu", name="one"), Dense(9, name="two", kernel_initializer="ones"), Dense(9, name="three")
        return new(network(*hidden), "sgd", metrics=["accuracy"])

    def made(model: Any) -> list[Any]:
        return [callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: None)]

    how = {"shuffle": shuffle, "batch_size": 14} | ({} if quiet else {"made": made})
    with np.errstate(all="ignore"):
        for epochs in (1, 3, 9):
            with no_tape():
                expected = warned(make, x, **how, epochs=epochs)
            assert warned(make, x, **how, epochs=epochs) == expected
            found.append(expected[1])
    assert max(map(len, found)) == 1
    assert "the loss is not finite: the output of layer" in max(found)[0]
    assert trained(played)


@pytest.mark.parametrize("quiet", [True, False])
def test_a_warning_that_is_an_error_leaves_the_weights_of_the_step_before(quiet: bool, played: Any) -> None:
    x = np.tile(X, (4, 1))
    y = np.tile(Y, (4, 1))
    x[-3] = 3e38
    found = []
    for taped in (True, False):
        utils.set_random_seed(4)
        model = new(network(Dense(8, "relu"), Dropout(0.2)), "adam")
        model.fit(x[:140], y[:140], batch_size=14, epochs=20, verbose=0, shuffle=False)
        hooks = [] if quiet else [callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: None)]
        with contextlib.nullcontext() if taped else no_tape(), warnings.catch_warnings():
            warnings.simplefilter("error")
            played.clear()
            with pytest.raises(RuntimeWarning, match="not finite"):
                model.fit(x, y, batch_size=14, epochs=10, verbose=0, shuffle=False, callbacks=hooks)
            assert bool(played) == taped
        assert model.optimizer.iterations == 200 + 19
        found.append([w.tobytes() for w in model.get_weights()])
        model.set_weights([np.nan_to_num(w) for w in model.get_weights()])
        utils.set_random_seed(5)
        model.fit(X, Y, batch_size=14, verbose=0)
        found[-1] += digest(model)
    assert found[0] == found[1]


# What the tape relies on ----------------------------------------------------------------------------------------------


def test_random_numbers_are_the_same_one_by_one_or_together() -> None:
    one, other = np.random.default_rng(7), np.random.default_rng(7)
    for count in (1, 3, 10):
        np.testing.assert_array_equal(one.permutation(count), other.permutation(count))
        drawn = one.integers(2**64, size=(count, 3), dtype=np.uint64)
        singles = [other.integers(2**64, dtype=np.uint64) for _ in range(3 * count)]
        assert drawn.reshape(-1).tolist() == [int(single) for single in singles]
        assert one.bit_generator.state == other.bit_generator.state


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_rates_ahead_are_those_of_the_steps(name: str) -> None:
    optimizer, ahead = OPTIMIZERS[name](), OPTIMIZERS[name]()
    ahead.rates_ahead(7)
    rates = ahead.rates_ahead(12)
    for step in range(12):
        optimizer.iterations = step
        optimizer.begin_step()
        assert optimizer._step_rates[0].tobytes() == rates[step].tobytes()
    ahead.iterations = 4
    assert ahead.rates_ahead(8).tobytes() == rates[4:].tobytes()


class Ends(schedules.LearningRateSchedule):
    def __call__(self, step: int) -> float:
        if step == 9:
            raise ZeroDivisionError("it ends")
        return 0.1 / (step + 1)


@pytest.mark.parametrize("shuffle", [True, False])
def test_a_schedule_that_fails_fails_at_its_step(shuffle: bool, played: Any) -> None:
    found = []
    for taped in (True, False):
        utils.set_random_seed(4)
        model = new(network(Dense(8, "relu"), Dropout(0.2)), optimizers.SGD(Ends(), momentum=0.5))
        with contextlib.nullcontext() if taped else no_tape(), pytest.raises(ZeroDivisionError):
            model.fit(X, Y, batch_size=35, epochs=30, verbose=0, shuffle=shuffle)
        assert bool(played) == taped or not taped
        model.optimizer._schedule = None
        found.append(digest(model))
        assert model.optimizer.iterations == 9
    assert found[0] == found[1]
