"""The loops: what makes batches, weights, validation, frozen layers, NaN and Ctrl-C."""

import io
import os
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse

from fastnet import Sequential, callbacks
from fastnet.activations import tanh
from fastnet.layers import BatchNormalization, Dense, Dropout, Flatten, Input, Normalization, Rescaling
from fastnet.optimizers import SGD
from fastnet.utils import set_random_seed, to_categorical

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((60, 5)).astype(np.float32), to_categorical(np.arange(60) % 3)


def model_of(optimizer: Any = "sgd", loss: str = "categorical_crossentropy", metrics: Any = None) -> Sequential:
    set_random_seed(1)
    model = Sequential([Input((5,)), Dense(8, "relu"), Dense(3, "softmax")])
    model.compile(optimizer, loss, metrics)
    return model


def weights(model: Sequential) -> bytes:
    return b"".join(w.tobytes() for w in model.get_weights())


def batches(size: int = 20) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    return ((X[i : i + size], Y[i : i + size]) for i in range(0, 60, size))


class Indexed:
    """A collection with a length and an index."""

    def __len__(self) -> int:
        return 3

    def __getitem__(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        return X[i * 20 : i * 20 + 20], Y[i * 20 : i * 20 + 20]


class Again:
    """An iterable that begins anew."""

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        return batches()


def endless() -> Iterator[tuple[np.ndarray, np.ndarray]]:
    while True:
        yield from batches()


# What makes batches ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "arguments"), [(Indexed, {}), (Again, {}), (endless, {"steps_per_epoch": 3}), (Again, {"verbose": 1})]
)
def test_batches_train_as_the_array_does(source: Any, arguments: dict[str, Any]) -> None:
    whole, streamed = model_of(), model_of()
    expected = whole.fit(X, Y, batch_size=20, epochs=2, shuffle=False, verbose=0).history
    assert streamed.fit(source(), epochs=2, shuffle=False, **({"verbose": 0} | arguments)).history == expected
    assert weights(streamed) == weights(whole)
    assert streamed.evaluate(Again(), verbose=0) == pytest.approx(whole.evaluate(X, Y, verbose=0), rel=1e-6)
    np.testing.assert_array_equal(streamed.predict(x for x, _ in batches()), whole.predict(X, verbose=0))


def test_a_collection_comes_in_a_new_order_each_epoch_and_is_told_of_its_end() -> None:
    seen: list[Any] = []

    class Told(Indexed):
        def __getitem__(self, i: int) -> tuple[np.ndarray, np.ndarray]:
            seen.append(i)
            return super().__getitem__(i)

        def on_epoch_end(self) -> None:
            seen.append("end")

    def order(**arguments: Any) -> list[Any]:
        model = model_of()
        seen.clear()
        model.fit(Told(), epochs=4, verbose=0, **arguments)
        return seen[1:]  # the first is looked at before the training

    assert order(shuffle=False) == [0, 1, 2, "end"] * 4
    shuffled = order()
    assert shuffled == order()
    assert [sorted(shuffled[i : i + 3]) for i in range(0, 16, 4)] == [[0, 1, 2]] * 4
    assert len({tuple(shuffled[i : i + 3]) for i in range(0, 16, 4)}) > 1
    assert shuffled[3::4] == ["end"] * 4
    assert len(order(steps_per_epoch=2, shuffle=False)) == 3 * 4
    model_of().fit(X, Y, verbose=0, validation_data=Told())
    assert seen[-4:] == [0, 1, 2, "end"]


def test_a_generator_that_ends_early_ends_the_training_with_a_warning() -> None:
    with pytest.warns(UserWarning, match="x has no more batches after 1 of 5 epochs"):
        history = model_of().fit(batches(), epochs=5, verbose=0)
    assert history.epoch == [0]


@pytest.mark.parametrize("bad", [(X[:4],), X[:4], (X[:4], Y[:4], None, None)])
def test_what_is_no_batch_is_refused(bad: Any) -> None:
    with pytest.raises(ValueError, match="must make batches"):
        model_of().fit(iter([bad]), verbose=0)


