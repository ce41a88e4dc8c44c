"""steps_per_execution: how many batches lie between two calls of the hooks of a batch."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastnet import Sequential, layers, models, utils
from fastnet.callbacks import Callback, ModelCheckpoint
from fastnet.training.tape import Player

X = np.random.default_rng(0).normal(size=(70, 4)).astype(np.float32)
Y = (X[:, 0] > 0).astype(np.int32)


class Note(Callback):
    def __init__(self) -> None:
        self.calls: list[Any] = []

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self.calls.append(("begin", batch))

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.calls.append(("end", batch, logs["loss"]))


def compiled(steps: int) -> Sequential:
    utils.set_random_seed(3)
    model = Sequential([layers.Input((4,)), layers.Dense(8, "relu"), layers.Dropout(0.3), layers.Dense(2, "softmax")])
    return model.compile("adam", "sparse_categorical_crossentropy", ["accuracy"], steps_per_execution=steps)


def fitted(steps: int, callback: Callback | None, batch_size: int = 10) -> tuple[Sequential, dict[str, Any]]:
    model = compiled(steps)
    chosen = [callback] if callback else []
    return model, dict(model.fit(X, Y, batch_size=batch_size, epochs=3, verbose=0, callbacks=chosen).history)


@pytest.mark.parametrize("batch_size", [10, 16])  # 7 batches; 5, the last of which is smaller
@pytest.mark.parametrize("steps", [1, 2, 3, 50])
def test_the_hooks_are_called_each_so_many_batches_and_the_result_is_the_same(steps: int, batch_size: int) -> None:
    note, every = Note(), Note()
    model, history = fitted(steps, note, batch_size)
    expected, record = fitted(1, every, batch_size)
    count = -(-len(X) // batch_size)
    starts = range(0, count, steps)
    losses = [call[2] for call in every.calls if call[0] == "end"]
    wanted: list[Any] = []
    for epoch in range(3):
        for start in starts:  # the last call has the number of a whole group, as in Keras
            last = min(start + steps, count) - 1
            wanted += [("begin", start), ("end", start + steps - 1, losses[epoch * count + last])]
    assert note.calls == wanted
    assert history == record
    for mine, theirs in zip(model.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_the_steps_in_between_are_repeated_without_python(monkeypatch: pytest.MonkeyPatch) -> None:
    played: list[int] = []
    play = Player.play

    def counted(self: Any, most: int) -> tuple[int, int]:
        found = play(self, most)
        played.append(found[0])
        return found

    monkeypatch.setattr(Player, "play", counted)
    fitted(7, Note())
    assert sum(played) > 7
    assert max(played) <= 7
    played.clear()
    fitted(1, Note())
    assert sum(played) == 0


def test_only_end_hooks_are_called_too() -> None:
    ends = []

    class Ends(Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            ends.append(batch)

    fitted(3, Ends())
    assert ends == [2, 5, 8] * 3


def test_a_training_that_is_told_to_stop_stops_at_a_call() -> None:
    ends = []

    class Stop(Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            ends.append(batch)
            self.model.stop_training = True

    model, _ = fitted(3, Stop())
    assert ends == [2]
    assert model.optimizer is not None
    assert model.optimizer.iterations == 3


def test_generators_too() -> None:
    note = Note()
    model = compiled(2)
    batches = [(X[i : i + 10], Y[i : i + 10]) for i in range(0, 50, 10)]
    model.fit(iter(batches), verbose=0, callbacks=note)
    assert [call[:2] for call in note.calls] == [
        (w, b) for pair in ((0, 1), (2, 3), (4, 5)) for w, b in zip(("begin", "end"), pair, strict=True)
    ]


def test_evaluation_and_prediction_call_hooks_by_batches_of_batch_size() -> None:
    calls: list[Any] = []
    outputs: list[Any] = []

    class Look(Callback):
        def on_test_batch_begin(self, batch: int, logs: Any = None) -> None:
            calls.append(("test", batch))

        def on_predict_batch_begin(self, batch: int, logs: Any = None) -> None:
            calls.append(("predict", batch))

        def on_predict_batch_end(self, batch: int, logs: Any = None) -> None:
            calls.append(("end", batch))
            outputs.append(logs["outputs"])

    model = compiled(3)
    expected = model.evaluate(X, Y, verbose=0), model.predict(X, verbose=0)
    results = model.evaluate(X, Y, batch_size=10, verbose=0, callbacks=[Look()])
    np.testing.assert_allclose(results, expected[0], rtol=1e-12)
    assert calls == [("test", 0), ("test", 3), ("test", 6)]
    calls.clear()
    np.testing.assert_array_equal(model.predict(X, batch_size=10, verbose=0, callbacks=[Look()]), expected[1])
    assert calls == [("predict", 0), ("end", 2), ("predict", 3), ("end", 5), ("predict", 6), ("end", 8)]
    assert [part.shape for part in outputs] == [(30, 2), (30, 2), (10, 2)]
    np.testing.assert_array_equal(np.concatenate(outputs), expected[1])


def test_a_source_of_batches_is_predicted_batch_by_batch_if_a_callback_looks() -> None:
    calls: list[Any] = []

    class Look(Callback):
        def on_predict_batch_end(self, batch: int, logs: Any = None) -> None:
            calls.append((batch, len(logs["outputs"])))

    model = compiled(2)
    parts = [X[:10], X[10:15], X[15:40], X[40:]]
    expected = model.predict(iter(parts), verbose=0)
    np.testing.assert_array_equal(model.predict(iter(parts), verbose=0, callbacks=[Look()]), expected)
    assert calls == [(1, 15), (3, 55)]
    with pytest.raises(ValueError, match="x makes no batches"):
        model.predict(iter([]), verbose=0, callbacks=[Look()])


@pytest.mark.parametrize("method", ["evaluate", "predict"])
@pytest.mark.parametrize("source", ["arrays", "endless"])
def test_an_evaluation_or_a_prediction_may_be_stopped(method: str, source: str) -> None:
    ends: list[int] = []

    class Stop(Callback):
        def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
            ends.append(batch)
            self.model.stop_evaluating = len(ends) == 3

        def on_predict_batch_end(self, batch: int, logs: Any = None) -> None:
            ends.append(batch)
            self.model.stop_predicting = len(ends) == 3

    model = compiled(1)
    expected = getattr(model, method)(*([X[:30]] if method == "predict" else [X[:30], Y[:30]]), verbose=0)
    endless = ((X[i : i + 10], Y[i : i + 10]) for i in itertools.chain((0, 10, 20), itertools.count(3)))
    data: Any = [endless] if source == "endless" else [X] if method == "predict" else [X, Y]
    found = getattr(model, method)(*data, batch_size=10, verbose=0, callbacks=[Stop()])
    assert ends == [0, 1, 2]
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert len(model.predict(X, verbose=0)) == 70


def set_rate(model: Any, batch: int) -> None:
    model.optimizer.learning_rate = 0.01 * (1 + batch % 3)


def drop(model: Any, batch: int) -> None:
    model.layers[1].rate = 0.1 + 0.1 * (batch % 3)


def freeze(model: Any, batch: int) -> None:
    model.layers[0].trainable = batch % 4 > 1


def shift(model: Any, batch: int) -> None:
    model.layers[2].bias.assign(model.layers[2].bias.numpy() + batch)


def train(model: Any, batch: int) -> None:
    model.train_on_batch(X[:7], Y[:7])


@pytest.mark.parametrize("change", [set_rate, drop, freeze, shift, train])
@pytest.mark.parametrize("steps", [2, 5])
def test_what_a_callback_changes_between_the_steps_counts(
    steps: int, change: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Change(Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            change(self.model, batch)

    repeated, history = fitted(steps, Change())
    for module in "fastnet.training.loop", "fastnet.models.trainer":
        monkeypatch.setattr(f"{module}.can_record", lambda *_, **__: False)
    in_python, record = fitted(steps, Change())
    assert history == record
    for mine, theirs in zip(repeated.get_weights(), in_python.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_a_callback_that_saves_counts_batches_not_calls(tmp_path: Path) -> None:
    model = compiled(2)
    save = ModelCheckpoint(tmp_path / "{epoch}-{batch}.safetensors", save_freq=4)
    model.fit(X[:64], Y[:64], batch_size=8, epochs=2, verbose=0, callbacks=save)
    assert sorted(path.stem for path in tmp_path.iterdir()) == ["1-4", "1-8", "2-4", "2-8"]


def test_it_is_checked_and_saved(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="steps_per_execution must be at least 1, got 0"):
        compiled(0)
    model = compiled(4)
    model.save(tmp_path / "m.safetensors")
    assert models.load_model(tmp_path / "m.safetensors").steps_per_execution == 4
    assert compiled(1).compile("sgd", "mse", steps_per_execution=None).steps_per_execution == 1