def test_a_bad_batch_in_a_stream_is_named() -> None:
    with pytest.raises(ValueError, match="a batch's x has 2 features"):
        model_of().fit(iter([(X[:4, :2], Y[:4])]), verbose=0)


@pytest.mark.parametrize("form", [np.asarray, scipy.sparse.csr_matrix])
def test_steps_take_the_first_batches_of_an_array(form: Any) -> None:
    model = model_of(metrics=["accuracy"])
    whole, first, y = form(X), form(X[:40]), Y[:40]
    assert model.evaluate(whole, Y, batch_size=20, steps=2, verbose=0) == model.evaluate(first, y, verbose=0)
    np.testing.assert_array_equal(model.predict(whole, 20, 0, steps=2), model.predict(first, verbose=0))
    validation: dict[str, Any] = {"validation_data": (whole, Y), "validation_steps": 2}
    for sizes in ({"batch_size": 20}, {"batch_size": 60, "validation_batch_size": 20}):
        fitted = model_of(SGD(0.0)).fit(X, Y, verbose=0, **validation, **sizes)
        assert fitted.history["val_loss"] == [pytest.approx(model_of().evaluate(first, y, verbose=0))]
    validation["validation_steps"] = 4
    for call in (
        lambda: model.evaluate(whole, Y, batch_size=20, steps=4),
        lambda: model.predict(whole, 20, steps=4),
        lambda: model.fit(X, Y, batch_size=20, **validation),
    ):
        with pytest.warns(UserWarning, match="steps is 4, but 60 examples make 3 batches of 20"):
            call()


def test_a_sparse_matrix_is_split_for_validation_as_an_array_is() -> None:
    x = X * (X > 0)
    arguments: dict[str, Any] = {"validation_split": 0.25, "shuffle": False, "verbose": 0}
    expected = model_of().fit(x, Y, **arguments).history
    assert model_of().fit(scipy.sparse.csr_matrix(x), Y, **arguments).history == expected


def test_calls_can_follow_one_another() -> None:
    model = model_of()
    history = model.compile("sgd", "categorical_crossentropy").fit(X, Y, verbose=0)
    assert history.model is model


def test_steps_per_epoch_of_an_array_ends_the_epoch_early() -> None:
    seen: list[int] = []
    count = callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(batch))
    model_of().fit(X, Y, batch_size=20, steps_per_epoch=2, epochs=2, callbacks=[count], verbose=0)
    assert seen == [0, 1, 0, 1]
    seen.clear()
    with pytest.warns(UserWarning, match="steps_per_epoch is 4, but 60 examples make 3"):
        model_of().fit(X, Y, batch_size=20, steps_per_epoch=4, epochs=2, callbacks=[count], verbose=0)
    assert seen == [0, 1, 2, 0, 1, 2]


@pytest.mark.parametrize("source", [lambda: (X, Y), lambda: (Ten(),), lambda: (iter([*Ten(), *Ten()]),)])
def test_with_steps_per_epoch_an_epoch_begins_where_the_last_one_ended(source: Any) -> None:
    parts, whole = model_of(), model_of()
    parts.fit(*source(), batch_size=10, epochs=4, steps_per_epoch=3, shuffle=False, verbose=0)
    whole.fit(X, Y, batch_size=10, epochs=2, shuffle=False, verbose=0)
    assert weights(parts) == weights(whole)


@pytest.mark.parametrize("source", [lambda: (X, Y), lambda: (Ten(),)])
@pytest.mark.parametrize("shuffle", [True, False])
def test_with_steps_per_epoch_a_training_taken_up_again_has_the_same_bits(
    source: Any, shuffle: bool, tmp_path: Path
) -> None:
    def stop(epoch: int, logs: Any) -> None:
        raise RuntimeError("stopped")

    arguments: dict[str, Any] = {"batch_size": 10, "epochs": 4, "steps_per_epoch": 4, "shuffle": shuffle, "verbose": 0}
    whole, stopped, again = model_of("adam"), model_of("adam"), model_of("adam")
    set_random_seed(5)
    whole.fit(*source(), **arguments)
    backup = tmp_path / "backup.safetensors"
    late = callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: epoch == 1 and stop(epoch, logs))
    set_random_seed(5)
    with pytest.raises(RuntimeError, match="stopped"):
        stopped.fit(*source(), callbacks=[callbacks.BackupAndRestore(backup), late], **arguments)
    again.fit(*source(), callbacks=[callbacks.BackupAndRestore(backup)], **arguments)
    assert weights(again) == weights(whole)


class Ten:
    """All examples, ten a batch; it begins anew."""

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        return batches(10)


def test_a_model_without_input_learns_the_shape_of_images_from_a_generator() -> None:
    model = Sequential([Flatten(), Dense(3, "softmax")])
    model.compile("sgd", "categorical_crossentropy")
    model.fit(((x.reshape(-1, 5, 1), y) for x, y in batches()), verbose=0)
    assert model.input_shape == (None, 5, 1)


class Several(Again):
    """Batches of several widths."""

    def __init__(self, *xs: Any) -> None:
        self.xs = xs

    def __iter__(self) -> Iterator[tuple[Any, np.ndarray]]:
        return ((x, Y[: x.shape[0]]) for x in self.xs)


NARROW, WIDE = X[:20, :3], np.hstack([X, X])[:20]
FIRST: dict[str, Any] = {
    "Dense": list,
    "Rescaling": lambda: [Rescaling(0.5)],
    "Flatten": lambda: [Flatten()],
    "BatchNormalization": lambda: [BatchNormalization()],
    "Normalization": lambda: [Normalization()],
}
WAYS: dict[str, Any] = {
    "arrays beside arrays": lambda model, x: model.fit(X, Y, validation_data=(x, Y[:20]), verbose=0),
    "arrays beside a generator": lambda model, x: model.fit(batches(), validation_data=(x, Y[:20]), verbose=0),
    "generator beside arrays": lambda model, x: model.fit(X, Y, validation_data=Several(X, x), verbose=0),
    "generator beside a generator": lambda model, x: model.fit(batches(), validation_data=Several(x), verbose=0),
    "a later batch": lambda model, x: model.fit(Several(X, x), verbose=0),
    "a later batch of evaluate": lambda model, x: model.evaluate(Several(X, x), verbose=0),
    "a later batch of predict": lambda model, x: model.predict(Several(X, x), verbose=0),
    "a later fit": lambda model, x: (model.fit(X, Y, verbose=0), model.fit(x, Y[:20], verbose=0)),
    "a later evaluate": lambda model, x: (model.fit(batches(), verbose=0), model.evaluate(x, Y[:20], verbose=0)),
    "a later predict": lambda model, x: (model.predict(X, verbose=0), model.predict(x[:1], verbose=0)),
    "a later train_on_batch": lambda model, x: (model.train_on_batch(X, Y), model.train_on_batch(x, Y[:20])),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("first", FIRST.values(), ids=FIRST)
@pytest.mark.parametrize("form", [np.asarray, scipy.sparse.csr_array])
@pytest.mark.parametrize("x", [NARROW, WIDE], ids=["narrow", "wide"])
def test_a_model_without_input_takes_one_width(way: Any, first: Any, form: Any, x: np.ndarray) -> None:
    model = Sequential([*first(), Dense(8, "relu"), Dense(3, "softmax")])
    model.compile("sgd", "categorical_crossentropy")
    with pytest.raises(ValueError, match=f"x has {x.shape[1]} features, .*; the model expects 5"):
        way(model, form(x))


def test_validation_arrays_that_do_not_fit_are_refused_before_the_model_is_built() -> None:
    model = Sequential([Dense(3, "softmax")])
    model.compile("sgd", "categorical_crossentropy")
    with pytest.raises(ValueError, match=r"validation x has 3 features, shape \(20, 3\); the model expects 5"):
        model.fit(batches(), validation_data=(NARROW, Y[:20]), verbose=0)
    assert not model.built


def test_validation_arrays_of_a_model_without_input_may_lack_a_last_axis_of_1() -> None:
    histories = []
    for validation in (X.reshape(60, 5, 1), X):
        set_random_seed(1)
        model = Sequential([Flatten(), Dense(3, "softmax")])
        model.compile("sgd", "categorical_crossentropy")
        training = ((x.reshape(-1, 5, 1), y) for x, y in batches())
        histories.append(model.fit(training, validation_data=(validation, Y), verbose=0).history)
    assert histories[0] == histories[1]


@pytest.mark.parametrize("layers", [[Dense(3)], [Normalization()], [Normalization(), Dense(3)]])
def test_a_layer_that_was_used_before_the_model_tells_the_width(layers: list[Any]) -> None:
    model = Sequential(layers)
    layers[0].adapt(X) if isinstance(layers[0], Normalization) else layers[0](X)
    for x in (NARROW, WIDE):
        with pytest.raises(ValueError, match="expects examples of shape"):
            model.predict(x, verbose=0)
    assert model.predict(X, verbose=0).shape == (60, model.output_shape[-1])


def test_sparse_batches_train_as_dense_ones_do() -> None:
    outcomes = []
    for convert in (np.asarray, scipy.sparse.csr_matrix):
        set_random_seed(1)
        model = Sequential([Input((5,)), Rescaling(0.5), Dense(8, "relu"), Dense(3, "softmax")])
        model.compile("sgd", "categorical_crossentropy")
        model.fit(((convert(x), y) for x, y in batches()), verbose=0)
        outcomes.append((weights(model), model.evaluate(((convert(x), y) for x, y in batches()), verbose=0)))
    assert outcomes[0] == outcomes[1]


def test_weights_beside_a_generator_are_refused() -> None:
    with pytest.raises(ValueError, match="sample_weight needs arrays"):
        model_of().fit(batches(), sample_weight=np.ones(60), verbose=0)


def test_data_frames_do_as_well() -> None:
    pandas = pytest.importorskip("pandas", reason="needs pandas, which is not installed")
    frames = pandas.DataFrame(X), pandas.DataFrame(Y)
    assert model_of().fit(*frames, verbose=0).history == model_of().fit(X, Y, verbose=0).history


def test_an_unknown_number_of_batches_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    model_of().fit(Again(), verbose=2)
    assert "3/3 - " in capsys.readouterr().out


def test_one_number_an_example_may_come_in_one_dimension() -> None:
    model = Sequential([Input((1,)), Dense(1)])
    model.compile("sgd", "mse")
    model.fit(np.arange(5.0), 2 * np.arange(5.0), verbose=0)
    assert model.predict(np.arange(5.0), verbose=0).shape == (5, 1)


def test_lists_do_as_well() -> None:
    assert model_of().fit(X.tolist(), Y.tolist(), verbose=0).history == model_of().fit(X, Y, verbose=0).history


# Weights of examples --------------------------------------------------------------------------------------------------


def test_sample_weights_scale_loss_and_gradient() -> None:
    w = RNG.random(60).astype(np.float32)
    weighted = model_of(SGD(0.5))
    rows = [weighted.evaluate(X[i : i + 1], Y[i : i + 1], verbose=0) for i in range(60)]
    assert weighted.evaluate(X, Y, sample_weight=w, verbose=0) == pytest.approx(np.mean(rows * w), rel=1e-5)
    before = weighted.get_weights()[0]
    weighted.train_on_batch(X, Y, sample_weight=w)
    step = np.zeros_like(before)
    for i in range(60):
        single = model_of(SGD(0.5))
        single.train_on_batch(X[i : i + 1], Y[i : i + 1])
        step += w[i] / 60 * (before - single.get_weights()[0])
    np.testing.assert_allclose(before - weighted.get_weights()[0], step, rtol=1e-3, atol=1e-6)


def test_weights_stay_with_their_examples_when_these_are_shuffled() -> None:
    # Examples that do not count leave no trace, whatever they are.
    counts = np.arange(60) % 2 == 0
    x = np.where(counts[:, None], X, 1e3)
    losses = model_of(SGD(0.0)).fit(x, Y, batch_size=7, epochs=3, sample_weight=counts, verbose=0).history["loss"]
    expected = model_of().evaluate(X[counts], Y[counts], verbose=0) / 2
    assert losses == pytest.approx([expected] * 3, rel=1e-5)


def test_class_weights_are_the_weights_of_their_examples() -> None:
    by_class, by_sample = model_of(), model_of()
    by_class.fit(X, Y, class_weight={0: 3.0, 2: 0.5}, verbose=0, shuffle=False)
    by_sample.fit(X, Y, sample_weight=np.array([3.0, 1.0, 0.5])[np.arange(60) % 3], verbose=0, shuffle=False)
    assert weights(by_class) == weights(by_sample)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"sample_weight": np.ones(9)}, ValueError, r"sample_weight has shape \(9,\)"),
        ({"sample_weight": -np.ones(60)}, ValueError, "expected no negative"),
        ({"class_weight": [1, 2, 3]}, TypeError, "class_weight must be a dict"),
        ({"class_weight": {3: 1.0}}, ValueError, "class 3, but the targets have 3 classes"),
        ({"class_weight": {0: -1}}, ValueError, r"class_weight\[0\]"),
        ({"validation_freq": 0}, ValueError, "validation_freq"),
        ({"steps_per_epoch": 0}, ValueError, "steps_per_epoch"),
    ],
)
def test_bad_arguments_change_nothing(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    model = model_of()
    before = weights(model)
    with pytest.raises(error, match=message):
        model.fit(X, Y, verbose=0, **arguments)
    assert weights(model) == before


@pytest.mark.parametrize("y", [np.arange(60.0), np.where(np.arange(60) % 2, 1.0, -1.0)])
def test_class_weights_need_classes(y: np.ndarray) -> None:
    model = Sequential([Input((5,)), Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="class_weight needs targets that are classes, 0 or 1 for one output"):
        model.fit(X, y, class_weight={0: 2.0}, verbose=0)


# Validation -----------------------------------------------------------------------------------------------------------


def test_validation_data_may_be_weighted_or_made_in_batches() -> None:
    w = np.linspace(0, 1, 60)
    for data, expected in (((X, Y), {}), ((X, Y, w), {"sample_weight": w}), (Again(), {})):
        model = model_of(metrics=["accuracy"])
        history = model.fit(X, Y, validation_data=data, verbose=0).history
        found = model.evaluate(X, Y, verbose=0, **expected)
        np.testing.assert_allclose([history["val_loss"][-1], history["val_accuracy"][-1]], found, rtol=1e-5)


def test_validation_freq() -> None:
    history = model_of().fit(X, Y, epochs=5, validation_split=0.2, validation_freq=2, verbose=0).history
    assert (len(history["loss"]), len(history["val_loss"])) == (5, 2)


@pytest.mark.parametrize("epochs", [[1, 4], (4, 1), {1, 4}, np.array([1.0, 4.0]), range(1, 5, 3)])
def test_validation_freq_may_list_the_epochs(epochs: Any) -> None:
    model, seen = model_of(), []
    count = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append("val_loss" in logs))
    model.fit(X, Y, epochs=4, validation_data=(X, Y), validation_freq=epochs, callbacks=[count], verbose=0)
    assert seen == [True, False, False, True]


def test_a_validation_generator_that_ends_leaves_no_results_behind() -> None:
    with pytest.warns(UserWarning, match="validation data has no more batches"):
        history = model_of().fit(X, Y, epochs=3, validation_data=batches(), verbose=0).history
    assert (len(history["loss"]), len(history["val_loss"])) == (3, 1)


def test_validation_steps_begin_anew_each_time() -> None:
    history = model_of(SGD(0)).fit(X, Y, epochs=2, validation_data=Ten(), validation_steps=4, verbose=0).history
    assert history["val_loss"][0] == history["val_loss"][1]


# Frozen layers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("frozen", [[0], [1], [0, 1]])
def test_a_frozen_layer_keeps_its_weights(frozen: list[int]) -> None:
    model = model_of("adam")
    model.fit(X, Y, verbose=0)
    for i in frozen:
        model.layers[i].trainable = False
    before = [[w.tobytes() for w in layer.get_weights()] for layer in model.layers]
    model.fit(X, Y, verbose=0)
    model.train_on_batch(X, Y)
    for i, layer in enumerate(model.layers):
        assert ([w.tobytes() for w in layer.get_weights()] == before[i]) == (i in frozen)
    assert len(model.trainable_weights) == 4 - 2 * len(frozen)
    for i in frozen:
        model.layers[i].trainable = True
    model.fit(X, Y, verbose=0)
    assert all([w.tobytes() for w in layer.get_weights()] != before[i] for i, layer in enumerate(model.layers))


# Trouble --------------------------------------------------------------------------------------------------------------


def test_a_loss_that_is_not_finite_is_told_once_with_the_layer() -> None:
    model = model_of(SGD(1e30), "mse")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with np.errstate(all="ignore"):
            model.fit(X * 1e3, Y, epochs=3, verbose=0)
    told = [str(w.message) for w in caught if "not finite" in str(w.message)]
    assert len(told) == 1
    assert "layer 'dense" in told[0]


def test_a_loss_that_fits_the_last_layer_badly_is_told() -> None:
    model = Sequential([Input((5,)), Dense(3)])
    model.compile("sgd", "categorical_crossentropy")
    with pytest.warns(UserWarning, match="softmax"):
        model.fit(X, Y, verbose=0)


def test_ctrl_c_leaves_the_weights_of_a_whole_batch() -> None:
    code = """
import os, signal, threading, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
import numpy as np
from fastnet import Sequential, callbacks
from fastnet.layers import Dense, Input
x, y = np.random.default_rng(0).random((2000, 200), np.float32), np.eye(4)[np.arange(2000) % 4]
model = Sequential([Input((200,)), Dense(600, "relu"), Dense(600, "relu"), Dense(4, "softmax")])
model.compile("rmsprop", "categorical_crossentropy")
def state(): return hash(b"".join(w.tobytes() for w in model.get_weights()))
last = [state()]
record = callbacks.LambdaCallback(on_train_batch_end=lambda b, logs: last.append(state()))
sent = []
def press():
    time.sleep(1.0 + 0.0137 * int(os.environ["DELAY"]))
    sent.append(time.perf_counter())
    os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=press).start()
try:
    model.fit(x, y, batch_size=256, epochs=10**6, verbose=0, callbacks=[record])
except KeyboardInterrupt:
    felt = time.perf_counter() - sent[0]
now = state()
first = model.layers[0].get_weights()[0].copy()
print(felt < 0.25, signal.getsignal(signal.SIGINT) is signal.default_int_handler)
steps = model.optimizer.iterations
print(now == last[-1] if len(last) - 1 == steps else len(last) == steps)
print(len(model.fit(x, y, batch_size=256, verbose=0).history["loss"]))
"""
    for delay in range(3):
        run = subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"DELAY": str(delay)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert run.stdout.split() == ["True", "True", "True", "1"], run.stdout + run.stderr


@pytest.mark.usefixtures("_listens")
def test_ctrl_c_leaves_the_cursor_on_a_line_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    press = callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: batch == 2 and signal.raise_signal(2))
    with pytest.raises(KeyboardInterrupt):
        model_of().fit(X, Y, batch_size=1, callbacks=[press])
    assert "1/60 [" in screen.getvalue()
    assert screen.getvalue().endswith("\n")


@pytest.mark.usefixtures("_listens")
def test_ctrl_c_waits_for_the_step_also_of_a_training_in_a_callback(monkeypatch: pytest.MonkeyPatch) -> None:
    inner, done = model_of(), []
    step = inner._train_step

    def pressed(*arguments: Any) -> Any:
        signal.raise_signal(signal.SIGINT)
        result = step(*arguments)
        done.append(1)
        return result

    monkeypatch.setattr(inner, "_train_step", pressed)
    train = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: inner.fit(X, Y, verbose=0))
    with pytest.raises(KeyboardInterrupt):
        model_of().fit(X, Y, verbose=0, callbacks=[train])
    assert done == [1]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.fixture
def _listens() -> Iterator[None]:
    """Python's own handler of SIGINT, which a job in the background does not have."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_listens")
def test_ctrl_c_in_a_callback_is_raised_at_once() -> None:
    def press(epoch: int, logs: Any) -> None:
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        model_of().fit(X, Y, epochs=9, verbose=0, callbacks=[callbacks.LambdaCallback(on_epoch_begin=press)])
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_fit_works_in_another_thread() -> None:
    model = model_of()
    thread = threading.Thread(target=lambda: model.fit(X, Y, verbose=0))
    thread.start()
    thread.join()
    assert weights(model) == weights(_fitted())


def _fitted() -> Sequential:
    model = model_of()
    model.fit(X, Y, verbose=0)
    return model


# Single batches -------------------------------------------------------------------------------------------------------


def test_on_batch_methods() -> None:
    model = model_of(metrics=["accuracy"])
    assert model.test_on_batch(X, Y) == model.evaluate(X, Y, verbose=0)
    assert model.test_on_batch(X, Y, return_dict=True).keys() == {"loss", "accuracy"}
    np.testing.assert_array_equal(model.predict_on_batch(X), model.predict(X, verbose=0))
    np.testing.assert_array_equal(model.predict_classes(X), model.predict(X, verbose=0).argmax(axis=1))


@pytest.mark.parametrize("rows", [1, 2])
def test_one_image_has_the_bits_of_many(rows: int) -> None:
    x = RNG.random((5, 4, 6), np.float32)
    model = Sequential([Input((4, 6)), Flatten(), Dense(20, "tanh"), Dropout(0.5), Dense(3, "softmax")])
    expected = model.predict(x, verbose=0)
    np.testing.assert_array_equal(model.predict(x[:rows], verbose=0), expected[:rows])
    bad = x[:1].copy()
    bad[0, 1, 1] = np.nan
    with pytest.raises(ValueError, match="x holds nan"):
        model.predict(bad, verbose=0)


# Layers of several models ---------------------------------------------------------------------------------------------


def test_a_model_made_of_anothers_layers_leaves_it_as_it_is() -> None:
    alone, shared = model_of(), model_of()
    for model in (alone, shared):
        model.layers[0].activation = tanh
        model.build((None, 5))
    Sequential(shared.layers[:1]).predict(X, verbose=0)
    for model in (alone, shared):
        model.fit(X, Y, verbose=0, shuffle=False)
    assert weights(alone) == weights(shared)


def test_a_model_longer_than_the_one_that_has_its_layers_predicts_the_same_after_that_was_used() -> None:
    model = model_of()
    longer = Sequential([*model.layers, Dense(2)])
    expected = longer.predict(X, verbose=0)
    model.evaluate(X, Y, verbose=0)
    np.testing.assert_array_equal(longer.predict(X, verbose=0), expected)


# Building -------------------------------------------------------------------------------------------------------------


def test_add_pop_and_get_layer() -> None:
    model = Sequential()
    model.add(Input((5,)))
    model.add(Dense(8, name="hidden"))
    model.add(Dense(3))
    assert model.get_layer("hidden") is model.get_layer(index=0)
    assert model.pop() is not model.layers[-1]
    assert model.output_shape == (None, 8)
    with pytest.raises(ValueError, match=r"unknown layer 'hiden'; did you mean 'hidden'\?"):
        model.get_layer("hiden")


def test_save_and_load(tmp_path: Any) -> None:
    from fastnet import models

    model = _fitted()
    model.save(tmp_path / "m.safetensors")
    again = models.load_model(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(again.predict(X, verbose=0), model.predict(X, verbose=0))
    assert again.fit(X, Y, verbose=0, shuffle=False).history == model.fit(X, Y, verbose=0, shuffle=False).history
    model.save_weights(tmp_path / "w.weights.safetensors")
    fresh = models.clone_model(model)
    fresh.load_weights(tmp_path / "w.weights.safetensors")
    assert weights(fresh) == weights(model)
    assert models.model_from_json(model.to_json()).to_json() == model.to_json()
